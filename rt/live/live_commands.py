"""Connects a run to its agent process: passes commands to the loop, and their progress back."""

from __future__ import annotations

import math
import time
from typing import Protocol

import numpy as np

from kilohertz.controller.behaviours.registry import behaviours_of
from kilohertz.controller.brain import Brain
from kilohertz.controller.streams.stream_row import StreamRow
from kilohertz.controller.supervision.motion import DONE, RUNNING, WAITING
from kilohertz.controller.supervision.request import RequestRow, behaviour_id
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.live.command_mailbox import DAMP, CommandMailbox, padded
from kilohertz.rt.loop.trace import STATES

OPERATOR = "the command channel"
"""What is named as the cause of a stop that arrived as a command."""
_REPORT_TICKS = 4
"""Number of ticks between two reports to the agent, unless something has changed."""
_PROGRESS = (WAITING, RUNNING, DONE)


class Commanded(Protocol):
    """The methods of the loop that commands use; see `kilohertz.rt.loop.control_loop.ControlLoop`."""

    def ask(self, request: RequestRow) -> None:
        """Replaces the request to the brain."""
        ...

    def drop_schedule(self) -> None:
        """Drops the rest of the scenario's commands."""
        ...

    def ask_to_stop(self, by: str, *, at_once: bool) -> None:
        """Stops the run."""
        ...


class LiveCommands:
    """Passes requests, streams and stops from the agent to the loop, and progress from the loop to the agent.

    Args:
        robot: the robot.
        streams: row of streamed targets that the brain reads.

    Attributes:
        mailbox: shared memory to the agent.
        streams: row of streamed targets that the brain reads.
        numbers: (1 + most,) length of the newest request, and its numbers.
        count: number of the requests that have arrived.
    """

    def __init__(self, robot: RobotModel, streams: StreamRow) -> None:
        self.mailbox = CommandMailbox(robot)
        self.streams = streams
        self.numbers = np.zeros(1 + self.mailbox.most)
        self.count = 0
        # A new object is a new request: two for each behaviour, which take turns.
        self._rows = {
            behaviour_id(kind.name): [RequestRow(kind), RequestRow(kind)]
            for kind in behaviours_of(robot).values()
        }
        self._ids = {kind.name: float(behaviour_id(kind.name)) for kind in behaviours_of(robot).values()}
        self._taken = self._arrived = self._abandoned = 0
        self._ended = True
        self._text, self._state = "", ""
        self._ticks = 0

    def between_ticks(self, loop: Commanded, brain: Brain, t_s: float) -> None:
        """Passes on new commands, and reports; called between two ticks, outside the measured tick time.

        Args:
            loop: the loop.
            brain: the controller, after its step.
            t_s: time of the tick's sensor sample [s].
        """
        mailbox, changed = self.mailbox, self._follow(brain)
        if mailbox.collect_streams(self.streams):
            loop.drop_schedule()
        number = mailbox.collect_request(self.numbers)
        if number:
            self._pass_on(loop, number)
        stop = mailbox.collect_stop()
        if stop:
            loop.ask_to_stop(OPERATOR, at_once=stop == DAMP)
        self._ticks += 1
        if changed or self._ticks % _REPORT_TICKS == 0:
            self._report(brain, t_s)

    def _pass_on(self, loop: Commanded, number: int) -> None:
        rows = self._rows[int(self.numbers[1])]
        rows.reverse()
        row, size = rows[0], int(self.numbers[0])
        row.data[:] = self.numbers[1 : 1 + size]
        self.count += 1
        self._arrived = number
        loop.ask(row)

    def _follow(self, brain: Brain) -> bool:
        """Notes what has become of the newest request, and returns whether anything has changed."""
        output, changed = brain.output, False
        if self._arrived != self._taken:
            # The step that has just ended was the first one with this request.
            if not self._ended:
                self._abandoned = self._taken
            self._taken, self._ended, changed = self._arrived, False, True
        if not self._ended:
            done = output.behaviour_state == DONE
            if done or output.state != "active":
                if not done:
                    self._abandoned = self._taken
                self._ended = changed = True
        if output.state != self._state:
            self._state, changed = output.state, True
        return changed

    def _report(self, brain: Brain, t_s: float) -> None:
        output, q = brain.output, brain.estimator.q
        text = output.reason or output.remark
        content = None
        if text is not self._text:
            self._text, content = text, padded(text)
        x_m = y_m = yaw_rad = 0.0
        if brain.robot.floating:
            x_m, y_m, _, a, b, c, d = q[:7].tolist()
            yaw_rad = math.atan2(2.0 * (d * c + a * b), 1.0 - 2.0 * (b * b + c * c))
        numbers = (
            t_s,
            self._taken,
            self._ids.get(output.behaviour, 0.0),
            _PROGRESS.index(output.behaviour_state) if output.behaviour_state else 0,
            STATES.index(output.state),
            self._abandoned,
            x_m,
            y_m,
            yaw_rad,
            *brain.motion.velocity_des,
        )
        joints = brain.motion.joint_state()
        self.mailbox.publish_status(time.monotonic_ns(), numbers, content, joints)
