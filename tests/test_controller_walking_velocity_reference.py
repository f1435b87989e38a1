"""The course ramps velocities, and corrects what drifts without running after a push."""

import math

import pytest

from kilohertz.controller.walking.velocity_reference import VelocityReference

DT = 1e-3


def run(velocity_reference: VelocityReference, seconds: float) -> None:
    for _ in range(round(seconds / DT)):
        velocity_reference.advance(DT)


def test_a_velocity_is_reached_smoothly_and_integrates_along_the_heading() -> None:
    velocity_reference = VelocityReference()
    velocity_reference.begin(1.0, 2.0, math.pi / 2)
    velocity_reference.ask(0.4, 0.0, 0.0)
    run(velocity_reference, 1.0)
    assert velocity_reference.velocity == pytest.approx((0.4, 0.0, 0.0), abs=1e-6)
    assert (velocity_reference.x, velocity_reference.y) == pytest.approx((1.0, 2.2), abs=1e-3)
    assert not velocity_reference.resting


def test_it_rests_once_stopped() -> None:
    velocity_reference = VelocityReference()
    velocity_reference.ask(0.3, 0.1, 0.2)
    run(velocity_reference, 1.0)
    velocity_reference.ask(0.0, 0.0, 0.0)
    assert not velocity_reference.resting
    run(velocity_reference, 1.0)
    assert velocity_reference.resting


def test_a_lag_increases_the_step_and_a_side_offset_is_corrected() -> None:
    velocity_reference = VelocityReference()
    velocity_reference.correct(-0.05, 0.02, -0.1)
    velocity_reference.advance(DT)
    forward, left, turn = velocity_reference.steps
    assert forward > 0.0
    assert left < 0.0
    assert turn > 0.0


def test_an_eager_course_is_corrected_faster() -> None:
    slow, fast = VelocityReference(), VelocityReference(3.0)
    for velocity_reference in (slow, fast):
        velocity_reference.correct(-0.03, 0.01, 0.0)
        velocity_reference.advance(DT)
    assert fast.steps[:2] == pytest.approx([3.0 * speed for speed in slow.steps[:2]])


def test_a_push_moves_the_course_along() -> None:
    velocity_reference = VelocityReference()
    velocity_reference.correct(1.0, 0.0, 1.0)
    assert 0.0 < 1.0 - velocity_reference.x < 0.2
    assert 0.0 < 1.0 - velocity_reference.yaw < 0.3
    velocity_reference.advance(DT)
    assert abs(velocity_reference.steps[0]) < 0.1


def test_a_walk_is_steady_when_the_velocity_is_reached_and_not_while_it_changes():
    reference = VelocityReference()
    reference.begin(0.0, 0.0, 0.0)
    reference.ask(0.3, 0.0, 0.0)
    steady = []
    for _ in range(1500):
        reference.advance(1e-3)
        steady.append(reference.follows_steadily())
    # 0.25 of 0.3 m/s are reached after 0.625 s.
    assert steady.index(True) == pytest.approx(625, abs=2)
    assert all(steady[steady.index(True) :])
    # A slow drift, as of a stream, is steady until it makes another walk.
    steady = []
    for k in range(1000):
        reference.ask(0.3 + 1e-4 * k, 0.0, 0.0)
        reference.advance(1e-3)
        steady.append(reference.follows_steadily())
    assert 1 <= steady.count(False) <= 3
