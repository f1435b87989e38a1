"""What a walk asks of its steps, whoever says where they go."""

from __future__ import annotations

from abc import ABC, abstractmethod

from kilohertz.controller.walking.dcm_plan import Point
from kilohertz.controller.walking.footsteps import Foothold
from kilohertz.controller.walking.gait_state import GaitState
from kilohertz.controller.walking.single_support import SingleSupport

Plane = tuple[float, float, float, float, float]
"""Ground, by a point of it and its slope there: x, y, z [m], rise along x and y."""


class Steps(ABC):
    """Steps of one gait.

    Args:
        single: makes them.

    Attributes:
        single, gait, plan: as given, and its own.
    """

    def __init__(self, single: SingleSupport) -> None:
        self.single, self.gait, self.plan = single, single.gait, single.plan

    @property
    def roughness_m(self) -> float:
        """How far the ground is from what is known of it, RMS."""
        return 0.0

    @abstractmethod
    def first_stance(self) -> int:
        """Contact that carries the first step."""

    @abstractmethod
    def is_last(self, stop: bool) -> bool:
        """Whether a step that leaves now is the last one; `stop` where rest is asked for."""

    @abstractmethod
    def foothold(self, gait_state: GaitState, last: bool) -> Foothold:
        """Of the foot that swings, or will after the transfer; `last` where no step is to follow."""

    @abstractmethod
    def touchdown(self, gait_state: GaitState, foothold: Foothold, last: bool) -> tuple[Point, float]:
        """The DCM as that foot lands there, and how far it moves with the foothold, per metre."""

    @abstractmethod
    def landing(self, gait_state: GaitState) -> tuple[float, float, float]:
        """Ground where that foot is to land: its height under the stance foot [m], and its slope."""

    @abstractmethod
    def under(self, gait_state: GaitState) -> Plane:
        """Ground that the centre of mass goes by."""

    @abstractmethod
    def landed(self) -> None:
        """Takes a step to be over."""

    def before_swing(self, gait_state: GaitState) -> Point:
        """The DCM as the transfer ends and a foot leaves."""
        foothold = self.foothold(gait_state, last=False)
        end, _ = self.touchdown(gait_state, foothold, last=False)
        return self.plan.after_landing(gait_state.leaving, gait_state.standing, foothold, end)
