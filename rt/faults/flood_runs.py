"""Injects peers that flood the endpoint of `khz serve`, which runs in real time in a process of its own."""

from __future__ import annotations

import json
import os
import socket
import struct
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.period import PERIOD_S
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.wire import messages as wire
from kilohertz.robots.wire.zmq_link import ZmqLink, stop_robot
from kilohertz.rt.faults.bench import ROBOT, loop_priority
from kilohertz.rt.faults.flooder import KINDS, flooding
from kilohertz.rt.faults.link_runs import DAMPING_TICKS, Outcome
from kilohertz.rt.faults.own_process import start_call
from kilohertz.rt.faults.victim import HOLD_ERROR_RAD, HOLD_SPEED_RAD_S
from kilohertz.rt.run.background_server import served
from kilohertz.rt.run.session import RunPlan

PEERS = 4
CONTROLLED_TICKS = 1000
MISSED_SHARE = 0.001
STOP_MS = 50.0
GROWN_MB = 50.0
PATIENCE_S = 20.0
BEFORE_TICKS = 5
ANSWER_MS = 1.0
DEADLINE_TICKS = 4


class FloodBench:
    """A controller of a robot that is served in real time, and that other peers flood.

    Args:
        endpoint: ipc endpoint of the robot.

    Attributes:
        path: path of the endpoint.
    """

    def __init__(self, endpoint: str) -> None:
        self.path = endpoint.removeprefix("ipc://")
        self._endpoint = endpoint
        self._robot = RobotModel.load(ROBOT)
        self._link = ZmqLink(self._robot, endpoint, truth=False)
        self._sensors, self._command = self._robot.new_sensor_row(), self._robot.new_command_row()
        self._command.kp[:] = self._robot.torque_limit_Nm / HOLD_ERROR_RAD
        self._command.kd[:] = self._robot.torque_limit_Nm / HOLD_SPEED_RAD_S

    def control(self, ticks: int) -> bool:
        """Arms the robot and holds it; returns False if the link was lost. The lease is kept.

        Raises:
            ConfigError: the robot did not come to rest, which it must before it can be armed.
        """
        until_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                self._link.arm()
                break
            except ConfigError:
                if time.monotonic() > until_s:
                    raise
        for tick in range(ticks):
            if not self._link.read(self._sensors):
                return False
            if tick == 0:
                self._command.q_des[:] = self._sensors.q
            self._link.write(self._command)
        return True

    def until_damping(self) -> tuple[float, float]:
        """Sends no more commands, and waits until the robot damps.

        Returns:
            The robot's periods since the state that the last command answered, and the time until this
            controller knew [ms].
        """
        last_s, start_s = float(self._sensors.t_s[0]), time.monotonic()
        while self._link.mode != wire.MODES[wire.DAMPING] and time.monotonic() < start_s + PATIENCE_S:
            self._link.peek(self._sensors)
        return (float(self._sensors.t_s[0]) - last_s) / PERIOD_S, 1e3 * (time.monotonic() - start_s)

    def missed(self) -> int:
        """Gives the lease back; returns the number of commands that the robot did not accept."""
        sent = self._link.commands_sent
        self._link.close()
        accepted = self._link.farewell[0] if self._link.farewell is not None else 0
        self._link = ZmqLink(self._robot, self._endpoint, truth=False)
        return max(sent - accepted, 0)

    def stop_ms(self) -> float:
        """Stops the robot as `khz stop` does; returns the time until the answer [ms]."""
        start_s = time.monotonic()
        stop_robot(self._endpoint, "a test of the stop")
        return 1e3 * (time.monotonic() - start_s)

    def memory_MB(self) -> float:
        """Returns the memory of the process that serves the robot [MB]."""
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(self.path)
            process = struct.unpack("3i", probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[5])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def close(self) -> None:
        """Closes the link."""
        self._link.abandon()


def f34_flood(n: int) -> Outcome:
    """Peers flood the endpoint of `khz serve`, or hold 2000 connections, while a controller is at work."""
    # Threads that another user of this process has left would take time from the controller.
    printed = start_call(__name__, f"flood({n})").communicate()[0]
    return Outcome(**json.loads(printed.splitlines()[-1]))


def flood(n: int) -> None:
    """Prints the outcome of `f34_flood` as JSON; this process is the controller's."""
    print(json.dumps(asdict(_flooded(n))), flush=True)


def _flooded(n: int) -> Outcome:
    each = -(-n // len(KINDS))
    damped, stops_ms, missed, sent, lost, grown_MB = [], [], 0, 0, 0, 0.0
    for kind in KINDS:
        with served(RunPlan(ROBOT, "stand", realtime=True)) as endpoint, loop_priority():
            bench = FloodBench(endpoint)
            bench.control(BEFORE_TICKS)
            before_MB = bench.memory_MB()
            with flooding(kind, bench.path, 1 if kind == "idle connections" else PEERS):
                for _ in range(each):
                    bench.control(BEFORE_TICKS)
                    damped.append(bench.until_damping())
                stops_ms.append(bench.stop_ms())
                lost += not bench.control(CONTROLLED_TICKS)
                grown_MB = max(grown_MB, bench.memory_MB() - before_MB)
                sent += CONTROLLED_TICKS
                # The lease is given back last, because the robot is then simulated anew.
                missed += bench.missed()
            bench.close()
    periods, times_ms = np.array(damped).T
    # The time is the host's too, which may not run one of the two processes for a while; the periods are not.
    usual_ms, usual = float(np.percentile(times_ms, 90.0)), float(np.percentile(periods, 90.0))
    text = (
        f"damping after at most {periods.max():.0f} periods, {times_ms.max():.1f} ms (p90 {usual_ms:.1f} ms)"
        f"; {missed} of {sent} commands not accepted; {lost} links lost; "
        f"stopped within {max(stops_ms):.0f} ms (median {np.median(stops_ms):.0f} ms); "
        f"memory +{max(grown_MB, 0.0):.0f} MB"
    )
    # Where the host delays the last command, the robot accepts it until its deadline.
    safe = bool(periods.max() <= DAMPING_TICKS + DEADLINE_TICKS and grown_MB <= GROWN_MB)
    in_time = usual <= DAMPING_TICKS and usual_ms <= DAMPING_TICKS + ANSWER_MS
    served_well = missed <= MISSED_SHARE * sent and lost == 0 and max(stops_ms) <= STOP_MS
    return Outcome(each * len(KINDS), text, bool(safe and in_time and served_well), safe)
