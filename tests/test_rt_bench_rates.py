from __future__ import annotations

import pytest
from sim_runs import robot
from test_rt_cli_main import USAGE, khz

from kilohertz.controller.gains.schema import load_gains
from kilohertz.rt.bench import rates
from kilohertz.rt.bench.rates import STANDING, STEPPING, SurvivedPush, run_rates, survives

pytestmark = pytest.mark.closed_loop

PUSHES = [
    SurvivedPush(rate, motion, "forward", 0.01 * rate)
    for motion in (STANDING, STEPPING)
    for rate in (10, 100, 1000)
]


def test_a_robot_survives_a_small_push_at_full_rate_and_none_at_ten_hertz() -> None:
    g1 = robot("g1")
    gains = load_gains(g1)
    assert survives(g1, gains, 1000, STANDING, "forward", 3.0)
    assert not survives(g1, gains, 1000, STANDING, "forward", 32.0)
    assert not survives(g1, gains, 10, STANDING, "forward", 3.0)


def test_a_rate_that_is_no_whole_number_of_steps_is_refused() -> None:
    with pytest.raises(ValueError, match="300 Hz"):
        survives(robot("g1"), load_gains(robot("g1")), 300, STANDING, "forward", 0.0)


def test_the_worst_direction_is_found_by_bisection(monkeypatch) -> None:
    limits = {"forward": 9.0, "left": 15.0, "backward": 6.3, "right": 14.0}
    monkeypatch.setattr(
        rates, "survives", lambda r, g, rate, motion, direction, Ns: rate > 10 and Ns <= limits[direction]
    )
    pushes = run_rates("g1", rates_hz=(10, 1000))
    for push in pushes:
        if push.rate_hz == 10:
            assert push.impulse_Ns == 0.0
        else:
            assert push.direction == "backward"
            assert 5.8 <= push.impulse_Ns <= 6.3


def test_the_rates_are_printed_written_and_drawn(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(rates, "run_rates", lambda name, progress: PUSHES)
    result = khz("bench", "rates", "--json", tmp_path / "rates.json", "--plot", tmp_path / "plots")
    assert result.exit_code == 0
    for told in ("rate Hz", "1000", STEPPING, "rates.png"):
        assert told in result.stdout
    assert (tmp_path / "rates.json").exists()
    assert (tmp_path / "plots" / "rates.png").read_bytes().startswith(b"\x89PNG")


def test_an_arm_is_not_pushed() -> None:
    result = khz("bench", "rates", "--robot", "panda")
    assert result.exit_code == USAGE
