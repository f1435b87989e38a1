"""The places that the arrays of a tick's kinematics are read by are pinocchio's."""

import numpy as np
import pinocchio as pin
import pytest
from bodies import robot, whole_body

from kilohertz.robots.model.kin import ANGULAR, LINEAR, N_CONTACTS, NQ_BASE, NV_BASE, QW, QX, QY, QZ


def test_the_quaternion_is_where_pinocchio_has_it():
    placement = pin.SE3.Random()
    q = pin.SE3ToXYZQUAT(placement)
    turn = pin.Quaternion(placement.rotation)
    sign = np.sign(turn.w * q[QW])
    np.testing.assert_allclose(sign * q[[QX, QY, QZ, QW]], [turn.x, turn.y, turn.z, turn.w], atol=1e-12)


@pytest.mark.parametrize(("name", "sizes"), [("g1", (6, 7, 2)), ("panda", (0, 0, 0))])
def test_sizes_are_those_of_the_robot(name, sizes):
    size = whole_body(robot(name)).arrays.kin.size
    assert (size[NV_BASE], size[NQ_BASE], size[N_CONTACTS]) == sizes


def test_velocities_are_linear_then_angular():
    model = robot("g1")
    body, rng = whole_body(model), np.random.default_rng(0)
    q, v = np.array(model.q_nominal), rng.normal(size=model.nv)
    body.update(q, v)
    data = model.pin_model.createData()
    pin.forwardKinematics(model.pin_model, data, q, v)
    velocity = pin.getFrameVelocity(model.pin_model, data, model.contacts[0].frame_id, pin.LOCAL)
    # The axes of a contact may be turned against those of its frame.
    R = body.geometry[0].R_FC.T
    np.testing.assert_allclose(body.arrays.kin.vel[0, LINEAR:ANGULAR], R @ velocity.linear, atol=1e-9)
    np.testing.assert_allclose(body.arrays.kin.vel[0, ANGULAR:], R @ velocity.angular, atol=1e-9)
