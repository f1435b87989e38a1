"""Identifies inertial offsets, joint friction and armature from a log with measured joint torques.

The residual of the measured torque against the model's inverse dynamics is linear in the unknowns: for each
moving body the offset of its mass and of its first moment; for each joint Coulomb and viscous friction and
the offset of its armature. On a floating base the contact wrenches are unknown; the equations are projected
onto the null space of the closed contacts' Jacobian, where they vanish. Least squares with a prior,
whose mean is the model, keep what the motion does not excite at the model's value.

Source: Gautier, Khalil, "Exciting trajectories for the identification of base inertial parameters of robots",
IJRR 1992 (base parameters); Mistry, Schaal, Yamane, "Inertial parameter estimation of floating base humanoid
systems using partial force sensing", Humanoids 2009 (floating base).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pinocchio as pin
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from kilohertz.estimators.base_state import JOINTS_Q, QUATERNION
from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.offline.estimate import Estimate, Samples

Array = NDArray[np.float64]

CUTOFF_HZ = 8.0
RATE_HZ = 40.0
_SHORTEST_S = 2.0
_GAP_PERIODS, _GAP_MARGIN_S = 4.0, 0.2
_COULOMB_RAD_S = 0.03
"""Speed at which tanh(v / speed) replaces the sign of v, as low-passed velocities have no sharp reversal."""
_SLIDING_RAD_S, _SLIDING_SHARE = 0.1, 0.1
"""A joint that is faster in a smaller share of the samples says nothing about friction."""
_MASS_SHARE, _LEAST_SHARE, _ARM_M = 0.5, 0.05, 0.1
_FRICTION_SHARE = 0.1
_ARMATURE_KGM2 = 0.1
_DETERMINED = 0.3
_HUBER = 2.0
_ROUNDS = 4
_INERTIAL, _PER_JOINT = 4, 3
_HELPS, _ALIKE = 0.7, 1.5
"""Largest share of the residuals that a single load may leave, and ratio up to which two links fit alike."""
_CORRELATED = 2.0
"""Factor on the SD of the residuals: low-passed residuals of neighbouring samples are not independent."""


@dataclass(frozen=True)
class Identified:
    """Result of an identification.

    Attributes:
        bodies: by link, offsets of mass [kg], first moment [kg m], both with SD, and centre of mass [m].
        joints: by joint, Coulomb friction [Nm], viscous friction [Nms] and armature offset [kgm2], with SD
            and whether the log determines each.
        load: the one link whose added mass explains most of the residual: mass, centre in the frame of its
            joint, share of the squared residuals, and other links that fit nearly as well; None if none does.
        determined: number of combinations of inertial parameters that the log determines.
        residual_Nm: RMS of the residual before and after.
    """

    bodies: dict[str, Any]
    joints: dict[str, Any]
    load: dict[str, Any] | None
    determined: int
    residual_Nm: tuple[float, float]

    def figures(self) -> dict[str, Any]:
        """Returns everything as plain objects for JSON."""
        return {
            "links": self.bodies,
            "joints": self.joints,
            "load": self.load,
            "base_parameters_determined": self.determined,
            "residual_rms_Nm": {"model": self.residual_Nm[0], "identified": self.residual_Nm[1]},
        }


def require_torque(samples: Samples, robot: RobotModel) -> None:
    """Refuses a log without measured torques.

    Raises:
        ConfigError: torques are unknown or all zero, or the log is too short.
    """
    tau = samples.sensors["tau"].reshape(len(samples.t_s), -1)
    unknown = [robot.joint_names[j] for j in np.flatnonzero(np.isnan(tau).any(axis=0))]
    if unknown or not tau.any():
        what = f"of {unknown[0]} and {len(unknown) - 1} others" if len(unknown) > 1 else "".join(unknown)
        raise ConfigError(
            f"the torque {what or 'of all joints'} is not measured in this log: friction and inertia can "
            "only be identified with a column tau_JOINT for each joint"
        )
    if samples.t_s[-1] - samples.t_s[0] < _SHORTEST_S:
        raise ConfigError(f"the log is shorter than {_SHORTEST_S:g} s: record a longer motion of all joints")


@dataclass(frozen=True)
class Motion:
    """Low-passed motion and torque on an even grid, (m, ...), and the closed contacts."""

    q: Array
    v: Array
    vdot: Array
    tau: Array
    contact: NDArray[np.bool_]


def identify(samples: Samples, robot: RobotModel, estimate: Estimate | None) -> Identified:
    """Identifies the parameters of a robot from a log.

    Args:
        samples: samples with measured torques, see `require_torque`.
        robot: the robot.
        estimate: state of the floating base at the samples; None for a fixed base.
    """
    return identified_from([_motion(samples, robot, estimate)], robot)[0]


def motions_of(
    samples: Samples, robot: RobotModel, estimate: Estimate | None, held_out: float
) -> tuple[Motion, Motion]:
    """Returns the motion in a log without its end, and that of its end.

    Args:
        samples: samples with measured torques, see `require_torque`.
        robot: the robot.
        estimate: state of the floating base at the samples; None for a fixed base.
        held_out: fraction of the log that is its end.
    """
    motion = _motion(samples, robot, estimate)
    first = round((1.0 - held_out) * len(motion.q))
    parts = [
        Motion(*(getattr(motion, name)[part] for name in ("q", "v", "vdot", "tau", "contact")))
        for part in (slice(None, first), slice(first, None))
    ]
    return parts[0], parts[1]


def identified_from(
    motions: Sequence[Motion], robot: RobotModel, inertia_error: float = 1.0
) -> tuple[Identified, Array]:
    """Identifies the parameters of a robot from several motions of it.

    Args:
        motions: the motions.
        robot: the robot.
        inertia_error: factor on the prior SD of mass and first moment of every link but the one that
            carries a load: a link's inertia and the armature of its joint are hard to tell apart, so that a
            good model of the links makes the armature better.

    Returns:
        The result, and the vector of all unknowns for `residual_rms_Nm`.
    """
    equations = [_equations(motion, robot) for motion in motions]
    A, b = np.concatenate([A for A, _ in equations]), np.concatenate([b for _, b in equations])
    moved = np.concatenate([motion.v for motion in motions])
    prior = _prior(robot)
    n_inertial = _INERTIAL * (robot.pin_model.njoints - 1)
    load = _load(A, b, prior, robot, n_inertial)
    carries = [
        load is not None and _link_of(robot, body) == load["link"]
        for body in range(1, robot.pin_model.njoints)
    ]
    prior[:n_inertial] *= np.where(np.repeat(carries, _INERTIAL), 1.0, inertia_error)
    x, covariance, weighted = _solve(A, b, prior)
    after = b - A @ x
    scaled = weighted[:, :n_inertial] * prior[:n_inertial]
    determined = int((np.linalg.svd(scaled, compute_uv=False) > 1.0 / _DETERMINED).sum())
    found = Identified(
        bodies=_bodies(robot, x, covariance, prior),
        joints=_joints(robot, moved, x, covariance, prior),
        load=load,
        determined=determined,
        residual_Nm=(float(np.sqrt((b**2).mean())), float(np.sqrt((after**2).mean()))),
    )
    return found, x


def residual_rms_Nm(motions: Sequence[Motion], robot: RobotModel, x: Array) -> tuple[float, float]:
    """Returns the RMS of the torque residual of motions without and with the identified unknowns [Nm].

    Args:
        motions: the motions.
        robot: the robot.
        x: unknowns from `identified_from`.
    """
    before, after = [], []
    for motion in motions:
        A, b = _equations(motion, robot)
        before.append(b)
        after.append(b - A @ x)
    rms = [float(np.sqrt((np.concatenate(each) ** 2).mean())) for each in (before, after)]
    return rms[0], rms[1]


def _motion(samples: Samples, robot: RobotModel, estimate: Estimate | None) -> Motion:
    """Resamples the log evenly, low-passes it without lag, and leaves out what is near a gap."""
    t_s = samples.t_s
    period_s = float(np.median(np.diff(t_s)))
    grid = np.arange(t_s[0], t_s[-1], period_s)
    n = len(t_s)
    joints_q, joints_v = (samples.sensors[name].reshape(n, -1) for name in ("q", "v"))
    if estimate is None:
        q, v = joints_q, joints_v
        contact = np.zeros((n, 0), dtype=bool)
    else:
        q = np.hstack((_continuous(estimate.q[:, :JOINTS_Q]), joints_q))
        v, contact = np.hstack((estimate.v[:, :6], joints_v)), estimate.contact
    sos = butter(4, min(CUTOFF_HZ * 2.0 * period_s, 0.9), output="sos")

    def smooth(values: Array) -> Array:
        even = np.stack([np.interp(grid, t_s, column) for column in values.T], axis=1)
        low: Array = sosfiltfilt(sos, even, axis=0)
        return low

    q, v, tau = smooth(q), smooth(v), smooth(samples.sensors["tau"].reshape(n, -1))
    if estimate is not None:
        q[:, QUATERNION:JOINTS_Q] /= np.linalg.norm(q[:, QUATERNION:JOINTS_Q], axis=1)[:, None]
    vdot = np.gradient(v, period_s, axis=0)
    nearest = np.minimum(np.searchsorted(t_s, grid), n - 1)
    good = (grid > grid[0] + _GAP_MARGIN_S) & (grid < grid[-1] - _GAP_MARGIN_S)
    for i in np.flatnonzero(np.diff(t_s) > _GAP_PERIODS * period_s):
        good &= (grid < t_s[i] - _GAP_MARGIN_S) | (grid > t_s[i + 1] + _GAP_MARGIN_S)
    if estimate is not None:
        # The filter spreads the torque of an impact: leave out what is near a change of contact.
        for i in np.flatnonzero((contact[1:] != contact[:-1]).any(axis=1)):
            good &= np.abs(grid - t_s[i]) > 0.5 * _GAP_MARGIN_S
    kept = np.flatnonzero(good)[:: max(1, round(1.0 / (RATE_HZ * period_s)))]
    if len(kept) < RATE_HZ * 0.5 * _SHORTEST_S:
        raise ConfigError("too little of the log is free of gaps and changes of contact to identify anything")
    return Motion(q[kept], v[kept], vdot[kept], tau[kept], contact[nearest[kept]])


def _continuous(pose: Array) -> Array:
    """Flips quaternions so that neighbours have the same sign."""
    pose = np.array(pose)
    flips = np.where((pose[1:, 3:] * pose[:-1, 3:]).sum(axis=1) < 0.0, -1.0, 1.0)
    pose[1:, 3:] *= np.cumprod(flips)[:, None]
    return pose


def _equations(motion: Motion, robot: RobotModel) -> tuple[Array, Array]:
    """Returns A and b of A x = b, where b is the measured minus the modelled torque."""
    model, data = robot.pin_model, robot.pin_model.createData()
    nv, na, n_bodies = robot.nv, robot.na, robot.pin_model.njoints - 1
    keep = np.arange(10 * n_bodies).reshape(n_bodies, 10)[:, :_INERTIAL].ravel()
    blocks, right = [], []
    for i in range(len(motion.q)):
        q, v, vdot = motion.q[i], motion.v[i], motion.vdot[i]
        columns = np.zeros((nv, len(keep) + _PER_JOINT * na))
        columns[:, : len(keep)] = pin.computeJointTorqueRegressor(model, data, q, v, vdot)[:, keep]
        own_v, own_vdot = v[robot.n_base :], vdot[robot.n_base :]
        for j in range(na):
            at = len(keep) + _PER_JOINT * j
            columns[robot.n_base + j, at : at + _PER_JOINT] = (
                np.tanh(own_v[j] / _COULOMB_RAD_S),
                own_v[j],
                own_vdot[j],
            )
        residual = -np.array(pin.rnea(model, data, q, v, vdot))
        residual[robot.n_base :] += motion.tau[i]
        if robot.floating:
            N = _without_contacts(robot, data, q, motion.contact[i])
            columns, residual = N.T @ columns, N.T @ residual
        blocks.append(columns)
        right.append(residual)
    return np.concatenate(blocks), np.concatenate(right)


def _without_contacts(robot: RobotModel, data: pin.Data, q: Array, closed: NDArray[np.bool_]) -> Array:
    """(nv, k) orthonormal basis of the generalised forces that closed contacts cannot exert."""
    model = robot.pin_model
    pin.computeJointJacobians(model, data, q)
    pin.updateFramePlacements(model, data)
    rows = [
        pin.getFrameJacobian(model, data, contact.frame_id, pin.LOCAL)[
            : 3 if len(contact.corners_F) == 1 else 6
        ]
        for contact, on in zip(robot.contacts, closed, strict=True)
        if on
    ]
    if not rows:
        return np.eye(robot.nv)
    J = np.concatenate(rows)
    Q: Array = np.linalg.qr(J.T, mode="complete")[0]
    free: Array = Q[:, len(J) :]
    return free


def _prior(robot: RobotModel) -> Array:
    """Prior SD of each unknown around the model."""
    least_kg = _LEAST_SHARE * robot.mass_kg
    mass = np.array([max(_MASS_SHARE * body.mass, least_kg) for body in list(robot.pin_model.inertias)[1:]])
    inertial = np.stack((mass, *(3 * [_ARM_M * mass])), axis=1).ravel()
    friction = _FRICTION_SHARE * robot.torque_limit_Nm
    armature = np.maximum(
        robot.armature_kgm2, _ARMATURE_KGM2 * np.minimum(1.0, robot.torque_limit_Nm / 100.0)
    )
    prior: Array = np.r_[inertial, np.stack((friction, friction, armature), axis=1).ravel()]
    return prior


def _solve(A: Array, b: Array, prior: Array) -> tuple[Array, Array, Array]:
    """Least squares with prior; the noise comes from the residuals, of which large ones count less (Huber).

    Returns:
        Solution, its covariance, and A divided by the SD of each row.
    """
    x: Array = np.zeros(A.shape[1])
    covariance: Array = np.zeros((len(x), len(x)))
    rows: Array = A
    for _ in range(_ROUNDS):
        residual = b - A @ x
        sd = _CORRELATED * max(1.4826 * float(np.median(np.abs(residual))), 1e-6)
        size = np.abs(residual) / sd
        weight = np.minimum(1.0, _HUBER / np.maximum(size, 1e-12))
        rows = A * (np.sqrt(weight) / sd)[:, None]
        covariance = np.asarray(np.linalg.inv(rows.T @ rows + np.diag(1.0 / prior**2)), np.float64)
        x = covariance @ (rows.T @ (b * np.sqrt(weight) / sd))
    return x, covariance, rows


def _bodies(robot: RobotModel, x: Array, covariance: Array, prior: Array) -> dict[str, Any]:
    found = {}
    sd = np.sqrt(np.diag(covariance))
    for body in range(1, robot.pin_model.njoints):
        at = _INERTIAL * (body - 1)
        inertia = robot.pin_model.inertias[body]
        mass = inertia.mass + x[at]
        moment = inertia.mass * inertia.lever + x[at + 1 : at + 4]
        found[_link_of(robot, body)] = {
            "mass_kg": float(x[at]),
            "mass_sd_kg": float(sd[at]),
            "first_moment_kgm": x[at + 1 : at + 4].tolist(),
            "first_moment_sd_kgm": sd[at + 1 : at + 4].tolist(),
            "com_offset_m": (moment / mass - inertia.lever).tolist() if mass > 1e-3 else None,
            "determined": [bool(sd[k] < _DETERMINED * prior[k]) for k in range(at, at + _INERTIAL)],
        }
    return found


def _joints(robot: RobotModel, v: Array, x: Array, covariance: Array, prior: Array) -> dict[str, Any]:
    start = len(x) - _PER_JOINT * robot.na
    # Below this speed friction is stiction, which the model of friction here does not describe.
    moves = (np.abs(v[:, robot.n_base :]) > _SLIDING_RAD_S).mean(axis=0) > _SLIDING_SHARE
    sd = np.sqrt(np.diag(covariance))
    found: dict[str, Any] = {}
    for j, name in enumerate(robot.joint_names):
        found[name] = {}
        for k, key in enumerate(("coulomb_Nm", "viscous_Nms", "armature_kgm2")):
            at = start + _PER_JOINT * j + k
            known = bool(moves[j] and sd[at] < _DETERMINED * prior[at])
            found[name][key] = {"value": float(x[at]), "sd": float(sd[at]), "determined": known}
    return found


def _load(A: Array, b: Array, prior: Array, robot: RobotModel, start: int) -> dict[str, Any] | None:
    """Returns the link whose offset alone, with friction, explains the residuals best; None if none helps."""
    friction = np.arange(start, A.shape[1])

    def cost(columns: NDArray[np.int64]) -> tuple[float, Array]:
        x = _solve(A[:, columns], b, prior[columns])[0]
        return float(((b - A[:, columns] @ x) ** 2).sum()), x

    without, _ = cost(friction)
    fits = []
    for body in range(1, robot.pin_model.njoints):
        at = _INERTIAL * (body - 1)
        left, x = cost(np.r_[np.arange(at, at + _INERTIAL), friction])
        fits.append((left, body, x[:_INERTIAL]))
    fits.sort(key=lambda fit: fit[0])
    left, body, x = fits[0]
    if left > _HELPS * without:
        return None
    return {
        "link": _link_of(robot, body),
        "mass_kg": float(x[0]),
        "p_JC_m": (x[1:] / x[0]).tolist() if abs(x[0]) > 1e-3 else None,
        "also_possible": [
            _link_of(robot, other) for cost_of, other, _ in fits[1:] if cost_of < _ALIKE * left
        ],
        "explained": 1.0 - left / without,
    }


def _link_of(robot: RobotModel, body: int) -> str:
    """Name of the first link of a moving body."""
    model = robot.pin_model
    names = [f.name for f in model.frames if f.parentJoint == body and f.type == pin.FrameType.BODY]
    return str(names[0] if names else model.names[body])
