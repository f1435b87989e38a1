"""Limits of planned motions."""

from __future__ import annotations

import numpy as np
from bodies import ARMS, robot

from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.motion.motion_limits import MotionLimits, motion_rate_per_s
from kilohertz.controller.whole_body.from_gains import barrier_settings


def test_motions_use_less_than_the_limits_of_the_maker() -> None:
    for name in ARMS:
        model = robot(name)
        limits = MotionLimits.of(model)
        assert (limits.speed < 0.92 * model.velocity_limit_rad_s).all()
        assert (limits.accel < model.acceleration_limit_rad_s2).all()
        assert (limits.jerk < model.jerk_limit_rad_s3).all()


def test_the_velocity_barrier_lets_a_motion_accelerate_to_its_speed() -> None:
    for name in ARMS:
        model = robot(name)
        limits, rate = MotionLimits.of(model), motion_rate_per_s(model)
        for a in np.linspace(0.1, 1.0, 10)[:, None] * limits.accel:
            left = model.velocity_limit_rad_s - limits.speed + a**2 / (2.0 * limits.jerk)
            assert (rate * left >= a - 1e-9).all()
        assert barrier_settings(model, Gains()).velocity_per_s >= min(rate, 350.0)
    assert barrier_settings(robot("g1"), Gains()).velocity_per_s == Gains().limits.velocity_per_s
