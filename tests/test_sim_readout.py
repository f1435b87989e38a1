"""The readout holds, differentiates, limits and loses measured values as the scenario says."""

import itertools

import numpy as np
import pinocchio as pin
import pytest
from sim_runs import robot, simulate

from kilohertz.sim.readout import BURST_S, Readout
from kilohertz.sim.scenario_schema import Sensors

G1 = robot("g1")
NA = G1.na


def measured(ticks, seed=0):
    """Rows whose values all differ from tick to tick; the joints move at about 1 rad/s."""
    rng = np.random.default_rng(seed)
    rows = []
    for tick in range(ticks):
        row = G1.new_sensor_row()
        row.data[:] = rng.normal(size=row.data.size)
        row.seq[0], row.t_s[0] = tick, 1e-3 * tick
        row.q[:] = np.linspace(0.5, 1.5, NA) * row.t_s[0]
        rows.append(row)
    return rows


def told(rows, seed=0, **sensors):
    """(ticks, size) what the controller is told of these rows."""
    readout = Readout(G1, Sensors(**sensors), seed)
    return np.array([readout.tell(row).data.copy() for row in rows])


def field(data, name):
    """The columns of one field."""
    row = G1.new_sensor_row()
    getattr(row, name)[:] = 1.0
    return data[:, row.data == 1.0]


def table(rows):
    return np.array([row.data for row in rows])


def changes(values):
    """Ticks at which any of the values differs from the tick before."""
    return np.flatnonzero(np.diff(values, axis=0).any(axis=1)) + 1


@pytest.mark.parametrize("rate", [100.0, 250.0, 500.0])
def test_joints_are_held_between_samples_of_their_own_rate(rate):
    rows = measured(1000)
    data, period = told(rows, encoder_rate_Hz=rate), round(1000.0 / rate)
    for name in ("q", "v", "tau"):
        at = changes(field(data, name))
        assert (np.diff(at) == period).all()
        assert at[0] <= period
        np.testing.assert_array_equal(field(data, name)[at], field(table(rows), name)[at])
    for name in ("seq", "t_s", "gyro", "accel", "contact_force_N"):
        np.testing.assert_array_equal(field(data, name), field(table(rows), name))


def test_the_imu_is_held_between_samples_of_its_own_rate():
    rows = measured(1000)
    data = told(rows, imu_rate_Hz=200.0)
    for name in ("gyro", "accel"):
        at = changes(field(data, name))
        assert (np.diff(at) == 5).all()
        np.testing.assert_array_equal(field(data, name)[at], field(table(rows), name)[at])
    for name in ("seq", "t_s", "q", "v", "tau"):
        np.testing.assert_array_equal(field(data, name), field(table(rows), name))


def test_a_rate_that_does_not_divide_1000_is_kept_on_average():
    rows = measured(3000)
    at = changes(field(told(rows, encoder_rate_Hz=300.0), "q"))
    assert set(np.diff(at)) == {3, 4}
    assert len(at) == pytest.approx(900, abs=1)


def test_a_rate_of_1000_Hz_repeats_nothing():
    rows = measured(200)
    np.testing.assert_array_equal(told(rows, encoder_rate_Hz=1000.0, imu_rate_Hz=1000.0), table(rows))


def test_joints_and_imu_sample_at_phases_that_depend_on_the_seed():
    rows = measured(50)
    first = {
        (
            changes(field(told(rows, seed, encoder_rate_Hz=100.0, imu_rate_Hz=100.0), "q"))[0],
            changes(field(told(rows, seed, encoder_rate_Hz=100.0, imu_rate_Hz=100.0), "gyro"))[0],
        )
        for seed in range(40)
    }
    assert len(first) > 20


def test_a_velocity_from_the_encoder_is_the_difference_of_its_samples():
    rows = measured(400)
    data = told(rows, encoder_rate_Hz=250.0, velocity_from="encoder")
    at = changes(field(data, "q"))
    q, v = field(data, "q"), field(data, "v")
    assert not v[: at[0]].any()
    for before, now in itertools.pairwise(at):
        np.testing.assert_allclose(v[now], (q[now] - q[before]) / 0.004, atol=1e-9)
        np.testing.assert_array_equal(v[now : now + 4], np.tile(v[now], (len(v[now : now + 4]), 1)))


def test_the_drive_divides_by_the_time_that_really_passed_between_two_samples():
    rows = measured(400)
    v = field(told(rows, encoder_rate_Hz=300.0, velocity_from="encoder"), "v")
    np.testing.assert_allclose(v[10:], np.tile(np.linspace(0.5, 1.5, NA), (390, 1)), atol=1e-9)


def test_a_quantised_encoder_gives_a_quantised_velocity():
    sensors = {
        "noise": {"encoder_rad": 1e-3, "encoder_step_rad": 2e-4},
        "encoder_rate_Hz": 250.0,
        "velocity_from": "encoder",
    }
    sim, row = simulate("g1", sensors=sensors), G1.new_sensor_row()
    fastest = 0.0
    for _ in range(40):
        sim.advance()
        sim.read(row)
        np.testing.assert_allclose(row.q / 2e-4, np.rint(row.q / 2e-4), atol=1e-6)
        np.testing.assert_allclose(row.v / 0.05, np.rint(row.v / 0.05), atol=1e-6)
        fastest = max(fastest, np.abs(row.v).max())
    assert fastest > 0.1


