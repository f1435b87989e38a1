"""Margins of a tick as a table: friction, torque, joint range, balance, time and estimate."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.rows import Vector
from kilohertz.rt.log.durations import TICK, stage_durations_ns
from kilohertz.rt.why.margins import Margins

_LEAST_HEIGHT_M = 0.05


@dataclass(frozen=True)
class Margin:
    """The smallest margin of one kind in a tick.

    Attributes:
        kind: what it is a margin of.
        used: used part of it: from 1 on nothing is left; None if it is not known.
        where: joint or contact with the smallest margin; "" for the whole robot.
        value: the quantity, in `unit`.
        limit: its limit; None if it has none.
        unit: unit of both.
    """

    kind: str
    used: float | None
    where: str
    value: float | None
    limit: float | None
    unit: str

    @property
    def text(self) -> str:
        """The margin in words, such as `torque 97 % (left_knee_joint)`."""
        if self.used is None:
            return f"{self.kind} unknown"
        return f"{self.kind} {self.used * 100:.0f} %" + (f" ({self.where})" if self.where else "")


def margins_at(m: Margins, k: int) -> list[Margin]:
    """Returns the smallest margin of each kind in tick k."""
    out = [_torque(m, k), _range(m, k)]
    if len(m.robot.contacts):
        out += [_friction(m, k), _balance(m, k)]
    out.append(_time(m, k))
    if m.robot.floating:
        doubt = float(m.doubts.doubt[k])
        out.append(Margin("doubt of the estimate", _finite(doubt), "", _finite(doubt), 1.0, ""))
    return out


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _torque(m: Margins, k: int) -> Margin:
    limit = np.asarray(m.robot.torque_limit_Nm)
    tau = np.abs(m.rows["command"]["tau_ff"][k])
    j = int(np.argmax(tau / limit))
    return Margin(
        "torque", float(tau[j] / limit[j]), m.robot.joint_names[j], float(tau[j]), float(limit[j]), "Nm"
    )


def _range(m: Margins, k: int) -> Margin:
    robot, q = m.robot, m.rows["sensors"]["q"][k]
    low, high = robot.position_lower_rad, robot.position_upper_rad
    middle, half = 0.5 * (low + high), 0.5 * (high - low)
    with np.errstate(invalid="ignore"):
        used = np.where(np.isfinite(half) & (half > 0.0), np.abs(q - middle) / half, 0.0)
    j = int(np.argmax(used))
    edge = high[j] if q[j] > middle[j] else low[j]
    return Margin("joint range", float(used[j]), robot.joint_names[j], float(q[j]), float(edge), "rad")


def _friction(m: Margins, k: int) -> Margin:
    c = int(np.argmax(m.cone_use[k]))
    use = float(m.cone_use[k, c])
    return Margin("friction and centre of pressure", use, m.robot.contact_names[c], use, 1.0, "")


def capture_point(m: Margins) -> tuple[Vector, Vector]:
    """Returns the capture point of every tick and how far it is outside the soles.

    Returns:
        (n, 2) capture point in the world [m], and (n,) its distance from the rectangle around the corners of
        the closed soles, along the worse axis of the world [m]; negative inside.

    Source: Pratt et al., "Capture Point", Humanoids 2006, eq. 5.
    """
    balance = m.rows["balance"]
    height = np.maximum(balance["p_WC"][:, 2] - m.p_WF[:, :, 2].min(axis=1), _LEAST_HEIGHT_M)
    point = balance["p_WC"][:, :2] + balance["v_WC"][:, :2] * np.sqrt(height / GRAVITY_M_S2)[:, None]
    low, high = np.full((len(point), 2), np.inf), np.full((len(point), 2), -np.inf)
    closed: NDArray[np.bool_] = np.greater(m.rows["estimate"]["contact"], 0)
    closed |= ~closed.any(axis=1, keepdims=True)
    for c, contact in enumerate(m.robot.contacts):
        corners = m.p_WF[:, c, None] + np.einsum("nij,kj->nki", m.R_WF[:, c], contact.corners_F)
        here = closed[:, c, None]
        low = np.where(here, np.minimum(low, corners[..., :2].min(axis=1)), low)
        high = np.where(here, np.maximum(high, corners[..., :2].max(axis=1)), high)
    out: Vector = np.maximum(low - point, point - high).max(axis=1)
    return point, out


def _balance(m: Margins, k: int) -> Margin:
    one = slice(k, k + 1)
    view = _Tick(m, one)
    _, out = capture_point(view)  # type: ignore[arg-type]
    height = float(m.rows["balance"]["p_WC"][k, 2] - m.p_WF[k, :, 2].min())
    size = max(height, _LEAST_HEIGHT_M) * 0.1
    return Margin("capture point", 1.0 + float(out[0]) / size, "", float(out[0]), 0.0, "m outside the soles")


class _Tick:
    """The part of `Margins` that `capture_point` reads, for some of the ticks."""

    def __init__(self, m: Margins, ticks: slice) -> None:
        self.rows, self.p_WF, self.R_WF, self.robot = m.rows[ticks], m.p_WF[ticks], m.R_WF[ticks], m.robot


def _time(m: Margins, k: int) -> Margin:
    period_us = m.header.period_ns * 1e-3
    duration, _ = stage_durations_ns(m.rows["stamps_ns"][k : k + 1])[TICK]
    took_us = float(duration[0]) * 1e-3
    return Margin("time of the tick", took_us / period_us, "", took_us, period_us, "us")
