"""A tick on one foot: the step adapts, the foot swings on, and the DCM follows its plan.

Compiled as one: in plain Python, with a few compiled calls, it took 16 us.
"""

from __future__ import annotations

import math

from kilohertz.controller.walking.adaptation import (
    DURATION_S,
    END_X,
    END_Y,
    OFF_X,
    OFF_Y,
    PLANNED_X,
    PLANNED_Y,
    PLANNED_YAW,
    STANCE_X,
    STANCE_Y,
    STANCE_YAW,
    TARGET_X,
    TARGET_Y,
    TARGET_YAW,
    Adaptation,
    adapt,
)
from kilohertz.controller.walking.dcm_plan import DcmPlan, dcm_in_swing, leg_shift
from kilohertz.controller.walking.gait import LEG_SHIFT_S2, Gait, gait_row
from kilohertz.controller.walking.ground import sole_tilt
from kilohertz.controller.walking.references import LEADING, SEEN_XI, References, lead_body, lead_foot
from kilohertz.controller.walking.support import inside_sole
from kilohertz.controller.walking.swing import TOE_M, YAW, Swing, X, Y, climb, held_back, swing_on, tiptoe
from kilohertz.robots.compile.bound_kernel import bind
from kilohertz.robots.compile.kernels import kernel
from kilohertz.robots.model.kin import Floats, Ints

_leg_shift, _sole_tilt = kernel(leg_shift), kernel(sole_tilt)


class SingleSupport:
    """What makes steps of one gait.

    Args:
        gait: the gait.
        refs: rows of the tasks that it writes.
        descent_m_s: see `Swing`.
        leeway_m: see `Adaptation`; where there is any, footsteps are given and have edges between them.

    Attributes:
        gait, plan, adaptation, swing: of these steps.
        advance: one tick; see `advance_step`.
    """

    def __init__(self, gait: Gait, refs: References, descent_m_s: float, leeway_m: float = math.inf) -> None:
        self.gait = gait
        self.plan = DcmPlan(gait)
        self.adaptation = adaptation = Adaptation(gait, leeway_m)
        edges = leeway_m < math.inf
        self.swing = swing = Swing(
            gait.clearance_m, gait.step_s, descent_m_s, toe_m=gait.half_length_m, edges=edges
        )
        self.advance = bind(
            "walking_step_kernel",
            [advance_step],
            call={"foot": "i8", **{name: "f8" for name in _CALL}},
            persistent={
                **refs.arrays,
                "gait": gait_row(gait),
                "leeway_m": adaptation.leeway_m,
                "step": adaptation.step,
                "adapted": adaptation.adapted,
                "axes": swing.axes,
                "flight": swing.flight,
                "shape": swing.shape,
            },
        )


_CALL = (
    "t_s",
    "planned_x",
    "planned_y",
    "planned_yaw",
    "end_x",
    "end_y",
    "follow",
    "landing_z",
    "landing_slope_x",
    "landing_slope_y",
    "gain_per_s",
    *LEADING,
)


@kernel
def advance_step(
    foot: int,
    t_s: float,
    planned_x: float,
    planned_y: float,
    planned_yaw: float,
    end_x: float,
    end_y: float,
    follow: float,
    landing_z: float,
    landing_slope_x: float,
    landing_slope_y: float,
    gain_per_s: float,
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
    gait: Floats,
    leeway_m: Floats,
    step: Floats,
    adapted: Floats,
    axes: Floats,
    flight: Floats,
    shape: Floats,
    vel: Floats,
    seen: Floats,
    task_refs: Floats,
    place: Ints,
    turn: Ints,
    p_WC: Floats,
    v_WC: Floats,
    com: Ints,
    upright: Ints,
    height_gain: Floats,
    sole_z: Floats,
    xi_des: Floats,
    p_WC_des: Floats,
    v_WC_des: Floats,
    R_des: Floats,
) -> None:
    """A tick on one foot, while `foot` swings.

    The foothold as planned, the DCM at touch-down there and how far that moves with the foothold are what the
    step adapts from; it lands on a ground of this height under the stance foot and of this slope. From
    `omega` to `dt_s` see `lead_body`; arrays are those of `Adaptation`, `Swing` and `References`.
    """
    xi_x, xi_y = seen[SEEN_XI], seen[SEEN_XI + 1]
    stance_x, stance_y, stance_yaw = step[STANCE_X], step[STANCE_Y], step[STANCE_YAW]
    step[PLANNED_X], step[PLANNED_Y], step[PLANNED_YAW] = planned_x, planned_y, planned_yaw
    step[END_X], step[END_Y] = end_x, end_y
    adapt(xi_x, xi_y, axes[X, 0], axes[Y, 0], t_s, dt_s, omega, gait, leeway_m, step, adapted)
    target_x, target_y, target_yaw = adapted[TARGET_X], adapted[TARGET_Y], adapted[TARGET_YAW]
    duration = adapted[DURATION_S]

    # The DCM as planned for the step as adapted, and the zero-moment point that takes it there.
    end_x, end_y = end_x + follow * (target_x - planned_x), end_y + follow * (target_y - planned_y)
    way_x, way_y = target_x - step[OFF_X], target_y - step[OFF_Y]
    ref_x, ref_y = dcm_in_swing(
        stance_x, stance_y, way_x, way_y, t_s, duration, end_x, end_y, omega, gait[LEG_SHIFT_S2]
    )
    shift = _leg_shift(gait[LEG_SHIFT_S2], duration)
    if t_s < 0.5 * duration:
        shift = -shift
    k = 1.0 + gain_per_s / omega
    z_x, z_y = inside_sole(
        stance_x + k * (xi_x - ref_x), stance_y + k * (xi_y - ref_y), stance_x, stance_y, stance_yaw, gait
    )
    z_x, z_y = z_x + shift * way_x, z_y + shift * way_y

    # The foot.
    x, y, yaw = seen[3 * foot], seen[3 * foot + 1], seen[3 * foot + 2]
    if held_back(x, y, yaw, vel[foot, 0], vel[foot, 1], axes, shape):
        climb(x, y, t_s, duration, axes, flight, shape)
    ground_m = landing_z + landing_slope_x * (target_x - stance_x) + landing_slope_y * (target_y - stance_y)
    pitch, roll = _sole_tilt(landing_slope_x, landing_slope_y, target_yaw)
    swing_on(target_x, target_y, target_yaw, ground_m, pitch, roll, t_s, duration, dt_s, axes, flight, shape)
    tiptoe(
        math.cos(axes[YAW, 0]) * way_x + math.sin(axes[YAW, 0]) * way_y, t_s, duration, axes, flight, shape
    )
    lead_foot(foot, shape[TOE_M], axes, task_refs, place, turn)

    lead_body(
        ref_x,
        ref_y,
        z_x,
        z_y,
        omega,
        ground_x,
        ground_y,
        ground_z,
        slope_x,
        slope_y,
        height,
        heading,
        turn_rad_s,
        dt_s,
        p_WC,
        v_WC,
        task_refs,
        com,
        upright,
        height_gain,
        sole_z,
        xi_des,
        p_WC_des,
        v_WC_des,
        R_des,
    )
