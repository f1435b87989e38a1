"""Tests of the stream of walking velocities: when it leads, how it ends, and what it is limited to."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilohertz.controller.streams.channel import RAMP_S, SILENCE_S
from kilohertz.controller.streams.stream_row import StreamRow
from kilohertz.controller.walking.speed import check_speed, speed_limits
from kilohertz.controller.walking.velocity_stream import VelocityStream, within_ability
from kilohertz.robots.model.robot_model import RobotModel


@pytest.fixture(scope="module")
def robot() -> RobotModel:
    return RobotModel.load("g1")


class Stick:
    """A stream of velocities that samples are sent to."""

    def __init__(self, robot: RobotModel) -> None:
        self.row = StreamRow(robot)
        self.stream = VelocityStream(robot, self.row)

    def send(self, t_s: float, *velocity: float) -> None:
        self.row.velocity_t_s[0], self.row.velocity[:] = t_s, velocity
        self.stream.advance(t_s)


@pytest.fixture
def stick(robot: RobotModel) -> Stick:
    return Stick(robot)


def test_a_velocity_leads_and_silence_ends_it_by_a_ramp(stick: Stick) -> None:
    stream = stick.stream
    stick.send(0.0, 0.0, 0.0, 0.0)
    assert not stream.leads
    stick.send(0.1, 0.3, 0.0, 0.1)
    assert stream.leads
    assert not stream.fading
    assert stream.velocity == pytest.approx((0.3, 0.0, 0.1))
    stream.advance(0.1 + SILENCE_S + 0.5 * RAMP_S)
    assert stream.leads
    assert stream.fading
    assert stream.fraction == pytest.approx(0.5)
    stream.advance(0.1 + SILENCE_S + RAMP_S)
    assert not stream.leads


def test_zero_ends_it_by_the_same_ramp_without_the_silence(stick: Stick) -> None:
    stick.send(0.0, 0.3, 0.0, 0.0)
    for k in range(1, 8):
        stick.send(0.05 * k, 0.0, 0.0, 0.0)
    assert not stick.stream.leads
    assert SILENCE_S + RAMP_S > 0.05 * 7


def test_after_a_request_a_stick_that_is_still_held_waits_for_its_release(stick: Stick) -> None:
    stream = stick.stream
    stick.send(0.0, 0.3, 0.0, 0.0)
    stream.put_aside()
    stick.send(0.02, 0.3, 0.0, 0.0)
    assert not stream.leads
    stick.send(0.04, 0.0, 0.0, 0.0)
    stick.send(0.06, 0.3, 0.0, 0.0)
    assert stream.leads


def test_a_velocity_that_is_no_number_is_none(stick: Stick) -> None:
    stick.send(0.0, math.nan, 0.1, 0.0)
    assert not stick.stream.leads
    stick.send(0.02, 0.2, 0.0, 0.0)
    stick.send(0.04, math.inf, 0.1, 0.0)
    assert all(math.isfinite(value) for value in stick.stream.velocity)


@pytest.mark.long
@given(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3))
def test_any_velocity_is_scaled_down_to_what_the_robot_can_walk(velocity: list[float]) -> None:
    robot = RobotModel.load("g1")
    forward, left, turn = velocity
    walked = within_ability((forward, left, turn), *speed_limits(robot))
    check_speed(robot, [value * (1 - 1e-9) for value in walked])
    # The direction is kept.
    np.testing.assert_allclose(
        np.cross(walked, velocity), 0.0, atol=1e-6 * max(map(abs, velocity), default=1)
    )
