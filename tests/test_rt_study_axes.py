"""Axes of a study: what its values are called and into which cells its runs fall."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from study_files import POLAR, PUSH, provenance_of, pushes

from kilohertz.rt.study.axes import Axis, axes_of, label_of
from kilohertz.rt.study.table import flat


def rows_of(values: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [dict(flat(value, "vary.")) for value in values]


def axis_of(path: str, entry: Any, values: list[Any], *, grid: bool = False) -> Axis:
    axes, vectors = axes_of(provenance_of({path: entry}, grid=grid), rows_of([{path: x} for x in values]))
    assert not vectors
    return axes[0]


@pytest.mark.parametrize(
    ("path", "label"),
    [
        (PUSH, "push impulse [Ns]"),
        ("ground.friction", "ground friction"),
        ("gains.walk.dcm_gain_per_s", "walk dcm gain [1/s]"),
        ("commands[1].walk.velocity_m_s[0]", "walk velocity x [m/s]"),
        ("events[0].at_s", "events at [s]"),
        ("duration_s", "duration [s]"),
    ],
)
def test_labels_have_units(path: str, label: str) -> None:
    assert label_of(path) == label


def test_listed_numbers_are_cells_by_themselves() -> None:
    axis = axis_of("ground.friction", [0.3, 0.8], [0.8, 0.3, 0.8])
    cells = axis.cells(5)
    assert axis.numeric
    assert cells.names == ("0.3", "0.8")
    assert cells.of_run.tolist() == [1, 0, 1]
    assert cells.edges is None


def test_random_numbers_are_binned_over_what_was_asked_for() -> None:
    cells = axis_of("ground.friction", {"uniform": [0.2, 1.0]}, [0.2, 0.61, 1.0]).cells(2)
    assert cells.names == ("0.2 to 0.6", "0.6 to 1")
    assert cells.of_run.tolist() == [0, 1, 1]


def test_a_vector_in_which_one_component_differs_is_a_number() -> None:
    path = "commands[0].walk.velocity_m_s"
    axis = axis_of(path, [[0.1, 0.0], [0.4, 0.0]], [[0.4, 0.0], [0.1, 0.0]])
    assert (axis.path, axis.label) == (f"{path}[0]", "walk velocity x [m/s]")
    assert axis.cells(3).of_run.tolist() == [1, 0]


def test_terrains_are_categories_named_by_what_differs() -> None:
    flat_ground, slope = {"kind": "flat", "friction": 0.8}, {"pitch_deg": 5, "kind": "slope", "friction": 0.8}
    axis = axis_of("ground", [flat_ground, slope], [slope, flat_ground, slope])
    assert axis.categories == ("flat", "slope, pitch_deg 5")
    assert axis.cells(9).of_run.tolist() == [1, 0, 1]


def test_words_and_nothing_are_categories() -> None:
    axis = axis_of("plant", ["exact", None, True], [True, None, "exact"])
    assert axis.categories == ("exact", "None", "True")
    assert axis.cells(9).of_run.tolist() == [2, 1, 0]


def test_parameters_with_the_same_label_have_their_path() -> None:
    vary = {"events[0].at_s": {"uniform": [1, 2]}, "events[1].at_s": {"uniform": [3, 4]}, "seed": [1, 2]}
    axes, _ = axes_of(
        provenance_of(vary), rows_of([{"events[0].at_s": 1.5, "events[1].at_s": 3.5, "seed": 1}])
    )
    assert [axis.label for axis in axes] == ["events[0].at_s", "events[1].at_s"]


def test_sectors_are_centred_on_the_axes_and_hold_every_run() -> None:
    values = pushes(400)
    _, [vector] = axes_of(provenance_of({PUSH: POLAR}), rows_of(values))
    cells = vector.sectors(25)
    assert len(cells.names) == 16
    assert cells.centres[0] == pytest.approx(0.0)
    # Each run is in the sector whose middle is nearest.
    turned = np.angle(np.exp(1j * (vector.angle_rad - cells.centres[cells.of_run])))
    assert np.abs(turned).max() <= math.pi / 16 + 1e-9
    assert len(vector.sectors(1000).names) == 4


def test_sectors_of_a_grid_are_its_directions() -> None:
    entry = POLAR | {"steps": [2, 8]}
    angles = [i * math.pi / 4 for i in range(8)]
    values = [
        {f"{PUSH}.magnitude": size, f"{PUSH}.angle_rad": angle, PUSH: [0.0, 0.0, 0.0]}
        for size in (4.0, 36.0)
        for angle in angles
    ]
    _, [vector] = axes_of(provenance_of({PUSH: entry}, grid=True), rows_of(values))
    assert vector.magnitude.cells(5).names == ("4", "36")
    assert vector.sectors(25).names[:3] == ("0°", "45°", "90°")
    assert vector.sectors(25).of_run.tolist() == [*range(8), *range(8)]


def test_part_of_a_turn_is_divided() -> None:
    entry = {"polar": {"magnitude": [4, 36], "angle_rad": [-0.5, 0.5]}}
    values = [
        {f"{PUSH}.magnitude": 5.0, f"{PUSH}.angle_rad": a, PUSH: [0.0] * 3} for a in (-0.5, -0.1, 0.1, 0.5)
    ]
    _, [vector] = axes_of(provenance_of({PUSH: entry}), rows_of(values))
    assert not vector.turns
    assert vector.sectors(2).of_run.tolist() == [0, 0, 1, 1]
