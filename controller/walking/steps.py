"""Interface of the steps of a walk, whether they follow a velocity or are given footsteps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from kilohertz.controller.walking.dcm_plan import Point
from kilohertz.controller.walking.footsteps import Foothold
from kilohertz.controller.walking.gait_state import GaitState
from kilohertz.controller.walking.single_support import SingleSupport

Plane = tuple[float, float, float, float, float]
"""Plane of the ground: a point x, y, z of it in the world [m], and its rise per metre along x and y."""


class Steps(ABC):
    """Steps of one gait.

    Args:
        single: single support of this gait.

    Attributes:
        single: single support, as in the argument.
        gait, plan: gait and DCM plan of `single`.
    """

    def __init__(self, single: SingleSupport) -> None:
        self.single, self.gait, self.plan = single, single.gait, single.plan

    @property
    def roughness_m(self) -> float:
        """RMS deviation of the measured contact heights from the estimated ground plane [m]."""
        return 0.0

    @abstractmethod
    def first_stance(self) -> int:
        """Returns the index of the stance contact of the first step."""

    @abstractmethod
    def is_last(self, stop: bool) -> bool:
        """Returns whether a step that starts now is the last one.

        Args:
            stop: True if the robot has been commanded to stop.
        """

    @abstractmethod
    def foothold(self, gait_state: GaitState, last: bool) -> Foothold:
        """Returns the foothold of the foot that swings, or that will after the load transfer.

        Args:
            gait_state: phase and feet.
            last: True if no step follows.
        """

    def after(self, most: int) -> Iterator[tuple[Foothold, float]]:
        """Yields the known footholds after the next one, and their rises over the stance foot [m].

        Args:
            most: largest number of footholds.
        """
        return iter(())

    @abstractmethod
    def touchdown(self, gait_state: GaitState, foothold: Foothold, last: bool) -> tuple[Point, float]:
        """Returns the DCM at touch-down [m], and its displacement per metre of foothold displacement.

        Args:
            gait_state: phase and feet.
            foothold: planned foothold, as returned by `foothold`.
            last: True if no step follows.
        """

    @abstractmethod
    def landing(self, gait_state: GaitState) -> tuple[float, float, float]:
        """Returns the ground plane of the landing: world height at the stance foot [m], and slope."""

    @abstractmethod
    def under(self, gait_state: GaitState) -> Plane:
        """Returns the ground plane over which the height of the centre of mass is controlled."""

    @abstractmethod
    def landed(self) -> None:
        """Advances to the next step; called when a foot has landed."""

    def before_swing(self, gait_state: GaitState) -> Point:
        """Returns the planned DCM at the end of double support, when a foot lifts off [m]."""
        foothold = self.foothold(gait_state, last=False)
        end, _ = self.touchdown(gait_state, foothold, last=False)
        return self.plan.after_landing(gait_state.leaving, gait_state.standing, foothold, end)
