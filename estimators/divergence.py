"""Whether the filter can still be believed: its contacts tell whether the IMU does.

A foot that rolls, slips or lands surprises the filter, and is no reason to doubt the rest. An IMU that is
wrong makes it disagree with every closed contact at once, and for long. So the contact that surprises least
is looked at, over a twentieth of a second, while at least two are closed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from estimators.inekf_layout import ROTATION
from robots.compiled import kernel

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

WINDOW_S = 0.05
_LEAST_CONTACTS = 2


@kernel
def doubt_filter(
    dt: float, active: IntArray, surprise: Array, P: Array, trust: Array, disagreement: Array, doubt: Array
) -> None:
    """How much the filter and the world disagree.

    Args:
        dt: time since the last sample taken [s].
        active: (nc,) contacts in the filter, see InvariantEkf.
        surprise: (nc, 2) squared Mahalanobis distances of their innovations.
        P: (n, n) covariance.
        trust: (2,) largest disagreement, and largest variance of the tilt [rad^2], that are believed.
        disagreement: (1,) smallest surprise of a closed contact times their number, averaged; written.
        doubt: (1,) above 1 the filter is not to be believed; written.
    """
    closed, least = 0, np.inf
    for c in range(len(active)):
        if active[c] != 0:
            closed += 1
            least = min(least, surprise[c, 0] + surprise[c, 1])
    if closed >= _LEAST_CONTACTS:
        # Only while it can be told: what was seen counts on until the next time.
        disagreement[0] += min(1.0, dt / WINDOW_S) * (closed * least - disagreement[0])
    tilt = P[ROTATION, ROTATION] + P[ROTATION + 1, ROTATION + 1]
    doubt[0] = disagreement[0] / trust[0]
    # Also where it is NaN.
    if not tilt <= trust[1]:
        doubt[0] = 2.0
