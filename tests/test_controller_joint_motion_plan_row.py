"""A planned motion as numbers of a request: what is written is read again."""

from __future__ import annotations

import numpy as np

from kilohertz.controller.joint_motion.plan_row import (
    CURVE,
    FREE_SPEED,
    KIND,
    MOST_JOINTS,
    PLAN_FIELDS,
    SLOW,
    STRAIGHT,
    VIA,
    JointState,
    PlanRow,
)


def test_a_motion_through_points_is_read_as_it_was_written() -> None:
    plan, rng = PlanRow.empty(3), np.random.default_rng(0)
    q, v = rng.normal(size=(2, 4, 3))
    plan.write_via(q, v, slow=0.5, straight=True)
    assert (plan.head[KIND], plan.points, plan.head[SLOW], plan.head[STRAIGHT]) == (VIA, 4, 0.5, 1.0)
    np.testing.assert_array_equal(plan.q[:4], q)
    np.testing.assert_array_equal(plan.v[:4], v)


def test_a_motion_without_velocities_stops_at_each_point() -> None:
    plan = PlanRow.empty(2)
    plan.write_via(np.ones((3, 2)), np.ones((3, 2)))
    plan.write_via(np.ones((2, 2)))
    assert not plan.v[:2].any()


def test_a_curve_carries_the_limits_of_its_parameter() -> None:
    plan = PlanRow.empty(2)
    plan.write_curve(np.zeros((5, 2)), (1.0, 2.0, 3.0))
    assert (plan.head[KIND], plan.points) == (CURVE, 5)
    np.testing.assert_array_equal(plan.head[FREE_SPEED:], [1.0, 2.0, 3.0])


def test_the_row_is_a_view_of_the_request() -> None:
    payload = {name: np.zeros(length) for name, length in PLAN_FIELDS}
    state = JointState(*np.random.default_rng(1).normal(size=(3, MOST_JOINTS)))
    PlanRow.of(payload, MOST_JOINTS).write_start(state)
    again = PlanRow.of(payload, MOST_JOINTS).start_state()
    for written, read in zip((state.q, state.v, state.a), (again.q, again.v, again.a), strict=True):
        np.testing.assert_array_equal(written, read)
