"""Reaction of an arm to a collision: it stops, retracts or floats until the next request."""

from __future__ import annotations

import numpy as np

from kilohertz.controller.gains.schema import CollisionGains
from kilohertz.controller.motion.remarks import Remarks
from kilohertz.controller.soft.impedance_law import WORLD_AXES
from kilohertz.controller.soft.soft_arm import SoftArm
from kilohertz.estimators.collision_watch import NOWHERE, CollisionWatch
from kilohertz.robots.model.kin import Kin

_STIFFNESS = np.array([1500.0] * 3 + [60.0] * 3)
"""Spring that holds a hand after a collision [N/m, Nm/rad]."""
_FLOATS = np.zeros(6)
_FLOATS_DAMPING = np.array([25.0] * 3 + [1.5] * 3)
"""Damping of a hand that floats after a collision [Ns/m, Nms/rad]."""
_POSTURE_NM_RAD = 20.0
_ENERGY_J = 4.0
_BEFORE_S = 0.03
"""Time constant of the velocity that counts as that before the collision [s]."""
_LEAST_M_S = 0.02
"""Speed below which there is no direction to retract to [m/s]."""


class CollisionReaction:
    """Watches for collisions, and makes the hand soft after one.

    Args:
        soft: the soft hand of the arm.
        watch: detection of collisions.
        kin: kinematics of the tick.
        joint_names: names of the joints, for the remark.
        remarks: receives a sentence at each collision.

    Attributes:
        reacts: whether the arm reacts to a collision, until the next request.
    """

    def __init__(
        self, soft: SoftArm, watch: CollisionWatch, kin: Kin, joint_names: tuple[str, ...], remarks: Remarks
    ) -> None:
        self._soft, self._watch, self._kin, self._joints = soft, watch, kin, joint_names
        self._remarks = remarks
        self._gains = CollisionGains()
        self._velocity = np.zeros(3)
        self.reacts = False

    @property
    def enabled(self) -> bool:
        """Whether collisions are looked for."""
        return self._gains.reaction != "none"

    def retune(self, gains: CollisionGains) -> None:
        """Applies the values of these gains."""
        self._gains = gains
        self._watch.retune(gains.least, gains.model_error)

    def reset(self) -> None:
        """Starts anew, with an arm at rest."""
        self.reacts = False
        self._velocity[:] = 0.0
        self._watch.reset()

    def watch(self, dt_s: float) -> bool:
        """Looks for a collision in this tick, and reacts to it.

        Args:
            dt_s: time since the last tick [s].

        Returns:
            Whether a reaction begins in this tick.
        """
        joint = self._watch.judge(dt_s)
        if self.reacts or self._soft.active:
            return False
        kin, frame = self._kin, self._soft.frame
        if joint == NOWHERE:
            velocity = kin.R[frame] @ kin.vel[frame, :3]
            self._velocity += min(dt_s / _BEFORE_S, 1.0) * (velocity - self._velocity)
            return False
        self.reacts = True
        self._remarks.last = f"collision at {self._joints[joint]}: {_TOLD[self._gains.reaction]}"
        self._react()
        return True

    def _react(self) -> None:
        soft, reaction = self._soft, self._gains.reaction
        soft.start(soft.hand, _ENERGY_J)
        floats = reaction == "float"
        soft.set_spring(_FLOATS if floats else _STIFFNESS, 1.0, WORLD_AXES, _POSTURE_NM_RAD, at_once=True)
        soft.set_damping(_FLOATS_DAMPING if floats else _FLOATS)
        speed = float(np.linalg.norm(self._velocity))
        if reaction == "retract" and speed > _LEAST_M_S:
            soft.motion.move(soft.motion.p - self._gains.retract_m / speed * self._velocity, None)


_TOLD = {
    "stop": "the hand stops and is soft",
    "retract": "the hand retracts and is soft",
    "float": "the hand floats",
}
