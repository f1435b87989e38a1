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

import numpy as np
from numpy.typing import NDArray

from kilohertz.robots.compile.kernels import kernel

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

# No contact carries more; NaN and infinity do not compare below it.
LARGEST_FORCE_N = 1e6
# Entries of the parameter vector of `detect_contacts`: forces [N], debounce times [s].
MAKE, BREAK, MAKE_TIME, BREAK_TIME, N_PARAMETERS = 0, 1, 2, 3, 4


@kernel
def detect_contacts(
    force: Array,
    planned: BoolArray,
    dt: float,
    parameters: Array,
    contact: BoolArray,
    timer: Array,
    age: Array,
) -> None:
    """Moves every contact's flag on by one sample.

    Args:
        force: (nc,) normal forces [N]; NaN where not known.
        planned: (nc,) whether the plan has the contact closed.
        dt: time since the last sample [s].
        parameters: (4,) see MAKE and the names beside it.
        contact: (nc,) flags, written.
        timer: (nc,) how long the force has been asking for a change [s], written.
        age: (nc,) how long the contact has been closed [s]; 0 where it is open, written.
    """
    for c in range(force.shape[0]):
        # Comparisons, because with reassociation isfinite(x), which is x - x == 0, is folded to true.
        if not abs(force[c]) < LARGEST_FORCE_N:
            asks, debounce = planned[c] != contact[c], 0.0
        elif contact[c]:
            asks = force[c] < (parameters[BREAK] if planned[c] else parameters[MAKE])
            debounce = parameters[BREAK_TIME] if planned[c] else 0.0
        else:
            asks = force[c] > parameters[MAKE]
            debounce = 0.0 if planned[c] else parameters[MAKE_TIME]
        timer[c] = timer[c] + dt if asks else 0.0
        if asks and timer[c] >= debounce:
            contact[c] = not contact[c]
            timer[c] = 0.0
            age[c] = 0.0
        elif contact[c]:
            age[c] += dt
