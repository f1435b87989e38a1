"""Campaign of mad controllers against the envelope of simulated robots: a script, and a short part for tests.

    python tests/mad_controllers.py [--commands 1000000] [--each] [--json .docs/mad-figures.json]

Each episode begins with a robot that stands, walks or holds its posture. From then on a controller that is
wrong, or that means harm, commands the drives for 0.3 s. Judged are the true joint states of the simulation
over the whole episode, also after the robot has damped; it is then sent commands all the same, in vain.

A biped whose controller is mad falls, and its weight or an impact can push a joint over any limit: the drive
can only oppose with its whole torque. `free_beyond` leaves out the periods in which it does, and those in
which the joint already returns.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path

import mujoco
import numpy as np
import pinocchio as pin

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.sim.actuators import Drives, DriveState
from kilohertz.sim.scenario import load_scenario
from kilohertz.sim.simulated_robot import SimulatedRobot

EPISODE_TICKS = 300
SPEED_BAR, RANGE_BAR_RAD = 1.05, 0.02
# From this distance to the end of its range on, a joint may be turned back faster than the rate of a command.
TURNED_BACK_RAD = 0.0025


class Situation:
    """A simulated robot that is put back to the same instant before each episode."""

    def __init__(self, name, state=None, seed=0):
        self.robot = RobotModel.load(name)
        scenario = load_scenario("stand" if self.robot.floating else "default-arm", self.robot)
        self.sim = SimulatedRobot(self.robot, scenario, seed)
        self.data, self.model = self.sim.world.data, self.sim.world.model
        self.hold_tau = self.sim.drives.commanded.tau_ff.copy()
        state = state or (self.data.qpos.copy(), self.data.qvel.copy())
        self.qpos, self.qvel = state
        self.pin_data = self.robot.pin_model.createData()

    def applied(self):
        """Torques that the envelope passed on to the motors in the last period."""
        return self.sim.drives.envelope.last_Nm.copy()

    def restart(self):
        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[:], self.data.qvel[:] = self.qpos, self.qvel
        mujoco.mj_step1(self.model, self.data)
        self.sim.truth.update(0.0)
        q = self.sim.truth.q[self.robot.nq_base :].copy()
        self.sim.drives = Drives(self.robot, q, self.hold_tau, 2)
        self.sim.fell = False
        self.sim.events.clear()
        self.sim._sample()
        return self.sim


class Mad:
    """What a mad controller sees: the robot's limits, its own random numbers, and the last sample."""

    def __init__(self, situation, rng):
        self.s, self.rng = situation, rng
        robot = situation.robot
        self.na, self.limit, self.speed = robot.na, robot.torque_limit_Nm, robot.velocity_limit_rad_s
        self.low = np.maximum(robot.position_lower_rad, -7.0)
        self.high = np.minimum(robot.position_upper_rad, 7.0)
        numbers = situation.sim.drives.envelope.numbers
        self.kp, self.kd = numbers.kp_Nm_rad, numbers.kd_Nms_rad
        self.sign = rng.choice([-1.0, 1.0], self.na)
        self.joint = int(rng.integers(self.na))
        self.period = int(rng.integers(1, 60))
        self.last = np.zeros(self.na)
        self.some = rng.uniform(size=self.na) < rng.uniform(0.1, 1.0)

    def coupled(self):
        """Signs of the torques that accelerate one joint together, at the present posture."""
        robot, truth = self.s.robot, self.s.sim.truth
        inverse = pin.computeMinverse(robot.pin_model, self.s.pin_data, truth.q)
        row = inverse[robot.n_base + self.joint, robot.n_base :]
        return np.sign(row) * self.sign[self.joint]


def white(mad, t, q, v, c):
    c.tau_ff[:] = mad.limit * mad.rng.uniform(-2.0, 2.0, mad.na)


def flip_each_tick(mad, t, q, v, c):
    c.tau_ff[:] = mad.limit * mad.sign * (-1.0) ** t


def resonance(mad, t, q, v, c):
    c.tau_ff[:] = mad.limit * mad.sign * mad.some * np.sign(np.sin(np.pi * (t + 0.5) / mad.period))


def triangle(mad, t, q, v, c):
    half = max(20, mad.period)
    c.tau_ff[:] = mad.limit * mad.sign * mad.some * (2.0 * abs((t / half) % 2.0 - 1.0) - 1.0)


def one_joint_to_its_stop(mad, t, q, v, c):
    c.tau_ff[mad.joint] = mad.limit[mad.joint] * mad.sign[mad.joint]


