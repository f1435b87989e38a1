"""The rows that cross the link each tick: what the robot measured, what it is told.

A row is one flat float64 array with named views into it, so recording, replaying and sending a tick
is copying one block of memory, and reading a field costs nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


class Row:
    """A flat float64 array with named, fixed views.

    Args:
        fields: name and length of each field, in order; length 0 is allowed.
    """

    def __init__(self, fields: tuple[tuple[str, int], ...]) -> None:
        self.fields = fields
        self.data: Vector = np.zeros(sum(length for _, length in fields))
        start = 0
        for name, length in fields:
            setattr(self, name, self.data[start : start + length])
            start += length

    def copy_from(self, other: Row) -> None:
        """Copies another row of the same layout into this one, in place."""
        self.data[:] = other.data


class SensorRow(Row):
    """What the robot measured at one instant.

    Joint vectors follow the order of `RobotModel.joint_names`. Fields (all views, shape in brackets):
        seq [1]: rising number of the sample.
        t_s [1]: the robot's own stamp [s].
        q [na], v [na]: encoder position [rad], joint velocity [rad/s].
        tau [na]: joint torque, measured or estimated by the drive [Nm].
        gyro [3]: w_WI_I, angular velocity of the IMU in its own frame [rad/s]; 0 for a fixed base.
        accel [3]: specific force in the IMU frame, +9.81 upwards at rest [m/s^2]; 0 for a fixed base.
        contact_force_N [nc]: measured normal force of each contact; NaN where there is no sensor.
    """

    seq: Vector
    t_s: Vector
    q: Vector
    v: Vector
    tau: Vector
    gyro: Vector
    accel: Vector
    contact_force_N: Vector

    def __init__(self, na: int, n_contacts: int) -> None:
        super().__init__(
            (
                ("seq", 1),
                ("t_s", 1),
                ("q", na),
                ("v", na),
                ("tau", na),
                ("gyro", 3),
                ("accel", 3),
                ("contact_force_N", n_contacts),
            )
        )


class CommandRow(Row):
    """What each drive is told; it applies tau_ff + kp (q_des - q) + kd (v_des - v).

    Fields: seq [1], t_s [1] (stamp of the sensor row this answers, s), then per joint
    q_des [rad], v_des [rad/s], kp [Nm/rad], kd [Nms/rad], tau_ff [Nm].
    """

    seq: Vector
    t_s: Vector
    q_des: Vector
    v_des: Vector
    kp: Vector
    kd: Vector
    tau_ff: Vector

    def __init__(self, na: int) -> None:
        super().__init__(
            (
                ("seq", 1),
                ("t_s", 1),
                ("q_des", na),
                ("v_des", na),
                ("kp", na),
                ("kd", na),
                ("tau_ff", na),
            )
        )
