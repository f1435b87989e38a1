"""Starts controller processes for tests that kill or stop them: forks one for each line of input.

The forking process has no sockets or threads, so that its children start in milliseconds and share nothing.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.wire.zmq_link import ZmqLink
from kilohertz.rt.faults.own_process import environment

HOLD_ERROR_RAD = 0.1
HOLD_SPEED_RAD_S = 5.0
PATIENCE_S = 5.0


def command_until_lost(robot: RobotModel, endpoint: str) -> None:
    """Commands the robot to hold its posture until the link is lost."""
    link = ZmqLink(robot, endpoint, truth=False, lockstep=True)
    sensors, command = robot.new_sensor_row(), robot.new_command_row()
    link.arm()
    command.kp[:] = robot.torque_limit_Nm / HOLD_ERROR_RAD
    command.kd[:] = robot.torque_limit_Nm / HOLD_SPEED_RAD_S
    first = True
    while link.read(sensors):
        if first:
            command.q_des[:] = sensors.q
            first = False
        link.write(command)


def main(robot: str, endpoint: str) -> None:
    """Forks a controller for each line of standard input, and prints its process id."""
    # Ignoring SIGCHLD lets the system reap the children, as this process does not wait for them.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    model = RobotModel.load(robot)
    print("ready", flush=True)
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            with contextlib.suppress(Exception):
                command_until_lost(model, endpoint)
            os._exit(0)
        print(child, flush=True)


class Victims:
    """Controls the process that forks controllers."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def new(self) -> int:
        """Starts one more controller; returns its process id."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(file=self._process.stdin, flush=True)
        return int(self._process.stdout.readline())


@contextmanager
def victims(robot: str, endpoint: str) -> Iterator[Victims]:
    """Runs the forking process for the duration of a `with` block."""
    code = f"from kilohertz.rt.faults.victim import main; main({robot!r}, {endpoint!r})"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield Victims(process)
    finally:
        process.communicate()


def is_gone(process: int) -> bool:
    """Returns whether a process has ended."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


def send_signal(process: int, number: int) -> None:
    """Sends SIGKILL or SIGSTOP to a process and waits until it does not run any more.

    The simulated time of a bench runs faster than real time, and periods in which the process still ran would
    count.
    """
    os.kill(process, number)
    until_s = time.monotonic() + PATIENCE_S
    while _runs(process) and time.monotonic() < until_s:
        time.sleep(1e-4)


def _runs(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "TXZ"
