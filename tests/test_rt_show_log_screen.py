"""The summary of a log shows missing rows in colour, and shortens long lists of events."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from kilohertz.rt.loop.histogram import LatencyHistogram, latency_us
from kilohertz.rt.show.log_screen import EVENTS_SHOWN, print_log


def figures(**changes: Any) -> dict[str, Any]:
    tick = LatencyHistogram()
    tick.record(250_000)
    return {
        "robot": "toy",
        "scenario": "hop",
        "seed": 3,
        "pace": "timer",
        "started": "2026-01-01T00:00:00",
        "bytes": 3_000_000,
        "duration_s": 30.0,
        "ticks": 30_000,
        "overruns": 0,
        "rows_lost": 0,
        "ended": "active",
        "whole": True,
        "gains": 0,
        "events": [],
        "latency_us": latency_us({"tick": tick}),
        "provenance": {
            "version": "1.2.3",
            "libraries": {"osqp": "1.1"},
            "config_sha256": "c" * 64,
            "model_sha256": "d" * 64,
        },
        **changes,
    }


def printed(summary: dict[str, Any], colour: bool = False) -> str:
    text = io.StringIO()
    console = Console(
        file=text, width=120, force_terminal=colour, color_system="standard" if colour else None
    )
    print_log(console, summary)
    return text.getvalue()


def test_sizes_versions_and_latency_are_printed() -> None:
    text = printed(figures())
    for part in ("toy · hop", "30 s in real time, seed 3", "3.0 MB, 6 MB/min", "end: active", "250.0"):
        assert part in text
    assert f"configuration {'c' * 12}, model {'d' * 12}\n" in text
    assert "kilohertz 1.2.3; osqp 1.1" in text


@pytest.mark.parametrize("change", [{"rows_lost": 1}, {"overruns": 2}, {"whole": False, "ended": "cut off"}])
def test_missing_rows_are_in_colour(change: dict[str, Any]) -> None:
    yellow = "\x1b[33m"
    assert yellow not in printed(figures(), colour=True)
    assert yellow in printed(figures(**change), colour=True)


def test_of_many_events_the_first_are_printed_and_the_others_counted() -> None:
    events = [{"t_s": 0.1 * k, "kind": "push", "text": f"number {k}"} for k in range(EVENTS_SHOWN + 3)]
    text = printed(figures(events=events))
    assert f"number {EVENTS_SHOWN - 1}" in text
    assert f"number {EVENTS_SHOWN}" not in text
    assert "and 3 more events" in text
    assert "more events" not in printed(figures(events=events[:EVENTS_SHOWN]))
