"""The ground as the feet have felt it: a plane through the last contacts.

A plane through several contacts, because the tilt of one sole says little: on rough ground it rests on
whatever lies under it. The less the contacts lie in one plane, the closer to level the ground is taken to be.
"""

from __future__ import annotations

import math

_CONTACTS = 6
_USUAL_SLOPE = 0.12
"""Slopes of this size are to be expected: what is felt is weighed against it."""
_SURE_M = 0.001
"""No contact is known better than to this height."""
_LEVEL = 0.03
"""Slopes up to this count as none, larger ones soon as what they are."""
_STEEPEST = 0.3

Slope = tuple[float, float]
"""Rise of the ground along the world's x and y."""


class Ground:
    """Plane through the last contacts.

    Args:
        half_length_m, half_width_m: of a sole, whose tilt counts as much as the heights of its edges.

    Attributes:
        slope: rise along x and y.
        roughness_m: how far contacts are from that plane, RMS.
    """

    def __init__(self, half_length_m: float, half_width_m: float) -> None:
        self._half2 = (half_length_m * half_length_m, half_width_m * half_width_m)
        self._points: list[tuple[float, float, float]] = [(0.0, 0.0, 0.0)] * _CONTACTS
        self._tilts: list[Slope] = [(0.0, 0.0)] * _CONTACTS
        self._count = 0
        self._next = 0
        self.slope: Slope = (0.0, 0.0)
        self.roughness_m = 0.0

    def begin(self) -> None:
        """Forgets all contacts."""
        self._count = self._next = 0
        self.slope, self.roughness_m = (0.0, 0.0), 0.0

    def feel(self, x: float, y: float, z: float, tilt: Slope) -> None:
        """Takes a sole that stands: its middle in the world, and its rise along x and y."""
        self._points[self._next], self._tilts[self._next] = (x, y, z), tilt
        self._next = (self._next + 1) % _CONTACTS
        self._count = min(self._count + 1, _CONTACTS)
        self._fit()

    def _fit(self) -> None:
        """Least squares of heights and tilts, with a pull to level as strong as the misfit."""
        n, points, tilts = self._count, self._points, self._tilts
        mx = sum(points[i][0] for i in range(n)) / n
        my = sum(points[i][1] for i in range(n)) / n
        mz = sum(points[i][2] for i in range(n)) / n
        # Soles point anywhere in the world: half a sole is taken as its mean both ways.
        half2 = 0.5 * (self._half2[0] + self._half2[1])
        xx = yy = n * half2
        xy = xz = yz = zz = 0.0
        for i in range(n):
            x, y, z = points[i][0] - mx, points[i][1] - my, points[i][2] - mz
            a, b = tilts[i]
            xx, xy, yy = xx + x * x, xy + x * y, yy + y * y
            xz, yz = xz + x * z + half2 * a, yz + y * z + half2 * b
            zz += z * z + half2 * (a * a + b * b)
        least = (_SURE_M / _USUAL_SLOPE) ** 2
        a, b = _solve(xx + least, xy, yy + least, xz, yz)
        misfit2 = max(zz - a * xz - b * yz, 0.0) / max(n - 1, 1)
        self.roughness_m = math.sqrt(misfit2)
        doubt = least + misfit2 / (_USUAL_SLOPE * _USUAL_SLOPE)
        a, b = _solve(xx + doubt, xy, yy + doubt, xz, yz)
        # A floor that is level counts as level, whatever the last contacts say.
        part = _LEVEL * _LEVEL / max(a * a + b * b, _LEVEL * _LEVEL)
        keep = 1.0 - part * part
        a, b = keep * a, keep * b
        self.slope = (min(max(a, -_STEEPEST), _STEEPEST), min(max(b, -_STEEPEST), _STEEPEST))


def _solve(xx: float, xy: float, yy: float, xz: float, yz: float) -> Slope:
    det = xx * yy - xy * xy
    return (yy * xz - xy * yz) / det, (xx * yz - xy * xz) / det


def sole_tilt(slope_x: float, slope_y: float, yaw: float) -> tuple[float, float]:
    """Pitch (toe down) and roll of a sole with this heading on ground of this slope [rad]."""
    c, s = math.cos(yaw), math.sin(yaw)
    ahead, left = c * slope_x + s * slope_y, c * slope_y - s * slope_x
    pitch = -math.atan(ahead)
    return pitch, math.atan(left * math.cos(pitch))
