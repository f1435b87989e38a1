"""The MuJoCo world of one run: robot, ground, plant and payloads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.period import PERIOD_S
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.sim.collision import low_geoms, neighbours
from kilohertz.sim.mujoco_robot import Indices, MujocoRobot, robot_spec, unreadable
from kilohertz.sim.parity import check_parity
from kilohertz.sim.plant import joint_damping_Nms, joint_friction_Nm, perturb_links
from kilohertz.sim.scenario import attachments, trunk_link
from kilohertz.sim.scenario_schema import Payload, Scenario
from kilohertz.sim.terrain import GROUND_BIT, Terrain, make_terrain

Vector = NDArray[np.float64]

STEP_S = PERIOD_S

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
class World(MujocoRobot):
    """The compiled world and where in it each thing of the robot is.

    Attributes:
        data: MuJoCo's.
        terrain: the ground.
        trunk: body of the main body.
        contact_sites, hand_sites: site of each sole's and hand's frame.
        sensor: address in sensordata of accel, gyro, com_velocity, trunk_ground and contact/<name>.
        payloads: those to come, in the order of their times.
        notes: what was left out of the model file, one sentence each.
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
        root=next(body for body in range(1, model.nbody) if model.body_parentid[body] == 0),
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
        raise unreadable(robot, error) from None
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
