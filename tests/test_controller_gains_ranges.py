"""Ranges of gains are those of the schema."""

from __future__ import annotations

import math

import pytest

from kilohertz.controller.gains.live import live_bounds, live_paths
from kilohertz.controller.gains.ranges import bounds_of, gain_ranges
from kilohertz.controller.gains.schema import Gains
from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.config.yaml_file import check_data


def section_of(key: str, value: float) -> dict:
    data: dict = {}
    inner = data
    *sections, name = key.split(".")
    for section in sections:
        inner = inner.setdefault(section, {})
    inner[name] = value
    return data


def test_every_live_gain_has_its_range() -> None:
    ranges = gain_ranges()
    for path, low, high in zip(live_paths(), *live_bounds(), strict=True):
        found = ranges[".".join(path)]
        assert (found.low, found.high) == (low, high)


@pytest.mark.parametrize(
    "key", ["com.weight", "walk.step_s", "base.weight", "estimator.arm.disturbance_per_s"]
)
def test_the_ends_of_a_range_are_allowed_and_what_is_beyond_is_refused(key: str) -> None:
    found = gain_ranges()[key]
    for end, beyond in ((found.low, -math.inf), (found.high, math.inf)):
        check_data(section_of(key, end), Gains)
        with pytest.raises(ConfigError):
            check_data(section_of(key, math.nextafter(end, beyond)), Gains)


def test_words_switches_and_named_sections_have_no_range() -> None:
    ranges = gain_ranges()
    assert not {"solver", "stand.steps", "collision.reaction", "stance", "inequalities"} & set(ranges)
    assert ranges["walk.step_s"].default is None
    assert ranges["com.weight"].default == Gains().com.weight
    assert bounds_of(Gains.model_fields["com"]) == (-math.inf, math.inf)
