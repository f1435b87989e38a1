"""A robot that is pushed off its soles as it stands steps, and stands again with what it was asked for."""

import math

import numpy as np
import pytest
from gaits import WalkingRun

from kilohertz.controller.gains.schema import Gains

pytestmark = pytest.mark.closed_loop

STILL_M_S = 0.03


def push(impulse_Ns, at_s=0.4, duration_s=0.1, link="trunk"):
    return {"at_s": at_s, "push": {"link": link, "impulse_Ns": [*impulse_Ns, 0.0], "duration_s": duration_s}}


def around(impulse_Ns, way_deg):
    way = math.radians(way_deg)
    return impulse_Ns * math.cos(way), impulse_Ns * math.sin(way)


class Feet:
    """Counts lifted feet, and says how far the soles are from where they were."""

    def __init__(self, run):
        self.run, self.start, self.lifted = run, run.sim.truth.p_WF[:, :2].copy(), 0

    def __call__(self):
        self.lifted += not self.run.brain.motion.planned.all()

    @property
    def moved_m(self):
        return np.linalg.norm(self.run.sim.truth.p_WF[:, :2] - self.start, axis=1)


def stands_still(run):
    return run.stands and run.walking.done and np.abs(run.sim.truth.v_WC).max() < STILL_M_S


@pytest.mark.long
@pytest.mark.parametrize(
    ("way_deg", "impulse_Ns", "seed"), [(0, 15, 1), (135, 18, 2), (180, 12, 3), (270, 18, 4)]
)
def test_a_push_that_soles_cannot_take_is_answered_by_steps(way_deg, impulse_Ns, seed):
    run = WalkingRun("g1", seed=seed, events=[push(around(impulse_Ns, way_deg))])
    feet = Feet(run)
    run.run(5.0, run.request("stand"), feet)
    assert stands_still(run)
    assert feet.lifted > 300
    assert feet.moved_m.min() > 0.05, "both feet have gone where the push took the robot"
    assert run.brain.output.remark.startswith("stands again after")
    # All of standing is as it was, and it stands as high.
    body, gains = run.brain.body, run.gains
    assert body.weight("base")[2] == gains.base.weight
    soles = run.sim.truth.p_WF[:, 2].mean()
    assert run.sim.truth.p_WC[2] - soles == pytest.approx(run.brain.motion.standing.height_m, abs=0.01)


@pytest.mark.parametrize(("way_deg", "impulse_Ns"), [(0, 9.0), (90, 14.0), (180, 7.5)])
def test_a_push_that_soles_can_take_lifts_no_foot(way_deg, impulse_Ns):
    run = WalkingRun("g1", seed=5, plant="default", events=[push(around(impulse_Ns, way_deg))])
    feet = Feet(run)
    run.run(2.5, run.request("stand"), feet)
    assert run.stands
    assert feet.lifted == 0
    assert run.brain.output.remark == ""


def test_without_steps_the_same_push_is_a_fall():
    run = WalkingRun("g1", seed=1, events=[push((15.0, 0.0))])
    run.brain = run.new_brain({"stand": {"steps": False}})
    run.run(2.0, run.request("stand"))
    assert run.brain.output.reason.startswith("a fall")


@pytest.mark.parametrize("way_deg", [0, 90, 180])
def test_a_push_that_no_step_answers_is_noticed_before_it_is_over(way_deg):
    run = WalkingRun("g1", seed=1, events=[push(around(60, way_deg), at_s=0.2)])
    feet = Feet(run)
    run.run(0.3, run.request("stand"), feet)
    assert run.brain.output.reason == "a fall: the capture point is out of reach"
    assert feet.lifted == 0, "it folds on both feet"


def test_a_blow_is_over_before_it_is_taken_for_a_push_that_goes_on():
    run = WalkingRun("g1", seed=1, events=[push((12.0, 0.0), duration_s=0.01)])
    run.run(5.0, run.request("stand"))
    assert stands_still(run)


