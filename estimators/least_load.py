"""Smallest loads of a robot that can be told from joint friction and errors of its model.

Unknown dry friction of the joints looks like a load: of a robot of human size like half a kilogram, which is
little, and of a robot of 3 kg with the friction of hobby servos like more than a kilogram.
"""

from __future__ import annotations

import numpy as np
import pinocchio as pin

from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector

_IN_HAND, _WHOLE = 0.01, 0.02
"""Errors of the model that look like a load of a hand and of the robot, as fractions of the robot's mass."""
_FRICTION_Nm, _FRICTION_OF_LIMIT = 0.2, 0.04
"""Dry friction of a joint of human size, and its largest fraction of the joint's torque limit."""
_VERTICAL = 2
_TIMES_FRICTION = 1.4
"""Load that counts, relative to the root mean square of what friction can look like."""


def least_loads_kg(robot: RobotModel) -> Vector:
    """Returns the (2,) smallest load of a hand, and of the whole robot, that counts as a payload [kg]."""
    model = robot.pin_model
    data = model.createData()
    pin.computeJointJacobians(model, data, robot.q_nominal)
    pin.updateFramePlacements(model, data)
    friction_Nm = np.minimum(_FRICTION_Nm, _FRICTION_OF_LIMIT * robot.torque_limit_Nm)

    def hidden_kg(frame: int, rows: int) -> float:
        """Returns the vertical force at a frame that friction of its chain can look like, as a mass."""
        jacobian = pin.getFrameJacobian(model, data, frame, pin.ReferenceFrame.LOCAL_WORLD_ALIGNED)
        used = jacobian[:rows, robot.n_base :]
        moves = np.abs(used).max(axis=0) > 0.0
        force = np.linalg.pinv(used[:, moves].T)[_VERTICAL] * friction_Nm[moves]
        return float(np.linalg.norm(force)) / GRAVITY_M_S2

    soles = sum(hidden_kg(c.frame_id, 6 if len(c.corners_F) >= 3 else 3) for c in robot.contacts)
    hands = max((hidden_kg(hand.frame_id, 3) for hand in robot.hands), default=0.0)
    return np.array(
        [
            max(_IN_HAND * robot.mass_kg, _TIMES_FRICTION * hands),
            max(_WHOLE * robot.mass_kg, _TIMES_FRICTION * soles),
        ]
    )
