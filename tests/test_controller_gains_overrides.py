from __future__ import annotations

import pytest
from bodies import robot

from kilohertz.controller.gains.overrides import with_overrides
from kilohertz.controller.gains.schema import Gains
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
