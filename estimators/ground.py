"""Estimation of the slope and roughness of the ground, from a plane through the last contacts.

The plane is fitted to several contacts because the tilt of a single sole contains little information: on
rough ground it depends on the obstacle under the sole. The worse the contacts fit one plane, the closer to
level the estimated ground is.
"""

from __future__ import annotations

import math

_CONTACTS = 6
"""Number of contacts that the plane is fitted to."""
_USUAL_SLOPE = 0.12
"""SD of the prior on the slope, whose mean is level ground."""
_SURE_M = 0.001
"""Smallest SD of the height of a contact [m]."""
_LEVEL = 0.03
"""Slopes up to this size count as level; the correction fades quickly for larger slopes."""
_STEEPEST = 0.3
"""Largest slope along x or y that is estimated."""

Slope = tuple[float, float]
"""Slope (rise over run) of the ground along the x and y axes of the world."""


class Ground:
    """Fits a plane to the last contacts.

    Args:
        half_length_m, half_width_m: half length and half width of a sole [m]; they weight the tilt of a sole
            as much as the heights of its edges.

    Attributes:
        slope: estimated slope along the x and y axes of the world.
        roughness_m: RMS distance of the contacts from the plane [m].
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
        """Resets the estimate to level ground without contacts."""
        self._count = self._next = 0
        self.slope, self.roughness_m = (0.0, 0.0), 0.0

    def feel(self, x: float, y: float, z: float, tilt: Slope) -> None:
        """Adds a stance sole to the fit.

        Args:
            x: x position of the middle of the sole in the world [m].
            y: y position of the middle of the sole in the world [m].
            z: height of the middle of the sole in the world [m].
            tilt: slope of the sole along the x and y axes of the world.
        """
        self._points[self._next], self._tilts[self._next] = (x, y, z), tilt
        self._next = (self._next + 1) % _CONTACTS
        self._count = min(self._count + 1, _CONTACTS)
        self._fit()

    def _fit(self) -> None:
        """Fits the plane to heights and tilts by least squares, with a prior to level set by the misfit."""
        n, points, tilts = self._count, self._points, self._tilts
        mx = sum(points[i][0] for i in range(n)) / n
        my = sum(points[i][1] for i in range(n)) / n
        mz = sum(points[i][2] for i in range(n)) / n
        # Soles may have any heading in the world, so the mean of both squared half sizes is used.
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
        # Small slopes count as level, so that the noise of the contacts does not tilt a level floor.
        part = _LEVEL * _LEVEL / max(a * a + b * b, _LEVEL * _LEVEL)
        keep = 1.0 - part * part
        a, b = keep * a, keep * b
        self.slope = (min(max(a, -_STEEPEST), _STEEPEST), min(max(b, -_STEEPEST), _STEEPEST))


def _solve(xx: float, xy: float, yy: float, xz: float, yz: float) -> Slope:
    det = xx * yy - xy * xy
    return (yy * xz - xy * yz) / det, (xx * yz - xy * xz) / det


def sole_tilt(slope_x: float, slope_y: float, yaw: float) -> tuple[float, float]:
    """Returns pitch (positive toe down) and roll of a sole that lies flat on sloping ground [rad].

    Args:
        slope_x: slope of the ground along the x axis of the world.
        slope_y: slope of the ground along the y axis of the world.
        yaw: heading of the sole [rad].
    """
    c, s = math.cos(yaw), math.sin(yaw)
    ahead, left = c * slope_x + s * slope_y, c * slope_y - s * slope_x
    pitch = -math.atan(ahead)
    return pitch, math.atan(left * math.cos(pitch))
