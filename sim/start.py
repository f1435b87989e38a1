"""The start state of a run: the nominal posture at rest, with the soles on the ground.

The simulated ground is compliant. A robot that is only placed on it sinks by a fraction of a millimetre and
rocks. The base is therefore lowered into the ground until the contacts carry the weight without acceleration,
and the drives start with the torques that hold this state.
"""

from __future__ import annotations

import mujoco
import numpy as np
import pinocchio as pin
from numpy.typing import NDArray

from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.sim.world import World

Vector = NDArray[np.float64]

NEWTON_STEPS = 30
# A residual counts as balanced below this fraction of the weight (for moments: of the weight on a lever of 1
# m).
BALANCED = 1e-6
LARGEST_STEP_M = 1e-3
PROBE = 1e-6
DEEPEST_M = 0.02
LEVEL_RAD = 1e-6

POSTURE_STEPS = 30
POSTURE_REGULARISATION = 1e-4


def place(robot: RobotModel, world: World) -> Vector:
    """Sets the start state of the robot and computes all of MuJoCo's quantities in this state.

    Args:
        robot: model of the robot.
        world: MuJoCo world of the run, changed in place.

    Returns:
        (na,) joint torques that hold the start state [Nm].
    """
    data = world.data
    mujoco.mj_resetData(world.model, data)
    q = robot.q_nominal
    if robot.floating and world.terrain.normal_W[2] < 1.0:
        q = posture_on_plane(robot, world.terrain.R_WG, world.terrain.plane_m)
    data.qpos[world.joint_qpos] = q[robot.nq_base :]
    if robot.floating:
        data.qpos[:7] = q[[0, 1, 2, 6, 3, 4, 5]]
        _balance(world)
    data.qacc[:] = 0.0
    mujoco.mj_inverse(world.model, data)
    needed = data.qfrc_inverse - _friction_forces(robot, world)
    holding: Vector = np.clip(needed[world.joint_dof], -robot.torque_limit_Nm, robot.torque_limit_Nm)
    data.ctrl[:] = holding
    mujoco.mj_forward(world.model, data)
    return holding


def _friction_forces(robot: RobotModel, world: World) -> Vector:
    """Returns the (nv,) generalised force that the soles must add to keep the base at rest.

    In MuJoCo friction forces build up only while the soles creep. On a slope the drives must include these
    forces from the start. Of all sole wrenches that balance the base, the smallest is used.
    """
    data = world.data
    rows = [np.zeros((0, robot.nv))]
    for contact, site in zip(robot.contacts, world.contact_sites, strict=True):
        linear, angular = np.zeros((3, robot.nv)), np.zeros((3, robot.nv))
        mujoco.mj_jacSite(world.model, data, linear, angular, int(site))
        rows += [linear, angular] if len(contact.corners_F) >= 3 else [linear]
    J = np.vstack(rows)
    base = slice(0, robot.n_base)
    wrench = np.linalg.lstsq(J[:, base].T, data.qfrc_inverse[base], rcond=None)[0]
    force: Vector = J.T @ wrench
    return force


def _balance(world: World) -> None:
    """Finds height, roll and pitch of the base without acceleration, by Newton's method.

    Soles that are not level in the nominal posture are first laid flat by turning the whole robot. If no such
    pose exists, as for point feet, which cannot carry a moment, only the height is solved for.
    """
    model, data = world.model, world.data
    weight = float(model.body_mass[1:].sum()) * GRAVITY_M_S2
    start = np.array(data.qpos)
    pose = _newton(world, start, weight, 3)
    if pose is None and (flat := _laid_flat(world, start)) is not None:
        pose = _newton(world, flat, weight, 3)
    if pose is None:
        pose = _newton(world, start, weight, 1)
    data.qpos[:] = start if pose is None else pose


def _laid_flat(world: World, start: Vector) -> Vector | None:
    """Returns qpos with the robot turned until its soles are flat on average; None if they are flat."""
    data, terrain = world.data, world.terrain
    data.qpos[:] = start
    mujoco.mj_kinematics(world.model, data)
    normal = data.site_xmat[world.contact_sites].reshape(-1, 3, 3)[:, :, 2].mean(axis=0)
    turn = pin.Quaternion.FromTwoVectors(normal, terrain.normal_W)
    if turn.angularDistance(pin.Quaternion.Identity()) < LEVEL_RAD:
        return None
    middle = data.site_xpos[world.contact_sites].mean(axis=0)
    flat: Vector = start.copy()
    flat[:3] = middle + turn.matrix() @ (start[:3] - middle)
    plane_m = terrain.plane_m - float(terrain.normal_W[:2] @ middle[:2]) / float(terrain.normal_W[2])
    flat[2] += plane_m - middle[2]
    mujoco.mju_mulQuat(flat[3:7], turn.coeffs()[[3, 0, 1, 2]], start[3:7])
    return flat


