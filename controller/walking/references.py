"""What walking sees and writes each tick, compiled: plain Python took 15 us for it, this takes 5."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from controller.qp.tables import REF, Floats, Ints
from controller.whole_body import WholeBody
from estimators.bound_kernel import bind
from robots.compiled import kernel

UPRIGHT = ("base", "trunk")
_LOWEST_M_S2, _HIGHEST_M_S2 = -6.0, 8.0
_NONE = -1


class References:
    """Rows of the tasks that walking leads.

    Args:
        body: the whole-body controller, with the tasks of standing and of both feet declared.
        feet: names of the contacts.

    Attributes:
        seen: (10,) x, y and yaw of each foot [m, rad], height of each [m], and the DCM [m].
        p_WS: (3,) middle of the soles [m].
        R_des: (3, 3) heading.
        p_WC_des, v_WC_des: (3,) the plan's centre of mass [m], [m/s].
        see: writes `seen` and `p_WS`; see `see_feet`.
        lead: of the centre of mass, base and trunk; see `lead_body`.
        swing: of a foot; see `lead_foot`.
    """

    def __init__(self, body: WholeBody, feet: Sequence[str]) -> None:
        kin, tasks, index = body.arrays.kin, body.arrays.tasks, body.task_index

        def row(name: str) -> int:
            return int(tasks.table[index[name], REF]) if name in index else _NONE

        self.seen, self.p_WS = np.zeros(10), np.zeros(3)
        self.R_des = np.eye(3)
        self.p_WC_des, self.v_WC_des = np.zeros(3), np.zeros(3)
        self.see = bind(
            "walking_sight_kernel",
            [see_feet],
            call={"heading": "f8", "omega": "f8"},
            persistent={
                "p": kin.p,
                "R": kin.R,
                "p_WC": kin.p_WC,
                "v_WC": kin.v_WC,
                "seen": self.seen,
                "p_WS": self.p_WS,
            },
        )
        self.lead = bind(
            "walking_body_kernel",
            [lead_body],
            call={
                name: "f8"
                for name in (
                    "xi_x",
                    "xi_y",
                    "z_x",
                    "z_y",
                    "height",
                    "slope_x",
                    "slope_y",
                    "kp",
                    "kd",
                    "omega",
                    "heading",
                    "turn_rad_s",
                    "dt_s",
                )
            },
            persistent={
                "p_WC": kin.p_WC,
                "v_WC": kin.v_WC,
                "task_refs": tasks.ref,
                "com": np.array([row("com")], np.int64),
                "upright": np.array([row(name) for name in UPRIGHT if name in index], np.int64),
                "p_WC_des": self.p_WC_des,
                "v_WC_des": self.v_WC_des,
                "R_des": self.R_des,
            },
        )
        axes = [f"{axis}{order}" for axis in ("x", "y", "z", "yaw", "pitch", "nose") for order in range(3)]
        self.swing = bind(
            "walking_foot_kernel",
            [lead_foot],
            call={"foot": "i8", **{name: "f8" for name in (*axes, "roll")}},
            persistent={
                "task_refs": tasks.ref,
                "place": np.array([row(f"{name}.position") for name in feet], np.int64),
                "turn": np.array([row(f"{name}.orientation") for name in feet], np.int64),
            },
        )


@kernel
def see_feet(
    heading: float, omega: float, p: Floats, R: Floats, p_WC: Floats, v_WC: Floats, seen: Floats, p_WS: Floats
) -> None:
    """Feet, their yaw unwrapped to that of the heading, and the DCM of a pendulum with this omega [1/s]."""
    for f in range(2):
        seen[3 * f], seen[3 * f + 1] = p[f, 0], p[f, 1]
        yaw = math.atan2(R[f, 1, 0], R[f, 0, 0]) - heading
        seen[3 * f + 2] = heading + yaw - 2.0 * math.pi * round(yaw / (2.0 * math.pi))
        seen[6 + f] = p[f, 2]
    for r in range(2):
        seen[8 + r] = p_WC[r] + v_WC[r] / omega
    for r in range(3):
        p_WS[r] = 0.5 * (p[0, r] + p[1, r])


@kernel
def lead_body(
    xi_x: float,
    xi_y: float,
    z_x: float,
    z_y: float,
    height: float,
    slope_x: float,
    slope_y: float,
    kp: float,
    kd: float,
    omega: float,
    heading: float,
    turn_rad_s: float,
    dt_s: float,
    p_WC: Floats,
    v_WC: Floats,
    task_refs: Floats,
    com: Ints,
    upright: Ints,
    p_WC_des: Floats,
    v_WC_des: Floats,
    R_des: Floats,
) -> None:
    """References of the centre of mass and of what stays upright.

    Horizontally the centre of mass accelerates away from the zero-moment point z, vertically it is held at a
    height over ground of this slope; its plan follows the planned DCM xi. Base and trunk keep the heading and
    turn with the walk.
    """
    i = com[0] + 6
    ax, ay = omega * omega * (p_WC[0] - z_x), omega * omega * (p_WC[1] - z_y)
    climb = slope_x * v_WC[0] + slope_y * v_WC[1]
    up = kp * (height - p_WC[2]) + kd * (climb - v_WC[2]) + slope_x * ax + slope_y * ay
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


@kernel
def lead_foot(
    foot: int,
    x0: float,
    x1: float,
    x2: float,
    y0: float,
    y1: float,
    y2: float,
    z0: float,
    z1: float,
    z2: float,
    yaw0: float,
    yaw1: float,
    yaw2: float,
    pitch0: float,
    pitch1: float,
    pitch2: float,
    nose0: float,
    nose1: float,
    nose2: float,
    roll: float,
    task_refs: Floats,
    place: Ints,
    turn: Ints,
) -> None:
    """References of a swing foot from position, velocity and acceleration along each axis.

    Its pitch, toe down, adds to that of the ground. The ground's roll is small and the foot turns to it
    slowly: its rates are left out.
    """
    i = place[foot]
    task_refs[i], task_refs[i + 1], task_refs[i + 2] = x0, y0, z0
    task_refs[i + 3], task_refs[i + 4], task_refs[i + 5] = x1, y1, z1
    task_refs[i + 6], task_refs[i + 7], task_refs[i + 8] = x2, y2, z2
    i = turn[foot]
    if i == _NONE:
        return
    c, s = math.cos(yaw0), math.sin(yaw0)
    cp, sp = math.cos(pitch0 + nose0), math.sin(pitch0 + nose0)
    cr, sr = math.cos(roll), math.sin(roll)
    rate, accel = pitch1 + nose1, pitch2 + nose2
    task_refs[i], task_refs[i + 1], task_refs[i + 2] = c * cp, c * sp * sr - s * cr, c * sp * cr + s * sr
    task_refs[i + 3], task_refs[i + 4], task_refs[i + 5] = s * cp, s * sp * sr + c * cr, s * sp * cr - c * sr
    task_refs[i + 6], task_refs[i + 7], task_refs[i + 8] = -sp, cp * sr, cp * cr
    task_refs[i + 9], task_refs[i + 10], task_refs[i + 11] = -s * rate, c * rate, yaw1
    task_refs[i + 12], task_refs[i + 13], task_refs[i + 14] = -s * accel, c * accel, yaw2
