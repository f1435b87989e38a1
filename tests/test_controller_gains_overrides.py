"""Values given in Python replace some of a robot's own gains, and are checked like a file."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bodies import robot

from kilohertz.controller.gains.overrides import gains_with
from kilohertz.controller.gains.schema import load_gains
from kilohertz.robots.config.config_error import ConfigError


@pytest.mark.parametrize("name", ["g1", "panda"])
def test_no_values_leave_the_robots_own(name: str) -> None:
    assert gains_with(robot(name), {}) == load_gains(robot(name))


def test_only_the_keys_that_are_given_change() -> None:
    own = load_gains(robot("g1"))
    changed = gains_with(robot("g1"), {"com": {"weight": 77.0}, "stance": {"left_foot": {"share": 0.6}}})
    assert changed.com == own.com.model_copy(update={"weight": 77.0})
    assert changed.stance["left_foot"].share == 0.6
    assert changed.model_copy(update={"com": own.com, "stance": own.stance}) == own


def test_numpy_numbers_and_tuples_are_numbers_and_lists() -> None:
    cop_m = {"stance": {"left_foot": {"cop_m": (np.float64(0.01), 0.0)}}, "com": {"weight": np.float32(2.0)}}
    gains = gains_with(robot("g1"), cop_m)
    assert gains.stance["left_foot"].cop_m == (0.01, 0.0)
    assert gains.com.weight == 2.0


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"psture": {}}, r"^psture: is not a known key \(did you mean 'posture'\?\)$"),
        ({"com": {"weight": "much"}}, r"^com\.weight: should be a number, not 'much'$"),
        ({"com": 3.0}, r"^com: should be a map"),
        ({"stance": {"left_fot": {"share": 0.5}}}, r"^stance\.left_fot: .*did you mean 'left_foot'"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_key(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        gains_with(robot("g1"), values)
