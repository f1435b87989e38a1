"""Contact detection by a Schmitt trigger with debounce on each normal force, and by the planned contacts.

The force decides whether a contact is closed; the plan only changes how fast the decision is made. A contact
closes when its force exceeds the upper threshold: at once if the contact is planned closed, and after a
debounce time if it is not (an early touch-down). A contact that is planned closed opens when its force stays
below the lower threshold for a debounce time (a lost foothold). A contact that is planned open opens at once,
as soon as its force is below the upper threshold. The steady results are: planned open and unloaded is open,
planned open but loaded is closed, planned closed and loaded is closed, planned closed but unloaded is open.
If the force of a contact is not known, its state follows the plan.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kilohertz.robots.compile.kernels import struct_kernel

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

# Upper bound for any contact force [N]; the comparison "< bound" also rejects NaN and infinity.
LARGEST_FORCE_N = 1e6


class Contacts(NamedTuple):
    """State of the nc contacts of a robot in one tick, and the geometry of their soles."""

    p_BF: Array
    """(nc, 3) position of each contact frame in the base frame [m]."""
    R_BF: Array
    """(nc, 3, 3) orientation of each contact frame in the base frame."""
    wrench_B: Array
    """(nc, 6) estimated force [N] and moment about the contact [Nm] in the base's axes; NaN where unknown."""
    force_N: Array
    """(nc,) normal force [N]; NaN where neither a sensor nor the joint torques determine it."""
    normal_force_N: Array
    """(nc,) normal force [N]; holds the last known value while the force is not known."""
    timer_s: Array
    """(nc,) time for which the force has been beyond the threshold that changes the contact's state [s]."""
    age_s: Array
    """(nc,) time since each contact closed [s]; 0 while it is open."""
    p_FP: Array
    """(nc, 2) centre of pressure in the contact frame [m], see `find_pressure`."""
    margin: Array
    """(nc,) distance of the centre of pressure from the edge of the sole, see `find_pressure`."""
    spin: Array
    """(nc, 3) angular velocity of each contact according to gyro and joint velocities, in the IMU's axes
    [rad/s]; zero for a contact that stands."""
    sole_box: Array
    """(nc, 2, 2) smallest and largest x, y of the corners in the contact frame [m]."""
    slot_kind: IntArray
    """(nc,) kind of measurement that a closed contact gives the filter: POINT or SOLE of inekf_layout."""


class Detection(NamedTuple):
    """Thresholds of contact detection: forces [N] and debounce times [s]."""

    make_N: float
    """Normal force above which a contact closes [N]."""
    break_N: float
    """Normal force below which a contact that is planned closed opens [N]."""
    make_time_s: float
    """Debounce time before a contact closes that is planned open [s]."""
    break_time_s: float
    """Debounce time before a contact opens that is planned closed [s]."""


@struct_kernel
def detect_contacts(
    planned: BoolArray, contact: BoolArray, dt: float, contacts: Contacts, detection: Detection
) -> None:
    """Updates the flag of every contact with one sample.

    Args:
        planned: (nc,) whether each contact is planned closed.
        contact: (nc,) whether each contact is closed; written.
        dt: time since the last sample [s].
        contacts: the contacts; `force_N` is read, `timer_s` and `age_s` are written.
        detection: force thresholds and debounce times.
    """
    force, timer, age = contacts.force_N, contacts.timer_s, contacts.age_s
    for c in range(force.shape[0]):
        # A comparison instead of isfinite(x): that is x - x == 0, which reassociation folds to true.
        if not abs(force[c]) < LARGEST_FORCE_N:
            asks, debounce = planned[c] != contact[c], 0.0
        elif contact[c]:
            asks = force[c] < (detection.break_N if planned[c] else detection.make_N)
            debounce = detection.break_time_s if planned[c] else 0.0
        else:
            asks = force[c] > detection.make_N
            debounce = 0.0 if planned[c] else detection.make_time_s
        timer[c] = timer[c] + dt if asks else 0.0
        if asks and timer[c] >= debounce:
            contact[c] = not contact[c]
            timer[c] = 0.0
            age[c] = 0.0
        elif contact[c]:
            age[c] += dt
