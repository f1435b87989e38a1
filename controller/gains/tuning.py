"""Gains that change while the robot runs: into force step by step, then on trial, back if it goes wrong.

A gain moves in equal ratios, so that no step of it is large beside it; the guard limits what steps of torque
it still makes. Then it is judged by what the robot does: whether it swings, loses its reference, has no
torque left or no solution, more than it did before. Whatever trips goes back to the last good gains.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from kilohertz.controller.gains.live import GainsRow, live_numbers, with_numbers
from kilohertz.controller.gains.schema import Gains
from kilohertz.robots.model.rows import Vector

NONE, ON_TRIAL, GOOD, ROLLED_BACK, REFUSED = range(5)
"""What became of the newest gains."""

_STEP_TICKS = 10
_STEPS_INTO_FORCE, _STEPS_BACK = 20, 5
_TRIAL_TICKS = 2200
"""With the steps into force."""
_WAIT_TICKS = 1000
"""After a new request the robot's motion is another one: what is usual is learnt anew."""
_SLOW_PER_S = 20.0
"""Of a joint's velocity what changes faster than this is swinging: 3 Hz."""
_SOON_S, _LONG_S = 0.05, 2.0
"""Averages are taken over the first; what was usual is forgotten over the second."""
_TIMES_AS_MUCH = 2.0
_SWING_RAD_S, _OFF_M = 0.12, 0.02
"""What a robot may do of it in any case."""
_SATURATED, _NO_TORQUE_LEFT, _UNSOLVED = 0.98, 0.5, 0.3
"""A torque over its limit that counts as all of it; the share of ticks with it, and without a solution."""


class Watch:
    """What the robot does, and whether that is more than usual.

    Args:
        joint_names: of the robot.
        dt_s: period [s].
    """

    def __init__(self, joint_names: tuple[str, ...], dt_s: float) -> None:
        n = len(joint_names)
        self._names = joint_names
        self._follow, self._soon = dt_s * _SLOW_PER_S, dt_s / _SOON_S
        self._keep = 1.0 - dt_s / _LONG_S
        self._slow, self._swing, self._usual_swing, self._work = np.zeros((4, n))
        self.reset()

    def reset(self) -> None:
        """Forgets all that it has seen."""
        for mean in (self._slow, self._swing, self._usual_swing):
            mean[:] = 0.0
        self._saturated = self._unsolved = self._off_m = 0.0
        self._usually_saturated = self._usually_unsolved = self._usually_off_m = 0.0

    def see(self, v: Vector, torque: float, solved: bool, off_m: float) -> None:
        """Takes one tick.

        Args:
            v: joint velocities [rad/s].
            torque: the largest, over its limit.
            solved: whether the whole-body problem had a solution.
            off_m: distance of the centre of mass or a hand from its reference [m].
        """
        work = self._work
        np.subtract(v, self._slow, out=work)
        self._slow += self._follow * work
        work *= work
        work -= self._swing
        self._swing += self._soon * work
        self._saturated += self._soon * (float(torque >= _SATURATED) - self._saturated)
        self._unsolved += self._soon * (float(not solved) - self._unsolved)
        self._off_m += self._soon * (off_m - self._off_m)

    def learn(self) -> None:
        """Takes what the robot does for usual."""
        self._usual_swing *= self._keep
        np.maximum(self._usual_swing, self._swing, out=self._usual_swing)
        self._usually_saturated = max(self._usually_saturated * self._keep, self._saturated)
        self._usually_unsolved = max(self._usually_unsolved * self._keep, self._unsolved)
        self._usually_off_m = max(self._usually_off_m * self._keep, self._off_m)

    def verdict(self) -> str:
        """What is unusual, in words; "" if nothing is."""
        np.sqrt(self._usual_swing, out=self._work)
        self._work *= _TIMES_AS_MUCH
        self._work += _SWING_RAD_S
        self._work *= self._work
        if (self._swing > self._work).any():
            j = int(np.argmax(self._swing - self._work))
            now, usual = math.sqrt(self._swing[j]), math.sqrt(self._usual_swing[j])
            return f"{self._names[j]} swings at {now:.2f} rad/s, {usual:.2f} before"
        if self._off_m > _TIMES_AS_MUCH * self._usually_off_m + _OFF_M:
            return f"it is {self._off_m:.3f} m off its reference, {self._usually_off_m:.3f} m before"
        if self._saturated > _TIMES_AS_MUCH * self._usually_saturated + _NO_TORQUE_LEFT:
            return "its torques are at their limits"
        if self._unsolved > _TIMES_AS_MUCH * self._usually_unsolved + _UNSOLVED:
            return "its torques are the best that can be had, and not what balance takes"
        return ""


