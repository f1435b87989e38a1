"""Correction of the base estimate with its pose as measured from outside, by cameras or motion capture.

The pose of the base B is measured in a world V of its own, some time ago. With the first ALIGNING poses, V is
aligned with the world W of the estimate: position and yaw agree then on average, and the estimate does not
jump. Later poses bound the drift of position and yaw. A pose may lack its position, its roll and pitch, or
all angles (NaN).

A pose is compared with the estimate at the time of its measurement, from a ring of past estimates. The error
of the right-invariant filter evolves independently of the trajectory, so that the error of that time is a
linear function of the present one: during a delay `a`, rotation stays, and the position error then was
xi_p - a xi_v + a^2/2 (g x xi_R). The correction therefore applies to the present state, and to all past
estimates in the ring, which would otherwise be corrected for the same error twice.

A pose of which any component is further from the estimate than a gate allows is ignored as a whole. After
REALIGN such poses in a row, V is aligned anew: no pose ever moves the estimate far.

Sources: Barrau and Bonnabel, "The invariant extended Kalman filter as a stable observer", IEEE Trans.
Automatic Control, 2017 (the error); Larsen et al., "Incorporation of time delayed measurements in a
discrete-time Kalman filter", CDC 1998 (the measurement is moved to the present along the estimated motion).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kilohertz.estimators.base_state import Imu
from kilohertz.estimators.imu_watch import ImuWatch
from kilohertz.estimators.inekf_correction import retract
from kilohertz.estimators.inekf_layout import POSITION, ROTATION, VELOCITY, ContactPoses, Filter
from kilohertz.estimators.inekf_propagation import symmetrise
from kilohertz.estimators.odometry_frame import Odometry, follow_held, mark_held
from kilohertz.estimators.so3 import exp3, left_jacobian, log3, multiply, multiply_transposed, rotate
from kilohertz.robots.compile.kernels import struct_kernel
from kilohertz.robots.model.rows import OutsideRow

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Start index of each field of an OutsideRow, see there.
NUMBER, AGE, P_VB, RPY_VB, POSITION_SD, ROTATION_SD = 0, 1, 2, 5, 8, 9
# Start index of the fields of a past estimate: its time [s], orientation and position of the base.
AT, PAST_R, PAST_P, PAST_SIZE = 0, 1, 10, 13
RING_SIZE = 512
"""Number of past estimates: half a second at 1 kHz, five seconds at 100 Hz."""
ALIGNING = 20
"""Number of poses with which the world of the measurement is aligned before it is used."""
REALIGN = 20
"""Number of poses in a row beyond the gate after which the world of the measurement is aligned anew."""
COMPONENTS = 6
"""Number of measured components: rotation about x, y, z, then position x, y, z; in the axes of W."""


class OutsidePoses(NamedTuple):
    """State of the correction with outside poses."""

    row: Array
    """(n,) data of the OutsideRow that the newest pose is in."""
    seen: Array
    """(1,) number of the last pose that was used or ignored."""
    clock_s: Array
    """(1,) time since the last reset [s]."""
    past: Array
    """(RING_SIZE, PAST_SIZE) ring of past estimates of the base; see AT and the constants beside it."""
    written: IntArray
    """(1,) number of past estimates that were written since the last reset."""
    poses: IntArray
    """(1,) number of poses with which V was aligned, up to ALIGNING."""
    yaw_WV: Array
    """(1,) yaw of V in W [rad]."""
    p_VA: Array
    """(3,) mean position of the base in V while V was aligned [m]; NaN before the first."""
    p_WA: Array
    """(3,) the same point in W [m]."""
    ignored: IntArray
    """(1,) number of poses since the last reset that were ignored."""
    misfits: IntArray
    """(1,) number of poses in a row, up to now, that were further from the estimate than the gate allows."""
    z: Array
    """(COMPONENTS,) innovation; NaN where it is not known."""
    variance: Array
    """(COMPONENTS,) variance of each component [rad^2, m^2]."""
    H: Array
    """(COMPONENTS, n) Jacobian of each component with respect to the present error."""
    gain: Array
    """(n,) scratch: P H' of one component."""
    delta: Array
    """(n,) correction of the error-state."""
    work: Array
    """(6, 3, 3) scratch."""
    position_variance_m2: float
    """Variance of a position whose SD is not given [m^2]."""
    rotation_variance_rad2: float
    """Variance of a rotation whose SD is not given [rad^2]."""
    delay_s: float
    """Age of a pose whose age is not given [s]."""
    gate: float
    """Squared innovation of a component, over its variance, above which a pose is ignored."""


