"""A base that is measured from outside: rate, delay, noise, and the effect of the poses on the estimate."""

from __future__ import annotations

import numpy as np
import pinocchio as pin
import pytest
from sim_runs import simulate

import kilohertz as khz
from kilohertz.sim.outside import OutsideSensor
from kilohertz.sim.scenario_schema import OutsidePose

Q = np.concatenate(([1.0, 2.0, 3.0], pin.Quaternion(pin.rpy.rpyToMatrix(0.1, -0.2, 0.3)).coeffs()))


def rows(ticks, seed=0, **model):
    """(k, 10) the rows at the ticks at which a new pose has come, and these ticks."""
    sensor, found, at = OutsideSensor(OutsidePose(**model), seed), [], []
    for tick in range(ticks):
        before = sensor.row.number[0]
        sensor.sample(tick, Q)
        if sensor.row.number[0] != before:
            found.append(sensor.row.data.copy())
            at.append(tick)
    return np.array(found), np.array(at)


def test_poses_come_at_their_rate_after_their_delay():
    found, at = rows(1000, rate_hz=50.0, delay_ms=70.0)
    np.testing.assert_array_equal(at, np.arange(70, 1000, 20))
    np.testing.assert_array_equal(found[:, 0], np.arange(1, len(found) + 1))
    np.testing.assert_allclose(found[:, 1], 0.07)


def test_poses_have_their_noise_and_what_is_not_measured_is_unknown():
    found, _ = rows(4000, rate_hz=1000.0, delay_ms=0.0, position_m=0.01, yaw_rad=0.02)
    np.testing.assert_allclose(found[:, 2:5].mean(axis=0), Q[:3], atol=1e-3)
    np.testing.assert_allclose(found[:, 2:5].std(axis=0), 0.01, rtol=0.06)
    assert np.isnan(found[:, 5:7]).all()
    assert found[:, 7].mean() == pytest.approx(0.3, abs=2e-3)
    assert found[:, 7].std() == pytest.approx(0.02, rel=0.06)
    whole, _ = rows(2000, rate_hz=1000.0, position_m=None, tilt_rad=0.01)
    assert np.isnan(whole[:, 2:5]).all()
    np.testing.assert_allclose(whole[:, 5:8].mean(axis=0), (0.1, -0.2, 0.3), atol=2e-3)


def test_a_share_of_the_poses_is_wrong_and_a_seed_repeats_them():
    found, _ = rows(2000, rate_hz=1000.0, wild_share=0.1)
    far = np.linalg.norm(found[:, 2:5] - Q[:3], axis=1) > 0.1
    assert far.mean() == pytest.approx(0.1, abs=0.02)
    np.testing.assert_array_equal(found, rows(2000, rate_hz=1000.0, wild_share=0.1)[0])


def test_a_robot_with_a_fixed_base_and_one_without_the_option_have_no_poses():
    assert simulate("ur5", sensors={"outside_pose": {}}).outside is None
    assert simulate("g1").outside is None


def drift(pose, seconds=9.0):
    """(n, 4) errors of position and yaw of the base in a walk with turns [m, rad], and all remarks."""
    scenario = {
        "name": "measured",
        "duration_s": 60.0,
        "sensors": {"noise_scale": 5.0, "outside_pose": pose},
        "commands": [
            {"at_s": 0.0, "stand": {}},
            {"at_s": 1.5, "walk": {"velocity_m_s": [0.3, 0.0], "yaw_rate_rad_s": 0.2}},
        ],
    }
    errors, remarks = [], set()
    with khz.Simulation("g1", seed=1, scenario=scenario) as sim:
        while sim.t_s < seconds:
            state = sim.step()
            R, S = (pin.Quaternion(q[3:7].copy()).toRotationMatrix() for q in (state.q, state.truth.q))
            errors.append([*(state.q[:3] - state.truth.q[:3]), pin.log3(R @ S.T)[2]])
            remarks.add(state.remark)
        assert not sim.fell
        assert state.behaviour_state == "active"
    return np.array(errors), remarks


@pytest.mark.long
@pytest.mark.closed_loop
def test_the_drift_of_a_walk_is_bounded_by_poses_from_outside_even_if_some_are_wild():
    free, _ = drift(None)
    bound, remarks = drift({"position_m": 0.005, "yaw_rad": 0.01, "wild_share": 0.1})
    assert np.abs(bound[:, :3]).max() < 0.03
    assert np.abs(bound[:, 3]).max() < np.radians(1.0)
    assert np.linalg.norm(bound[-1000:, :3], axis=1).mean() < np.linalg.norm(free[-1000:, :3], axis=1).mean()
    assert any("outside pose" in remark for remark in remarks)


@pytest.mark.long
@pytest.mark.closed_loop
def test_a_run_with_poses_from_outside_replays_bit_by_bit(tmp_path):
    scenario = {
        "name": "measured",
        "duration_s": 2.5,
        "sensors": {"outside_pose": {"rate_hz": 100.0}},
        "commands": [{"at_s": 0.0, "stand": {}}, {"at_s": 1.0, "walk": {"velocity_m_s": [0.3, 0.0]}}],
    }
    run = khz.simulate("g1", scenario=scenario, log=tmp_path)
    assert khz.replay(run.log).identical
