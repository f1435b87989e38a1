"""Robots on their soles, in the simulator: they stand, sway, squat, reach, and take a push."""

import numpy as np
import pytest
from bodies import robot
from control_runs import run

from kilohertz.controller.gains.schema import Gains, load_gains
from kilohertz.controller.standing.standing import Standing, standing_tasks
from kilohertz.controller.whole_body.whole_body import BarrierSettings, ContactSettings, WholeBody
from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel

pytestmark = pytest.mark.closed_loop

TRUE_COM_M = 2e-3
"""Standing and moving, with the exact plant and the true state: what the centre of mass may be off."""


def check_every_tick(result):
    """What no tick may break, whatever is asked: no event of the ladder, cones and torque limits kept."""
    model = result.sim.robot
    assert not result.sim.fell
    assert set(result.state) == {"active"}
    assert (result.rung == 0).all()
    assert result.cone_N.max() <= 1e-3 * 9.81 * model.mass_kg
    assert result.dynamics_N.max() <= 1e-3 * 9.81 * model.mass_kg
    assert (np.abs(result.tau) <= model.torque_limit_Nm).all()
    mu = np.array([contact.friction for contact in model.contacts])
    force = result.wrench[:, :, :3]
    assert (np.linalg.norm(force[:, :, :2], axis=2) <= mu * force[:, :, 2] + 0.5).all()
    step = np.abs(np.diff(result.tau, axis=0)).max(axis=0)
    assert (step <= 0.1 * model.torque_limit_Nm + 1e-9).all()


@pytest.fixture(scope="module")
def standing_g1():
    return run("g1", 3.0)


def test_the_g1_stands(standing_g1):
    check_every_tick(standing_g1)
    assert standing_g1.com_error_m.max() < TRUE_COM_M
    assert np.abs(standing_g1.q[-1][:3] - standing_g1.q[0][:3]).max() < 0.01


def test_the_ground_carries_the_weight(standing_g1):
    weight_N = 9.81 * standing_g1.sim.truth.mass_kg
    assert standing_g1.normal_N[-500:].sum(axis=1).mean() == pytest.approx(weight_N, rel=1e-3)
    decided = standing_g1.wrench[-500:, :, 2].sum(axis=1).mean()
    assert decided == pytest.approx(weight_N, rel=5e-3)


def test_talos_stands():
    result = run("talos", 1.5)
    check_every_tick(result)
    assert result.com_error_m.max() < TRUE_COM_M


@pytest.mark.parametrize("impulse", [(0, 9, 0), (0, -9, 0), (9, 0, 0)])
def test_the_g1_takes_a_push_of_9_newton_seconds_and_comes_back(impulse):
    push = {"at_s": 0.3, "push": {"link": "torso_link", "impulse_Ns": list(impulse), "duration_s": 0.1}}
    result = run("g1", 2.5, events=[push])
    check_every_tick(result)
    assert result.com_error_m.max() > 0.02, "the push was felt"
    assert result.com_error_m[-1] < 0.01


def test_the_g1_sways_and_squats():
    sway, squat = {"amplitude_m": 0.03, "period_s": 2.0}, {"depth_m": 0.08, "period_s": 2.5}
    result = run("g1", 5.0, ((0.0, "sway", sway), (2.5, "squat", squat)))
    check_every_tick(result)
    assert result.com_error_m[500:].max() < 5e-3
    moved = np.ptp((result.com - result.soles)[:2500, 1])
    assert moved == pytest.approx(0.06, abs=5e-3)
    assert np.ptp((result.com - result.soles)[2500:, 2]) == pytest.approx(0.08, abs=8e-3)


def test_the_g1_reaches_while_it_stands():
    result = run("g1", 3.0, ((0.2, "reach", {"hand": "right_hand", "offset_m": [0.08, -0.05, 0.1]}),))
    check_every_tick(result)
    hand = robot("g1").hand_names.index("right_hand")
    from_soles = result.hand[-1, hand] - result.soles[-1]
    wanted = result.hand[0, hand] - result.soles[0] + [0.08, -0.05, 0.1]
    np.testing.assert_allclose(from_soles, wanted, atol=0.01)


def test_with_noise_delay_friction_and_the_real_estimator_it_stands_too():
    sensors = {"noise": "default", "delay_ms": 2.0}
    result = run("g1", 3.0, estimator="default", sensors=sensors, plant="default", seed=1)
    assert not result.sim.fell
    assert set(result.state) == {"active"}
    assert result.com_error_m[1000:].max() < 0.02
    assert (np.abs(result.tau) <= robot("g1").torque_limit_Nm).all()


@pytest.fixture
def still_g1():
    """Standing, over a whole-body controller at the nominal posture."""
    model, gains = robot("g1"), load_gains(robot("g1"))
    tasks = standing_tasks(model, gains)
    body = WholeBody(model, tasks, ContactSettings(20, 5, 1000), BarrierSettings())
    standing = Standing(model, gains, body)
    body.update(np.array(model.q_nominal), np.zeros(model.nv))
    standing.start()
    return body, standing


