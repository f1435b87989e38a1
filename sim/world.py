"""The MuJoCo world of one run: robot, ground, plant and payloads.

The robot is built from the very text that its controller's model is built from.
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

from robots.config_error import ConfigError, Problem
from robots.model import RobotModel
from sim.collision import (
    add_sole,
    is_loadable_mesh,
    low_geoms,
    neighbours,
    set_robot_geometry,
)
from sim.parity import check_parity
from sim.plant import joint_damping_Nms, joint_friction_Nm, perturb_links
from sim.scenario import attachments, frame_in_link, trunk_link
from sim.scenario_schema import Payload, Scenario
from sim.terrain import GROUND_BIT, Terrain, make_terrain

Vector = NDArray[np.float64]
Indices = NDArray[np.intp]

STEP_S = 1e-3
GRAVITY_M_S2 = 9.81

# Of a contact sensor: what it reports (found, force, position: 1 + 3 + 3 numbers) and how it sums up.
CONTACT_FOUND, CONTACT_FORCE, CONTACT_POSITION = 1 << 0, 1 << 1, 1 << 4
NET_FORCE = 3


@dataclass(frozen=True)
class PayloadBody:
    """A body that waits, massless, for its payload to arrive."""

    body: int
    at_s: float
    mass_kg: float
    inertia_kgm2: float
    text: str


@dataclass(frozen=True)
class World:
    """The compiled world and where in it each thing of the robot is.

    Joint indices are in the order of `RobotModel.joint_names`.

    Attributes:
        model, data: MuJoCo's.
        terrain: the ground.
        joint_qpos, joint_dof: (na,) addresses in qpos and qvel; actuator i drives joint i.
        root: body of the base link.
        trunk: body of the main body.
        contact_sites, hand_sites: site of each sole's and hand's frame.
        sensor: address in sensordata of accel, gyro, com_velocity, trunk_ground and contact/<name>.
        bodies: the robot's bodies by link name.
        payloads: those to come, in the order of their times.
        notes: what was left out of the model file, one sentence each.
    """

    model: Any
    data: Any
    terrain: Terrain
    joint_qpos: Indices
    joint_dof: Indices
    root: int
    trunk: int
    contact_sites: Indices
    hand_sites: Indices
    sensor: dict[str, int]
    bodies: dict[str, int]
    payloads: tuple[PayloadBody, ...]
    notes: tuple[str, ...]
    _scratch: Any

    def set_payload(self, payload: PayloadBody) -> None:
        """Gives a waiting body its mass, from the next step on."""
        self.model.body_mass[payload.body] = payload.mass_kg
        self.model.body_inertia[payload.body] = payload.inertia_kgm2
        self.update_constants()

    def update_constants(self) -> None:
        """Recomputes what MuJoCo derives from masses; the state is left as it is."""
        mujoco.mj_setConst(self.model, self._scratch)


def build_world(robot: RobotModel, scenario: Scenario, seed: int) -> World:
    """Builds the world of a run.

    The model is compiled without the plant's errors first, and is refused unless it agrees with
    pinocchio's.

    Args:
        robot: the robot.
        scenario: ground, plant and payloads.
        seed: of the model error and the ground.

    Raises:
        ConfigError: MuJoCo cannot read the model, or reads it differently from pinocchio.
    """
    terrain = make_terrain(scenario.ground, seed)
    spec, notes = robot_spec(robot)
    terrain.add_to(spec)
    set_options(spec)
    _add_sensors(spec, robot)
    payloads = [
        (event.at_s, event.payload, name)
        for index, event in enumerate(scenario.events)
        if event.payload is not None
        for name in _add_payload_bodies(spec, robot, event.payload, index)
    ]
    model = _compile_without_neighbours(spec, robot)
    data = mujoco.MjData(model)
    world = World(
        model=model,
        data=data,
        terrain=terrain,
        joint_qpos=np.array([model.jnt_qposadr[model.joint(name).id] for name in robot.joint_names], np.intp),
        joint_dof=np.array([model.jnt_dofadr[model.joint(name).id] for name in robot.joint_names], np.intp),
        root=_root_body(model),
        trunk=model.body(trunk_link(robot)).id,
        contact_sites=np.array([model.site(f"contact/{name}").id for name in robot.contact_names], np.intp),
        hand_sites=np.array([model.site(f"hand/{name}").id for name in robot.hand_names], np.intp),
        sensor={model.sensor(i).name: int(model.sensor_adr[i]) for i in range(model.nsensor)},
        bodies={
            model.body(i).name: i
            for i in range(1, model.nbody)
            if not model.body(i).name.startswith("payload/")
        },
        payloads=tuple(
            PayloadBody(
                model.body(name).id,
                at_s,
                payload.mass_kg * share,
                payload.inertia_kgm2 * share,
                f"{payload.mass_kg * share:g} kg on {link}",
            )
            for at_s, payload, (name, link, share) in payloads
        ),
        notes=tuple(notes),
        _scratch=mujoco.MjData(model),
    )
    check_parity(robot, world)
    _apply_plant(world, robot, scenario, seed)
    return world


def robot_spec(robot: RobotModel, *, visual: bool = False) -> tuple[Any, list[str]]:
    """The robot as a MuJoCo spec: joints, motors, soles and frames, but no ground.

    Args:
        robot: the robot.
        visual: keep the visual meshes, for pictures.

    Returns:
        The spec, and a sentence for each thing of the model file that was left out.

    Raises:
        ConfigError: MuJoCo cannot read the model file.
    """
    notes: list[str] = []
    try:
        if robot.model_format == "mjcf":
            spec = mujoco.MjSpec.from_file(str(robot.model_path))
            _strip_mjcf(spec)
        else:
            spec = mujoco.MjSpec.from_string(_importable(robot.urdf_text, visual, notes))
    except ValueError as error:
        raise _unreadable(robot, error) from None
    if robot.floating and robot.model_format == "urdf":
        spec.worldbody.first_body().add_freejoint()
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
        _add_site(spec, contact.link, f"contact/{contact.name}", frame_in_link(robot, contact.frame_id))
    for hand in robot.hands:
        _add_site(spec, hand.link, f"hand/{hand.name}", frame_in_link(robot, hand.frame_id))
    if robot.imu_frame_id is not None and robot.description.imu is not None:
        _add_site(spec, robot.description.imu.link, "imu", frame_in_link(robot, robot.imu_frame_id))
    return spec, notes


def set_options(spec: Any) -> None:
    """Time step, integrator and solver; contacts and limits keep MuJoCo's default softness."""
    option = spec.option
    option.timestep = STEP_S
    option.gravity = [0.0, 0.0, -GRAVITY_M_S2]
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.solver = mujoco.mjtSolver.mjSOL_NEWTON
    option.cone = mujoco.mjtCone.mjCONE_PYRAMIDAL
    # MuJoCo 4.0.0's Newton solver has a wrong Hessian where the constraint Jacobian is sparse.
    option.jacobian = mujoco.mjtJacobian.mjJAC_DENSE
    # A diverged state is to be seen, not silently reset to the start.
    option.disableflags = int(mujoco.mjtDisableBit.mjDSBL_AUTORESET)
    option.enableflags = 0


