"""Joint velocities from encoders alone: a causal Kalman filter that knows the noise of each encoder."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Largest ratio of two periods between neighbouring samples of which a difference counts as noise.
_EVEN = 1.6
_THIRD_DIFFERENCE = np.sqrt(20.0)
_SD_OF_MAD = 1.4826
_LEAST = 20


def noise_sd(t_s: Array, x: Array) -> Array:
    """SD of the white noise of signals, from their third differences, which a smooth motion hardly changes.

    Samples that repeat the one before in all columns are left out: they were held, not measured.

    Args:
        t_s: (n,) times [s].
        x: (n, k) signals, finite.

    Returns:
        (k,) standard deviations, of the unit of x; NaN with fewer than 20 samples.
    """
    fresh = np.r_[True, (np.diff(x, axis=0) != 0.0).any(axis=1)]
    t_s, x = t_s[fresh], x[fresh]
    if len(t_s) < _LEAST:
        return np.full(x.shape[1], np.nan)
    dt = np.diff(t_s)
    usual = float(np.median(dt))
    even = (dt < _EVEN * usual) & (dt > usual / _EVEN)
    window = even[:-2] & even[1:-1] & even[2:]
    third = np.diff(x, n=3, axis=0)
    third = third[window] if window.sum() >= _LEAST else third
    # Robust against single jolts; quantised signals, most of whose differences are 0, need the variance.
    robust = _SD_OF_MAD * np.median(np.abs(third), axis=0)
    plain = np.sqrt((third**2).mean(axis=0))
    sd: Array = np.where(robust > 0.0, np.minimum(robust, plain), plain) / _THIRD_DIFFERENCE
    return sd


def native_period_s(t_s: Array, x: Array) -> float:
    """Median time between samples that differ from the one before [s].

    Args:
        t_s: (n,) times [s].
        x: (n, k) signals.
    """
    fresh = np.r_[True, (np.diff(x, axis=0) != 0.0).any(axis=1)]
    times = t_s[fresh] if fresh.sum() > 1 else t_s
    return float(np.median(np.diff(times)))


def causal_velocity(t_s: Array, q: Array, accel_rad_s2: float, accel_time_s: float) -> Array:
    """Differentiates joint positions; each velocity uses samples up to its own time only.

    A Kalman filter for position and velocity under random acceleration; the noise of each encoder is taken
    from the log itself. Uneven periods and gaps are handled, as each step has its own period.

    Args:
        t_s: (n,) times, increasing [s].
        q: (n, k) joint positions [rad].
        accel_rad_s2: SD of the joint accelerations [rad/s^2].
        accel_time_s: their correlation time [s].

    Returns:
        (n, k) joint velocities [rad/s].
    """
    noise = np.nan_to_num(noise_sd(t_s, q), nan=1e-4)
    r = np.maximum(noise, 1e-6) ** 2
    density = 2.0 * accel_rad_s2**2 * accel_time_s
    p00, p01, p11 = r.copy(), np.zeros_like(r), np.ones_like(r)
    x, speed = q[0].copy(), np.zeros(q.shape[1])
    out = np.zeros_like(q)
    for i in range(1, len(t_s)):
        dt = t_s[i] - t_s[i - 1]
        x = x + dt * speed
        p00 = p00 + dt * (2.0 * p01 + dt * p11) + density * dt**3 / 3.0
        p01 = p01 + dt * p11 + density * dt**2 / 2.0
        p11 = p11 + density * dt
        k0, k1 = p00 / (p00 + r), p01 / (p00 + r)
        off = q[i] - x
        x, speed = x + k0 * off, speed + k1 * off
        p00, p01, p11 = (1.0 - k0) * p00, (1.0 - k0) * p01, p11 - k1 * p01
        out[i] = speed
    return out
