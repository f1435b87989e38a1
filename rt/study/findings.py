"""What the runs of a study show: success rates by cell, thresholds by direction, how runs ended, timing."""

from __future__ import annotations

import itertools
import json
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.study.axes import VARIED, Axis, Cells, Vector, axes_of
from kilohertz.rt.study.roll_out import DONE
from kilohertz.rt.study.statistics import Rate, wilson
from kilohertz.rt.study.sweep import FAILURES
from kilohertz.rt.study.table import RUNS, TIMING, Rows
from kilohertz.rt.study.thresholds import Threshold, threshold

BoolArray = npt.NDArray[np.bool_]

LEVELS = (0.95, 0.5)
"""Success rates of which the threshold is estimated."""
RUNS_PER_BIN, RUNS_PER_MAP_CELL, RUNS_PER_SECTOR = 20, 10, 25
MOST_BINS, MOST_MAP_BINS = 10, 8
MOST_MAPS = 6
_READ = (
    "index",
    "status",
    "outcome",
    "problem",
    "seed",
    "fell",
    "fell_at_s",
    "exit_state",
    "events",
    "duration_s",
)


@dataclass(frozen=True)
class CellTable:
    """Success rates of all combinations of cells that hold runs.

    Attributes:
        labels: label of each axis.
        cells: cells along each axis.
        rates: success rate by the number of the cell along each axis.
        numeric: whether all axes are numbers.
    """

    labels: tuple[str, ...]
    cells: tuple[Cells, ...]
    rates: dict[tuple[int, ...], Rate]
    numeric: bool

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yields plain data: the name of the cell by label, successes, runs, rate and interval."""
        for place, rate in sorted(self.rates.items()):
            names = {
                label: cells.names[i] for label, cells, i in zip(self.labels, self.cells, place, strict=True)
            }
            yield {
                **names,
                "successes": rate.successes,
                "runs": rate.of,
                "rate": rate.rate,
                "low": rate.low,
                "high": rate.high,
            }


@dataclass(frozen=True)
class Directions:
    """Success by direction and magnitude of a vector.

    Attributes:
        vector: the vector.
        sectors: success rates by direction.
        rings: success rates by direction and magnitude.
        thresholds: of each sector, the magnitude at which the success rate falls through each of `LEVELS`;
            None for a sector without runs.
        all_round: the same for the runs of all directions together.
    """

    vector: Vector
    sectors: CellTable
    rings: CellTable
    thresholds: tuple[tuple[Threshold, ...] | None, ...]
    all_round: tuple[Threshold, ...]


@dataclass(frozen=True)
class Findings:
    """What the runs of a study show.

    Attributes:
        folder: folder of the study.
        provenance: what the runs follow from.
        rows, timing: the runs, and where and how fast each of them ran, by name of the column.
        success: (n,) whether each run was a success.
        rate: success rate of all runs.
        singles: success rates along each axis.
        maps: success rates over pairs of axes.
        left_out: number of further pairs.
        directions: success by direction of each vector.
        whole: success rates of all combinations of a grid with more than two axes; None otherwise.
    """

    folder: Path
    provenance: dict[str, Any]
    rows: list[dict[str, Any]]
    timing: list[dict[str, Any]]
    success: BoolArray
    rate: Rate
    singles: tuple[CellTable, ...]
    maps: tuple[CellTable, ...]
    left_out: int
    directions: tuple[Directions, ...]
    whole: CellTable | None


def findings_of(folder: Path) -> Findings:
    """Reads the folder of a study, also of one that was interrupted.

    Raises:
        ConfigError: the folder holds no study, or no run of it is done.
    """
    runs = Rows(folder / RUNS, lambda name: name in _READ or name.startswith(VARIED))
    if not runs.rows:
        raise ConfigError(f"{folder / RUNS} holds no run: `khz sweep` goes on with the study")
    timing = Rows(folder / TIMING).rows if (folder / TIMING).is_file() else []
    success = np.array([row.get("outcome") is True for row in runs.rows])
    axes, vectors = axes_of(runs.provenance, runs.rows)
    numbers = [*axes, *(vector.magnitude for vector in vectors)]
    few = max(2, min(MOST_MAP_BINS, int((len(success) / RUNS_PER_MAP_CELL) ** 0.5)))
    pairs = list(itertools.combinations(numbers, 2))
    grid = bool(runs.provenance["study"]["grid"])
    whole = None
    if grid and len(numbers) + len(vectors) > 2:
        sectors = [(f"{each.magnitude.label}: direction", each.sectors(1)) for each in vectors]
        whole = _table(success, [*((each.label, each.cells(few)) for each in numbers), *sectors])
    return Findings(
        folder=folder,
        provenance=runs.provenance,
        rows=runs.rows,
        timing=timing,
        success=success,
        rate=wilson(int(success.sum()), len(success)),
        singles=tuple(_along(success, axis) for axis in numbers),
        maps=tuple(_map(success, pair, few) for pair in pairs[:MOST_MAPS]),
        left_out=max(0, len(pairs) - MOST_MAPS),
        directions=tuple(_directions(success, vector, few) for vector in vectors),
        whole=whole,
    )


def _table(success: BoolArray, axes: Sequence[tuple[str, Cells]], *, numeric: bool = True) -> CellTable:
    of: Counter[tuple[int, ...]] = Counter()
    won: Counter[tuple[int, ...]] = Counter()
    places = zip(*(cells.of_run.tolist() for _, cells in axes), strict=True)
    for place, good in zip(places, success.tolist(), strict=True):
        if min(place) >= 0:
            of[place] += 1
            won[place] += good
    rates = {place: wilson(won[place], count) for place, count in of.items()}
    return CellTable(tuple(label for label, _ in axes), tuple(cells for _, cells in axes), rates, numeric)


def _along(success: BoolArray, axis: Axis) -> CellTable:
    most = max(3, min(MOST_BINS, len(success) // RUNS_PER_BIN))
    return _table(success, [(axis.label, axis.cells(most))], numeric=axis.numeric)


def _map(success: BoolArray, pair: tuple[Axis, Axis], most: int) -> CellTable:
    return _table(
        success, [(axis.label, axis.cells(most)) for axis in pair], numeric=all(axis.numeric for axis in pair)
    )


def _directions(success: BoolArray, vector: Vector, most: int) -> Directions:
    sectors, size = vector.sectors(RUNS_PER_SECTOR), vector.magnitude.values
    label = f"{vector.magnitude.label}: direction"
    rings = vector.magnitude.cells(max(2, min(5, most)))
    tested = vector.magnitude.span

    def fitted(chosen: BoolArray) -> tuple[Threshold, ...] | None:
        if not chosen.any() or tested[0] >= tested[1]:
            return None
        return tuple(threshold(size[chosen], success[chosen], tested, level) for level in LEVELS)

    return Directions(
        vector=vector,
        sectors=_table(success, [(label, sectors)]),
        rings=_table(success, [(label, sectors), (vector.magnitude.label, rings)]),
        thresholds=tuple(fitted(sectors.of_run == i) for i in range(len(sectors.names))),
        all_round=fitted(np.ones(len(success), dtype=bool)) or (),
    )


def ending(row: Mapping[str, Any]) -> str:
    """Returns how a run without success ended, in words that runs of the same kind share."""
    if row["status"] != DONE:
        return str(row["status"])
    events = json.loads(row.get("events") or "[]")
    stops = [event["text"] for event in events if event["kind"] == "state" and ": " in event["text"]]
    fell = bool(row.get("fell"))
    if stops:
        reason = stops[-1].partition(": ")[2]
        return f"{'fell' if fell else 'stopped'}: {reason.removeprefix('a fall: ')}"
    return "fell" if fell else "the outcome was not reached"


def failures(found: Findings) -> Iterator[dict[str, Any]]:
    """Yields each run without success: its number, values, how it ended, and the command that repeats it.

    The command is that of the first line of the run's scenario in the folder; it names the scenario where it
    is now, seen from the working directory.
    """
    for row, good in zip(found.rows, found.success.tolist(), strict=True):
        if good:
            continue
        values = {name.removeprefix(VARIED): value for name, value in row.items() if name.startswith(VARIED)}
        components = tuple(f"{each.vector.path}[" for each in found.directions)
        yield {
            "run": row["index"],
            "ended": ending(row),
            "fell_at_s": row.get("fell_at_s"),
            "problem": row.get("problem"),
            "values": {
                name: value
                for name, value in values.items()
                if value is not None and not name.startswith(components)
            },
            "repeat": _repeat(found.folder / FAILURES / f"run-{row['index']:06d}.yaml"),
        }


def _repeat(scenario: Path) -> str | None:
    """Returns the command in a scenario file of a failure; None if the file is not there."""
    try:
        with scenario.open(encoding="utf-8") as file:
            words = shlex.split(file.readline().removeprefix("# "))
        words[words.index("--scenario") + 1] = str(scenario)
    except (OSError, ValueError, IndexError):
        return None
    return shlex.join(words)


def endings(each: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Returns how many runs ended in which way, the most frequent first."""
    counts = Counter(failure["ended"] for failure in each)
    return [{"ended": name, "runs": count} for name, count in counts.most_common()]


