"""Provides a small log of an invented robot, for the tests of logs."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kilohertz.rt.log.header import LogHeader, libraries
from kilohertz.rt.log.row import STAMPS
from kilohertz.rt.log.schema import schema_text

ROW = np.dtype(
    [
        ("tick", "<i8"),
        ("request", "<i8"),
        ("gains_generation", "<i8"),
        ("state", "<i8"),
        ("rung", "<i8"),
        ("qp_iterations", "<i8"),
        ("payload_kg", "<f8"),
        ("sensors", [("seq", "<f8", (1,)), ("q", "<f8", (2,)), ("contact_force_N", "<f8", (1,))]),
        ("command", [("tau_ff", "<f8", (2,))]),
        ("hands", [("p_WH_des", "<f8", (3,)), ("hand_active", "<f8", (1,))]),
        ("stamps_ns", [(name, "<i8") for name in STAMPS]),
    ]
)
CELLS = ROW.itemsize // 8
SCHEMA = schema_text(ROW)


def toy_header(**changes: Any) -> LogHeader:
    fields: dict[str, Any] = {
        "robot": "toy",
        "robot_name": "toy",
        "joint_names": ["hip", "knee"],
        "contact_names": ["foot"],
        "hand_names": ["claw"],
        "torque_limit_Nm": [10.0, 5.0],
        "scenario": {"name": "hop", "duration_s": 1.0, "estimator": "default"},
        "seed": 3,
        "pace": "timer",
        "gains": {"com": {"weight": 0.1}},
        "live": False,
        "requests": [[0.1, float("nan"), -0.0]],
        "version": "1.2.3",
        "libraries": libraries(),
        "config_sha256": "c0",
        "model_sha256": "m0",
        "machine": {"processor": "abacus", "kernel": "none"},
        "started_ns": 1_700_000_000_000_000_000,
        "clock_ns": 5_000_000,
        "period_ns": 1_000_000,
    }
    return LogHeader(**(fields | changes))


def toy_rows(n: int, seed: int = 0) -> NDArray[np.int64]:
    """Returns (n, CELLS) rows with random bits; ticks are 1 ms apart and take 100 us from start to write."""
    rows = np.random.default_rng(seed).integers(-(2**63), 2**63 - 1, (n, CELLS))
    named = rows.view(ROW)[:, 0]
    named["tick"] = np.arange(n)
    start = 10_000_000 + 1_000_000 * np.arange(n)
    for i, name in enumerate(STAMPS):
        named["stamps_ns"][name] = start + 10_000 * (i + 1)
    named["stamps_ns"]["due"] = start - 5_000
    named["stamps_ns"]["start"] = start
    named["stamps_ns"]["read"] = start + 1_000
    named["stamps_ns"]["write"] = start + 100_000
    named["state"] = 2
    named["rung"] = 0
    return rows


def write_toy_log(path: Path, rows: NDArray[np.int64], summary: dict[str, Any] | None, **header: Any) -> None:
    from kilohertz.rt.log.writer import LogWriter

    writer = LogWriter(path, toy_header(**header), SCHEMA)
    writer.add(np.arange(len(rows)), rows[:, 0], rows)
    for event in summary["events"] if summary else ():
        writer.add_event(event["t_s"], event["kind"], event["text"])
    writer.close(summary)
