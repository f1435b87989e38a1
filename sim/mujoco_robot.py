"""The MuJoCo spec of a robot, built from the same text as the controller's model.

Parts of a model file that MuJoCo cannot read are left out, with a note for each.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pinocchio as pin
from numpy.typing import NDArray

from kilohertz.robots.config.config_error import ConfigError, Problem
from kilohertz.robots.model.hand_model import inertia_of, mount
from kilohertz.robots.model.mjcf import compile_mjcf, free_root
from kilohertz.robots.model.mjcf_locks import remove_locked
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.sim.collision import add_sole, is_loadable_mesh, set_robot_geometry
from kilohertz.sim.scenario import frame_in_link, hand_body

Indices = NDArray[np.intp]

OWN_GEOMETRY = ("ground", "sole/", "plate/", "obstacle/", "tip/")


@dataclass(frozen=True)
class MujocoRobot:
    """A robot in a compiled MuJoCo model, with the addresses of its joints and bodies.

    Joint indices are in the order of `RobotModel.joint_names`.

    Attributes:
        model: compiled MuJoCo model.
        joint_qpos, joint_dof: (na,) addresses of the joints in qpos and qvel; actuator i drives joint i.
        root: id of the body of the base link.
        bodies: ids of the robot's bodies, by link name.
    """

    model: Any
    joint_qpos: Indices
    joint_dof: Indices
    root: int
    bodies: dict[str, int]


def robot_spec(robot: RobotModel, *, visual: bool = False) -> tuple[Any, list[str]]:
    """Builds the MuJoCo spec of a robot: joints, motors, soles and frames, without a ground.

    Args:
        robot: model of the robot.
        visual: whether to keep the visual meshes, for pictures.

    Returns:
        The spec, and one sentence for each part of the model file that was left out.

    Raises:
        ConfigError: MuJoCo cannot read the model file.
    """
    notes = list(robot.notes)
    try:
        if robot.model_format == "mjcf":
            spec = mujoco.MjSpec.from_file(str(robot.model_path))
            if robot.floating:
                links = (each for each in robot.pin_model.frames if each.type == pin.FrameType.BODY)
                free_root(spec, next(links).name)
            _strip_mjcf(spec, robot)
        else:
            spec = mujoco.MjSpec.from_string(_importable(robot.urdf_text, visual, notes))
    except ValueError as error:
        raise unreadable(robot, error) from None
    if robot.floating and robot.model_format == "urdf":
        spec.worldbody.first_body().add_freejoint()
    for geom in spec.geoms:
        # Names that the simulation gives to its own geometry must be free.
        if geom.name.startswith(OWN_GEOMETRY):
            geom.name = ""
    if not visual:
        set_robot_geometry(spec)
    _set_joints(spec, robot)
    data = robot.pin_model.createData()
    pin.framesForwardKinematics(robot.pin_model, data, robot.q_nominal)
    for contact in robot.contacts:
        corners_L = np.array(robot.description.contacts[contact.name].corners_m)
        link_frame = robot.pin_model.getFrameId(contact.link, pin.FrameType.BODY)
        if not visual:
            add_sole(spec, contact, corners_L, data.oMf[link_frame].rotation)
        add_site(spec, contact.link, f"contact/{contact.name}", frame_in_link(robot, contact.frame_id))
    _add_tools(spec, robot)
    for hand in robot.hands:
        add_site(spec, hand_body(hand), f"hand/{hand.name}", frame_in_link(robot, hand.frame_id))
    if robot.imu_frame_id is not None and robot.description.imu is not None:
        add_site(spec, robot.description.imu.link, "imu", frame_in_link(robot, robot.imu_frame_id))
    return spec, notes


def _importable(urdf_text: str, visual: bool, notes: list[str]) -> str:
    """Returns the URDF with settings for MuJoCo's compiler and without geometry that MuJoCo cannot read."""
    root = ET.fromstring(urdf_text)
    for element in root.findall("mujoco"):
        root.remove(element)
    settings = ET.Element("mujoco")
    ET.SubElement(
        settings,
        "compiler",
        strippath="false",
        discardvisual="false" if visual else "true",
        # Otherwise MuJoCo merges a root link without a joint into the world, and its mass is lost.
        fusestatic="false",
        balanceinertia="false",
        inertiafromgeom="false",
        autolimits="true",
    )
    root.insert(0, settings)
    for link in root.findall("link"):
        looks = _keep_readable(link, "visual", notes) if visual else []
        solids = _keep_readable(link, "collision", notes)
        # A link whose visual geometry cannot be read is drawn with its collision geometry.
        for element in solids if looks else link.findall("visual"):
            link.remove(element)
    return ET.tostring(root, encoding="unicode")


def _keep_readable(link: ET.Element, tag: str, notes: list[str]) -> list[ET.Element]:
    """Removes a link's geometry that MuJoCo cannot read, adds a note for each, and returns the rest."""
    for element in link.findall(tag):
        mesh = element.find("geometry/mesh")
        path = Path(mesh.get("filename", "")) if mesh is not None else None
        if _is_empty(element):
            notes.append(f"{link.get('name')}: {tag} geometry of size 0 is left out")
            link.remove(element)
        elif path is not None and not is_loadable_mesh(path):
            notes.append(
                f"{link.get('name')}: {tag} mesh {path.name} is left out "
                "(the file is missing, or neither binary STL nor OBJ)"
            )
            link.remove(element)
    return link.findall(tag)


