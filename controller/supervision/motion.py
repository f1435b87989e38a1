"""What the brain needs of whatever moves a robot, on legs or bolted to the ground."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.motion.remarks import Remarks
from kilohertz.controller.safety.falling import Falling
from kilohertz.controller.supervision.request import RequestRow
from kilohertz.controller.upper_body.hands import Hands
from kilohertz.estimators.joint_friction import JointFriction
from kilohertz.robots.model.rows import Vector


class Motion(Protocol):
    """Turns requests into references of the whole-body controller.

    Attributes:
        hands: references of the hands.
        remarks: sentences to the operator.
        planned: (nc,) contacts that should be closed.
        calm: whether nothing disturbs the robot; set by the brain.
        falling: detection of a fall and the motion through it; None for a robot that cannot fall.
        friction: joint friction as learnt; None where it is not learnt.
        p_WC_des, v_WC_des, p_WS: (3,) references and soles as in `BrainOutput`; NaN for a fixed base.
    """

    hands: Hands
    remarks: Remarks
    planned: NDArray[np.bool_]
    calm: bool
    falling: Falling | None
    friction: JointFriction | None

    @property
    def p_WC_des(self) -> Vector:
        """(3,) reference of the centre of mass [m]."""
        ...

    @property
    def v_WC_des(self) -> Vector:
        """(3,) its velocity [m/s]."""
        ...

    @property
    def p_WS(self) -> Vector:
        """(3,) mean of the soles as estimated [m]."""
        ...

    @property
    def behaviour(self) -> str:
        """Name of the present behaviour."""
        ...

    @property
    def behaviour_state(self) -> str:
        """State of the behaviour: "waiting" for the robot to come to rest, "running" or "done"."""
        ...

    def update_rest(self) -> bool:
        """Whether the robot has come to rest; called in each tick of a soft stop."""
        ...

    def retune(self, gains: Gains) -> None:
        """Takes the numbers of these gains."""
        ...

    def start(self) -> None:
        """Takes over a robot at rest."""
        ...

    def take(self, request: RequestRow) -> None:
        """Switches to a new request."""
        ...

    def advance(self, dt_s: float) -> None:
        """Writes this tick's references."""
        ...

    def fall_reason(self, upright: float) -> str:
        """Why balance is lost, one sentence, or ""; `upright` is the cosine of the base's tilt."""
        ...

    def fold(self) -> None:
        """Begins to fold the limbs for a fall."""
        ...
