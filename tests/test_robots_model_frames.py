"""Frames are found by the name of a link even where a joint has the same name."""

from __future__ import annotations

import pinocchio as pin
import pytest

from kilohertz.robots.model.frames import frame_id

INERTIAL = '<inertial><mass value="1"/><inertia ixx="1" iyy="1" izz="1" ixy="0" ixz="0" iyz="0"/></inertial>'
MODEL = pin.buildModelFromXML(
    f'<robot name="r"><link name="base">{INERTIAL}</link><link name="arm">{INERTIAL}</link>'
    '<joint name="arm" type="revolute"><parent link="base"/><child link="arm"/><axis xyz="0 0 1"/>'
    '<limit lower="-1" upper="1" effort="1" velocity="1"/></joint></robot>'
)


def test_a_link_is_told_from_a_joint_of_its_name() -> None:
    frame = MODEL.frames[frame_id(MODEL, "arm")]
    assert (frame.name, frame.type) == ("arm", pin.FrameType.BODY)


def test_a_frame_on_a_link_is_found_and_a_joint_alone_is_none() -> None:
    model = MODEL.copy()
    tip = model.addFrame(pin.Frame("tip", 1, 0, pin.SE3.Identity(), pin.FrameType.OP_FRAME))
    assert frame_id(model, "tip") == tip
    with pytest.raises(ValueError, match="no frame 'root'"):
        frame_id(model, "root")
