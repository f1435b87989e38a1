"""Live tuning: new gains come into force in small steps, are on trial, and are rolled back if they fail.

Each step multiplies a gain by the same ratio, so that no step is large relative to the gain; the guard limits
the torque steps that remain. During the trial the new gains are judged by the robot's motion. They are rolled
back to the last good gains if the oscillation of a joint, the tracking error, the share of saturated torques
or the share of ticks without a solution is clearly larger than before the change.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from kilohertz.controller.gains.live import GainsRow, live_numbers, with_numbers
from kilohertz.controller.gains.schema import Gains
from kilohertz.robots.model.rows import Vector

NONE, ON_TRIAL, GOOD, ROLLED_BACK, REFUSED = range(5)
"""States of the newest gains: none received, on trial, accepted, rolled back, refused."""

_STEP_TICKS = 10
"""Number of ticks between two steps of a change."""
_STEPS_INTO_FORCE, _STEPS_BACK = 20, 5
"""Number of steps in which new gains come into force, and in which they are rolled back."""
_TRIAL_TICKS = 2200
"""Duration of the trial in ticks, including the steps into force."""
_WAIT_TICKS, _WAIT_TO_STEP_TICKS = 1000, 3000
"""Time in ticks after a new request in which no gains are judged, and that after a request to walk.

The motion of the robot is a different one after a request, so the usual values are learnt again, with the
last good gains. A walk begins with a shift of the weight; its first two steps take up to 3 s.
"""
_SLOW_PER_S = 20.0
"""Corner frequency of the high-pass filter whose output counts as oscillation of a joint [rad/s]; 3 Hz."""
_SOON_S, _LONG_S = 0.05, 2.0
"""Time constant of the averages, and time constant with which the usual values decay [s]."""
_TIMES_AS_MUCH = 2.0
"""Ratio of a present value to its usual value above which it is unusual."""
_SWING_RAD_S, _OFF_M = 0.12, 0.02
"""Oscillation [rad/s] and tracking error [m] that are allowed in addition to the usual values."""
_SATURATED, _NO_TORQUE_LEFT, _UNSOLVED = 0.98, 0.5, 0.3
"""Thresholds for torque and solutions.

Ratio of a torque to its limit that counts as saturated, and the shares of ticks with a saturated torque and
without a solution that are allowed in addition to the usual shares.
"""


class Watch:
    """Measures oscillation, tracking error, torque and solver success, and compares them with usual values.

    Args:
        joint_names: names of the robot's joints.
        dt_s: control period [s].
    """

    def __init__(self, joint_names: tuple[str, ...], dt_s: float) -> None:
        n = len(joint_names)
        self._names = joint_names
        self._follow, self._soon = dt_s * _SLOW_PER_S, dt_s / _SOON_S
        self._keep = 1.0 - dt_s / _LONG_S
        self._slow, self._swing, self._usual_swing, self._work = np.zeros((4, n))
        self.reset()

    def reset(self) -> None:
        """Sets all averages and usual values to zero."""
        for mean in (self._slow, self._swing, self._usual_swing):
            mean[:] = 0.0
        self._saturated = self._unsolved = self._off_m = 0.0
        self._usually_saturated = self._usually_unsolved = self._usually_off_m = 0.0

    def see(self, v: Vector, torque: float, solved: bool, off_m: float) -> None:
        """Updates the averages with the values of one tick.

        Args:
            v: (na,) joint velocities [rad/s].
            torque: largest ratio of a joint torque to its limit.
            solved: whether the whole-body problem had a solution.
            off_m: largest distance of the centre of mass or of a hand from its reference [m].
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
        """Updates the usual values with the present averages."""
        self._usual_swing *= self._keep
        np.maximum(self._usual_swing, self._swing, out=self._usual_swing)
        self._usually_saturated = max(self._usually_saturated * self._keep, self._saturated)
        self._usually_unsolved = max(self._usually_unsolved * self._keep, self._unsolved)
        self._usually_off_m = max(self._usually_off_m * self._keep, self._off_m)

    def verdict(self) -> str:
        """Returns what is worse than usual, as a clause; "" if nothing is."""
        np.sqrt(self._usual_swing, out=self._work)
        self._work *= _TIMES_AS_MUCH
        self._work += _SWING_RAD_S
        self._work *= self._work
        if (self._swing > self._work).any():
            j = int(np.argmax(self._swing - self._work))
            now, usual = math.sqrt(self._swing[j]), math.sqrt(self._usual_swing[j])
            return f"the velocity of {self._names[j]} oscillates by {now:.2f} rad/s, by {usual:.2f} before"
        if self._off_m > _TIMES_AS_MUCH * self._usually_off_m + _OFF_M:
            return f"it is {self._off_m:.3f} m off its reference, {self._usually_off_m:.3f} m before"
        if self._saturated > _TIMES_AS_MUCH * self._usually_saturated + _NO_TORQUE_LEFT:
            return "its torques are at their limits"
        if self._unsolved > _TIMES_AS_MUCH * self._usually_unsolved + _UNSOLVED:
            return "its torques are the best that can be had, and not what balance takes"
        return ""


