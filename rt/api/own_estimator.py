"""The state estimator without the controller, for recorded samples or a controller of the user's own."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kilohertz.arguments import GainsLike, RobotLike, gains_source, robot_source
from kilohertz.estimators.floating_base import FloatingBaseEstimator
from kilohertz.own_loop import OutsidePose, Sensors
from kilohertz.refused import Refused, refusing
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector
from kilohertz.rt.run.brain_setup import estimator_of
from kilohertz.rt.run.preparation import load_gains_of


class Estimator:
    """State estimator of one robot, for samples in arrays or from the user's own driver.

    Fill a `Sensors` row with a sample of the robot at rest and call `reset`; then fill it with each next
    sample and call `update`. The samples need not be equally spaced. The posture in robot.yaml need not be
    one in which the robot can stand.

    Args:
        robot: name of a robot that ships, path of a robot's folder, or a loaded robot.
        gains: path of a gains file instead of the robot's own, or a dict of values that replace some of the
            robot's own; `estimator` holds the noises of the sensors.

    Raises:
        Refused: an argument or a file cannot be used; one line per problem.

    Example::

        import kilohertz as khz

        estimator = khz.Estimator("g1")
        sensors = estimator.sensors()
        q_rad = estimator.robot.q_nominal[7:]  # from your arrays, in the order of robot.joint_names
        sensors.t_s, sensors.q, sensors.v = 0.0, q_rad, 0.0 * q_rad
        sensors.gyro, sensors.accel, sensors.contact_force_N = [0, 0, 0], [0, 0, 9.81], [160.0, 160.0]
        estimator.reset(sensors)
        sensors.t_s = 0.001
        estimator.update(sensors)
        print(estimator.q[:3], estimator.contact)
    """

    def __init__(self, robot: RobotLike, gains: GainsLike | None = None) -> None:
        with refusing():
            self.robot = (
                robot if isinstance(robot, RobotModel) else RobotModel.load(robot_source(robot), stands=False)
            )
            loaded, _ = load_gains_of(self.robot, gains_source(gains), None)
            self._estimator = estimator_of(self.robot, loaded)
        self._fields = self.robot.new_sensor_row().fields
        self._closed = np.ones(len(self.robot.contacts), dtype=bool)
        self._last_s = np.nan

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

    @property
    def doubt(self) -> float:
        """Measure of inconsistency of the sensors; above 1 the estimate counts as diverged."""
        return float(self._estimator.doubt[0])

    def sensors(self) -> Sensors:
        """Returns an empty row for samples of this robot; the same row can be filled for every update."""
        return Sensors(self.robot)

    def reset(self, sensors: Sensors) -> None:
        """Starts with a robot at rest on all its contacts.

        Args:
            sensors: a sample of the robot at rest.

        Raises:
            Refused: the sample is not complete or cannot be that of a robot at rest.
        """
        self._require(sensors)
        try:
            self._estimator.reset(sensors.row)
        except ValueError as error:
            raise Refused(f"the estimate cannot start with this sample: {error}") from None
        self._last_s = sensors.t_s

    def update(
        self,
        sensors: Sensors,
        planned_contact: ArrayLike | None = None,
        outside_pose: OutsidePose | None = None,
    ) -> None:
        """Updates the estimate with the next sample.

        Args:
            sensors: the sample. `tau` and `contact_force_N` may be NaN; with neither, contacts are taken to
                be as planned.
            planned_contact: (nc,) whether each contact should be closed now; None for all.
            outside_pose: pose of the base that was measured from outside and has come since the last update.

        Raises:
            Refused: a value is not finite, the time does not advance, or an argument cannot be used.
            RuntimeError: `reset` was not called before.
        """
        if np.isnan(self._last_s):
            raise RuntimeError(
                "call reset(sensors) with a sample of the robot at rest before the first update"
            )
        self._require(sensors)
        if sensors.t_s <= self._last_s:
            raise Refused(f"sensors.t_s is {sensors.t_s:.9g} after {self._last_s:.9g}: it should increase")
        closed = self._closed
        if planned_contact is not None:
            closed = np.asarray(planned_contact, dtype=bool)
            if closed.shape != self._closed.shape:
                raise Refused(f"planned_contact should have shape {self._closed.shape}, not {closed.shape}")
        if outside_pose is not None:
            if not isinstance(self._estimator, FloatingBaseEstimator):
                raise Refused(f"'{self.robot.name}' has a fixed base, whose pose is known: no outside_pose")
            outside_pose.write_to(self._estimator.outside)
        sensors.row.seq[0] += 1.0
        self._estimator.update(sensors.row, closed, sensors.t_s - self._last_s)
        self._last_s = sensors.t_s

    def __repr__(self) -> str:
        return f"<Estimator: {self.robot.name}>"

    def _require(self, sensors: Sensors) -> None:
        if not isinstance(sensors, Sensors):
            raise Refused(f"sensors should come from Estimator.sensors(), not {sensors!r}")
        if sensors.row.fields != self._fields:
            raise Refused(f"these sensors are not those of '{self.robot.name}'")
        missing = [name for name in sensors.missing() if name != "tau"]
        if missing:
            raise Refused(f"sensors.{missing[0]} is not finite: fill it, or leave this sample out")
