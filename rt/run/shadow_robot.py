"""Link of a run that only watches a robot which another controller commands."""

from __future__ import annotations

from typing import Any

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import CommandRow, SensorRow
from kilohertz.robots.wire.watch_link import WatchLink
from kilohertz.robots.wire.zmq_link import ZmqLink
from kilohertz.rt.run.remote_robot import RemoteRobot
from kilohertz.rt.run.shadow import CommandComparison


class ShadowRobot(RemoteRobot):
    """A `RobotLink` that reads the states of a robot and sends it nothing.

    Args:
        robot: model of the robot that is expected at the endpoint.
        endpoint: endpoint of the robot.
        options: further arguments of `RemoteRobot`.

    Attributes:
        comparison: torques of this controller and of the one that commands the robot.
        missed: number of states that were not answered because newer ones had arrived.
    """

    def __init__(self, robot: RobotModel, endpoint: str, **options: Any) -> None:
        self.comparison = CommandComparison(robot)
        self.missed = 0
        self._read: SensorRow | None = None
        self._seq = 0
        super().__init__(robot, endpoint, **options)

    def _new_link(self, *arguments: Any, **options: Any) -> ZmqLink:
        return WatchLink(*arguments, watched=self.comparison.theirs, **options)

    @property
    def hardware(self) -> bool:
        """False: whatever this controller does, it does not move the robot."""
        return False

    @property
    def over(self) -> bool:
        """Whether the robot is no longer commanded, so that there is nothing left to watch."""
        assert isinstance(self.link, WatchLink)
        return self.link.over

    def read(self, sensors: SensorRow) -> bool:
        """Waits for a new state and fills the sensor row; returns False if none arrives. Hot path."""
        if not super().read(sensors):
            return False
        seq = self.link.newest_state
        self.missed += max(seq - self._seq - 1, 0) if self._seq else 0
        self._read, self._seq = sensors, seq
        return True

    def write(self, command: CommandRow) -> None:
        """Compares the command with that of the controller that commands the robot; sends nothing."""
        if self._read is not None:
            self.comparison.mine(self._seq, self._read, command)
