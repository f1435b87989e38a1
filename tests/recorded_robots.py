"""Defines the robots, tasks and references for which quadratic programs of TSID were recorded."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pinocchio as pin
from bodies import REFERENCE_DATA

from kilohertz.controller.whole_body.whole_body import BarrierSettings, ContactSettings, Task, WholeBody
from kilohertz.robots.model.model_file import find_model
from kilohertz.robots.model.robot_model import RobotModel

FOLDER = REFERENCE_DATA / "wbcqp"

# The recordings have no rotor inertia and no locked fingers; their friction pyramid encloses the cone.
_BIPED = """
robot: {name}
model: example-robot-data:{model}
base: floating
imu: {{link: {imu}}}
armature_kgm2: 0
contacts:
  left: {{link: {left}, corners_m: {corners}, friction: {friction}}}
  right: {{link: {right}, corners_m: {corners}, friction: {friction}}}
posture_rad: {{{posture}}}
"""
_ARM = """
robot: {name}
model: example-robot-data:{model}
base: fixed
armature_kgm2: 0
hands:
  hand: {{link: {hand}}}
posture_rad: {{{posture}}}
"""


_PANDA = "example-robot-data:panda_description/urdf/panda.urdf"


def _corners(x0: float, x1: float, y: float, z: float) -> list[list[float]]:
    return [[x0, -y, z], [x0, y, z], [x1, -y, z], [x1, y, z]]


ROBOTS = {
    "g1": _BIPED.format(
        name="g1",
        model="g1_description/urdf/g1_29dof_rev_1_0.urdf",
        imu="imu_in_pelvis",
        left="left_ankle_roll_link",
        right="right_ankle_roll_link",
        corners=_corners(-0.05, 0.12, 0.025, -0.035),
        friction=0.6 * np.sqrt(2),
        posture="",
    ),
    "talos": _BIPED.format(
        name="talos",
        model="talos_data/robots/talos_reduced.urdf",
        imu="imu_link",
        left="left_sole_link",
        right="right_sole_link",
        corners=_corners(-0.1, 0.1, 0.065, 0.0),
        friction=0.3 * np.sqrt(2),
        posture=", ".join(
            f"arm_{side}_2_joint: {0.2 * sign}, arm_{side}_4_joint: -0.5"
            for side, sign in (("left", 1), ("right", -1))
        ),
    ),
    "panda": _ARM.format(
        name="panda",
        model="panda_description/urdf/panda.urdf",
        hand="panda_hand",
        posture="panda_joint4: -1.5, panda_joint6: 1.5",
    ),
    "ur5": _ARM.format(name="ur5", model="ur_description/urdf/ur5_robot.urdf", hand="tool0", posture=""),
}
FORCES_N = {"g1": (1.0, 600.0), "talos": (5.0, 1000.0)}


def critical(kp: float) -> list[float]:
    return [kp, 2.0 * np.sqrt(kp)]


def load(name: str, folder: Path) -> RobotModel:
    """Returns the recorded robot, without joint limits, as in the recording."""
    text = ROBOTS[name]
    if name == "panda":
        # In the recording, each finger has a motor of its own.
        path = find_model(_PANDA, folder)
        free = re.sub(r"<mimic[^>]*/>", "", path.read_text())
        (folder / "panda.urdf").write_text(free)
        text = text.replace(f"model: {_PANDA}", "model: panda.urdf")
    (folder / "robot.yaml").write_text(text)
    model = RobotModel.load(folder)
    far = np.full(model.na, 1e6)
    return dataclasses.replace(
        model, position_lower_rad=-far, position_upper_rad=far, velocity_limit_rad_s=far
    )


def recording(name: str) -> Any:
    return np.load(FOLDER / f"{name}_{'comsin' if name in FORCES_N else 'ee'}.npz")


def whole_body(model: RobotModel, solver: str = "exact") -> WholeBody:
    """Returns a controller with the recorded tasks: centre of mass or hand, posture and small wrenches."""
    posture = Task("posture", "posture", 0.01, critical(10.0))
    barrier = BarrierSettings(largest_rad_s2=1e6)
    if not model.floating:
        # TSID computes a pose error as separate position and orientation errors, not as one on SE(3).
        place = Task("place", "frame_position", 1.0, critical(100.0), "hand/hand")
        turn = Task("turn", "frame_orientation", 1.0, critical(100.0), "hand/hand")
        body = WholeBody(model, [place, turn, posture], ContactSettings(0, 0, 1), barrier, solver)
    else:
        kp, kd = critical(40.0)
        tasks = [Task("com", "com", 1.0, [kp] * 3 + [kd] * 3), posture]
        tasks += [Task(name, "contact_force", 1.0, (), name) for name in model.contact_names]
        forces = FORCES_N[model.name]
        body = WholeBody(model, tasks, ContactSettings(critical(10.0)[1], *forces), barrier, solver)
        _move_to_the_links(body)
    names = [task.name for task in body.declared]
    body.prepare(model.contact_names, names)
    body.set_mode(model.contact_names, names)
    return body


def _move_to_the_links(body: WholeBody) -> None:
    """Expresses each contact wrench about the origin of its link, as in the recordings."""
    model = body.robot.pin_model
    for c, contact in enumerate(body.robot.contacts):
        link = model.frames[model.getFrameId(contact.link)].placement
        X = np.eye(6)
        X[3:, :3] = -pin.skew(link.actInv(model.frames[contact.frame_id].placement).translation)
        body.arrays.contacts.cone[c] = body.arrays.contacts.cone[c] @ X
        body.arrays.kin.placement[c, :3], body.arrays.kin.placement[c, 3] = link.rotation, link.translation


def corner_map(model: RobotModel) -> Any:
    """Returns the (6, 12) map from forces at the four corners of a sole to the wrench about its link."""
    frames, contact = model.pin_model.frames, model.contacts[0]
    link = frames[model.pin_model.getFrameId(contact.link)].placement
    corners = contact.corners_F + link.actInv(frames[contact.frame_id].placement).translation
    return np.hstack([np.vstack([np.eye(3), pin.skew(corner)]) for corner in corners])


def wrench_cost(model: RobotModel) -> Any:
    """Returns the (6, 6) wrench cost: a wrench weight plus that of the minimum-norm corner forces."""
    T = corner_map(model)
    return np.diag([1e-5, 1e-5, 1e-11, 4e-5, 4e-5, 4e-5]) + 1e-8 * np.linalg.inv(T @ T.T)


def ask(body: WholeBody, data: Any, i: int) -> None:
    """Sets the references of the recorded tick i: a sine of the centre of mass, or hand positions."""
    model, t = body.robot, data["t"][i]
    posture = body.reference("posture")
    posture[: model.na], posture[model.na :] = data["q"][0][model.nq_base :], 1.0
    if model.floating:
        com, w, amplitude = body.reference("com"), np.pi, data["comref"][5] - data["comref"][0]
        com[:3] = data["comref"][i]
        com[3:6] = w * np.cos(w * t) * amplitude
        com[6:9] = -w * w * np.sin(w * t) * amplitude
        return
    pin_data = model.pin_model.createData()
    pin.framesForwardKinematics(model.pin_model, pin_data, data["q"][0])
    body.reference("place")[:3] = data["comref"][i]
    body.reference("turn")[:9] = pin_data.oMf[model.hands[0].frame_id].rotation.ravel()


def solve(body: WholeBody) -> bool:
    """Solves with the recorded cost of wrenches, which is not a diagonal.

    What is beside the diagonal goes into the reference of each wrench: it is moved until the gradient of the
    whole cost vanishes where that of the diagonal does.
    """
    if not body.robot.floating:
        body.assemble()
        return body.solve()
    Q = wrench_cost(body.robot)
    diagonal = np.diag(Q)
    beside, wrench = Q - np.diag(diagonal), np.zeros((2, 6))
    for _ in range(30):
        for c, name in enumerate(body.robot.contact_names):
            ref = body.reference(name)
            ref[:6], ref[6:] = -beside @ wrench[c] / diagonal, diagonal
        body.assemble()
        if not body.solve():
            return False
        change = np.abs(body.solution.wrench - wrench).max()
        wrench = body.solution.wrench.copy()
        if change < 1e-6:
            return True
    return False
