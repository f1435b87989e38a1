"""Script that solves a whole-body problem in TSID, run by the interpreter of the TSID environment.

Standard input: one line of JSON that describes the problem, then a row of float64 for each tick: a flag for
each contact (closed or open), q, v, and the references in the order of the description. Standard output: for
each row the duration of the tick in TSID [ns] and the joint torque [Nm].
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
    """TSID's formulation and solver of a whole-body problem.

    Args:
        problem: description, from `kilohertz.rt.bench.develop.tsid_problem.describe`.
    """

    def __init__(self, problem: dict[str, Any]) -> None:
        root = [pin.JointModelFreeFlyer()] if problem["floating"] else []
        kind = "FLOATING_BASE_SYSTEM" if problem["floating"] else "FIXED_BASE_SYSTEM"
        model = pin.buildModelFromXML(problem["urdf"], *root)
        self.na = len(problem["armature"])
        model.armature = np.r_[np.zeros(model.nv - self.na), problem["armature"]]
        for frame in problem["frames"]:
            joint = model.getJointId(frame["joint"])
            placement = pin.SE3(np.array(frame["R"]), np.array(frame["p"]))
            model.addFrame(pin.Frame(frame["name"], joint, 0, placement, pin.FrameType.OP_FRAME))
        self.robot = tsid.RobotWrapper(model, getattr(tsid.RootJointType, kind), False)
        self.invdyn = tsid.InverseDynamicsFormulationAccForce("invdyn", self.robot, False)
        q = np.array(problem["q"])
        self.invdyn.computeProblemData(0.0, q, np.zeros(model.nv))
        self.contacts: dict[str, Any] = {}
        for contact in problem["contacts"]:
            self._add_contact(contact, problem["q"])
        self.closed = set(self.contacts)
        self.alive: list[Any] = []  # TSID keeps no reference to its tasks
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
        self.com = None
        if problem["com"]:
            self.com = tsid.TaskComEquality("com", self.robot)
            self.com.setKp(np.array(problem["com"]["kp"]))
            self.com.setKd(np.array(problem["com"]["kd"]))
            self.invdyn.addMotionTask(self.com, problem["com"]["weight"], 1, 0.0)
        self.upright = []
        for task in problem["orientations"]:
            gains = np.full(6, task["kp"]), np.full(6, task["kd"])
            turn = np.array([0, 0, 0, 1.0, 1, 1])
            self.upright.append(self._se3_task(task["name"], task["frame"], *gains, task["weight"], turn))
        self.poses = [
            self._se3_task(task["name"], task["name"], task["kp"], task["kd"], task["weight"], np.ones(6))
            for task in problem["poses"]
        ]
        if problem["momentum"]:
            momentum = tsid.TaskAMEquality("momentum", self.robot)
            momentum.setKp(np.full(3, problem["momentum"]["kp"]))
            momentum.setKd(np.zeros(3))
            still = tsid.TrajectorySample(3, 3)
            still.value(np.zeros(3))
            still.derivative(np.zeros(3))
            momentum.setReference(still)
            self.alive.append(momentum)
            self.invdyn.addMotionTask(momentum, problem["momentum"]["weight"], 1, 0.0)
        self._add_posture(problem["posture"])
        self.com_sample, self.frame_sample = tsid.TrajectorySample(3), tsid.TrajectorySample(12, 6)

    def _se3_task(self, name: str, frame: str, kp: Any, kd: Any, weight: float, mask: Any) -> Any:
        task = tsid.TaskSE3Equality(name, self.robot, frame)
        task.setKp(np.array(kp))
        task.setKd(np.array(kd))
        task.setMask(mask)
        task.useLocalFrame(True)
        self.invdyn.addMotionTask(task, weight, 1, 0.0)
        return task

    def _add_posture(self, posture: dict[str, Any]) -> None:
        for weight in sorted(set(posture["weights"])):  # a TSID task has a single weight
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
        """Closes these contacts and opens all others."""
        for name in self.closed - names:
            self.invdyn.removeRigidContact(name, 0.0)
        for name in names - self.closed:
            self.invdyn.addRigidContact(self.contacts[name], CONTACT_WEIGHT)
        if names != self.closed:
            self.closed = names
            self._resize()

    def refer(self, references: Any) -> None:
        """Sets the references of a tick: centre of mass (9), heading (9), 24 numbers for each pose."""
        if self.com is not None:
            com, R, references = references[:9], references[9:18], references[18:]
            self.com_sample.value(com[:3])
            self.com_sample.derivative(com[3:6])
            self.com_sample.second_derivative(com[6:9])
            self.com.setReference(self.com_sample)
            self._refer_frame(R, np.zeros(3), np.zeros(6), np.zeros(6))
            for upright in self.upright:
                upright.setReference(self.frame_sample)
        for pose, ref in zip(self.poses, references.reshape(-1, 24), strict=True):
            self._refer_frame(ref[:9], ref[9:12], ref[12:18], ref[18:24])
            pose.setReference(self.frame_sample)

    def _refer_frame(self, R: Any, p: Any, v: Any, a: Any) -> None:
        self.frame_sample.value(np.r_[p, R.reshape(3, 3).flatten("F")])
        self.frame_sample.derivative(v)
        self.frame_sample.second_derivative(a)

    def tick(self, q: Any, v: Any) -> tuple[int, Any]:
        """Duration of one tick [ns] and the joint torque [Nm]."""
        start = time.perf_counter_ns()
        problem = self.invdyn.computeProblemData(0.0, q, v)
        solution = self.solver.solve(problem)
        tau = self.invdyn.getActuatorForces(solution)
        return time.perf_counter_ns() - start, tau


def serve(rows: BinaryIO, answers: BinaryIO) -> None:
    """Answers each row of the input until it ends."""
    problem = json.loads(rows.readline())
    peer = TsidTick(problem)
    names = [contact["frame"] for contact in problem["contacts"]]
    nq, nv, nc = len(problem["q"]), peer.robot.nv, len(names)
    n_refs = (18 if problem["com"] else 0) + 24 * len(problem["poses"])
    bytes_of_row = 8 * (nc + nq + nv + n_refs)
    while len(data := rows.read(bytes_of_row)) == bytes_of_row:
        closed, q, v, references = np.split(np.frombuffer(data), np.cumsum([nc, nq, nv]))
        peer.close({name for name, flag in zip(names, closed, strict=True) if flag})
        peer.refer(references)
        ns, tau = peer.tick(q.copy(), v.copy())
        answers.write(np.r_[float(ns), tau].tobytes())
        answers.flush()


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
