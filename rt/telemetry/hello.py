"""The hello message of the telemetry: what does not change during a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kilohertz.controller.behaviours.registry import behaviours_of
from kilohertz.controller.supervision.request import behaviour_id
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.log.header import LogHeader
from kilohertz.rt.log.row import BEHAVIOUR_STATES
from kilohertz.rt.loop.trace import STATES
from kilohertz.rt.telemetry.content import UNITS, VERSION

_FROM_HEADER = (
    "robot",
    "robot_name",
    "joint_names",
    "contact_names",
    "hand_names",
    "torque_limit_Nm",
    "gains",
    "live",
    "pace",
    "version",
    "config_sha256",
    "model_sha256",
    "started_ns",
    "clock_ns",
    "period_ns",
)


def hello_of(
    header: LogHeader,
    robot: RobotModel,
    gains_file: Path | None,
    rate_hz: float,
    control: str | None = None,
    pushes: str | None = None,
    gains_results: str | None = None,
) -> dict[str, Any]:
    """Returns the hello message of a run.

    Args:
        header: header that a log of the run has.
        robot: model of the robot.
        gains_file: gains file that the run was given or watches; None if there is no such file.
        rate_hz: rate of the state messages [Hz].
        control: endpoint at which the run takes commands; None if it takes none.
        pushes: address of the mailbox for pushes, see `kilohertz.sim.push_mailbox`; None for a robot that
            cannot be pushed.
        gains_results: address of the mailbox of gains, see `kilohertz.rt.live.gains_mailbox`; None for a run
            whose gains cannot change.
    """
    return {
        "telemetry_version": VERSION,
        "rate_hz": rate_hz,
        **{name: getattr(header, name) for name in _FROM_HEADER},
        "scenario": header.scenario["name"],
        "floating": robot.floating,
        "gains_file": str(gains_file.absolute()) if gains_file is not None else None,
        "control": control,
        "pushes": pushes,
        "gains_results": gains_results,
        "states": list(STATES),
        "behaviours": {str(behaviour_id(name)): name for name in behaviours_of(robot)},
        "behaviour_states": list(BEHAVIOUR_STATES),
        "units": UNITS,
    }
