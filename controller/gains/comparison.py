"""Compares the motion under new gains with the same kind of motion before them.

A pass is a stretch of one kind of motion: a second of standing or of moving on fixed soles, or one step onto
a given foot. The motion in a transition, as from standing to walking, is like no other and is in no pass.
What a pass under new gains shows is compared with the passes of the same kind under the gains before.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kilohertz.robots.model.rows import Vector

TRANSITION, RESTING = -1, 0
"""Kinds of motion: a transition, and soles that stay where they are; a step onto contact i is kind 1 + i."""
_KINDS = 3
_WINDOW_TICKS = 1000
"""Duration in ticks of a pass with soles that stay where they are."""
_FIRST_STEPS = 2
"""Number of whole steps after a transition that are in no pass: they still show its tracking error."""
_KEPT = 8
"""Number of passes of each kind that are kept."""
_SLOW_PER_S = 20.0
"""Corner frequency of the high-pass filter whose output counts as oscillation of a joint [rad/s]; 3 Hz."""
_SOON_S = 0.05
"""Time constant of the averages that are compared in every tick [s]."""
_TIMES_AS_MUCH = 2.0
"""Ratio of a present value to the largest one of the reference above which it is unusual."""
_SWING_RAD_S, _OFF_M = 0.12, 0.02
"""Oscillation [rad/s] and tracking error [m] that are allowed in addition."""
_CHATTER = 0.005
"""RMS change of a torque in a tick, relative to the mean torque limit, that is allowed in addition."""
_SATURATED, _NO_TORQUE_LEFT, _UNSOLVED = 0.98, 0.5, 0.3
"""Ratio of a torque to its limit that counts as saturated, and the shares of ticks with a saturated torque
and without a solution that are allowed in addition to those of the reference."""
_WORSE_TRACKING_M, _WORSE_EFFORT, _WORSE_CHATTER = 0.005, 0.1, 0.002
"""RMS tracking error [m], and RMS torque and RMS change of torque in a tick relative to the limit, that are
allowed in addition to twice those of the reference over a whole trial."""
_OFF, _SATURATED_SHARE, _UNSOLVED_SHARE, _CHATTER2_SOON = range(4)
_WORST = 4
_TICKS, _OFF2, _EFFORT2, _CHATTER2 = range(4)
_SUMS = 4


@dataclass(frozen=True)
class Figures:
    """How well the robot moves, over the same kinds of motion before and after a change of gains.

    Attributes:
        tracking_m: RMS distance of the centre of mass or of a hand from its reference [m].
        effort: RMS joint torque, relative to the torque limits.
        chatter_Nm: RMS change of a joint torque from one tick to the next [Nm].
        torque_margin: smallest distance of a joint torque from its limit, relative to the limit.
    """

    tracking_m: float
    effort: float
    chatter_Nm: float
    torque_margin: float


SIZE = len(Figures.__dataclass_fields__)


def change_text(before: Figures, after: Figures) -> str:
    """Returns all figures before and after a change, in words."""
    return (
        f"tracking {_short(1e3 * before.tracking_m)} -> {_short(1e3 * after.tracking_m)} mm, "
        f"effort {_short(1e2 * before.effort)} -> {_short(1e2 * after.effort)} %, "
        f"chatter {_short(before.chatter_Nm)} -> {_short(after.chatter_Nm)} Nm/ms, "
        f"torque margin {1e2 * before.torque_margin:.0f} -> {1e2 * after.torque_margin:.0f} %"
    )


def worse(before: Figures, after: Figures, limit_Nm: float) -> str:
    """Returns which figure of a whole trial is clearly worse than before, as a clause; "" if none is.

    Args:
        before: figures before the change.
        after: figures of the trial.
        limit_Nm: mean torque limit of the joints [Nm].
    """
    if after.tracking_m > _TIMES_AS_MUCH * before.tracking_m + _WORSE_TRACKING_M:
        return "it tracks its reference worse"
    if after.effort > _TIMES_AS_MUCH * before.effort + _WORSE_EFFORT:
        return "it takes more torque"
    if after.chatter_Nm > _TIMES_AS_MUCH * before.chatter_Nm + _WORSE_CHATTER * limit_Nm:
        return "its torques chatter"
    return ""


def _short(value: float) -> str:
    return f"{value:.3g}" if value < 100.0 else f"{value:.0f}"


class Passes:
    """What the newest passes of each kind of motion showed.

    Args:
        joints: number of joints.

    Attributes:
        count: number of passes of each kind since `clear`.
        swing: (kinds, joints) largest oscillation of each joint, squared [(rad/s)^2].
        worst: (kinds, 4) largest tracking error [m], share of saturated torques, share of ticks unsolved, and
            mean squared torque change [Nm^2].
    """

    def __init__(self, joints: int) -> None:
        self.count = [0] * _KINDS
        self.swing = np.zeros((_KINDS, joints))
        self.worst = np.zeros((_KINDS, _WORST))
        self._swings = np.zeros((_KINDS, _KEPT, joints))
        self._worsts = np.zeros((_KINDS, _KEPT, _WORST))
        self._sums = np.zeros((_KINDS, _KEPT, _SUMS))
        self._torques = np.zeros((_KINDS, _KEPT))

    def clear(self) -> None:
        """Forgets all passes."""
        self.count[:] = [0] * _KINDS

    def take_from(self, other: Passes) -> None:
        """Becomes a copy of `other`."""
        self.count[:] = other.count
        for name in ("swing", "worst", "_swings", "_worsts", "_sums", "_torques"):
            getattr(self, name)[:] = getattr(other, name)

    def add(self, kind: int, now: Passing) -> None:
        """Adds a pass of this kind, instead of the oldest one if there are many."""
        slot = self.count[kind] % _KEPT
        self.count[kind] += 1
        self._swings[kind, slot] = now.swing
        self._worsts[kind, slot] = now.worst
        self._sums[kind, slot] = now.sums
        self._torques[kind, slot] = now.torque
        n = min(self.count[kind], _KEPT)
        self._swings[kind, :n].max(axis=0, out=self.swing[kind])
        self._worsts[kind, :n].max(axis=0, out=self.worst[kind])

    def complete(self, kind: int, needed: Sequence[int]) -> bool:
        """Whether there are so many passes of this kind; steps onto all feet count together."""
        if kind <= RESTING:
            return kind == RESTING and self.count[RESTING] >= needed[RESTING]
        return all(n >= least for n, least in zip(self.count[1:], needed[1:], strict=True))

    def ticks(self) -> Vector:
        """Returns the (kinds,) number of ticks of each kind of motion."""
        kept = [min(n, _KEPT) for n in self.count]
        return np.array([self._sums[kind, :n, _TICKS].sum() for kind, n in enumerate(kept)])

    def figures(self, ticks: Vector) -> Vector:
        """Returns the figures of a motion that has so many ticks of each kind: (kinds,).

        Returns:
            (SIZE,) values of `Figures`; NaN if there is no pass of one of these kinds.
        """
        means, torque = np.zeros(_SUMS), 0.0
        for kind in np.flatnonzero(ticks).tolist():
            n = min(self.count[kind], _KEPT)
            if not n:
                return np.full(SIZE, np.nan)
            sums = self._sums[kind, :n].sum(axis=0)
            means += ticks[kind] / ticks.sum() * sums / sums[_TICKS]
            torque = max(torque, float(self._torques[kind, :n].max()))
        return _figures(means, torque)


def _figures(means: Vector, torque: float) -> Vector:
    return np.array([*np.sqrt(means[_OFF2:]).tolist(), 1.0 - torque])


class Passing:
    """A pass, as far as it has come.

    Args:
        joints: number of joints.

    Attributes:
        swing: (joints,) largest oscillation of each joint, squared [(rad/s)^2].
        worst: as a row of `Passes.worst`.
        sums: (4,) ticks, and sums of squared tracking error, torque relative to its limit and torque change.
        torque: largest ratio of a torque to its limit.
    """

    def __init__(self, joints: int) -> None:
        self.swing, self.worst, self.sums = np.zeros(joints), np.zeros(_WORST), np.zeros(_SUMS)
        self.torque = 0.0

    def begin(self) -> None:
        """Begins a new pass."""
        self.swing[:] = 0.0
        self.worst[:] = 0.0
        self.sums[:] = 0.0
        self.torque = 0.0

    def figures(self) -> Vector:
        """Returns the (SIZE,) values of `Figures`."""
        return _figures(self.sums / self.sums[_TICKS], self.torque)


class Watch:
    """Measures oscillation, tracking error, torque and solver success, and compares them with a reference.

    Args:
        joint_names: names of the robot's joints.
        dt_s: control period [s].

    Attributes:
        reference: passes under the last good gains.
        on_trial: passes under the gains on trial.
        present: the present pass.
        since: everything since `begin_trial`, as one pass.
    """

    def __init__(self, joint_names: tuple[str, ...], dt_s: float) -> None:
        n = len(joint_names)
        self._names = joint_names
        self._follow, self._soon = dt_s * _SLOW_PER_S, dt_s / _SOON_S
        self._slow, self._swing, self._work, self._tau, self._limit = np.zeros((5, n))
        self.reference, self.on_trial = Passes(n), Passes(n)
        self.present, self.since = Passing(n), Passing(n)
        self.reset()

    def reset(self) -> None:
        """Sets all averages to zero and forgets all passes."""
        self._slow[:] = 0.0
        self._swing[:] = 0.0
        self._saturated = self._unsolved = self._off_m = self._chatter2 = 0.0
        self._kind, self._whole, self._moved = TRANSITION, False, False
        self._first_steps = _FIRST_STEPS
        self._sums = np.zeros(_SUMS)
        self.reference.clear()
        self.begin_trial()
        self.present.begin()

    def begin_trial(self) -> None:
        """Forgets what was seen of gains on trial."""
        self.on_trial.clear()
        self.since.begin()

    def cut(self) -> None:
        """Drops the present pass: it does not show one set of gains in one kind of motion."""
        self._whole = False
        if self._kind == RESTING:
            self._kind = TRANSITION
        self.present.begin()

    def follow(self, kind: int, passes: Passes) -> None:
        """Notes of which kind the motion is in this tick; called before `see`.

        Args:
            kind: TRANSITION, RESTING, or 1 + i for a step onto contact i.
            passes: receives the pass that has ended before this tick, if it is complete.
        """
        before, resting = self._kind, kind == RESTING
        if kind == before and not (resting and self.present.sums[_TICKS] >= _WINDOW_TICKS):
            return
        # A pass of steps begins and ends at the touch-down of a foot; one at rest may begin at any time.
        steps_on = kind > RESTING and before > RESTING
        if not steps_on:
            self._first_steps = _FIRST_STEPS
        if self._whole and steps_on and self._first_steps:
            self._first_steps -= 1
        elif self._whole and (steps_on or (resting and before == RESTING)):
            passes.add(before, self.present)
        self._kind, self._whole = kind, resting or steps_on
        self.present.begin()

    def see(self, v: Vector, tau: Vector, limit: Vector, solved: bool, off_m: float) -> None:
        """Updates the averages and the present pass with the values of one tick.

        Args:
            v: (na,) joint velocities [rad/s].
            tau: (na,) joint torques [Nm].
            limit: (na,) their limits [Nm].
            solved: whether the whole-body problem had a solution.
            off_m: largest distance of the centre of mass or of a hand from its reference [m].
        """
        work, soon = self._work, self._soon
        np.subtract(v, self._slow, out=work)
        self._slow += self._follow * work
        work *= work
        work -= self._swing
        self._swing += soon * work
        np.subtract(tau, self._tau, out=work)
        chatter2 = float(work.dot(work)) / work.size if self._moved else 0.0
        self._tau[:], self._moved = tau, True
        np.divide(tau, limit, out=work)
        effort2 = float(work.dot(work)) / work.size
        torque = max(float(work.max()), -float(work.min()))
        self._saturated += soon * (float(torque >= _SATURATED) - self._saturated)
        self._unsolved += soon * (float(not solved) - self._unsolved)
        self._off_m += soon * (off_m - self._off_m)
        self._chatter2 += soon * (chatter2 - self._chatter2)
        self._limit = limit
        self._sums[:] = 1.0, off_m * off_m, effort2, chatter2
        for each in (self.present, self.since):
            each.sums += self._sums
            each.torque = max(each.torque, torque)
        present = self.present
        np.maximum(present.swing, self._swing, out=present.swing)
        worst = present.worst
        worst[_OFF] = max(worst[_OFF], self._off_m)
        worst[_SATURATED_SHARE] = max(worst[_SATURATED_SHARE], self._saturated)
        worst[_UNSOLVED_SHARE] = max(worst[_UNSOLVED_SHARE], self._unsolved)
        worst[_CHATTER2_SOON] = max(worst[_CHATTER2_SOON], self._chatter2)

    def verdict(self, kind: int) -> str:
        """Returns what is now worse than in the reference for this kind of motion, as a clause; or ""."""
        usual_swing, usual = self.reference.swing[kind], self.reference.worst[kind].tolist()
        np.sqrt(usual_swing, out=self._work)
        self._work *= _TIMES_AS_MUCH
        self._work += _SWING_RAD_S
        self._work *= self._work
        if (self._swing > self._work).any():
            j = int(np.argmax(self._swing - self._work))
            now, before = math.sqrt(self._swing[j]), math.sqrt(usual_swing[j])
            return f"the velocity of {self._names[j]} oscillates by {now:.2f} rad/s, by {before:.2f} before"
        if self._off_m > _TIMES_AS_MUCH * usual[_OFF] + _OFF_M:
            return f"it is {self._off_m:.3f} m off its reference, {usual[_OFF]:.3f} m before"
        if self._saturated > _TIMES_AS_MUCH * usual[_SATURATED_SHARE] + _NO_TORQUE_LEFT:
            return "its torques are at their limits"
        if self._unsolved > _TIMES_AS_MUCH * usual[_UNSOLVED_SHARE] + _UNSOLVED:
            return "its torques are the best that can be had, and not what balance takes"
        chatter_Nm, before_Nm = math.sqrt(self._chatter2), math.sqrt(usual[_CHATTER2_SOON])
        if chatter_Nm > _TIMES_AS_MUCH * before_Nm + _CHATTER * float(self._limit.mean()):
            return f"its torques change by {chatter_Nm:.2f} Nm in a tick, by {before_Nm:.2f} before"
        return ""
