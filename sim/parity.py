"""Do MuJoCo and pinocchio mean the same robot? Asked of every model before a run, with random states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mujoco
import numpy as np
import pinocchio as pin
from numpy.typing import NDArray

from robots.config_error import ConfigError, Problem
from robots.model import RobotModel

if TYPE_CHECKING:
    from sim.world import World

Vector = NDArray[np.float64]

TOLERANCE = 1e-9
STATES = 3
PARITY_SEED = 5


class ModelMismatchError(ConfigError):
    """MuJoCo reads a model differently from pinocchio; simulating it would mislead."""


def check_parity(robot: RobotModel, world: World) -> None:
    """Compares mass matrix, bias force, centre of mass and frames at a few random states.

    Args:
        robot: pinocchio's side.
        world: MuJoCo's side, before any plant error, friction or payload is put in.

    Raises:
        ModelMismatchError: they differ by more than 1e-9 relative; names the worst link or joint.
    """
    data = mujoco.MjData(world.model)
    pin_data = robot.pin_model.createData()
    rng = np.random.default_rng(PARITY_SEED)
    for _ in range(STATES):
        q, v = _random_state(robot, rng)
        _set_state(world, robot, data, q, v)
        worst = _worst_difference(robot, world, data, pin_data, q, v)
        if worst is not None:
            culprit = _worst_link(robot, world, data, pin_data) or worst
            raise ModelMismatchError(
                Problem(f"MuJoCo and pinocchio disagree about the model: {culprit}", robot.model_path)
            )


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


def _set_state(world: World, robot: RobotModel, data: Any, q: Vector, v: Vector) -> None:
    if robot.floating:
        data.qpos[:7] = q[[0, 1, 2, 6, 3, 4, 5]]
        data.qvel[:6] = v[:6]
        data.qvel[:3] = pin.Quaternion(q[3:7]).matrix() @ v[:3]
    data.qpos[world.joint_qpos] = q[robot.nq_base :]
    data.qvel[world.joint_dof] = v[robot.n_base :]
    mujoco.mj_fwdPosition(world.model, data)
    mujoco.mj_fwdVelocity(world.model, data)


def _worst_difference(
    robot: RobotModel, world: World, data: Any, pin_data: Any, q: Vector, v: Vector
) -> str | None:
    """A sentence about what differs, or None; leaves all of pinocchio's quantities at (q, v)."""
    model = robot.pin_model
    pin.computeAllTerms(model, pin_data, q, v)
    pin.updateFramePlacements(model, pin_data)
    if world.model.nv != robot.nv:
        return f"it has {world.model.nv} degrees of freedom in MuJoCo, {robot.nv} in pinocchio"
    # v_mj = T v: MuJoCo's free joint moves linearly in the world's axes, pinocchio's in its own.
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
        if not error.max() <= TOLERANCE * np.abs(expected).max():
            joint = names[int(np.unravel_index(np.argmax(error), error.shape)[0])]
            return f"the {what} differs by {error.max():.2g} at {joint}"
    moving = world.model.body_weldid != 0
    mass = world.model.body_mass[moving]
    com = mass @ data.xipos[moving] / mass.sum()
    if not np.abs(com - pin_data.com[0]).max() <= TOLERANCE * max(1.0, float(np.abs(com).max())):
        return f"the centre of mass differs by {np.abs(com - pin_data.com[0]).max():.2g} m"
    return None


def _worst_link(robot: RobotModel, world: World, data: Any, pin_data: Any) -> str | None:
    """A sentence about the link that differs most in mass, inertia or place; None if none does."""
    model = robot.pin_model
    worst, sentence = TOLERANCE, None
    for frame_id, frame in enumerate(model.frames):
        if frame.type != pin.FrameType.BODY or frame.name not in world.bodies:
            continue
        body = world.bodies[frame.name]
        mass, com_L, inertia = _body_inertia(world.model, body)
        pose = pin_data.oMf[frame_id]
        checks = [
            (
                "its place",
                np.abs(data.xpos[body] - pose.translation).max()
                + np.abs(data.xmat[body].reshape(3, 3) - pose.rotation).max(),
                1.0,
            )
        ]
        if world.model.body_weldid[body] != 0:
            inertial = frame.inertia
            checks += [
                ("its mass", abs(mass - inertial.mass), max(inertial.mass, 1e-3)),
                ("its centre of mass", np.abs(com_L - inertial.lever).max() if mass > 0 else 0.0, 0.1),
                (
                    "its inertia",
                    np.abs(inertia - inertial.inertia).max(),
                    max(np.abs(inertial.inertia).max(), 1e-6),
                ),
            ]
        for what, error, scale in checks:
            if error / scale > worst:
                worst = float(error / scale)
                sentence = f"link '{frame.name}' differs most, in {what} (by {error:.3g})"
    return sentence


def _body_inertia(model: Any, body: int) -> tuple[float, Vector, Vector]:
    """Mass [kg], centre of mass in the link's frame [m] and inertia about it in the link's axes [kg m^2]."""
    rotation = np.empty(9)
    mujoco.mju_quat2Mat(rotation, model.body_iquat[body])
    R = rotation.reshape(3, 3)
    return (
        float(model.body_mass[body]),
        np.array(model.body_ipos[body]),
        R @ np.diag(model.body_inertia[body]) @ R.T,
    )
