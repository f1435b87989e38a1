"""Steps that follow the velocity reference, on the ground plane estimated from the contacts."""

from __future__ import annotations

from kilohertz.controller.walking.dcm_plan import Point
from kilohertz.controller.walking.footsteps import Foothold, next_foothold
from kilohertz.controller.walking.gait_state import DOUBLE_SUPPORT, SWING, GaitState
from kilohertz.controller.walking.single_support import SingleSupport
from kilohertz.controller.walking.steps import Plane, Steps
from kilohertz.controller.walking.velocity_reference import VelocityReference
from kilohertz.estimators.ground import Ground

_STILL = (0.0, 0.0, 0.0)


class FreeSteps(Steps):
    """Steps whose footholds follow from a velocity.

    Args:
        single: single support of these steps.
        velocity_reference: velocity of the steps.

    Attributes:
        ground: ground plane, estimated from the contacts.
    """

    def __init__(self, single: SingleSupport, velocity_reference: VelocityReference) -> None:
        super().__init__(single)
        self._velocity_reference = velocity_reference
        self.ground = Ground(self.gait.half_length_m, self.gait.half_width_m)
        self._asked: tuple[Foothold, float, tuple[float, float, float]] | None = None
        self._answer: Foothold = (0.0, 0.0, 0.0)

    def feel(self, foot: Foothold, z: float, normal: tuple[float, float, float]) -> None:
        """Adds a contact to the estimate of the ground plane.

        Args:
            foot: foothold of a sole that stands on the ground.
            z: height of that sole in the world [m].
            normal: (3,) upward unit normal of that sole in the world.
        """
        if self.gait.half_length_m == 0.0:
            return  # points have no tilt, and are too close together to estimate a slope
        nx, ny, nz = normal
        self.ground.feel(foot[0], foot[1], z, (-nx / nz, -ny / nz))

    @property
    def roughness_m(self) -> float:
        """RMS deviation of the measured contact heights from the estimated ground plane [m]."""
        return self.ground.roughness_m

    def first_stance(self) -> int:
        """See `Steps.first_stance`."""
        return self.gait.right if self._velocity_reference.asked[1] >= 0.0 else self.gait.left

    def is_last(self, stop: bool) -> bool:
        """See `Steps.is_last`."""
        return stop and self._velocity_reference.resting

    def foothold(self, gait_state: GaitState, last: bool) -> Foothold:
        """See `Steps.foothold`."""
        # The arguments stay the same within a phase, so the last result is stored.
        asked = (gait_state.standing, gait_state.side, _STILL if last else self._velocity_reference.steps)
        if asked != self._asked:
            gait = self.gait
            self._asked = asked
            self._answer = next_foothold(*asked, gait.step_s + gait.double_support_s, gait.width_m)
        return self._answer

    def touchdown(self, gait_state: GaitState, foothold: Foothold, last: bool) -> tuple[Point, float]:
        """See `Steps.touchdown`."""
        a, b = gait_state.standing, foothold
        if last:
            return (0.5 * (a[0] + b[0]), 0.5 * (a[1] + b[1])), 0.5
        return self.plan.at_touchdown(
            a, b, -gait_state.side, self._velocity_reference.steps
        ), self.plan.follow

    def landed(self) -> None:
        """See `Steps.landed`; nothing to do, as the velocity reference advances with time."""

    def landing(self, gait_state: GaitState) -> tuple[float, float, float]:
        """See `Steps.landing`."""
        return gait_state.standing_z, *self.ground.slope

    def under(self, gait_state: GaitState) -> Plane:
        """See `Steps.under`."""
        if gait_state.phase == SWING:
            x, y, _ = gait_state.standing
            return x, y, gait_state.standing_z, *self.ground.slope
        x, y, _ = gait_state.middle
        if gait_state.phase == DOUBLE_SUPPORT:
            (ax, ay, _), (bx, by, _) = gait_state.standing, gait_state.leaving
            x, y = 0.5 * (ax + bx), 0.5 * (ay + by)
        return x, y, gait_state.middle_z, *self.ground.slope
