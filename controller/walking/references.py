"""Compiled inputs and outputs of walking, each tick: measured feet and DCM, and task references.

In plain Python this took 15 us; compiled, it takes 2 us.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kilohertz.controller.gains.schema import CentreOfMassGains
from kilohertz.controller.problem.tables import REF
from kilohertz.controller.tasks import com
from kilohertz.controller.tasks import frame_orientation as orientation
from kilohertz.controller.tasks import frame_position as position
from kilohertz.controller.walking.dcm_plan import Point
from kilohertz.controller.walking.swing import (
    NOSE,
    PITCH,
    ROLL,
    TOE_M,
    YAW,
    SwingArrays,
    X,
    Y,
    Z,
    foot_height,
)
from kilohertz.controller.whole_body.whole_body import WholeBody
from kilohertz.robots.compile.bound_kernel import bind
from kilohertz.robots.compile.kernels import kernel
from kilohertz.robots.model.kin import Floats, Ints, Kin

UPRIGHT = ("base", "trunk")
"""Tasks of the links that are held upright."""
_LOWEST_M_S2, _HIGHEST_M_S2 = -6.0, 8.0
"""Bounds of the vertical acceleration reference of the centre of mass [m/s^2]."""
_HEADING_RATE_PER_S = 4.0
_SOLE_RATE_M_S = 0.3
"""Largest speed at which the ground height in the reference of the centre of mass changes [m/s]."""
_SLIDE_S = 0.02
"""Time constant of the low-pass on the feet's velocities [s]; a foot that slides does so for longer, and the
noise of its velocity is white."""
_NONE = -1

FOOT_X, FOOT_Y, FOOT_YAW = range(3)
FOOT = 3
"""Indices of the measurements of a foot, and their number FOOT; those of foot f begin at FOOT * f."""
SEEN_Z, SEEN_XI, SEEN_OFF, SEEN_SLIDES = 6, 8, 10, 11
"""Indices after those of both feet. SEEN_Z: height of each foot [m]. SEEN_XI: the DCM [m]. SEEN_OFF: distance
of the DCM from its plan [m]. SEEN_SLIDES: speed of each foot along its sole, low-passed [m/s]."""
SEEN = 13
"""Size of `WalkingArrays.seen`."""


class WalkingArrays(NamedTuple):
    """Measurements that walking uses, and the references that it writes."""

    seen: Floats
    """(SEEN,) measurements: FOOT_X to FOOT_YAW of both feet, then SEEN_Z to SEEN_SLIDES."""
    slide: Floats
    """(2, 2) horizontal velocity of each foot, low-passed over _SLIDE_S [m/s]."""
    heading: Floats
    """(1,) mean yaw of the feet, low-pass filtered and unwrapped [rad]."""
    p_WS: Floats
    """(3,) middle of the soles in the world [m]."""
    references: Floats
    """References of all tasks, concatenated."""
    place: Ints
    """(2,) start index in `references` of each foot's position task; negative if there is none."""
    turn: Ints
    """(2,) start index in `references` of each foot's orientation task; negative if there is none."""
    com: Ints
    """(1,) start index in `references` of the centre-of-mass task."""
    upright: Ints
    """Start indices in `references` of the orientation tasks of the links that are held upright."""
    height_gain: Floats
    """(2,) gains kp [1/s^2] and kd [1/s] of the height of the centre of mass."""
    sole_z: Floats
    """(1,) rate-limited height of the ground under the centre of mass, for the height reference [m]."""
    xi_des: Floats
    """(2,) planned DCM in the world [m]."""
    p_WC_des: Floats
    """(3,) planned position of the centre of mass in the world [m]."""
    v_WC_des: Floats
    """(3,) planned velocity of the centre of mass in the world [m/s]."""
    R_des: Floats
    """(3, 3) heading: rotation about the vertical."""


class Leading(NamedTuple):
    """Inputs of `lead_body` besides the DCM and the zero-moment point."""

    omega: float
    """Natural frequency of the pendulum [1/s]."""
    ground_x: float
    """x of a point of the ground plane in the world [m]."""
    ground_y: float
    """y of that point of the ground plane [m]."""
    ground_z: float
    """z of that point of the ground plane [m]."""
    slope_x: float
    """Rise of the ground per metre along the world's x axis."""
    slope_y: float
    """Rise of the ground per metre along the world's y axis."""
    height: float
    """Desired height of the centre of mass over the ground [m]."""
    heading: float
    """Desired yaw of base and trunk [rad]."""
    turn_rad_s: float
    """Desired yaw rate of base and trunk [rad/s]."""
    dt_s: float
    """Duration of the tick [s]."""


POINT, LEADING = "UniTuple(f8, 2)", f"UniTuple(f8, {len(Leading._fields)})"
"""Types of a point and of the tuple of `Leading`'s fields, as arguments of a bound kernel."""


