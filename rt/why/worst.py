"""The worst ticks of a recorded run: late, without a solution, or with little margin."""

from __future__ import annotations

from typing import Any

import numpy as np

from kilohertz.controller.problem.tables import RES_BASE, RES_CONE, RES_MOTION
from kilohertz.controller.safety.ladder import RUNGS
from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.rows import Vector
from kilohertz.rt.log.durations import TICK, stage_durations_ns
from kilohertz.rt.loop.trace import STATES
from kilohertz.rt.why.margin_table import capture_point, margins_at
from kilohertz.rt.why.margins import Margins

APART_TICKS = 20
"""Least distance between two ticks of the list: neighbours have the same cause [ticks]."""
MANY_ITERATIONS = 50.0
"""Number of iterations of the solver that counts as much as a tick that takes the whole period."""
RESIDUAL_OF_WEIGHT = 1e-3
"""Residual of the floating base that counts as much, relative to the robot's weight."""


def badness(m: Margins) -> dict[str, Vector]:
    """Returns how bad every tick is by each measure, (n,) each: 1 where nothing is left."""
    limit = np.asarray(m.robot.torque_limit_Nm)
    duration_ns, _ = stage_durations_ns(m.rows["stamps_ns"])[TICK]
    measures = {
        "time": duration_ns / m.header.period_ns,
        "ladder": 1.0 * m.rows["rung"],
        "iterations": m.rows["qp_iterations"] / MANY_ITERATIONS,
        "residual": m.residual[:, RES_BASE] / (RESIDUAL_OF_WEIGHT * m.robot.mass_kg * GRAVITY_M_S2),
        "torque": (np.abs(m.rows["command"]["tau_ff"]) / limit).max(axis=1),
    }
    if m.robot.floating:
        measures["doubt"] = np.nan_to_num(m.doubts.doubt, nan=2.0)
    if len(m.robot.contacts):
        _, out = capture_point(m)
        height = np.maximum(m.rows["balance"]["p_WC"][:, 2] - m.p_WF[:, :, 2].min(axis=1), 0.05)
        measures["capture point"] = np.maximum(1.0 + 10.0 * out / height, 0.0)
    controlled = m.rows["state"] != STATES.index("damping")
    # After the stop nothing is decided any more; only its first tick counts.
    controlled[1:] |= controlled[:-1]
    return {name: np.where(controlled, np.nan_to_num(values), 0.0) for name, values in measures.items()}


def worst_ticks(m: Margins, most: int, by: str | None = None) -> list[dict[str, Any]]:
    """Returns the worst ticks, the worst first.

    Args:
        m: margins of the run.
        most: largest number of ticks.
        by: the measure to sort by; None for the largest of all, of which each measure leads in turn.

    Raises:
        ValueError: there is no such measure.
    """
    measures = badness(m)
    if by is not None and by not in measures:
        raise ValueError(f"'{by}' is not one of {', '.join(measures)}")
    left = {by: measures[by]} if by is not None else dict(measures)
    left = {name: np.array(values) for name, values in left.items()}
    out: list[dict[str, Any]] = []
    while len(out) < most and left:
        for name in list(left):
            k = int(np.argmax(left[name]))
            if left[name][k] <= 0.0:
                del left[name]
                continue
            for values in left.values():
                values[max(0, k - APART_TICKS) : k + APART_TICKS + 1] = 0.0
            out.append(_entry(m, k, name, float(measures[name][k])))
            if len(out) == most:
                break
    return out


def _entry(m: Margins, k: int, by: str, value: float) -> dict[str, Any]:
    row = m.rows[k]
    duration_ns, _ = stage_durations_ns(m.rows["stamps_ns"][k : k + 1])[TICK]
    return {
        "tick": int(row["tick"]),
        "t_s": float(m.t_s[k]),
        "worst_of": by,
        "badness": value,
        "tick_us": float(duration_ns[0]) * 1e-3,
        "rung": RUNGS[int(row["rung"])],
        "iterations": int(row["qp_iterations"]),
        "residual_N": _number(m.residual[k, RES_BASE]),
        "cone_violation_N": _number(m.residual[k, RES_CONE]),
        "contact_motion_m_s2": _number(m.residual[k, RES_MOTION]),
        "margins": [margin.text for margin in margins_at(m, k)],
    }


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
