"""Provides robots, states and whole-body controllers for the tests of the controller."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pinocchio as pin

from kilohertz.controller.problem.tables import REF
from kilohertz.controller.qp.osqp_backend import OsqpSettings
from kilohertz.controller.whole_body.whole_body import (
    BarrierSettings,
    ContactSettings,
    Inequality,
    Task,
    WholeBody,
)
from kilohertz.robots.clearance.clearance import Clearance
from kilohertz.robots.model.robot_model import RobotModel

ROBOTS = ("g1", "talos", "bolt", "panda", "ur5")
BIPEDS = ("g1", "talos", "bolt")
ARMS = ("panda", "ur5")

# Recordings of another controller are not part of the project: tests that need them are skipped without them.
REFERENCE_DATA = Path(__file__).parents[2] / "shared" / "data"

CONTACT = ContactSettings(damping_per_s=20.0, min_force_N=5.0, max_force_N=3000.0)
BARRIER = BarrierSettings()


@functools.cache
def robot(name: str) -> RobotModel:
    return RobotModel.load(name)


@functools.cache
def unlimited(name: str) -> RobotModel:
    """Returns the robot without limits of torque, velocity and position."""
    model = robot(name)
    far = np.full(model.na, 1e6)
    return dataclasses.replace(
        model,
        torque_limit_Nm=far,
        velocity_limit_rad_s=far,
        position_lower_rad=-far,
        position_upper_rad=far,
    )


def weak(name: str, fraction: float) -> RobotModel:
    """Returns the robot with torque limits reduced to a fraction."""
    return dataclasses.replace(robot(name), torque_limit_Nm=fraction * robot(name).torque_limit_Nm)


def random_state(
    model: RobotModel, rng: np.random.Generator, spread: float = 0.2, speed: float = 0.5
) -> tuple[Any, Any]:
    """Returns a random (q, v) near the nominal posture, with joints within their limits.

    Args:
        model: the robot.
        rng: random generator.
        spread: standard deviation of joint angles and base orientation [rad].
        speed: standard deviation of all velocities.
    """
    q = np.array(model.q_nominal)
    if model.floating:
        dq = np.r_[rng.normal(size=3), spread * rng.normal(size=3), np.zeros(model.na)]
        q = pin.integrate(model.pin_model, q, dq)
    joints = q[model.nq_base :]
    joints += spread * rng.normal(size=model.na)
    low, high = model.position_lower_rad, model.position_upper_rad
    np.clip(
        joints,
        low + 0.02 * np.minimum(high - low, 1.0),
        high - 0.02 * np.minimum(high - low, 1.0),
        out=joints,
    )
    return q, speed * rng.normal(size=model.nv)


def balance_tasks(model: RobotModel) -> list[Task]:
    """Returns one task of each usual kind with fixed weights, independent of the gains of any behaviour."""
    posture = Task("posture", "posture", 1.0, [30.0, 8.0])
    hands = [
        Task(
            hand.name, "frame_pose", [3, 3, 3, 1, 1, 1], [200, 28, 100, 20], frame_name(model, hand.frame_id)
        )
        for hand in model.hands
    ]
    if not model.floating:
        return [posture, *hands]
    return [
        Task("com", "com", 50.0, [40, 40, 60, 12, 12, 15]),
        Task("base", "frame_orientation", 2.0, [100, 20], base_link(model)),
        posture,
        Task("momentum", "angular_momentum", 1e-3, [5]),
        *[Task(f"{name}.force", "contact_force", 1.0, (), name) for name in model.contact_names],
        *hands,
    ]


def frame_name(model: RobotModel, frame_id: int) -> str:
    return str(model.pin_model.frames[frame_id].name)


def base_link(model: RobotModel) -> str:
    frames = model.pin_model.frames
    return next(str(f.name) for f in frames if f.parentJoint == 1 and f.type == pin.FrameType.BODY)


def whole_body(
    model: RobotModel,
    tasks: Sequence[Task] | None = None,
    *,
    contact: ContactSettings = CONTACT,
    barrier: BarrierSettings = BARRIER,
    solver: str = "exact",
    closed: Sequence[str] | None = None,
    enabled: Sequence[str] | None = None,
    inequalities: Sequence[Inequality] = (),
    osqp: OsqpSettings | None = None,
    clearance: Clearance | None = None,
) -> WholeBody:
    """Returns a whole-body controller; by default all contacts are closed and all tasks are enabled."""
    declared = balance_tasks(model) if tasks is None else list(tasks)
    body = WholeBody(model, declared, contact, barrier, solver, osqp, inequalities, clearance=clearance)
    closed = model.contact_names if closed is None else closed
    enabled = [task.name for task in declared] if enabled is None else enabled
    body.prepare(closed, enabled)
    body.set_mode(closed, enabled)
    hold_still(body)
    return body


def hold_still(body: WholeBody) -> None:
    """Sets references that hold the robot at rest in its present state, with equal load on all contacts."""
    model, kin = body.robot, body.arrays.kin
    for task in body.declared:
        ref = body.reference(task.name)
        ref[:] = 0.0
        if task.kind == "com":
            ref[:3] = kin.p_WC
        elif task.kind == "posture":
            ref[: model.na], ref[model.na :] = kin.q[model.nq_base :], 0.01
        elif task.kind == "frame_position":
            ref[:3] = kin.p[body.frame_index[str(task.frame)]]
        elif task.kind in ("frame_pose", "frame_orientation"):
            f = body.frame_index[str(task.frame)]
            ref[:9] = kin.R[f].ravel()
            if task.kind == "frame_pose":
                ref[9:12] = kin.p[f]
        elif task.kind == "frame_coordinate":
            ref[2], ref[3] = 1.0, kin.p[body.frame_index[str(task.frame)], 2]
        elif task.kind == "force_share":
            ref[0] = 1.0 / len(model.contacts)
        elif task.kind == "joint":
            ref[0] = kin.q[model.nq_base + model.joint_names.index(str(task.frame))]
        elif task.kind == "contact_force":
            load = model.mass_kg * 9.81
            for t, component in enumerate(body.geometry[model.contact_names.index(str(task.frame))].select):
                ref[t] = load / len(model.contacts) if component == 2 else 0.0
                ref[6 + t] = (1.0 if component < 3 else 100.0) / load**2


def ask(body: WholeBody, rng: np.random.Generator, size: float = 1.0) -> None:
    """Sets references for a random motion from the present state; `size` scales the reference offsets."""
    hold_still(body)
    for task in body.declared:
        ref = body.reference(task.name)
        if task.kind in ("com", "angular_momentum", "frame_position", "joint"):
            ref += size * 0.03 * rng.normal(size=len(ref))
        elif task.kind == "posture":
            na = body.robot.na
            ref[:na] += size * 0.03 * rng.normal(size=na)
            ref[na:] *= rng.uniform(0.5, 2.0, na)
        elif task.kind in ("frame_pose", "frame_orientation"):
            R = ref[:9].reshape(3, 3) @ pin.exp3(size * 0.03 * rng.normal(size=3))
            ref[9:] += size * 0.03 * rng.normal(size=len(ref) - 9)
            ref[:9] = R.ravel()


class SmoothMotion:
    """Generates a smooth motion and matching references, which suits a warm-started solver.

    Args:
        model: the robot.
        seed: random seed of the motion.
        size: scale of the reference offsets of centre of mass and momentum.
    """

    def __init__(self, model: RobotModel, seed: int, size: float = 1.0) -> None:
        rng = np.random.default_rng(seed)
        self._model = model
        self._sway, self._phase = 0.05 * rng.normal(size=model.nv), rng.uniform(0, 6, model.nv)
        self._rng_state, self._size = seed, size

    def apply(self, body: WholeBody, t_s: float) -> None:
        """Sets state and references of a controller for a time [s]."""
        model, w = self._model, 6.0
        angle = w * t_s + self._phase
        body.update(np.array(model.q_nominal), np.zeros(model.nv))
        ask(body, np.random.default_rng(self._rng_state), self._size)
        far = body.arrays.tasks.ref.copy()
        hold_still(body)
        for task in body.declared:
            ref = body.reference(task.name)
            if task.kind in ("com", "angular_momentum"):
                start = body.arrays.tasks.table[body.task_index[task.name], REF]
                ref += np.sin(w * t_s) * (far[start : start + len(ref)] - ref)
        dq = self._sway * (np.sin(angle) - np.sin(self._phase))
        q = pin.integrate(model.pin_model, np.array(model.q_nominal), dq)
        body.update(q, 0.3 * w * self._sway * np.cos(angle))
