"""The sensor and command rows that a link transfers in each tick.

A row is one flat float64 array with named views into it. Recording, replaying or sending a tick therefore
copies one block of memory, and reading a field costs nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


class Row:
    """A flat float64 array with a named, fixed view for each field.

    Args:
        fields: name and length of each field, in order; length 0 is allowed.

    Attributes:
        fields: name and length of each field, in order.
        data: (n,) the whole row.
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
    """The sensor values that the robot measured at one instant.

    Joint vectors follow the order of `RobotModel.joint_names`.

    Fields (all are views, with the length in brackets):
        seq [1]: number of the sample, which increases with every sample.
        t_s [1]: time of the measurement on the robot's clock [s].
        q [na], v [na]: encoder position [rad] and joint velocity [rad/s].
        tau [na]: joint torque, measured or estimated by the drive [Nm].
        gyro [3]: w_WI_I, angular velocity of the IMU in the IMU frame [rad/s]; 0 for a fixed base.
        accel [3]: specific force in the IMU frame, +9.81 upwards at rest [m/s^2]; 0 for a fixed base.
        contact_force_N [nc]: measured normal force of each contact [N]; NaN for a contact without a sensor.
        wrist [6 nw]: for each force-torque sensor of a hand, the force [N] and moment [Nm] that what it
            carries exerts on the arm, in the sensor's frame; NaN for unknown. The row of a robot without such
            sensors has no such field.
    """

    seq: Vector
    t_s: Vector
    q: Vector
    v: Vector
    tau: Vector
    gyro: Vector
    accel: Vector
    contact_force_N: Vector
    wrist: Vector

    def __init__(self, na: int, n_contacts: int, n_wrists: int = 0) -> None:
        wrists = (("wrist", 6 * n_wrists),) if n_wrists else ()
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
                *wrists,
            )
        )
        if not wrists:
            self.wrist = self.data[:0]


class CommandRow(Row):
    """The command for all drives; each drive applies tau_ff + kp (q_des - q) + kd (v_des - v).

    Fields (all are views, with the length in brackets):
        seq [1]: number of the command, which increases with every command.
        t_s [1]: time stamp of the sensor row that the command answers [s].
        q_des [na], v_des [na]: desired joint position [rad] and velocity [rad/s].
        kp [na], kd [na]: position gain [Nm/rad] and velocity gain [Nms/rad].
        tau_ff [na]: feed-forward torque [Nm].
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


class OutsideRow(Row):
    """The newest pose of the robot's base B that was measured from outside, in a world V of the measurement.

    Unknown values are NaN: all of p_VB, or roll and pitch, or all of rpy_VB.

    Fields (all are views, with the length in brackets):
        number [1]: number of the pose, which increases with every pose; 0 before the first.
        age_s [1]: time from the measurement to the sensor sample of this tick [s].
        p_VB [3]: position of the base in V [m].
        rpy_VB [3]: roll, pitch and yaw of the base, R = Rz(yaw) Ry(pitch) Rx(roll) [rad].
        position_sd_m [1], rotation_sd_rad [1]: standard deviation of each component [m, rad].
    """

    number: Vector
    age_s: Vector
    p_VB: Vector
    rpy_VB: Vector
    position_sd_m: Vector
    rotation_sd_rad: Vector

    def __init__(self) -> None:
        super().__init__(
            (
                ("number", 1),
                ("age_s", 1),
                ("p_VB", 3),
                ("rpy_VB", 3),
                ("position_sd_m", 1),
                ("rotation_sd_rad", 1),
            )
        )
        self.data[1:] = np.nan
