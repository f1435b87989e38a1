"""What walking sees and writes each tick, compiled: plain Python took 15 us for it, this takes 2."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from kilohertz.controller.gains.schema import CentreOfMassGains
from kilohertz.controller.problem.tables import REF
from kilohertz.controller.walking.swing import NOSE, PITCH, ROLL, YAW, X, Y, foot_height
from kilohertz.controller.whole_body.whole_body import WholeBody
from kilohertz.robots.compile.bound_kernel import bind
from kilohertz.robots.compile.kernels import kernel
from kilohertz.robots.model.kin import Floats, Ints

UPRIGHT = ("base", "trunk")
_LOWEST_M_S2, _HIGHEST_M_S2 = -6.0, 8.0
_HEADING_RATE_PER_S = 4.0
_SOLE_RATE_M_S = 0.3
"""The height reference follows a step up or down at this speed."""
_NONE = -1

SEEN_Z, SEEN_XI, SEEN_OFF, SEEN_SLIDES = 6, 8, 10, 11
"""After x, y and yaw of each foot [m, rad]: height of each [m], the DCM, how far it is off its plan [m], and
how fast each foot moves along itself [m/s]."""
SEEN = 13


class References:
    """Rows of the tasks that walking leads.

    Args:
        body: the whole-body controller, with the tasks of standing and of both feet declared.
        feet: names of the contacts.

    Attributes:
        seen: (SEEN,) feet and DCM.
        heading: (1,) mean yaw of the feet, smoothed [rad].
        sole_z: (1,) height of the ground under the centre of mass, as its reference follows it [m].
        xi_des: (2,) the planned DCM [m].
        p_WS: (3,) middle of the soles [m].
        R_des: (3, 3) heading.
        p_WC_des, v_WC_des: (3,) the plan's centre of mass [m], [m/s].
        see: writes `seen`, `heading` and `p_WS`; see `see_feet`.
        lead: of the centre of mass, base and trunk; see `lead_body`.
        arrays: what all these kernels take, by name.
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
        self.arrays = {
            "p": kin.p,
            "R": kin.R,
            "vel": kin.vel,
            "p_WC": kin.p_WC,
            "v_WC": kin.v_WC,
            "seen": self.seen,
            "heading_now": self.heading,
            "p_WS": self.p_WS,
            "task_refs": tasks.ref,
            "place": np.array([row(f"{name}.position") for name in feet], np.int64),
            "turn": np.array([row(f"{name}.orientation") for name in feet], np.int64),
            "com": np.array([row("com")], np.int64),
            "upright": np.array([row(name) for name in UPRIGHT if name in index], np.int64),
            "height_gain": self._height_gain,
            "sole_z": self.sole_z,
            "xi_des": self.xi_des,
            "p_WC_des": self.p_WC_des,
            "v_WC_des": self.v_WC_des,
            "R_des": self.R_des,
        }
        self.see = bind(
            "walking_sight_kernel",
            [see_feet],
            call={"dt_s": "f8", "omega": "f8"},
            persistent=self.arrays,
        )
        names = ("xi_x", "xi_y", "z_x", "z_y", *LEADING)
        self.lead = bind(
            "walking_body_kernel",
            [lead_body],
            call={name: "f8" for name in names},
            persistent=self.arrays,
        )

    def retune(self, gains: CentreOfMassGains) -> None:
        """Takes the gains of the height."""
        self._height_gain[:] = gains.height_kp_per_s2, gains.height_kd_per_s


LEADING = (
    "omega",
    "ground_x",
    "ground_y",
    "ground_z",
    "slope_x",
    "slope_y",
    "height",
    "heading",
    "turn_rad_s",
    "dt_s",
)
"""Numbers that `lead_body` takes besides the DCM and the zero-moment point."""


@kernel
def see_feet(
    dt_s: float,
    omega: float,
    p: Floats,
    R: Floats,
    vel: Floats,
    p_WC: Floats,
    v_WC: Floats,
    xi_des: Floats,
    seen: Floats,
    heading_now: Floats,
    p_WS: Floats,
) -> None:
    """Feet, their yaw unwrapped to that of the heading, and the DCM of a pendulum with this omega [1/s]."""
    heading = heading_now[0]
    for f in range(2):
        seen[3 * f], seen[3 * f + 1] = p[f, 0], p[f, 1]
        yaw = math.atan2(R[f, 1, 0], R[f, 0, 0]) - heading
        seen[3 * f + 2] = heading + yaw - 2.0 * math.pi * round(yaw / (2.0 * math.pi))
        seen[SEEN_Z + f] = p[f, 2]
        seen[SEEN_SLIDES + f] = math.hypot(vel[f, 0], vel[f, 1])
    for r in range(2):
        seen[SEEN_XI + r] = p_WC[r] + v_WC[r] / omega
    seen[SEEN_OFF] = math.hypot(seen[SEEN_XI] - xi_des[0], seen[SEEN_XI + 1] - xi_des[1])
    heading_now[0] += (0.5 * (seen[2] + seen[5]) - heading) * min(_HEADING_RATE_PER_S * dt_s, 1.0)
    for r in range(3):
        p_WS[r] = 0.5 * (p[0, r] + p[1, r])