def _importable(urdf_text: str, visual: bool, notes: list[str]) -> str:
    """The URDF with MuJoCo's compiler settings, and without geometry that it cannot read."""
    root = ET.fromstring(urdf_text)
    for element in root.findall("mujoco"):
        root.remove(element)
    settings = ET.Element("mujoco")
    ET.SubElement(
        settings,
        "compiler",
        strippath="false",
        discardvisual="false" if visual else "true",
        # Otherwise a root link without a joint disappears in the world, and its mass with it.
        fusestatic="false",
        balanceinertia="false",
        inertiafromgeom="false",
        autolimits="true",
    )
    root.insert(0, settings)
    for link in root.findall("link"):
        looks = _keep_readable(link, "visual", notes) if visual else []
        solids = _keep_readable(link, "collision", notes)
        # A link whose looks cannot be read is drawn as its collision geometry.
        for element in solids if looks else link.findall("visual"):
            link.remove(element)
    return ET.tostring(root, encoding="unicode")


def _keep_readable(link: ET.Element, tag: str, notes: list[str]) -> list[ET.Element]:
    """Removes a link's geometry that MuJoCo cannot read, with a note; returns what is left."""
    for element in link.findall(tag):
        mesh = element.find("geometry/mesh")
        path = Path(mesh.get("filename", "")) if mesh is not None else None
        if path is not None and not is_loadable_mesh(path):
            notes.append(f"{link.get('name')}: {tag} mesh {path.name} is left out (missing, or not STL/OBJ)")
            link.remove(element)
    return link.findall(tag)


def _strip_mjcf(spec: Any) -> None:
    """Leaves the robot of an MJCF file: its own scene, motors and sensors go."""
    for group in (spec.actuators, spec.sensors, spec.keys, spec.cameras, spec.lights, spec.worldbody.geoms):
        for element in list(group):
            spec.delete(element)


