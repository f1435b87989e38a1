from __future__ import annotations

import numpy as np
import pytest
from plain_python import plain
from sim_runs import robot

from kilohertz.estimators.sensor_watch import (
    FROZEN,
    FROZEN_S,
    GOOD,
    JUMP,
    NOT_FINITE,
    SensorWatch,
    judge_sample,
)

MODEL = robot("g1")
DT_S = 1e-3
FROZEN_SAMPLES = round(FROZEN_S / DT_S)
KNEE = MODEL.joint_names.index("left_knee_joint")


def samples(n, noise=1.0, speed=0.0, seed=0, quantum=0.0):
    """A robot whose joints all move at a speed, as its sensors tell it."""
    rng = np.random.default_rng(seed)
    row = MODEL.new_sensor_row()
    for k in range(n):
        row.t_s[0] = k * DT_S
        row.q[:] = 0.3 + speed * k * DT_S + 1e-4 * noise * rng.normal(size=MODEL.na)
        row.v[:] = speed + 0.02 * noise * rng.normal(size=MODEL.na)
        row.gyro[:] = 0.01 * noise * rng.normal(size=3)
        row.accel[:] = np.array([0.0, 0.0, 9.81]) + 0.1 * noise * rng.normal(size=3)
        if quantum:
            row.q[:] = quantum * np.rint(row.q / quantum)
        yield k, row


def test_a_sample_that_is_not_finite_is_refused_and_changes_nothing():
    watch, (_, row) = SensorWatch(MODEL), next(samples(1))
    assert watch.judge(row.data, DT_S) == GOOD
    before = row.q[KNEE]
    row.q[KNEE] = np.nan
    assert watch.judge(row.data, DT_S) == NOT_FINITE
    row.q[KNEE] = before
    assert watch.judge(row.data, DT_S) == GOOD


@pytest.mark.parametrize("noise", [1.0, 0.0])
@pytest.mark.parametrize("speed", [0.0, 2.0])
@pytest.mark.parametrize("quantum", [0.0, 1e-3, 1e-5])
def test_a_good_robot_is_good_at_rest_and_in_motion(noise, speed, quantum):
    watch = SensorWatch(MODEL)
    assert {watch.judge(row.data, DT_S) for _, row in samples(1500, noise, speed, quantum=quantum)} == {GOOD}


def test_an_encoder_that_comes_to_rest_and_repeats_itself_is_good():
    watch = SensorWatch(MODEL)
    row = MODEL.new_sensor_row()
    for k in range(2000):
        slow = max(0.0, 1.0 - k / 600.0)
        row.v[:] = 0.5 * slow
        row.q[:] = 1e-5 * np.rint((row.q + row.v * DT_S) / 1e-5)
        assert watch.judge(row.data, DT_S) == GOOD


@pytest.mark.parametrize(
    ("field", "index", "told"),
    [
        ("q", KNEE, "the encoder of left_knee_joint"),
        ("v", KNEE, "the velocity of left_knee_joint"),
        ("gyro", 1, "the gyroscope"),
        ("accel", 2, "the accelerometer"),
    ],
)
def test_a_channel_whose_noise_stops_is_frozen(field, index, told):
    watch = SensorWatch(MODEL)
    held = None
    for k, row in samples(500):
        if k == 300:
            held = getattr(row, field)[index]
        if held is not None:
            getattr(row, field)[index] = held
        verdict = watch.judge(row.data, DT_S)
        if verdict == FROZEN:
            break
    assert k == 300 + FROZEN_SAMPLES
    assert watch.culprit == told


@pytest.mark.parametrize(("field", "told", "within"), [("q", "the encoder", 50), ("v", "the velocity", 100)])
def test_without_noise_position_and_velocity_contradict_each_other(field, told, within):
    watch = SensorWatch(MODEL)
    held = None
    for k, row in samples(400, noise=0.0):
        t = k * DT_S
        row.q[:], row.v[:] = np.sin(3.0 * t), 3.0 * np.cos(3.0 * t)
        if k == 200:
            held = getattr(row, field)[KNEE]
        if held is not None:
            getattr(row, field)[KNEE] = held
        if watch.judge(row.data, DT_S) == FROZEN:
            break
    assert k < 200 + within
    assert watch.culprit == f"{told} of left_knee_joint"


def test_a_velocity_that_is_never_reported_is_no_fault():
    watch = SensorWatch(MODEL)
    for _, row in samples(1000, speed=1.0):
        row.v[:] = 0.0
        assert watch.judge(row.data, DT_S) == GOOD