@kernel
def lead_body(
    xi_x: float,
    xi_y: float,
    z_x: float,
    z_y: float,
    omega: float,
    ground_x: float,
    ground_y: float,
    ground_z: float,
    slope_x: float,
    slope_y: float,
    height: float,
    heading: float,
    turn_rad_s: float,
    dt_s: float,
    p_WC: Floats,
    v_WC: Floats,
    task_refs: Floats,
    com: Ints,
    upright: Ints,
    height_gain: Floats,
    sole_z: Floats,
    xi_des: Floats,
    p_WC_des: Floats,
    v_WC_des: Floats,
    R_des: Floats,
) -> None:
    """References of the centre of mass and of what stays upright.

    Horizontally the centre of mass accelerates away from the zero-moment point z, vertically it is held at a
    height over a ground through this point and of this slope; its plan follows the planned DCM xi. Base and
    trunk keep the heading and turn with the walk.
    """
    xi_des[0], xi_des[1] = xi_x, xi_y
    under = ground_z + slope_x * (p_WC[0] - ground_x) + slope_y * (p_WC[1] - ground_y)
    most = _SOLE_RATE_M_S * dt_s
    sole_z[0] += min(max(under - sole_z[0], -most), most)
    height += sole_z[0]
    i = com[0] + 6
    ax, ay = omega * omega * (p_WC[0] - z_x), omega * omega * (p_WC[1] - z_y)
    climb = slope_x * v_WC[0] + slope_y * v_WC[1]
    up = height_gain[0] * (height - p_WC[2]) + height_gain[1] * (climb - v_WC[2])
    up += slope_x * ax + slope_y * ay
    task_refs[i], task_refs[i + 1] = ax, ay
    task_refs[i + 2] = min(max(up, _LOWEST_M_S2), _HIGHEST_M_S2)
    v_WC_des[0], v_WC_des[1] = omega * (xi_x - p_WC_des[0]), omega * (xi_y - p_WC_des[1])
    p_WC_des[0] += v_WC_des[0] * dt_s
    p_WC_des[1] += v_WC_des[1] * dt_s
    p_WC_des[2] = height
    c, s = math.cos(heading), math.sin(heading)
    R_des[0, 0] = R_des[1, 1] = c
    R_des[1, 0] = s
    R_des[0, 1] = -s
    for k in range(len(upright)):
        i = upright[k]
        for r in range(3):
            for a in range(3):
                task_refs[i + 3 * r + a] = R_des[r, a]
        task_refs[i + 11] = turn_rad_s


_foot_height = kernel(foot_height)


@kernel
def lead_foot(foot: int, toe_m: float, axes: Floats, task_refs: Floats, place: Ints, turn: Ints) -> None:
    """References of a swing foot from position, velocity and acceleration along each axis, as in `Swing`.

    Its pitch, toe down, adds to that of the ground. The ground's roll is small and the foot turns to it
    slowly: its rates are left out.
    """
    i = place[foot]
    z, vz, az = _foot_height(axes, toe_m)
    task_refs[i], task_refs[i + 1], task_refs[i + 2] = axes[X, 0], axes[Y, 0], z
    task_refs[i + 3], task_refs[i + 4], task_refs[i + 5] = axes[X, 1], axes[Y, 1], vz
    task_refs[i + 6], task_refs[i + 7], task_refs[i + 8] = axes[X, 2], axes[Y, 2], az
    i = turn[foot]
    if i == _NONE:
        return
    c, s = math.cos(axes[YAW, 0]), math.sin(axes[YAW, 0])
    pitch, roll = axes[PITCH, 0] + axes[NOSE, 0], axes[ROLL, 0]
    cp, sp, cr, sr = math.cos(pitch), math.sin(pitch), math.cos(roll), math.sin(roll)
    rate, accel = axes[PITCH, 1] + axes[NOSE, 1], axes[PITCH, 2] + axes[NOSE, 2]
    task_refs[i], task_refs[i + 1], task_refs[i + 2] = c * cp, c * sp * sr - s * cr, c * sp * cr + s * sr
    task_refs[i + 3], task_refs[i + 4], task_refs[i + 5] = s * cp, s * sp * sr + c * cr, s * sp * cr - c * sr
    task_refs[i + 6], task_refs[i + 7], task_refs[i + 8] = -sp, cp * sr, cp * cr
    task_refs[i + 9], task_refs[i + 10], task_refs[i + 11] = -s * rate, c * rate, axes[YAW, 1]
    task_refs[i + 12], task_refs[i + 13], task_refs[i + 14] = -s * accel, c * accel, axes[YAW, 2]
