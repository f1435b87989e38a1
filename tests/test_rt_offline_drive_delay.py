"""The delay of drives is found in torques that follow the commanded ones late and with noise."""

import numpy as np
import pytest

from kilohertz.rt.offline.drive_delay import commanded_torque, delay_in_ticks


@pytest.mark.parametrize("delay", [1, 3, 12])
def test_the_delay_is_found(delay):
    rng = np.random.default_rng(0)
    asked = 10.0 * np.sin(np.linspace(0.0, 40.0, 2000)[:, None] + np.arange(3))
    late = np.concatenate((np.repeat(asked[:1], delay, axis=0), asked[:-delay]))
    given = late + 0.02 * rng.normal(size=asked.shape)
    ticks, exact = delay_in_ticks(asked, given)
    assert ticks == delay
    assert exact == pytest.approx(delay, abs=0.05)


def test_a_short_or_unknown_log_does_not_tell():
    asked = np.ones((50, 2))
    assert np.isnan(delay_in_ticks(asked, asked)[1])
    given = np.full((2000, 2), np.nan)
    assert np.isnan(delay_in_ticks(np.ones((2000, 2)), given)[1])


def test_the_law_of_the_drives_is_applied_within_the_limits():
    names = ("q_des", "v_des", "kp", "kd", "tau_ff")
    command = np.zeros(2, np.dtype([(name, "<f8", (1,)) for name in names]))
    sensors = np.zeros(2, np.dtype([(name, "<f8", (1,)) for name in ("q", "v")]))
    command["tau_ff"], command["kp"], command["q_des"] = 1.0, 10.0, [[0.2], [9.0]]
    np.testing.assert_allclose(commanded_torque(sensors, command, np.array([5.0])), [[3.0], [5.0]])