def _set_joints(spec: Any, robot: RobotModel) -> None:
    index = {name: i for i, name in enumerate(robot.joint_names)}
    for joint in spec.joints:
        if joint.name not in index:
            continue
        i = index[joint.name]
        bounds = np.array([robot.position_lower_rad[i], robot.position_upper_rad[i]])
        joint.limited = bool(np.isfinite(bounds).all())
        if spec.compiler.degree and joint.type == mujoco.mjtJoint.mjJNT_HINGE:
            # Until it is compiled a spec's angles are in the unit of its file: degrees in most MJCF.
            bounds = np.rad2deg(bounds)
        joint.range = bounds if joint.limited else np.zeros(2)
        joint.armature = float(robot.armature_kgm2[i])
        joint.damping = np.zeros(3)
        joint.frictionloss = 0.0
        limit = float(robot.torque_limit_Nm[i])
        joint.actfrclimited = True
        joint.actfrcrange = [-limit, limit]
    for name in robot.joint_names:
        motor = spec.add_actuator(name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
        motor.set_to_motor()


def _add_site(spec: Any, link: str, name: str, pose: pin.SE3) -> None:
    quaternion = pin.Quaternion(pose.rotation).coeffs()
    spec.body(link).add_site(
        name=name, pos=pose.translation, quat=[quaternion[3], quaternion[0], quaternion[1], quaternion[2]]
    )


def _add_sensors(spec: Any, robot: RobotModel) -> None:
    kinds, objects = mujoco.mjtSensor, mujoco.mjtObj
    if robot.floating:
        for name, kind in (("accel", kinds.mjSENS_ACCELEROMETER), ("gyro", kinds.mjSENS_GYRO)):
            spec.add_sensor(name=name, type=kind, objtype=objects.mjOBJ_SITE, objname="imu")
    root = spec.worldbody.first_body().name
    spec.add_sensor(
        name="com_velocity", type=kinds.mjSENS_SUBTREELINVEL, objtype=objects.mjOBJ_BODY, objname=root
    )
    on_ground: dict[str, Any] = {
        "type": kinds.mjSENS_CONTACT,
        "objtype": objects.mjOBJ_BODY,
        "reftype": objects.mjOBJ_BODY,
        "refname": "world",
    }
    for contact in robot.contacts:
        spec.add_sensor(
            name=f"contact/{contact.name}",
            objname=contact.link,
            intprm=[CONTACT_FOUND | CONTACT_FORCE | CONTACT_POSITION, NET_FORCE, 1],
            **on_ground,
        )
    spec.add_sensor(name="trunk_ground", objname=trunk_link(robot), intprm=[CONTACT_FOUND, 0, 1], **on_ground)


def _add_payload_bodies(
    spec: Any, robot: RobotModel, payload: Payload, index: int
) -> list[tuple[str, str, float]]:
    """Adds a massless body where each part of a payload will be: its name, its link, its share."""
    added = []
    for part, attachment in enumerate(attachments(robot, payload.link, payload.p_LP_m)):
        name = f"payload/{index}.{part}"
        body = spec.body(attachment.link).add_body(name=name, pos=attachment.p_LP_m)
        body.explicitinertial = True
        # Left out, MuJoCo takes the body's own offset for that of its centre of mass, and so counts it twice.
        body.ipos = np.zeros(3)
        body.mass = 0.0
        body.inertia = np.zeros(3)
        added.append((name, attachment.link, attachment.share))
    return added


def _compile_without_neighbours(spec: Any, robot: RobotModel) -> Any:
    """Compiles, finds what touches at the nominal posture, and compiles again with that excluded."""
    try:
        model = spec.compile()
    except ValueError as error:
        raise _unreadable(robot, error) from None
    if mujoco.mj_isSparse(model):
        raise ConfigError(
            f"{robot.name}: MuJoCo {mujoco.__version__} solves this model wrongly (sparse Jacobian)"
        )
    data = mujoco.MjData(model)
    for index, name in enumerate(robot.joint_names):
        data.qpos[model.joint(name).qposadr[0]] = robot.q_nominal[robot.nq_base + index]
    if robot.floating:
        data.qpos[:7] = robot.q_nominal[[0, 1, 2, 6, 3, 4, 5]]
    mujoco.mj_kinematics(model, data)
    for first, second in neighbours(model, data):
        spec.add_exclude(bodyname1=first, bodyname2=second)
    low = low_geoms(model, data)
    model = spec.compile()
    for geom in low:
        model.geom_conaffinity[geom] &= ~GROUND_BIT
    return model


def _root_body(model: Any) -> int:
    return next(body for body in range(1, model.nbody) if model.body_parentid[body] == 0)


def _apply_plant(world: World, robot: RobotModel, scenario: Scenario, seed: int) -> None:
    model = world.model
    model.dof_frictionloss[world.joint_dof] = joint_friction_Nm(robot, scenario.plant)
    model.dof_damping[world.joint_dof] = joint_damping_Nms(robot, scenario.plant)
    perturb_links(model, sorted(world.bodies.values()), scenario.plant, seed)
    for payload in world.payloads:
        if payload.at_s == 0.0:
            model.body_mass[payload.body] = payload.mass_kg
            model.body_inertia[payload.body] = payload.inertia_kgm2
    world.update_constants()


def _unreadable(robot: RobotModel, error: ValueError) -> ConfigError:
    reason = re.sub(r"\s+", " ", str(error)).strip()
    return ConfigError(Problem(f"MuJoCo cannot read the model: {reason}", robot.model_path))
