import numpy as np
import pinocchio as pin
import pytest
from bodies import robot

from kilohertz.controller.gains.schema import load_gains
from kilohertz.controller.supervision.arm import Arm, arm_tasks
from kilohertz.controller.whole_body.from_gains import whole_body
from kilohertz.estimators.hand_load_kernels import gravity_row, load_row, solve_symmetric


def moving_arm(name, seed=0):
    """An arm in a random state, with a random acceleration."""
    model, rng = robot(name), np.random.default_rng(seed)
    gains = load_gains(model)
    body = whole_body(model, gains, arm_tasks(model, gains), "exact")
    arm = Arm(model, gains, body)
    q, v = model.q_nominal + 0.2 * rng.standard_normal(model.nq), rng.standard_normal(model.nv)
    body.update(q, v)
    vdot = rng.standard_normal(model.nv)
    return model, body, arm, q, v, vdot


def test_a_symmetric_system_is_solved():
    rng = np.random.default_rng(1)
    A = rng.standard_normal((6, 6))
    A, b = A @ A.T + np.eye(6), rng.standard_normal(6)
    x = b.copy()
    solve_symmetric(A.copy(), x)
    np.testing.assert_allclose(A @ x, b, atol=1e-10)


@pytest.mark.parametrize("name", ["panda", "ur5"])
def test_the_rows_of_a_payload_are_the_change_of_inverse_dynamics(name):
    model, body, arm, q, v, vdot = moving_arm(name)
    # So close to the hand, second moments do not matter.
    mass_kg, centre_H = 2.0, 1e-2 * np.array([0.03, -0.02, 0.08])
    frame = model.pin_model.frames[model.hands[0].frame_id]
    loaded = model.pin_model.copy()
    point = pin.Inertia(mass_kg, frame.placement.act(centre_H), np.zeros((3, 3)))
    loaded.inertias[frame.parentJoint] += point
    more = pin.rnea(loaded, loaded.createData(), q, v, vdot)
    more = more - pin.rnea(model.pin_model, model.pin_model.createData(), q, v, vdot)
    wrench = arm.hand_load._wrench
    load = np.r_[mass_kg, mass_kg * centre_H]
    for j in range(model.na):
        load_row(body.arrays.kin, vdot, wrench, j)
        assert wrench.row @ load == pytest.approx(-more[j], abs=2e-5)


@pytest.mark.parametrize("name", ["panda", "ur5"])
def test_the_rows_of_the_links_are_the_change_of_the_gravity_torques(name):
    model, body, arm, q, _, _ = moving_arm(name, seed=2)
    changed, rng = model.pin_model.copy(), np.random.default_rng(3)
    moment = np.zeros((model.na, 3))
    for i in range(model.na):
        inertia = changed.inertias[i + 1]
        step = 0.01 * rng.standard_normal(3)
        moment[i] = inertia.mass * step
        changed.inertias[i + 1] = pin.Inertia(inertia.mass, inertia.lever + step, inertia.inertia)
    more = pin.computeGeneralizedGravity(changed, changed.createData(), q)
    more = more - pin.computeGeneralizedGravity(model.pin_model, model.pin_model.createData(), q)
    calibration = arm.hand_load._calibration
    for j in range(model.na):
        gravity_row(body.arrays.kin, calibration, j)
        found = calibration.row[: 3 * model.na] @ moment.ravel()
        assert found == pytest.approx(-more[j], abs=1e-9)
