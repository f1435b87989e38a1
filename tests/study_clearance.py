"""Measures how deep parts of a robot penetrate each other in random reaches and in pushed walks; run by hand.

    python tests/study_clearance.py reaches --robot g1 --count 1000 [--walking] [--seed 0] [--off]
    python tests/study_clearance.py pushes --runs 8 [--seed 0] [--impulse 10] [--off]

The depth is MuJoCo's own: the true postures of a run are set in a second model of the robot without ground,
whose contacts are those of the simulation. With `--off` the robot does not keep clear of its own body. Prints
one line of JSON for each run, then the sum.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import mujoco
import numpy as np

import kilohertz as khz
from kilohertz.controller.whole_body import from_gains
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.sim.collision import GROUND_BIT
from kilohertz.sim.scenario_schema import Scenario
from kilohertz.sim.world import World, build_world

EVERY = 4
"""Every this many ticks of 1 ms, the posture is examined."""
REACH_S = 1.6
REACHES_PER_RUN = 10


class Penetration:
    """Depth of the contacts of a robot with itself, by MuJoCo."""

    def __init__(self, robot: RobotModel) -> None:
        scenario = Scenario.model_validate({"name": "still", "duration_s": 1, "commands": []})
        self.robot = robot
        self.world: World = build_world(robot, scenario, 0)
        self.world.model.geom_conaffinity[:] &= ~GROUND_BIT
        self.deepest_m, self.pair, self.deep = 0.0, "", 0
        self.beyond_rad, self.joint = 0.0, ""

    def see(self, q: np.ndarray[Any, Any]) -> None:
        """Examines a true configuration, in pinocchio's convention."""
        robot, world = self.robot, self.world
        joints = q[robot.nq_base :]
        world.data.qpos[world.joint_qpos] = joints
        if robot.floating:
            world.data.qpos[:7] = q[[0, 1, 2, 6, 3, 4, 5]]
        mujoco.mj_kinematics(world.model, world.data)
        mujoco.mj_collision(world.model, world.data)
        for contact in world.data.contact:
            bodies = [int(world.model.geom_bodyid[geom]) for geom in contact.geom]
            if 0 in bodies and robot.floating:
                continue
            if -contact.dist > self.deepest_m:
                self.deepest_m = float(-contact.dist)
                self.pair = " - ".join(world.model.body(b).name for b in bodies)
            self.deep += contact.dist < -2e-3
        beyond = np.maximum(joints - robot.position_upper_rad, robot.position_lower_rad - joints)
        worst = int(np.argmax(beyond))
        if beyond[worst] > self.beyond_rad:
            self.beyond_rad, self.joint = float(beyond[worst]), robot.joint_names[worst]

    def result(self) -> dict[str, Any]:
        """The deepest penetration, and the furthest that a joint was beyond its limit."""
        return {
            "deepest_mm": round(1e3 * self.deepest_m, 2),
            "pair": self.pair,
            "postures_beyond_2_mm": self.deep,
            "beyond_limit_rad": round(self.beyond_rad, 4),
            "joint": self.joint,
        }


def push_scenario(rng: np.random.Generator, impulse_Ns: float) -> dict[str, Any]:
    """A walk at 0.4 m/s with three pushes of random direction and time."""
    events = []
    for at_s in (3.0, 6.0, 9.0):
        angle, after = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(0.0, 0.8)
        impulse = [impulse_Ns * float(np.cos(angle)), impulse_Ns * float(np.sin(angle)), 0.0]
        push = {"link": "trunk", "impulse_Ns": impulse, "duration_s": 0.1}
        events.append({"at_s": round(at_s + after, 3), "push": push})
    return {
        "name": "pushed",
        "duration_s": 12,
        "plant": {"joint_friction_Nm": 0.2, "joint_damping_Nms": 0.05, "model_error": 0.05},
        "commands": [
            {"at_s": 0, "stand": {}},
            {"at_s": 1, "walk": {"velocity_m_s": [0.4, 0.0]}},
        ],
        "events": events,
    }


