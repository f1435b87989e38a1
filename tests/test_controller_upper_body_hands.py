"""Hands keep their jobs while the robot walks: level, in place, with no jump as jobs begin and end."""

import numpy as np
import pinocchio as pin
import pytest
from gaits import WalkingRun

pytestmark = pytest.mark.closed_loop

SIDES = (("left_hand", 0.15), ("right_hand", -0.15))
TRAY = {name: {"p_BH_m": [0.3, y, 0.1], "rpy_BH_rad": [0.0, 0.0, 0.0]} for name, y in SIDES}


class Watch:
    """What the true hands do, seen from the true base along its heading, and what the arms are told."""

    def __init__(self, run):
        self.run, self.data = run, run.robot.pin_model.createData()
        self.places, self.up, self.tau, self.q = [], [], [], []
        self.arms = [
            j for j, name in enumerate(run.robot.joint_names) if "shoulder" in name or "wrist" in name
        ]

    def __call__(self):
        truth, model = self.run.sim.truth, self.run.robot
        pin.framesForwardKinematics(model.pin_model, self.data, truth.q)
        heading = pin.rpy.matrixToRpy(self.data.oMi[1].rotation)[2]
        turn = pin.rpy.rpyToMatrix(0.0, 0.0, heading).T
        poses = [self.data.oMf[hand.frame_id] for hand in model.hands]
        self.places.append([turn @ (pose.translation - truth.q[:3]) for pose in poses])
        self.up.append([pose.rotation[2, 2] for pose in poses])
        self.tau.append(self.run.brain.output.tau[self.arms].copy())
        self.q.append(truth.q[7:].copy())


@pytest.fixture(scope="module")
def carried():
    """Stands, walks with a tray, walks on without."""
    run = WalkingRun("g1", seed=3)
    watch = Watch(run)
    run.run(0.5, run.request("stand"))
    run.run(5.0, run.request("walk", velocity_m_s=(0.4, 0.0), hands=TRAY), watch)
    with_tray = run.sim.truth.q[0], run.brain.output.hand_active.copy()
    run.run(1.5, run.request("walk", velocity_m_s=(0.4, 0.0)), watch)
    return run, watch, with_tray


@pytest.mark.long
def test_a_tray_stays_level_and_in_front_of_a_robot_that_walks(carried):
    run, watch, (_, active) = carried
    assert run.stands
    assert active.all()
    walking = slice(3000, 5000)
    places, up = np.array(watch.places)[walking], np.array(watch.up)[walking]
    for hand, (_, y) in enumerate(SIDES):
        # The pelvis turns a little to and fro under the heading.
        off = places[:, hand] - [0.3, y, 0.1]
        assert np.sqrt(np.mean(off[:, 2] ** 2)) < 3e-3
        assert np.linalg.norm(off, axis=1).max() < 0.03
    assert np.degrees(np.arccos(up.min())) < 3.0


def test_an_arm_that_is_free_again_swings(carried):
    run, watch, _ = carried
    assert not run.brain.output.hand_active.any()
    assert np.ptp(np.array(watch.places)[-900:, 0, 0]) > 0.03


def test_no_torque_jumps_as_jobs_begin_and_end(carried):
    _, watch, _ = carried
    steps = np.abs(np.diff(np.array(watch.tau), axis=0))
    usual = np.percentile(steps, 99.9, axis=0)
    for switch in (0, 5000):
        assert (steps[switch : switch + 450].max(axis=0) < 3.0 * usual + 0.05).all()


def test_no_joint_leaves_its_range(carried):
    run, watch, _ = carried
    q = np.array(watch.q)
    assert (q >= run.robot.position_lower_rad - 0.01).all()
    assert (q <= run.robot.position_upper_rad + 0.01).all()


@pytest.mark.long
def test_a_place_in_the_world_is_held_in_passing_and_let_go_of():
    run = WalkingRun("g1", seed=1)
    run.run(0.3, run.request("stand"))
    walk = run.request("walk", velocity_m_s=(0.3, 0.0), hands={"right_hand": {"p_WH_m": [0.4, -0.3, 0.85]}})
    off = []

    def look():
        off.append(np.linalg.norm(run.sim.truth.p_WH[1] - [0.4, -0.3, 0.85]))

    run.run(6.0, walk, look)
    assert run.stands
    assert np.sort(off)[800] < 0.02
    assert (
        run.brain.output.remark == "right_hand lets go of its place in the world, which is out of its reach"
    )
    assert not run.brain.output.hand_active.any()
    assert run.sim.truth.q[0] == pytest.approx(0.3 * 5.0, abs=0.2)


