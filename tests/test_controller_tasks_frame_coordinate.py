"""The position of a frame along one direction."""

import numpy as np
import pinocchio as pin
import pytest
from bodies import robot, whole_body
from task_checks import check_compiled_rows_equal_the_twin

from kilohertz.controller.whole_body.whole_body import Task

CASES = (("g1", "torso_link"), ("talos", "gripper_left_base_link"), ("panda", "panda_link7"))


@pytest.mark.parametrize(("name", "frame"), CASES)
def test_the_compiled_row_equals_the_twin(name, frame):
    check_compiled_rows_equal_the_twin(robot(name), Task("height", "frame_coordinate", 1.0, (), frame))


@pytest.mark.parametrize(("name", "frame"), CASES)
def test_the_row_is_how_the_velocity_along_the_direction_changes(name, frame):
    model, rng, h = robot(name), np.random.default_rng(0), 1e-5
    body = whole_body(model, [Task("height", "frame_coordinate", 1.0, (), frame)])
    q = pin.integrate(model.pin_model, np.array(model.q_nominal), 0.2 * rng.normal(size=model.nv))
    v, vdot, direction = rng.normal(size=model.nv), rng.normal(size=model.nv), rng.normal(size=3)
    body.update(q, v)
    body.reference("height")[:] = 0.0
    body.reference("height")[:3] = direction
    body.assemble()
    body.solve()
    T, minus_drift = body.arrays.rows.T[0], body.arrays.rows.b[0]

    def velocity(s):
        data = model.pin_model.createData()
        at = pin.integrate(model.pin_model, q, s * v + 0.5 * s * s * vdot)
        pin.forwardKinematics(model.pin_model, data, at, v + s * vdot)
        f = model.pin_model.getFrameId(frame)
        return direction @ pin.getFrameVelocity(model.pin_model, data, f, pin.LOCAL_WORLD_ALIGNED).linear

    change = (velocity(h) - velocity(-h)) / (2 * h)
    assert T[: model.nv] @ vdot - minus_drift == pytest.approx(change, rel=1e-5, abs=2e-5)