def new_outside_poses(
    row: OutsideRow, n: int, *, position_sd_m: float, rotation_sd_rad: float, delay_s: float, gate: float
) -> OutsidePoses:
    """Allocates the state for a filter with n error states; see `OutsidePoses`."""
    return OutsidePoses(
        row=row.data,
        seen=np.zeros(1),
        clock_s=np.zeros(1),
        past=np.zeros((RING_SIZE, PAST_SIZE)),
        written=np.zeros(1, np.int64),
        poses=np.zeros(1, np.int64),
        yaw_WV=np.zeros(1),
        p_VA=np.full(3, np.nan),
        p_WA=np.full(3, np.nan),
        ignored=np.zeros(1, np.int64),
        misfits=np.zeros(1, np.int64),
        z=np.zeros(COMPONENTS),
        variance=np.zeros(COMPONENTS),
        H=np.zeros((COMPONENTS, n)),
        gain=np.zeros(n),
        delta=np.zeros(n),
        work=np.zeros((6, 3, 3)),
        position_variance_m2=float(position_sd_m**2),
        rotation_variance_rad2=float(rotation_sd_rad**2),
        delay_s=float(delay_s),
        gate=float(gate),
    )


def reset_outside_poses(outside: OutsidePoses) -> None:
    """Forgets past estimates and the alignment; poses that have come so far are not used."""
    outside.seen[0] = outside.row[NUMBER]
    outside.clock_s[0] = 0.0
    outside.written[0] = outside.ignored[0] = outside.misfits[0] = outside.poses[0] = 0


@struct_kernel
def use_outside_pose(
    dt: float,
    ekf: Filter,
    poses: ContactPoses,
    imu: Imu,
    watch: ImuWatch,
    odometry: Odometry,
    outside: OutsidePoses,
) -> None:
    """Remembers the estimate, and corrects it if a new outside pose has come.

    Nothing is done before the first pose, so that a robot without an outside measurement pays nothing.

    Args:
        dt: time since the last accepted sample [s].
        ekf: the filter after this sample; written.
        poses: which contacts the filter uses.
        imu: pose of the IMU in the base frame.
        watch: `hung` is rotated with the estimate.
        odometry: the odometry frame, which a correction does not move against the contacts; written.
        outside: written.
    """
    if outside.row[NUMBER] == 0.0:
        return
    outside.clock_s[0] += dt
    remember(ekf, imu, odometry, outside)
    if outside.row[NUMBER] == outside.seen[0]:
        return
    outside.seen[0] = outside.row[NUMBER]
    age = outside.row[AGE]
    age = age if age == age else outside.delay_s
    if not (age >= 0.0 and recall(outside.clock_s[0] - age, outside)):
        # At the start, poses are older than the ring: it begins with the first pose.
        outside.ignored[0] += 1 if outside.written[0] > RING_SIZE or not age >= 0.0 else 0
        return
    if outside.poses[0] == 0:
        align(outside)
    compare(ekf, age, odometry, outside)
    if passes(ekf, outside):
        outside.misfits[0] = 0
        if outside.poses[0] < ALIGNING:
            align(outside)
        else:
            mark_held(ekf, poses, odometry)
            absorb_components(ekf, watch, odometry, outside)
            follow_held(ekf, outside.delta, odometry)
        return
    outside.ignored[0] += 1
    outside.misfits[0] += 1
    if outside.misfits[0] == REALIGN:
        outside.misfits[0] = 0
        outside.poses[0] = 0


@struct_kernel
def remember(ekf: Filter, imu: Imu, odometry: Odometry, outside: OutsidePoses) -> None:
    """Writes the present estimate of the base into the ring."""
    entry, R_WB, arm = outside.past[outside.written[0] % RING_SIZE], outside.work[0], outside.work[1, 0]
    multiply_transposed(ekf.R_WI, imu.R_BI, R_WB)
    rotate(R_WB, imu.p_BI, arm)
    entry[AT] = outside.clock_s[0]
    for i in range(3):
        entry[PAST_P + i] = odometry.origin_W[i] + ekf.p_WI[i] - arm[i]
        for j in range(3):
            entry[PAST_R + 3 * i + j] = R_WB[i, j]
    outside.written[0] += 1


