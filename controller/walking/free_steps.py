"""Steps that follow the course, over the ground as the feet have felt it."""

from __future__ import annotations

from controller.walking.course import Course
from controller.walking.dcm_plan import Point
from controller.walking.footsteps import Foothold, next_foothold
from controller.walking.ground import Ground
from controller.walking.single_support import SingleSupport
from controller.walking.steps import Plane, Steps
from controller.walking.stride import SWING, TRANSFER, Stride

_STILL = (0.0, 0.0, 0.0)


class FreeSteps(Steps):
    """Steps that a velocity asks for.

    Args:
        single: makes them.
        course: says where to.

    Attributes:
        ground: as felt.
    """

    def __init__(self, single: SingleSupport, course: Course) -> None:
        super().__init__(single)
        self._course = course
        self.ground = Ground(self.gait.half_length_m, self.gait.half_width_m)
        self._asked: tuple[Foothold, float, tuple[float, float, float]] | None = None
        self._answer: Foothold = (0.0, 0.0, 0.0)

    def feel(self, foot: Foothold, z: float, normal: tuple[float, float, float]) -> None:
        """Takes a sole that stands, at this height, with this normal up."""
        if self.gait.half_length_m == 0.0:
            return  # points have no tilt, and are too close together to tell a slope without
        nx, ny, nz = normal
        self.ground.feel(foot[0], foot[1], z, (-nx / nz, -ny / nz))

    @property
    def roughness_m(self) -> float:
        """How far the ground is from what is known of it, RMS."""
        return self.ground.roughness_m

    def first_stance(self) -> int:
        """See `Steps.first_stance`."""
        return self.gait.right if self._course.asked[1] >= 0.0 else self.gait.left

    def is_last(self, stop: bool) -> bool:
        """See `Steps.is_last`."""
        return stop and self._course.resting

    def foothold(self, stride: Stride, last: bool) -> Foothold:
        """See `Steps.foothold`."""
        # Within a phase the same is asked tick after tick.
        asked = (stride.standing, stride.side, _STILL if last else self._course.steps)
        if asked != self._asked:
            gait = self.gait
            self._asked = asked
            self._answer = next_foothold(*asked, gait.step_s + gait.double_support_s, gait.width_m)
        return self._answer

    def touchdown(self, stride: Stride, foothold: Foothold, last: bool) -> tuple[Point, float]:
        """See `Steps.touchdown`."""
        a, b = stride.standing, foothold
        if last:
            return (0.5 * (a[0] + b[0]), 0.5 * (a[1] + b[1])), 0.5
        return self.plan.at_touchdown(a, b, -stride.side, self._course.steps), self.plan.follow

    def landed(self) -> None:
        """See `Steps.landed`; the course goes on by itself."""

    def landing(self, stride: Stride) -> tuple[float, float, float]:
        """See `Steps.landing`."""
        return stride.standing_z, *self.ground.slope

    def under(self, stride: Stride) -> Plane:
        """See `Steps.under`."""
        if stride.phase == SWING:
            x, y, _ = stride.standing
            return x, y, stride.standing_z, *self.ground.slope
        x, y, _ = stride.middle
        if stride.phase == TRANSFER:
            (ax, ay, _), (bx, by, _) = stride.standing, stride.leaving
            x, y = 0.5 * (ax + bx), 0.5 * (ay + by)
        return x, y, stride.middle_z, *self.ground.slope