class Tuning:
    """Brings rows of live gains into force and rolls them back if they fail their trial.

    Args:
        gains: gains that the controller was made with.
        apply: function that brings gains into force immediately.
        joint_names: names of the robot's joints.
        dt_s: control period [s].

    Attributes:
        generation: generation of the newest gains received.
        in_force: generation of the gains that are in force or are being stepped towards.
        state: state of the newest gains: NONE before any were received, ON_TRIAL, GOOD, ROLLED_BACK or
            REFUSED.
        reason: why the newest gains were rolled back or refused; "" otherwise.
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
        self._postponed = False

    def reset(self) -> None:
        """Restores the gains that the controller was made with, immediately, and clears the usual values."""
        self._start()
        self._watch.reset()
        if (self._now != self._made_with).any():
            for numbers in (self._now, self._good_numbers, self._to):
                numbers[:] = self._made_with
            self._apply(self._gains)

    @property
    def settled(self) -> bool:
        """Whether the gains have reached their final values, after a change or a roll-back."""
        return self._step == self._steps

    def take(self, row: GainsRow) -> None:
        """Takes new gains and makes the next step of a change; called at the start of each tick.

        Gains that arrive right after a new request wait until the usual values with the old gains are known;
        so do gains that were on trial when it came.

        Args:
            row: the newest live gains.
        """
        if (row.generation != self.generation or self._postponed) and not self._wait:
            self._begin(row)
        if self._step < self._steps:
            self._ticks += 1
            if self._ticks % _STEP_TICKS == 0:
                self._step += 1
                self._move()

    def _begin(self, row: GainsRow) -> None:
        self.generation, self._postponed = row.generation, False
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

    def new_request(self, steps: bool) -> None:
        """Restarts the waiting time in which usual values are learnt, and postpones a trial.

        Called for each new request.

        Args:
            steps: whether the request makes the robot walk.
        """
        self._wait = _WAIT_TO_STEP_TICKS if steps else _WAIT_TICKS
        # Gains that come with the request itself, as at the start of a run, are no trial that it interrupts.
        if self.state == ON_TRIAL and not self._postponed and self._ticks > 1:
            self._postponed, self.in_force = True, self._good
            self._go_to(self._good_numbers, _STEPS_BACK)

    def judge(self, v: Vector, torque: float, solved: bool, off_m: float, active: bool) -> None:
        """Judges the gains on trial, or learns the usual values; called at the end of each tick.

        Args:
            v: as for `Watch.see`.
            torque: as for `Watch.see`.
            solved: as for `Watch.see`.
            off_m: as for `Watch.see`.
            active: whether the controller still controls the joints, and has not begun to damp them.
        """
        watch = self._watch
        watch.see(v, torque, solved, off_m)
        self._wait = max(self._wait - 1, 0)
        on_trial = self.state == ON_TRIAL
        if on_trial and not active and not self._postponed:
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
