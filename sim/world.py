"""The MuJoCo world of one run: robot, ground, model errors and payloads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from kilohertz.robots.config.config_error import ConfigError, Problem
from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.period import PERIOD_S
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.sim.collision import low_geoms, neighbours
from kilohertz.sim.hook import HOOK, add_hook
from kilohertz.sim.mujoco_robot import Indices, MujocoRobot, robot_spec, unreadable
from kilohertz.sim.parity import check_parity
from kilohertz.sim.plant import joint_damping_Nms, joint_friction_Nm, perturb_links
from kilohertz.sim.scenario import attachments, trunk_link
from kilohertz.sim.scenario_schema import Payload, Scenario
from kilohertz.sim.shared_load import add_shared_loads
from kilohertz.sim.surroundings import add_surroundings
from kilohertz.sim.terrain import GROUND_BIT, Terrain, make_terrain
from kilohertz.sim.wrist import add_wrist_sensors

Vector = NDArray[np.float64]

STEP_S = PERIOD_S
LARGEST_MESH_M = 10.0

# Settings of a contact sensor: it reports found, force and position (1 + 3 + 3 numbers) of the net contact
# force.
CONTACT_FOUND, CONTACT_FORCE, CONTACT_POSITION = 1 << 0, 1 << 1, 1 << 4
NET_FORCE = 3


@dataclass(frozen=True)
class PayloadBody:
    """A body without mass that gets the mass of a payload when the payload is added.

    Attributes:
        body: id of the MuJoCo body.
        at_s: time at which the payload is added [s].
        mass_kg: mass of the payload [kg].
        inertia_kgm2: moment of inertia of the payload about its centre [kg m^2].
        text: description of the payload, for the event.
    """

    body: int
    at_s: float
    mass_kg: float
    inertia_kgm2: float
    text: str


@dataclass(frozen=True)
class World(MujocoRobot):
    """The compiled MuJoCo world of a run, with the addresses of the robot's parts.

    Attributes:
        data: MuJoCo data of the run.
        terrain: ground of the scenario.
        trunk: id of the body of the robot's trunk.
        contact_sites, hand_sites: (nc,), (nh,) ids of the sites at the frames of the soles and hands.
        sensor: addresses in sensordata, with the keys accel, gyro, com_velocity, trunk_ground,
            contact/<name>, touch/<hand>, wrist_force/<hand> and wrist_torque/<hand>.
        payloads: bodies of the scenario's payloads, in the order of their times.
        notes: one sentence for each part of the model file that was left out.
    """

    data: Any
    terrain: Terrain
    trunk: int
    contact_sites: Indices
    hand_sites: Indices
    sensor: dict[str, int]
    payloads: tuple[PayloadBody, ...]
    notes: tuple[str, ...]
    _scratch: Any

    def set_payload(self, payload: PayloadBody) -> None:
        """Gives a payload's body its mass and inertia, from the next step on."""
        self.model.body_mass[payload.body] = payload.mass_kg
        self.model.body_inertia[payload.body] = payload.inertia_kgm2
        self.update_constants()

    def push_hands(self, force_W: Vector) -> None:
        """Applies a force at the point of each hand, (nh, 3) in world axes [N], until the next call."""
        J = np.zeros((3, self.model.nv))
        self.data.qfrc_applied[:] = 0.0
        for site, force in zip(self.hand_sites, force_W, strict=True):
            mujoco.mj_jacSite(self.model, self.data, J, None, site)
            self.data.qfrc_applied += J.T @ force

    def update_constants(self) -> None:
        """Recomputes the constants that MuJoCo derives from masses; the state does not change."""
        # MuJoCo also sets welds to the relative pose at its reference posture; those here hold as they were
        # gripped.
        welds = self.model.eq_data.copy()
        mujoco.mj_setConst(self.model, self._scratch)
        self.model.eq_data[:] = welds


