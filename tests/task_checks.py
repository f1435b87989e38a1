"""Checks that hold for every task kind; the test of a kind calls them with an example task."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pinocchio as pin
from bodies import hold_still, random_state, whole_body

from kilohertz.controller.problem.tables import FRAME, MOMENTUM
from kilohertz.controller.tasks.kind import KINDS
from kilohertz.controller.whole_body.whole_body import Task, WholeBody
from kilohertz.robots.model.robot_model import RobotModel

FRAME_CASES = (("g1", "left_wrist_yaw_link"), ("talos", "gripper_right_base_link"), ("panda", "panda_hand"))
"""Pairs of robot and link with which every kind of frame task is tested."""


def body_at(model: RobotModel, task: Task, seed: int, speed: float = 1.0) -> WholeBody:
    """Returns a controller with only this task, and random state, references and gains."""
    rng = np.random.default_rng(seed)
    body = whole_body(model, [task])
    body.update(*random_state(model, rng, 0.5, speed))
    ref, gain = body.reference(task.name), body.gain(task.name)
    ref[:] = rng.normal(size=len(ref))
    if task.kind in ("frame_pose", "frame_orientation"):
        ref[:9] = pin.exp3(rng.normal(size=3)).ravel()
    gain[: len(task.gain)] = rng.uniform(1.0, 100.0, len(task.gain))
    return body


def written(body: WholeBody) -> tuple[Any, Any]:
    """Returns the rows and the right-hand side that the compiled code computes for the only task."""
    body.assemble()
    body.solve()  # the exact solver writes the rows as it solves
    dim = KINDS[body.declared[0].kind].dim
    return body.arrays.rows.T[:dim].copy(), body.arrays.rows.b[:dim].copy()


def specified(body: WholeBody) -> tuple[Any, Any]:
    """Returns the rows and the right-hand side of the kind's NumPy specification."""
    task = body.declared[0]
    spec = importlib.import_module(KINDS[task.kind].module).spec
    f = int(body.arrays.tasks.table[0, FRAME])
    T, b = spec(body.arrays.kin, f, body.reference(task.name), body.gain(task.name))
    return np.array(T), np.array(b)


def frame_velocity(model: RobotModel, link: str) -> Callable[[Any, Any], Any]:
    """Returns a function of (q, v) that gives a link's (6,) linear and angular velocity in world axes."""

    def velocity(q: Any, v: Any) -> Any:
        data = model.pin_model.createData()
        pin.forwardKinematics(model.pin_model, data, q, v)
        frame = model.pin_model.getFrameId(link)
        return pin.getFrameVelocity(model.pin_model, data, frame, pin.LOCAL_WORLD_ALIGNED).vector.copy()

    return velocity


def check_compiled_rows_equal_the_twin(model: RobotModel, task: Task) -> None:
    for seed in range(5):
        body = body_at(model, task, seed)
        T, b = written(body)
        T_spec, b_spec = specified(body)
        np.testing.assert_allclose(T[:, : T_spec.shape[1]], T_spec, atol=1e-12)
        np.testing.assert_allclose(b, b_spec, rtol=1e-11, atol=1e-9)


def check_rows_are_the_derivative(
    model: RobotModel,
    task: Task,
    velocity_W: Callable[[Any, Any], Any],
    axes: Callable[[WholeBody], Any] = lambda body: np.eye(3),
) -> None:
    """Checks that rows times acceleration plus drift equal the derivative of the task's velocity.

    Args:
        model: the robot.
        task: a task with rows on vdot or on the rate of the momentum.
        velocity_W: function of (q, v) that gives the task's velocity in the world's axes.
        axes: (3, 3) rotation of the axes of the rows in the world.
    """
    h = 1e-5
    for seed in range(3):
        body = body_at(model, task, seed)
        q, v = body.arrays.kin.q.copy(), body.arrays.kin.v.copy()
        vdot = np.random.default_rng(seed).normal(size=model.nv)
        body.reference(task.name)[:] = 0.0
        body.gain(task.name)[:] = 0.0
        T, minus_drift = written(body)
        before, after = (
            velocity_W(pin.integrate(model.pin_model, q, s * v + 0.5 * s * s * vdot), v + s * vdot)
            for s in (-h, h)
        )
        change = axes(body).T @ ((after - before) / (2 * h))
        rate = vdot
        if KINDS[task.kind].space == MOMENTUM:
            data = model.pin_model.createData()
            pin.dccrba(model.pin_model, data, q, v)
            rate = data.Ag @ vdot + data.dAg @ v
        np.testing.assert_allclose(T[:, : len(rate)] @ rate - minus_drift, change, rtol=1e-5, atol=2e-5)


def check_at_rest_nothing_is_asked(model: RobotModel, task: Task) -> None:
    """Checks that with zero error and zero velocity the desired acceleration is 0, for any gains."""
    for seed in range(3):
        body = body_at(model, task, seed, speed=0.0)
        hold_still(body)
        np.testing.assert_allclose(written(body)[1], 0.0, atol=1e-9)
