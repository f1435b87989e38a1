from __future__ import annotations

import numpy as np
import pytest
from sim_runs import robot

from kilohertz.robots.model.rows import CommandRow
from kilohertz.rt.loop.fade import FADE_TICKS, damping_command, fade, last_command


def test_a_fade_goes_from_the_last_command_to_damping_in_equal_steps():
    rng = np.random.default_rng(0)
    last, out = CommandRow(3), CommandRow(3)
    last.data[:] = rng.normal(size=last.data.size)
    damping = damping_command(3, 2.0)
    damping.seq[0] = 41.0
    rows = []
    for step in range(1, FADE_TICKS + 1):
        fade(last, damping, step, out)
        rows.append(out.data.copy())
    for name in ("tau_ff", "kp", "kd", "v_des"):
        ways = np.array([_field(row, name) for row in (last.data, *rows)])
        np.testing.assert_allclose(np.diff(ways, axis=0), np.tile(np.diff(ways, axis=0)[0], (FADE_TICKS, 1)))
        np.testing.assert_allclose(ways[-1], getattr(damping, name), atol=1e-12)
    assert [row[0] for row in rows] == list(range(41, 41 + FADE_TICKS))


def _field(data, name):
    row = CommandRow(3)
    row.data[:] = data
    return getattr(row, name).copy()


@pytest.mark.parametrize("kd", [0.0, -1.0, np.nan, np.inf])
def test_a_damping_command_that_does_not_damp_is_refused(kd):
    with pytest.raises(ValueError, match="damping"):
        damping_command(2, kd)


def test_position_servos_fade_to_holding_their_last_position():
    servo = robot("so101").servo
    last, out = CommandRow(5), CommandRow(5)
    last.q_des[:], last.kp[:] = [0.1, -0.2, 0.3, 0.0, 0.5], servo.stiffness_Nm_rad
    ending = last_command(robot("so101"), np.full(5, 2.0))
    for step in range(1, FADE_TICKS + 1):
        fade(last, ending, step, out)
        np.testing.assert_array_equal(out.q_des, last.q_des)
        np.testing.assert_allclose(out.kp, servo.stiffness_Nm_rad)
        assert not out.tau_ff.any()


def test_drives_that_apply_torques_fade_to_damping():
    ending = last_command(robot("panda"), np.full(7, 2.0))
    assert not ending.kp.any()
    np.testing.assert_array_equal(ending.kd, 2.0)