@struct_kernel
def recall(at_s: float, outside: OutsidePoses) -> bool:
    """Writes the estimate of a past time to `outside.work`.

    The orientation is that of the nearest sample before, and the position is interpolated.

    Args:
        at_s: the time, since the last reset [s].
        outside: `work[0]`, orientation, and `work[1, 0]`, position [m], are written.

    Returns:
        False if the ring does not reach back so far.
    """
    newest, past = outside.written[0] - 1, outside.past
    oldest = max(0, outside.written[0] - RING_SIZE)
    k = newest
    while k > oldest and past[k % RING_SIZE, AT] > at_s + 1e-9:
        k -= 1
    entry = past[k % RING_SIZE]
    if entry[AT] > at_s + 1e-9:
        return False
    following = past[min(k + 1, newest) % RING_SIZE]
    span = following[AT] - entry[AT]
    share = min(max((at_s - entry[AT]) / span, 0.0), 1.0) if span > 0.0 else 0.0
    for i in range(3):
        outside.work[1, 0, i] = entry[PAST_P + i] + share * (following[PAST_P + i] - entry[PAST_P + i])
        for j in range(3):
            outside.work[0, i, j] = entry[PAST_R + 3 * i + j]
    return True


@struct_kernel
def align(outside: OutsidePoses) -> None:
    """Adds the newest pose to the means by which V is aligned with W; `recall` has written the estimate."""
    row, R_past, p_past, k = outside.row, outside.work[0], outside.work[1, 0], outside.poses[0]
    outside.poses[0] += 1
    yaw = row[RPY_VB + 2]
    if k == 0:
        outside.yaw_WV[0] = 0.0
    if yaw == yaw:
        off = math.atan2(R_past[1, 0], R_past[0, 0]) - yaw - outside.yaw_WV[0]
        outside.yaw_WV[0] += math.atan2(math.sin(off), math.cos(off)) / (k + 1)
    for i in range(3):
        if k == 0:
            outside.p_VA[i] = row[P_VB + i]
            outside.p_WA[i] = p_past[i]
        else:
            outside.p_VA[i] += (row[P_VB + i] - outside.p_VA[i]) / (k + 1)
            outside.p_WA[i] += (p_past[i] - outside.p_WA[i]) / (k + 1)


@struct_kernel
def compare(ekf: Filter, age: float, odometry: Odometry, outside: OutsidePoses) -> None:
    """Computes innovation, variance and Jacobian of each component of the newest pose.

    Args:
        ekf: the filter.
        age: age of the pose [s].
        odometry: place of the filter's origin, to which the lever arms in the Jacobian are relative.
        outside: `z`, `variance` and `H` are written; `recall` has written the estimate to `work`.
    """
    row, work, z, H = outside.row, outside.work, outside.z, outside.H
    R_past, p_past = work[0], work[1, 0]
    roll, pitch, yaw = row[RPY_VB], row[RPY_VB + 1], row[RPY_VB + 2]
    yaw_past = math.atan2(R_past[1, 0], R_past[0, 0])
    c, s = math.cos(outside.yaw_WV[0]), math.sin(outside.yaw_WV[0])
    x, y = row[P_VB] - outside.p_VA[0], row[P_VB + 1] - outside.p_VA[1]
    z[3] = outside.p_WA[0] + c * x - s * y - p_past[0]
    z[4] = outside.p_WA[1] + s * x + c * y - p_past[1]
    z[5] = outside.p_WA[2] + row[P_VB + 2] - outside.p_VA[2] - p_past[2]
    turn = outside.yaw_WV[0] + yaw
    if roll == roll and pitch == pitch and yaw == yaw:
        rotation_of(roll, pitch, turn, work[3])
        multiply_transposed(work[3], R_past, work[4])
        log3(work[4], z[0:3])
    else:
        z[0] = math.nan
        z[1] = math.nan
        z[2] = math.atan2(math.sin(turn - yaw_past), math.cos(turn - yaw_past))
    given = row[ROTATION_SD] * row[ROTATION_SD]
    rotation = given if given == given else outside.rotation_variance_rad2
    # The alignment with few poses is uncertain too.
    share = 1.0 + 1.0 / outside.poses[0]
    given = row[POSITION_SD] * row[POSITION_SD]
    position = given if given == given else outside.position_variance_m2
    fall = 0.5 * age * age * ekf.gravity_m_s2
    for i in range(3):
        outside.variance[i] = share * rotation
        outside.variance[3 + i] = share * position
        for j in range(H.shape[1]):
            H[i, j] = 0.0
            H[3 + i, j] = 0.0
        H[i, ROTATION + i] = 1.0
        H[3 + i, POSITION + i] = 1.0
        H[3 + i, VELOCITY + i] = -age
    origin_W = odometry.origin_W
    x, y, height = p_past[0] - origin_W[0], p_past[1] - origin_W[1], p_past[2] - origin_W[2]
    H[3, ROTATION + 1] = height + fall
    H[3, ROTATION + 2] = -y
    H[4, ROTATION] = -height - fall
    H[4, ROTATION + 2] = x
    H[5, ROTATION] = y
    H[5, ROTATION + 1] = -x


