"""The story of a run in ten lines: its end, what went wrong first, what followed, and the margins."""

from __future__ import annotations

from typing import Any

from kilohertz.controller.behaviours.registry import behaviours_of
from kilohertz.controller.supervision.request import behaviour_id
from kilohertz.rt.why.causes import CAUSES, NOTHING, OF_SIGN, Verdict
from kilohertz.rt.why.interventions import interventions
from kilohertz.rt.why.margin_table import margins_at
from kilohertz.rt.why.margins import Margins
from kilohertz.rt.why.symptoms import Sign

MOST_FOLLOWING = 4
"""Largest number of signs after the first one that the story tells."""


def story_of(m: Margins, verdict: Verdict) -> list[str]:
    """Returns the story of a run, at most ten lines."""
    lines = [_ending(m, verdict), _first(verdict)]
    lines += [f"then, at {sign.at_s:.3f} s: {sign.text}" for sign in verdict.signs[1:][:MOST_FOLLOWING]]
    last = len(m.rows) - 1
    first = last if verdict.at_s is None else int((m.t_s < verdict.at_s).sum())
    stop = min(verdict.stop, last)
    lines.append(f"command at that time: {command_at(m, min(first, last))}")
    lines.append(f"used at {m.t_s[min(first, last)]:.3f} s: {_margins(m, min(first, last))}")
    if stop != first:
        lines.append(f"used at {m.t_s[stop]:.3f} s: {_margins(m, stop)}")
    if not m.same:
        lines.append("the commands did not come out as recorded: margins may differ from those of the run")
    return lines


def _ending(m: Margins, verdict: Verdict) -> str:
    header = m.header
    start = f"{header.robot_name}, {header.scenario['name']}, seed {header.seed}"
    if not verdict.stopped_because:
        return f"{start}: controlled to the end, {m.t_s[-1]:.3f} s"
    at_s = m.t_s[min(verdict.stop, len(m.rows) - 1)]
    return f"{start}: stopped at {at_s:.3f} s: {verdict.stopped_because}"


def _first(verdict: Verdict) -> str:
    name = CAUSES[verdict.cause]
    if not verdict.signs:
        return f"cause: {name}"
    sign = verdict.signs[0]
    return f"cause: {name}, at {sign.at_s:.3f} s: {sign.text}"


def _margins(m: Margins, k: int) -> str:
    return ", ".join(margin.text for margin in margins_at(m, k))


def command_at(m: Margins, k: int) -> str:
    """Returns behaviour and gains in force in tick k, in words."""
    row = m.rows[k]
    gains = int(row["gains_generation"])
    changed = f", gains changed {gains} times" if gains else ", gains of the start"
    named = {behaviour_id(name): name for name in behaviours_of(m.robot)}
    return f"{named.get(int(row['behaviour']), 'none')}{changed}"


def figures_of(m: Margins, verdict: Verdict) -> dict[str, Any]:
    """Returns cause, signs, margins and interventions as plain objects for JSON."""
    last = len(m.rows) - 1
    first = last if verdict.at_s is None else min(last, int((m.t_s < verdict.at_s).sum()))
    stop = min(verdict.stop, last)
    return {
        "cause": verdict.cause,
        "cause_text": CAUSES[verdict.cause],
        "at_s": verdict.at_s,
        "stopped_at_s": None if not verdict.stopped_because else float(m.t_s[stop]),
        "stopped_because": verdict.stopped_because or None,
        "nothing_wrong": verdict.cause == NOTHING,
        "signs": [_sign(sign) for sign in verdict.signs],
        "margins": [
            {"t_s": float(m.t_s[k]), **{margin.kind: _margin(margin) for margin in margins_at(m, k)}}
            for k in sorted({first, stop})
        ],
        "command": command_at(m, first),
        "interventions": interventions(m),
        "replayed_identically": m.same,
        "story": story_of(m, verdict),
    }


def _sign(sign: Sign) -> dict[str, Any]:
    named = {"cause": OF_SIGN[sign.kind], "t_s": sign.at_s, "text": sign.text, "where": sign.joint or None}
    return {**named, "value": sign.value, "limit": sign.limit, "unit": sign.unit, "figures": sign.figures}


def _margin(margin: Any) -> dict[str, Any]:
    return {name: getattr(margin, name) for name in ("used", "where", "value", "limit", "unit")}
