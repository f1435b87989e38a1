"""Serves a simulated robot that knows no true state, like hardware, and whose states are spoilt in one way.

    python distorted_robot.py ROBOT ENDPOINT KIND

KIND is a key of `KINDS`. The robot waits for each command (`khz run --lockstep`), so that a busy host changes
nothing. The program ends on SIGTERM.
"""

from __future__ import annotations

import math
import signal
import sys
from collections.abc import Callable

import pinocchio as pin

from kilohertz.controller.behaviours.registry import behaviour_schemas
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import CommandRow, SensorRow, Vector
from kilohertz.sim.scenario import load_scenario
from kilohertz.sim.server import SimulatedServer

DEGREE = math.pi / 180.0
UR5 = RobotModel.load("ur5")
UR5_DATA = UR5.pin_model.createData()


def scaled(field: str, factor: float) -> Callable[[SensorRow, int], None]:
    def spoil(row: SensorRow, count: int) -> None:
        getattr(row, field)[:] *= factor

    return spoil


def stamped(per_state: float) -> Callable[[SensorRow, int], None]:
    def spoil(row: SensorRow, count: int) -> None:
        row.t_s[0] = per_state * count

    return spoil


def not_finite(row: SensorRow, count: int) -> None:
    row.q[3] = math.nan


def now_and_then(row: SensorRow, count: int) -> None:
    if count % 50 == 0:
        row.q[3] = math.nan


def from_some_time_on(row: SensorRow, count: int) -> None:
    if row.t_s[0] >= 0.2:
        row.q[3] = math.nan


def without_gravity(row: SensorRow, count: int) -> None:
    if row.t_s[0] > 0.0:
        row.tau[:] -= gravity_of(row)


def gravity_of(row: SensorRow) -> Vector:
    """(na,) torques that hold a ur5 against gravity [Nm]."""
    return pin.computeGeneralizedGravity(UR5.pin_model, UR5_DATA, row.q)


def torque_unknown(row: SensorRow, count: int) -> None:
    row.tau[:] = math.nan


KINDS: dict[str, Callable[[SensorRow, int], None]] = {
    "good": lambda row, count: None,
    "accelerometer in g": scaled("accel", 1.0 / 9.81),
    "accelerometer upside down": scaled("accel", -1.0),
    "gyroscope in degrees": scaled("gyro", 1.0 / DEGREE),
    "quiet gyroscope in degrees": scaled("gyro", 1.0 / DEGREE),
    "positions in degrees": scaled("q", 1.0 / DEGREE),
    "milliseconds": stamped(1.0),
    "microseconds": stamped(1000.0),
    "torque unknown": torque_unknown,
    "torque without gravity": without_gravity,
    "adds gravity": lambda row, count: None,
    "not finite": not_finite,
    "now and then not finite": now_and_then,
    "not finite from some time on": from_some_time_on,
}


class DistortedServer(SimulatedServer):
    """A served robot that grants no true state and sends spoilt states."""

    def __init__(self, robot: RobotModel, endpoint: str, kind: str, scenario: str) -> None:
        world = load_scenario(scenario, robot, behaviour_schemas(robot))
        if kind.startswith("quiet"):
            sensors = world.sensors.model_copy(update={"noise_scale": 0.0})
            world = world.model_copy(update={"sensors": sensors})
        super().__init__(robot, world, endpoint, lockstep=True)
        row, pack, spoil = robot.new_sensor_row(), self.side.state, KINDS[kind]
        count = 0
        self._adds_gravity = kind == "adds gravity"
        self._row = row
        self.side._options = ()

        def state(sensors: SensorRow, now_ns: int) -> bytes:
            nonlocal count
            count += 1
            row.copy_from(sensors)
            spoil(row, count)
            return pack(row, now_ns)

        self.side.state = state

    def _take(self, command: CommandRow, state_seq: int) -> None:
        if self._adds_gravity:
            command.tau_ff[:] += gravity_of(self._row)
        super()._take(command, state_seq)


def main() -> None:
    name, endpoint, kind = sys.argv[1:4]
    server = DistortedServer(RobotModel.load(name), endpoint, kind, "stand")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print("serving", flush=True)
    while True:
        server.wait_for_command()
        server.serve_tick()


if __name__ == "__main__":
    main()