def one_joint_to_its_stop_gently(mad, t, q, v, c):
    c.kd[:] = 0.02 * mad.limit
    c.tau_ff[mad.joint] = mad.limit[mad.joint] * mad.sign[mad.joint] * min(1.0, t / 50.0)


def all_joints_to_their_stops(mad, t, q, v, c):
    c.tau_ff[:] = mad.limit * mad.sign * min(1.0, t / 12.0)


def all_joints_together(mad, t, q, v, c):
    c.tau_ff[:] = mad.limit * mad.coupled() * min(1.0, t / 12.0)


def pumped_energy(mad, t, q, v, c):
    wished = mad.limit * np.sign(v + 1e-3 * mad.sign)
    mad.last = np.clip(wished, mad.last - 0.1 * mad.limit, mad.last + 0.1 * mad.limit)
    c.tau_ff[:] = mad.last


def far_targets(mad, t, q, v, c):
    c.kp[:], c.kd[:] = mad.kp, mad.kd
    c.q_des[:] = np.where(mad.sign > 0.0, mad.high + 3.0, mad.low - 3.0)


def random_targets(mad, t, q, v, c):
    if t % mad.period == 0:
        mad.target = mad.rng.uniform(mad.low, mad.high)
        mad.stiff = mad.rng.uniform(0.0, 1.0, mad.na)
    c.kp[:], c.kd[:] = mad.kp * mad.stiff, 0.1 * mad.kd * mad.stiff
    c.q_des[:] = mad.target


def smooth_targets(mad, t, q, v, c):
    c.kp[:], c.kd[:] = 0.1 * mad.kp, 0.02 * mad.limit
    c.q_des[:] = q + 0.5 * mad.sign * mad.some


def wild_speeds(mad, t, q, v, c):
    c.kd[:] = mad.kd * mad.rng.uniform()
    c.v_des[:] = 10.0 * mad.speed * mad.sign


def at_the_speed_limit(mad, t, q, v, c):
    c.kd[:] = 0.5 * mad.limit / mad.speed * 10.0
    np.minimum(c.kd, mad.kd, out=c.kd)
    c.v_des[:] = mad.speed * mad.sign * mad.some


def undamped_spring(mad, t, q, v, c):
    c.kp[:] = mad.kp * mad.some
    c.q_des[:] = mad.s.robot.q_nominal[mad.s.robot.nq_base :]


def negative_damping_by_torque(mad, t, q, v, c):
    c.tau_ff[:] = np.clip(0.1 * mad.limit * v, -2.0 * mad.limit, 2.0 * mad.limit)


def huge_gains(mad, t, q, v, c):
    c.kp[:] = c.kd[:] = 1e5


def limp(mad, t, q, v, c):
    pass


def noise_of_everything(mad, t, q, v, c):
    rng, na = mad.rng, mad.na
    c.kp[:] = mad.kp * rng.uniform(size=na)
    c.kd[:] = mad.kd * rng.uniform(size=na)
    c.q_des[:] = rng.uniform(mad.low - 3.0, mad.high + 3.0)
    c.v_des[:] = mad.speed * rng.uniform(-10.0, 10.0, na)
    c.tau_ff[:] = mad.limit * rng.uniform(-2.0, 2.0, na)


def not_numbers(mad, t, q, v, c):
    c.tau_ff[:] = mad.limit * mad.sign * min(1.0, t / 12.0)
    if t % 7 == 3:
        c.data[2 + mad.joint] = mad.rng.choice([np.nan, np.inf, -1e308])


MAD = (
    white,
    flip_each_tick,
    resonance,
    triangle,
    one_joint_to_its_stop,
    one_joint_to_its_stop_gently,
    all_joints_to_their_stops,
    all_joints_together,
    pumped_energy,
    far_targets,
    random_targets,
    smooth_targets,
    wild_speeds,
    at_the_speed_limit,
    undamped_spring,
    negative_damping_by_torque,
    huge_gains,
    limp,
    noise_of_everything,
    not_numbers,
)