class References:
    """Measurements and task references of walking, with the kernels that write them.

    Args:
        body: whole-body controller, with `standing_tasks` and `walking_tasks` declared.
        feet: names of the two contacts.

    Attributes:
        arrays: the arrays that compiled code takes.
        seen, slide, heading, sole_z, xi_des, p_WS, R_des, p_WC_des, v_WC_des: fields of `arrays`; see
            `WalkingArrays`.
        see: kernel that writes `seen`, `slide`, `heading` and `p_WS`; see `see_feet`.
        lead: kernel that writes the references of the centre of mass, base and trunk; see `lead_body`.
    """

    def __init__(self, body: WholeBody, feet: Sequence[str]) -> None:
        kin, tasks, index = body.arrays.kin, body.arrays.tasks, body.task_index

        def row(name: str) -> int:
            return int(tasks.table[index[name], REF]) if name in index else _NONE

        self.seen, self.slide, self.p_WS = np.zeros(SEEN), np.zeros((2, 2)), np.zeros(3)
        self.heading, self.sole_z = np.zeros(1), np.zeros(1)
        self.R_des = np.eye(3)
        self.xi_des, self.p_WC_des, self.v_WC_des = np.zeros(2), np.zeros(3), np.zeros(3)
        self._height_gain = np.zeros(2)
        self.arrays = WalkingArrays(
            seen=self.seen,
            slide=self.slide,
            heading=self.heading,
            p_WS=self.p_WS,
            references=tasks.ref,
            place=np.array([row(f"{name}.position") for name in feet], np.int64),
            turn=np.array([row(f"{name}.orientation") for name in feet], np.int64),
            com=np.array([row("com")], np.int64),
            upright=np.array([row(name) for name in UPRIGHT if name in index], np.int64),
            height_gain=self._height_gain,
            sole_z=self.sole_z,
            xi_des=self.xi_des,
            p_WC_des=self.p_WC_des,
            v_WC_des=self.v_WC_des,
            R_des=self.R_des,
        )
        structs = {"k": kin, "walk": self.arrays}
        self.see = bind(
            "walking_sight_kernel", [see_feet], call={"dt_s": "f8", "omega": "f8"}, structs=structs
        )
        self.lead = bind(
            "walking_body_kernel",
            [lead_body],
            call={"xi": POINT, "z": POINT, "leading": LEADING},
            structs=structs,
        )

    def retune(self, gains: CentreOfMassGains) -> None:
        """Applies new gains of the height of the centre of mass."""
        self._height_gain[:] = gains.height_kp_per_s2, gains.height_kd_per_s


@kernel
def see_feet(dt_s: float, omega: float, k: Kin, walk: WalkingArrays) -> None:
    """Writes the measured feet, heading and DCM into `walk`.

    Args:
        dt_s: duration of the tick [s].
        omega: natural frequency of the pendulum, for the DCM [1/s].
        k: kinematics; the frames of the two feet come first.
        walk: its `seen`, `slide`, `heading` and `p_WS` are written; the yaw of the feet is unwrapped to the
            heading.
    """
    seen, heading = walk.seen, walk.heading[0]
    for f in range(2):
        at = FOOT * f
        seen[at + FOOT_X], seen[at + FOOT_Y] = k.p[f, X], k.p[f, Y]
        yaw = math.atan2(k.R[f, Y, X], k.R[f, X, X]) - heading
        seen[at + FOOT_YAW] = heading + yaw - 2.0 * math.pi * round(yaw / (2.0 * math.pi))
        seen[SEEN_Z + f] = k.p[f, Z]
        for r in range(2):
            walk.slide[f, r] += (k.vel[f, r] - walk.slide[f, r]) * min(dt_s / _SLIDE_S, 1.0)
        seen[SEEN_SLIDES + f] = math.hypot(walk.slide[f, X], walk.slide[f, Y])
    for r in range(2):
        seen[SEEN_XI + r] = k.p_WC[r] + k.v_WC[r] / omega
    seen[SEEN_OFF] = math.hypot(seen[SEEN_XI] - walk.xi_des[X], seen[SEEN_XI + 1] - walk.xi_des[Y])
    mean = 0.5 * (seen[FOOT_YAW] + seen[FOOT + FOOT_YAW])
    walk.heading[0] += (mean - heading) * min(_HEADING_RATE_PER_S * dt_s, 1.0)
    for r in range(3):
        walk.p_WS[r] = 0.5 * (k.p[0, r] + k.p[1, r])


