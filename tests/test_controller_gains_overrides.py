from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bodies import robot

from kilohertz.controller.gains.overrides import gains_with, with_overrides
from kilohertz.controller.gains.schema import Gains, load_gains
from kilohertz.robots.config.config_error import ConfigError


def test_only_the_named_values_change_and_a_later_assignment_wins():
    gains = with_overrides(
        robot("g1"),
        Gains(),
        ["com.weight=1", "com.weight = 40", "walk.swing.kp_per_s2=500", "stand.steps=false", "solver=exact"],
    )
    expected = Gains().model_dump()
    expected["com"]["weight"], expected["walk"]["swing"]["kp_per_s2"] = 40.0, 500.0
    expected["stand"]["steps"], expected["solver"] = False, "exact"
    assert gains.model_dump() == expected


def test_a_section_that_does_not_exist_is_created():
    gains = with_overrides(
        robot("g1"), Gains(), ["stance.left_foot.share=0.7", "stance.right_foot.share=0.3"]
    )
    assert {name: stance.share for name, stance in gains.stance.items()} == {
        "left_foot": 0.7,
        "right_foot": 0.3,
    }
    assert with_overrides(robot("g1"), Gains(), ["stance.left_foot.cop_m=[0.02, 0.0]"]).stance[
        "left_foot"
    ].cop_m == (0.02, 0.0)


def test_without_assignments_the_gains_are_the_same_object():
    gains = Gains()
    assert with_overrides(robot("g1"), gains, []) is gains


@pytest.mark.parametrize(
    ("assignment", "told"),
    [
        ("com.wieght=40", "com.wieght: is not a known key (did you mean 'weight'?)"),
        ("cmo.weight=40", "did you mean 'com'"),
        ("com.weight=-1", "com.weight: "),
        ("com.weight=heavy", "com.weight: "),
        ("com.weight=.nan", "com.weight: "),
        ("com.weight", "KEY=VALUE"),
        ("=3", "KEY=VALUE"),
        ("com..weight=3", "KEY=VALUE"),
        ("com.weight=", "has no value"),
        ("com.weight=[1", "is not valid YAML"),
        ("com.weight.more=1", "com.weight is a value and has no keys"),
        ("solver=osqq", "solver: "),
        ("stance.left_fot.share=0.5", "did you mean 'left_foot'"),
    ],
)
def test_a_mistake_is_named_with_the_option_and_its_assignment(assignment, told):
    with pytest.raises(ConfigError) as caught:
        with_overrides(robot("g1"), Gains(), ["base.weight=3", assignment])
    (line,) = str(caught.value).splitlines()
    assert line.startswith("--set ")
    assert assignment in line
    assert told in line


@pytest.mark.parametrize("name", ["g1", "panda"])
def test_no_values_leave_the_robots_own(name: str) -> None:
    assert gains_with(robot(name), {}) == load_gains(robot(name))


def test_only_the_keys_given_in_python_change() -> None:
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
