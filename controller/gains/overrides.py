"""Gains of a robot with some of their values replaced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kilohertz.controller.gains.schema import Gains, gains_path, require_fit
from kilohertz.robots.config.yaml_file import check_data, load_yaml_located
from kilohertz.robots.model.robot_model import RobotModel


def gains_with(robot: RobotModel, overrides: Mapping[str, Any]) -> Gains:
    """The robot's own gains with some values replaced.

    Args:
        robot: the robot; its gains.yaml, if there is one, gives what is not replaced.
        overrides: values by key, nested as in gains.yaml, such as ``{"com": {"weight": 80.0}}``.

    Raises:
        ConfigError: a key is unknown or a value does not fit; one line per key.
    """
    path = gains_path(robot)
    own = {} if path is None else load_yaml_located(path, Gains)[1].data
    gains, positions = check_data(_merged(own, overrides), Gains)
    require_fit(robot, gains, positions)
    return gains


def _merged(own: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(own)
    for key, value in overrides.items():
        before = merged.get(key)
        both = isinstance(before, Mapping) and isinstance(value, Mapping)
        merged[key] = _merged(before, value) if both else value  # type: ignore[arg-type]
    return merged
