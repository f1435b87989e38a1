"""A walk that hardly gets ahead is reported once per command, and one that keeps its speed never."""

from __future__ import annotations

import math

import pytest

from kilohertz.controller.walking.pace import Pace


def walk(pace: Pace, speed_m_s: float, duration_s: float, yaw: float = 0.0, left: bool = False) -> list[str]:
    """Walks with landings twice per second and returns the remarks."""
    remarks, way = [], yaw + (math.pi / 2 if left else 0.0)
    for tick in range(round(duration_s / 0.01)):
        pace.time_s[0] += 0.01
        if tick % 50 == 49:
            distance = speed_m_s * tick * 0.01
            pace.landed(distance * math.cos(way), distance * math.sin(way), yaw)
            if pace.remark:
                remarks.append(pace.remark)
                pace.remark = ""
    return remarks


def test_a_walk_on_the_spot_is_reported_once() -> None:
    pace = Pace()
    pace.ask(0.26, 0.0)
    remarks = walk(pace, 0.03, 20.0)
    assert len(remarks) == 1
    assert remarks[0].startswith("walks at 0.03 m/s instead of 0.26 m/s")


@pytest.mark.parametrize(("yaw", "left"), [(0.0, False), (2.5, False), (-1.0, True)])
def test_a_walk_as_commanded_is_not_reported(yaw: float, left: bool) -> None:
    pace = Pace()
    pace.ask(*((0.0, 0.2) if left else (0.2, 0.0)))
    assert walk(pace, 0.19, 20.0, yaw, left) == []


def test_a_new_command_is_judged_anew() -> None:
    pace = Pace()
    for speed in (0.3, 0.2):
        pace.ask(speed, 0.0)
        assert len(walk(pace, 0.05, 10.0)) == 1


def test_stepping_in_place_is_not_judged() -> None:
    pace = Pace()
    pace.ask(0.0, 0.0)
    assert walk(pace, 0.0, 20.0) == []