@kernel
def lead_body(xi: Point, z: Point, leading: tuple[float, ...], k: Kin, walk: WalkingArrays) -> None:
    """Writes the references of the centre of mass, base and trunk.

    The centre of mass accelerates horizontally away from the zero-moment point z, and vertically it is
    controlled to a height over the ground. Its planned position follows the planned DCM xi. Base and trunk
    are held at the heading, with the yaw rate of the walk.

    Args:
        xi: planned DCM [m].
        z: commanded zero-moment point [m].
        leading: fields of `Leading`, in their order.
        k: kinematics.
        walk: its references and planned quantities are written.
    """
    lead = Leading(*leading)
    refs, p_WC, v_WC, omega = walk.references, k.p_WC, k.v_WC, lead.omega
    slope_x, slope_y, p_WC_des, v_WC_des = lead.slope_x, lead.slope_y, walk.p_WC_des, walk.v_WC_des
    walk.xi_des[X], walk.xi_des[Y] = xi
    under = lead.ground_z + slope_x * (p_WC[X] - lead.ground_x) + slope_y * (p_WC[Y] - lead.ground_y)
    most = _SOLE_RATE_M_S * lead.dt_s
    walk.sole_z[0] += min(max(under - walk.sole_z[0], -most), most)
    height = lead.height + walk.sole_z[0]
    ax, ay = omega * omega * (p_WC[X] - z[0]), omega * omega * (p_WC[Y] - z[1])
    climb = slope_x * v_WC[X] + slope_y * v_WC[Y]
    up = walk.height_gain[0] * (height - p_WC[Z]) + walk.height_gain[1] * (climb - v_WC[Z])
    up += slope_x * ax + slope_y * ay
    a_des = walk.com[0] + com.A_WC
    refs[a_des + X], refs[a_des + Y] = ax, ay
    refs[a_des + Z] = min(max(up, _LOWEST_M_S2), _HIGHEST_M_S2)
    v_WC_des[X], v_WC_des[Y] = omega * (xi[0] - p_WC_des[X]), omega * (xi[1] - p_WC_des[Y])
    p_WC_des[X] += v_WC_des[X] * lead.dt_s
    p_WC_des[Y] += v_WC_des[Y] * lead.dt_s
    p_WC_des[Z] = height
    c, s, R_des = math.cos(lead.heading), math.sin(lead.heading), walk.R_des
    R_des[X, X] = R_des[Y, Y] = c
    R_des[Y, X] = s
    R_des[X, Y] = -s
    for i in walk.upright:
        for r in range(3):
            for a in range(3):
                refs[i + orientation.R_WF + 3 * r + a] = R_des[r, a]
        refs[i + orientation.W_WF + Z] = lead.turn_rad_s


_foot_height = kernel(foot_height)


@kernel
def lead_foot(foot: int, swing: SwingArrays, walk: WalkingArrays) -> None:
    """Writes the references of the swing foot's tasks from its position, velocity and acceleration per axis.

    The foot's own pitch (toe down) is added to that of the ground. The roll of the ground is small and the
    foot turns to it slowly, so the rates of the roll are neglected.

    Args:
        foot: index of the contact that swings.
        swing: reference of the swing foot.
        walk: its references are written.
    """
    axes, refs = swing.axes, walk.references
    z, vz, az = _foot_height(axes, swing.shape[TOE_M])
    i = walk.place[foot]
    p, v, a = i + position.P_WF, i + position.V_WF, i + position.A_WF
    refs[p + X], refs[p + Y], refs[p + Z] = axes[X, 0], axes[Y, 0], z
    refs[v + X], refs[v + Y], refs[v + Z] = axes[X, 1], axes[Y, 1], vz
    refs[a + X], refs[a + Y], refs[a + Z] = axes[X, 2], axes[Y, 2], az
    i = walk.turn[foot]
    if i == _NONE:
        return
    c, s = math.cos(axes[YAW, 0]), math.sin(axes[YAW, 0])
    pitch, roll = axes[PITCH, 0] + axes[NOSE, 0], axes[ROLL, 0]
    cp, sp, cr, sr = math.cos(pitch), math.sin(pitch), math.cos(roll), math.sin(roll)
    rate, accel = axes[PITCH, 1] + axes[NOSE, 1], axes[PITCH, 2] + axes[NOSE, 2]
    R, w, wdot = i + orientation.R_WF, i + orientation.W_WF, i + orientation.WDOT_WF
    refs[R + X], refs[R + Y], refs[R + Z] = c * cp, c * sp * sr - s * cr, c * sp * cr + s * sr
    R += 3
    refs[R + X], refs[R + Y], refs[R + Z] = s * cp, s * sp * sr + c * cr, s * sp * cr - c * sr
    R += 3
    refs[R + X], refs[R + Y], refs[R + Z] = -sp, cp * sr, cp * cr
    refs[w + X], refs[w + Y], refs[w + Z] = -s * rate, c * rate, axes[YAW, 1]
    refs[wdot + X], refs[wdot + Y], refs[wdot + Z] = -s * accel, c * accel, axes[YAW, 2]
