"""Task references of a walking robot: DCM control, centre-of-mass height, heading and swing foot.

The control law is that of the divergent component of motion (DCM). xi follows its plan with the zero-moment
point z = z_ref + (1 + k / omega) (xi - xi_ref), limited to the soles, and the centre-of-mass task is
commanded cdd = omega^2 (c - z) (Englsberger, Ott, Albu-Schaeffer, T-RO 2015, eq. 25).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.motion.profile import minimum_jerk
from kilohertz.controller.tasks.frame_orientation import views
from kilohertz.controller.walking.dcm_plan import Point
from kilohertz.controller.walking.double_support import DoubleSupport
from kilohertz.controller.walking.gait_state import DOUBLE_SUPPORT, SWING, GaitState
from kilohertz.controller.walking.given_steps import GivenSteps
from kilohertz.controller.walking.hips import Hips
from kilohertz.controller.walking.load_transfer import LoadTransfer
from kilohertz.controller.walking.references import UPRIGHT, References
from kilohertz.controller.walking.steps import Steps
from kilohertz.controller.walking.support import inside_both
from kilohertz.controller.walking.velocity_reference import VelocityReference
from kilohertz.controller.whole_body.whole_body import WholeBody
from kilohertz.robots.model.kin import Floats, Z

LOWERING_S = 0.8
"""Time in which the centre of mass is lowered to the walking height [s]."""
LIFT_STEP_M = 1e-3
"""The plan is recomputed when the centre-of-mass lift by a load changes by more than this [m]."""
SINCE_S, LOWERING_TIME_S, HEIGHT_FROM_M, LIFT_M, GAIN_PER_S, ON_POINTS = range(6)
"""Indices of `DcmArrays.control`."""


class DcmArrays(NamedTuple):
    """State and parameters of the control, for compiled code."""

    control: Floats
    """(6,) values indexed by SINCE_S to ON_POINTS: time since the centre of mass began to move to the walking
    height and duration of that motion [s]; height over the soles at which it began, and lift by a load [m];
    gain of the DCM control [1/s]; and 1 if the feet are points, else 0."""
    p_RC: Floats
    """(3,) centre of mass relative to that of the robot without its loads, see `Carried` [m]."""


class DcmController:
    """Writes the task references of walking, once per tick.

    Args:
        body: whole-body controller, with `standing_tasks` and `walking_tasks` declared.
        refs: compiled access to the task references that are written.
        gait_state: phase and feet of the step under way.
        double_support: zero-moment point during double support.
        load_transfer: references of the contact wrenches.
        velocity_reference: commanded velocity, as ramped and corrected.
        gains: gains of the robot.
        on_points: True if the feet are points.

    Attributes:
        arrays: state and parameters, for compiled code.
    """

    def __init__(
        self,
        body: WholeBody,
        refs: References,
        gait_state: GaitState,
        double_support: DoubleSupport,
        load_transfer: LoadTransfer,
        velocity_reference: VelocityReference,
        gains: Gains,
        on_points: bool,
    ) -> None:
        self._kin, self._carried = body.arrays.kin, body.carried
        self._refs, self._gait_state, self._double_support, self._load_transfer = (
            refs,
            gait_state,
            double_support,
            load_transfer,
        )
        self._velocity_reference, self._on_points = velocity_reference, on_points
        self._upright = [views(body.reference(name)) for name in UPRIGHT if name in body.task_index]
        # The pelvis may roll only if the trunk above it is held upright by a task of its own.
        self._hips = Hips(body.reference("base")) if "trunk" in body.task_index else None
        self._control = np.zeros(ON_POINTS + 1)
        self._control[[LOWERING_TIME_S, ON_POINTS]] = LOWERING_S, on_points
        self.arrays = DcmArrays(self._control, body.carried.p_RC)
        self.retune(gains)

    def retune(self, gains: Gains) -> None:
        """Applies new gains."""
        self._control[GAIN_PER_S] = gains.walk.dcm_gain_per_s
        self._refs.retune(gains.com)

    def begin(self, steps: Steps) -> None:
        """Takes over from standing, at the measured position of the robot.

        Args:
            steps: steps that the robot will take.
        """
        refs, kin = self._refs, self._kin
        refs.sole_z[0] = self._gait_state.middle_z
        self._lift(steps, float(self._carried.p_RC[Z]))
        self.sink(LOWERING_S)
        refs.p_WC_des[:], refs.v_WC_des[:] = kin.p_WC, 0.0

    def sink(self, duration_s: float) -> None:
        """Starts to move the centre of mass from its present to the walking height, in duration_s [s]."""
        control = self._control
        control[HEIGHT_FROM_M] = float(self._kin.p_WC[Z]) - float(self._refs.sole_z[0]) - control[LIFT_M]
        control[LOWERING_TIME_S], control[SINCE_S] = duration_s, 0.0

    def end(self) -> None:
        """Levels the pelvis and zeroes the angular velocity references, before standing takes over."""
        if self._hips is not None:
            self._hips.level()
        for ref in self._upright:
            ref.w[:] = 0.0

    def bear_load(self, steps: Steps) -> None:
        """Updates the pendulum height for a carried load, which raises the common centre of mass.

        The robot itself keeps its height.
        """
        lift = float(self._carried.p_RC[Z])
        if abs(lift - float(self._control[LIFT_M])) > LIFT_STEP_M:
            self._lift(steps, lift)

    def _lift(self, steps: Steps, lift_m: float) -> None:
        self._control[LIFT_M] = lift_m
        steps.plan.set_height(steps.gait.height_m + lift_m)
        self._load_transfer.weigh(self._carried.total_kg)

    def advance(self, steps: Steps, xi: Point, last: bool, dt_s: float) -> None:
        """Writes this tick's references.

        Args:
            steps: steps that the robot takes.
            xi: measured DCM in the world [m].
            last: True if no step follows the one under way.
            dt_s: duration of the tick [s].
        """
        gait_state = self._gait_state
        self._control[SINCE_S] += dt_s
        if gait_state.phase == SWING:
            self._advance_on_one(steps, last, dt_s)
        else:
            self._advance_on_both(steps, xi, dt_s)
        if self._hips is not None and isinstance(steps, GivenSteps):
            rise_m, step_s = steps.route.rise_m(), steps.single.adaptation.duration_s
            self._hips.advance(gait_state, rise_m, step_s, float(self._refs.heading[0]), dt_s)

    def _advance_on_one(self, steps: Steps, last: bool, dt_s: float) -> None:
        gait_state = self._gait_state
        planned = steps.foothold(gait_state, last)
        end, follow = steps.touchdown(gait_state, planned, last)
        landing, leading = steps.landing(gait_state), self._leading(steps, dt_s)
        gain = float(self._control[GAIN_PER_S])
        steps.single.advance(gait_state.swing, gait_state.t_s, planned, end, follow, landing, gain, leading)

    def _advance_on_both(self, steps: Steps, xi: Point, dt_s: float) -> None:
        gait_state, plan = self._gait_state, steps.plan
        x, y, _ = gait_state.middle
        xi_ref = z_ref = (x, y)
        if gait_state.phase == DOUBLE_SUPPORT:
            x, y, _ = gait_state.standing
            end = steps.before_swing(gait_state)
            xi_ref, z_ref = self._double_support.advance(gait_state.t_s, (x, y), plan, end)
            self._load_transfer.share(gait_state.stance, self._double_support.part)
        k = 1.0 + float(self._control[GAIN_PER_S]) / plan.omega
        z = z_ref[0] + k * (xi[0] - xi_ref[0]), z_ref[1] + k * (xi[1] - xi_ref[1])
        z = inside_both(z, gait_state.foot(0), gait_state.foot(1), steps.gait)
        self._refs.lead(xi_ref, z, self._leading(steps, dt_s))

    def _leading(self, steps: Steps, dt_s: float) -> tuple[float, ...]:
        """Returns the fields of `kilohertz.controller.walking.references.Leading`, in their order."""
        since_s, lowering_s, height_from, lift_m, *_ = self._control.tolist()
        part, velocity_reference = minimum_jerk(since_s / lowering_s)[0], self._velocity_reference
        height = height_from + part * (steps.gait.height_m - height_from) + lift_m
        # Point feet have no heading of their own: the base follows the heading of the velocity reference.
        heading = velocity_reference.yaw if self._on_points else float(self._refs.heading[0])
        return (
            steps.plan.omega,
            *steps.under(self._gait_state),
            height,
            heading,
            velocity_reference.velocity[2],
            dt_s,
        )
