"""Provides the smallest robot: an arm of two links and one joint."""

from __future__ import annotations

from pathlib import Path

from kilohertz.robots.model.robot_model import RobotModel

_INERTIA = '<inertia ixx="0.1" ixy="0" ixz="0" iyy="0.1" iyz="0" izz="0.1"/>'
_LINK = f'<link name="{{}}"><inertial><mass value="1"/>{_INERTIA}</inertial></link>'
_JOINT = (
    '<joint name="j" type="revolute"><parent link="a"/><child link="b"/><axis xyz="0 1 0"/>'
    '<limit lower="-1" upper="1" effort="10" velocity="3"/></joint>'
)


def one_joint(folder: Path) -> RobotModel:
    """Writes the robot into a folder and loads it; its hand is on the axis of the joint."""
    (folder / "m.urdf").write_text(f'<robot name="x">{_LINK.format("a")}{_LINK.format("b")}{_JOINT}</robot>')
    (folder / "robot.yaml").write_text("robot: one\nmodel: m.urdf\nbase: fixed\nhands:\n  hand: {link: b}\n")
    return RobotModel.load(folder)
