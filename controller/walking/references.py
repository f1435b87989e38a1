"""What walking sees and writes each tick, compiled: plain Python took 15 us for it, this takes 2."""

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
_LOWEST_M_S2, _HIGHEST_M_S2 = -6.0, 8.0
_HEADING_RATE_PER_S = 4.0
_SOLE_RATE_M_S = 0.3
"""The height reference follows a step up or down at this speed."""
_NONE = -1

FOOT_X, FOOT_Y, FOOT_YAW = range(3)
FOOT = 3
"""What is seen of a foot, and how many numbers that are: foot f's begin at FOOT * f."""
SEEN_Z, SEEN_XI, SEEN_OFF, SEEN_SLIDES = 6, 8, 10, 11
"""After both feet: height of each [m], the DCM, how far it is off its plan [m], and how fast each foot moves
along itself [m/s]."""
SEEN = 13


class WalkingArrays(NamedTuple):
    """What walking sees, and the references that it writes."""

    seen: Floats
    """(SEEN,) both feet, FOOT_X to FOOT_YAW, then SEEN_Z to SEEN_SLIDES."""
    heading: Floats
    """(1,) mean yaw of the feet, smoothed [rad]."""
    p_WS: Floats
    """(3,) middle of the soles [m]."""
    references: Floats
    """References of all tasks, one after the other."""
    place: Ints
    turn: Ints
    """(2,) where those of each foot's position and orientation begin; negative: there is none."""
    com: Ints
    """(1,) where that of the centre of mass begins."""
    upright: Ints
    """Where those of the links that stay upright begin."""
    height_gain: Floats
    """(2,) kp [1/s^2] and kd [1/s] of the height."""
    sole_z: Floats
    """(1,) height of the ground under the centre of mass, as its reference follows it [m]."""
    xi_des: Floats
    """(2,) the planned DCM [m]."""
    p_WC_des: Floats
    v_WC_des: Floats
    """(3,) the plan's centre of mass [m], [m/s]."""
    R_des: Floats
    """(3, 3) heading."""


class Leading(NamedTuple):
    """What leads the body besides the DCM and the zero-moment point."""

    omega: float
    """Natural frequency [1/s]."""
    ground_x: float
    ground_y: float
    ground_z: float
    """A point of the ground [m]."""
    slope_x: float
    slope_y: float
    """Rise of the ground along the world's axes."""
    height: float
    """Of the centre of mass over the ground [m]."""
    heading: float
    """Yaw of base and trunk [rad]."""
    turn_rad_s: float
    """Its rate."""
    dt_s: float
    """The tick."""


POINT, LEADING = "UniTuple(f8, 2)", f"UniTuple(f8, {len(Leading._fields)})"
"""Types of a point and of the numbers of `Leading`, as arguments of a bound kernel."""


class References:
    """Rows of the tasks that walking leads.

    Args:
        body: the whole-body controller, with the tasks of standing and of both feet declared.
        feet: names of the contacts.

    Attributes:
        arrays: all of it, as compiled code knows it.
        seen, heading, sole_z, xi_des, p_WS, R_des, p_WC_des, v_WC_des: of these, see `WalkingArrays`.
        see: writes `seen`, `heading` and `p_WS`; see `see_feet`.
        lead: of the centre of mass, base and trunk; see `lead_body`.
    """

    def __init__(self, body: WholeBody, feet: Sequence[str]) -> None:
        kin, tasks, index = body.arrays.kin, body.arrays.tasks, body.task_index

        def row(name: str) -> int:
            return int(tasks.table[index[name], REF]) if name in index else _NONE

        self.seen, self.p_WS = np.zeros(SEEN), np.zeros(3)
        self.heading, self.sole_z = np.zeros(1), np.zeros(1)
        self.R_des = np.eye(3)
        self.xi_des, self.p_WC_des, self.v_WC_des = np.zeros(2), np.zeros(3), np.zeros(3)
        self._height_gain = np.zeros(2)
        self.arrays = WalkingArrays(
            seen=self.seen,
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
        """Takes the gains of the height."""
        self._height_gain[:] = gains.height_kp_per_s2, gains.height_kd_per_s


@kernel
def see_feet(dt_s: float, omega: float, k: Kin, walk: WalkingArrays) -> None:
    """Feet, their yaw unwrapped to that of the heading, and the DCM of a pendulum with this omega [1/s]."""
    seen, heading = walk.seen, walk.heading[0]
    for f in range(2):
        at = FOOT * f
        seen[at + FOOT_X], seen[at + FOOT_Y] = k.p[f, X], k.p[f, Y]
        yaw = math.atan2(k.R[f, Y, X], k.R[f, X, X]) - heading
        seen[at + FOOT_YAW] = heading + yaw - 2.0 * math.pi * round(yaw / (2.0 * math.pi))
        seen[SEEN_Z + f] = k.p[f, Z]
        seen[SEEN_SLIDES + f] = math.hypot(k.vel[f, X], k.vel[f, Y])
    for r in range(2):
        seen[SEEN_XI + r] = k.p_WC[r] + k.v_WC[r] / omega
    seen[SEEN_OFF] = math.hypot(seen[SEEN_XI] - walk.xi_des[X], seen[SEEN_XI + 1] - walk.xi_des[Y])
    mean = 0.5 * (seen[FOOT_YAW] + seen[FOOT + FOOT_YAW])
    walk.heading[0] += (mean - heading) * min(_HEADING_RATE_PER_S * dt_s, 1.0)
    for r in range(3):
        walk.p_WS[r] = 0.5 * (k.p[0, r] + k.p[1, r])


@kernel
def lead_body(xi: Point, z: Point, leading: tuple[float, ...], k: Kin, walk: WalkingArrays) -> None:
    """References of the centre of mass and of what stays upright.

    Horizontally the centre of mass accelerates away from the zero-moment point z, vertically it is held at a
    height over the ground; its plan follows the planned DCM xi. Base and trunk keep the heading and turn with
    the walk.

    Args:
        xi: the planned DCM [m].
        z: zero-moment point [m].
        leading: numbers of `Leading`.
        k: kinematics.
        walk: its references are written.
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
    """References of a swing foot from position, velocity and acceleration along each axis.

    Its pitch, toe down, adds to that of the ground. The ground's roll is small and the foot turns to it
    slowly: its rates are left out.
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