def test_a_target_out_of_reach_does_not_pull_the_robot_and_is_reported():
    run = WalkingRun("g1", seed=1)
    run.run(0.3, run.request("stand"))
    far = {"right_hand": {"p_WH_m": [0.9, -0.2, 0.85]}}
    run.run(6.0, run.request("walk", velocity_m_s=(0.0, 0.0), hands=far))
    assert run.stands
    assert run.brain.output.remark == "right_hand does not get to its place in the world, and points there"
    assert np.abs(run.sim.truth.q[:2]).max() < 0.1


@pytest.mark.long
def test_a_reach_for_a_place_far_away_leaves_the_robot_on_its_soles_and_is_reported():
    run, steps = WalkingRun("g1", seed=3), []
    run.run(0.5, run.request("stand"))
    reach = run.request("reach", hand="right_hand", p_WH_m=[0.7, 0.6, 0.9])
    run.run(6.5, reach, lambda: steps.append(not run.walking.done))
    assert run.stands
    assert not any(steps)
    assert np.abs(run.sim.truth.q[:2]).max() < 0.12
    assert run.brain.output.remark == "right_hand does not get to its place in the world, and points there"


def test_a_standing_robot_keeps_holding_its_load():
    run = WalkingRun("g1", seed=2)
    run.run(2.5, run.request("stand", hands=TRAY))
    before = run.brain.output.p_WH_des.copy()
    run.run(1.0, run.request("squat", depth_m=0.06, period_s=2.0))
    assert run.brain.output.hand_active.all()
    # A squat is at its lowest after half of its period; the base goes down with the centre of mass, and more.
    down = before - run.brain.output.p_WH_des
    np.testing.assert_allclose(down[:, :2], 0.0, atol=0.03)
    assert (down[:, 2] > 0.05).all()


@pytest.mark.long
def test_the_arms_swing_saves_the_stance_foot_its_yaw_moment():
    """Against arms that are held still, by a heavy posture."""
    rms = []
    for weight in (None, 20.0):
        run = WalkingRun("g1", seed=0)
        if weight:
            run.walking._priorities._walking_posture[-14:] = weight
        walk, moments = run.request("walk", velocity_m_s=(0.4, 0.0)), []
        run.run(2.0, walk)
        run.run(1.5, walk, lambda m=moments, r=run: m.append(r.brain.output.w_F[:, -1].sum()))
        rms.append(np.sqrt(np.mean(np.square(moments))))
    assert rms[0] < 0.7 * rms[1]


def test_after_a_push_a_carried_object_yields_and_returns():
    run = WalkingRun("g1", seed=0)
    run.run(1.0, run.request("stand", hands=TRAY))
    hands, R, weight = run.brain.motion.hands, run.brain.motion.R_des, run.brain.body.weight("left_hand")
    full = weight.copy()
    assert full[0] == run.gains.hand.weight
    steps = []
    for upset in (1.0, 0.0):
        for _ in range(300):
            before = weight[0]
            hands.advance(1e-3, R, upset)
            steps.append(weight[0] / before)
        assert weight[0] == pytest.approx(full[0] if upset == 0.0 else full[0] / 200, rel=0.01)
    assert 0.85 < min(steps) < max(steps) < 1.15


@pytest.mark.long
def test_a_walk_that_is_pushed_needs_its_arms_for_a_few_steps():
    push = {"at_s": 3.0, "push": {"link": "torso_link", "impulse_Ns": [0, 8, 0], "duration_s": 0.1}}
    run, upset = WalkingRun("g1", seed=0, events=[push]), []
    walk = run.request("walk", velocity_m_s=(0.3, 0.0), hands=TRAY)
    run.run(6.0, walk, lambda: upset.append(run.brain.motion._upset))
    assert run.stands
    assert max(upset[:3000]) == 0.0
    assert max(upset[3000:3500]) == 1.0
    assert upset[-1] < 0.5
