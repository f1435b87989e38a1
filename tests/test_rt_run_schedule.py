"""Commands of a scenario become requests, each at its tick; what cannot be done is told with its key."""

from __future__ import annotations

from typing import Any

import pytest
from bodies import robot

from kilohertz.controller.supervision.request import RequestRow, make_request
from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.run.schedule import schedule_of
from kilohertz.sim.scenario import load_scenario_located

REACH = {"p_WH_m": [0.4, 0.1, 0.5]}


def schedule(*commands: dict[str, Any]) -> list[tuple[int, RequestRow]]:
    content = {"name": "test", "duration_s": 9.0, "commands": list(commands)}
    return schedule_of(robot("panda"), *load_scenario_located(content, robot("panda")))


def test_each_command_is_the_request_of_its_behaviour_at_its_tick() -> None:
    entries = schedule({"at_s": 0.0, "stand": {}}, {"at_s": 1.5, "reach": REACH})
    assert [tick for tick, _ in entries] == [0, 1500]
    expected = make_request(robot("panda"), "reach", {"hand": "hand", **REACH}, 1.5)
    assert entries[1][1].data.tobytes() == expected.data.tobytes()


def test_all_that_the_robot_cannot_do_is_told_with_the_place_of_each() -> None:
    squat = {"squat": {"depth_m": 0.1, "period_s": 2.0}}
    with pytest.raises(ConfigError) as refusal:
        schedule({"at_s": 3.0, **squat}, {"at_s": 0.0, "stand": {}}, {"at_s": 1.0, **squat})
    assert [problem.key for problem in refusal.value.problems] == ["commands[2].squat", "commands[0].squat"]
