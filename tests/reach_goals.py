"""Random goals for the hand of an arm: which are reached, how fast, and within which limits.

Run by hand: `python tests/reach_goals.py panda 1000 --seed 0` plans all goals, and compares with an
independent inverse kinematics; `--execute 100` also moves a simulated arm to the first 100 of them.
"""

from __future__ import annotations

import argparse
import math
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pinocchio as pin
from bodies import robot
from control_runs import ignore, new_brain
from scipy.optimize import least_squares
from sim_runs import simulate

from kilohertz.controller.behaviours.base import BehaviourError
from kilohertz.controller.joint_motion.plan_row import JointState, PlanRow
from kilohertz.controller.joint_motion.prediction import state_after
from kilohertz.controller.joint_motion.trajectory import Trajectory
from kilohertz.controller.motion.motion_limits import MotionLimits
from kilohertz.controller.supervision.request import make_request

LONGEST_S = 20.0


class Independent:
    """An inverse kinematics and a collision check that share no code with the planner.

    The links are the meshes of the model, not their hulls; links next to each other do not collide.
    """

    def __init__(self, name: str) -> None:
        self.robot = model = robot(name)
        self.data = model.pin_model.createData()
        self.geometry = pin.buildGeomFromUrdfString(
            model.pin_model, model.urdf_text, pin.GeometryType.COLLISION
        )
        self.geometry.addAllCollisionPairs()
        parents = model.pin_model.parents
        for pair in list(self.geometry.collisionPairs):
            a, b = (self.geometry.geometryObjects[i].parentJoint for i in (pair.first, pair.second))
            if a == b or parents[a] == b or parents[b] == a:
                self.geometry.removeCollisionPair(pair)
        self.results = self.geometry.createData()
        pin.updateGeometryPlacements(model.pin_model, self.data, self.geometry, self.results, model.q_nominal)
        self.shapes = [
            (body.parentJoint, np.array(body.geometry.vertices()), body.placement)
            for body in self.geometry.geometryObjects
            if body.parentJoint > 1 and hasattr(body.geometry, "vertices")
        ]

    def collides(self, q: Any) -> bool:
        if pin.computeCollisions(self.robot.pin_model, self.data, self.geometry, self.results, q, True):
            return True
        for joint, vertices, placement in self.shapes:
            pose = self.data.oMi[joint] * placement
            if (vertices @ pose.rotation[2] + pose.translation[2]).min() < 0.0:
                return True
        return False

    def posture(self, p: Any, R: Any, rng: Any, starts: int = 25) -> Any:
        """Returns a free posture in which the hand has the pose; None if none is found."""
        model, hand = self.robot, self.robot.hands[0].frame_id
        low = np.maximum(model.position_lower_rad, -math.pi)
        high = np.minimum(model.position_upper_rad, math.pi)

        def error(q: Any) -> Any:
            pin.forwardKinematics(model.pin_model, self.data, q)
            pose = pin.updateFramePlacement(model.pin_model, self.data, hand)
            place = pose.translation - p
            return place if R is None else np.r_[place, 0.3 * pin.log3(pose.rotation.T @ R)]

        for _ in range(starts):
            found = least_squares(error, rng.uniform(low, high), bounds=(low, high), max_nfev=60)
            if np.linalg.norm(found.fun) < 1e-4 and not self.collides(found.x):
                return found.x
        return None


def goals(name: str, count: int, seed: int) -> list[dict[str, Any]]:
    """Returns parameters of `reach`: most from random postures, the rest from a box around the arm."""
    model, rng = robot(name), np.random.default_rng(seed)
    low = np.maximum(model.position_lower_rad, -math.pi)
    high = np.minimum(model.position_upper_rad, math.pi)
    data, hand = model.pin_model.createData(), model.hands[0].frame_id
    found: list[dict[str, Any]] = []
    for i in range(count):
        if i % 4 == 3:
            place, turn = rng.uniform([-1.0, -1.0, -0.2], [1.0, 1.0, 1.3]), rng.uniform(-3.0, 3.0, 3)
        else:
            pin.framesForwardKinematics(model.pin_model, data, rng.uniform(low, high))
            place, turn = data.oMf[hand].translation.copy(), pin.rpy.matrixToRpy(data.oMf[hand].rotation)
        goal = {"p_WH_m": place.tolist()}
        if i % 3:
            goal["rpy_WH_rad"] = turn.tolist()
        found.append(goal)
    return found


