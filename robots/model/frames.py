"""Frames of a pinocchio model by name: links and the frames on them; a joint may share the name of a link."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pinocchio as pin

from kilohertz.robots.model.rows import Vector

LINK, ON_LINK = pin.FrameType.BODY, pin.FrameType.OP_FRAME


def frame_id(model: pin.Model, name: str) -> int:
    """Returns the index of a link's frame, or else of a frame on a link.

    Args:
        model: pinocchio model of the robot.
        name: name of the link or the frame.

    Raises:
        ValueError: there is none of that name.
    """
    for kind in (LINK, ON_LINK):
        if model.existFrame(name, kind):
            return int(model.getFrameId(name, kind))
    raise ValueError(f"the model has no frame '{name}'")


def pose(p: tuple[float, float, float], rpy: tuple[float, float, float]) -> pin.SE3:
    """Returns the pose with a position [m] and roll, pitch and yaw [rad]."""
    return pin.SE3(pin.rpy.rpyToMatrix(np.array(rpy)), np.array(p))


def placements(model: pin.Model, q: Vector) -> Callable[[str], pin.SE3]:
    """Returns the function that gives the placement of a frame in the world at a posture, by its name.

    Args:
        model: pinocchio model of the robot.
        q: (nq,) posture.
    """
    data = model.createData()
    pin.framesForwardKinematics(model, data, q)
    return lambda name: data.oMf[frame_id(model, name)]
