"""A hand that wipes: its force on a tilted table, with friction, errors of the model and noise."""

import numpy as np
import pytest
from bodies import robot
from control_runs import run
from wrist_robots import arm

import kilohertz as khz
from kilohertz.robots.model.robot_model import RobotModel

pytestmark = pytest.mark.closed_loop


def test_a_tilted_table_is_pressed_on_with_the_force_that_was_asked_for():
    p = robot("panda").nominal_point(robot("panda").hands[0].frame_id)
    tilt = np.radians(5.0)
    middle = [p[0], p[1], p[2] - 0.18]
    table = {"kind": "box", "p_WO_m": middle, "rpy_WO_rad": [tilt, 0, 0], "size_m": [0.3, 0.4, 0.2]}
    result = run(
        "panda",
        6.0,
        (
            (0.0, "circle", {"radius_m": 0.04, "period_s": 1.0, "plane": "xy"}),
            (1.2, "reach", {"offset_m": [0, 0, -0.03]}),
            (2.0, "wipe", {"force_N": 10, "radius_m": 0.04, "period_s": 2}),
        ),
        estimator="default",
        seed=7,
        plant={"joint_friction_Nm": 0.5, "joint_damping_Nms": 0.5, "model_error": 0.05},
        sensors={"noise": {"encoder_rad": 1e-5, "velocity_rad_s": 2e-3}, "delay_ms": 1},
        obstacles={"table": {**table, "friction": 0.3}},
        tips={"hand": {"radius_m": 0.02}},
    )
    wiping = result.brain.motion._behaviour._wiping
    assert wiping.phase == 1
    assert wiping.force_N == pytest.approx(10.0, abs=2.0)
    normal = np.array([0.0, -np.sin(tilt), np.cos(tilt)])
    assert result.sim.truth.f_WH[0] @ normal == pytest.approx(10.0, abs=3.0)
    # The hand draws its circle on the table.
    assert np.ptp(result.hand[5000:, 0, 0]) > 0.04
    off = (result.hand - result.hand_des)[5000:, 0]
    assert np.abs(off - np.outer(off @ normal, normal)).max() < 0.01


@pytest.mark.long
def test_with_a_force_torque_sensor_the_force_is_held_within_six_tenths_of_a_newton(tmp_path):
    name = "panda"
    folder = str(arm(tmp_path, name))
    model = RobotModel.load(folder)
    p, tilt = model.nominal_point(model.hands[0].frame_id), np.radians(5.0)
    table = {"kind": "box", "p_WO_m": [p[0], p[1], p[2] - 0.18], "rpy_WO_rad": [tilt, 0, 0]}
    scenario = {
        "name": "wipe",
        "duration_s": 8.0,
        "plant": {"joint_friction_Nm": 0.5, "joint_damping_Nms": 0.5, "model_error": 0.05},
        "sensors": {"noise": {"encoder_rad": 1e-5, "velocity_rad_s": 2e-3}, "delay_ms": 1},
        "obstacles": {"table": {**table, "size_m": [0.3, 0.4, 0.2], "friction": 0.3}},
        "tips": {"hand": {"radius_m": 0.02}},
        "commands": [
            {"at_s": 0, "stand": {}},
            {"at_s": 0.3, "circle": {"radius_m": 0.04, "period_s": 1.0, "plane": "xy"}},
            {"at_s": 1.5, "reach": {"offset_m": [0, 0, -0.03]}},
            {"at_s": 2.3, "wipe": {"force_N": 10, "radius_m": 0.04, "period_s": 4}},
        ],
    }
    result = khz.simulate(folder, scenario=scenario, seed=7)
    normal = np.array([0.0, -np.sin(tilt), np.cos(tilt)])
    force_N = result.history["hand_force_W_true"].reshape(-1, 3)[5000:] @ normal
    assert np.sqrt(np.mean((force_N - 10.0) ** 2)) < 0.6