def _is_empty(element: ET.Element) -> bool:
    """Whether a box, cylinder or sphere of a URDF has a side, length or radius of 0."""
    sizes = [
        size
        for shape in element.findall("geometry/*")
        for key in ("size", "radius", "length")
        for size in shape.get(key, "").split()
    ]
    try:
        return any(float(size) <= 0.0 for size in sizes)
    except ValueError:
        return False


def _strip_mjcf(spec: Any, robot: RobotModel) -> None:
    """Removes everything but the robot from an MJCF file: scene, actuators, sensors, sites and cameras."""
    links = {frame.name for frame in robot.pin_model.frames if frame.type == pin.FrameType.BODY}
    scenery = [body for body in spec.worldbody.bodies if body.name not in links]
    removed = [*spec.actuators, *spec.sensors, *spec.keys, *spec.pairs, *spec.equalities, *spec.tendons]
    removed += [*spec.sites, *spec.cameras, *spec.lights, *spec.worldbody.geoms, *scenery]
    for element in removed:
        spec.delete(element)
    if robot.locked_rad:
        remove_locked(spec, compile_mjcf(robot.model_path), robot.locked_rad)
    for body in spec.bodies:
        body.gravcomp = 0.0


def _set_joints(spec: Any, robot: RobotModel) -> None:
    index = {name: i for i, name in enumerate(robot.joint_names)}
    for joint in spec.joints:
        if joint.type == mujoco.mjtJoint.mjJNT_FREE:
            # A file's defaults for joints also hold for <joint type="free"/>, which has no motor or bearing.
            joint.armature = joint.frictionloss = 0.0
            joint.damping = np.zeros(3)
        if joint.name not in index:
            continue
        i = index[joint.name]
        bounds = np.array([robot.position_lower_rad[i], robot.position_upper_rad[i]])
        joint.limited = bool(np.isfinite(bounds).all())
        if spec.compiler.degree and joint.type == mujoco.mjtJoint.mjJNT_HINGE:
            # Before compilation the angles of a spec have the unit of its file, which is degrees in most MJCF
            # files.
            bounds = np.rad2deg(bounds)
        joint.range = bounds if joint.limited else np.zeros(2)
        joint.armature = float(robot.armature_kgm2[i])
        joint.damping = np.zeros(3)
        joint.stiffness = np.zeros_like(joint.stiffness)
        joint.frictionloss = 0.0
        limit = float(robot.torque_limit_Nm[i])
        joint.actfrclimited = True
        joint.actfrcrange = [-limit, limit]
    for name in robot.joint_names:
        motor = spec.add_actuator(name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
        _set_to_plain_motor(motor)


def _set_to_plain_motor(motor: Any) -> None:
    """Makes an actuator apply its command unchanged, whatever the file's defaults for actuators say.

    In some files the defaults limit the command to the range of a position, which would clip a torque.
    """
    motor.set_to_motor()
    off = mujoco.mjtLimited.mjLIMITED_FALSE
    motor.ctrllimited = motor.forcelimited = motor.actlimited = off
    motor.ctrlrange = motor.forcerange = np.zeros(2)
    motor.gear = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    motor.delay = motor.armature = motor.inheritrange = 0.0
    motor.nsample = 0
    motor.damping = np.zeros(3)


def _add_tools(spec: Any, robot: RobotModel) -> None:
    """Adds a body for the tool of each hand to a MuJoCo spec, with the frame of the hand's link."""
    for hand in robot.hands:
        name = hand_body(hand)
        if name == hand.link:
            continue
        body = spec.body(hand.link).add_body(name=name)
        body.explicitinertial = True
        inertia = pin.Inertia.Zero()
        if hand.tool is not None:
            inertia = mount(robot.description.hands[hand.name]).act(inertia_of(hand.tool))
        moments, axes = np.linalg.eigh(inertia.inertia)
        axes[:, 2] *= np.sign(np.linalg.det(axes))
        body.mass, body.ipos = inertia.mass, inertia.lever
        body.inertia = np.maximum(moments, 0.0)
        body.iquat = pin.Quaternion(axes).coeffs()[[3, 0, 1, 2]]


def add_site(spec: Any, link: str, name: str, pose: pin.SE3) -> None:
    """Adds a site to a body of a MuJoCo spec, at a pose in the body's frame."""
    quaternion = pin.Quaternion(pose.rotation).coeffs()
    spec.body(link).add_site(
        name=name, pos=pose.translation, quat=[quaternion[3], quaternion[0], quaternion[1], quaternion[2]]
    )


def unreadable(robot: RobotModel, error: ValueError) -> ConfigError:
    """Returns the error for a model that MuJoCo cannot read, with MuJoCo's reason."""
    reason = re.sub(r"\s+", " ", str(error)).strip()
    return ConfigError(Problem(f"MuJoCo cannot read the model: {reason}", robot.model_path))
