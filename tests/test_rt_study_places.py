"""Paths into a scenario."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilohertz.robots.config.yaml_file import value_at
from kilohertz.rt.study.places import PlaceError, steps_of, with_value

DATA = {
    "events": [{"at_s": 1.0, "push": {"impulse_Ns": [1, 2, 3]}}],
    "ground": {"friction": 0.8},
    "plant": "exact",
}


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("seed", ("seed",)),
        ("events[0].push.impulse_Ns", ("events", 0, "push", "impulse_Ns")),
        ("events[0].push.impulse_Ns[2]", ("events", 0, "push", "impulse_Ns", 2)),
    ],
)
def test_a_path_is_split(path: str, steps: tuple[str | int, ...]) -> None:
    assert steps_of(path) == steps


@given(st.text(max_size=30))
def test_any_text_is_a_path_or_refused(text: str) -> None:
    try:
        first: object = steps_of(text)[0]
    except PlaceError as error:
        first = str(error)
    assert isinstance(first, str)


def test_a_value_is_replaced_in_a_copy() -> None:
    before = copy.deepcopy(DATA)
    changed = with_value(DATA, steps_of("events[0].push.impulse_Ns[1]"), 9)
    assert value_at(changed, steps_of("events[0].push.impulse_Ns")) == [1, 9, 3]
    assert before == DATA
    assert value_at(with_value(DATA, steps_of("sensors.delay_ms"), 3), ("sensors", "delay_ms")) == 3


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("events[1].at_s", "list with 1 entry"),
        ("ground[0]", "not a list"),
        ("plant.model_error", "write that section out"),
    ],
)
def test_a_path_that_leads_nowhere_is_refused(path: str, why: str) -> None:
    with pytest.raises(PlaceError, match=why):
        with_value(DATA, steps_of(path), 1.0)
    assert value_at(DATA, steps_of(path)) is None
