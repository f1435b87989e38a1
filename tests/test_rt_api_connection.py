"""A Python program commands a running controller: `kilohertz.connect`."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from control_channel import FakeLoop, controller

import kilohertz as khz
from kilohertz.rt.live.command_mailbox import DAMP

pytestmark = pytest.mark.host

LIMIT_S = 20.0


@pytest.fixture(scope="module")
def g1() -> khz.RobotModel:
    return khz.load_robot("g1")


@pytest.fixture
def endpoint(tmp_path: Path) -> str:
    return f"ipc://{tmp_path / 'control'}"


@pytest.fixture
def loop(g1: khz.RobotModel, endpoint: str) -> Iterator[FakeLoop]:
    with controller(g1, endpoint) as loop:
        yield loop


def test_a_program_requests_streams_and_stops(loop: FakeLoop, endpoint: str, g1: khz.RobotModel) -> None:
    with khz.connect(endpoint, LIMIT_S, name="planner") as robot:
        assert (robot.robot, robot.joint_names, robot.hand_names) == ("g1", g1.joint_names, g1.hand_names)
        assert robot.contact_names == g1.contact_names
        assert "walk" in robot.behaviours
        robot.command("walk", velocity_m_s=[0.3, 0.0])
        with pytest.raises(TimeoutError):
            robot.wait_done(0.01)
        with pytest.raises(khz.Refused, match="faster than 'g1' can walk"):
            robot.command("walk", velocity_m_s=[9, 0])
        robot.command("bow", angle_rad=0.2, period_s=3.0)
        loop.phase = 2
        robot.wait_done(LIMIT_S)
        hands = {"left_hand": {"p_BH_m": [0.3, 0.2, 0.2]}}
        until_s = time.monotonic() + LIMIT_S
        while loop.streams.hands_p[0] != 0.3:
            robot.stream(velocity_m_s=[0.3, 0.0], hands=hands, t_s=robot.t_s)
            assert time.monotonic() < until_s
            time.sleep(1e-3)
        assert robot.status().holder == "planner"
        assert loop.streams.hands_p[:3].tolist() == [0.3, 0.2, 0.2]
        with pytest.raises(khz.Refused, match="p_BH_m should be 3 numbers"):
            robot.stream(hands={"left_hand": {"p_BH_m": [0.3, 0.2]}})
        robot.release("hands")
        robot.give_lease()
        robot.take_lease()
        assert math.isnan(loop.streams.hands_t_s[0])
        assert loop.streams.velocity[0] == 0.3
        robot.stop("damp")
        until_s = time.monotonic() + LIMIT_S
        while loop.stops != [DAMP]:
            assert time.monotonic() < until_s
        assert "velocity_m_s" in robot.describe("walk")["properties"]
        assert "lease" in {event.kind for event in robot.events()}
        assert robot.events() == []


def test_a_behaviour_that_is_replaced_is_not_done(loop: FakeLoop, endpoint: str) -> None:
    with khz.connect(endpoint, LIMIT_S, role="person") as robot:
        with pytest.raises(khz.Refused, match="no behaviour to wait for"):
            robot.wait_done()
        robot.command("walk", velocity_m_s=[0.3, 0.0])
        loop.abandoned, loop.text = 1, "the robot was stopped"
        with pytest.raises(khz.Refused, match="the robot was stopped"):
            robot.wait_done(LIMIT_S)


def test_refusals_and_lost_links_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(khz.Refused, match="is not an endpoint"):
        khz.connect("g1")
    with pytest.raises(khz.Refused, match="role should be"):
        khz.connect(f"ipc://{tmp_path}/nobody", role="boss")  # type: ignore[arg-type]
    with pytest.raises(khz.LinkLostError, match="no controller answers"):
        khz.connect(f"ipc://{tmp_path}/nobody", timeout_s=0.05)