def test_at_its_nominal_posture_it_asks_for_rest(still_g1):
    body, standing = still_g1
    for _ in range(10):
        standing.advance(1e-3)
        body.assemble()
        assert body.solve()
        np.testing.assert_allclose(standing.p_WC_des, body.arrays.kin.p_WC, atol=2e-3)
        np.testing.assert_allclose(standing.v_WC_des, 0.0, atol=0.02)
    np.testing.assert_allclose(body.solution.vdot, 0.0, atol=0.5)


def test_the_heading_is_that_of_the_soles(still_g1):
    body, standing = still_g1
    q = np.array(robot("g1").q_nominal)
    q[3:7] = 0, 0, np.sin(0.35), np.cos(0.35)
    body.update(q, np.zeros(35))
    standing.advance(1e-3)
    np.testing.assert_allclose(standing.R_des[:2, 0], [np.cos(0.7), np.sin(0.7)], atol=1e-3)


def test_the_integral_grows_to_its_bound_and_waits_while_the_robot_is_pushed(still_g1):
    """A lean that never ends, then a push: the acceleration asked for on top is the integral's."""
    body, standing = still_g1
    q = np.array(robot("g1").q_nominal)
    q[7 + robot("g1").joint_names.index("waist_pitch_joint")] += 0.1
    body.update(q, np.zeros(35))
    trace = []
    for _ in range(3000):
        standing.advance(0.1)
        trace.append(body.reference("com")[6:9].copy())
    np.testing.assert_array_equal(trace[-1], trace[-500])
    assert np.abs(trace[-1][0]) > 0.1
    assert np.abs(trace[-1]).max() < 9.81
    v = np.zeros(35)
    v[0] = -0.5
    body.update(np.array(robot("g1").q_nominal), v)
    standing.advance(0.01)
    np.testing.assert_array_equal(body.reference("com")[6:9], trace[-1])


def test_a_robot_that_can_neither_rest_nor_walk_is_refused(monkeypatch):
    monkeypatch.setattr("kilohertz.controller.standing.standing.walks", lambda model: False)
    model = robot("bolt")
    body = WholeBody(model, standing_tasks(model, Gains()), ContactSettings(20, 1, 100), BarrierSettings())
    with pytest.raises(ConfigError, match="'bolt' stands on points"):
        Standing(model, Gains(), body)


def test_a_joint_whose_nominal_place_is_its_stop_rests_just_off_it():
    """At the stop itself its barrier would be hit half of the time; Talos' grippers are such joints."""
    result = run("talos", 1.0)
    model, posture = robot("talos"), result.brain.body.reference("posture")[: robot("talos").na]
    assert (model.position_upper_rad == model.q_nominal[7:]).any()
    assert (model.position_upper_rad - posture >= 0.02).all()
    np.testing.assert_allclose(posture, model.q_nominal[7:], atol=0.021)
    assert not np.any(result.iterations[-200:] > result.iterations[-200:].min() + 10)


def test_a_sitting_robot_is_down_after_a_second_and_stays_down():
    result = run("g1", 1.6, ((0.0, "stand", {}), (0.3, "sit", {})))
    height = (result.com - result.soles)[:, 2]
    assert height[1300] == pytest.approx(0.7 * height[0], abs=0.01)
    assert height[-1] == pytest.approx(height[1400], abs=0.002)
    assert set(result.state) == {"active"}
    assert np.abs(result.tau[-1]).max() < 0.8 * robot("g1").torque_limit_Nm.max()


def test_the_planned_forces_of_point_feet_are_vertical_wherever_the_legs_are(tmp_path):
    """The axes of a point contact turn with the shank; a force along them would push the feet apart."""
    feet = ("FL", "FR", "RL", "RR")
    contacts = "".join(
        f"  {foot}: {{link: {foot}_foot, corners_m: [[0, 0, -0.022]], friction: 0.6}}\n" for foot in feet
    )
    joints = "".join(f"  {foot}_thigh_joint: 0.9\n  {foot}_calf_joint: -1.8\n" for foot in feet)
    (tmp_path / "robot.yaml").write_text(
        "robot: go2\nmodel: example-robot-data:go2_description/urdf/go2.urdf\nbase: floating\n"
        f"imu: {{link: imu}}\ncontacts:\n{contacts}posture_rad:\n{joints}"
    )
    model = RobotModel.load(tmp_path)
    body = WholeBody(model, standing_tasks(model, Gains()), ContactSettings(20, 1, 500), BarrierSettings())
    standing = Standing(model, Gains(), body)
    q = np.array(model.q_nominal)
    q[8::3] -= 0.3
    body.update(q, np.zeros(model.nv))
    standing.start()
    standing.advance(1e-3)
    for c, name in enumerate(model.contact_names):
        force_W = body.arrays.kin.R[c] @ body.reference(f"{name}.force")[:3]
        np.testing.assert_allclose(force_W, [0, 0, 9.81 * model.mass_kg / 4], rtol=1e-3, atol=1e-6)
        assert abs(body.arrays.kin.R[c][2, 2]) < 0.99
