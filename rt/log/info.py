"""Summarises a log for `khz log info`: run, duration, missing rows, events and latency."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kilohertz.rt.log.durations import stage_durations_ns
from kilohertz.rt.log.file import LogReader, read_rows
from kilohertz.rt.log.header import LogHeader
from kilohertz.rt.log.schema import WARM_UP
from kilohertz.rt.loop.histogram import LatencyHistogram, latency_us

NEEDED = ("tick", "state", "rung", "gains_generation", "stamps_ns")
RUNGS = 5
"""Rungs of the ladder of failures, from a solved QP to damping."""
NO_SUMMARY = "the controller ended without a summary (crash, kill or power loss)"


def latency_of(stamps_ns: NDArray[Any], pace: str) -> dict[str, LatencyHistogram]:
    """Returns latency histograms of the tick and of its stages.

    Args:
        stamps_ns: (n,) field `stamps_ns` of the rows.
        pace: what started each tick: "lockstep", "timer" or "robot".
    """
    durations = stage_durations_ns(stamps_ns)
    histograms = {name: _counted(duration[ran]) for name, (duration, ran) in durations.items()}
    start = stamps_ns["start"]
    histograms["wake"] = _counted((start - stamps_ns["due"])[: len(start) if pace == "timer" else 0])
    return histograms


def _counted(durations_ns: NDArray[np.int64]) -> LatencyHistogram:
    histogram = LatencyHistogram()
    for duration_ns in durations_ns.tolist():
        histogram.record(duration_ns)
    return histogram


def missed_periods(ticks: NDArray[Any], header: LogHeader) -> int:
    """Returns the number of periods without a row, because of late ticks or lost rows."""
    if header.pace == "timer":
        gaps = np.rint(np.diff(ticks["stamps_ns"]["due"]) / header.period_ns)
    else:
        gaps = np.diff(ticks["tick"])
    return int((gaps - 1).sum())


def figures_of(reader: LogReader) -> dict[str, Any]:
    """Returns the summary of a log as plain objects for JSON; reads the log to its end."""
    header = reader.header
    reader.require(*NEEDED)
    rows = read_rows(reader, NEEDED)
    ticks = rows[rows["tick"] != WARM_UP]
    numbers = ticks["tick"]
    summary = reader.summary
    period_s = header.period_ns * 1e-9
    return {
        "file": str(reader.path),
        "bytes": reader.path.stat().st_size,
        "robot": header.robot_name,
        "scenario": header.scenario["name"],
        "seed": header.seed,
        "pace": header.pace,
        "started": datetime.fromtimestamp(header.started_ns * 1e-9).isoformat(timespec="seconds"),
        "duration_s": round(float(numbers[-1] + 1) * period_s, 9) if len(numbers) else 0.0,
        "ticks": len(ticks),
        "overruns": missed_periods(ticks, header) - reader.lost,
        "rows_lost": reader.lost,
        "ended": reader.damage or NO_SUMMARY if summary is None else summary.get("exit_state", NO_SUMMARY),
        "measured_against": summary.get("measured_against") if summary is not None else None,
        "whole": summary is not None and not reader.damage,
        "rungs": [int(np.count_nonzero(ticks["rung"] == rung)) for rung in range(RUNGS)],
        "gains": int(ticks["gains_generation"].max(initial=0)),
        "events": reader.events,
        "latency_us": latency_us(latency_of(ticks["stamps_ns"], header.pace)),
        "provenance": _provenance(header),
    }


def _provenance(header: LogHeader) -> dict[str, Any]:
    return {
        "version": header.version,
        "libraries": header.libraries,
        "config_sha256": header.config_sha256,
        "model_sha256": header.model_sha256,
        **header.machine,
    }