@dataclass
class Planning:
    """What became of the goals: those reached, and of the refused ones those that another method reaches."""

    reached: int = 0
    refused: int = 0
    possible: int = 0
    possible_reached: int = 0
    colliding: int = 0
    why: Counter[str] = field(default_factory=Counter)
    plan_ms: list[float] = field(default_factory=list)
    over_optimum: list[float] = field(default_factory=list)
    over_usable: list[float] = field(default_factory=list)
    missed: list[int] = field(default_factory=list)


def duration_s(model: Any, plan: PlanRow, start: JointState, limits: MotionLimits) -> float:
    """Returns the duration of a motion [s]."""
    trajectory = Trajectory(limits)
    assert trajectory.begin(plan, start.q, start.v, start.a)
    ticks = 0
    while not trajectory.done:
        ticks += 1
        trajectory.at(1e-3 * ticks)
    return 1e-3 * ticks


def plan_all(name: str, count: int, seed: int, check_ways: bool = True) -> Planning:
    """Plans a motion to each goal, from where the one before ends, and compares with the other method."""
    model, other, result = robot(name), Independent(name), Planning()
    rng = np.random.default_rng(seed + 1000)
    state = JointState.at_rest(model.q_nominal)
    whole = MotionLimits(model.velocity_limit_rad_s, model.acceleration_limit_rad_s2, model.jerk_limit_rad_s3)
    usable = whole._replace(speed=0.92 * whole.speed)
    for i, goal in enumerate(goals(name, count, seed)):
        R = pin.rpy.rpyToMatrix(np.array(goal["rpy_WH_rad"])) if "rpy_WH_rad" in goal else None
        possible = other.posture(np.array(goal["p_WH_m"]), R, rng) is not None
        result.possible += possible
        began = time.perf_counter()
        try:
            request = make_request(model, "reach", goal, start=state)
        except BehaviourError as error:
            result.plan_ms.append(1e3 * (time.perf_counter() - began))
            result.refused += 1
            result.why[str(error).split(":")[-1].split(";")[0][:60]] += 1
            if possible:
                result.missed.append(i)
            continue
        result.plan_ms.append(1e3 * (time.perf_counter() - began))
        result.reached += 1
        result.possible_reached += possible
        plan = PlanRow.of(request.payload, model.na)
        if plan.points == 1:
            taken = duration_s(model, plan, state, MotionLimits.of(model))
            optimum = PlanRow.empty(model.na)
            optimum.write_via(plan.q[:1])
            result.over_optimum.append(taken / duration_s(model, optimum, state, whole) - 1.0)
            result.over_usable.append(taken / duration_s(model, optimum, state, usable) - 1.0)
        if check_ways:
            times = np.arange(0.0, LONGEST_S, 0.02)
            trajectory = Trajectory(MotionLimits.of(model))
            trajectory.begin(plan, state.q, state.v, state.a)
            for t_s in times:
                trajectory.at(float(t_s))
                if other.collides(trajectory.q):
                    result.colliding += 1
                    break
                if trajectory.done:
                    break
        state = state_after(model, request.payload, state, 1e3)
    return result


@dataclass
class Executed:
    """Largest figures of each executed motion, relative to the limits, and its errors at the hand [m]."""

    speed: list[float] = field(default_factory=list)
    accel: list[float] = field(default_factory=list)
    jerk: list[float] = field(default_factory=list)
    torque: list[float] = field(default_factory=list)
    overshoot_m: list[float] = field(default_factory=list)
    end_m: list[float] = field(default_factory=list)
    late_s: list[float] = field(default_factory=list)
    contacts: int = 0
    refused: int = 0
    remarks: set[str] = field(default_factory=set)


