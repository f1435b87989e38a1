"""The grown problems are solved: their torques are those of an independent dense solution."""

from __future__ import annotations

import numpy as np
import pytest
import reference_qp

from kilohertz.controller.gains.schema import load_gains
from kilohertz.controller.whole_body.whole_body import BarrierSettings
from kilohertz.rt.bench.develop.grown_body import GrownBody, limits_in_force
from kilohertz.rt.bench.develop.grown_robot import grown_robot

pytestmark = pytest.mark.host

TICKS = 60


@pytest.fixture(scope="module", params=[12, 29, 100])
def grown(request, tmp_path_factory):
    robot = grown_robot(request.param, tmp_path_factory.mktemp("grown"))
    return GrownBody(robot, load_gains(robot), "exact")


@pytest.mark.long
def test_torques_equal_an_independent_solution_on_every_number_of_contacts(grown):
    limits = load_gains(grown.robot).limits
    barrier = BarrierSettings(
        limits.position_per_s2, limits.damping_per_s, limits.velocity_per_s, limits.largest_rad_s2
    )
    states = grown.motion(TICKS)
    for contacts in range(1, len(grown.robot.contacts) + 1):
        grown.close(contacts)
        closed = grown.robot.contact_names[:contacts]
        opened = {f"{name}.force" for name in grown.robot.contact_names[contacts:]}
        enabled = [name for name in grown.body.task_index if name not in opened]
        for tick in (0, TICKS - 1):
            q, v = states[tick]
            grown.sway(1e-3 * tick)
            assert grown.tick(q, v)
            reference = reference_qp.solve(grown.body, q, v, barrier, closed, enabled)
            np.testing.assert_allclose(grown.body.solution.tau, reference.tau, atol=1e-4)


def test_the_motion_sways_with_its_contacts_at_rest(grown):
    states = grown.motion(TICKS)
    body = grown.body
    body.update(*states[0])
    start, soles = body.arrays.kin.p_WC.copy(), body.arrays.kin.p[: len(grown.robot.contacts)].copy()
    body.update(*states[-1])
    # Half an amplitude of w^2 t^2, less what the feedback has not caught up with yet.
    assert body.arrays.kin.p_WC[1] - start[1] == pytest.approx(0.01 * (1 - np.cos(6.28 * 0.06)), rel=0.1)
    np.testing.assert_allclose(body.arrays.kin.p[: len(soles)], soles, atol=1e-6)


def test_the_references_of_the_loads_balance_the_weight(grown):
    body, robot = grown.body, grown.robot
    weight = robot.mass_kg * 9.81
    for contacts in range(1, len(robot.contacts) + 1):
        grown.close(contacts)
        kin, force, moment = body.arrays.kin, np.zeros(3), np.zeros(3)
        for c, name in enumerate(robot.contact_names[:contacts]):
            wrench = body.reference(f"{name}.force")
            world = kin.R[c] @ wrench[:3]
            force += world
            moment += kin.R[c] @ wrench[3:6] + np.cross(kin.p[c] - kin.p_WC, world)
        np.testing.assert_allclose(force, [0.0, 0.0, weight], atol=1e-6)
        np.testing.assert_allclose(moment, 0.0, atol=1e-6)


def test_limits_in_force_are_counted_once_each(grown):
    solution = grown.body.solution
    for array in solution:
        array[:] = 0.0
    assert limits_in_force(grown.body) == 0
    solution.y_cone[0, 3], solution.y_tau[2], solution.y_vdot[1] = -1.0, 2.0, 0.5
    assert limits_in_force(grown.body) == 3
