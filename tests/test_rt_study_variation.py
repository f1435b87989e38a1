"""Values that vary: the same for the same seed, each as often as the others, and within their bounds."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilohertz.rt.study.variation import Key, Listed, Polar, Range, Uniform

KEY = Key(3, "seed")


@given(start=st.integers(-50, 50), length=st.integers(1, 40), block=st.integers(0, 5))
def test_a_block_of_samples_takes_every_number_once(start: int, length: int, block: int) -> None:
    values = Range(start, start + length)
    runs = range(block * length, (block + 1) * length)
    assert sorted(values.sample(KEY, run) for run in runs) == list(range(start, start + length))


def test_samples_depend_on_seed_path_and_run_alone() -> None:
    values = Uniform(0.0, 1.0)
    drawn = [values.sample(KEY, run) for run in range(50)]
    assert drawn == [values.sample(Key(3, "seed"), run) for run in range(50)]
    assert len(set(drawn)) == 50
    assert drawn[0] != values.sample(Key(4, "seed"), 0)
    assert drawn[0] != values.sample(Key(3, "events[0].at_s"), 0)
    assert all(0.0 <= value < 1.0 for value in drawn)


@given(run=st.integers(0, 10**6))
def test_polar_samples_have_their_magnitude_and_angle(run: int) -> None:
    values = Polar((8.0, 20.0), (0.0, 6.2832), rest=(1.5,))
    magnitude, angle = values.polar_sample(KEY, run)
    x, y, z = values.sample(KEY, run)
    assert 8.0 <= magnitude <= 20.0
    assert math.hypot(x, y) == pytest.approx(magnitude)
    assert math.remainder(math.atan2(y, x) - angle, 2 * math.pi) == pytest.approx(0.0, abs=1e-9)
    assert z == 1.5


def test_a_grid_of_a_full_turn_does_not_repeat_its_beginning() -> None:
    values = Polar((5.0, 10.0), (0.0, 2 * math.pi), steps=(2, 4))
    found = [values.polar_cell(cell) for cell in range(values.cells)]
    assert [magnitude for magnitude, _ in found] == [5.0] * 4 + [10.0] * 4
    assert [angle for _, angle in found[:4]] == pytest.approx([0.0, math.pi / 2, math.pi, 1.5 * math.pi])


def test_cells_are_spaced_evenly_from_end_to_end() -> None:
    assert [Uniform(1.0, 2.0, 3).cell(i) for i in range(3)] == [1.0, 1.5, 2.0]
    assert Listed((3, "a")).extremes() == [3, "a"]
    assert Range(4, 5).extremes() == [4]