def test_an_imu_off_its_axes_measures_the_same_vectors_in_turned_axes():
    rows = measured(20)
    angles = (0.1, -0.2, 0.3)
    data, R = told(rows, imu_rpy_rad=angles), pin.rpy.rpyToMatrix(*angles)
    for name in ("gyro", "accel"):
        np.testing.assert_allclose(field(data, name) @ R.T, field(table(rows), name), atol=1e-12)
    np.testing.assert_array_equal(field(data, "q"), field(table(rows), "q"))


def test_an_imu_pitched_nose_down_feels_gravity_ahead():
    sim, row = simulate("g1", sensors={"noise": "none", "imu_rpy_rad": [0.0, 0.1, 0.0]}), G1.new_sensor_row()
    sim.read(row)
    np.testing.assert_allclose(row.accel / 9.81, [-np.sin(0.1), 0.0, np.cos(0.1)], atol=2e-3)


def test_a_saturated_imu_reports_the_end_of_its_range():
    rows = measured(200)
    for row in rows:
        row.accel[:] *= 10.0
    data = told(rows, gyro_range_rad_s=0.5, accel_range_m_s2=12.0)
    np.testing.assert_array_equal(field(data, "gyro"), np.clip(field(table(rows), "gyro"), -0.5, 0.5))
    np.testing.assert_array_equal(field(data, "accel"), np.clip(field(table(rows), "accel"), -12.0, 12.0))
    assert (np.abs(field(table(rows), "accel")) > 12.0).any()


def test_the_given_fraction_of_samples_is_lost_of_each_device_by_itself():
    rows = measured(5000)
    data = told(rows, drop_fraction=0.2)
    kept = [np.diff(field(data, name), axis=0).any(axis=1) for name in ("q", "gyro")]
    for each in kept:
        # 5000 draws know the fraction to 0.6 %.
        assert 1.0 - each.mean() == pytest.approx(0.2, abs=0.025)
    assert (~kept[0] & ~kept[1]).mean() == pytest.approx(0.04, abs=0.015)
    np.testing.assert_array_equal(field(data, "t_s"), field(table(rows), "t_s"))
    np.testing.assert_array_equal(data[0], rows[0].data)


def test_a_lost_sample_is_the_one_before():
    rows = measured(300)
    q = field(told(rows, encoder_rate_Hz=250.0, drop_fraction=0.3), "q")
    true = field(table(rows), "q")
    gaps = np.diff(changes(q))
    assert set(gaps) > {4, 8}
    assert (gaps % 4 == 0).all()
    np.testing.assert_array_equal(q[changes(q)], true[changes(q)])


def test_stamps_are_late_by_a_random_time_and_never_go_back():
    rows = measured(5000)
    for jitter_ms in (0.4, 3.0):
        data = told(rows, jitter_ms=jitter_ms)
        late = field(data, "t_s") - field(table(rows), "t_s")
        assert late.min() >= 0.0
        assert late.max() <= 1e-3 * jitter_ms + 5 * BURST_S
        assert late.std() > 0.1e-3 * jitter_ms
        assert (np.diff(field(data, "t_s"), axis=0) > 0.5 * BURST_S).all()
        np.testing.assert_array_equal(data[:, 2:], table(rows)[:, 2:])


def test_the_same_seed_gives_the_same_bits():
    rows, sensors = measured(200), {"drop_fraction": 0.2, "jitter_ms": 0.5, "imu_rate_Hz": 200.0}
    np.testing.assert_array_equal(told(rows, 3, **sensors), told(rows, 3, **sensors))
    assert (told(rows, 3, **sensors) != told(rows, 4, **sensors)).any()


def test_sensors_that_are_read_out_at_1_kHz_are_told_as_they_are():
    assert Sensors(noise_scale=5.0, delay_ms=3.0).direct()
    for given in (
        {"encoder_rate_Hz": 250.0},
        {"velocity_from": "encoder"},
        {"imu_rate_Hz": 200.0},
        {"imu_rpy_rad": (0.0, 0.0, 0.1)},
        {"gyro_range_rad_s": 5.0},
        {"accel_range_m_s2": 40.0},
        {"drop_fraction": 0.1},
        {"jitter_ms": 0.1},
    ):
        assert not Sensors(**given).direct()


def test_the_drives_control_with_values_that_are_not_degraded():
    plain = simulate("g1", sensors={"noise": "default"})
    bad = simulate(
        "g1",
        sensors={
            "noise": "default",
            "encoder_rate_Hz": 20.0,
            "velocity_from": "encoder",
            "imu_rate_Hz": 20.0,
            "drop_fraction": 0.5,
            "jitter_ms": 2.0,
        },
    )
    for _ in range(200):
        plain.advance()
        bad.advance()
        np.testing.assert_array_equal(bad.truth.q, plain.truth.q)


def test_an_arm_without_an_imu_has_held_joints():
    sim = simulate("panda", sensors={"noise": "default", "encoder_rate_Hz": 100.0})
    row, seen = robot("panda").new_sensor_row(), []
    for _ in range(50):
        sim.advance()
        sim.read(row)
        seen.append(row.q.copy())
        assert not row.gyro.any()
    assert (np.diff(changes(np.array(seen))) == 10).all()
