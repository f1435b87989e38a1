"""Compiled targets of a streamed hand: extrapolation of its samples, and the step of its pose.

The orientation is followed in the tangent space at the present orientation: the state of its three
coordinates is zero at the beginning of each tick, and the target is the rotation that is left, as a vector in
the axes of the hand.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kilohertz.controller.streams.follower import Pursuit, is_known
from kilohertz.controller.tasks import frame_pose as pose
from kilohertz.estimators.so3 import exp3, log3, multiply, multiply_transposed, rotate, rotate_back
from kilohertz.robots.compile.kernels import kernel
from kilohertz.robots.model.kin import Floats, Ints, Kin, X, Y, Z

MEMORY_S = 0.012
"""Memory of the filter that finds velocity and acceleration of a target whose samples come without [s]."""
SMOOTH_ACCEL_S = 0.02
"""Time constant of the smoothing of an acceleration that is found from given velocities [s]."""
FAST_BEGIN, FAST_END, SLOWEST, RECOVER_PER_TICK = 0.35, 0.7, 0.05, 0.005
"""Speeds of a joint, relative to its limit, at which its hand begins to slow down and at which it has slowed
down to the third number times its full speed; part of the full speed that is regained per tick."""
JUMP_M, JUMP_M_S = 0.03, 1.5
"""A sample further from where it was expected than the first plus the second times the gap is a jump."""
LONGEST_GAP_S = 0.3
"""Samples that are further apart are no motion: the target jumps, and rests at its new place [s]."""

SHOULDER, REACH, KEEP_OUT, KEEP_LOW, KEEP_HIGH, BOUNDED, BOUNDS_SIZE = 0, 3, 4, 5, 6, 7, 8
"""Layout of the bounds of a hand: its shoulder (3 values) and its reach from there [m]; radius around the
vertical axis of the base, and lowest and highest height, within which no target lies [m]; whether the bounds
apply."""


class HandSample(NamedTuple):
    """The newest sample of a hand's stream, and what is known of its motion; in the frame of the target."""

    p: Floats
    R: Floats
    v: Floats
    w: Floats
    """(3,) position [m], (3, 3) rotation, (3,) velocity [m/s] and angular velocity [rad/s] as sent; NaN in R
    leaves the orientation free, NaN in v or w asks for an estimate."""
    p_hat: Floats
    v_hat: Floats
    a_hat: Floats
    w_hat: Floats
    """(3,) estimated motion of the target at the time of the sample."""
    R_before: Floats
    """(3, 3) rotation of the newest sample that was taken."""
    bounds: Floats
    """(BOUNDS_SIZE,) see SHOULDER."""
    work: Floats
    """(4, 3, 3) scratch."""
    joints: Ints
    joint_speed: Floats
    """(n,) columns of vdot that belong to the arm, and the speed limits of its joints [rad/s]."""
    full_speed: Floats
    """(6,) speed limits of the pursuit of an arm whose joints are slow."""


@kernel
def take_sample(gap_s: float, h: HandSample) -> None:
    """Updates the estimated motion of the target with a new sample.

    Positions that come without velocities pass an alpha-beta-gamma filter, critically damped, whose memory is
    MEMORY_S. Source: Brookner, "Tracking and Kalman Filtering Made Easy",
    1998, sec. 1.3 (critically damped g-h-k filter).

    Args:
        gap_s: time since the sample before [s]; more than LONGEST_GAP_S for the first one.
        h: the sample.
    """
    if not (is_known(h.p[0]) and is_known(h.p[1]) and is_known(h.p[2])):
        return
    first = gap_s > LONGEST_GAP_S or gap_s <= 0.0
    given = is_known(h.v[0]) and is_known(h.v[1]) and is_known(h.v[2])
    if not first and not given:
        far = 0.0
        for i in range(3):
            expected = h.p_hat[i] + gap_s * (h.v_hat[i] + 0.5 * gap_s * h.a_hat[i])
            far += (h.p[i] - expected) ** 2
        first = np.sqrt(far) > JUMP_M + JUMP_M_S * gap_s
    theta = np.exp(-gap_s / MEMORY_S)
    one = 1.0 - theta
    alpha, beta, gamma = 1.0 - theta**3, 1.5 * one * one * (1.0 + theta), 0.5 * one**3
    smooth = 1.0 - np.exp(-gap_s / SMOOTH_ACCEL_S)
    for i in range(3):
        if first:
            h.p_hat[i], h.a_hat[i] = h.p[i], 0.0
            h.v_hat[i] = h.v[i] if given else 0.0
        elif given:
            h.a_hat[i] += smooth * ((h.v[i] - h.v_hat[i]) / gap_s - h.a_hat[i])
            h.p_hat[i], h.v_hat[i] = h.p[i], h.v[i]
        else:
            p = h.p_hat[i] + gap_s * h.v_hat[i] + 0.5 * gap_s * gap_s * h.a_hat[i]
            v = h.v_hat[i] + gap_s * h.a_hat[i]
            off = h.p[i] - p
            h.p_hat[i] = p + alpha * off
            h.v_hat[i] = v + beta * off / gap_s
            h.a_hat[i] += 2.0 * gamma * off / (gap_s * gap_s)
    if is_known(h.w[0]) and is_known(h.w[1]) and is_known(h.w[2]):
        h.w_hat[:] = h.w
    elif first or not is_known(h.R_before[0, 0]) or not is_known(h.R[0, 0]):
        h.w_hat[:] = 0.0
    else:
        turn, off = h.work[0], h.work[1, 0]
        multiply_transposed(h.R, h.R_before, turn)
        log3(turn, off)
        smooth = 1.0 - np.exp(-gap_s / max(MEMORY_S, gap_s))
        for i in range(3):
            h.w_hat[i] += smooth * (off[i] / gap_s - h.w_hat[i])
    h.R_before[:, :] = h.R


