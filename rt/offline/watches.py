"""Finds out whether the watches of the controller would have stopped the robot of a log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kilohertz.controller.brain import Brain
from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.supervision.request import make_request
from kilohertz.controller.supervision.supervisor import DAMPING
from kilohertz.robots.model.period import PERIOD_S
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import OutsideRow
from kilohertz.rt.offline.estimate import PROGRESS_SAMPLES, Samples
from kilohertz.rt.run.brain_setup import estimator_of, no_mark


def controller_stop(
    samples: Samples, robot: RobotModel, gains: Gains, progress: Callable[[float], None] | None = None
) -> dict[str, Any] | None:
    """Asks the controller to stand and gives it every sample of a log; its commands go nowhere.

    Args:
        samples: the samples.
        robot: the robot.
        gains: gains of estimator and controller.
        progress: called from time to time with the time since the first sample [s].

    Returns:
        `t_s`, time since the first sample at which the controller damps the joints, and `reason`; None if it
        never does.
    """
    outside = OutsideRow()
    brain = Brain(robot, gains, estimator_of(robot, gains, outside), PERIOD_S)
    request = make_request(robot, "stand", {})
    row = robot.new_sensor_row()
    row.data[:] = samples.data[0]
    brain.reset(row)
    for i in range(len(samples.t_s)):
        row.data[:] = samples.data[i]
        samples.show_outside(i, outside)
        output = brain.step(row, request, gains, no_mark)
        t_s = float(samples.t_s[i] - samples.t_s[0])
        if output.state == DAMPING:
            return {"t_s": round(t_s, 6), "reason": output.reason}
        if progress is not None and i % PROGRESS_SAMPLES == 0:
            progress(t_s)
    return None


def gaps(samples: Samples) -> tuple[float, float]:
    """Returns the usual period and the longest gap between two samples [s]."""
    dt = np.diff(samples.t_s)
    return float(np.median(dt)), float(dt.max())