def episode(situation, controller, rng, ticks=EPISODE_TICKS):
    """Runs one episode.

    Returns:
        A dict of the worst figures: `speed` over its limit; `beyond` the range [rad]; `free_beyond`, of it
        without the periods in which the joint returns, or the drive opposes with its whole torque [rad];
        `step` of a torque that follows a command within the range, over its limit; with `_at`, the joint and
        period of each. Besides `damped_at`, the period in which damping began, and its `reason`.
    """
    sim = situation.restart()
    robot, drives, truth = situation.robot, sim.drives, sim.truth
    mad = Mad(situation, rng)
    command, row = robot.new_command_row(), robot.new_sensor_row()
    low, high, limit = robot.position_lower_rad, robot.position_upper_rad, robot.torque_limit_Nm
    worst = {"speed": 0.0, "beyond": -np.inf, "free_beyond": -np.inf, "step": 0.0, "inward_step": 0.0}
    damped_at, before = None, drives.tau.copy()
    for tick in range(ticks):
        sim.read(row)
        q_measured = row.q.copy()
        command.data[:] = 0.0
        controller(mad, tick, row.q, row.v, command)
        command.seq[0] = tick + 1.0
        drives.offer(command)
        sim.advance()
        q, v = truth.q[robot.nq_base :], truth.v[robot.n_base :]
        _note(worst, "speed", np.abs(v) / robot.velocity_limit_rad_s, robot, tick)
        beyond = np.maximum(low - q, q - high)
        _note(worst, "beyond", beyond, robot, tick)
        inwards = np.where(q > high, -1.0, 1.0)
        opposed = (drives.tau * inwards > 0.95 * limit) | (v * inwards > 0.0)
        _note(worst, "free_beyond", np.where(opposed, -np.inf, beyond), robot, tick)
        if drives.state is DriveState.FOLLOW:
            step = np.abs(situation.applied() - before) / limit
            inside = (q_measured < high - TURNED_BACK_RAD) & (q_measured > low + TURNED_BACK_RAD)
            _note(worst, "step", np.where(inside, step, 0.0), robot, tick)
            _note(worst, "inward_step", np.where(inside, 0.0, step), robot, tick)
        elif damped_at is None and drives.state is DriveState.DAMPING:
            damped_at = tick
        before = situation.applied()
    return worst | {"damped_at": damped_at, "reason": drives.envelope.reason}


def _note(worst, key, values, robot, tick):
    joint = int(np.argmax(values))
    if values[joint] > worst[key]:
        worst[key] = float(values[joint])
        worst[key + "_at"] = (robot.joint_names[joint], tick)


def walking_states(count=8, seed=1):
    """States of G1 while it walks, at evenly spaced instants of two steps."""
    import kilohertz as khz

    sim = khz.Simulation("g1", scenario="walk", seed=seed)
    found = []
    data = sim._simulated.world.data
    while len(found) < count:
        sim.step()
        if sim.t_s >= 3.0 + 0.17 * len(found):
            found.append((data.qpos.copy(), data.qvel.copy()))
    return found


def summary(results):
    """Returns the figures of many episodes."""
    figures = {"episodes": len(results), "damped": sum(r["damped_at"] is not None for r in results)}
    for key in ("speed", "beyond", "free_beyond", "step", "inward_step"):
        values = np.array([r[key] for r in results])
        worst = results[int(values.argmax())]
        figures[key] = {"max": values.max(), "p99": np.quantile(values, 0.99), "at": worst.get(key + "_at")}
    figures["too_fast"] = sum(r["speed"] > SPEED_BAR for r in results)
    figures["too_far"] = sum(r["beyond"] > RANGE_BAR_RAD for r in results)
    figures["too_far_free"] = sum(r["free_beyond"] > RANGE_BAR_RAD for r in results)
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--commands", type=int, default=1_000_000)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--each", action="store_true", help="figures of each mad controller too")
    arguments = parser.parse_args()
    places = {"g1 standing": [Situation("g1")], "panda": [Situation("panda")]}
    places["g1 walking"] = [Situation("g1", state) for state in walking_states()]
    rng, results = np.random.default_rng(arguments.seed), defaultdict(list)
    given, number = 0, 0
    while given < arguments.commands:
        controller = MAD[number % len(MAD)]
        place = list(places)[number // len(MAD) % len(places)]
        situation = places[place][int(rng.integers(len(places[place])))]
        results[place, controller.__name__].append(episode(situation, controller, rng))
        given += EPISODE_TICKS
        number += 1
    table = {f"{place}: {name}": summary(found) for (place, name), found in sorted(results.items())}
    table = table if arguments.each else {}
    for place in places:
        table[place] = summary([r for (where, _), found in results.items() if where == place for r in found])
    report = {"commands": given, "episodes": number, "table": table}
    text = json.dumps(report, indent=1, default=float)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
