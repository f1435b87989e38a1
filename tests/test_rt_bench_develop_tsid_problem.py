"""What is handed to TSID is the problem that is solved here."""

from __future__ import annotations

import json

import numpy as np
import pinocchio as pin
import pytest

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.bench.develop.subjects import Subject
from kilohertz.rt.bench.develop.tsid_problem import describe, references


@pytest.fixture(scope="module")
def biped():
    return Subject(RobotModel.load("g1"))


@pytest.fixture(scope="module")
def arm():
    return Subject(RobotModel.load("panda"))


def test_the_description_is_the_declared_problem(biped) -> None:
    robot, body = biped.robot, biped.bodies["exact"]
    problem = json.loads(json.dumps(describe(biped)))
    assert len(problem["q"]) == robot.nq
    assert len(problem["posture"]["weights"]) == robot.na
    assert problem["com"]["kp"] == body.gain("com")[:3].tolist()
    assert {task["name"] for task in problem["orientations"]} == {"base", "trunk"}
    assert problem["poses"] == []
    load = sum(contact["force"][2] for contact in problem["contacts"])
    assert load == pytest.approx(robot.mass_kg * 9.81)
    for contact in problem["contacts"]:
        # The pyramid inside the friction cone, as the controller's own wrench cone.
        assert contact["friction"] == pytest.approx(robot.contacts[0].friction / np.sqrt(2.0))


def test_a_sole_is_described_by_the_corners_of_its_cone(biped) -> None:
    """A unit force along any edge of the pyramid at any of them is on the boundary of the wrench cone."""
    problem = describe(biped)
    for contact, geometry in zip(problem["contacts"], biped.bodies["exact"].geometry, strict=True):
        for corner in contact["corners"]:
            for sx, sy in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
                force = np.array([sx * contact["friction"], sy * contact["friction"], 1.0])
                rows = geometry.rows @ np.r_[force, np.cross(corner, force)]
                assert rows.max() == pytest.approx(0.0, abs=1e-8)


def test_an_arm_is_described_by_its_hand(arm) -> None:
    problem = json.loads(json.dumps(describe(arm)))
    assert (problem["contacts"], problem["com"], problem["momentum"]) == ([], None, None)
    (pose,), (frame,) = problem["poses"], problem["frames"]
    assert pose["name"] == frame["name"] == "hand"
    assert frame["joint"] == "panda_joint7"
    body = arm.bodies["exact"]
    assert len(set(body.weight("hand"))) == 1, "TSID has one weight a task"
    assert pose["weight"] == body.weight("hand")[0]


def test_frames_are_where_the_controller_has_them(biped, arm) -> None:
    for subject in (biped, arm):
        model, body = subject.robot.pin_model, subject.bodies["exact"]
        data = model.createData()
        pin.forwardKinematics(model, data, subject.robot.q_nominal)
        body.update(subject.robot.q_nominal.copy(), np.zeros(subject.robot.nv))
        ids = [contact.frame_id for contact in subject.robot.contacts]
        ids += [hand.frame_id for hand in subject.robot.hands]
        for frame, frame_id in zip(describe(subject)["frames"], ids, strict=True):
            joint = data.oMi[model.getJointId(frame["joint"])]
            p = joint.act(np.array(frame["p"]))
            f = body.frame_index[model.frames[frame_id].name]
            np.testing.assert_allclose(p, body.arrays.kin.p[f], atol=1e-12)
            R = joint.rotation @ np.array(frame["R"])
            np.testing.assert_allclose(R, body.arrays.kin.R[f], atol=1e-12)


def test_references_are_those_of_the_exact_controller(biped, arm) -> None:
    q, v = biped.start("both feet")
    biped.refer("exact", q, v)
    sent = references(biped)
    assert len(sent) == 18
    np.testing.assert_array_equal(sent[:9], biped.bodies["exact"].reference("com"))
    np.testing.assert_allclose(sent[9:].reshape(3, 3), np.eye(3), atol=1e-6)
    q, v = arm.start("hand")
    arm.refer("exact", q, v)
    np.testing.assert_array_equal(references(arm), arm.bodies["exact"].reference("hand"))
