"""Writes the studies of tests: an arm that holds still, a search for its gains, and made-up results."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kilohertz.rt.study.table import RUNS, TIMING, flat, write_table

TEXT = """\
name: small
robot: ur5
scenario:
  name: hold
  duration_s: 0.05
  commands: [{at_s: 0, stand: {}}]
  plant: {joint_friction_Nm: 0.1}
runs: 3
vary:
  seed: {range: [0, 100]}
  plant.joint_friction_Nm: {uniform: [0, 0.5]}
outcome: not fell
"""


def write_study(folder: Path, *changes: tuple[str, str]) -> Path:
    """Writes the study with parts of its text replaced; returns its file."""
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "study.yaml"
    path.write_text(text, encoding="utf-8")
    return path


PUSH = "events[0].push.impulse_Ns"
SCENARIO = {
    "name": "pushed",
    "duration_s": 3.0,
    "events": [{"at_s": 1.0, "push": {"link": "trunk", "impulse_Ns": [10, 0, 0]}}],
}


def provenance_of(vary: dict[str, Any], *, grid: bool = False, runs: int = 1) -> dict[str, Any]:
    """What the rows of a study follow from, without a robot."""
    return {
        "name": "made up",
        "study": {
            "name": "made up",
            "vary": vary,
            "grid": grid,
            "outcome": "not fell",
            "sampler_seed": 0,
            "gains": None,
            "solver": None,
            "duration_s": None,
        },
        "scenario": SCENARIO,
        "gains": None,
        "overrides": [],
        "parameters": list(vary),
        "robot": "g1",
        "runs": runs,
        "model_sha256": "00ff",
        "version": "1.2.3",
        "libraries": {"numpy": "2.0.0"},
        "identity": "abcd",
    }


def write_results(
    folder: Path,
    vary: dict[str, Any],
    values: list[dict[str, Any]],
    success: list[bool],
    *,
    grid: bool = False,
    planned: int | None = None,
    hung: int = 0,
) -> Path:
    """Writes the files of a study that was not simulated; the last `hung` runs hung. Returns the folder."""
    folder.mkdir(exist_ok=True)

    def rows() -> Iterator[tuple[int, dict[str, Any]]]:
        for index, (value, good) in enumerate(zip(values, success, strict=True)):
            stop = {"t_s": 1.2, "kind": "state", "text": "from active to damping: a fall: out of reach"}
            summary = {"fell": not good, "fell_at_s": None if good else 1.5, "events": [] if good else [stop]}
            ended: dict[str, Any] = {"status": "done", "outcome": good, "seed": index, **dict(flat(summary))}
            if index >= len(values) - hung:
                ended = {"status": "hung"}
            yield index, {**dict(flat(value, "vary.")), **ended}

    def timing() -> Iterator[tuple[int, dict[str, Any]]]:
        for index in range(len(values) - hung):
            ticks = {f"tick_{name}_us": us + index for name, us in TICKS_US.items()}
            clock = {"started_s": 1e9 + index, "wall_s": 2.0, "cpu_s": 1.5}
            yield index, {"host": "lab", "kernel": "Linux 6", "pid": index % 2, **clock, **ticks}
        yield from ((index, {}) for index in range(len(values) - hung, len(values)))

    write_table(folder / RUNS, rows, provenance_of(vary, grid=grid, runs=planned or len(values)))
    write_table(folder / TIMING, timing, {"name": "made up"})
    return folder


TICKS_US = {"p50": 100.0, "p99": 200.0, "p99.9": 400.0, "max": 900.0}


def pushes(number: int, low: float = 4.0, high: float = 36.0) -> list[dict[str, Any]]:
    """Values of runs in which the impulse and direction of a push vary, spread evenly."""
    values = []
    for i in range(number):
        size = low + (high - low) * ((i * 0.618034) % 1.0)
        angle = 2.0 * math.pi * ((i * 0.754878) % 1.0)
        values.append(
            {
                PUSH: [size * math.cos(angle), size * math.sin(angle), 0.0],
                f"{PUSH}.magnitude": size,
                f"{PUSH}.angle_rad": angle,
            }
        )
    return values


POLAR = {"polar": {"magnitude": [4, 36], "angle_rad": [0, 6.2832]}}


SEARCH = """\
tune:
  gains:
    hand.kp_per_s2:
    hand.kd_per_s: [5, 400]
  cost: tracking.hand_rms_m.hand
  failed_cost: 1.0
  roll_outs: 60
  fresh_runs: 6
"""


def write_search(folder: Path, *changes: tuple[str, str]) -> Path:
    """Writes the study with a search for the gains of its hand; returns its file."""
    return write_study(folder, ("outcome: not fell\n", "outcome: not fell\n" + SEARCH), *changes)
