"""Model of the sensors: true values with white noise, biases that are constant in a run, and quantisation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import SensorRow
from kilohertz.sim.scenario_schema import Noise

Vector = NDArray[np.float64]

BLOCK_TICKS = 16
MAX_TORQUE_NOISE_OF_LIMIT = 0.01
NOISE_STREAM = 3
BIAS_STREAM = 4


class SensorNoise:
    """Adds the sensor errors of a scenario to a sensor row that holds the true values.

    Random numbers are drawn for 16 ticks at once. Most ticks then cost one addition, and no tick takes so
    long that a run in real time misses its period. Noise and biases use separate random streams, so that a
    change of one does not change the other.

    Attributes:
        bias: constant sensor errors of this run, as a sensor row.

    Args:
        robot: model that defines the sensors.
        noise: standard deviations of the errors.
        seed: random seed of the run.
    """

    def __init__(self, robot: RobotModel, noise: Noise, seed: int) -> None:
        self.bias = robot.new_sensor_row()
        deviation = robot.new_sensor_row()
        deviation.q[:] = noise.encoder_rad
        deviation.v[:] = noise.velocity_rad_s
        deviation.tau[:] = np.minimum(noise.torque_Nm, MAX_TORQUE_NOISE_OF_LIMIT * robot.torque_limit_Nm)
        deviation.contact_force_N[:] = noise.contact_force_N
        if robot.floating:
            rng = np.random.default_rng([seed, BIAS_STREAM])
            deviation.gyro[:] = noise.gyro_rad_s
            deviation.accel[:] = noise.accel_m_s2
            self.bias.gyro[:] = noise.gyro_bias_rad_s * rng.standard_normal(3)
            self.bias.accel[:] = noise.accel_bias_m_s2 * rng.standard_normal(3)
        self._deviation = deviation.data
        servo_step_rad = robot.servo.step_rad if robot.servo is not None else 0.0
        self._quantum = max(noise.encoder_step_rad, servo_step_rad)
        self._silent = not (self._deviation.any() or self.bias.data.any())
        self._rng = np.random.default_rng([seed, NOISE_STREAM])
        self._block = np.empty((BLOCK_TICKS, deviation.data.size))
        self._next = BLOCK_TICKS

    def add(self, row: SensorRow) -> None:
        """Adds the errors of the next tick to a sensor row, in place."""
        if not self._silent:
            if self._next == BLOCK_TICKS:
                self._refill()
            row.data += self._block[self._next]
            self._next += 1
        if self._quantum > 0.0:
            row.q /= self._quantum
            np.rint(row.q, out=row.q)
            row.q *= self._quantum

    def _refill(self) -> None:
        self._rng.standard_normal(out=self._block)
        self._block *= self._deviation
        self._block += self.bias.data
        self._next = 0
