"""What a log says of its run before the first tick: all that it takes to run the same brain again."""

from __future__ import annotations

import importlib.metadata
import json
from dataclasses import asdict, dataclass, fields
from typing import Any

_LIBRARIES = ("numpy", "scipy", "pin", "osqp", "daqp", "mujoco", "numba")


def libraries() -> dict[str, str]:
    """Versions of what a brain's numbers depend on."""
    return {name: importlib.metadata.version(name) for name in _LIBRARIES}


@dataclass(frozen=True)
class LogHeader:
    """What was run, with all that it takes to run its brain again.

    Attributes:
        robot: name of a robot that ships, or where its folder was.
        robot_name, joint_names, contact_names, hand_names, torque_limit_Nm: of the robot.
        scenario: as its own model writes it.
        seed: of the simulation.
        pace: what started a tick.
        gains: as their own model writes them.
        live: whether they might change on the way.
        requests: all that might be asked; a row names them by their place.
        version, libraries: ours, and of what the brain is made of.
        config_sha256, model_sha256: as in a run's summary.
        machine: processor and kernel.
        started_ns: when, since 1970 [ns].
        clock_ns: what the clock of the stamps showed then [ns].
        period_ns: of the ticks.
    """

    robot: str
    robot_name: str
    joint_names: list[str]
    contact_names: list[str]
    hand_names: list[str]
    torque_limit_Nm: list[float]
    scenario: dict[str, Any]
    seed: int
    pace: str
    gains: dict[str, Any]
    live: bool
    requests: list[list[float]]
    version: str
    libraries: dict[str, str]
    config_sha256: str
    model_sha256: str
    machine: dict[str, str]
    started_ns: int
    clock_ns: int
    period_ns: int

    def as_text(self) -> dict[str, str]:
        """Each field as JSON; strings as they are."""
        return {
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in asdict(self).items()
        }

    @classmethod
    def of_text(cls, text: dict[str, str]) -> LogHeader:
        """The header that `as_text` has written.

        Raises:
            ValueError: it was not.
        """
        values: dict[str, Any] = {}
        for field in fields(cls):
            if field.name not in text:
                raise ValueError(f"its header has no {field.name}")
            value = text[field.name]
            values[field.name] = value if field.type == "str" else json.loads(value)
        return cls(**values)