@struct_kernel
def rotation_of(roll: float, pitch: float, yaw: float, R: Array) -> None:
    """Writes R = Rz(yaw) Ry(pitch) Rx(roll)."""
    cr, sr, cp, sp = math.cos(roll), math.sin(roll), math.cos(pitch), math.sin(pitch)
    cy, sy = math.cos(yaw), math.sin(yaw)
    R[0, 0], R[0, 1], R[0, 2] = cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr
    R[1, 0], R[1, 1], R[1, 2] = sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr
    R[2, 0], R[2, 1], R[2, 2] = -sp, cp * sr, cp * cr


@struct_kernel
def spread(ekf: Filter, k: int, outside: OutsidePoses) -> float:
    """Writes P H' of a component to `gain`, and returns the variance of its innovation."""
    P, H, gain = ekf.P, outside.H, outside.gain
    total = outside.variance[k]
    for i in range(P.shape[0]):
        value = 0.0
        # Only rotation, velocity and position, the first nine error states, are measured.
        for j in range(POSITION + 3):
            value += P[i, j] * H[k, j]
        gain[i] = value
        total += H[k, i] * value
    return float(total)


@struct_kernel
def passes(ekf: Filter, outside: OutsidePoses) -> bool:
    """Returns whether the pose has a known component, and every known one is within the gate."""
    known = 0
    for k in range(COMPONENTS):
        z = outside.z[k]
        if z != z:
            continue
        known += 1
        total = spread(ekf, k, outside)
        if not (total > 0.0 and z * z <= outside.gate * total):
            return False
    return known > 0


@struct_kernel
def absorb_components(ekf: Filter, watch: ImuWatch, odometry: Odometry, outside: OutsidePoses) -> None:
    """Corrects the filter with all known components, and moves the past estimates and `hung` alike.

    Args:
        ekf: the filter, written.
        watch: `hung`, vectors in world axes, is rotated.
        odometry: place of the filter's origin, about which the correction rotates.
        outside: the ring is written.
    """
    P, delta, gain = ekf.P, outside.delta, outside.gain
    n = P.shape[0]
    for i in range(n):
        delta[i] = 0.0
    for k in range(COMPONENTS):
        if outside.z[k] != outside.z[k]:
            continue
        total, rest = spread(ekf, k, outside), outside.z[k]
        for j in range(POSITION + 3):
            rest -= outside.H[k, j] * delta[j]
        for i in range(n):
            delta[i] += gain[i] * rest / total
            for j in range(n):
                P[i, j] -= gain[i] * gain[j] / total
    symmetrise(P, ekf.active)
    retract(ekf, delta)
    E, J, R, moved = outside.work[2], outside.work[3], outside.work[4], outside.work[5, 0]
    exp3(delta[ROTATION : ROTATION + 3], E)
    left_jacobian(delta[ROTATION : ROTATION + 3], J)
    rotate(J, delta[POSITION : POSITION + 3], moved)
    for c in range(watch.hung.shape[0]):
        rotate(E, watch.hung[c], watch.hung[c])
    for k in range(min(outside.written[0], RING_SIZE)):
        entry = outside.past[k]
        multiply(E, entry[PAST_R:PAST_P].reshape((3, 3)), R)
        for i in range(3):
            entry[PAST_P + i] -= odometry.origin_W[i]
        rotate(E, entry[PAST_P:PAST_SIZE], entry[PAST_P:PAST_SIZE])
        for i in range(3):
            entry[PAST_P + i] += odometry.origin_W[i] + moved[i]
            for j in range(3):
                entry[PAST_R + 3 * i + j] = R[i, j]