def _newton(world: World, start: Vector, weight: float, unknowns: int) -> Vector | None:
    qpos: Vector = start.copy()
    # Above the ground the force does not depend on the height, so that the iteration starts below it.
    qpos[2] -= 1e-3
    for _ in range(NEWTON_STEPS):
        residual = _residual(world, qpos)[:unknowns]
        if np.abs(residual).max() < BALANCED * weight:
            return qpos
        slope = np.empty((unknowns, unknowns))
        for column, probe in enumerate(PROBE * np.eye(unknowns)):
            slope[:, column] = (_residual(world, _moved(qpos, probe))[:unknowns] - residual) / PROBE
        if not np.isfinite(slope).all() or abs(np.linalg.det(slope)) < 1e-9:
            return None
        change = np.linalg.solve(slope, -residual)
        largest = float(np.abs(change).max())
        qpos = _moved(qpos, np.asarray(change * min(1.0, LARGEST_STEP_M / max(largest, 1e-12))))
        if abs(qpos[2] - start[2]) > DEEPEST_M:
            return None
    return None


def _moved(qpos: Vector, change: Vector) -> Vector:
    """Returns qpos with the base raised by change[0] [m] and turned by change[1:3] about x and y [rad]."""
    moved = qpos.copy()
    moved[2] += change[0]
    if len(change) == 3:
        quaternion = moved[3:7].copy()
        mujoco.mju_quatIntegrate(quaternion, np.array([change[1], change[2], 0.0]), 1.0)
        moved[3:7] = quaternion
    return moved


def _residual(world: World, qpos: Vector) -> Vector:
    """Returns the (3,) vertical force [N] and moments about x and y [Nm] that would hold the base at rest."""
    data = world.data
    data.qpos[:] = qpos
    data.qacc[:] = 0.0
    mujoco.mj_inverse(world.model, data)
    residual: Vector = data.qfrc_inverse[2:5].copy()
    return residual


def posture_on_plane(robot: RobotModel, R_WG: Vector, plane_m: float) -> Vector:
    """Returns the posture closest to the nominal one with soles flat on a tilted plane and base level.

    The posture is found by damped least squares. The centre of mass has the same horizontal distance from the
    middle of the soles as in the nominal posture.

    Args:
        robot: model of the robot.
        R_WG: (3, 3) rotation of the plane's frame in the world; its third column is the normal.
        plane_m: height of the plane at the origin [m].

    Returns:
        (nq,) posture in pinocchio's convention.
    """
    model = robot.pin_model
    data = model.createData()
    normal = R_WG[:, 2]
    pin.framesForwardKinematics(model, data, robot.q_nominal)
    lean = _lean(robot, data, robot.q_nominal)
    targets = []
    for contact in robot.contacts:
        foot = data.oMf[contact.frame_id]
        position = foot.translation.copy()
        position[2] = plane_m - (normal[0] * position[0] + normal[1] * position[1]) / normal[2]
        tilt = pin.Quaternion.FromTwoVectors(np.array([0.0, 0.0, 1.0]), normal).matrix()
        targets.append(pin.SE3(tilt @ foot.rotation, position))
    q = np.array(robot.q_nominal)
    for _ in range(POSTURE_STEPS):
        pin.computeJointJacobians(model, data, q)
        pin.updateFramePlacements(model, data)
        rows, errors = [], []
        for contact, target in zip(robot.contacts, targets, strict=True):
            error = data.oMf[contact.frame_id].actInv(target)
            twist = pin.log6(error).vector
            jacobian = pin.getFrameJacobian(model, data, contact.frame_id, pin.ReferenceFrame.LOCAL)
            used = 6 if len(contact.corners_F) >= 3 else 3
            rows.append(jacobian[:used])
            errors.append(twist[:used])
        base = np.zeros((3, robot.nv))
        base[:, 3:6] = np.eye(3)
        rows.append(base)
        errors.append(pin.log3(pin.Quaternion(q[3:7]).matrix().T))
        sole_jacobian = np.mean(
            [
                pin.getFrameJacobian(model, data, contact.frame_id, pin.ReferenceFrame.LOCAL_WORLD_ALIGNED)[
                    :2
                ]
                for contact in robot.contacts
            ],
            axis=0,
        )
        errors.append(lean - _lean(robot, data, q))
        rows.append(pin.jacobianCenterOfMass(model, data, q)[:2] - sole_jacobian)
        J, e = np.vstack(rows), np.concatenate(errors)
        step = np.linalg.solve(J.T @ J + POSTURE_REGULARISATION * np.eye(robot.nv), J.T @ e)
        q = pin.integrate(model, q, step)
        q[7:] = np.clip(q[7:], robot.position_lower_rad, robot.position_upper_rad)
    return q


def _lean(robot: RobotModel, data: pin.Data, q: Vector) -> Vector:
    """Returns the (2,) horizontal position of the centre of mass relative to the middle of the soles [m]."""
    com = pin.centerOfMass(robot.pin_model, data, q)
    middle = np.mean([data.oMf[contact.frame_id].translation for contact in robot.contacts], axis=0)
    lean: Vector = com[:2] - middle[:2]
    return lean
