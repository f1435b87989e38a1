"""The divergent component of motion of the linear inverted pendulum, and its way back in time along a plan.

With xi = c + cdot / omega and omega = sqrt(g / h) the motion splits into xidot = omega (xi - z), which
diverges from the centre of pressure z, and cdot = omega (xi - c), which follows xi on its own
(Englsberger, Ott, Albu-Schaeffer, "Three-dimensional bipedal walking control based on divergent component
of motion", T-RO 2015, eq. 9 to 12). As xi diverges, a plan is followed backwards: from where xi has to be
at the end, to where it has to be now.
"""

from __future__ import annotations

import math

from kilohertz.robots.model.gravity import GRAVITY_M_S2


def natural_frequency(height_m: float) -> float:
    """Omega of a pendulum of this height [1/s].

    Raises:
        ValueError: if height_m is not positive.
    """
    if not height_m > 0.0:
        raise ValueError(f"a pendulum has a positive height, not {height_m} m")
    return math.sqrt(GRAVITY_M_S2 / height_m)


def dcm_before_hold(xi_end: float, z: float, decay: float) -> float:
    """One axis of the DCM before a time in which z rests, from the DCM after it.

    Args:
        xi_end: at the end [m].
        z: centre of pressure [m].
        decay: exp(-omega T) for a time T.

    Source: Englsberger 2015, eq. 18.
    """
    return z + (xi_end - z) * decay


def dcm_before_ramp(xi_end: float, z_start: float, z_end: float, duration_s: float, omega: float) -> float:
    """One axis of the DCM before a time in which z moves on a straight line, from the DCM after it.

    Args:
        xi_end: at the end [m].
        z_start: centre of pressure at the start [m].
        z_end: at the end [m].
        duration_s: > 0.
        omega: natural frequency [1/s].
    """
    lead = (z_end - z_start) / (duration_s * omega)
    return z_start + lead + (xi_end - z_end - lead) * math.exp(-omega * duration_s)
