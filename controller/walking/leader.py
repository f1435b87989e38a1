"""What leads the robot while it walks: the DCM law, the height, the heading, and the foot that swings.

The law is that of the divergent component of motion: xi follows its plan with z = z_ref + (1 + k / omega)
(xi - xi_ref), kept inside the soles, and cdd = omega^2 (c - z) is what the task of the centre of mass is
asked for (Englsberger, Ott, Albu-Schaeffer, T-RO 2015, eq. 25).
"""

from __future__ import annotations

from controller.behaviours.profile import minimum_jerk
from controller.gains import Gains
from controller.walking.course import Course
from controller.walking.dcm_plan import Point
from controller.walking.given_steps import GivenSteps
from controller.walking.hips import Hips
from controller.walking.loading import Loading
from controller.walking.references import UPRIGHT, References
from controller.walking.steps import Steps
from controller.walking.stride import SWING, TRANSFER, Stride
from controller.walking.support import inside_both
from controller.walking.transfer import Transfer
from controller.whole_body import WholeBody

LOWERING_S = 0.8
"""Time in which the centre of mass sinks to the height of walking."""
_LIFT_STEP_M = 1e-3
"""The plan is made anew for a load that lifts the centre of mass by this much more or less."""


class Leader:
    """Writes the references of a tick.

    Args:
        body: the whole-body controller, with the tasks of standing and `walking_tasks` declared.
        refs: rows of the tasks that it writes.
        stride: the step under way.
        transfer: between two steps.
        loading: of the feet.
        course: says where to.
        gains: of the robot.
        on_points: whether the feet are points.
    """

    def __init__(
        self,
        body: WholeBody,
        refs: References,
        stride: Stride,
        transfer: Transfer,
        loading: Loading,
        course: Course,
        gains: Gains,
        on_points: bool,
    ) -> None:
        self._kin, self._carried = body.arrays.kin, body.carried
        self._refs, self._stride, self._transfer, self._loading = refs, stride, transfer, loading
        self._course, self._on_points = course, on_points
        self._upright = [body.reference(name) for name in UPRIGHT if name in body.task_index]
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
        refs.sole_z[0] = self._stride.middle_z
        self._lift(steps, float(self._carried.p_RC[2]))
        self.sink(LOWERING_S)
        refs.p_WC_des[:], refs.v_WC_des[:] = kin.p_WC, 0.0

    def sink(self, duration_s: float) -> None:
        """Begins to bring the centre of mass from where it is to the height of walking, in this time."""
        self._height_from = float(self._kin.p_WC[2]) - float(self._refs.sole_z[0]) - self._lift_m
        self._lowering_s, self._t = duration_s, 0.0

    def end(self) -> None:
        """Hands back to standing."""
        if self._hips is not None:
            self._hips.level()
        for ref in self._upright:
            ref[9:12] = 0.0

    def bear_load(self, steps: Steps) -> None:
        """A load lifts the centre of mass: the pendulum grows with it, the robot stays as high as it was."""
        lift = float(self._carried.p_RC[2])
        if abs(lift - self._lift_m) > _LIFT_STEP_M:
            self._lift(steps, lift)

    def _lift(self, steps: Steps, lift_m: float) -> None:
        self._lift_m = lift_m
        steps.plan.set_height(steps.gait.height_m + lift_m)
        self._loading.weigh(self._carried.total_kg)

    def advance(self, steps: Steps, xi: Point, last: bool, dt_s: float) -> None:
        """Writes this tick's references.

        Args:
            steps: under way.
            xi: the DCM.
            last: whether no step is to follow the one under way.
            dt_s: the tick.
        """
        stride = self._stride
        self._t += dt_s
        if stride.phase == SWING:
            self._advance_on_one(steps, last, dt_s)
        else:
            self._advance_on_both(steps, xi, dt_s)
        if self._hips is not None and isinstance(steps, GivenSteps):
            rise_m, step_s = steps.route.rise_m(), steps.single.adaptation.duration_s
            self._hips.advance(stride, rise_m, step_s, float(self._refs.heading[0]), dt_s)

    def _advance_on_one(self, steps: Steps, last: bool, dt_s: float) -> None:
        stride = self._stride
        planned = steps.foothold(stride, last)
        end, follow = steps.touchdown(stride, planned, last)
        landing, leading = steps.landing(stride), self._leading(steps, dt_s)
        gain = self._gain_per_s
        steps.single.advance(stride.swing, stride.t_s, *planned, *end, follow, *landing, gain, *leading)

    def _advance_on_both(self, steps: Steps, xi: Point, dt_s: float) -> None:
        stride, plan = self._stride, steps.plan
        x, y, _ = stride.middle
        xi_ref = z_ref = (x, y)
        if stride.phase == TRANSFER:
            x, y, _ = stride.standing
            end = steps.before_swing(stride)
            xi_ref, z_ref = self._transfer.advance(stride.t_s, (x, y), plan, end)
            self._loading.share(stride.stance, self._transfer.part)
        k = 1.0 + self._gain_per_s / plan.omega
        z = z_ref[0] + k * (xi[0] - xi_ref[0]), z_ref[1] + k * (xi[1] - xi_ref[1])
        z = inside_both(z, stride.feet[0], stride.feet[1], steps.gait)
        self._refs.lead(*xi_ref, *z, *self._leading(steps, dt_s))

    def _leading(self, steps: Steps, dt_s: float) -> tuple[float, ...]:
        """What leads the body besides the DCM; see `lead_body`."""
        part, course = minimum_jerk(self._t / self._lowering_s)[0], self._course
        height = self._height_from + part * (steps.gait.height_m - self._height_from) + self._lift_m
        # Feet that cannot turn have no heading of their own: the base has to hold the course's itself.
        heading = course.yaw if self._on_points else float(self._refs.heading[0])
        return steps.plan.omega, *steps.under(self._stride), height, heading, course.velocity[2], dt_s
