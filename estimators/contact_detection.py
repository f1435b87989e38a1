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

# No contact carries more; NaN and infinity do not compare below it.
LARGEST_FORCE_N = 1e6


class Contacts(NamedTuple):
    """The nc contacts of a robot as one tick sees them, and their soles."""

    p_BF: Array
    """(nc, 3) position in the base [m]."""
    R_BF: Array
    """(nc, 3, 3) orientation in the base."""
    wrench_B: Array
    """(nc, 6) estimated force [N] and moment about the contact [Nm] in the base's axes; NaN where unknown."""
    force_N: Array
    """(nc,) normal force; NaN where neither sensor nor torques tell."""
    normal_force_N: Array
    """(nc,) normal force, the last known where it is not known now."""
    timer_s: Array
    """(nc,) for how long the force has been asking for a change."""
    age_s: Array
    """(nc,) for how long the contact has been closed; 0 where it is open."""
    p_FP: Array
    """(nc, 2) centre of pressure in the contact frame [m], see `find_pressure`."""
    margin: Array
    """(nc,) how far the centre of pressure is from the edge, see `find_pressure`."""
    sole_box: Array
    """(nc, 2, 2) least and greatest x, y of the corners in the contact frame [m]."""
    slot_kind: IntArray
    """(nc,) what a closed contact gives the filter: POINT or SOLE of inekf_layout."""


class Detection(NamedTuple):
    """When a contact closes and opens: forces [N] and debounce times [s]."""

    make_N: float
    break_N: float
    make_time_s: float
    break_time_s: float


@struct_kernel
def detect_contacts(
    planned: BoolArray, contact: BoolArray, dt: float, contacts: Contacts, detection: Detection
) -> None:
    """Moves every contact's flag on by one sample.

    Args:
        planned: (nc,) whether the plan has the contact closed.
        contact: (nc,) flags, written.
        dt: time since the last sample [s].
        contacts: their forces are read, timer and age written.
        detection: thresholds and debounce times.
    """
    force, timer, age = contacts.force_N, contacts.timer_s, contacts.age_s
    for c in range(force.shape[0]):
        # Comparisons, because with reassociation isfinite(x), which is x - x == 0, is folded to true.
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
