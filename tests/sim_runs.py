"""Provides robots, scenarios and commands for the tests of the simulation."""

import functools
from typing import Any

import numpy as np

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import CommandRow
from kilohertz.sim.scenario_schema import Scenario
from kilohertz.sim.simulated_robot import SimulatedRobot

ROBOTS = ("g1", "talos", "alexander", "bolt", "panda", "ur5")
SURFACE_FEET = ("g1", "talos", "alexander")


@functools.cache
def robot(name: str) -> RobotModel:
    return RobotModel.load(name)


def scenario(**fields: Any) -> Scenario:
    """Returns a scenario, by default without noise, delay and model errors."""
    return Scenario.model_validate(
        {
            "name": "test",
            "duration_s": 10.0,
            "plant": "exact",
            "sensors": {"noise": "none", "delay_ms": 0.0},
            **fields,
        }
    ).in_order()


def simulate(name: str, seed: int = 0, **fields: Any) -> SimulatedRobot:
    return SimulatedRobot(robot(name), scenario(**fields), seed)


def run(sim: SimulatedRobot, seconds: float) -> None:
    for _ in range(round(seconds * 1000)):
        sim.advance()


def holding_command(sim: SimulatedRobot) -> CommandRow:
    """Returns a command that holds the start posture, with damping that does not amplify sensor noise."""
    command = sim.robot.new_command_row()
    command.copy_from(sim.drives.commanded)
    command.kd[:] = sim.drives.damping_kd
    return command


def random_command(sim: SimulatedRobot, rng: np.random.Generator, seq: int) -> CommandRow:
    """Returns a random valid command that partly exceeds the drives' torque limits."""
    model = sim.robot
    command = model.new_command_row()
    command.seq[0] = seq
    command.q_des[:] = np.clip(
        rng.uniform(-1.0, 1.0, model.na), model.position_lower_rad, model.position_upper_rad
    )
    command.v_des[:] = rng.normal(size=model.na)
    command.kp[:] = rng.uniform(0.0, 20.0, model.na) * model.torque_limit_Nm
    command.kd[:] = rng.uniform(0.0, 1.0, model.na)
    command.tau_ff[:] = rng.uniform(-1.5, 1.5, model.na) * model.torque_limit_Nm
    return command
