"""Defines the header of a log: robot, scenario, gains and versions, which a replay of the run needs."""

from __future__ import annotations

import importlib.metadata
import json
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any

import pydantic

_LIBRARIES = ("numpy", "scipy", "pin", "osqp", "mujoco", "numba", "ruckig")

# 2116, in nanoseconds since 1970.
MOST_NS = 1 << 62


def libraries() -> dict[str, str]:
    """Returns the versions of the libraries on which the brain's numerical results depend."""
    return {name: importlib.metadata.version(name) for name in _LIBRARIES}


@dataclass(frozen=True)
class LogHeader:
    """Everything that a replay needs to know about a run.

    Attributes:
        robot: name of a shipped robot, or the path of the robot's folder.
        robot_name: name of the robot from its robot.yaml.
        joint_names: names of the joints, in the order of joint vectors.
        contact_names: names of the contacts, in the order of contact vectors.
        hand_names: names of the hands, in the order of hand vectors.
        torque_limit_Nm: torque limit of each joint [Nm].
        scenario: scenario of the run, as JSON data of its pydantic model.
        seed: random seed of the simulation.
        pace: what started each tick: "lockstep", "timer" or "robot"; "import" for a log from elsewhere.
        gains: gains at the start, as JSON data of their pydantic model.
        live: whether gains could change during the run.
        requests: all requests of the run; a row stores the index of the active one.
        version: version of Kilohertz.
        libraries: versions of the libraries from `libraries`.
        config_sha256: hash of the configuration, as in the summary.
        model_sha256: hash of the robot model, as in the summary.
        machine: processor and kernel of the computer.
        started_ns: start of the run, since 1970 [ns].
        clock_ns: monotonic clock of the stamps at the start of the run [ns].
        period_ns: period of the ticks [ns]; in a log from elsewhere, the unit of the field `tick`.
        commanded: whether requests and streams could arrive during the run; rows then contain them.
        first_tick: first tick from which on all are in the log; above 0 if older ones were dropped, of which
            only the worst were kept. Such a log cannot be replayed, because the controller's state at its
            beginning is not known.
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
    commanded: bool = False
    first_tick: int = 0

    def as_text(self) -> dict[str, str]:
        """Returns each field as JSON text; strings are not quoted."""
        return {
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in asdict(self).items()
        }

    @classmethod
    def of_text(cls, text: dict[str, str]) -> LogHeader:
        """Returns the header that `as_text` has written.

        Raises:
            ValueError: a field is missing, or is not valid JSON.
        """
        values: dict[str, Any] = {}
        for field in fields(cls):
            if field.name not in text:
                if field.default is not MISSING:
                    continue
                raise ValueError(f"its header has no field '{field.name}'")
            value = text[field.name]
            values[field.name] = value if field.type == "str" else json.loads(value)
        try:
            header = _TYPE.validate_python(values)
        except pydantic.ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(step) for step in first["loc"])[:80]
            raise ValueError(f"its header is wrong: {where}: {first['msg']}") from None
        if not isinstance(header.scenario.get("name"), str):
            raise ValueError("its header is wrong: scenario has no name")
        if not (0 < header.period_ns <= MOST_NS and 0 <= header.started_ns <= MOST_NS):
            raise ValueError("its header is wrong: period_ns or started_ns is out of range")
        return header


_TYPE = pydantic.TypeAdapter(LogHeader)
