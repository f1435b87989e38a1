"""Interventions of guard and watchdogs in a run, as an assessor reads them: what, when, limit, value."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kilohertz.controller.safety.ladder import RUNGS, SOLVED
from kilohertz.rt.loop.trace import STATES
from kilohertz.rt.why.margins import Margins

COLUMNS = ("t_s", "until_s", "part", "what", "where", "value", "limit", "unit", "text")
"""Columns of the table of interventions."""
GUARD, LADDER, WATCHDOG, SUPERVISOR, ENVELOPE = "guard", "ladder", "watchdog", "supervisor", "envelope"
PARTS = {
    GUARD: "limits of torque, joint range and speed in the controller",
    LADDER: "fallbacks of the controller without a solution of its problem",
    WATCHDOG: "watches of estimate, balance, time and link that stop the robot",
    SUPERVISOR: "stops that were asked for, and errors",
    ENVELOPE: "limits on the robot's side that any controller is held to",
}
"""Parts that intervene, and what each is."""
_OF_LOOP = {"degraded": WATCHDOG, "link_lost": WATCHDOG, "fault": SUPERVISOR, "stopped": SUPERVISOR}
_SILENT = "no command was accepted"
"""Beginning of the reason for which the robot's side damps by its watchdog."""
_ASKED = "damping was asked for"
_JOIN_TICKS = 20
"""Interventions at most this long apart count as one [ticks]."""


def interventions(m: Margins) -> list[dict[str, Any]]:
    """Returns every intervention of guard, ladder and watchdogs, by time, with the columns `COLUMNS`."""
    found = [*_torque(m), *_ranges(m), *_ladder(m), *_states(m), *_loop(m), *_robot_side(m)]
    return sorted(found, key=lambda entry: float(entry["t_s"]))


def _entry(m: Margins, first: int, last: int, part: str, what: str, **values: Any) -> dict[str, Any]:
    known = dict.fromkeys(COLUMNS)
    at = {"t_s": float(m.t_s[first]), "until_s": float(m.t_s[last])}
    return {**known, **at, "part": part, "what": what, **values}


def spans(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Returns first and last index of each run of a mask; runs at most `_JOIN_TICKS` apart are joined."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], mask.astype(np.int8), [0])))).reshape(-1, 2)
    out: list[tuple[int, int]] = []
    for start, end in edges.tolist():
        if out and start - out[-1][1] <= _JOIN_TICKS:
            out[-1] = (out[-1][0], end - 1)
        else:
            out.append((start, end - 1))
    return out


def _controlled(m: Margins) -> NDArray[np.bool_]:
    controlled: NDArray[np.bool_] = m.rows["state"] != STATES.index("damping")
    return controlled


def _torque(m: Margins) -> list[dict[str, Any]]:
    limit = np.asarray(m.robot.torque_limit_Nm)
    tau = np.abs(m.rows["command"]["tau_ff"])
    out = []
    for j, name in enumerate(m.robot.joint_names):
        at_limit = (tau[:, j] >= 0.999 * limit[j]) | m.active_torque[:, j]
        for first, last in spans(at_limit & _controlled(m)):
            values = {"where": name, "value": float(tau[first : last + 1, j].max()), "limit": float(limit[j])}
            out.append(_entry(m, first, last, GUARD, "torque limit", unit="Nm", **values))
    return out


def _ranges(m: Margins) -> list[dict[str, Any]]:
    robot, q = m.robot, m.rows["sensors"]["q"]
    out = []
    for j, name in enumerate(robot.joint_names):
        for first, last in spans(m.active_range[:, j] & _controlled(m)):
            low, high = float(robot.position_lower_rad[j]), float(robot.position_upper_rad[j])
            value = float(q[last, j])
            limit = high if value > 0.5 * (low + high) else low
            values = {"where": name, "value": value, "limit": limit}
            out.append(_entry(m, first, last, GUARD, "barrier of joint range or speed", unit="rad", **values))
    return out


def _ladder(m: Margins) -> list[dict[str, Any]]:
    out = []
    for rung in np.unique(m.rows["rung"]).tolist():
        if rung == SOLVED:
            continue
        for first, last in spans((m.rows["rung"] == rung) & _controlled(m)):
            values = {"value": float(rung), "limit": float(SOLVED), "unit": "rung", "text": RUNGS[rung]}
            out.append(_entry(m, first, last, LADDER, "fallback of the whole-body controller", **values))
    return out


def _states(m: Margins) -> list[dict[str, Any]]:
    return [
        _entry(
            m,
            k,
            len(m.rows) - 1,
            SUPERVISOR if reason.startswith(_ASKED) else WATCHDOG,
            "controlled stop",
            where=m.robot.name,
            text=reason,
            **_measured(m, k),
        )
        for k, reason in m.reasons
        if reason
    ]


def _measured(m: Margins, k: int) -> dict[str, Any]:
    figure = m.stop_figures.get(k)
    return {} if figure is None else asdict(figure)


def _loop(m: Margins) -> list[dict[str, Any]]:
    return [_of_event(event, _OF_LOOP[event["kind"]]) for event in m.events if event["kind"] in _OF_LOOP]


def _robot_side(m: Margins) -> list[dict[str, Any]]:
    """Returns what watchdog and envelope on the robot's side did, as far as it told the controller."""
    return [
        _of_event(event, WATCHDOG if event["text"].startswith(_SILENT) else ENVELOPE)
        for event in m.robot_events
    ]


def _of_event(event: dict[str, Any], part: str) -> dict[str, Any]:
    at_s = float(event["t_s"])
    at = {"t_s": at_s, "until_s": at_s, "part": part, "what": event["kind"], "text": event["text"]}
    return {**dict.fromkeys(COLUMNS), **at}
