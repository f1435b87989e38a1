"""The robot's own envelope clips what an honest controller exceeds, and damps what only a wrong one sends."""

from __future__ import annotations

import numpy as np
import pytest
from mad_controllers import MAD, RANGE_BAR_RAD, SPEED_BAR, Situation, episode

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.wire.envelope import DAMPING_MARGIN_RAD, SOFT_RAD, Envelope, envelope_numbers

G1 = RobotModel.load("g1")
NUMBERS = envelope_numbers(G1)
LIMIT, NA = NUMBERS.torque_Nm, G1.na
MIDDLE = 0.5 * (NUMBERS.low_rad + NUMBERS.high_rad)
KNEE = G1.joint_names.index("left_knee_joint")


class Drives:
    """Applies demanded torques to joints at given states, one period after another."""

    def __init__(self):
        self.envelope = Envelope(NUMBERS)
        self.q, self.v = MIDDLE.copy(), np.zeros(NA)
        self.command = G1.new_command_row()
        self.command.kd[:] = 0.01 * LIMIT  # not limp
        self.before = np.zeros(NA)

    def step(self, demand, follows=True, margin_rad=0.0):
        tau = np.array(np.broadcast_to(demand, NA), dtype=float)
        self.envelope.limit(tau, self.q, self.v, self.command if follows else None, margin_rad)
        self.change, self.before = np.abs(tau - self.before), tau.copy()
        return tau

    def settle(self, demand, periods=40, **options):
        for _ in range(periods):
            tau = self.step(demand, **options)
        return tau


def test_torque_is_clipped_and_its_rate_limited():
    drives = Drives()
    for _ in range(11):
        tau = drives.step(0.75 * LIMIT)
        assert (drives.change <= 0.1 * LIMIT + 1e-9).all()
    np.testing.assert_allclose(tau, 0.75 * LIMIT)
    assert drives.envelope.clipped == 7
    np.testing.assert_allclose(drives.settle(3.0 * LIMIT), LIMIT)
    assert drives.envelope.reason == ""


def test_an_honest_torque_is_not_changed_by_a_bit():
    drives, rng = Drives(), np.random.default_rng(0)
    demand = np.zeros(NA)
    for _ in range(500):
        demand = np.clip(demand + 0.05 * LIMIT * rng.uniform(-1.0, 1.0, NA), -LIMIT, LIMIT)
        drives.v = 0.02 * rng.normal(size=NA)
        assert (drives.step(demand) == demand).all()
    assert drives.envelope.clipped == 0


def test_no_torque_drives_a_joint_above_its_speed_limit_and_it_is_braked_there():
    drives = Drives()
    for sign in (1.0, -1.0):
        drives.v = sign * NUMBERS.speed_rad_s
        assert (sign * drives.settle(sign * LIMIT) < 0.0).all()
        assert (sign * drives.settle(-sign * LIMIT) < 0.0).all()


def test_torque_beyond_the_range_is_directed_inwards_and_grows_with_the_distance():
    drives = Drives()
    for sign, end in ((1.0, NUMBERS.high_rad), (-1.0, NUMBERS.low_rad)):
        drives.q = end.copy()
        assert (sign * drives.settle(sign * LIMIT) > 0.0).all()
        drives.q = end + sign * SOFT_RAD
        np.testing.assert_allclose(drives.settle(sign * LIMIT), 0.0, atol=1e-9)
        drives.q = end + sign * (SOFT_RAD + NUMBERS.stop_rad)
        np.testing.assert_allclose(drives.settle(sign * LIMIT), -sign * LIMIT)


def test_a_joint_brakes_in_time_before_its_stop():
    drives = Drives()
    speed = 0.5 * NUMBERS.speed_rad_s
    needed = 0.5 * NUMBERS.inertia_kgm2 * speed**2 / LIMIT
    drives.v = speed
    drives.q = NUMBERS.high_rad - needed
    inside = drives.q > NUMBERS.low_rad
    assert (drives.settle(0.5 * LIMIT)[inside] < 0.0).all()
    far = NUMBERS.high_rad - 4.0 * needed - 0.03 * speed
    drives = Drives()
    drives.v, drives.q = speed, far
    fits = far > NUMBERS.low_rad
    np.testing.assert_allclose(drives.settle(0.5 * LIMIT)[fits], 0.5 * LIMIT[fits])


def test_while_the_robot_damps_it_is_not_limited_in_rate_and_turned_back_before_the_stop():
    drives = Drives()
    np.testing.assert_allclose(drives.step(-LIMIT, follows=False), -LIMIT)
    np.testing.assert_allclose(drives.step(LIMIT, follows=False), LIMIT)
    drives.q = NUMBERS.high_rad - 0.5 * DAMPING_MARGIN_RAD
    assert (drives.step(0.0, follows=False, margin_rad=DAMPING_MARGIN_RAD) < 0.0).all()
    assert (drives.step(0.0, follows=False) == 0.0).all()
    assert drives.envelope.reason == ""


