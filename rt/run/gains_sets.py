"""Figures of a run for each set of gains that was in force, as `gains_sets` in the summary."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kilohertz.controller.gains.comparison import Figures
from kilohertz.controller.gains.live import live_paths
from kilohertz.controller.gains.tuning import GOOD, ON_TRIAL, REFUSED, ROLLED_BACK
from kilohertz.robots.model.period import PERIOD_S
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.live.gains_mailbox import Answer
from kilohertz.rt.live.live_run import GainsSet
from kilohertz.rt.loop.trace import Trace
from kilohertz.rt.run import summary
from kilohertz.sim.scenario_schema import Scenario

Mask = NDArray[np.bool_]

INTO_FORCE_S = 0.2
"""Time in which gains come into force; it does not count for the figures [s]."""
_VERDICTS = {ON_TRIAL: "on trial", GOOD: "accepted", ROLLED_BACK: "rolled back", REFUSED: "refused"}


def gains_sets(
    trace: Trace, robot: RobotModel, scenario: Scenario, sets: Sequence[GainsSet], seed: int | None
) -> list[dict[str, Any]]:
    """Returns the figures of each set of gains, with the gains and the random seed of the run.

    The figures are over the ticks of `summary.settled` in which the gains were in force. The motion of two
    sets may differ, as one may have had the walk and the other the stand: `before` and `after` of the verdict
    compare a set with the one before in the same kind of motion.

    Args:
        trace: history of the run, with the true state or the estimate.
        robot: model of the robot.
        scenario: scenario of the run.
        sets: the sets of gains.
        seed: random seed of the simulation; None for a robot that has none.
    """
    counted = summary.settled(trace.kept("t_s"), scenario) & summary.active(trace)
    return [_set(trace, robot, each, counted, seed) for each in sets]


def _set(trace: Trace, robot: RobotModel, each: GainsSet, counted: Mask, seed: int | None) -> dict[str, Any]:
    t_s = trace.kept("t_s")
    in_force = np.zeros(len(t_s), dtype=np.bool_)
    for since_s, until_s in each.spans:
        until_s = math.inf if until_s is None else until_s
        after_s = since_s + (INTO_FORCE_S if since_s > 0.0 else 0.0)
        in_force |= (t_s >= after_s) & (t_s <= until_s)
    mask = in_force & counted
    names = [".".join(path) for path in live_paths()]
    end_s = float(t_s[-1]) + PERIOD_S if len(t_s) else 0.0
    return {
        "generation": each.generation,
        "seed": seed,
        "gains": dict(zip(names, each.numbers.tolist(), strict=True)),
        "from_s": each.spans[0][0],
        "in_force_s": round(sum((end_s if end is None else end) - since for since, end in each.spans), 9),
        "verdict": _verdict(each.answer),
        "tracking": _tracking(trace, robot, mask),
        "torque": _torque(trace, robot, mask),
    }


def _verdict(answer: Answer | None) -> dict[str, Any] | None:
    if answer is None:
        return None
    before, after = (
        None if any(map(math.isnan, values)) else vars(Figures(*values)) for values in answer.figures
    )
    return {"state": _VERDICTS[answer.state], "reason": answer.reason, "before": before, "after": after}


def _tracking(trace: Trace, robot: RobotModel, mask: Mask) -> dict[str, Any]:
    com = summary.rms_length(summary.com_error(trace)[mask]) if robot.floating and mask.any() else None
    hands: dict[str, float | None] = {}
    for hand, name in enumerate(robot.hand_names):
        tracked = mask & (trace.kept("hand_active")[:, hand] > 0)
        error = summary.hand_error(trace, hand, robot.floating)[tracked]
        hands[name] = summary.rms_length(error) if tracked.any() else None
    return {"com_rms_m": com, "hand_rms_m": hands}


def _torque(trace: Trace, robot: RobotModel, mask: Mask) -> dict[str, Any]:
    if not mask.any():
        return {"effort": None, "chatter_Nm": None, "torque_margin": None, "without_solution": None}
    tau = trace.kept("tau")
    fraction = tau[mask] / robot.torque_limit_Nm
    # In a long run only every n-th tick is kept, which does not show the change from one tick to the next.
    both = mask[1:] & mask[:-1] if trace.stride == 1 else np.zeros(0, dtype=np.bool_)
    change = np.diff(tau, axis=0)[both] if both.any() else None
    return {
        "effort": float(np.sqrt(np.mean(fraction**2))),
        "chatter_Nm": float(np.sqrt(np.mean(change**2))) if change is not None else None,
        "torque_margin": 1.0 - float(np.abs(fraction).max()),
        "without_solution": float(np.mean(trace.kept("rung")[mask] > 0)),
    }