def test_after_recovery_steps_the_sway_continues():
    run = WalkingRun("g1", seed=2, events=[push((14.0, 0.0), at_s=1.8)])
    sway = run.request("sway", amplitude_m=0.03, period_s=1.0)
    feet, offsets = Feet(run), []
    run.run(6.0, sway, feet)
    assert feet.lifted > 300
    assert run.walking.done

    def look():
        motion = run.brain.motion
        offsets.append((motion.R_des.T @ (motion.p_WC_des - motion.p_WS))[1])

    run.run(1.0, sway, look)
    assert np.ptp(offsets) == pytest.approx(0.06, abs=2e-3)


@pytest.mark.long
def test_after_recovery_steps_a_hand_is_at_its_target():
    run = WalkingRun("g1", seed=3, events=[push((-10.0, 0.0), at_s=1.8)])
    hand = run.robot.hand_names.index("right_hand")
    reach = run.request("reach", hand="right_hand", offset_m=[0.05, -0.05, 0.1])
    run.run(1.8, reach)
    wanted = run.brain.output.p_WH_des[hand].copy()
    run.run(0.4, reach)
    assert not run.walking.done
    run.run(6.0, reach)
    assert run.walking.done
    np.testing.assert_allclose(run.brain.output.p_WH_des[hand], wanted, atol=1e-6)
    assert run.brain.output.hand_active[hand]


@pytest.mark.long
def test_during_recovery_steps_requests_wait_but_a_walk_starts_at_once():
    events = [push((14.0, 0.0))]
    waits, walks = WalkingRun("g1", seed=2, events=events), WalkingRun("g1", seed=2, events=events)
    for run in (waits, walks):
        run.run(0.8, run.request("stand"))
        assert not run.walking.done
    squat = waits.request("squat", depth_m=0.05, period_s=1.0)
    heights = []
    waits.run(4.5, squat)
    waits.run(1.0, squat, lambda: heights.append(float(waits.brain.motion.p_WC_des[2])))
    assert waits.stands
    assert np.ptp(heights) == pytest.approx(0.05, abs=5e-3)
    x = walks.sim.truth.q[0]
    walks.run(2.5, walks.request("walk", velocity_m_s=(0.3, 0.0)))
    assert walks.stands
    assert walks.sim.truth.q[0] - x > 0.4


def test_a_robot_that_gets_ready_to_walk_steps_too():
    run = WalkingRun("g1", seed=3, events=[push((14.0, 0.0), at_s=0.5)])
    walk = run.request("walk", velocity_m_s=(0.2, 0.0))
    run.run(0.3, run.request("stand"))
    run.run(3.0, walk)
    assert run.stands
    assert not run.walking.done
    assert run.brain.output.remark.startswith("pushed off its soles, forward")


@pytest.mark.long
@pytest.mark.parametrize(("name", "impulse_Ns"), [("talos", 30.0), ("alexander", 13.0)])
def test_other_robots_step_on_the_same_numbers(name, impulse_Ns):
    run = WalkingRun(name, seed=1, events=[push((-impulse_Ns, 0.0))])
    feet = Feet(run)
    run.run(6.0, run.request("stand"), feet)
    assert stands_still(run)
    assert feet.lifted > 300


def test_margins_are_taken_from_the_gains():
    eager = WalkingRun("g1", seed=5, events=[push((7.0, 0.0))])
    eager.brain = eager.new_brain({"stand": {"step_margin": 0.06}})
    feet = Feet(eager)
    eager.run(1.0, eager.request("stand"), feet)
    assert feet.lifted > 0
    assert Gains().stand.step_margin < 0.06


def test_a_start_on_a_slope_lifts_no_foot():
    """Its first estimates are degrees off, and the capture point with them."""
    run = WalkingRun("g1", seed=0, ground={"kind": "slope", "pitch_deg": -6.0})
    feet = Feet(run)
    run.run(1.5, run.request("stand"), feet)
    assert stands_still(run)
    assert feet.lifted == 0