def build_world(robot: RobotModel, scenario: Scenario, seed: int) -> World:
    """Builds the MuJoCo world of a run.

    The model is first compiled without the plant's model errors, and is refused unless it agrees with
    pinocchio's.

    Args:
        robot: model of the robot.
        scenario: ground, plant and payloads.
        seed: random seed for the model error and the terrain.

    Raises:
        ConfigError: MuJoCo cannot read the model, or reads it differently from pinocchio.
    """
    terrain = make_terrain(scenario.ground, seed)
    spec, notes = robot_spec(robot)
    terrain.add_to(spec)
    set_options(spec)
    _add_sensors(spec, robot)
    add_surroundings(spec, robot, scenario)
    add_hook(spec, robot, scenario)
    add_shared_loads(spec, robot, scenario)
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
        root=next(body for body in range(1, model.nbody) if model.body_parentid[body] == 0),
        trunk=model.body(trunk_link(robot)).id,
        contact_sites=np.array([model.site(f"contact/{name}").id for name in robot.contact_names], np.intp),
        hand_sites=np.array([model.site(f"hand/{name}").id for name in robot.hand_names], np.intp),
        sensor={model.sensor(i).name: int(model.sensor_adr[i]) for i in range(model.nsensor)},
        bodies={
            model.body(i).name: i
            for i in range(1, model.nbody)
            if not model.body(i).name.startswith(("payload/", HOOK))
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


def set_options(spec: Any) -> None:
    """Sets time step, integrator and solver; contacts and limits keep MuJoCo's default compliance."""
    option = spec.option
    option.timestep = STEP_S
    option.gravity = [0.0, 0.0, -GRAVITY_M_S2]
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.solver = mujoco.mjtSolver.mjSOL_NEWTON
    option.cone = mujoco.mjtCone.mjCONE_PYRAMIDAL
    # MuJoCo 4.0.0's Newton solver has a wrong Hessian where the constraint Jacobian is sparse.
    option.jacobian = mujoco.mjtJacobian.mjJAC_DENSE
    # A diverged state must be visible, so that MuJoCo must not reset it silently to the start.
    option.disableflags = int(mujoco.mjtDisableBit.mjDSBL_AUTORESET)
    option.enableflags = 0


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
    add_wrist_sensors(spec, robot)
    spec.add_sensor(name="trunk_ground", objname=trunk_link(robot), intprm=[CONTACT_FOUND, 0, 1], **on_ground)


def _add_payload_bodies(
    spec: Any, robot: RobotModel, payload: Payload, index: int
) -> list[tuple[str, str, float]]:
    """Adds a body without mass for each part of a payload; returns the name, link and share of each."""
    added = []
    for part, attachment in enumerate(attachments(robot, payload.link, payload.p_LP_m)):
        name = f"payload/{index}.{part}"
        body = spec.body(attachment.link).add_body(name=name, pos=attachment.p_LP_m)
        body.explicitinertial = True
        # Without this line MuJoCo uses the offset of the body as the offset of its centre of mass too, and so
        # counts it twice.
        body.ipos = np.zeros(3)
        body.mass = 0.0
        body.inertia = np.zeros(3)
        added.append((name, attachment.link, attachment.share))
    return added


def _compile_without_neighbours(spec: Any, robot: RobotModel) -> Any:
    """Compiles a spec, and compiles it again without the pairs of bodies that must not collide."""
    try:
        model = spec.compile()
    except ValueError as error:
        raise unreadable(robot, error) from None
    _refuse_huge_meshes(model, robot)
    if mujoco.mj_isSparse(model):
        raise ConfigError(
            f"{robot.name}: MuJoCo {mujoco.__version__} solves this model with a sparse Jacobian, "
            "which gives wrong results in this version of MuJoCo"
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


def _refuse_huge_meshes(model: Any, robot: RobotModel) -> None:
    """Refuses meshes larger than any robot: those in millimetres without a scale."""
    for geom in range(model.ngeom):
        size_m = 2.0 * float(model.geom_rbound[geom])
        if model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_MESH and size_m > LARGEST_MESH_M:
            mesh, link = model.mesh(model.geom_dataid[geom]).name, model.body(model.geom_bodyid[geom]).name
            sentence = (
                f"mesh '{mesh}' of link '{link}' is {size_m:.0f} m large: a mesh in millimetres needs "
                'scale="0.001 0.001 0.001"'
            )
            raise ConfigError(Problem(sentence, robot.model_path))


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
