"""Sensors err as much as they are said to, and the same way for the same seed."""

import numpy as np
import pytest
from sim_runs import robot, scenario, simulate

from kilohertz.sim.scenario_schema import DEFAULT_NOISE, Noise, Scenario
from kilohertz.sim.sensors import BLOCK_TICKS, SensorNoise
from kilohertz.sim.simulated_robot import SimulatedRobot


def errors(noise, seed=0, ticks=4000, name="g1"):
    """(ticks, size) what is added to rows of zeros."""
    source = SensorNoise(robot(name), noise, seed)
    rows = []
    for _ in range(ticks):
        row = robot(name).new_sensor_row()
        source.add(row)
        rows.append(row.data.copy())
    return np.array(rows)


def field(rows, name, model="g1"):
    """The columns of one field."""
    row = robot(model).new_sensor_row()
    getattr(row, name)[:] = 1.0
    return rows[:, row.data == 1.0]


def test_each_field_has_its_own_deviation():
    rows = errors(DEFAULT_NOISE)
    for name, deviation in (
        ("q", DEFAULT_NOISE.encoder_rad),
        ("v", DEFAULT_NOISE.velocity_rad_s),
        ("gyro", DEFAULT_NOISE.gyro_rad_s),
        ("accel", DEFAULT_NOISE.accel_m_s2),
    ):
        spread = field(rows, name).std(axis=0)
        # 4000 draws know a deviation to 1.1 %.
        np.testing.assert_allclose(spread, deviation, rtol=0.06)
    assert not field(rows, "seq").any()
    assert not field(rows, "t_s").any()


def test_errors_are_white_and_of_each_channel_alone():
    gyro = field(errors(DEFAULT_NOISE), "gyro")
    gyro = (gyro - gyro.mean(axis=0)) / gyro.std(axis=0)
    assert abs((gyro[1:] * gyro[:-1]).mean()) < 0.03
    assert abs((gyro[:, 0] * gyro[:, 1]).mean()) < 0.06


def test_noise_does_not_repeat_when_a_block_is_used_up():
    q = field(errors(DEFAULT_NOISE, ticks=2 * BLOCK_TICKS), "q")[:, 0]
    assert len(np.unique(q)) == 2 * BLOCK_TICKS


def test_biases_last_for_a_run_and_differ_between_seeds():
    only_bias = Noise(gyro_bias_rad_s=0.005, accel_bias_m_s2=0.05)
    first = errors(only_bias, seed=1, ticks=50)
    assert np.ptp(first, axis=0).max() == 0.0
    biases = np.array([field(errors(only_bias, seed, ticks=1), "gyro")[0] for seed in range(200)])
    assert biases.std() == pytest.approx(0.005, rel=0.1)
    assert abs(biases.mean()) < 0.001


def test_the_same_seed_gives_the_same_bits():
    np.testing.assert_array_equal(errors(DEFAULT_NOISE, 3, 50), errors(DEFAULT_NOISE, 3, 50))
    assert np.abs(errors(DEFAULT_NOISE, 3, 50) - errors(DEFAULT_NOISE, 4, 50)).max() > 0.0


def test_quantised_encoders_report_whole_steps():
    source = SensorNoise(robot("g1"), Noise(encoder_step_rad=1e-3), 0)
    row = robot("g1").new_sensor_row()
    row.q[:] = np.linspace(-1.0, 1.0, robot("g1").na)
    exact = row.q.copy()
    source.add(row)
    np.testing.assert_allclose(row.q / 1e-3, np.rint(row.q / 1e-3), atol=1e-9)
    assert np.abs(row.q - exact).max() <= 0.5e-3 + 1e-12


def test_the_torque_noise_of_a_weak_joint_is_small():
    tau = field(errors(DEFAULT_NOISE, name="bolt"), "tau", "bolt")
    assert (tau.std(axis=0) <= 0.0105 * robot("bolt").torque_limit_Nm).all()


def test_an_arm_has_no_imu():
    rows = errors(DEFAULT_NOISE, name="panda", ticks=10)
    assert not field(rows, "gyro", "panda").any()
    assert not field(rows, "accel", "panda").any()


def test_without_noise_the_row_is_the_truth():
    sim = simulate("g1")
    row = robot("g1").new_sensor_row()
    for _ in range(20):
        sim.advance()
    sim.read(row)
    np.testing.assert_array_equal(row.q, sim.truth.q[7:])
    np.testing.assert_array_equal(row.v, sim.truth.v[6:])
    assert row.seq[0] == 20
    assert row.t_s[0] == pytest.approx(0.020)


def test_a_foot_without_a_force_sensor_measures_nothing():
    sim = simulate("g1")
    row = robot("g1").new_sensor_row()
    sim.read(row)
    assert np.isnan(row.contact_force_N).all()


def test_the_imu_is_still_at_rest():
    sim = simulate("g1")
    row = robot("g1").new_sensor_row()
    sim.read(row)
    np.testing.assert_allclose(row.gyro, 0.0, atol=1e-9)
    assert np.linalg.norm(row.accel) == pytest.approx(9.81, rel=1e-3)


def test_scenario_noise_reaches_the_row():
    sim = simulate("g1", sensors={"noise": "default", "delay_ms": 0.0})
    row = robot("g1").new_sensor_row()
    sim.read(row)
    assert np.abs(row.v).max() > 0.01
    assert scenario().sensors.noise == Noise()


def test_scaled_noise_is_a_multiple_of_the_same_draws_around_the_same_biases():
    bias = SensorNoise(robot("g1"), DEFAULT_NOISE, 0).bias.data
    plain, scaled = errors(DEFAULT_NOISE, ticks=50), errors(DEFAULT_NOISE.scaled(5.0), ticks=50)
    limited = robot("g1").new_sensor_row()
    limited.tau[:] = 1.0
    free = limited.data == 0.0
    np.testing.assert_allclose((scaled - bias)[:, free], 5.0 * (plain - bias)[:, free], atol=1e-12)
    assert np.abs(plain - bias)[:, free].max() > 0.0


def test_a_noise_scale_of_one_changes_no_bit():
    np.testing.assert_array_equal(errors(DEFAULT_NOISE.scaled(1.0)), errors(DEFAULT_NOISE))


def test_a_scenario_scales_the_noise_of_the_simulated_robot():
    def simulated(**sensors):
        return SimulatedRobot(robot("g1"), Scenario(name="scaled", duration_s=1.0, sensors=sensors), 0)

    rows = []
    for given in ({"noise": "none"}, {}, {"noise_scale": 3.0}):
        row = robot("g1").new_sensor_row()
        simulated(**given).read(row)
        rows.append(row.q.copy())
    true, default, scaled = rows
    np.testing.assert_allclose(scaled - true, 3.0 * (default - true), atol=1e-12)
    assert np.abs(default - true).max() > 0.0
