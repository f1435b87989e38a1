"""Simulated force-torque sensors of hands: what the tool and all on it exert on the arm, with errors."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
import pinocchio as pin
from numpy.typing import NDArray

from kilohertz.robots.model.frames import frame_id
from kilohertz.robots.model.hand_model import WRENCH, WristModel
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import SensorRow
from kilohertz.sim.mujoco_robot import add_site
from kilohertz.sim.scenario import hand_body
from kilohertz.sim.scenario_schema import Noise, Scenario
from kilohertz.sim.truth import Truth

Vector = NDArray[np.float64]

WRIST_STREAM = 12
"""Number of the random stream of these sensors, which leaves those of the other sensors as they are."""
STEPS_PER_S = 1000.0
_FORCE, _TORQUE = "wrist_force/", "wrist_torque/"


def add_wrist_sensors(spec: Any, robot: RobotModel) -> None:
    """Adds the force-torque sensor of each hand to a MuJoCo spec."""
    kinds = mujoco.mjtSensor
    for wrist in robot.wrists:
        hand = robot.hands[wrist.hand]
        body, pose = hand_body(hand), wrist.X_LS
        if wrist.link != hand.link:
            behind = spec.body(hand.link)
            while behind.parent.name != wrist.link:
                behind = behind.parent
            frames, model = robot.pin_model.frames, robot.pin_model
            body = behind.name
            before, after = (frames[frame_id(model, link)].placement for link in (wrist.link, body))
            pose = after.actInv(before) * pose
        add_site(spec, body, f"wrist/{hand.name}", pose)
        for prefix, kind in ((_FORCE, kinds.mjSENS_FORCE), (_TORQUE, kinds.mjSENS_TORQUE)):
            spec.add_sensor(
                name=f"{prefix}{hand.name}",
                type=kind,
                objtype=mujoco.mjtObj.mjOBJ_SITE,
                objname=f"wrist/{hand.name}",
            )


class WristSensors:
    """Measures the wrench on each force-torque sensor of a robot, at the sensor's own rate.

    Args:
        robot: model of the robot.
        scenario: noise of the sensors, and their faults. Without sensor noise they have no bias either.
        sensordata: MuJoCo's measured values.
        address: addresses in these by name.
        truth: true state, for the forces of people, which MuJoCo's sensors do not contain.
        seed: random seed of the run.
    """

    def __init__(
        self,
        robot: RobotModel,
        scenario: Scenario,
        sensordata: Vector,
        address: dict[str, int],
        truth: Truth,
        seed: int,
    ) -> None:
        self._wrists, self._truth = robot.wrists, truth
        names = [robot.hands[wrist.hand].name for wrist in self._wrists]
        self._forces = [sensordata[address[_FORCE + name] :][:3] for name in names]
        self._torques = [sensordata[address[_TORQUE + name] :][:3] for name in names]
        self._rng = np.random.default_rng([seed, WRIST_STREAM])
        sensors = scenario.sensors
        exact = sensors.noise == Noise()
        self._scale = 0.0 if exact else sensors.noise_scale
        self._bias = [
            (0.0 if exact else 1.0) * wrist.bias * self._rng.standard_normal(WRENCH) for wrist in self._wrists
        ]
        self._held = np.zeros((len(names), WRENCH))
        self._faults = [
            (round(event.at_s * STEPS_PER_S), names.index(event.wrist_fault.hand), event.wrist_fault.kind)
            for event in scenario.events
            if event.wrist_fault is not None
        ]
        self._dead = [False] * len(names)

    def sample(self, tick: int, row: SensorRow) -> None:
        """Writes the values of a tick into the sensor row.

        Args:
            tick: number of the tick.
            row: the row.
        """
        for index, wrist in enumerate(self._wrists):
            if tick % wrist.every_ms == 0:
                noise = self._scale * wrist.noise * self._rng.standard_normal(WRENCH)
                if not self._dead[index]:
                    self._held[index] = self._true(index, wrist) + self._bias[index] + noise
        while self._faults and self._faults[0][0] <= tick:
            _, index, kind = self._faults.pop(0)
            self._dead[index] = True
            if kind == "silent":
                self._held[index] = np.nan
        row.wrist[:] = self._held.ravel()

    def _true(self, index: int, wrist: WristModel) -> Vector:
        """Returns the (6,) wrench on a sensor in its frame [N, Nm]."""
        # MuJoCo reports what the arm exerts on the tool.
        wrench = -np.concatenate((self._forces[index], self._torques[index]))
        push_H = self._truth.R_WH[wrist.hand].T @ self._truth.push_W[wrist.hand]
        wrench += wrist.X_HS.actInv(pin.Force(push_H, np.zeros(3))).vector
        return wrench
