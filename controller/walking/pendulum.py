"""Divergent component of motion (DCM) of the linear inverted pendulum, backwards in time along a plan.

With xi = c + cdot / omega and omega = sqrt(g / h) the motion splits into xidot = omega (xi - z), which
diverges from the centre of pressure z, and cdot = omega (xi - c), which follows xi on its own
(Englsberger, Ott, Albu-Schaeffer, "Three-dimensional bipedal walking control based on divergent component
of motion", T-RO 2015, eq. 9 to 12). As xi diverges, the plan is computed backwards: from the required xi at
the end to the required xi now.
"""

from __future__ import annotations

import math

from kilohertz.robots.model.gravity import GRAVITY_M_S2


def natural_frequency(height_m: float) -> float:
    """Returns the natural frequency of a linear inverted pendulum of this height [1/s].

    Raises:
        ValueError: if height_m is not positive.
    """
    if not height_m > 0.0:
        raise ValueError(f"a pendulum has a positive height, not {height_m} m")
    return math.sqrt(GRAVITY_M_S2 / height_m)


def dcm_before_hold(xi_end: float, z: float, decay: float) -> float:
    """Returns the DCM along one axis before an interval in which z is constant, from the DCM after it [m].

    Args:
        xi_end: DCM at the end of the interval [m].
        z: centre of pressure [m].
        decay: exp(-omega T) for an interval of duration T.

    Source: Englsberger 2015, eq. 18.
    """
    return z + (xi_end - z) * decay


def dcm_before_ramp(xi_end: float, z_start: float, z_end: float, duration_s: float, omega: float) -> float:
    """Returns the DCM along one axis before an interval in which z moves linearly, from the DCM after it [m].

    Args:
        xi_end: DCM at the end of the interval [m].
        z_start: centre of pressure at the start [m].
        z_end: centre of pressure at the end [m].
        duration_s: duration of the interval, > 0 [s].
        omega: natural frequency [1/s].
    """
    lead = (z_end - z_start) / (duration_s * omega)
    return z_start + lead + (xi_end - z_end - lead) * math.exp(-omega * duration_s)