def execute(name: str, wanted: list[dict[str, Any]], estimator: str = "truth", **scenario: Any) -> Executed:
    """Moves one simulated arm to the goals, one after the other."""
    sim = simulate(name, 0, **scenario)
    model = sim.robot
    brain, sensors, result = new_brain(sim, estimator), model.new_sensor_row(), Executed()
    sim.read(sensors)
    brain.reset(sensors)
    request = make_request(model, "stand", {})

    def tick() -> None:
        sim.read(sensors)
        out = brain.step(sensors, request, None, ignore)
        sim.write(out.command)

    for _ in range(100):
        tick()
    for goal in wanted:
        try:
            request = make_request(model, "reach", goal, start=brain.motion.joint_state())
        except BehaviourError:
            result.refused += 1
            continue
        q, hand, ended, torque = [], [], 0, 0.0
        before = len(q)
        while not ended or before < ended + 150:
            tick()
            before += 1
            q.append(sim.truth.q.copy())
            hand.append(sim.truth.p_WH[0].copy())
            torque = max(torque, float((np.abs(brain.output.tau) / model.torque_limit_Nm).max()))
            result.contacts += sim.world.data.ncon > 0
            if brain.output.behaviour_state == "done" and not ended:
                ended = before
            assert before < 1e3 * LONGEST_S
        _note(result, model, np.array(q), np.array(hand), ended, brain.output.p_WH_des[0].copy())
        result.torque.append(torque)
        result.remarks.add(brain.output.remark)
        assert brain.output.state == "active"
    return result


def _note(result: Executed, model: Any, q: Any, hand: Any, ended: int, goal: Any) -> None:
    v = np.diff(q, axis=0) * 1e3
    a = np.diff(v, axis=0) * 1e3
    jerk = np.diff(a, axis=0) * 1e3
    result.speed.append(float((np.abs(v) / model.velocity_limit_rad_s).max()))
    result.accel.append(float((np.abs(a) / model.acceleration_limit_rad_s2).max()))
    result.jerk.append(float((np.abs(jerk) / model.jerk_limit_rad_s3).max()))
    # Overshoot is how far the hand gets beyond its goal in the direction of its last 5 mm.
    apart = np.linalg.norm(hand - goal, axis=1)
    near = np.flatnonzero(apart[:ended] > 5e-3)
    way = goal - hand[near[-1]] if len(near) else goal - hand[0]
    way = way / max(float(np.linalg.norm(way)), 1e-9)
    result.overshoot_m.append(float(((hand - goal)[max(ended - 20, 0) :] @ way).max()))
    result.end_m.append(float(apart[-1]))
    within = np.flatnonzero(apart > 1e-4)
    result.late_s.append(1e-3 * float((within[-1] if len(within) else 0) - ended))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("robot")
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--execute", type=int, default=0)
    parser.add_argument("--plant", default="exact")
    options = parser.parse_args()
    if options.count:
        planned = plan_all(options.robot, options.count, options.seed)
        print({key: value for key, value in vars(planned).items() if not isinstance(value, list)})
        print("plan ms p50 p90 max", np.percentile(planned.plan_ms, [50, 90, 100]).round(1))
        for key in ("over_optimum", "over_usable"):
            print(key, np.percentile(getattr(planned, key), [50, 90, 100]).round(4))
        print("missed", planned.missed)
    if options.execute:
        wanted = goals(options.robot, options.execute, options.seed)
        noisy = options.plant == "default"
        extra: dict[str, Any] = {"plant": options.plant}
        if noisy:
            extra |= {"estimator": "default", "sensors": {"noise": "default", "delay_ms": 2.0}}
        done = execute(options.robot, wanted, **extra)
        for key, value in vars(done).items():
            shown = np.percentile(value, [50, 95, 100]) if isinstance(value, list) else value
            print(key, shown)


if __name__ == "__main__":
    main()
