"""The newest targets that another program streams to the controller, as one row of numbers.

The row is an input of the tick, like the sensor row: it is recorded with each tick, and a replay reads it
from the log. Every stream carries the time of its sample on the controller's clock, from which the tick knows
how old the sample is.
"""

from __future__ import annotations

import numpy as np

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Row, Vector

MOST_HANDS = 4
"""Largest number of hands that can be given targets."""


class StreamRow(Row):
    """The newest sample of each stream; NaN where there is none.

    A stream is not in use while its time is NaN. Hands follow the order of `RobotModel.hand_names`, joints
    that of `joint_names`.

    Args:
        robot: the robot that receives the streams.

    Fields (all are views, with the length in brackets):
        number [1]: number of the row, which increases whenever a sample is written; 0 before the first.
        velocity_t_s [1], velocity [3]: velocity of the walk, forward and to the left [m/s], and turning
            rate [rad/s].
        hands_t_s [4], hands_frame [4]: time of each hand's sample, and the frame of its target: BASE or
            WORLD, see `upper_body.hand_targets`.
        hands_p [12], hands_R [36]: position of each hand in that frame [m], and its rotation row by row; a
            rotation of NaN leaves the orientation free.
        hands_v [12], hands_w [12]: velocity of each target [m/s] and angular velocity [rad/s] in that frame.
        gaze_t_s [1], gaze [2]: yaw and pitch of the gaze from the heading [rad].
        com_t_s [1], com [3]: offset of the centre of mass in heading axes [m].
        lean_t_s [1], lean [1]: pitch of the trunk, positive forward [rad].
        posture_t_s [1], posture_q [na]: joint positions [rad]; NaN for a joint that is not commanded.
        wrench_t_s [4], wrench [24]: wrench that each hand exerts on its environment: force [N] and moment
            [Nm] in world axes.
    """

    number: Vector
    velocity_t_s: Vector
    velocity: Vector
    hands_t_s: Vector
    hands_frame: Vector
    hands_p: Vector
    hands_R: Vector
    hands_v: Vector
    hands_w: Vector
    gaze_t_s: Vector
    gaze: Vector
    com_t_s: Vector
    com: Vector
    lean_t_s: Vector
    lean: Vector
    posture_t_s: Vector
    posture_q: Vector
    wrench_t_s: Vector
    wrench: Vector

    def __init__(self, robot: RobotModel) -> None:
        super().__init__(
            (
                ("number", 1),
                ("velocity_t_s", 1),
                ("velocity", 3),
                ("hands_t_s", MOST_HANDS),
                ("hands_frame", MOST_HANDS),
                ("hands_p", 3 * MOST_HANDS),
                ("hands_R", 9 * MOST_HANDS),
                ("hands_v", 3 * MOST_HANDS),
                ("hands_w", 3 * MOST_HANDS),
                ("gaze_t_s", 1),
                ("gaze", 2),
                ("com_t_s", 1),
                ("com", 3),
                ("lean_t_s", 1),
                ("lean", 1),
                ("posture_t_s", 1),
                ("posture_q", robot.na),
                ("wrench_t_s", MOST_HANDS),
                ("wrench", 6 * MOST_HANDS),
            )
        )
        self.clear()

    def clear(self) -> None:
        """Declares that no stream has been in use."""
        self.data[:] = np.nan
        self.number[0] = 0.0