def pushes(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Runs pushed walks."""
    results = []
    for seed in range(arguments.seed, arguments.seed + arguments.runs):
        scenario = push_scenario(np.random.default_rng(seed), arguments.impulse)
        run = khz.simulate(arguments.robot, scenario=scenario, seed=seed, solver=arguments.solver)
        seen = Penetration(RobotModel.load(arguments.robot))
        for q in run.history["q_true"][::EVERY]:
            seen.see(q)
        qp = run.summary["qp"]
        result = {"seed": seed, "fell": run.fell, "softened": qp["softened"], "fallback": qp["fallback"]}
        results.append(result | seen.result())
        print(json.dumps(results[-1]), flush=True)
    return results


def reaches(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Runs random reaches of all hands, some of them through the body; refused goals are drawn again."""
    results, done, seed = [], 0, arguments.seed
    robot = RobotModel.load(arguments.robot)
    while done < arguments.count:
        rng = np.random.default_rng(seed)
        seen = Penetration(robot)
        count = refused = fell = 0
        with khz.Simulation(arguments.robot, seed=seed, solver=arguments.solver) as sim:
            sim.command("stand")
            while sim.t_s < 1.0:
                sim.step()
            until_s = sim.t_s
            while count < min(REACHES_PER_RUN, arguments.count - done) and not fell:
                hands = {name: {"p_BH_m": goal(robot, name, rng)} for name in robot.hand_names}
                try:
                    if arguments.walking:
                        sim.command("walk", velocity_m_s=[0.3, 0.0], hands=hands)
                    else:
                        sim.command("stand", hands=hands)
                except khz.Refused:
                    refused += 1
                    continue
                count, until_s = count + 1, until_s + REACH_S
                while sim.t_s < until_s and not fell:
                    state = sim.step()
                    fell = int(state.fell)
                    if round(1e3 * state.t_s) % EVERY == 0:
                        seen.see(state.truth.q)
        done, seed = done + max(count, 1), seed + 1
        result = {"seed": seed - 1, "reaches": count, "refused": refused, "fell": bool(fell)}
        results.append(result | seen.result())
        print(json.dumps(results[-1]), flush=True)
    return results


def goal(robot: RobotModel, hand: str, rng: np.random.Generator) -> list[float]:
    """A random place for a hand in the base: around the shoulders, in front, beside and across the body."""
    side = -1.0 if hand.startswith("right") else 1.0
    size = 1.0 if robot.name == "g1" else 1.4
    x, y, z = rng.uniform(-0.1, 0.4), rng.uniform(-0.15, 0.4), rng.uniform(-0.15, 0.45)
    return [round(size * x, 3), round(size * side * y, 3), round(size * z, 3)]


def main() -> None:
    """Runs the study that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", choices=("reaches", "pushes"))
    parser.add_argument("--robot", default="g1")
    parser.add_argument("--solver", default=None)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--impulse", type=float, default=10.0)
    parser.add_argument("--walking", action="store_true")
    parser.add_argument("--off", action="store_true")
    arguments = parser.parse_args()
    if arguments.off:
        from_gains.clearance_of = lambda robot: None  # type: ignore[assignment, return-value]
    results = pushes(arguments) if arguments.study == "pushes" else reaches(arguments)
    worst = max(results, key=lambda result: result["deepest_mm"])
    total = {
        "runs": len(results),
        "falls": sum(result["fell"] for result in results),
        "deepest_mm": worst["deepest_mm"],
        "pair": worst["pair"],
        "runs_beyond_2_mm": sum(result["deepest_mm"] > 2.0 for result in results),
        "beyond_limit_rad": max(result["beyond_limit_rad"] for result in results),
    }
    print(json.dumps(total))


if __name__ == "__main__":
    sys.exit(main())