@pytest.mark.parametrize("period", [1, 2, 5])
def test_a_torque_that_flips_again_and_again_is_named(period):
    drives = Drives()
    demand = np.zeros(NA)
    for tick in range(60):
        demand[KNEE] = LIMIT[KNEE] * (-1.0) ** (tick // period)
        drives.step(demand)
        if drives.envelope.reason:
            break
    assert tick < 12 * period
    assert "left_knee_joint" in drives.envelope.reason
    drives.envelope.enter()
    drives.step(drives.before)
    assert drives.envelope.reason == ""


def test_one_jump_is_not_held_against_a_controller():
    drives = Drives()
    drives.settle(0.0)
    drives.settle(0.6 * LIMIT)
    drives.settle(-0.1 * LIMIT)
    assert drives.envelope.reason == ""


@pytest.mark.parametrize("gain", ["kp", "kd"])
def test_gains_too_high_are_refused_with_joint_value_and_limit(gain):
    envelope, command = Envelope(NUMBERS), G1.new_command_row()
    largest = NUMBERS.kp_Nm_rad if gain == "kp" else NUMBERS.kd_Nms_rad
    getattr(command, gain)[:] = largest
    assert envelope.admit(command)
    getattr(command, gain)[KNEE] *= 1.01
    assert not envelope.admit(command)
    assert envelope.reason.startswith(f"{gain} of left_knee_joint is ")
    envelope.enter()
    getattr(command, gain)[KNEE] = 0.0
    assert envelope.admit(command)


@pytest.mark.parametrize(("what", "words"), [("beyond", "its range ends at"), ("fast", "its limit is 20.00")])
def test_only_a_command_that_drives_a_joint_on_is_blamed(what, words):
    drives = Drives()
    if what == "beyond":
        drives.q[KNEE] = NUMBERS.high_rad[KNEE] + 0.02
    else:
        drives.v[KNEE] = 1.1 * NUMBERS.speed_rad_s[KNEE]
    demand = np.zeros(NA)
    demand[KNEE] = -LIMIT[KNEE]  # an impact brought it there, the command opposes it
    drives.settle(demand, 100)
    assert drives.envelope.reason == ""
    demand[KNEE] = 0.3 * LIMIT[KNEE]
    drives.settle(demand, 19)
    drives.step(demand)
    assert drives.envelope.reason.startswith("left_knee_joint ")
    assert words in drives.envelope.reason


def test_limp_legs_are_not_accepted_but_damped_or_loaded_ones_are():
    for demand, kd in ((0.0, 0.01), (0.05, 0.0)):  # of the torque limit
        drives = Drives()
        drives.command.kd[:] = kd * LIMIT
        drives.settle(demand * LIMIT, 200)
        assert drives.envelope.reason == ""
    drives = Drives()
    drives.command.kd[:] = 0.0
    drives.settle(0.0, 19)
    assert drives.envelope.reason == ""
    drives.step(0.0)
    assert "limp" in drives.envelope.reason


def test_an_arm_without_legs_may_be_without_torque():
    panda = RobotModel.load("panda")
    envelope, tau = Envelope(envelope_numbers(panda)), np.zeros(panda.na)
    for _ in range(100):
        envelope.limit(tau, panda.q_nominal, np.zeros(panda.na), panda.new_command_row())
    assert envelope.reason == ""


@pytest.mark.parametrize("name", ["g1", "panda", "ur5", "bolt", "talos", "alexander"])
def test_the_gains_of_the_controllers_own_damping_and_fall_are_allowed(name):
    numbers = envelope_numbers(RobotModel.load(name))
    assert (numbers.kd_Nms_rad >= numbers.torque_Nm / 5.0).all()
    assert (numbers.kp_Nm_rad >= 10.0 * numbers.torque_Nm).all()


@pytest.mark.closed_loop
@pytest.mark.parametrize("name", ["g1", "panda"])
def test_mad_controllers_do_not_drive_joints_out_of_the_envelope(name):
    situation, rng = Situation(name), np.random.default_rng(5)
    for controller in MAD:
        result = episode(situation, controller, rng, 150)
        assert result["speed"] <= SPEED_BAR, (controller.__name__, result)
        assert result["free_beyond"] <= RANGE_BAR_RAD, (controller.__name__, result)
        assert result["step"] <= 0.1 + 1e-9, (controller.__name__, result)
