"""Simulated position servos: their torque law, resolution, limits, and what they do when commands end."""

from __future__ import annotations

import numpy as np
import pytest
from sim_runs import robot, simulate

from kilohertz.sim.actuators import WATCHDOG_TICKS, Drives, DriveState
from kilohertz.sim.servos import Servos, drives_of

STEP_RAD = 2.0 * np.pi / 4096
STIFFNESS = 17.8


def servos(hold_tau=0.0):
    model = robot("so101")
    q = STEP_RAD * np.rint(model.q_nominal / STEP_RAD)
    return drives_of(model, q, np.full(model.na, hold_tau), 0), q


def position(seq, q_des, tau_Nm=0.0):
    row = robot("so101").new_command_row()
    row.seq[0], row.q_des[:], row.kp[:], row.tau_ff[:] = seq, q_des, STIFFNESS, tau_Nm
    return row


def test_robot_yaml_decides_the_kind_of_the_drives():
    panda = robot("panda")
    assert type(drives_of(panda, panda.q_nominal, np.zeros(7), 0)) is Drives
    assert type(servos()[0]) is Servos


def test_the_torque_follows_from_the_position_in_whole_counts():
    unit, q = servos()
    zero = np.zeros(5)
    unit.offer(position(1, q + 2.4 * STEP_RAD))
    np.testing.assert_allclose(unit.step(q, zero, zero), STIFFNESS * 2.0 * STEP_RAD, rtol=1e-9)
    unit.offer(position(2, q + 2.6 * STEP_RAD))
    np.testing.assert_allclose(unit.step(q, zero, zero), STIFFNESS * 3.0 * STEP_RAD, rtol=1e-9)


def test_until_the_first_command_the_servos_carry_the_robot():
    unit, q = servos(hold_tau=0.4)
    zero = np.zeros(5)
    np.testing.assert_allclose(unit.step(q, zero, zero), 0.4, atol=0.5 * STIFFNESS * STEP_RAD)


def test_the_torque_ends_at_the_limits():
    unit, q = servos()
    zero = np.zeros(5)
    for seq in range(1, 100):
        unit.offer(position(seq, q + 0.2))
        tau = unit.step(q, zero, zero).copy()
    np.testing.assert_allclose(tau, 3.35)
    np.testing.assert_allclose(unit.step(q, zero, np.full(5, 4.7)), 0.0, atol=1e-12)


def test_without_commands_the_servos_hold_the_last_position():
    unit, q = servos()
    zero = np.zeros(5)
    unit.offer(position(1, q + 2.0 * STEP_RAD))
    followed = unit.step(q, zero, zero).copy()
    for _ in range(2 * WATCHDOG_TICKS):
        held = unit.step(q, zero, zero)
    assert unit.state is DriveState.DAMPING
    np.testing.assert_allclose(held, followed)
    unit.offer(position(2, q - 2.0 * STEP_RAD))
    np.testing.assert_allclose(unit.step(q, zero, zero), followed)
    unit.rearm()
    unit.offer(position(3, q + 1.0 * STEP_RAD))
    np.testing.assert_allclose(unit.step(q, zero, zero), 0.5 * followed)


def test_a_command_of_torques_is_refused_and_the_servos_hold():
    unit, q = servos()
    zero = np.zeros(5)
    assert not unit.offer(position(1, q, tau_Nm=0.5))
    assert unit.state is DriveState.DAMPING
    np.testing.assert_allclose(unit.step(q, zero, zero), 0.0, atol=1e-12)


@pytest.mark.closed_loop
def test_the_encoders_report_whole_counts():
    sim = simulate("so101", sensors={"noise": "none"})
    row = sim.robot.new_sensor_row()
    sim.read(row)
    np.testing.assert_allclose(row.q, STEP_RAD * np.rint(row.q / STEP_RAD), atol=1e-12)
    assert np.isnan(row.tau).all()
