"""Figures of soft arms that take minutes: stiffness, guidance, collisions, false alarms and wiping.

Run by hand: `python tests/soft_figures.py stiffness|guide|collision|alarms|wipe [ROBOT ...] [--seeds N ...]`.
Each run has errors of 5 % in the mass and inertia of every link, drawn by the seed, a friction of 0.5 Nm and
0.5 Nms in every joint that the controller does not know, sensor noise, and a delay of 1 ms.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
import pinocchio as pin

from kilohertz.controller.behaviours.registry import behaviour_schemas
from kilohertz.controller.brain import Brain
from kilohertz.controller.gains.overrides import gains_with
from kilohertz.controller.supervision.request import make_request
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.run.brain_setup import estimator_for, no_mark, warm_up
from kilohertz.sim.scenario import load_scenario_located
from kilohertz.sim.simulated_robot import SimulatedRobot

PLANT = {"joint_friction_Nm": 0.5, "joint_damping_Nms": 0.5, "model_error": 0.05}
SENSORS = {"noise": {"encoder_rad": 1e-5, "velocity_rad_s": 2e-3}, "delay_ms": 1}
LEARNS = [{"at_s": 0, "stand": {}}, {"at_s": 0.3, "calibrate": {"duration_s": 8}}]
"""Motion from which friction and errors of the model are identified, with an empty hand."""
LEARNT_S = 8.8


def place(name: str) -> Any:
    """Returns the (3,) position of the hand in the nominal posture [m]."""
    robot = RobotModel.load(name)
    return robot.nominal_point(robot.hands[0].frame_id)


class Run:
    """History of a run: true positions of the hand, their references, and the true forces on it."""

    def __init__(
        self,
        name: str,
        seed: int,
        duration_s: float,
        commands: list[Any],
        gains: dict[str, Any] | None = None,
        each: Callable[[Brain, SimulatedRobot], Any] | None = None,
        **scenario: Any,
    ) -> None:
        robot = RobotModel.load(name)
        content = {"name": "study", "duration_s": duration_s, "plant": PLANT, "sensors": SENSORS}
        content |= {"commands": commands, **scenario}
        loaded = load_scenario_located(content, robot, behaviour_schemas(robot))[0]
        own = gains_with(robot, gains or {})
        self.sim = sim = SimulatedRobot(robot, loaded, seed)
        self.brain = brain = Brain(robot, own, estimator_for(loaded, robot, own, sim.truth, sim.outside))
        plan = [(round(1e3 * c.at_s), make_request(robot, c.kind, c.params, c.at_s)) for c in loaded.commands]
        row = robot.new_sensor_row()
        sim.read(row)
        warm_up(brain, row, plan[0][1], own)
        n = round(1e3 * duration_s)
        self.hand, self.des, self.force = (np.zeros((n, 3)) for _ in range(3))
        self.more: list[Any] = []
        request = plan[0][1]
        for tick in range(n):
            while plan and plan[0][0] <= tick:
                request = plan.pop(0)[1]
            sim.read(row)
            output = brain.step(row, request, None, no_mark)
            self.hand[tick], self.force[tick] = sim.truth.p_WH[0], sim.truth.f_WH[0]
            self.des[tick] = output.p_WH_des[0]
            if each is not None:
                self.more.append(each(brain, sim))
            sim.write(output.command)


def stiffness(name: str, seed: int) -> None:
    """Prints the slope of force over deflection, while the force grows, for each axis and stiffness."""
    for stiffness_N_m in (100.0, 1000.0, 2000.0, 3000.0):
        errors = []
        for axis in range(3):
            force = np.zeros(3)
            force[axis] = min(0.08 * stiffness_N_m, 40.0)
            push = {"hand": "hand", "force_N": force.tolist(), "rise_s": 6, "hold_s": 0.1, "fall_s": 0.1}
            commands = [*LEARNS, {"at_s": LEARNT_S, "impedance": {"stiffness_N_m": stiffness_N_m}}]
            run = Run(name, seed, 15.6, commands, events=[{"at_s": 9.5, "hand_push": push}])
            part = slice(11500, 15400)
            off = (run.hand - run.des)[part, axis]
            errors.append(100.0 * (np.polyfit(off, run.force[part, axis], 1)[0] / stiffness_N_m - 1.0))
        told = ", ".join(f"{error:+.1f}" for error in errors)
        print(
            f"stiffness {name} seed {seed}: {stiffness_N_m:g} N/m, error along x, y, z: {told} %", flush=True
        )


def guide(name: str, seed: int) -> None:
    """Prints the force with which a person leads a hand at 0.1 m/s."""
    forces = []
    for axis in range(3):
        velocity = np.zeros(3)
        velocity[axis] = 0.1
        lead = {"hand": "hand", "velocity_m_s": velocity.tolist(), "duration_s": 2.2, "ramp_s": 0.4}
        commands = [*LEARNS, {"at_s": LEARNT_S, "guide": {}}]
        run = Run(name, seed, 12.8, commands, events=[{"at_s": 9.3, "hand_lead": lead}])
        part = slice(10300, 11000)
        speed = (run.hand[11000] - run.hand[10300])[axis] / 0.7
        stays_mm = 1e3 * np.linalg.norm(run.hand[-1] - run.hand[12000])
        along = run.force[part, axis].mean()
        total = np.linalg.norm(run.force[part], axis=1).max()
        forces.append(f"{along:.1f} N ({total:.1f}) at {speed:.3f} m/s, then {stays_mm:.0f} mm in 0.8 s")
    print(f"guide {name} seed {seed}: along x, y, z {'; '.join(forces)}", flush=True)


def collision(name: str, seed: int) -> None:
    """Prints when a collision at 0.5 m/s is detected, and the peak of the force on the hand."""
    p = place(name)
    # The gripper of panda is 0.22 m wide; both arms meet the wall after 0.14 m, at their largest speed.
    face = p[1] + (0.25 if name == "panda" else 0.16)
    wall = {"kind": "box", "p_WO_m": [p[0], face + 0.1, p[2]], "size_m": [0.3, 0.2, 0.2]}
    commands = [
        *LEARNS,
        {"at_s": LEARNT_S, "reach": {"offset_m": [0, -0.02, 0]}},
        {"at_s": 10.3, "reach": {"offset_m": [0, 0.3, 0]}},
    ]
    for reaction in ("none", "stop", "retract", "float"):
        run = Run(
            name,
            seed,
            12.3,
            commands,
            gains={"collision": {"reaction": reaction}, "hand": {"speed_m_s": 0.55}},
            each=lambda brain, sim: (brain.motion.collision.reacts, _touches(sim)),
            obstacles={"wall": wall},
            tips={"hand": {"radius_m": 0.02}},
        )
        more = np.array(run.more)
        touch, reacts = np.flatnonzero(more[:, 1]), np.flatnonzero(more[:, 0])
        speed = np.linalg.norm(run.hand[touch[0] - 1] - run.hand[touch[0] - 6]) / 5e-3
        delay = f"{reacts[0] - touch[0]} ms" if len(reacts) else "never"
        peak = np.linalg.norm(run.force, axis=1).max()
        print(
            f"collision {name} seed {seed}: {reaction}: touch at {speed:.2f} m/s, detected after {delay}, "
            f"peak {peak:.0f} N, at the end {np.linalg.norm(run.force[-1]):.0f} N",
            flush=True,
        )


def _touches(sim: SimulatedRobot) -> bool:
    model, data = sim.world.model, sim.world.data
    names = (model.geom(int(g)).name for contact in data.contact for g in contact.geom)
    return any(name.startswith("obstacle/") for name in names)


def alarms(name: str, seed: int, duration_s: float = 600.0) -> None:
    """Prints the number of false alarms in fast random motion, and the largest ratio to the threshold."""
    rng = np.random.default_rng(seed)
    commands: list[Any] = [{"at_s": 0, "stand": {}}]
    for k in range(int(duration_s / 2.5) - 1):
        offset = rng.uniform(-0.12, 0.12, 3)
        commands.append({"at_s": 1.0 + 2.5 * k, "reach": {"offset_m": offset.tolist()}})
        circle = {"radius_m": rng.uniform(0.05, 0.12), "period_s": rng.uniform(1.2, 2.0)}
        circle["plane"] = str(rng.choice(["xy", "xz", "yz"]))
        commands.append({"at_s": 1.8 + 2.5 * k, "circle": circle})
    seen = {"ratio": 0.0, "alarms": 0, "speed": 0.0}

    def look(brain: Brain, sim: SimulatedRobot) -> None:
        reaction = brain.motion.collision
        watch = reaction._watch.watch
        seen["ratio"] = max(seen["ratio"], float(watch.ratio.max()))
        seen["alarms"] += bool(watch.found[1] == 2)
        seen["speed"] = max(seen["speed"], float(np.abs(sim.truth.v).max()))
        reaction.reacts = True  # the arm goes on

    Run(
        name,
        seed,
        duration_s,
        commands,
        gains={"collision": {"reaction": "stop"}, "hand": {"speed_m_s": 0.8}},
        each=look,
    )
    print(
        f"alarms {name} seed {seed}: {seen['alarms']} in {duration_s:g} s, ratio up to {seen['ratio']:.2f}, "
        f"joints up to {seen['speed']:.1f} rad/s",
        flush=True,
    )


def wipe(name: str, seed: int) -> None:
    """Prints the error of the force on a surface that is tilted by 5 deg about a random axis."""
    p, turn = place(name), 2.0 * np.pi * np.random.default_rng(seed).random()
    tilt = np.radians(5.0) * np.array([np.cos(turn), np.sin(turn), 0.0])
    # For a small rotation, roll and pitch are its components.
    table = {"kind": "box", "p_WO_m": [p[0], p[1], p[2] - 0.36], "rpy_WO_rad": tilt.tolist()}
    table |= {"size_m": [0.36, 0.5, 0.3], "friction": 0.3}
    commands = [
        *LEARNS,
        {"at_s": LEARNT_S, "reach": {"offset_m": [0, 0, -0.16]}},
        {"at_s": 10.8, "wipe": {"force_N": 10, "radius_m": 0.05, "period_s": 4}},
    ]
    run = Run(name, seed, 21.0, commands, obstacles={"table": table}, tips={"hand": {"radius_m": 0.02}})
    normal = pin.rpy.rpyToMatrix(*tilt)[:, 2]
    force = run.force[14500:] @ normal
    off = (run.hand - run.des)[14500:] @ (np.eye(3) - np.outer(normal, normal))
    rms = np.sqrt(np.mean((force - 10.0) ** 2))
    print(
        f"wipe {name} seed {seed}: error of the force {rms:.2f} N RMS, mean {force.mean() - 10.0:+.2f} N, "
        f"{force.min():.1f} to {force.max():.1f} N, path {1e3 * np.sqrt((off**2).sum(axis=1).mean()):.1f} mm",
        flush=True,
    )


STUDIES = {"wipe": wipe, "stiffness": stiffness, "guide": guide, "collision": collision, "alarms": alarms}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("robots", nargs="*", default=["panda", "ur5"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    given = parser.parse_args()
    for robot_name in given.robots:
        for number in given.seeds:
            STUDIES[given.study](robot_name, number)
