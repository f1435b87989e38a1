"""Drives apply commands on time and within limits, and always damp without commands."""

import numpy as np
import pytest
from sim_runs import holding_command, random_command, robot, run, simulate

from kilohertz.sim.actuators import FULL_TORQUE_SPEED, WATCHDOG_TICKS, Drives, DriveState


def drives(name="g1", delay_ticks=0):
    model = robot(name)
    return Drives(model, model.q_nominal[model.nq_base :], np.zeros(model.na), delay_ticks)


def torque_command(model, seq, torque_Nm):
    command = model.new_command_row()
    command.seq[0] = seq
    command.tau_ff[0] = torque_Nm
    return command


@pytest.mark.parametrize("delay", [0, 1, 2, 7])
def test_a_command_acts_exactly_its_delay_later(delay):
    model, zero = robot("g1"), np.zeros(robot("g1").na)
    unit, q = drives(delay_ticks=delay), robot("g1").q_nominal[7:]
    applied = []
    for tick in range(20):
        assert unit.offer(torque_command(model, tick, float(tick + 1)))
        applied.append(float(unit.step(q, zero, zero)[0]))
    assert applied[delay:] == [float(tick + 1) for tick in range(20 - delay)]


def test_the_delay_of_a_scenario_is_from_sample_to_torque():
    for delay_ms in (0, 2, 5):
        sim = simulate("panda", sensors={"noise": "none", "delay_ms": delay_ms})
        row = sim.robot.new_sensor_row()
        applied = []
        for tick in range(12):
            sim.read(row)
            assert row.seq[0] == tick
            sim.write(torque_command(sim.robot, tick, float(tick + 1)))
            applied.append(float(sim.truth.tau[0]))
        # The command that answers sample k makes the torque of the step that starts at k + delay.
        assert applied[delay_ms:] == [float(tick + 1) for tick in range(12 - delay_ms)]


def test_a_drive_is_a_joint_pd_on_its_own_measurement():
    model, unit = robot("g1"), drives()
    rng = np.random.default_rng(0)
    command = model.new_command_row()
    command.q_des[:], command.v_des[:] = 0.01 * rng.normal(size=(2, model.na))
    command.kp[:], command.kd[:] = rng.uniform(0.5, 1.0, (2, model.na))
    command.tau_ff[:] = 0.01 * rng.normal(size=model.na)
    q, v = 0.01 * rng.normal(size=(2, model.na))
    unit.offer(command)
    expected = command.tau_ff + command.kp * (command.q_des - q) + command.kd * (command.v_des - v)
    np.testing.assert_allclose(unit.step(q, v, v), expected, atol=1e-14)


@pytest.mark.parametrize("name", ["g1", "bolt", "panda"])
def test_no_torque_exceeds_its_limit(name):
    sim = simulate(name)
    rng = np.random.default_rng(1)
    limit = sim.robot.torque_limit_Nm
    for tick in range(300):
        sim.rearm()  # such commands leave the robot's envelope
        sim.write(random_command(sim, rng, tick))
        assert (np.abs(sim.truth.tau) <= limit).all()
        assert (np.abs(sim.world.data.qfrc_actuator[sim.world.joint_dof]) <= limit + 1e-12).all()


def test_torque_fades_towards_the_speed_limit_but_only_in_the_direction_of_motion():
    model, zero = robot("g1"), np.zeros(robot("g1").na)
    limit, speed = model.torque_limit_Nm[0], model.velocity_limit_rad_s[0]
    v_true = np.zeros(model.na)

    def torque(asked, at_speed):
        unit = drives()
        v_true[0] = at_speed
        for tick in range(12):  # the torque rate of a command is limited
            unit.offer(torque_command(model, tick, asked))
            torque = float(unit.step(zero, zero, v_true)[0])
        return torque

    middle = (1.0 + FULL_TORQUE_SPEED) / 2 * speed
    assert torque(limit, 0.0) == limit
    assert torque(limit, FULL_TORQUE_SPEED * speed) == pytest.approx(limit)
    assert torque(limit, middle) == pytest.approx(limit / 2)
    assert torque(limit, speed) == pytest.approx(0.0)
    assert torque(limit, 2 * speed) == pytest.approx(0.0)
    assert torque(-limit, 2 * speed) == -limit
    assert torque(-limit, -middle) == pytest.approx(-limit / 2)
    assert torque(limit, -2 * speed) == limit


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("q_des", np.nan),
        ("v_des", np.inf),
        ("tau_ff", -np.inf),
        ("kp", np.nan),
        ("kp", -1.0),
        ("kd", -1.0),
        ("kd", 1e9),
        ("tau_ff", 1e6),
        ("q_des", 100.0),
        ("v_des", 1e5),
        ("seq", np.nan),
    ],
)
def test_a_command_out_of_range_is_refused_counted_and_changes_nothing(field, value):
    sim = simulate("g1")
    command = holding_command(sim)
    getattr(command, field)[0] = value
    before = sim.drives.commanded.data.copy()
    sim.write(command)
    assert sim.refused_commands == 1
    assert sim.drives.state is DriveState.HOLD
    np.testing.assert_array_equal(sim.drives.commanded.data, before)


def test_drives_hold_the_start_posture_until_they_are_commanded():
    sim = simulate("g1")
    start = sim.truth.q.copy()
    run(sim, 1.0)
    assert sim.drives.state is DriveState.HOLD
    assert np.abs(sim.truth.q - start).max() < 2e-3


def test_drives_damp_after_20_ms_of_silence_and_stay_so_until_rearmed():
    sim = simulate("g1")
    command = holding_command(sim)
    for tick in range(5):
        command.seq[0] = tick
        sim.write(command)
    for _ in range(WATCHDOG_TICKS - 1):
        sim.advance()
    assert sim.drives.state is DriveState.FOLLOW
    sim.advance()
    assert sim.drives.state is DriveState.DAMPING
    assert sim.events[-1]["kind"] == "drive-damping"
    for tick in range(5, 8):
        command.seq[0] = tick
        sim.write(command)
    assert sim.drives.state is DriveState.DAMPING
    sim.rearm()
    sim.advance()
    assert sim.drives.state is DriveState.DAMPING
    command.seq[0] = 9
    sim.write(command)
    assert sim.drives.state is DriveState.FOLLOW


def test_the_same_command_again_is_not_a_fresh_one():
    sim = simulate("g1")
    command = holding_command(sim)
    for _ in range(WATCHDOG_TICKS + 1):
        sim.write(command)
    assert sim.drives.state is DriveState.DAMPING


def test_damping_drives_resist_motion_on_every_joint():
    for name in ("g1", "talos", "bolt", "panda", "ur5"):
        unit = drives(name)
        unit.damp()
        model = robot(name)
        v = np.full(model.na, 0.1)
        tau = unit.step(model.q_nominal[model.nq_base :], v, v)
        assert (tau < 0.0).all()


def test_a_damped_robot_sinks_slowly():
    limp_fall_s = (2 * 0.3 / 9.81) ** 0.5
    sim = simulate("g1")
    height = sim.truth.q[2]
    sim.close()
    run(sim, limp_fall_s)
    assert sim.drives.state is DriveState.DAMPING
    assert height - sim.truth.q[2] < 0.15