def ticks_by_host(timing: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Returns figures by computer: runs, medians over runs of each percentile, and the worst tick."""
    by_host: dict[str, list[Mapping[str, Any]]] = {}
    for row in timing:
        if row.get("tick_max_us") is not None:
            by_host.setdefault(f"{row['host']}, {row['kernel']}", []).append(row)
    found = []
    for host, rows in sorted(by_host.items()):
        worst = max(rows, key=lambda row: float(row["tick_max_us"]))
        found.append(
            {
                "host": host,
                "processes": len({row["pid"] for row in rows}),
                "runs": len(rows),
                **{
                    f"median {name} [µs]": float(np.median([row[f"tick_{name}_us"] for row in rows]))
                    for name in ("p50", "p99", "p99.9", "max")
                },
                "worst tick [µs]": worst["tick_max_us"],
                "in run": worst["index"],
            }
        )
    return found


def figures_of(found: Findings, failed: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Returns what the runs show in plain data, as `khz sweep report --json` writes it.

    Args:
        found: what the runs show.
        failed: the runs without success (`failures`).
    """
    tables = [*found.singles, *found.maps, *(each.sectors for each in found.directions)]
    if found.whole is not None:
        tables.append(found.whole)
    return {
        "study": found.provenance["name"],
        "robot": found.provenance["robot"],
        "outcome": found.provenance["study"]["outcome"],
        "runs": found.rate.of,
        "planned": found.provenance.get("runs"),
        "success_rate": asdict(found.rate),
        "tables": [{"axes": list(table.labels), "cells": list(table.rows())} for table in tables],
        "thresholds": [_thresholds(each) for each in found.directions],
        "endings": endings(failed),
        "failures": list(failed),
        "ticks": ticks_by_host(found.timing),
    }


def _thresholds(found: Directions) -> dict[str, Any]:
    """Returns the thresholds of a vector; a bound that is null lies outside of the tested range."""
    sectors = zip(found.sectors.cells[0].names, found.thresholds, strict=True)
    return {
        "parameter": found.vector.path,
        "tested": list(found.vector.magnitude.span),
        "all_directions": [asdict(level) for level in found.all_round],
        "directions": [
            {"direction": name, "levels": [asdict(level) for level in levels or ()]}
            for name, levels in sectors
        ],
    }
