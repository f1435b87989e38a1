"""The check before each run that MuJoCo and pinocchio read the same robot from a model file."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
import pinocchio as pin
from numpy.typing import NDArray

from kilohertz.robots.config.config_error import ConfigError, Problem
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.sim.mujoco_robot import MujocoRobot

Vector = NDArray[np.float64]

TOLERANCE = 1e-9
# Where no joint lifts anything, as with wheels, the bias force is nothing but the rounding of its terms.
ROUNDING = 1e-12
# MuJoCo finds principal axes to 1e-12 kg m^2, which is much of the inertia of a screw or a small gear.
EIGEN_KGM2 = 2e-12
STATES = 3
PARITY_SEED = 5


class ModelMismatchError(ConfigError):
    """MuJoCo reads a model differently from pinocchio, so that a simulation of it would be misleading."""


def check_parity(robot: RobotModel, world: MujocoRobot) -> None:
    """Compares links, mass matrix, bias force and centre of mass at three random states.

    Args:
        robot: robot with pinocchio's model.
        world: robot in MuJoCo, before model errors, friction and payloads are applied.

    Raises:
        ModelMismatchError: the models differ by more than 1e-9 relative; the text names the link or joint.
    """
    if world.model.nv != robot.nv:
        raise _mismatch(
            robot, f"it has {world.model.nv} degrees of freedom in MuJoCo and {robot.nv} in pinocchio"
        )
    data = mujoco.MjData(world.model)
    pin_data = robot.pin_model.createData()
    rng = np.random.default_rng(PARITY_SEED)
    for _ in range(STATES):
        q, v = _random_state(robot, rng)
        _set_state(world, robot, data, q, v)
        pin.computeAllTerms(robot.pin_model, pin_data, q, v)
        pin.updateFramePlacements(robot.pin_model, pin_data)
        difference = _worst_link(robot, world, data, pin_data) or _worst_term(
            robot, world, data, pin_data, q, v
        )
        if difference:
            raise _mismatch(robot, difference)


def _mismatch(robot: RobotModel, difference: str) -> ModelMismatchError:
    sentence = f"MuJoCo and pinocchio disagree about the model: {difference}"
    return ModelMismatchError(Problem(sentence, robot.model_path))


def _random_state(robot: RobotModel, rng: np.random.Generator) -> tuple[Vector, Vector]:
    lower = np.maximum(robot.position_lower_rad, -np.pi)
    upper = np.minimum(robot.position_upper_rad, np.pi)
    q = np.empty(robot.nq)
    if robot.floating:
        q[:3] = rng.normal(size=3)
        quaternion = rng.normal(size=4)
        q[3:7] = quaternion / np.linalg.norm(quaternion)
    q[robot.nq_base :] = rng.uniform(lower, upper)
    return q, rng.normal(size=robot.nv)


def _set_state(world: MujocoRobot, robot: RobotModel, data: Any, q: Vector, v: Vector) -> None:
    if robot.floating:
        data.qpos[:7] = q[[0, 1, 2, 6, 3, 4, 5]]
        data.qvel[:6] = v[:6]
        data.qvel[:3] = pin.Quaternion(q[3:7]).matrix() @ v[:3]
    data.qpos[world.joint_qpos] = q[robot.nq_base :]
    data.qvel[world.joint_dof] = v[robot.n_base :]
    mujoco.mj_fwdPosition(world.model, data)
    mujoco.mj_fwdVelocity(world.model, data)


def _worst_link(robot: RobotModel, world: MujocoRobot, data: Any, pin_data: Any) -> str:
    """Returns a sentence about a link that differs; empty if all links agree.

    If links have different poses, the sentence names the first one from the root, whose joint or offset is
    the cause. Otherwise it names the link that differs most in mass, centre of mass or inertia.
    """
    model = robot.pin_model
    for frame_id, frame in enumerate(model.frames):
        if frame.type != pin.FrameType.BODY or frame.name not in world.bodies:
            continue
        body, pose = world.bodies[frame.name], pin_data.oMf[frame_id]
        distance = np.abs(data.xpos[body] - pose.translation).max() / max(1.0, np.abs(pose.translation).max())
        turn = np.abs(data.xmat[body].reshape(3, 3) - pose.rotation).max()
        off = float(max(distance, turn))
        if not off <= TOLERANCE:
            return f"link '{frame.name}' has a different pose (relative difference {off:.2g})"
    worst, sentence = TOLERANCE, ""
    for joint, root in _rigid_groups(robot, world):
        name = world.model.body(root).name
        pose, inertia = pin_data.oMi[joint], model.inertias[joint]
        mass, com_W, I_W = _composite(world.model, data, root)
        scale_m = max(1.0, float(np.abs(com_W).max()))
        expected_I_W = pose.rotation @ inertia.inertia @ pose.rotation.T
        size = max(float(np.abs(expected_I_W).max()), mass * 1e-4, EIGEN_KGM2 / TOLERANCE)
        for what, error in (
            ("mass", abs(mass - inertia.mass) / max(inertia.mass, 1e-6)),
            ("centre of mass", float(np.abs(com_W - pose.act(inertia.lever)).max()) / scale_m),
            ("inertia", float(np.abs(I_W - expected_I_W).max()) / size),
        ):
            if not error <= worst:
                worst = error
                sentence = f"link '{name}' differs most, in its {what} (relative difference {error:.2g})"
    return sentence


def _rigid_groups(robot: RobotModel, world: MujocoRobot) -> list[tuple[int, int]]:
    """Returns the index of each pinocchio joint and the root body of the rigid group that it moves."""
    model = world.model
    groups = [(1, world.root)] if robot.floating else []
    for name in robot.joint_names:
        joint = model.joint(name).id
        body = int(model.jnt_bodyid[joint])
        # The mass of a body with several joints is behind the last of them in pinocchio's model.
        if joint == model.body_jntadr[body] + model.body_jntnum[body] - 1:
            groups.append((robot.pin_model.getJointId(name), body))
    return groups


def _composite(model: Any, data: Any, root: int) -> tuple[float, Vector, Vector]:
    """Returns mass [kg], (3,) centre [m] and (3, 3) inertia about it [kg m^2] of a rigid group, in W."""
    members = np.flatnonzero(model.body_weldid == root)
    masses = model.body_mass[members]
    mass = float(masses.sum())
    if mass == 0.0:
        return 0.0, np.array(data.xipos[root]), np.zeros((3, 3))
    com_W = masses @ data.xipos[members] / mass
    I_W = np.zeros((3, 3))
    for body, part in zip(members, masses, strict=True):
        R = data.ximat[body].reshape(3, 3)
        arm = data.xipos[body] - com_W
        I_W += R @ np.diag(model.body_inertia[body]) @ R.T
        I_W += part * ((arm @ arm) * np.eye(3) - np.outer(arm, arm))
    return mass, com_W, I_W


def _worst_term(robot: RobotModel, world: MujocoRobot, data: Any, pin_data: Any, q: Vector, v: Vector) -> str:
    """Returns a sentence about the term of the dynamics that differs; empty if all terms agree."""
    # v_mj = T v: the linear velocity of MuJoCo's free joint is in world axes, that of pinocchio's in base
    # axes.
    T = np.zeros((robot.nv, robot.nv))
    Tdot_v = np.zeros(robot.nv)
    if robot.floating:
        R = pin.Quaternion(q[3:7]).matrix()
        T[:3, :3] = R
        T[3:6, 3:6] = np.eye(3)
        Tdot_v[:3] = R @ np.cross(v[3:6], v[:3])
    T[world.joint_dof, np.arange(robot.n_base, robot.nv)] = 1.0
    M = np.zeros((robot.nv, robot.nv))
    mujoco.mj_fullM(world.model, data, M)
    M_pin = np.triu(pin_data.M) + np.triu(pin_data.M, 1).T
    names = [*("base",) * robot.n_base, *robot.joint_names]
    for what, found, expected in (
        ("mass matrix", T.T @ M @ T, M_pin),
        ("bias force", T.T @ (M @ Tdot_v + data.qfrc_bias), pin_data.nle),
    ):
        error = np.abs(found - expected)
        if not error.max() <= TOLERANCE * np.abs(expected).max() + ROUNDING * np.abs(M_pin).max():
            joint = names[int(np.unravel_index(np.argmax(error), error.shape)[0])]
            return f"the {what} differs most at '{joint}', by {error.max():.2g}"
    moving = world.model.body_weldid != 0
    masses = world.model.body_mass[moving]
    com = masses @ data.xipos[moving] / masses.sum()
    error_m = float(np.abs(com - pin_data.com[0]).max())
    if not error_m <= TOLERANCE * max(1.0, float(np.abs(com).max())):
        return f"the centre of mass differs by {error_m:.2g} m"
    return ""
