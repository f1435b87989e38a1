"""The controller for the user's own simulator or driver."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kilohertz.arguments import (
    GainsLike,
    RobotLike,
    Solver,
    gains_source,
    robot_model,
    solver_name,
)
from kilohertz.commands import request_for, resting_command
from kilohertz.controller.brain import Brain
from kilohertz.controller.brain_output import BrainOutput
from kilohertz.estimators.floating_base import FloatingBaseEstimator
from kilohertz.refused import Refused, refusing
from kilohertz.robots.model.period import period_s
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import OutsideRow, SensorRow, Vector
from kilohertz.rt.run.brain_setup import estimator_of, no_mark, warm_up
from kilohertz.rt.run.preparation import load_gains_of


class _Field:
    """A field of a sensor row: reading gives a view, assigning checks the shape and copies into the row."""

    def __set_name__(self, owner: type[Sensors], name: str) -> None:
        self._name = name

    def __get__(self, sensors: Sensors, owner: type[Sensors]) -> Vector:
        view: Vector = getattr(sensors.row, self._name)
        return view

    def __set__(self, sensors: Sensors, values: ArrayLike) -> None:
        field = self.__get__(sensors, type(sensors))
        try:
            array = np.asarray(values, dtype=np.float64)
        except (TypeError, ValueError):
            raise Refused(f"sensors.{self._name} should be numbers, not {values!r}") from None
        if array.shape != field.shape:
            raise Refused(f"sensors.{self._name} should have shape {field.shape}, not {array.shape}")
        field[:] = array


class Sensors:
    """The sensor measurements of one instant, to be filled before each step of a `Controller`.

    Assigning copies: ``sensors.q = data.qpos`` and ``sensors.q[:] = data.qpos`` do the same. Joint vectors
    are in the order of `RobotModel.joint_names`, contacts in that of `contact_names`.

    Attributes:
        t_s: time of the sample on the robot's own clock [s]; it increases by about 0.001 s per sample, or
            by 1 / `rate_hz` of robot.yaml.
        q: (na,) joint positions [rad; m for a prismatic joint].
        v: (na,) joint velocities [rad/s; m/s for a prismatic joint].
        tau: (na,) joint torques as measured or estimated by the drives [Nm]; the last commanded torques if
            the drives do not measure them.
        gyro: (3,) angular velocity of the IMU in its own axes [rad/s]; stays 0 for a fixed base.
        accel: (3,) specific force in the axes of the IMU, +9.81 upwards at rest [m/s2]; stays 0 for a fixed
            base.
        contact_force_N: (nc,) measured normal force of each contact [N]; stays NaN where there is no sensor.
        wrist: (6 nw,) what the tool of each hand with a `wrist` sensor exerts on the arm: force [N] and
            moment [Nm] in the axes of the sensor; NaN where it is not known.

    Args:
        robot: the robot.
    """

    q, v, tau, gyro, accel, contact_force_N, wrist = (_Field() for _ in range(7))

    def __init__(self, robot: RobotModel) -> None:
        self.row: SensorRow = robot.new_sensor_row()
        self.row.data[:] = math.nan
        self.row.seq[0] = 0.0
        if not robot.floating:
            self.gyro = self.accel = np.zeros(3)

    @property
    def t_s(self) -> float:
        """Time of the sample [s]."""
        return self.row.t_s.item()

    @t_s.setter
    def t_s(self, seconds: float) -> None:
        self.row.t_s[0] = seconds

    def missing(self) -> list[str]:
        """Returns the names of the fields with values that are not finite; contact forces are not checked."""
        names = ("t_s", "q", "v", "tau", "gyro", "accel")
        return [name for name in names if not np.isfinite(getattr(self.row, name)).all()]


@dataclass(frozen=True)
class OutsidePose:
    """Pose of a robot's floating base that was measured from outside, by motion capture or a camera.

    The pose is that of the base link B in any world V whose z axis points up. V is aligned with the world of
    the estimate at the first pose, so that the estimate does not jump then; later poses bound its drift. A
    pose that contradicts the estimate is ignored, which the output's `remark` says.

    Attributes:
        p_VB: (3,) position [m]; None if it is not known.
        rpy_VB: (3,) roll, pitch and yaw, R = Rz(yaw) Ry(pitch) Rx(roll) [rad]; None if they are not known.
            Roll and pitch may be NaN if only the yaw is known.
        position_sd_m: standard deviation of each component of the position [m]; None for that in the gains,
            `estimator.outside.position_noise_m`.
        rotation_sd_rad: standard deviation of roll, pitch and yaw [rad]; None for that in the gains.
        age_s: time from the measurement to the sensor sample of the step [s]; None for `delay_s` in the
            gains. A pose older than 512 samples is ignored.
    """

    p_VB: ArrayLike | None = None
    rpy_VB: ArrayLike | None = None
    position_sd_m: float | None = None
    rotation_sd_rad: float | None = None
    age_s: float | None = None

    def write_to(self, row: OutsideRow) -> None:
        """Writes the pose as the next one into a row.

        Raises:
            Refused: a value has a wrong shape, is infinite, or is negative where it must not be.
        """
        values = OutsideRow()
        for name, size in (("p_VB", 3), ("rpy_VB", 3)):
            given = getattr(self, name)
            if given is None:
                continue
            try:
                array = np.asarray(given, dtype=np.float64)
            except (TypeError, ValueError):
                raise Refused(f"outside_pose.{name} should be numbers, not {given!r}") from None
            if array.shape != (size,) or np.isinf(array).any():
                raise Refused(f"outside_pose.{name} should be {size} finite numbers, not {given!r}")
            getattr(values, name)[:] = array
        for name, least in (("position_sd_m", 1e-9), ("rotation_sd_rad", 1e-9), ("age_s", 0.0)):
            given = getattr(self, name)
            if given is None:
                continue
            if not isinstance(given, (int, float, np.number)) or not least <= given < math.inf:
                raise Refused(f"outside_pose.{name} should be a number of at least {least:g}, not {given!r}")
            getattr(values, name)[0] = given
        values.number[0] = row.number[0] + 1.0
        row.copy_from(values)


class Controller:
    """Estimator and whole-body controller of one robot, for the user's own simulator or driver.

    Fill a `Sensors` row with a sample of the robot at rest and call `reset`; then, once per millisecond, fill
    it again, call `step` and send the command. At another rate, say so with `rate_hz` in robot.yaml; the time
    stamps of the samples tell the true period. The same samples and commands give bitwise identical results.
    One process can have several controllers. MuJoCo is not needed for a robot whose model is a URDF.

    Start Python with OMP_NUM_THREADS=1 for a real-time loop, because the worker threads of BLAS do not run in
    real time.

    Args:
        robot: name of a robot that ships, path of a robot's folder, or a loaded robot.
        gains: path of a gains file instead of the robot's own, or a dict of values that replace some of the
            robot's own.
        solver: "osqp" or "exact"; None for the solver in the gains.

    Raises:
        Refused: an argument or a file cannot be used; one line per problem.

    Example::

        import kilohertz as khz

        controller = khz.Controller("panda")
        sensors = controller.sensors()
        q_rad = controller.robot.q_nominal  # from your driver, in the order of robot.joint_names
        sensors.t_s, sensors.q, sensors.v, sensors.tau = 0.0, q_rad, 0.0 * q_rad, 0.0 * q_rad
        controller.reset(sensors)
        output = controller.step(sensors)
        print(output.state, output.command.tau_ff)
    """

    def __init__(
        self, robot: RobotLike, gains: GainsLike | None = None, solver: Solver | None = None
    ) -> None:
        self.robot = robot_model(robot)
        chosen = solver_name(solver)
        with refusing():
            self._gains, _ = load_gains_of(self.robot, gains_source(gains), chosen)
            self._estimator = estimator_of(self.robot, self._gains)
            self._brain = Brain(self.robot, self._gains, self._estimator, dt_s=period_s(self.robot))
        behaviour, params = resting_command(self.robot)
        self._request = request_for(self.robot, behaviour, params)
        self._fields = self.robot.new_sensor_row().fields
        self._started = False

    @property
    def q(self) -> Vector:
        """Copy of the estimated configuration (nq,), in pinocchio's convention."""
        return self._estimator.q.copy()

    @property
    def v(self) -> Vector:
        """Copy of the estimated velocity (nv,), in pinocchio's convention."""
        return self._estimator.v.copy()

    @property
    def contact(self) -> NDArray[np.bool_]:
        """Copy of the estimated contact states (nc,): whether each contact is closed."""
        return self._estimator.contact.copy()

    def sensors(self) -> Sensors:
        """Returns an empty row for samples of this robot; the same row can be filled for every step."""
        return Sensors(self.robot)

    def reset(self, sensors: Sensors) -> None:
        """Resets estimator and controller to a robot at rest that stands on its contacts.

        It must be called before the first step. It runs about 100 steps as a warm-up, so that it must not be
        called in a real-time loop.

        Args:
            sensors: a sample of the robot at rest.

        Raises:
            Refused: the sample is not complete.
        """
        self._require_row(sensors)
        missing = sensors.missing()
        if missing:
            raise Refused(f"sensors lack {', '.join(missing)}: fill them with a sample of the robot at rest")
        warm_up(self._brain, sensors.row, self._request, self._gains)
        self._started = True

    def command(self, behaviour: str, **params: Any) -> None:
        """Commands a behaviour from the next step on.

        Args:
            behaviour: name of the behaviour as in a scenario, such as "stand", "walk" or "reach".
            params: parameters of the behaviour, named as in a scenario, such as ``velocity_m_s=[0.4, 0.0]``.

        Raises:
            Refused: the behaviour or a parameter is unknown, or this robot cannot execute it. The previous
                command then stays active.
        """
        start = self._brain.motion.joint_state() if self._started else None
        self._request = request_for(self.robot, behaviour, params, start=start)

    def step(self, sensors: Sensors, outside_pose: OutsidePose | None = None) -> BrainOutput:
        """Runs one tick of the controller; to be called once per millisecond, or at `rate_hz` of robot.yaml.

        Args:
            sensors: the newest sample. A sample that is not finite is ignored; after three of them in a row
                the controller damps the robot.
            outside_pose: pose of the base that was measured from outside and has come since the last step;
                None if none has.

        Returns:
            The output, one object that the next step overwrites. `command` has q_des [rad], v_des [rad/s],
            kp [Nm/rad], kd [Nms/rad] and tau_ff [Nm], each (na,); every drive must apply
            tau_ff + kp (q_des - q) + kd (v_des - v). `state` is "active" or "damping", `reason` is the reason
            for damping, and `remark` describes a part of the command that could not be executed.

        Raises:
            Refused: the outside pose cannot be used, or the robot has a fixed base.
            RuntimeError: `reset` was not called before.
        """
        if not self._started:
            raise RuntimeError("call reset(sensors) with a sample of the robot at rest before the first step")
        self._require_row(sensors)
        if outside_pose is not None:
            if not isinstance(self._estimator, FloatingBaseEstimator):
                raise Refused(f"'{self.robot.name}' has a fixed base, whose pose is known: no outside_pose")
            outside_pose.write_to(self._estimator.outside)
        sensors.row.seq[0] += 1.0
        output = self._brain.step(sensors.row, self._request, self._gains, no_mark)
        if outside_pose is not None:
            self._brain.tell_ignored_poses()
        return output

    def __repr__(self) -> str:
        return f"<Controller: {self.robot.name}, {self._brain.output.state}>"

    def _require_row(self, sensors: Sensors) -> None:
        if not isinstance(sensors, Sensors):
            raise Refused(f"sensors should come from Controller.sensors(), not {sensors!r}")
        if sensors.row.fields != self._fields:
            raise Refused(f"these sensors are not those of '{self.robot.name}'")