@pytest.mark.parametrize("change", [0.3, -0.3, 2 * np.pi, -2 * np.pi])
def test_a_joint_that_jumps_is_left_out_and_the_next_good_sample_is_taken(change):
    watch = SensorWatch(MODEL)
    for k, row in samples(100, speed=2.0):
        if k == 50:
            row.q[KNEE] += change
        assert watch.judge(row.data, DT_S if k != 51 else 2 * DT_S) == (JUMP if k == 50 else GOOD)
    assert watch.culprit == "the encoder of left_knee_joint"


def test_the_longer_the_gap_the_further_a_joint_may_have_moved():
    for gap_s, verdict in ((1e-3, JUMP), (0.03, GOOD), (3600.0, GOOD)):
        watch = SensorWatch(MODEL)
        row = MODEL.new_sensor_row()
        watch.judge(row.data, DT_S)
        row.q[KNEE] = 0.5 * MODEL.velocity_limit_rad_s[KNEE] * 0.03
        assert watch.judge(row.data, gap_s) == verdict


def test_compiled_and_plain_judge_alike():
    watch = SensorWatch(MODEL)
    twin = SensorWatch(MODEL)
    judge = plain(judge_sample)
    rng = np.random.default_rng(3)
    for k, row in samples(600, speed=1.0):
        if rng.random() < 0.05:
            row.data[2 + rng.integers(2 * MODEL.na)] += rng.normal()
        if k > 300:
            row.gyro[0] = 0.1
        expected = judge(row.data, DT_S, twin.channels)
        assert watch.judge(row.data, DT_S) == expected
        np.testing.assert_allclose(watch.channels.apart, twin.channels.apart, atol=1e-12)
        assert watch.culprit == twin.culprit


def still(q=0.3):
    """A sample of a robot at rest."""
    row = MODEL.new_sensor_row()
    row.q[:] = q
    return row


def test_before_anything_was_wrong_nothing_is_named():
    watch = SensorWatch(MODEL)
    assert watch.culprit == "none"
    assert watch.judge(still().data, DT_S) == GOOD
    assert watch.culprit == "none"


@pytest.mark.parametrize("way", [1.0, -1.0])
@pytest.mark.parametrize(("elapsed_s", "counted_s"), [(1e-4, 1e-3), (1e-3, 1e-3), (0.01, 0.01), (9.0, 0.03)])
def test_a_joint_may_move_by_half_more_than_its_speed_limit_and_a_margin(way, elapsed_s, counted_s):
    farthest_rad = 1.5 * MODEL.velocity_limit_rad_s[KNEE] * counted_s + 0.02
    for share, verdict in ((0.999, GOOD), (1.001, JUMP)):
        watch, row = SensorWatch(MODEL), still()
        watch.judge(row.data, DT_S)
        row.q[KNEE] += way * share * farthest_rad
        assert watch.judge(row.data, elapsed_s) == verdict
    assert watch.culprit == "the encoder of left_knee_joint"


@pytest.mark.parametrize("way", [1.0, -1.0])
def test_a_velocity_that_no_joint_has_is_a_jump(way):
    fastest_rad_s = 1.5 * MODEL.velocity_limit_rad_s[KNEE] + 1.0
    for share, verdict in ((0.999, GOOD), (1.001, JUMP)):
        watch, row = SensorWatch(MODEL), still()
        watch.judge(row.data, DT_S)
        row.v[KNEE] = way * share * fastest_rad_s
        assert watch.judge(row.data, DT_S) == verdict
    assert watch.culprit == "the velocity of left_knee_joint"


def test_a_jump_is_measured_from_the_last_good_sample():
    watch, row = SensorWatch(MODEL), still()
    watch.judge(row.data, DT_S)
    for _ in range(5):
        row.q[KNEE] = 2.0
        assert watch.judge(row.data, DT_S) == JUMP
    row.q[KNEE] = 0.3
    assert watch.judge(row.data, DT_S) == GOOD


def test_after_a_reset_the_next_sample_is_taken_as_it_is_and_noise_is_learnt_anew():
    watch = SensorWatch(MODEL)
    for _, row in samples(300):
        watch.judge(row.data, DT_S)
    watch.reset()
    assert watch.culprit == "none"
    row = still(1.2)
    for _ in range(3 * FROZEN_SAMPLES):
        assert watch.judge(row.data, DT_S) == GOOD
    row.q[KNEE] += 2.0
    assert watch.judge(row.data, DT_S) == JUMP


