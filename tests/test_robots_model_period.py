from __future__ import annotations

from types import SimpleNamespace

import pytest

from kilohertz.robots.model.period import PERIOD_NS, PERIOD_S, period_ns, period_s, period_steps, ticks_of
from kilohertz.robots.model.robot_model import RobotModel


def robot_at(rate_hz):
    return SimpleNamespace(description=SimpleNamespace(rate_hz=rate_hz))


@pytest.mark.parametrize(("rate_hz", "steps"), [(1000, 1), (500, 2), (250, 4), (200, 5)])
def test_the_period_is_a_whole_number_of_simulation_steps(rate_hz, steps):
    assert period_steps(robot_at(rate_hz)) == steps
    assert period_ns(robot_at(rate_hz)) == steps * PERIOD_NS
    assert period_s(robot_at(rate_hz)) * rate_hz == pytest.approx(1.0, abs=1e-15)


def test_a_robot_without_a_rate_has_the_usual_period_bit_for_bit():
    assert period_s(RobotModel.load("g1")) == PERIOD_S == 1e-9 * PERIOD_NS


def test_a_duration_is_the_same_time_at_every_rate():
    assert [ticks_of(0.05, period_s(robot_at(rate))) for rate in (1000, 500, 250, 200)] == [50, 25, 12, 10]
    assert ticks_of(0.0, PERIOD_S) == 1
