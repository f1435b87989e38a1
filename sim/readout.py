"""Readout of the sensors: what the controller is told of the measured values, and when.

A driver sends the latest values that it has at 1 kHz, but its sensors may be slower, may lose samples on
their bus, and may be limited in range. The joints and the IMU are separate devices: each samples at its own
rate and phase, and loses samples of its own. While a device has nothing new, its values are repeated,
although the number and the time stamp of the row go on.
"""

from __future__ import annotations

import numpy as np
import pinocchio as pin
from numpy.typing import NDArray

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import SensorRow
from kilohertz.sim.scenario_schema import Sensors
from kilohertz.sim.world import STEP_S

Vector = NDArray[np.float64]

JOINT_STREAM, IMU_STREAM, STAMP_STREAM = 5, 6, 8
# Time between the stamps of two samples that come in one burst [s].
BURST_S = 1e-5
# Sampling instants that are late by a rounding error only are not missed.
ROUNDING = 1e-9


class Readout:
    """Turns the measured rows of a simulated robot into those that its controller is told.

    Args:
        robot: model that defines the sensors.
        sensors: rates, ranges, losses and time stamps.
        seed: random seed of the run.
    """

    def __init__(self, robot: RobotModel, sensors: Sensors, seed: int) -> None:
        self._told = robot.new_sensor_row()
        self._floating = robot.floating
        self._joints = _Device(sensors.encoder_rate_Hz, sensors.drop_fraction, [seed, JOINT_STREAM])
        self._imu = _Device(sensors.imu_rate_Hz, sensors.drop_fraction, [seed, IMU_STREAM])
        self._differentiates = sensors.velocity_from == "encoder"
        self._q_sampled: Vector = np.zeros(robot.na)
        self._v_sampled: Vector = np.zeros(robot.na)
        self._sampled_tick = 0
        roll, pitch, yaw = sensors.imu_rpy_rad
        self._R_IM: Vector = pin.rpy.rpyToMatrix(roll, pitch, yaw)
        self._turned = any(sensors.imu_rpy_rad)
        self._gyro_range, self._accel_range = sensors.gyro_range_rad_s, sensors.accel_range_m_s2
        self._jitter_s = 1e-3 * sensors.jitter_ms
        self._last_stamp_s = -BURST_S
        self._lateness = np.random.default_rng([seed, STAMP_STREAM])

    def tell(self, measured: SensorRow) -> SensorRow:
        """Returns the row that the controller is told, always the same object.

        Args:
            measured: values measured in this tick, with noise; must be given in every tick.
        """
        told, tick = self._told, int(measured.seq[0])
        told.seq[:] = measured.seq
        told.t_s[:] = measured.t_s
        if self._jitter_s > 0.0:
            self._stamp(measured)
        told.contact_force_N[:] = measured.contact_force_N
        told.wrist[:] = measured.wrist
        if self._joints.samples(tick):
            self._sample_velocity(measured, tick)
            if self._joints.delivers(tick):
                told.q[:] = measured.q
                told.v[:] = self._v_sampled
                told.tau[:] = measured.tau
        if self._floating and self._imu.samples(tick) and self._imu.delivers(tick):
            self._sample_imu(measured)
        return told

    def _stamp(self, measured: SensorRow) -> None:
        """Stamps the row late by a random time, but after the row before it."""
        late_s = self._jitter_s * self._lateness.random()
        self._last_stamp_s = max(float(measured.t_s[0]) + late_s, self._last_stamp_s + BURST_S)
        self._told.t_s[0] = self._last_stamp_s

    def _sample_velocity(self, measured: SensorRow, tick: int) -> None:
        """Takes the measured velocity, or that of the encoder since the sample before."""
        if not self._differentiates:
            self._v_sampled[:] = measured.v
            return
        if tick > 0:
            np.subtract(measured.q, self._q_sampled, out=self._v_sampled)
            self._v_sampled /= (tick - self._sampled_tick) * STEP_S
        self._q_sampled[:] = measured.q
        self._sampled_tick = tick if tick > 0 else self._joints.first_tick

    def _sample_imu(self, measured: SensorRow) -> None:
        told = self._told
        told.gyro[:], told.accel[:] = measured.gyro, measured.accel
        if self._turned:
            told.gyro[:], told.accel[:] = self._R_IM.T @ measured.gyro, self._R_IM.T @ measured.accel
        if self._gyro_range is not None:
            np.clip(told.gyro, -self._gyro_range, self._gyro_range, out=told.gyro)
        if self._accel_range is not None:
            np.clip(told.accel, -self._accel_range, self._accel_range, out=told.accel)


class _Device:
    """Sampling instants and lost samples of one device.

    Attributes:
        first_tick: tick of the sample with which a run begins, at most 0: the robot was at rest before.

    Args:
        rate_Hz: number of samples per second, at most one per tick; None for one in every tick.
        drop_fraction: probability with which a sample is lost.
        stream: seed of the device's phase and losses.
    """

    def __init__(self, rate_Hz: float | None, drop_fraction: float, stream: list[int]) -> None:
        self._rng = np.random.default_rng(stream)
        self._per_tick = STEP_S * rate_Hz if rate_Hz is not None else 1.0
        self._phase = self._rng.random() if self._per_tick < 1.0 else 0.0
        self.first_tick = -int(self._phase / self._per_tick)
        self._drop_fraction = drop_fraction
        self._count = -1

    def samples(self, tick: int) -> bool:
        """Returns whether the device takes a sample in this tick; it does so in the first tick."""
        before, self._count = self._count, int(tick * self._per_tick + self._phase + ROUNDING)
        return self._count != before

    def delivers(self, tick: int) -> bool:
        """Returns whether the sample of this tick is not lost; that of the first tick never is."""
        return tick == 0 or self._drop_fraction == 0.0 or self._rng.random() >= self._drop_fraction
