"""Links of an arm: which touch each other or the ground."""

from __future__ import annotations

import numpy as np
import pytest
from bodies import ARMS, robot

from kilohertz.controller.joint_motion.body_geometry import body_geometry


@pytest.mark.parametrize("name", ARMS)
def test_nothing_touches_at_the_nominal_posture(name: str) -> None:
    geometry = body_geometry(robot(name))
    assert geometry.known
    assert geometry.free(robot(name).q_nominal)
    assert geometry.touching(robot(name).q_nominal) == ""


def test_a_hand_on_its_own_base_touches_it() -> None:
    panda = robot("panda")
    geometry, q = body_geometry(panda), panda.q_nominal.copy()
    q[:] = [0.0, 0.4, 0.0, -3.0, 0.0, 0.5, 0.8]
    assert not geometry.free(q)
    assert "panda_" in geometry.touching(q)


def test_an_arm_that_lies_down_touches_the_ground() -> None:
    ur5 = robot("ur5")
    geometry, q = body_geometry(ur5), ur5.q_nominal.copy()
    q[1], q[2] = 0.3, 0.0
    assert not geometry.free(q)
    assert geometry.touching(q).endswith("and the ground")


def test_the_answer_does_not_depend_on_the_question_before() -> None:
    ur5 = robot("ur5")
    geometry, rng = body_geometry(ur5), np.random.default_rng(0)
    postures = rng.uniform(-np.pi, np.pi, (20, ur5.na))
    first = [geometry.free(q) for q in postures]
    assert [geometry.free(q) for q in postures[::-1]] == first[::-1]
    assert [geometry.touching(q) == "" for q in postures] == first
    assert True in first
    assert False in first
