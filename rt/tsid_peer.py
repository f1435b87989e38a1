"""The same whole-body problem in TSID: run by the interpreter of its own environment, as a script.

Standard input: one line of JSON that describes the problem, then a row of numbers for each tick. Standard
output: for each row the time that TSID took [ns], then the joint torque.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any, BinaryIO

import numpy as np
import pinocchio as pin
import tsid  # type: ignore[import-not-found]

CONTACT_WEIGHT = 1.0


class TsidTick:
    """TSID's formulation and solver of the described problem.

    Args:
        problem: as `rt.against.describe` writes it.
    """

    def __init__(self, problem: dict[str, Any]) -> None:
        model = pin.buildModelFromXML(problem["urdf"], pin.JointModelFreeFlyer())
        model.armature = np.r_[np.zeros(6), problem["armature"]]
        for frame in problem["frames"]:
            joint = model.getJointId(frame["joint"])
            placement = pin.SE3(np.array(frame["R"]), np.array(frame["p"]))
            model.addFrame(pin.Frame(frame["name"], joint, 0, placement, pin.FrameType.OP_FRAME))
        self.robot = tsid.RobotWrapper(model, tsid.RootJointType.FLOATING_BASE_SYSTEM, False)
        self.invdyn = tsid.InverseDynamicsFormulationAccForce("invdyn", self.robot, False)
        q, self.na = np.array(problem["q"]), model.nv - 6
        self.invdyn.computeProblemData(0.0, q, np.zeros(model.nv))
        self.contacts: dict[str, Any] = {}
        for contact in problem["contacts"]:
            self._add_contact(contact, problem["q"])
        self.closed = set(self.contacts)
        self.alive: list[Any] = []  # TSID only refers to its tasks
        self._add_tasks(problem)
        self._add_limits(problem)
        self.solver = tsid.SolverHQuadProgFast("solver")
        self._resize()

    def _add_contact(self, contact: dict[str, Any], q: list[float]) -> None:
        name = contact["frame"]
        task = tsid.Contact6d(
            name,
            self.robot,
            name,
            np.ascontiguousarray(np.array(contact["corners"]).T),
            np.array([0.0, 0.0, 1.0]),
            contact["friction"],
            contact["least_N"],
            contact["largest_N"],
        )
        task.setKp(np.zeros(6))
        task.setKd(np.full(6, contact["damping"]))
        task.setReference(self.robot.framePosition(self.invdyn.data(), self.robot.model().getFrameId(name)))
        task.setRegularizationTaskWeightVector(np.sqrt(np.array(contact["weights"])))
        task.setForceReference(np.array(contact["force"]))
        self.invdyn.addRigidContact(task, CONTACT_WEIGHT)
        self.contacts[name] = task

    def _add_tasks(self, problem: dict[str, Any]) -> None:
        self.com = tsid.TaskComEquality("com", self.robot)
        self.com.setKp(np.array(problem["com"]["kp"]))
        self.com.setKd(np.array(problem["com"]["kd"]))
        self.invdyn.addMotionTask(self.com, problem["com"]["weight"], 1, 0.0)
        self.upright = []
        for task in problem["orientations"]:
            upright = tsid.TaskSE3Equality(task["name"], self.robot, task["frame"])
            upright.setKp(np.full(6, task["kp"]))
            upright.setKd(np.full(6, task["kd"]))
            upright.setMask(np.array([0, 0, 0, 1.0, 1, 1]))
            upright.useLocalFrame(True)
            self.invdyn.addMotionTask(upright, task["weight"], 1, 0.0)
            self.upright.append(upright)
        momentum = tsid.TaskAMEquality("momentum", self.robot)
        momentum.setKp(np.full(3, problem["momentum"]["kp"]))
        momentum.setKd(np.zeros(3))
        still = tsid.TrajectorySample(3, 3)
        still.value(np.zeros(3))
        still.derivative(np.zeros(3))
        momentum.setReference(still)
        self.alive.append(momentum)
        self.invdyn.addMotionTask(momentum, problem["momentum"]["weight"], 1, 0.0)
        posture = problem["posture"]
        for weight in sorted(set(posture["weights"])):  # TSID has one weight a task
            task = tsid.TaskJointPosture(f"posture {weight}", self.robot)
            task.setKp(np.full(self.na, posture["kp"]))
            task.setKd(np.full(self.na, posture["kd"]))
            task.setMask((np.array(posture["weights"]) == weight).astype(float))
            sample = tsid.TrajectorySample(self.na)
            sample.value(np.array(posture["q"]))
            sample.derivative(np.zeros(self.na))
            sample.second_derivative(np.zeros(self.na))
            task.setReference(sample)
            self.alive.append(task)
            self.invdyn.addMotionTask(task, weight, 1, 0.0)
        self.com_sample, self.upright_sample = tsid.TrajectorySample(3), tsid.TrajectorySample(12, 6)

    def _add_limits(self, problem: dict[str, Any]) -> None:
        limits = {name: np.array(values) for name, values in problem["limits"].items()}
        torque = tsid.TaskActuationBounds("torque", self.robot)
        torque.setBounds(-limits["torque"], limits["torque"])
        self.invdyn.addActuationTask(torque, 1.0, 0, 0.0)
        self.alive.append(torque)
        joints = tsid.TaskJointPosVelAccBounds("joints", self.robot, 1e-3, False)
        joints.setPositionBounds(limits["lower"], limits["upper"])
        joints.setVelocityBounds(limits["velocity"])
        joints.setAccelerationBounds(np.full(self.na, problem["largest_rad_s2"]))
        joints.setImposeBounds(True, True, False, True)
        self.invdyn.addMotionTask(joints, 1.0, 0, 0.0)
        self.alive.append(joints)

    def _resize(self) -> None:
        self.solver.resize(self.invdyn.nVar, self.invdyn.nEq, self.invdyn.nIn)

    def close(self, names: set[str]) -> None:
        """Closes these contacts and opens the others."""
        for name in self.closed - names:
            self.invdyn.removeRigidContact(name, 0.0)
        for name in names - self.closed:
            self.invdyn.addRigidContact(self.contacts[name], CONTACT_WEIGHT)
        if names != self.closed:
            self.closed = names
            self._resize()

    def tick(self, q: Any, v: Any, com: Any, R: Any) -> tuple[int, Any]:
        """Time of one tick [ns], and the joint torque [Nm]; references are not timed."""
        self.com_sample.value(com[:3])
        self.com_sample.derivative(com[3:6])
        self.com_sample.second_derivative(com[6:9])
        self.com.setReference(self.com_sample)
        self.upright_sample.value(np.r_[np.zeros(3), R.reshape(3, 3).flatten("F")])
        self.upright_sample.derivative(np.zeros(6))
        self.upright_sample.second_derivative(np.zeros(6))
        for upright in self.upright:
            upright.setReference(self.upright_sample)
        start = time.perf_counter_ns()
        problem = self.invdyn.computeProblemData(0.0, q, v)
        solution = self.solver.solve(problem)
        tau = self.invdyn.getActuatorForces(solution)
        return time.perf_counter_ns() - start, tau


def serve(rows: BinaryIO, answers: BinaryIO) -> None:
    """Answers rows until there are none: which contacts are closed, q, v, com reference (9), heading (9)."""
    problem = json.loads(rows.readline())
    peer = TsidTick(problem)
    names = [contact["frame"] for contact in problem["contacts"]]
    nq, nv, nc = len(problem["q"]), len(problem["q"]) - 1, len(names)
    bytes_of_row = 8 * (nc + nq + nv + 18)
    while len(data := rows.read(bytes_of_row)) == bytes_of_row:
        row = np.frombuffer(data)
        closed, q, v, com, R = np.split(row, np.cumsum([nc, nq, nv, 9]))
        peer.close({name for name, flag in zip(names, closed, strict=True) if flag})
        ns, tau = peer.tick(q.copy(), v.copy(), com, R)
        answers.write(np.r_[float(ns), tau].tobytes())
        answers.flush()


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
