"""The course ramps velocities, and corrects what drifts without running after a push."""

import math

import pytest

from controller.walking.course import Course

DT = 1e-3


def run(course: Course, seconds: float) -> None:
    for _ in range(round(seconds / DT)):
        course.advance(DT)


def test_a_velocity_is_reached_smoothly_and_integrates_along_the_heading() -> None:
    course = Course()
    course.begin(1.0, 2.0, math.pi / 2)
    course.ask(0.4, 0.0, 0.0)
    run(course, 1.0)
    assert course.velocity == pytest.approx((0.4, 0.0, 0.0), abs=1e-6)
    assert (course.x, course.y) == pytest.approx((1.0, 2.2), abs=1e-3)
    assert not course.resting


def test_it_rests_once_stopped() -> None:
    course = Course()
    course.ask(0.3, 0.1, 0.2)
    run(course, 1.0)
    course.ask(0.0, 0.0, 0.0)
    assert not course.resting
    run(course, 1.0)
    assert course.resting


def test_who_lags_behind_steps_faster_and_who_is_beside_steps_back() -> None:
    course = Course()
    course.correct(-0.05, 0.02, -0.1)
    course.advance(DT)
    forward, left, turn = course.steps
    assert forward > 0.0
    assert left < 0.0
    assert turn > 0.0


def test_an_eager_course_is_corrected_faster() -> None:
    slow, fast = Course(), Course(3.0)
    for course in (slow, fast):
        course.correct(-0.03, 0.01, 0.0)
        course.advance(DT)
    assert fast.steps[:2] == pytest.approx([3.0 * speed for speed in slow.steps[:2]])


def test_a_push_moves_the_course_along() -> None:
    course = Course()
    course.correct(1.0, 0.0, 1.0)
    assert 0.0 < 1.0 - course.x < 0.2
    assert 0.0 < 1.0 - course.yaw < 0.3
    course.advance(DT)
    assert abs(course.steps[0]) < 0.1