@kernel
def aim(age_s: float, fresh: bool, turned: bool, h: HandSample, s: Pursuit, motion: Floats) -> None:
    """Writes the target of this tick: the motion of the newest sample, extrapolated.

    Args:
        age_s: age of the sample, limited to the silence of a stream [s].
        fresh: whether the stream is alive; the target of a silent one rests.
        turned: whether the orientation is followed.
        h: the sample.
        s: pursuit of position (0 to 2) and orientation (3 to 5).
        motion: (24,) present reference of the hand, see `tasks.frame_pose`.
    """
    for i in range(3):
        v = h.v_hat[i] + h.a_hat[i] * age_s
        s.p_des[i] = h.p_hat[i] + (h.v_hat[i] + 0.5 * h.a_hat[i] * age_s) * age_s
        s.v_des[i] = v if fresh else 0.0
        s.a_des[i] = min(max(h.a_hat[i], -s.most_a[i]), s.most_a[i]) if fresh else 0.0
    if h.bounds[BOUNDED] > 0.0:
        keep_within(h.bounds, s.p_des, s.v_des, s.a_des)
    R = motion[: pose.P_WF].reshape(3, 3)
    for i in range(3, 6):
        s.p_des[i] = s.v_des[i] = s.a_des[i] = s.x[i] = 0.0
    if not turned:
        s.v[3:] = 0.0
        s.a[3:] = 0.0
        return
    step, target, off = h.work[0], h.work[1], h.work[2, 0]
    for i in range(3):
        off[i] = h.w_hat[i] * age_s
    exp3(off, step)
    # The row is NaN after a release; the hand stays where it was led.
    multiply(step, h.R_before, target)
    for r in range(3):
        for c in range(3):
            step[r, c] = R[X, r] * target[X, c] + R[Y, r] * target[Y, c] + R[Z, r] * target[Z, c]
    log3(step, s.p_des[3:])
    if fresh:
        rotate_back(R, h.w_hat, s.v_des[3:])


@kernel
def slow_down(k: Kin, h: HandSample, s: Pursuit) -> None:
    """Lowers the speed limits of the pursuit while a joint of the arm is close to its own speed limit.

    Near a singular posture a slow hand needs fast joints.
    """
    fastest = 0.0
    for i in range(len(h.joints)):
        fastest = max(fastest, abs(k.v[h.joints[i]]) / h.joint_speed[i])
    part = min(max((FAST_END - fastest) / (FAST_END - FAST_BEGIN), SLOWEST), 1.0)
    for i in range(len(s.x)):
        # Down at once, and up again gradually.
        up = s.most_v[i] + h.full_speed[i] * RECOVER_PER_TICK
        s.most_v[i] = min(part * h.full_speed[i], up)


@kernel
def keep_within(bounds: Floats, p: Floats, v: Floats, a: Floats) -> None:
    """Moves a target that is out of reach or inside the body to its border, where it rests."""
    moved = False
    if bounds[KEEP_LOW] < p[Z] < bounds[KEEP_HIGH]:
        far = np.sqrt(p[X] * p[X] + p[Y] * p[Y])
        if far < bounds[KEEP_OUT]:
            moved = True
            part = bounds[KEEP_OUT] / max(far, 1e-6)
            p[X], p[Y] = (p[X] * part, p[Y] * part) if far > 1e-6 else (bounds[KEEP_OUT], 0.0)
    x, y, z = p[X] - bounds[SHOULDER], p[Y] - bounds[SHOULDER + 1], p[Z] - bounds[SHOULDER + 2]
    far = np.sqrt(x * x + y * y + z * z)
    if far > bounds[REACH]:
        moved = True
        part = bounds[REACH] / far
        p[X] = bounds[SHOULDER] + part * x
        p[Y] = bounds[SHOULDER + 1] + part * y
        p[Z] = bounds[SHOULDER + 2] + part * z
    if moved:
        for i in range(3):
            v[i] = a[i] = 0.0


@kernel
def move_hand(turned: bool, h: HandSample, s: Pursuit, motion: Floats) -> None:
    """Writes the state of the pursuit into the reference of the hand."""
    for i in range(3):
        motion[pose.P_WF + i], motion[pose.V_WF + i] = s.x[i], s.v[i]
        motion[pose.A_WF + i] = s.a[i]
    R, turn, next_R = motion[: pose.P_WF].reshape(3, 3), h.work[0], h.work[1]
    if turned:
        exp3(s.x[3:], turn)
        multiply(R, turn, next_R)
        R[:, :] = next_R
        rotate(R, s.v[3:], motion[pose.W_WF : pose.A_WF])
        rotate(R, s.a[3:], motion[pose.WDOT_WF : pose.SIZE])
    else:
        motion[pose.W_WF : pose.A_WF] = 0.0
        motion[pose.WDOT_WF : pose.SIZE] = 0.0
    s.x[3:] = 0.0
