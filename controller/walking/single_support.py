"""Single support, one tick: adapts the step, moves the swing foot, and controls the DCM along its plan.

All of it is one compiled call; in plain Python with a few compiled calls it took 16 us.
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
    StepArrays,
    adapt,
)
from kilohertz.controller.walking.dcm_plan import DcmPlan, Point, dcm_in_swing, leg_shift
from kilohertz.controller.walking.footsteps import Foothold
from kilohertz.controller.walking.gait import LEG_SHIFT_S2, Gait
from kilohertz.controller.walking.references import (
    FOOT,
    FOOT_X,
    FOOT_Y,
    FOOT_YAW,
    LEADING,
    POINT,
    SEEN_XI,
    Leading,
    References,
    WalkingArrays,
    lead_body,
    lead_foot,
)
from kilohertz.controller.walking.support import inside_sole
from kilohertz.controller.walking.swing import (
    YAW,
    Swing,
    SwingArrays,
    X,
    Y,
    climb,
    held_back,
    swing_on,
    tiptoe,
)
from kilohertz.estimators.ground import sole_tilt
from kilohertz.robots.compile.bound_kernel import bind
from kilohertz.robots.compile.kernels import kernel
from kilohertz.robots.model.kin import Kin

_leg_shift, _sole_tilt = kernel(leg_shift), kernel(sole_tilt)


class SingleSupport:
    """Single support of the steps of one gait.

    Args:
        gait: gait of the steps.
        refs: compiled access to the task references that are written.
        kin: kinematics, updated each tick.
        descent_m_s: see `Swing`.
        leeway_m: see `Adaptation`. If it is finite, the footsteps are given and may have edges between them.

    Attributes:
        gait, plan, adaptation, swing: gait, DCM plan, step adaptation and swing-foot reference of these
            steps.
        advance: kernel that computes one tick; see `advance_step`.
    """

    def __init__(
        self, gait: Gait, refs: References, kin: Kin, descent_m_s: float, leeway_m: float = math.inf
    ) -> None:
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
            call={
                "foot": "i8",
                "t_s": "f8",
                "planned": "UniTuple(f8, 3)",
                "end": POINT,
                "follow": "f8",
                "landing": "UniTuple(f8, 3)",
                "gain_per_s": "f8",
                "leading": LEADING,
            },
            structs={
                "k": kin,
                "walk": refs.arrays,
                "step": adaptation.arrays,
                "swing": swing.arrays,
            },
        )


@kernel
def advance_step(
    foot: int,
    t_s: float,
    planned: Foothold,
    end: Point,
    follow: float,
    landing: tuple[float, float, float],
    gain_per_s: float,
    leading: tuple[float, ...],
    k: Kin,
    walk: WalkingArrays,
    step: StepArrays,
    swing: SwingArrays,
) -> None:
    """Computes one tick of single support.

    The adaptation of the step starts from the planned foothold and from the DCM planned at touch-down there.

    Args:
        foot: index of the contact that swings.
        t_s: time since lift-off [s].
        planned: planned foothold.
        end: planned DCM at touch-down at that foothold [m].
        follow: displacement of that DCM per metre of foothold displacement.
        landing: ground plane of the landing: height at the stance foot [m], rise per metre along x and y.
        gain_per_s: gain of the DCM control [1/s].
        leading: fields of `Leading`, in their order.
        k: kinematics.
        walk: measurements; its references are written.
        step: step under way; it is adapted.
        swing: reference of the swing foot; it is advanced by one tick.
    """
    lead, plan, adapted, axes = Leading(*leading), step.plan, step.adapted, swing.axes
    xi = (walk.seen[SEEN_XI], walk.seen[SEEN_XI + 1])
    plan[PLANNED_X], plan[PLANNED_Y], plan[PLANNED_YAW] = planned
    plan[END_X], plan[END_Y] = end
    adapt(xi, (axes[X, 0], axes[Y, 0]), t_s, lead.dt_s, lead.omega, step)
    way = (adapted[TARGET_X] - plan[OFF_X], adapted[TARGET_Y] - plan[OFF_Y])
    ref, z = follow_dcm(xi, way, t_s, follow, gain_per_s, lead.omega, step)
    move_foot(foot, way, t_s, landing, lead.dt_s, k, walk, step, swing)
    lead_foot(foot, swing, walk)
    lead_body(ref, z, leading, k, walk)


@kernel
def follow_dcm(
    xi: Point, way: Point, t_s: float, follow: float, gain_per_s: float, omega: float, step: StepArrays
) -> tuple[Point, Point]:
    """Returns the planned DCM of the adapted step, and the zero-moment point that controls the DCM to it [m].

    Args:
        xi: measured DCM [m].
        way: displacement of the swing foot from lift-off to its target [m].
        t_s: time since lift-off [s].
        follow: displacement of the DCM at touch-down per metre of foothold displacement.
        gain_per_s: gain of the DCM control [1/s].
        omega: natural frequency [1/s].
        step: step under way, already adapted in this tick.
    """
    plan, adapted, shift_s2 = step.plan, step.adapted, step.gait[LEG_SHIFT_S2]
    duration = adapted[DURATION_S]
    stance_x, stance_y, stance_yaw = plan[STANCE_X], plan[STANCE_Y], plan[STANCE_YAW]
    end = (
        plan[END_X] + follow * (adapted[TARGET_X] - plan[PLANNED_X]),
        plan[END_Y] + follow * (adapted[TARGET_Y] - plan[PLANNED_Y]),
    )
    ref_x, ref_y = dcm_in_swing((stance_x, stance_y), way, t_s, duration, end, omega, shift_s2)
    shift = _leg_shift(shift_s2, duration)
    if t_s < 0.5 * duration:
        shift = -shift
    gain = 1.0 + gain_per_s / omega
    z = (stance_x + gain * (xi[0] - ref_x), stance_y + gain * (xi[1] - ref_y))
    z_x, z_y = inside_sole(z, (stance_x, stance_y, stance_yaw), step.gait)
    return (ref_x, ref_y), (z_x + shift * way[0], z_y + shift * way[1])


@kernel
def move_foot(
    foot: int,
    way: Point,
    t_s: float,
    landing: tuple[float, float, float],
    dt_s: float,
    k: Kin,
    walk: WalkingArrays,
    step: StepArrays,
    swing: SwingArrays,
) -> None:
    """Advances the reference of the swing foot by one tick of dt_s [s].

    The other arguments are those of `advance_step` and `follow_dcm`.
    """
    plan, adapted, axes, seen = step.plan, step.adapted, swing.axes, walk.seen
    duration, at = adapted[DURATION_S], FOOT * foot
    x, y, yaw = seen[at + FOOT_X], seen[at + FOOT_Y], seen[at + FOOT_YAW]
    if held_back((x, y, yaw), k.vel[foot, X], k.vel[foot, Y], swing):
        climb(x, y, t_s, duration, swing)
    target = (adapted[TARGET_X], adapted[TARGET_Y], adapted[TARGET_YAW])
    z, slope_x, slope_y = landing
    ground_m = z + slope_x * (target[0] - plan[STANCE_X]) + slope_y * (target[1] - plan[STANCE_Y])
    swing_on(target, ground_m, _sole_tilt(slope_x, slope_y, target[2]), t_s, duration, dt_s, swing)
    ahead_m = math.cos(axes[YAW, 0]) * way[0] + math.sin(axes[YAW, 0]) * way[1]
    tiptoe(ahead_m, t_s, duration, swing)
