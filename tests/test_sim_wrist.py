"""Simulated force-torque sensors: what they measure, their errors, and their faults."""

from __future__ import annotations

import numpy as np
import pinocchio as pin
import pytest
from sim_runs import holding_command, scenario
from wrist_robots import WRIST, arm

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.sim.scenario import hand_body, load_scenario_located
from kilohertz.sim.simulated_robot import SimulatedRobot

G = np.array([0.0, 0.0, -9.81])
TURNED = "{link: panda_link8, p_LS_m: [0.01, 0, 0.02], rpy_LS_rad: [0.1, 0.2, 0.5]}"


def simulated(folder, wrist=WRIST, seed=1, name="panda", **fields):
    robot = RobotModel.load(arm(folder, name, wrist=wrist))
    return SimulatedRobot(robot, scenario(**fields), seed)


def values(sim):
    row = sim.robot.new_sensor_row()
    sim.read(row)
    return row.wrist.copy()


def hold(sim, ticks):
    """Holds the start posture stiffly; returns what the sensor told in each tick."""
    command, told = holding_command(sim), []
    command.kp[:] = 30.0 * sim.robot.torque_limit_Nm
    command.kd[:] = 0.05 * command.kp
    for _ in range(ticks):
        command.seq[0] += 1
        sim.write(command)
        told.append(values(sim))
    return np.array(told)


def expected(sim, force_W=(0.0, 0.0, 0.0)):
    """Wrench that a tool at rest exerts on the sensor, with a force on the point of the hand."""
    wrist, R_WH = sim.robot.wrists[0], sim.truth.R_WH[0]
    weight = R_WH.T @ (wrist.mass_kg * G)
    force = R_WH.T @ np.array(force_W)
    on_hand = pin.Force(weight + force, np.cross(wrist.p_HC, weight))
    return wrist.X_HS.actInv(on_hand).vector


@pytest.mark.parametrize("wrist", ["{}", TURNED], ids=["before the tool", "on the flange"])
def test_at_rest_the_sensor_measures_the_weight_of_what_it_carries(tmp_path, wrist):
    sim = simulated(tmp_path, wrist)
    np.testing.assert_allclose(values(sim), expected(sim), atol=1e-6)
    np.testing.assert_allclose(
        sim.truth.R_WH[0] @ sim.robot.wrists[0].X_HS.rotation @ values(sim)[:3],
        sim.robot.wrists[0].mass_kg * G,
        atol=1e-6,
    )


def test_a_person_and_a_payload_on_the_hand_are_measured_too(tmp_path):
    push = {"at_s": 0.0, "hand_push": {"hand": "hand", "force_N": [3, -2, 4], "rise_s": 0, "hold_s": 9}}
    load = {"at_s": 0.0, "payload": {"link": "hand", "mass_kg": 0.5}}
    sim = simulated(tmp_path, TURNED, events=[push, load])
    told = hold(sim, 800)[-1]
    assert hand_body(sim.robot.hands[0]) == "tool/hand"
    np.testing.assert_allclose(told, expected(sim, np.array([3.0, -2.0, 4.0]) + 0.5 * G), atol=0.05)


def test_noise_and_bias_are_those_of_robot_yaml_and_are_drawn_by_the_seed(tmp_path):
    wrist = "{noise_N: 0.2, noise_Nm: 0.01, bias_N: 3, bias_Nm: 0.2}"
    noise = {"noise": {"encoder_rad": 1e-5}, "delay_ms": 0}
    told = hold(simulated(tmp_path, wrist, seed=5, sensors=noise), 600)
    exact = hold(simulated(tmp_path, wrist, seed=5), 600)
    error = told - exact
    np.testing.assert_allclose(error.std(axis=0), [0.2] * 3 + [0.01] * 3, rtol=0.15)
    offsets = np.array(
        [values(simulated(tmp_path, wrist, seed=s, sensors=noise)) - exact[0] for s in range(12)]
    )
    assert 1.5 < offsets[:, :3].std() < 4.5
    assert 0.1 < offsets[:, 3:].std() < 0.3
    np.testing.assert_array_equal(hold(simulated(tmp_path, wrist, seed=5, sensors=noise), 9), told[:9])


def test_a_slow_sensor_repeats_its_values(tmp_path):
    told = hold(simulated(tmp_path, "{rate_hz: 200}", sensors={"noise": "default", "delay_ms": 0}), 50)
    changes = np.flatnonzero((np.diff(told, axis=0) != 0).any(axis=1))
    np.testing.assert_array_equal(np.diff(changes), 5)


@pytest.mark.parametrize("kind", ["silent", "frozen"])
def test_a_fault_makes_the_sensor_silent_or_freezes_it(tmp_path, kind):
    fault = {"at_s": 0.02, "wrist_fault": {"hand": "hand", "kind": kind}}
    told = hold(simulated(tmp_path, events=[fault], sensors={"noise": "default", "delay_ms": 0}), 40)
    assert np.isfinite(told[:18]).all()
    if kind == "silent":
        assert np.isnan(told[20:]).all()
    else:
        assert (np.diff(told[20:], axis=0) == 0).all()


def test_a_fault_of_a_sensor_that_is_not_there_is_refused(tmp_path):
    robot = RobotModel.load(arm(tmp_path, "panda", wrist=""))
    content = {"name": "x", "duration_s": 1, "events": [{"at_s": 0, "wrist_fault": {"hand": "hand"}}]}
    with pytest.raises(ConfigError, match="'hand' is not a hand of panda with a `wrist` sensor"):
        load_scenario_located(content, robot)
