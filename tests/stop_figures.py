"""Measures how robots stop and where they land, in simulation; writes .docs/stop-figures.json.

python tests/stop_figures.py [--into FILE] [--seeds N]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

import kilohertz as khz
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.sim.scenario import load_scenario
from kilohertz.sim.simulated_robot import SimulatedRobot

FILE = Path(__file__).parents[1] / ".docs" / "stop-figures.json"
SPEEDS_M_S = (0.2, 0.4, 0.5)
STILL_M_S = 0.05
PUSHES_NS = {"forward": (60, 0), "backward": (-60, 0), "left": (0, 60), "right": (0, -60)}
JOINT_SPEEDS = (0.25, 0.5, 0.9)


def walking(speed_m_s, seed):
    """A G1 that has walked for 3 s."""
    sim = khz.Simulation("g1", seed=seed)
    for _ in range(1000):
        sim.step()
    sim.command("walk", velocity_m_s=[speed_m_s, 0.0])
    for _ in range(3000):
        sim.step()
    return sim


def soft_stop(speed_m_s, seed):
    """Time and distance from a request to stand until the centre of mass stays slow [s, m]."""
    sim = walking(speed_m_s, seed)
    sim.command("stand")
    start = np.array(sim.step().truth.p_WC)
    moving_until, at = 0, start
    for tick in range(3000):
        truth = sim.step().truth
        if np.hypot(*truth.v_WC[:2]) > STILL_M_S:
            moving_until, at = tick, np.array(truth.p_WC)
    return (moving_until + 1) * 1e-3, float(np.hypot(*(at - start)[:2])), sim.step().fell


def damped_stop(speed_m_s, seed):
    """Time until it lies still after damping began, and the distance of its centre of mass [s, m]."""
    sim = walking(speed_m_s, seed)
    sim.command("damp")
    start = np.array(sim.step().truth.p_WC)
    moving_until, farthest = 0, 0.0
    for tick in range(3000):
        truth = sim.step().truth
        if np.linalg.norm(truth.v_WC) > STILL_M_S:
            moving_until = tick
        farthest = max(farthest, float(np.hypot(*(truth.p_WC - start)[:2])))
    return (moving_until + 1) * 1e-3, farthest


def landing(way, seed):
    """Where the centre of mass comes to rest after a push that ends in a fall, from where it stood [m]."""
    sim = khz.Simulation("g1", seed=seed)
    for _ in range(1000):
        sim.step()
    start = np.array(sim.step().truth.p_WC)
    sim.push("trunk", [*map(float, PUSHES_NS[way]), 0.0])
    fell, impact = False, 0.0
    for _ in range(4000):
        state = sim.step()
        impact = max(impact, float(np.linalg.norm(state.truth.v_WC)))
        fell |= state.fell
    x, y = (np.array(state.truth.p_WC) - start)[:2]
    return {"x_m": float(x), "y_m": float(y), "fastest_m_s": impact, "fell": bool(fell)}


def arm_stop(share):
    """Time and angle until panda's first joint rests, from a part of its speed limit [s, rad].

    Its axis is vertical; joints that carry weight sink while they damp.
    """
    robot = RobotModel.load("panda")
    sim = SimulatedRobot(robot, load_scenario("default-arm", robot), 0)
    sim.world.data.qvel[sim.world.joint_dof[0]] = share * robot.velocity_limit_rad_s[0]
    sim.drives.damp()
    start, slow = float(sim.truth.q[0]), 0.05 * robot.velocity_limit_rad_s[0]
    sim.advance()
    while abs(sim.truth.v[0]) > slow and sim.t_s < 3.0:
        sim.advance()
    return sim.t_s, abs(float(sim.truth.q[0] - start))


def figures(seeds):
    """All figures: the worst of the seeds."""
    found = {"seeds": len(seeds), "walking": [], "falling": [], "arm": []}
    for speed in SPEEDS_M_S:
        soft = [soft_stop(speed, seed) for seed in seeds]
        damped = [damped_stop(speed, seed) for seed in seeds]
        found["walking"].append(
            {
                "speed_m_s": speed,
                "soft_s": max(s for s, _, _ in soft),
                "soft_m": max(m for _, m, _ in soft),
                "fell": sum(fell for _, _, fell in soft),
                "damped_s": max(s for s, _ in damped),
                "damped_m": max(m for _, m in damped),
            }
        )
    for way in PUSHES_NS:
        places = [landing(way, seed) for seed in seeds]
        found["falling"].append(
            {
                "push": way,
                "falls": sum(place["fell"] for place in places),
                "x_m": [min(p["x_m"] for p in places), max(p["x_m"] for p in places)],
                "y_m": [min(p["y_m"] for p in places), max(p["y_m"] for p in places)],
                "fastest_m_s": max(place["fastest_m_s"] for place in places),
            }
        )
    for share in JOINT_SPEEDS:
        stop_s, stop_rad = arm_stop(share)
        found["arm"].append({"of_speed_limit": share, "s": stop_s, "rad": stop_rad})
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--into", type=Path, default=FILE)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    found = figures(range(arguments.seeds))
    arguments.into.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
