"""Detection of a diverged filter and of a wrong IMU, from the innovations of the contacts.

A foot that rolls, slips or lands causes a large innovation of its own contact only, which is no sign of
divergence. A wrong IMU causes large innovations of all closed contacts at once and for long. The criterion is
therefore the smallest innovation of all closed contacts, averaged over a twentieth of a second. The filter
can also explain a wrong IMU by rolling soles. Then all soles seem to rotate in the same direction, further
than is possible for a robot that does not fall. The bounds are tighter for a robot at rest than for one that
was pushed, rocks on its heels and lands on both soles at once, and tighter for a robot that stands than for
one that steps. In all phases, in single and in double support, `imu_watch` compares the accelerometer with
the acceleration computed from the legs.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kilohertz.estimators.inekf_layout import ROTATION, STATE_V
from kilohertz.robots.compile.kernels import kernel

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

WINDOW_S = 0.05
TURNING_S = 1.0
RISE_S, UNREST_S = 0.1, 1.0
QUIET_M_S = 0.08
_QUIET_DOUBT = 3.0
STEPPING_S, _STEPPING = 1.0, 2.2
"""A robot that has lifted a foot of late turns its soles further, 8 deg where it is pushed as it walks, and
surprises both where it lands on its heels: the bounds are so much wider."""
FINDING_S = 0.18
"""A robot that was reset still finds upright for so long, as its tilt was that of one sample."""
_LEAST_CONTACTS = 2
_SOLE = 2


@kernel
def doubt_filter(
    dt: float,
    x: Array,
    active: IntArray,
    surprise: Array,
    P: Array,
    R_IF: Array,
    trust: Array,
    disagreement: Array,
    upright: Array,
    turned: Array,
    unrest: Array,
    contradiction: Array,
    since_reset: Array,
    doubt: Array,
) -> None:
    """How much the filter and the world disagree.

    Args:
        dt: time since the last sample taken [s].
        x: the filter's state, see InvariantEkf, also for the next three.
        active: (nc,) contacts in the filter.
        surprise: (nc, 2) squared Mahalanobis distances of their innovations.
        P: (n, n) covariance.
        R_IF: (nc, 3, 3) orientation of the contacts in the IMU frame.
        trust: (4,) largest disagreement, variance of the tilt [rad^2], common turn of the soles [rad] and
            contradiction [m/s^2] that are believed.
        disagreement: (1,) smallest surprise of a closed contact times their number, averaged; written.
        upright: (nc, 2) horizontal part of each sole's normal in the last sample, written.
        turned: (nc, 2) by how much each closed sole has tilted of late, as the filter has it [rad]; written.
        unrest: (2,) how fast the IMU has moved of late [m/s], and the time left in which the robot counts as
            stepping [s]; written.
        contradiction: (1,) see `watch_imu` [m/s^2].
        since_reset: (1,) [s]; written. Before FINDING_S nothing is doubted but the covariance.
        doubt: (1,) above 1 the filter is not to be believed; written.
    """
    since_reset[0] += dt
    found = since_reset[0] > FINDING_S
    closed, least = 0, math.inf
    soles, turn, way_x, way_y = 0, math.inf, 0.0, 0.0
    for c in range(len(active)):
        for i in range(2):
            normal = x[3 * i] * R_IF[c, 0, 2] + x[3 * i + 1] * R_IF[c, 1, 2] + x[3 * i + 2] * R_IF[c, 2, 2]
            change = normal - upright[c, i]
            upright[c, i] = normal
            turned[c, i] += change - min(1.0, dt / TURNING_S) * turned[c, i]
            if active[c] != _SOLE or not found:
                turned[c, i] = 0.0
        if active[c] != 0:
            closed += 1
            least = min(least, surprise[c, 0] + surprise[c, 1])
        if active[c] == _SOLE:
            soles += 1
            if soles > 1 and turned[c, 0] * way_x + turned[c, 1] * way_y <= 0.0:
                turn = 0.0
            way_x, way_y = turned[c, 0], turned[c, 1]
            turn = min(turn, math.sqrt(way_x * way_x + way_y * way_y))
    if closed >= _LEAST_CONTACTS and found:
        # Only while it can be told: what was seen counts on until the next time.
        disagreement[0] += min(1.0, dt / WINDOW_S) * (closed * least - disagreement[0])
    unrest[1] = STEPPING_S if closed < len(active) else max(unrest[1] - dt, 0.0)
    wider = 1.0 if unrest[1] == 0.0 else _STEPPING
    doubt[0] = disagreement[0] / (wider * trust[0])
    if soles >= _LEAST_CONTACTS:
        doubt[0] = max(doubt[0], turn / (wider * trust[2]))
    speed = math.sqrt(x[STATE_V] ** 2 + x[STATE_V + 1] ** 2 + x[STATE_V + 2] ** 2)
    # A push takes a while to move the robot, and what it starts lasts longer.
    unrest[0] += min(1.0, dt / (RISE_S if speed > unrest[0] else UNREST_S)) * (speed - unrest[0])
    if unrest[0] < QUIET_M_S:
        doubt[0] *= _QUIET_DOUBT
    # Here and below NaN is no reason to believe.
    if not contradiction[0] / trust[3] <= doubt[0]:
        doubt[0] = contradiction[0] / trust[3]
    tilt = P[ROTATION, ROTATION] + P[ROTATION + 1, ROTATION + 1]
    if not tilt <= trust[1]:
        doubt[0] = 2.0
