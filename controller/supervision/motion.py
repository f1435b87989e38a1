"""Interface between the brain and the references of a robot, on legs or bolted to the ground."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.joint_motion.plan_row import JointState
from kilohertz.controller.motion.remarks import Remarks
from kilohertz.controller.safety.falling import Falling
from kilohertz.controller.supervision.request import RequestRow
from kilohertz.controller.upper_body.hands import Hands
from kilohertz.estimators.joint_friction import JointFriction
from kilohertz.robots.model.rows import Vector

WAITING, RUNNING, DONE = "waiting", "running", "done"
"""States of a behaviour."""


class Motion(Protocol):
    """Turns requests into references of the whole-body controller.

    Attributes:
        hands: references of the hands.
        remarks: sentences to the operator about requests that could not be met.
        planned: (nc,) whether each contact should be closed in this tick.
        calm: whether no disturbance acts on the robot; set by the brain.
        falling: fall detection and the motion during a fall; None for a robot that cannot fall.
        friction: learnt joint friction; None for a robot that does not learn it.
        p_WC_des, v_WC_des, p_WS: (3,) references and middle of the soles as in `BrainOutput`; NaN for a fixed
            base.
    """

    hands: Hands
    remarks: Remarks
    planned: NDArray[np.bool_]
    calm: bool
    falling: Falling | None
    friction: JointFriction | None

    @property
    def footsteps(self) -> Vector:
        """Coming footsteps as in `Walking`, an array that is updated in place."""
        ...

    @property
    def p_WC_des(self) -> Vector:
        """Desired position of the centre of mass in the world, (3,) [m]."""
        ...

    @property
    def v_WC_des(self) -> Vector:
        """Desired velocity of the centre of mass in the world, (3,) [m/s]."""
        ...

    @property
    def p_WS(self) -> Vector:
        """Estimated middle of the soles in the world, (3,) [m]."""
        ...

    @property
    def velocity_des(self) -> tuple[float, float, float]:
        """Velocity reference of the walk: forward, to the left [m/s] and turning [rad/s]."""
        ...

    @property
    def behaviour(self) -> str:
        """Name of the active behaviour."""
        ...

    @property
    def behaviour_state(self) -> str:
        """State of the behaviour: WAITING for the robot to come to rest, RUNNING or DONE."""
        ...

    def joint_state(self) -> JointState | None:
        """Returns the state of an arm's joints in which a motion that is requested now would begin.

        None for a robot whose motions are not planned.
        """
        ...

    def motion_kind(self) -> int:
        """Returns the kind of the motion, as in `kilohertz.controller.gains.comparison`.

        To be called in each tick in which it is of interest: when a streamed velocity has drifted to that of
        another walk, one tick counts as a transition.
        """
        ...

    @property
    def disturbed(self) -> bool:
        """Whether a disturbance acts on the robot, or it takes steps to recover from one."""
        ...

    def update_rest(self) -> bool:
        """Returns whether the robot has come to rest; called in each tick of a soft stop."""
        ...

    def retune(self, gains: Gains) -> None:
        """Applies the values of these gains."""
        ...

    def start(self) -> None:
        """Begins with a robot at rest."""
        ...

    def take(self, request: RequestRow) -> None:
        """Switches to a new request."""
        ...

    def follow_streams(self, t_s: float, dt_s: float) -> None:
        """Reads the streamed targets of this tick; the kinematics must be up to date."""
        ...

    def advance(self, dt_s: float) -> None:
        """Writes the references for this tick."""
        ...

    def fall_reason(self, q: Vector) -> str:
        """Returns why balance is lost, as one sentence; "" while it is not lost.

        Args:
            q: (nq,) estimated configuration.
        """
        ...

    def fold(self) -> None:
        """Begins to fold the limbs for a fall."""
        ...