@pytest.mark.parametrize(("turns_in_10", "verdict"), [(3, GOOD), (6, FROZEN)])
def test_a_channel_counts_as_noisy_where_it_often_turns_around(turns_in_10, verdict):
    watch, row = SensorWatch(MODEL), still()
    way, value = 1.0, 0.0
    for k in range(800):
        way = -way if k % 10 < turns_in_10 else way
        value += (1e-3 + 1e-6 * (k % 7)) * way
        row.gyro[0] = value
        assert watch.judge(row.data, DT_S) == GOOD
    found = set()
    for k in range(2 * FROZEN_SAMPLES):
        row.accel[0] = 1e-6 * k  # another sensor goes on
        found.add(watch.judge(row.data, DT_S))
    assert (FROZEN in found) == (verdict == FROZEN)


@pytest.mark.parametrize(("speed_rad_s", "verdict"), [(0.03, GOOD), (0.15, FROZEN)])
@pytest.mark.parametrize("way", [1.0, -1.0])
def test_a_velocity_may_contradict_a_position_by_a_hundredth_of_a_radian_in_a_third_of_a_second(
    way, speed_rad_s, verdict
):
    watch, row = SensorWatch(MODEL), still()
    # Velocities that change a little each time, of an encoder that repeats itself.
    found = set()
    for k in range(600):
        row.v[KNEE] = way * (speed_rad_s + 1e-6 * k)
        found.add(watch.judge(row.data, DT_S))
    assert (FROZEN in found) == (verdict == FROZEN)
    if verdict == FROZEN:
        assert watch.culprit == "the encoder of left_knee_joint"


def test_a_verdict_of_frozen_ends_when_the_channel_speaks_again():
    watch, row = SensorWatch(MODEL), still()
    for k in range(400):
        row.v[KNEE] = 0.15 + 1e-6 * k
        verdict = watch.judge(row.data, DT_S)
        if verdict == FROZEN:
            break
    assert verdict == FROZEN
    for j in range(1, 4):
        row.v[KNEE] = 0.0
        row.q[KNEE] = 0.3 + 1e-6 * j
        verdict = watch.judge(row.data, DT_S)
    assert verdict == GOOD


def test_a_few_samples_that_repeat_themselves_are_no_contradiction_yet():
    watch, row = SensorWatch(MODEL), still()
    for k in range(50):
        row.q[KNEE], row.v[KNEE] = 0.3 + 3e-3 * k, 3.0 + 1e-6 * k
        assert watch.judge(row.data, DT_S) == GOOD
    # 15 mrad apart after five samples, which encoders with steps of 3 mrad may be, and 18 after six.
    for k in range(1, 7):
        row.v[KNEE] = 3.1 + 1e-6 * k
        assert watch.judge(row.data, DT_S) == (FROZEN if k == 6 else GOOD)
    assert watch.culprit == "the encoder of left_knee_joint"


def test_a_reset_forgets_whose_fault_it_was_and_which_velocities_were_told():
    watch, row = SensorWatch(MODEL), still()
    for k in range(50):
        row.q[KNEE], row.v[KNEE] = 0.3 + 1e-3 * k, 1.0 + 1e-6 * k
        assert watch.judge(row.data, DT_S) == GOOD
    row.q[KNEE] += 2.0
    assert watch.judge(row.data, DT_S) == JUMP
    watch.reset()
    assert watch.culprit == "none"
    for k in range(500):
        row.q[KNEE], row.v[KNEE] = 0.3 + 1e-3 * k, 0.0
        assert watch.judge(row.data, DT_S) == GOOD


STEP_RAD, SAMPLE_S, LEARNT_S = 1.5e-3, 0.01, 15.0
NOISE = 0.01 * np.random.default_rng(0).normal(size=(200, 3))


def swinging(speed_rad_s, seconds, seed=0, velocity_noise=0.01):
    """Samples of a knee that goes to and fro at a speed, with coarse encoders that are read at 100 Hz."""
    rng, row, q, way = np.random.default_rng(seed), MODEL.new_sensor_row(), 0.0, 1.0
    for _ in range(round(seconds / SAMPLE_S)):
        way = -way if abs(q) > 0.3 and q * way > 0.0 else way
        q += way * speed_rad_s * SAMPLE_S
        row.q[KNEE] = STEP_RAD * np.rint(q / STEP_RAD)
        row.v[KNEE] = way * speed_rad_s + velocity_noise * rng.normal()
        row.gyro[:] = 0.01 * rng.normal(size=3)
        yield row, way


def accepted(watch, rows):
    """Judges all samples, which must be good; returns the last one."""
    last = None
    for last in rows:
        assert watch.judge(last[0].data, SAMPLE_S) == GOOD
    return last


