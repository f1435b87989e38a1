"""Poses of frames and columns of their Jacobians, computed from joint poses in pinocchio's memory.

`pin.forwardKinematics(model, data, q)` with the base at the identity writes the pose of each joint in the
base frame B to `data.oMi`. A pose there is twelve float64 (rotation by columns, then translation) at an
address that does not change, so that compiled code reads it without a copy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pinocchio as pin
from numpy.typing import NDArray

from kilohertz.robots.compile.kernels import float_pointer, struct_kernel

if TYPE_CHECKING:
    from kilohertz.robots.model.robot_model import RobotModel

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Start index of the position in the twelve numbers of a pose in pinocchio's memory.
POSE_P = 9
# Row of a frame's placement that holds its position.
PLACEMENT_P = 3


@struct_kernel
def frame_pose(address: int, placement: Array, R: Array, p: Array) -> None:
    """Computes the pose in the base frame of a frame that is fixed to a joint.

    Args:
        address: address of the pose of the joint in pinocchio's memory.
        placement: (4, 3) placement of the frame in the joint: three rows of its rotation, then its position
            [m] in row PLACEMENT_P.
        R: (3, 3) orientation of the frame in the base frame, written.
        p: (3,) position of the frame in the base frame [m], written.
    """
    pose = float_pointer(address)
    for i in range(3):
        a, b, c = pose[i], pose[3 + i], pose[6 + i]
        p[i] = (
            pose[POSE_P + i]
            + a * placement[PLACEMENT_P, 0]
            + b * placement[PLACEMENT_P, 1]
            + c * placement[PLACEMENT_P, 2]
        )
        for j in range(3):
            R[i, j] = a * placement[0, j] + b * placement[1, j] + c * placement[2, j]


@struct_kernel
def joint_column(address: int, axis: Array, point: Array, column: Array) -> None:
    """Computes the column of one joint in the Jacobian of a point, in the axes of the base.

    Args:
        address: address of the pose of the joint in pinocchio's memory.
        axis: (6,) motion of the joint in its own frame at unit velocity, linear then angular.
        point: (3,) position of the point in the base frame [m].
        column: (6,) velocity of the point at unit joint velocity, linear then angular, written.
    """
    pose = float_pointer(address)
    for i in range(3):
        a, b, c = pose[i], pose[3 + i], pose[6 + i]
        column[i] = a * axis[0] + b * axis[1] + c * axis[2]
        column[3 + i] = a * axis[3] + b * axis[4] + c * axis[5]
    x, y, z = point[0] - pose[POSE_P], point[1] - pose[POSE_P + 1], point[2] - pose[POSE_P + 2]
    column[0] += column[4] * z - column[5] * y
    column[1] += column[5] * x - column[3] * z
    column[2] += column[3] * y - column[4] * x


class KinematicTables(NamedTuple):
    """Addresses and constants by which compiled code computes the kinematics of na joints and nf frames."""

    joint_address: IntArray
    """(na,) address of each joint's pose in pinocchio's memory."""
    joint_axis: Array
    """(na, 6) motion of each joint in its own frame, linear then angular."""
    frame_address: IntArray
    """(nf,) address of the pose of the joint that carries each frame."""
    frame_placement: Array
    """(nf, 4, 3) placement of each frame in that joint, see `frame_pose`."""
    frame_support: IntArray
    """(nf, na) 1 if the joint moves the frame relative to the base, else 0."""

    @classmethod
    def of(cls, robot: RobotModel, data: pin.Data, frame_ids: list[int]) -> KinematicTables:
        """Builds the tables for some frames of a robot; `data` must exist as long as the tables are used."""
        model = robot.pin_model
        first = model.njoints - robot.na
        joints = range(first, model.njoints)
        support = np.zeros((len(frame_ids), robot.na), dtype=np.int64)
        placement = np.zeros((len(frame_ids), 4, 3))
        for row, frame_id in enumerate(frame_ids):
            frame = model.frames[frame_id]
            placement[row, :PLACEMENT_P] = frame.placement.rotation
            placement[row, PLACEMENT_P] = frame.placement.translation
            for joint in model.supports[frame.parentJoint]:
                if joint >= first:
                    support[row, joint - first] = 1
        axes = [np.array(model.joints[j].createData().S).reshape(6) for j in joints]
        return cls(
            joint_address=np.array([pose_address(data, j) for j in joints], dtype=np.int64),
            joint_axis=np.array(axes).reshape(robot.na, 6),
            frame_address=np.array(
                [pose_address(data, model.frames[f].parentJoint) for f in frame_ids], dtype=np.int64
            ),
            frame_placement=placement,
            frame_support=support,
        )


def pose_address(data: pin.Data, joint: int) -> int:
    """Returns the address in pinocchio's memory of the twelve numbers of a joint's pose."""
    pose = data.oMi[joint]
    address: int = pose.rotation.__array_interface__["data"][0]
    assert pose.rotation.flags.f_contiguous
    assert pose.translation.__array_interface__["data"][0] == address + POSE_P * pose.translation.itemsize
    return address
