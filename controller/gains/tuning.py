"""Live tuning: new gains come into force in small steps, are on trial, and are rolled back if they fail.

Each step multiplies a gain by the same ratio, so that no step is large relative to the gain; the guard limits
the torque steps that remain. During the trial the new gains are judged by the robot's motion, compared with
the same kind of motion under the last good gains, see `kilohertz.controller.gains.comparison`. They are
rolled back to these as soon as the oscillation of a joint, the tracking error, the share of saturated torques
or the share of ticks without a solution is clearly larger.

Gains wait while there is no such motion to compare with, as in a transition from standing to walking, and a
trial that a transition interrupts starts again after it. A robot that is disturbed from outside moves like
one with bad gains: gains that seem to fail during a disturbance are rolled back all the same, and get one
more trial when it is over.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kilohertz.controller.gains.comparison import SIZE, TRANSITION, Figures, Watch, worse
from kilohertz.controller.gains.live import GainsRow, live_numbers, with_numbers
from kilohertz.controller.gains.schema import Gains
from kilohertz.robots.model.rows import Vector

NONE, ON_TRIAL, GOOD, ROLLED_BACK, REFUSED = range(5)
"""States of the newest gains: none received, on trial, accepted, rolled back, refused."""

_STEP_TICKS = 10
"""Number of ticks between two steps of a change."""
_STEPS_INTO_FORCE, _STEPS_BACK = 20, 5
"""Number of steps in which new gains come into force, and in which they are rolled back."""
_REFERENCE_PASSES, _TRIAL_PASSES = (1, 2, 2), (2, 2, 2)
"""Number of passes of each kind of motion that a trial is compared with, and number of those in a trial:
seconds on soles that stay where they are, and steps onto each foot."""
_UNSETTLED_TICKS = 1000
"""Time in ticks after a roll-back or a disturbance in which the motion is not yet the usual one."""
_MOST_TRIALS = 2
"""Number of trials of the same gains, if each but the last ended while the robot was disturbed."""


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
        numbers: (n,) values of the live gains in force, in the order of `live_paths`; during a change they
            are between the old ones and the new ones.
        figures: (2, SIZE) the `Figures` of comparable motion before the newest gains and with them; NaN
            before their verdict.
        waiting: whether gains have arrived whose trial has not begun, or was interrupted.
    """

    def __init__(
        self, gains: Gains, apply: Callable[[Gains], None], joint_names: tuple[str, ...], dt_s: float
    ) -> None:
        self._gains, self._apply = gains, apply
        self._watch = Watch(joint_names, dt_s)
        self._made_with = live_numbers(gains)
        self.numbers, self._good_numbers, self._from, self._to = (self._made_with.copy() for _ in range(4))
        self._in_ratios = np.zeros(self.numbers.size, dtype=bool)
        self.figures = np.full((2, SIZE), np.nan)
        self._start()

    def _start(self) -> None:
        self.generation = self.in_force = self._good = 0
        self.state, self.reason = NONE, ""
        self.waiting = False
        self.figures[:] = np.nan
        self._step = self._steps = self._ticks = self._trials = self._unsettled = 0
        self._postponed = self._comparable = False

    def reset(self) -> None:
        """Restores the gains that the controller was made with, immediately, and forgets all motion."""
        self._start()
        self._watch.reset()
        if (self.numbers != self._made_with).any():
            for numbers in (self.numbers, self._good_numbers, self._to):
                numbers[:] = self._made_with
            self._apply(self._gains)

    @property
    def target(self) -> Vector:
        """(n,) values of the gains `in_force`, which `numbers` have or approach."""
        return self._to

    @property
    def settled(self) -> bool:
        """Whether the gains have reached their final values, after a change or a roll-back."""
        return self._step == self._steps

    def take(self, row: GainsRow) -> None:
        """Takes new gains and makes the next step of a change; called at the start of each tick.

        Gains wait while there is no motion to compare theirs with, and so do gains whose trial was
        interrupted.

        Args:
            row: the newest live gains.
        """
        new = row.generation != self.generation
        self.waiting = new or self._postponed
        if self.waiting and self._comparable:
            if new:
                self._trials = 0
            self._begin(row)
        if self._step < self._steps:
            self._ticks += 1
            if self._ticks % _STEP_TICKS == 0:
                self._step += 1
                self._move()

    def _begin(self, row: GainsRow) -> None:
        tried = self._tries
        self.generation, self._postponed, self.waiting = row.generation, False, False
        self.figures[:] = np.nan
        if not row.sound():
            if tried:
                self._restore()
            self.state, self.reason = REFUSED, "numbers are out of their bounds"
            return
        self.state, self.reason = ON_TRIAL, ""
        self.in_force = row.generation
        self._trials += 1
        self._watch.begin_trial()
        self._go_to(row.numbers, _STEPS_INTO_FORCE)

    def _go_to(self, numbers: Vector, steps: int) -> None:
        self._from[:], self._to[:] = self.numbers, numbers
        np.greater(self._from * self._to, 0.0, out=self._in_ratios)
        self._step, self._steps, self._ticks = 0, steps, 0

    def _move(self) -> None:
        part, numbers = self._step / self._steps, self.numbers
        if part == 1.0:
            numbers[:] = self._to
        else:
            np.subtract(self._to, self._from, out=numbers)
            numbers *= part
            numbers += self._from
            both = self._in_ratios
            numbers[both] = self._from[both] * (self._to[both] / self._from[both]) ** part
        self._apply(with_numbers(self._gains, numbers))

    def new_request(self) -> None:
        """Forgets the motion so far, and postpones a trial; called for each request for another motion."""
        self._watch.reference.clear()
        self._watch.cut()
        self._comparable = False
        if self._tries:
            self._interrupt()
            self._trials -= 1

    @property
    def _tries(self) -> bool:
        return self.state == ON_TRIAL and not self._postponed

    def _interrupt(self) -> None:
        """Restores the last good gains until the trial can start again."""
        self._postponed = True
        self._restore()

    def _restore(self) -> None:
        self.in_force = self._good
        self._go_to(self._good_numbers, _STEPS_BACK)

    def judge(
        self,
        v: Vector,
        tau: Vector,
        limit: Vector,
        solved: bool,
        off_m: float,
        *,
        kind: int,
        calm: bool,
        active: bool,
    ) -> None:
        """Judges the gains on trial, or learns the reference; called at the end of each tick.

        Args:
            v: as for `Watch.see`.
            tau: as for `Watch.see`.
            limit: as for `Watch.see`.
            solved: as for `Watch.see`.
            off_m: as for `Watch.see`.
            kind: kind of the motion, as for `Watch.follow`.
            calm: whether no disturbance acts on the robot.
            active: whether the controller still controls the joints, and has not begun to damp them.
        """
        watch = self._watch
        self._unsettled = max(self._unsettled - 1, 0) if calm else _UNSETTLED_TICKS
        if self._unsettled or not self.settled:
            watch.cut()
        else:
            watch.follow(kind, watch.on_trial if self._tries else watch.reference)
        watch.see(v, tau, limit, solved, off_m)
        if self._tries:
            self._try(kind, active, limit)
        if kind == TRANSITION:
            # What comes after it may be another motion of the same kind, as a walk at another speed.
            watch.reference.clear()
        steady = active and kind != TRANSITION and self.settled and not self._unsettled
        self._comparable = steady and watch.reference.complete(kind, _REFERENCE_PASSES)

    def _try(self, kind: int, active: bool, limit: Vector) -> None:
        """Judges the gains on trial."""
        watch = self._watch
        if not active:
            self._roll_back_in("the robot gave up", kind)
        elif not watch.reference.complete(kind, _REFERENCE_PASSES):
            # The motion has become a transition without a request.
            if self._unsettled:
                self._fail("the robot was disturbed", kind)
            else:
                self._interrupt()
        else:
            reason = watch.verdict(kind)
            if reason:
                self._fail(reason, kind)
            elif watch.on_trial.complete(kind, _TRIAL_PASSES):
                self._conclude(float(limit.mean()))

    def _conclude(self, limit_Nm: float) -> None:
        """Accepts the gains after a whole trial, or rolls them back if a figure is worse."""
        reference, on_trial = self._watch.reference, self._watch.on_trial
        ticks = on_trial.ticks()
        before, after = reference.figures(ticks), on_trial.figures(ticks)
        reason = worse(Figures(*before.tolist()), Figures(*after.tolist()), limit_Nm)
        if reason:
            self._roll_back(reason, before, after)
            return
        self.figures[0], self.figures[1] = before, after
        self.state, self._good = GOOD, self.in_force
        self._good_numbers[:] = self._to
        reference.take_from(on_trial)

    def _fail(self, reason: str, kind: int) -> None:
        """Rolls back gains that failed; during a disturbance, they may have failed because of it."""
        if self._unsettled and self._trials < _MOST_TRIALS:
            self._interrupt()
        else:
            self._roll_back_in(reason, kind)

    def _roll_back_in(self, reason: str, kind: int) -> None:
        """Rolls back gains in the middle of a trial, with the figures of motion of this kind before."""
        reference = self._watch.reference
        only = 1.0 * (np.arange(len(reference.count)) == kind)
        self._roll_back(reason, reference.figures(only), self._watch.since.figures())

    def _roll_back(self, reason: str, before: Vector, after: Vector) -> None:
        self.state, self.reason = ROLLED_BACK, reason
        self.figures[0], self.figures[1] = before, after
        self._unsettled = _UNSETTLED_TICKS
        self._restore()
