from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("viser")

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.view.drive_panel import STICK, request_of


@pytest.mark.parametrize(
    ("text", "request_"),
    [
        ("stand", ("stand", {})),
        ("stand: {}", ("stand", {})),
        ("stand:", ("stand", {})),
        ("walk: {velocity_m_s: [0.3, 0]}", ("walk", {"velocity_m_s": [0.3, 0]})),
    ],
)
def test_a_request_is_written_as_in_a_scenario(text, request_):
    assert request_of(text) == request_


@pytest.mark.parametrize(
    "text",
    ["", "a: {b: 1}\nc: {}", "[1, 2]", "walk: 3", "{", "a b", "- walk", "walk: [1]", "x" * 3000, "1: {}"],
)
def test_what_is_no_request_is_refused_with_an_example(text):
    with pytest.raises(ConfigError, match="such as `walk"):
        request_of(text)


@given(st.text(max_size=60))
def test_no_text_makes_it_fail_in_another_way(text):
    try:
        behaviour, parameters = request_of(text)
    except ConfigError:
        return
    assert isinstance(behaviour, str)
    assert isinstance(parameters, dict)


def test_the_stick_goes_each_way_and_back():
    total = [sum(direction[axis] for _, direction, _ in STICK) for axis in range(3)]
    assert total == [0.0, 0.0, 0.0]
    assert len({direction for _, direction, _ in STICK}) == len(STICK) == 6
