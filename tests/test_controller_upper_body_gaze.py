"""Standing or walking, the robot looks where it was asked to, and ahead again afterwards."""

import numpy as np
import pinocchio as pin
import pytest
from gaits import WalkingRun

from kilohertz.controller.upper_body.gaze_range import gaze_range

pytestmark = pytest.mark.closed_loop


class Eyes:
    """How far the true gaze is off a point [rad], and what the reference of the trunk does."""

    def __init__(self, run, point):
        self.run, self.point, self.data = run, point, run.robot.pin_model.createData()
        self.off, self.yaw = [], []
        description = run.robot.description
        self.link, self.trunk = (
            run.robot.pin_model.getBodyId(n) for n in (description.gaze.link, description.trunk)
        )
        self.p_TE = np.array(gaze_range(run.robot).p_TE)

    def __call__(self):
        pin.framesForwardKinematics(self.run.robot.pin_model, self.data, self.run.sim.truth.q)
        way = self.point - self.data.oMf[self.trunk].act(self.p_TE)
        ahead = self.data.oMf[self.link].rotation[:, 0]
        self.off.append(np.arccos(ahead @ way / np.linalg.norm(way)))
        ref = self.run.brain.body.reference("trunk")
        self.yaw.append((np.arctan2(ref[3], ref[0]), ref[11], ref[14]))


@pytest.mark.long
@pytest.mark.parametrize(("name", "speed"), [("g1", 0.0), ("g1", 0.4), ("talos", 0.2)])
def test_a_point_in_the_world_is_looked_at_on_the_way(name, speed):
    run, point = WalkingRun(name, seed=1), np.array([5.0, 2.0, 1.2])
    eyes = Eyes(run, point)
    run.run(0.3, run.request("stand"))
    kind, how = ("walk", {"velocity_m_s": (speed, 0.0)}) if speed else ("stand", {})
    request = run.request(kind, gaze={"p_WG_m": point.tolist()}, **how)
    run.run(2.0, request)
    run.run(1.5, request, eyes)
    assert run.stands
    assert np.degrees(np.max(eyes.off)) < 6.0


def test_the_reference_does_not_jump_and_ends_straight_ahead():
    run = WalkingRun("g1", seed=1)
    eyes = Eyes(run, np.array([5.0, 2.0, 1.2]))
    run.run(0.3, run.request("stand"))
    run.run(1.0, run.request("stand", gaze={"yaw_rad": 0.7, "pitch_rad": 0.1}), eyes)
    run.run(2.5, run.request("stand", gaze={"yaw_rad": 0.0}), eyes)
    yaw, rate, accel = np.array(eyes.yaw).T
    np.testing.assert_allclose(np.gradient(yaw, 1e-3)[2:-2], rate[2:-2], atol=0.05)
    assert np.abs(np.diff(rate)).max() < 0.04
    assert np.abs(accel).max() < 40.0
    assert yaw.max() > 0.3
    assert abs(yaw[-1]) < 0.02


def test_a_target_behind_the_robot_is_approached_up_to_the_joint_limit_and_reported():
    run = WalkingRun("g1", seed=1)
    run.run(0.2, run.request("stand"))
    run.run(2.5, run.request("stand", gaze={"p_WG_m": [-3.0, 1.0, 1.0]}))
    assert run.brain.output.remark == "the point to look at is further round than the gaze turns"
    waist = run.sim.truth.q[7 + run.robot.joint_names.index("waist_yaw_joint")]
    assert waist == pytest.approx(1.0, abs=0.03)
    run.run(2.5, run.request("walk", velocity_m_s=(0.0, 0.0)))
    assert abs(run.sim.truth.q[7 + run.robot.joint_names.index("waist_yaw_joint")]) < 0.1
