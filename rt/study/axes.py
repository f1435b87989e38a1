"""What varied in the runs of a study, as axes of pictures and tables: numbers, categories and directions."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt

from kilohertz.robots.config.yaml_file import value_at
from kilohertz.rt.study.places import steps_of
from kilohertz.rt.study.study_file import SEED, variation
from kilohertz.rt.study.table import flat
from kilohertz.rt.study.variation import FULL_TURN, Listed, Polar, Range, Uniform

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

VARIED = "vary."
MOST_EXACT = 12
"""Largest number of different values that are cells by themselves; more are binned."""
MOST_SECTORS = 36
UNITS = {
    "_rad_s2": "rad/s²",
    "_rad_s": "rad/s",
    "_m_s2": "m/s²",
    "_m_s": "m/s",
    "_per_s": "1/s",
    "_per_m": "1/m",
    "_kgm2": "kg m²",
    "_Nms": "Nms",
    "_Ns": "Ns",
    "_Nm": "Nm",
    "_rad": "rad",
    "_deg": "deg",
    "_kg": "kg",
    "_ms": "ms",
    "_us": "µs",
    "_N": "N",
    "_m": "m",
    "_s": "s",
}
"""Units by the end of a key."""


@dataclass(frozen=True)
class Cells:
    """The runs of a study in groups along one axis.

    Attributes:
        names: name of each cell.
        of_run: (n,) cell of each run; -1 for a run without a value.
        centres: (cells,) position of each cell on the axis; 0, 1, ... for categories.
        edges: (cells + 1,) bounds of the cells; None where cells are single values.
    """

    names: tuple[str, ...]
    of_run: IntArray
    centres: FloatArray
    edges: FloatArray | None = None


@dataclass(frozen=True)
class Axis:
    """One quantity that varied.

    Attributes:
        path: path of the parameter in the study, and of its component if it is one.
        label: name with its unit, for an axis of a plot.
        values: (n,) value of each run, or number of its category; NaN for a run without a value.
        categories: names of the categories; () for a number.
        span: (lowest, highest) value that was asked for.
        exact: the different values, if they are few and repeat; () for a random number.
    """

    path: str
    label: str
    values: FloatArray
    categories: tuple[str, ...] = ()
    span: tuple[float, float] = (0.0, 0.0)
    exact: tuple[float, ...] = ()

    @property
    def numeric(self) -> bool:
        """Whether the axis is a number."""
        return not self.categories

    def cells(self, most: int) -> Cells:
        """Groups the runs: by value or category if these are few, else in bins of equal width.

        Args:
            most: largest number of bins, > 0.
        """
        known = np.isfinite(self.values)
        if self.categories:
            number = np.where(known, self.values, -1).astype(np.int64)
            return Cells(self.categories, number, np.arange(len(self.categories), dtype=float))
        if self.exact:
            exact = np.array(self.exact)
            nearest = np.abs(np.where(known, self.values, 0.0)[:, None] - exact[None, :]).argmin(axis=1)
            return Cells(tuple(f"{x:.4g}" for x in exact), np.where(known, nearest, -1), exact)
        edges = np.linspace(*self.span, max(1, most) + 1)
        bins = np.clip(np.searchsorted(edges, self.values, side="right") - 1, 0, len(edges) - 2)
        names = tuple(f"{a:.4g} to {b:.4g}" for a, b in itertools.pairwise(edges))
        return Cells(names, np.where(known, bins, -1), 0.5 * (edges[:-1] + edges[1:]), edges)


@dataclass(frozen=True)
class Vector:
    """A horizontal vector whose magnitude and direction varied.

    Attributes:
        path: path of the parameter.
        magnitude: its magnitude.
        angle_rad: (n,) angle of each run from the x axis, anticlockwise seen from above, 0 to 2 pi [rad].
        span_rad: (lowest, highest) angle that was asked for [rad].
        exact_rad: the different angles of a grid; () for random ones.
    """

    path: str
    magnitude: Axis
    angle_rad: FloatArray
    span_rad: tuple[float, float]
    exact_rad: tuple[float, ...] = ()

    @property
    def turns(self) -> bool:
        """Whether the directions go all the way round."""
        return self.span_rad[1] - self.span_rad[0] >= FULL_TURN - 1e-3

    def sectors(self, per_sector: int) -> Cells:
        """Groups the runs by direction, in degrees; the cells of a grid are its directions.

        Args:
            per_sector: number of runs that a sector should have; all round there are 4, 8, 12 or 16 sectors.
        """
        if self.exact_rad:
            exact = np.array(self.exact_rad)
            nearest = np.abs(np.exp(1j * self.angle_rad[:, None]) - np.exp(1j * exact)).argmin(axis=1)
            names = tuple(f"{math.degrees(x):.4g}°" for x in exact)
            return Cells(names, nearest, exact)
        fitting = len(self.angle_rad) // per_sector
        low, high = self.span_rad
        if self.turns:
            count = next((n for n in (16, 12, 8) if n <= fitting), 4)
            width = FULL_TURN / count
            low = -0.5 * width
        else:
            count = max(1, min(8, fitting))
            width = (high - low) / count
        number = np.floor(((self.angle_rad - low) % FULL_TURN) / width).astype(np.int64) if width else 0
        edges: FloatArray = low + width * np.arange(count + 1, dtype=np.float64)
        names = tuple(
            f"{math.degrees(a):.4g}° to {math.degrees(b):.4g}°" for a, b in itertools.pairwise(edges)
        )
        of_run = np.minimum(np.broadcast_to(number, self.angle_rad.shape), count - 1)
        return Cells(names, of_run, 0.5 * (edges[:-1] + edges[1:]), edges)


def axes_of(
    provenance: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]
) -> tuple[list[Axis], list[Vector]]:
    """Returns the axes of a study, in the order of its file; the random seed is none.

    Args:
        provenance: what the rows follow from (`kilohertz.rt.study.sweep.provenance`).
        rows: runs of the study.
    """
    study, scenario = provenance["study"], provenance["scenario"]
    axes: list[Axis] = []
    vectors = []
    for path in provenance["parameters"]:
        if path == SEED:
            continue
        found = variation(study["vary"][path], value_at(scenario, steps_of(path)), integer=False)
        if isinstance(found, Polar):
            vectors.append(_vector(path, found, rows, grid=study["grid"]))
        elif isinstance(found, Listed):
            axes.append(_listed(path, found, rows))
        elif isinstance(found, Range):
            axes.append(_number(path, rows, (found.start, found.stop - 1), repeats=True))
        elif isinstance(found, Uniform):
            repeats = study["grid"] and found.steps is not None
            axes.append(_number(path, rows, (found.low, found.high), repeats=repeats))
    return _named_apart(axes), vectors


def label_of(path: str) -> str:
    """Returns the name of a parameter with its unit, such as `push impulse [Ns]`."""
    names = [step for step in steps_of(path) if isinstance(step, str)]
    last = names.pop()
    unit = next((unit for end, unit in UNITS.items() if last.endswith(end)), "")
    if unit:
        last = re.sub(f"({'|'.join(UNITS)})$", "", last)
    component = re.search(r"\[(\d+)\]$", path)
    which = f" {'xyz'[int(component[1])]}" if component and int(component[1]) < 3 else ""
    text = " ".join([*names[-1:], last]).replace("_", " ") + which
    return f"{text} [{unit}]" if unit else text


def _column(rows: Sequence[Mapping[str, Any]], name: str) -> FloatArray:
    values = (row.get(f"{VARIED}{name}") for row in rows)
    return np.array([math.nan if value is None else float(value) for value in values])


def _number(
    path: str, rows: Sequence[Mapping[str, Any]], span: tuple[float, float], *, repeats: bool
) -> Axis:
    values = _column(rows, path)
    different = np.unique(values[np.isfinite(values)]) if repeats else ()
    exact = tuple(float(x) for x in different) if len(different) <= MOST_EXACT else ()
    return Axis(path, label_of(path), values, (), (float(span[0]), float(span[1])), exact)


def _vector(path: str, found: Polar, rows: Sequence[Mapping[str, Any]], *, grid: bool) -> Vector:
    of_grid = grid and found.steps is not None
    magnitude = _number(f"{path}.magnitude", rows, found.magnitude, repeats=of_grid)
    named = Axis(magnitude.path, label_of(path), magnitude.values, (), magnitude.span, magnitude.exact)
    angle_rad = _column(rows, f"{path}.angle_rad") % FULL_TURN
    exact: tuple[float, ...] = ()
    if of_grid:
        exact = tuple(sorted({round(x, 9) % FULL_TURN for x in angle_rad.tolist()}))
    return Vector(path, named, angle_rad, found.angle_rad, exact if len(exact) <= MOST_SECTORS else ())


def _listed(path: str, found: Listed, rows: Sequence[Mapping[str, Any]]) -> Axis:
    """Returns the axis of listed values: a number if they are, or if one component alone differs."""
    values = list(dict.fromkeys(json.dumps(value) for value in found.values))
    parsed = [json.loads(value) for value in values]
    if all(_is_number(value) for value in parsed):
        span = (min(parsed), max(parsed))
        return _number(path, rows, span, repeats=True)
    if all(isinstance(value, list) and all(map(_is_number, value)) for value in parsed):
        component = _only_difference(parsed)
        if component is not None:
            numbers = [value[component] for value in parsed]
            return _number(f"{path}[{component}]", rows, (min(numbers), max(numbers)), repeats=True)
    flats = [dict(flat({path: value}, VARIED)) for value in parsed]
    keys = sorted({key for each in flats for key in each})
    number = {_same(each, keys): i for i, each in reversed(list(enumerate(flats)))}
    found_in = [number.get(_same(row, keys), math.nan) for row in rows]
    names = tuple(_short(value) for value in _differing(parsed))
    return Axis(path, label_of(path), np.array(found_in, dtype=float), names)


def _same(values: Mapping[str, Any], keys: Sequence[str]) -> tuple[str, ...]:
    """Returns some values in a form in which numbers are equal whatever their type is in the file."""
    texts = []
    for key in keys:
        value = values.get(key)
        number = float(value) if _is_number(value) else value
        texts.append(number if isinstance(number, str) else json.dumps(number))
    return tuple(texts)


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _only_difference(lists: Sequence[Sequence[float]]) -> int | None:
    if len({len(each) for each in lists}) != 1:
        return None
    different = [i for i, column in enumerate(zip(*lists, strict=True)) if len(set(column)) > 1]
    return different[0] if len(different) == 1 else None


def _differing(values: Sequence[Any]) -> list[Any]:
    """Returns values of which maps are without the entries that are the same in all of them."""
    if len(values) < 2 or not all(isinstance(value, Mapping) for value in values):
        return list(values)
    first = values[0]
    common = {key for key in first if all(key in value and value[key] == first[key] for value in values)}
    return [{key: entry for key, entry in value.items() if key not in common} for value in values]


def _short(value: Any) -> str:
    """Returns a value as the name of a category, such as `slope, pitch_deg 5`."""
    if isinstance(value, Mapping):
        # Words, such as the kind of the ground, come first: a file of runs does not keep the order.
        entries = sorted(value.items(), key=lambda item: not isinstance(item[1], str))
        words = (
            _short(entry) if isinstance(entry, str) else f"{key} {_short(entry)}" for key, entry in entries
        )
        return ", ".join(words)
    if isinstance(value, list):
        return f"[{', '.join(map(_short, value))}]"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _named_apart(axes: Sequence[Axis]) -> list[Axis]:
    """Returns axes of which those with the same label have their path as label."""
    labels = [axis.label for axis in axes]
    return [
        axis
        if labels.count(axis.label) == 1
        else Axis(axis.path, axis.path, axis.values, axis.categories, axis.span, axis.exact)
        for axis in axes
    ]
