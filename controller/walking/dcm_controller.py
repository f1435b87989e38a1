"""What leads the robot while it walks: the DCM law, the height, the heading, and the foot that swings.

The law is that of the divergent component of motion: xi follows its plan with z = z_ref + (1 + k / omega)
(xi - xi_ref), kept inside the soles, and cdd = omega^2 (c - z) is what the task of the centre of mass is
asked for (Englsberger, Ott, Albu-Schaeffer, T-RO 2015, eq. 25).
"""

from __future__ import annotations

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
from kilohertz.robots.model.kin import Z

LOWERING_S = 0.8
"""Time in which the centre of mass sinks to the height of walking."""
_LIFT_STEP_M = 1e-3
"""The plan is made anew for a load that lifts the centre of mass by this much more or less."""


class DcmController:
    """Writes the references of a tick.

    Args:
        body: the whole-body controller, with the tasks of standing and `walking_tasks` declared.
        refs: rows of the tasks that it writes.
        gait_state: the step under way.
        double_support: between two steps.
        load_transfer: of the feet.
        velocity_reference: says where to.
        gains: of the robot.
        on_points: whether the feet are points.
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
        # Only where a trunk above it can stay upright may the pelvis roll.
        self._hips = Hips(body.reference("base")) if "trunk" in body.task_index else None
        self._lift_m = self._height_from = self._t = 0.0
        self._lowering_s = LOWERING_S
        self.retune(gains)

    def retune(self, gains: Gains) -> None:
        """Takes the numbers of these gains."""
        self._gain_per_s = gains.walk.dcm_gain_per_s
        self._refs.retune(gains.com)

    def begin(self, steps: Steps) -> None:
        """Takes over from standing, as the robot is seen."""
        refs, kin = self._refs, self._kin
        refs.sole_z[0] = self._gait_state.middle_z
        self._lift(steps, float(self._carried.p_RC[Z]))
        self.sink(LOWERING_S)
        refs.p_WC_des[:], refs.v_WC_des[:] = kin.p_WC, 0.0

    def sink(self, duration_s: float) -> None:
        """Begins to bring the centre of mass from where it is to the height of walking, in this time."""
        self._height_from = float(self._kin.p_WC[Z]) - float(self._refs.sole_z[0]) - self._lift_m
        self._lowering_s, self._t = duration_s, 0.0

    def end(self) -> None:
        """Hands back to standing."""
        if self._hips is not None:
            self._hips.level()
        for ref in self._upright:
            ref.w[:] = 0.0

    def bear_load(self, steps: Steps) -> None:
        """A load lifts the centre of mass: the pendulum grows with it, the robot stays as high as it was."""
        lift = float(self._carried.p_RC[Z])
        if abs(lift - self._lift_m) > _LIFT_STEP_M:
            self._lift(steps, lift)

    def _lift(self, steps: Steps, lift_m: float) -> None:
        self._lift_m = lift_m
        steps.plan.set_height(steps.gait.height_m + lift_m)
        self._load_transfer.weigh(self._carried.total_kg)

    def advance(self, steps: Steps, xi: Point, last: bool, dt_s: float) -> None:
        """Writes this tick's references.

        Args:
            steps: under way.
            xi: the DCM.
            last: whether no step is to follow the one under way.
            dt_s: the tick.
        """
        gait_state = self._gait_state
        self._t += dt_s
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
        gain = self._gain_per_s
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
        k = 1.0 + self._gain_per_s / plan.omega
        z = z_ref[0] + k * (xi[0] - xi_ref[0]), z_ref[1] + k * (xi[1] - xi_ref[1])
        z = inside_both(z, gait_state.feet[0], gait_state.feet[1], steps.gait)
        self._refs.lead(xi_ref, z, self._leading(steps, dt_s))

    def _leading(self, steps: Steps, dt_s: float) -> tuple[float, ...]:
        """Numbers of `kilohertz.controller.walking.references.Leading`."""
        part, velocity_reference = minimum_jerk(self._t / self._lowering_s)[0], self._velocity_reference
        height = self._height_from + part * (steps.gait.height_m - self._height_from) + self._lift_m
        # Feet that cannot turn have no heading of their own: the base holds that of the velocity reference.
        heading = velocity_reference.yaw if self._on_points else float(self._refs.heading[0])
        return (
            steps.plan.omega,
            *steps.under(self._gait_state),
            height,
            heading,
            velocity_reference.velocity[2],
            dt_s,
        )
