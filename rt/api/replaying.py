"""Replay of a recorded run."""

from __future__ import annotations

from pathlib import Path

from kilohertz.arguments import RobotLike, file_path, robot_source
from kilohertz.refused import refusing
from kilohertz.rt.host.threads import math_thread_limit
from kilohertz.rt.log.recorder import require_library
from kilohertz.rt.run.replay import ReplayResult
from kilohertz.rt.run.replay import replay as replay_log


def replay(file: str | Path, robot: RobotLike | None = None) -> ReplayResult:
    """Runs the controller again on the sensor samples of a log, and compares its commands bit by bit.

    Args:
        file: path of a log that `simulate(..., log=folder)` or `khz sim --log` has written.
        robot: the robot, if its folder has been moved since the run; None for the robot in the log.

    Returns:
        Number of ticks that were run again, and number of commands and bits that differ.

    Raises:
        Refused: the file is not a log, or was written with another version, model or configuration.
    """
    path = file_path(file)
    with refusing():
        require_library()
        from kilohertz.rt.log.file import LogReader

        with LogReader(path) as reader, math_thread_limit()():
            return replay_log(reader, None if robot is None else robot_source(robot))
