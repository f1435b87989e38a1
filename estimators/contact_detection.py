"""Which contacts are closed: a Schmitt trigger with debounce on each normal force, beside the plan.

The force decides, the plan only says how fast. A contact closes when its force exceeds the upper
threshold: at once where the plan says closed, after a debounce where it does not (an early touch-down).
It opens when its force falls below the lower threshold, after a debounce, where the plan says closed (a
lost foothold); where the plan says open it opens at once, and already below the upper threshold. So:
planned open and unloaded is open, planned open but loaded is closed, planned closed and loaded is closed,
planned closed but unloaded is open. Where no force is known the plan is believed.
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
