"""Search for a way from posture to posture around the arm's own body and the ground; outside the tick.

Two trees of postures grow towards each other from both ends, in the space of joint positions; then the way
is shortened. The random numbers have a fixed seed, so that a request always gets the same answer.

Source: Kuffner and LaValle, "RRT-Connect: an efficient approach to single-query path planning", ICRA 2000.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from kilohertz.robots.model.rows import Vector

Free = Callable[[Vector], bool]
"""Whether a posture (na,) is free of collisions."""

_STEP, _CHECK_RAD = 0.4, 0.03
"""Length by which a tree grows, and distance between checked postures, by the joint that moves most [rad]."""
_MOST_STEPS, _SHORTCUTS = 400, 60


def way_is_free(free: Free, a: Vector, b: Vector) -> bool:
    """Returns whether the straight line of joint positions between two free postures is free.

    The line is checked from coarse to fine, because a collision is rarely close to the ends.
    """
    n = 1 << max(0, math.ceil(math.log2(max(float(np.abs(b - a).max()) / _CHECK_RAD, 1.0))))
    stride = n
    while stride > 1:
        for i in range(stride // 2, n, stride):
            if not free(a + (i / n) * (b - a)):
                return False
        stride //= 2
    return True


def search_way(free: Free, start: Vector, end: Vector, low: Vector, high: Vector) -> list[Vector] | None:
    """Returns postures on the way between two free postures, the end included; None if no way is found.

    Args:
        free: whether a posture is free.
        start: (na,) posture at which the way begins [rad].
        end: (na,) posture at which it ends [rad].
        low: (na,) lowest positions of the joints [rad].
        high: (na,) highest positions of the joints [rad].
    """
    low, high = np.minimum(low, np.minimum(start, end)), np.maximum(high, np.maximum(start, end))
    low, high = np.maximum(low, start - math.pi), np.minimum(high, start + math.pi)
    low, high = np.minimum(low, end), np.maximum(high, end)
    rng = np.random.default_rng(0)
    trees = _Tree(start), _Tree(end)
    for i in range(_MOST_STEPS):
        growing, other = trees[i % 2], trees[1 - i % 2]
        # Some steps aim at the other end, which is often enough.
        aim = other.postures[0] if i % 8 < 2 else rng.uniform(low, high)
        new = growing.grow(free, aim, math.inf if i % 8 < 2 else 1)
        if new is None:
            continue
        met = other.grow(free, growing.postures[new], math.inf)
        if met is not None and np.array_equal(other.postures[met], growing.postures[new]):
            parts = growing.root_to(new), other.root_to(met)
            first, second = parts if i % 2 == 0 else parts[::-1]
            return _shortened(free, [*first, *second[-2::-1]], rng)[1:]
    return None


class _Tree:
    """Postures that can be reached from a root, each with the index of the one before it."""

    def __init__(self, root: Vector) -> None:
        self.postures, self._before = [root], [0]
        self._all = root[None].copy()

    def grow(self, free: Free, aim: Vector, steps: float) -> int | None:
        """Grows from the nearest posture towards another; returns the index of the last new one, or None."""
        near = int(np.argmin(np.abs(self._all - aim).max(axis=1)))
        if np.array_equal(self.postures[near], aim):
            return near
        new = None
        while steps > 0:
            steps -= 1
            here = self.postures[near]
            far = float(np.abs(aim - here).max())
            there = aim if far <= _STEP else here + (_STEP / far) * (aim - here)
            if not (free(there) and way_is_free(free, here, there)):
                break
            self.postures.append(there)
            self._before.append(near)
            self._all = np.vstack([self._all, there])
            near = new = len(self.postures) - 1
            if far <= _STEP:
                break
        return new

    def root_to(self, index: int) -> list[Vector]:
        """Returns the postures from the root to one of them."""
        way = [self.postures[index]]
        while index:
            index = self._before[index]
            way.append(self.postures[index])
        return way[::-1]


def _shortened(free: Free, way: Sequence[Vector], rng: np.random.Generator) -> list[Vector]:
    """Leaves out postures between which a straight line is free, and cuts corners."""
    short = list(way)
    i = 0
    while i < len(short) - 2:
        j = len(short) - 1
        while j > i + 1 and not way_is_free(free, short[i], short[j]):
            j -= 1
        short[i + 1 : j] = []
        i += 1
    for _ in range(_SHORTCUTS):
        if len(short) < 3:
            break
        i = int(rng.integers(0, len(short) - 2))
        a = short[i] + rng.uniform() * (short[i + 1] - short[i])
        b = short[i + 1] + rng.uniform() * (short[i + 2] - short[i + 1])
        if free(a) and free(b) and way_is_free(free, a, b):
            longer = np.abs(short[i + 1] - a).max() + np.abs(b - short[i + 1]).max()
            if np.abs(b - a).max() < 0.9 * longer and len(short) < len(way) + 2:
                short[i + 1 : i + 2] = [a, b]
    return short