@pytest.mark.parametrize("speed_rad_s", [0.12, 0.2, 0.4, 1.0, 3.0])
@pytest.mark.parametrize("seed", range(5))
def test_a_coarse_encoder_that_freezes_while_its_joint_moves_is_found_within_50_ms(speed_rad_s, seed):
    watch = SensorWatch(MODEL)
    row, way = accepted(watch, swinging(speed_rad_s, LEARNT_S + 0.1 * seed, seed))
    rng = np.random.default_rng(seed)
    for k in range(1, 20):
        row.v[KNEE] = way * speed_rad_s + 0.01 * rng.normal()
        row.gyro[:] = NOISE[k]
        if watch.judge(row.data, SAMPLE_S) == FROZEN:
            break
    assert watch.culprit == "the encoder of left_knee_joint"
    assert k * SAMPLE_S <= 0.05 + 1e-9


@pytest.mark.parametrize("speed_rad_s", [0.2, 0.5, 1.0])
@pytest.mark.parametrize("lag_s", [0.005, 0.01, 0.02, 0.025])
def test_a_joint_that_stops_dead_is_good_though_its_velocity_lags_behind(speed_rad_s, lag_s):
    watch = SensorWatch(MODEL)
    row, way = accepted(watch, swinging(speed_rad_s, LEARNT_S))
    for k in range(1, 100):
        row.v[KNEE] = way * speed_rad_s * np.exp(-k * SAMPLE_S / lag_s)
        row.gyro[:] = NOISE[k]
        assert watch.judge(row.data, SAMPLE_S) == GOOD


@pytest.mark.parametrize("speed_rad_s", [0.1, 0.3, 1.0])
def test_a_joint_whose_play_takes_up_two_steps_of_its_encoder_is_good(speed_rad_s):
    watch = SensorWatch(MODEL)
    row, way = accepted(watch, swinging(speed_rad_s, LEARNT_S))
    rest, q, motor = row.q[KNEE], row.q[KNEE], row.q[KNEE]
    for k in range(100):
        # The motor turns around; the joint follows after the play.
        speed = -way * speed_rad_s * min(1.0, k * SAMPLE_S / 0.05)
        motor += speed * SAMPLE_S
        q = rest - way * max(0.0, abs(motor - rest) - 2.0 * STEP_RAD)
        row.q[KNEE], row.v[KNEE] = STEP_RAD * np.rint(q / STEP_RAD), speed + 1e-4 * (k % 3)
        row.gyro[:] = NOISE[k]
        assert watch.judge(row.data, SAMPLE_S) == GOOD


def test_a_drive_whose_messages_are_lost_for_some_samples_has_no_frozen_encoder():
    watch = SensorWatch(MODEL)
    row, way = accepted(watch, swinging(0.2, LEARNT_S))
    for k in range(4):
        row.gyro[:] = row.v[:3] = NOISE[k]
        assert watch.judge(row.data, SAMPLE_S) == GOOD
    row.q[KNEE] += way * 5 * 0.2 * SAMPLE_S
    assert watch.judge(row.data, SAMPLE_S) == GOOD


def test_an_encoder_that_is_three_samples_late_is_good_however_fine_its_steps_are():
    watch, row = SensorWatch(MODEL), MODEL.new_sensor_row()
    for k in range(1700):
        late = max(0, k - 1600) if k <= 1603 else 0
        row.q[KNEE], row.v[KNEE] = 0.1 * SAMPLE_S * (k - late), 0.1 + 1e-4 * (k % 3)
        row.gyro[:] = NOISE[k % len(NOISE)]
        assert watch.judge(row.data, SAMPLE_S) == GOOD


def test_a_position_that_repeats_itself_after_a_pause_is_good():
    watch = SensorWatch(MODEL)
    row, way = accepted(watch, swinging(0.12, LEARNT_S))
    for k, elapsed_s in enumerate((0.15, SAMPLE_S)):
        row.v[KNEE] = way * (0.12 + 1e-4 * (k + 1))
        row.gyro[:] = NOISE[k]
        assert watch.judge(row.data, elapsed_s) == GOOD


def test_values_that_are_interpolated_over_pauses_do_not_show_a_frozen_encoder():
    watch = SensorWatch(MODEL)
    row, way = accepted(watch, swinging(0.12, LEARNT_S))
    for pause in range(3):
        start = row.gyro.copy()
        for k in range(1, 101):
            row.v[KNEE] = way * (0.12 + 1e-5 * (k % 3))
            row.gyro[:] = start + k * 1e-3 * (-1.0) ** pause
            assert watch.judge(row.data, DT_S) == GOOD
