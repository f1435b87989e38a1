"""Variants of the G1 with any number of joints, for `khz bench grow`.

A variant with fewer joints locks the others at the nominal posture. A variant with more joints has chains of
small links, like fingers, on hands and trunk. A limb that keeps all its joints can be a contact: the feet,
then the palms, which rest on a surface in front of the robot.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pinocchio as pin

from kilohertz.robots.model.description import ROBOT_FILE
from kilohertz.robots.model.robot_model import RobotModel

_FREE_FROM = {"left_foot": 6, "right_foot": 12, "left_palm": 22, "right_palm": 29}
"""Least number of joints with which all joints of a contact's limb move: legs, waist, left arm, right arm."""
_PALM_AT_M = (0.08, 0.0, -0.02)
_PALM_M = 0.06
_ROOTS = ("left_rubber_hand", "right_rubber_hand", "torso_link")
_CHAIN = 7
_LINK_M, _LINK_KG, _LINK_KGM2 = 0.04, 0.05, 2e-5
_AXES = ("0 1 0", "0 0 1", "0 1 0")


def grown_robot(joints: int, folder: Path) -> RobotModel:
    """Builds a variant of the G1.

    Args:
        joints: number of joints, at least 6, which are those of one leg.
        folder: an empty folder, to which robot.yaml and URDF are written.

    Raises:
        ValueError: fewer than 6 joints.
    """
    if joints < min(_FREE_FROM.values()):
        raise ValueError(
            f"a robot that stands on a foot needs the {min(_FREE_FROM.values())} joints of a leg"
        )
    g1 = RobotModel.load("g1")
    names, kept = g1.joint_names, set(g1.joint_names[:joints])
    description = g1.description.model_dump(mode="json", exclude_unset=True)
    posture = description["posture_rad"]
    for key, of_joints in description.items():
        if isinstance(of_joints, dict) and of_joints.keys() <= set(names):
            description[key] = {name: value for name, value in of_joints.items() if name in kept}
    description["locked_joints_rad"] = {name: posture.get(name, 0.0) for name in names[joints:]}
    description["contacts"] = _contacts(g1, joints)
    for key in ("fold_rad", "hands"):
        description.pop(key)
    description["robot"] = f"g1-{joints}"
    description["model"] = "grown.urdf"
    root = ET.fromstring(g1.urdf_text)
    for index in range(max(joints - len(names), 0)):
        _add_link(root, index)
    (folder / "grown.urdf").write_text(ET.tostring(root, encoding="unicode"))
    (folder / ROBOT_FILE).write_text(json.dumps(description))
    return RobotModel.load(folder)


def _contacts(g1: RobotModel, joints: int) -> dict[str, object]:
    """The feet, and under each hand a square that is level in the nominal posture."""
    contacts: dict[str, object] = dict(g1.description.model_dump(mode="json")["contacts"])
    data = g1.pin_model.createData()
    pin.framesForwardKinematics(g1.pin_model, data, g1.q_nominal)
    corners = 0.5 * _PALM_M * np.array([[1, 1, 0], [1, -1, 0], [-1, -1, 0], [-1, 1, 0]])
    for side in ("left", "right"):
        link = f"{side}_rubber_hand"
        level = corners @ data.oMf[g1.pin_model.getFrameId(link, pin.FrameType.BODY)].rotation
        corners_m = (np.array(_PALM_AT_M) + level).tolist()
        contacts[f"{side}_palm"] = {"link": link, "corners_m": corners_m, "friction": 0.6}
    return {name: contact for name, contact in contacts.items() if _FREE_FROM[name] <= joints}


def _add_link(root: ET.Element, index: int) -> None:
    """Adds a link and its joint to the end of the last chain."""
    chain, place = divmod(index, _CHAIN)
    parent = f"grown_{index - 1}" if place else _ROOTS[chain % len(_ROOTS)]
    link = ET.SubElement(root, "link", name=f"grown_{index}")
    inertial = ET.SubElement(link, "inertial")
    ET.SubElement(inertial, "origin", xyz=f"{_LINK_M / 2} 0 0", rpy="0 0 0")
    ET.SubElement(inertial, "mass", value=str(_LINK_KG))
    diagonal = {axis: str(_LINK_KGM2) for axis in ("ixx", "iyy", "izz")}
    ET.SubElement(inertial, "inertia", diagonal | {"ixy": "0", "ixz": "0", "iyz": "0"})
    joint = ET.SubElement(root, "joint", name=f"grown_{index}_joint", type="revolute")
    # Chains on the same link are spread like fingers.
    spread = 0.02 * (chain // len(_ROOTS) % 5 - 2)
    ET.SubElement(joint, "origin", xyz=f"{_LINK_M} {0 if place else spread} 0", rpy="0 0 0")
    ET.SubElement(joint, "parent", link=parent)
    ET.SubElement(joint, "child", link=f"grown_{index}")
    ET.SubElement(joint, "axis", xyz=_AXES[place % len(_AXES)])
    ET.SubElement(joint, "limit", lower="-1.5", upper="1.5", effort="5", velocity="20")
