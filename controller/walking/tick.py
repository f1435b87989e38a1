"""Compiled part of a tick of walking: measurements, events, and a step that follows the velocity reference.

`sense` takes the measurements of the tick and reports what the interpreted part has to react to, which is
nothing in nearly every tick of a step. `advance_free_step` plans such a step anew from the velocity reference
and advances it. The plan and its conditions are exact: they give the same bits as the same expressions in
Python.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kilohertz.controller.gains.schema import WalkGains
from kilohertz.controller.motion.profile import minimum_jerk
from kilohertz.controller.walking.adaptation import DURATION_S, StepArrays
from kilohertz.controller.walking.dcm_controller import (
    GAIN_PER_S,
    HEIGHT_FROM_M,
    LIFT_M,
    LIFT_STEP_M,
    LOWERING_TIME_S,
    ON_POINTS,
    SINCE_S,
    DcmArrays,
    DcmController,
)
from kilohertz.controller.walking.dcm_plan import (
    FOLLOW,
    HEIGHT_M,
    OMEGA,
    PERIOD_S,
    WIDTH_M,
    PlanArrays,
    Point,
    touchdown_dcm,
)
from kilohertz.controller.walking.footsteps import Foothold, next_foothold
from kilohertz.controller.walking.gait_state import (
    DOUBLE_SUPPORT,
    LAST,
    PHASE,
    READY,
    SIDE,
    SLOPE_X,
    SLOPE_Y,
    STANCE,
    STANDING_X,
    STANDING_Y,
    STANDING_YAW,
    STANDING_Z,
    SWING,
    T_S,
    GaitArrays,
    GaitState,
)
from kilohertz.controller.walking.pace import Pace
from kilohertz.controller.walking.references import (
    SEEN_OFF,
    SEEN_SLIDES,
    SEEN_Z,
    References,
    WalkingArrays,
    see_feet,
)
from kilohertz.controller.walking.single_support import advance_step
from kilohertz.controller.walking.steps import Steps
from kilohertz.controller.walking.swing import SwingArrays, stopped
from kilohertz.controller.walking.velocity_reference import (
    AHEAD,
    FASTEST_M_S,
    LEFT,
    TURN,
    VelocityArrays,
    VelocityReference,
    advance_velocity,
)
from kilohertz.estimators import friction_estimate
from kilohertz.estimators.friction_estimate import FELT, PART, FrictionArrays, FrictionEstimate, feel_friction
from kilohertz.robots.compile.bound_kernel import bind
from kilohertz.robots.compile.kernels import exact_kernel, kernel
from kilohertz.robots.model.kin import Floats, Kin, Z

PUSHED_M = 0.025
"""A robot whose DCM error is larger than this counts as pushed [m]."""
_SETTLED_SOLE_S = 0.05
"""Time after lift-off of the other foot at which the stance sole has come to rest [s]."""
_RESTING_M_S = 0.15
"""A foot that moves faster than this vertically is not at rest on the ground [m/s]. A contact force computed
from joint torques is unreliable while a leg swings fast. If it ended the step with the foot still in the air,
the robot would shift its weight to a foot without support."""
ANNOUNCE_S = 0.01
"""Time before the planned touch-down from which the contact is planned as closed [s]."""

_ROUGH_DEPTH = 3.0
"""Additional depth to which a foot searches for the ground, relative to its estimated roughness."""
_CATCHING = 0.75
"""A step shorter than this fraction of its planned time catches the robot: base and trunk may lean in it."""
_SINKING_S = 0.1
"""Time after a shortened step in which the stance sole may still sink to the ground [s]. A shortened step
often ends with its foot up to 2 cm above the ground. If the next foothold were planned at that height, the
next foot would land up to 50 ms late, and the DCM error grows by a fifth in that time."""

BEAR, SLIP, SWITCH, LEAN = 1, 2, 4, 8
"""Bits of the result of `sense`. BEAR: the lift by a load has changed; nothing else was done in the call.
SLIP: the friction estimate has changed noticeably. SWITCH: the phase may be over; in SWING it is. LEAN:
base and trunk should lean if they do not, and otherwise not."""
PUSHED, OBSERVES, EARLY, LATE_S, STEP_S, SINKS, LEANS = range(7)
"""Indices of `TickArrays.conditions`: whether the robot has been pushed since the last regular step (1) or
not (0); whether sliding gives information about the friction, see `Tick`; fraction of a step after which a
foot may land; time after the planned touch-down at which a step ends without contact, and planned duration of
a step [s]; whether the last step was shortened, so that its foot may still sink; whether base and trunk
lean."""


class TickArrays(NamedTuple):
    """Conditions of the events of a step."""

    conditions: Floats
    """(7,) values indexed by PUSHED to LEANS."""
    pace_s: Floats
    """(1,) time since the command, see `Pace` [s]."""


class Tick:
    """The compiled part of walking, for the steps of one kind.

    Args:
        kin: kinematics, updated each tick.
        refs: measurements and task references.
        gait_state: phase and feet.
        steps: the steps.
        velocity_reference: commanded velocity, as ramped and corrected.
        pace: comparison of the walked distance with the command.
        friction: estimate of the ground friction.
        dcm_controller: control of the DCM.
        observes: whether sliding of the stance sole gives information about the ground friction. Point feet
            always slide a little, and on stairs ankles reach their limits.

    Attributes:
        conditions: field of `TickArrays`.
        sense: kernel of the measurements and events; see `sense`.
        advance: kernel of a tick of a step that follows the velocity reference; see `advance_free_step`.
    """

    def __init__(
        self,
        kin: Kin,
        refs: References,
        gait_state: GaitState,
        steps: Steps,
        velocity_reference: VelocityReference,
        pace: Pace,
        friction: FrictionEstimate,
        dcm_controller: DcmController,
        observes: bool,
    ) -> None:
        self.conditions = np.zeros(LEANS + 1)
        self.conditions[[OBSERVES, STEP_S]] = observes, steps.gait.step_s
        structs = {
            "k": kin,
            "walk": refs.arrays,
            "gait": gait_state.arrays,
            "step": steps.single.adaptation.arrays,
            "swing": steps.single.swing.arrays,
            "plan": steps.plan.arrays,
            "velocity": velocity_reference.arrays,
            "friction": friction.arrays,
            "dcm": dcm_controller.arrays,
            "tick": TickArrays(self.conditions, pace.time_s),
        }
        self.sense: Callable[[float, NDArray[np.bool_]], int] = bind(
            "walking_sense_kernel",
            [sense],
            call={"dt_s": "f8", "contact": "b1[::1]"},
            structs=structs,
            returns="i8",
        )
        self.advance: Callable[[float, NDArray[np.bool_]], None] = bind(
            "walking_free_step_kernel",
            [advance_free_step],
            call={"dt_s": "f8", "planned": "b1[::1]"},
            structs=structs,
            expected_s=10.0,
        )

    def begin(self, gains: WalkGains, roughness_m: float) -> None:
        """Forgets the steps before; arguments as for `expect`."""
        self.conditions[[PUSHED, SINKS, LEANS]] = 0.0
        self.expect(gains, roughness_m)

    def lift(self, regular: bool) -> None:
        """Notes at lift-off whether the step before had its planned time or was shortened."""
        self.conditions[SINKS] = not regular
        self.pushed = self.pushed and not regular

    def expect(self, gains: WalkGains, roughness_m: float) -> None:
        """Sets when a foot may land at the earliest, and when it counts as landed at the latest.

        Args:
            gains: gains of walking.
            roughness_m: estimated roughness of the ground [m].
        """
        self.conditions[EARLY] = gains.early
        self.conditions[LATE_S] = gains.late_s + _ROUGH_DEPTH * roughness_m / gains.descent_m_s

    @property
    def pushed(self) -> bool:
        """Whether the robot has been pushed since the last regular step."""
        return bool(self.conditions[PUSHED])

    @pushed.setter
    def pushed(self, pushed: bool) -> None:
        self.conditions[PUSHED] = pushed

    @property
    def leans(self) -> bool:
        """Whether base and trunk lean, see LEAN."""
        return bool(self.conditions[LEANS])

    @leans.setter
    def leans(self, leans: bool) -> None:
        self.conditions[LEANS] = leans


_minimum_jerk, _next_foothold = exact_kernel(minimum_jerk), exact_kernel(next_foothold)


@exact_kernel
def sense(
    dt_s: float,
    contact: NDArray[np.bool_],
    k: Kin,
    walk: WalkingArrays,
    gait: GaitArrays,
    step: StepArrays,
    swing: SwingArrays,
    plan: PlanArrays,
    velocity: VelocityArrays,
    friction: FrictionArrays,
    dcm: DcmArrays,
    tick: TickArrays,
) -> int:
    """Advances measurements, velocity reference, friction estimate and time by one tick of dt_s [s].

    Args:
        dt_s: duration of the tick [s].
        contact: (2,) contact flags of the estimator.
        k: kinematics.
        walk: measurements, which are updated.
        gait: state of the gait; its time is advanced.
        step: step under way.
        swing: reference of the swing foot.
        plan: DCM plan of the steps.
        velocity: velocity reference, which is advanced unless the robot waits for its first step.
        friction: estimate of the ground friction, which is updated in a step.
        dcm: state of the DCM control.
        tick: conditions of the events.

    Returns:
        BEAR, or else any of SLIP, SWITCH and LEAN, or 0.
    """
    if abs(dcm.p_RC[Z] - dcm.control[LIFT_M]) > LIFT_STEP_M:
        return BEAR
    event, phase, stance = 0, gait.phase[PHASE], gait.phase[STANCE]
    see_feet(dt_s, plan.plan[OMEGA], k, walk)
    if phase != READY:
        advance_velocity(dt_s, velocity)
        tick.pace_s[0] += dt_s
    if phase == SWING and gait.now[T_S] > _SETTLED_SOLE_S and _observable(walk, tick):
        before = friction.state[PART]
        feel_friction(walk.seen[SEEN_SLIDES + stance], dt_s, friction)
        velocity.speed[FASTEST_M_S] = _fastest_m_s(friction)
        if friction.state[PART] != before:
            event |= SLIP
    if phase == SWING and tick.conditions[SINKS] == 1.0 and gait.now[T_S] < _SINKING_S:
        gait.now[STANDING_Z] = min(gait.now[STANDING_Z], walk.seen[SEEN_Z + stance])
    gait.now[T_S] += dt_s
    if phase != SWING or _lands(contact[1 - stance], 1 - stance, k, walk, gait, step, swing, tick):
        event |= SWITCH
    if _catches(phase, step, dcm, tick) != (tick.conditions[LEANS] == 1.0):
        event |= LEAN
    return event


@exact_kernel
def _catches(phase: int, step: StepArrays, dcm: DcmArrays, tick: TickArrays) -> bool:
    """Returns whether the step under way, or the last one, is shortened to catch the robot.

    On point feet many steps are short, also without a push. Steps out of standing keep the trunk upright.
    """
    conditions = tick.conditions
    if dcm.control[ON_POINTS] == 1.0 or conditions[PUSHED] == 1.0:
        return False
    steps = phase in (DOUBLE_SUPPORT, SWING)
    return bool(steps and step.adapted[DURATION_S] < _CATCHING * conditions[STEP_S])


@exact_kernel
def _observable(walk: WalkingArrays, tick: TickArrays) -> bool:
    """Returns whether sliding of the stance sole gives information about the ground friction.

    Soles also slide for other reasons after a push.
    """
    conditions = tick.conditions
    quiet = conditions[PUSHED] == 0.0 and walk.seen[SEEN_OFF] < PUSHED_M
    return bool(quiet and conditions[OBSERVES] == 1.0)


@exact_kernel
def _fastest_m_s(friction: FrictionArrays) -> float:
    """Returns the fastest walk on the estimated friction; infinite on that of robot.yaml [m/s]."""
    felt = friction.state[FELT]
    return float(friction.state[friction_estimate.FASTEST_M_S] * felt) if felt < 1.0 else math.inf


@exact_kernel
def _lands(
    touches: bool,
    foot: int,
    k: Kin,
    walk: WalkingArrays,
    gait: GaitArrays,
    step: StepArrays,
    swing: SwingArrays,
    tick: TickArrays,
) -> bool:
    """Returns whether a swinging foot has landed, or is so late that it counts as landed.

    The contact force is less accurate on a leg that swings fast: a shortened step ends as planned.

    Args:
        touches: contact flag of the foot.
        foot: index of its contact.
        k: kinematics.
        walk: measurements.
        gait: state of the gait.
        step: step under way.
        swing: reference of the foot.
        tick: conditions of the events.
    """
    conditions, t_s, duration = tick.conditions, gait.now[T_S], step.adapted[DURATION_S]
    if t_s > duration + conditions[LATE_S]:
        return True
    hurry = duration / conditions[STEP_S]
    early = duration * (1.0 - (1.0 - conditions[EARLY]) * hurry * hurry)
    if not (touches and t_s > early and abs(k.vel[foot, Z]) < _RESTING_M_S):
        return False
    return t_s > duration or stopped(walk.seen[SEEN_Z + foot], swing)


@exact_kernel
def plan_free_step(
    gait: GaitArrays, velocity: VelocityArrays, plan: PlanArrays
) -> tuple[Foothold, Point, float]:
    """Returns the planned foothold, the DCM at touch-down there [m], and how far it moves with the foothold.

    The compiled twin of `FreeSteps.foothold` and `FreeSteps.touchdown`.

    Args:
        gait: state of the gait.
        velocity: velocity reference.
        plan: DCM plan of the steps.
    """
    now, p = gait.now, plan.plan
    stance, side = (now[STANDING_X], now[STANDING_Y], now[STANDING_YAW]), now[SIDE]
    if now[LAST] == 1.0:
        foothold = _next_foothold(stance, side, (0.0, 0.0, 0.0), p[PERIOD_S], p[WIDTH_M])
        return foothold, (0.5 * (stance[0] + foothold[0]), 0.5 * (stance[1] + foothold[1])), 0.5
    steps = (velocity.steps[AHEAD], velocity.steps[LEFT], velocity.steps[TURN])
    foothold = _next_foothold(stance, side, steps, p[PERIOD_S], p[WIDTH_M])
    return foothold, touchdown_dcm(stance, foothold, -side, steps, plan), p[FOLLOW]


@exact_kernel
def lowered_height(plan: PlanArrays, dcm: DcmArrays) -> float:
    """Returns the desired height of the centre of mass over the ground, on its way to that of walking [m]."""
    c = dcm.control
    part, _, _ = _minimum_jerk(c[SINCE_S] / c[LOWERING_TIME_S])
    return float(c[HEIGHT_FROM_M] + part * (plan.plan[HEIGHT_M] - c[HEIGHT_FROM_M]) + c[LIFT_M])


@kernel
def advance_free_step(
    dt_s: float,
    planned: NDArray[np.bool_],
    k: Kin,
    walk: WalkingArrays,
    gait: GaitArrays,
    step: StepArrays,
    swing: SwingArrays,
    plan: PlanArrays,
    velocity: VelocityArrays,
    dcm: DcmArrays,
) -> None:
    """Computes one tick of a step that follows the velocity reference.

    Args:
        dt_s: duration of the tick [s].
        planned: (2,) flags of the contacts that are planned as closed; that of the swing foot is written.
        k: kinematics.
        walk: measurements; its references are written.
        gait: state of the gait.
        step: step under way; it is adapted.
        swing: reference of the swing foot; it is advanced.
        plan: DCM plan of the steps.
        velocity: velocity reference.
        dcm: state of the DCM control; its time is advanced.
    """
    now, foot = gait.now, 1 - gait.phase[STANCE]
    dcm.control[SINCE_S] += dt_s
    foothold, end, follow = plan_free_step(gait, velocity, plan)
    # Point feet have no heading of their own: the base follows the heading of the velocity reference.
    heading = velocity.pose[TURN] if dcm.control[ON_POINTS] == 1.0 else walk.heading[0]
    slope = (now[SLOPE_X], now[SLOPE_Y])
    leading = (
        plan.plan[OMEGA],
        now[STANDING_X],
        now[STANDING_Y],
        now[STANDING_Z],
        slope[0],
        slope[1],
        lowered_height(plan, dcm),
        heading,
        velocity.velocity[TURN],
        dt_s,
    )
    landing = (now[STANDING_Z], slope[0], slope[1])
    gain = dcm.control[GAIN_PER_S]
    advance_step(foot, now[T_S], foothold, end, follow, landing, gain, leading, k, walk, step, swing)
    planned[foot] = now[T_S] > step.adapted[DURATION_S] - ANNOUNCE_S
