from __future__ import annotations

import numpy as np
import pydantic
import pytest
from bodies import robot
from control_runs import new_brain
from pydantic import BaseModel
from sim_runs import simulate

from kilohertz.controller.gains.live import (
    GainsRow,
    changes,
    live_bounds,
    live_numbers,
    live_paths,
    objections,
    with_numbers,
)
from kilohertz.controller.gains.schema import Gains, load_gains

NAMES = [".".join(path) for path in live_paths()]


def changed(**values):
    """Gains with other values, by their path with `__` for the dot."""
    data = Gains().model_dump()
    for path, value in values.items():
        *sections, key = path.split("__")
        section = data
        for name in sections:
            section = section[name]
        section[key] = value
    return Gains.model_validate(data)


def test_numbers_carry_all_that_may_change_and_nothing_else():
    other = changed(com__weight=60.0, walk__swing__kd_per_s=50.0, fall__tilt_deg=30.0)
    carried = with_numbers(Gains(), live_numbers(other))
    assert (carried.com.weight, carried.walk.swing.kd_per_s) == (60.0, 50.0)
    assert carried.fall == Gains().fall
    assert with_numbers(other, live_numbers(Gains())) == changed(fall__tilt_deg=30.0)


@pytest.mark.parametrize("i", range(len(NAMES)), ids=NAMES)
def test_the_bounds_of_a_number_are_those_of_the_file(i):
    key = NAMES[i].replace(".", "__")
    for bound, out in zip([bounds[i] for bounds in live_bounds()], [-np.inf, np.inf], strict=True):
        assert np.isfinite(bound)
        changed(**{key: float(bound)})
        with pytest.raises(pydantic.ValidationError):
            changed(**{key: float(np.nextafter(bound, out))})


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0, 1e9])
def test_a_row_with_a_number_out_of_its_bounds_is_not_sound(bad):
    row = GainsRow(Gains())
    assert row.sound()
    row.numbers[3] = bad
    assert not row.sound()


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"solver": "exact"}, "restart"),
        ({"walk__step_s": 0.5}, "restart"),
        ({"estimator__slip_gate": 20.0}, "restart"),
        ({"guard__torque_rate_per_s": 50.0}, "restart"),
        ({"com__weight": 500.0}, "at most"),
        ({"hand__kd_per_s": 4.0}, "at most"),
        ({"base__weight": 0.0}, "leaves the task out"),
    ],
)
def test_a_gain_that_cannot_change_while_running_is_refused_with_its_key(values, sentence):
    ((path, told),) = objections(Gains(), changed(**values))
    assert "__".join(path) == next(iter(values))
    assert sentence in told


def test_numbers_may_change_by_a_few_times_and_integrals_may_be_switched_off():
    assert not list(
        objections(Gains(), changed(com__weight=150.0, hand__kp_per_s2=120.0, base__ki_per_s3=0.0))
    )
    assert not list(objections(changed(base__ki_per_s3=0.0), Gains()))


def test_changes_are_listed_with_old_and_new_value():
    assert list(changes(Gains(), changed(com__weight=60.0))) == [(("com", "weight"), 50.0, 60.0)]
    assert not list(changes(Gains(), Gains()))


class _Numbers:
    """Every float and array that a brain's motion and whole-body controller work with, by path."""

    def __init__(self, brain):
        self.found, self._seen = {}, set()
        self._collect(brain.motion, "motion")
        self._collect(brain.body, "body")

    def _collect(self, value, path):
        if isinstance(value, float):
            self.found[path] = value
        if isinstance(value, (int, float, str, type(None), BaseModel)) or id(value) in self._seen:
            return
        self._seen.add(id(value))
        if isinstance(value, np.ndarray):
            if value.dtype != object:
                self.found[path] = value.copy()
        elif isinstance(value, (list, tuple)):
            for i, inner in enumerate(value):
                self._collect(inner, f"{path}[{i}]")
        elif type(value).__module__.startswith("kilohertz") and hasattr(value, "__dict__"):
            for name, inner in vars(value).items():
                self._collect(inner, f"{path}.{name}")

    def differ(self, other):
        return any(
            not np.array_equal(value, other.found[path], equal_nan=True)
            for path, value in self.found.items()
            if path in other.found
        )


def test_every_gain_that_counts_as_live_is_one_that_the_controller_takes():
    taken = set()
    for name in ("g1", "panda"):
        gains, brain = load_gains(robot(name)), new_brain(simulate(name))
        numbers = live_numbers(gains)
        brain._retune(gains)
        before = _Numbers(brain)
        for i, path in enumerate(live_paths()):
            changed = numbers.copy()
            changed[i] = 1.1 * changed[i] or 1.0
            brain._retune(with_numbers(gains, changed))
            if before.differ(_Numbers(brain)):
                taken.add(path)
            brain._retune(gains)
            assert not before.differ(_Numbers(brain)), path
    assert taken == set(live_paths())