class Tuning:
    """Takes rows of live gains into force, and back.

    Args:
        gains: that the controller was made with.
        apply: puts gains into force, at once.
        joint_names: of the robot.
        dt_s: period [s].

    Attributes:
        generation: of the newest gains that came.
        in_force: of those that are in force, or on their way.
        state: what became of the newest: NONE until any came, ON_TRIAL, GOOD, ROLLED_BACK or REFUSED.
        reason: why they were rolled back or refused, in words.
    """

    def __init__(
        self, gains: Gains, apply: Callable[[Gains], None], joint_names: tuple[str, ...], dt_s: float
    ) -> None:
        self._gains, self._apply = gains, apply
        self._watch = Watch(joint_names, dt_s)
        self._made_with = live_numbers(gains)
        self._now, self._good_numbers, self._from, self._to = (self._made_with.copy() for _ in range(4))
        self._in_ratios = np.zeros(self._now.size, dtype=bool)
        self._start()

    def _start(self) -> None:
        self.generation = self.in_force = self._good = 0
        self.state, self.reason = NONE, ""
        self._step = self._steps = self._ticks = self._judged = self._wait = 0

    def reset(self) -> None:
        """Goes back to the gains that the controller was made with, at once; nothing is usual yet."""
        self._start()
        self._watch.reset()
        if (self._now != self._made_with).any():
            for numbers in (self._now, self._good_numbers, self._to):
                numbers[:] = self._made_with
            self._apply(self._gains)

    @property
    def settled(self) -> bool:
        """Whether what is in force does not move any more."""
        return self._step == self._steps

    def take(self, row: GainsRow) -> None:
        """At the start of a tick: what has come, and the next step of what is on its way.

        Gains that come right after a new request wait until it is known what is usual with the old ones.
        """
        if row.generation != self.generation and not self._wait:
            self._begin(row)
        if self._step < self._steps:
            self._ticks += 1
            if self._ticks % _STEP_TICKS == 0:
                self._step += 1
                self._move()

    def _begin(self, row: GainsRow) -> None:
        self.generation = row.generation
        if not row.sound():
            self.state, self.reason = REFUSED, "numbers are out of their bounds"
            return
        self.state, self.reason = ON_TRIAL, ""
        self.in_force, self._judged = row.generation, 0
        self._go_to(row.numbers, _STEPS_INTO_FORCE)

    def _go_to(self, numbers: Vector, steps: int) -> None:
        self._from[:], self._to[:] = self._now, numbers
        np.greater(self._from * self._to, 0.0, out=self._in_ratios)
        self._step, self._steps, self._ticks = 0, steps, 0

    def _move(self) -> None:
        part = self._step / self._steps
        if part == 1.0:
            self._now[:] = self._to
        else:
            np.subtract(self._to, self._from, out=self._now)
            self._now *= part
            self._now += self._from
            both = self._in_ratios
            self._now[both] = self._from[both] * (self._to[both] / self._from[both]) ** part
        self._apply(with_numbers(self._gains, self._now))

    def new_request(self) -> None:
        """Something else was asked of the robot."""
        self._wait = _WAIT_TICKS

    def judge(self, v: Vector, torque: float, solved: bool, off_m: float, active: bool) -> None:
        """At the end of a tick: `active` as long as the robot has not given up; the rest as `Watch.see`."""
        watch = self._watch
        watch.see(v, torque, solved, off_m)
        self._wait = max(self._wait - 1, 0)
        on_trial = self.state == ON_TRIAL
        if on_trial and not active:
            self._roll_back("the robot gave up")
        elif not on_trial or self._wait:
            watch.learn()
        else:
            reason = watch.verdict()
            self._judged += 1
            if reason:
                self._roll_back(reason)
            elif self._judged >= _TRIAL_TICKS:
                self.state, self._good = GOOD, self.in_force
                self._good_numbers[:] = self._to

    def _roll_back(self, reason: str) -> None:
        self.state, self.reason, self.in_force = ROLLED_BACK, reason, self._good
        self._go_to(self._good_numbers, _STEPS_BACK)
