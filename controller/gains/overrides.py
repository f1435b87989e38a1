"""Gains with some values replaced, from the command line or from Python, checked like a gains file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kilohertz.controller.gains.names import misfits
from kilohertz.controller.gains.schema import Gains, gains_path, require_fit, suited
from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.config.yaml_file import check_data, load_yaml_located, parse_value
from kilohertz.robots.model.robot_model import RobotModel

OPTION = "--set"


def with_overrides(robot: RobotModel, gains: Gains, assignments: Iterable[str]) -> Gains:
    """Returns gains with single values replaced.

    Args:
        robot: the robot that the gains belong to.
        gains: the gains to start from.
        assignments: texts KEY=VALUE such as `com.weight=40`; the value is YAML. If two of them have the same
            key, the later one is used.

    Returns:
        New gains; `gains` itself if there are no assignments.

    Raises:
        ConfigError: a key is unknown, a value is not allowed, or the robot has no contact, joint or frame of
            a given name; the message begins with the option and its assignment.
    """
    assigned = list(assignments)
    for assignment in assigned:
        source = f"{OPTION} {assignment}"
        key, equals, text = assignment.partition("=")
        keys = [part.strip() for part in key.split(".")]
        if not equals or not all(keys):
            raise ConfigError(f"{source}: is not of the form KEY=VALUE, such as com.weight=40")
        if not text.strip():
            raise ConfigError(f"{source}: has no value")
        data, value = gains.model_dump(mode="json"), parse_value(text, source)
        _assign(data, keys, value, source)
        try:
            gains, _ = check_data(data, Gains, source)
        except ConfigError:
            # A misspelt key gets no suggestion of keys that the data already has; checked alone, it gets one.
            alone: dict[str, Any] = {}
            _assign(alone, keys, value, source)
            check_data(alone, Gains, source)
            raise
    if assigned:
        # Checked after all assignments, because the load shares of two feet, for example, need two of them.
        _check_names(robot, gains, f"{OPTION} {' '.join(assigned)}")
    return gains


def _check_names(robot: RobotModel, gains: Gains, source: str) -> None:
    """Raises ConfigError for names that are not contacts, joints or frames of the robot."""
    _, positions = check_data(gains.model_dump(mode="json"), Gains, source)
    shares = {name: stance.share for name, stance in gains.stance.items()}
    found = misfits(robot, shares, gains.inequalities)
    ConfigError.raise_if_any(positions.problem(*finding) for finding in found)


def _assign(data: dict[str, Any], keys: list[str], value: Any, source: str) -> None:
    """Writes a value at a path of keys and creates missing sections."""
    section = data
    for depth, key in enumerate(keys[:-1]):
        inner = section.setdefault(key, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"{source}: {'.'.join(keys[: depth + 1])} is a value and has no keys")
        section = inner
    section[keys[-1]] = value


def gains_with(robot: RobotModel, overrides: Mapping[str, Any]) -> Gains:
    """Returns the robot's own gains with some values replaced.

    Args:
        robot: the robot; its gains.yaml, if it has one, gives the values that are not replaced.
        overrides: values by key, nested as in gains.yaml, such as ``{"com": {"weight": 80.0}}``.

    Raises:
        ConfigError: a key is unknown or a value does not fit; one line per key.
    """
    path = gains_path(robot)
    own = {} if path is None else load_yaml_located(path, Gains)[1].data
    gains, positions = check_data(_merged(own, overrides), Gains)
    require_fit(robot, gains, positions)
    return suited(robot, gains)


def _merged(own: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(own)
    for key, value in overrides.items():
        before = merged.get(key)
        both = isinstance(before, Mapping) and isinstance(value, Mapping)
        merged[key] = _merged(before, value) if both else value  # type: ignore[arg-type]
    return merged
