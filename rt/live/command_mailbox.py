"""Exchanges commands and their progress between the loop and the agent process through shared memory.

The agent writes requests, streams and stops; the loop writes the status of each tick. Each part is written by
one side only, see `SharedPart`: there are no locks, and neither side waits for the other.
"""

from __future__ import annotations

import mmap
import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kilohertz.controller.joint_motion.plan_row import MOST_JOINTS, STATES, JointState
from kilohertz.controller.streams.stream_row import StreamRow
from kilohertz.controller.supervision.request import RequestRow, most_request_numbers
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector
from kilohertz.rt.live.shared_part import SharedPart

SOFT_STOP, DAMP = 1, 2
"""Kinds of a stop: the robot comes to rest first, or its joints are damped at once."""
STATUS_NUMBERS = (
    "t_s",
    "taken",
    "behaviour",
    "behaviour_state",
    "state",
    "abandoned",
    "x_m",
    "y_m",
    "yaw_rad",
    "forward_m_s",
    "left_m_s",
    "turn_rad_s",
)
TEXT_BYTES = 240


@dataclass(frozen=True)
class Status:
    """What the loop reports of its newest tick.

    Attributes:
        t_s: time of the tick's sensor sample on the controller's clock [s].
        mono_ns: time of the report on this computer's CLOCK_MONOTONIC [ns].
        taken: number of the newest request that reached the controller; 0 before the first.
        behaviour: number of the behaviour, see `request.behaviour_id`.
        behaviour_state: 0 waiting for the robot to come to rest, 1 running, 2 done.
        state: state of the supervisor, as an index in `kilohertz.rt.loop.trace.STATES`.
        abandoned: number of the newest request that ended before it was done, because another one replaced it
            or the robot was stopped; 0 if there is none.
        p_WB: estimated position of the base on the ground plane [m].
        yaw_rad: estimated heading of the base [rad].
        velocity: velocity reference of the walk: forward, to the left [m/s] and turning [rad/s].
        text: reason for a stop, else the newest remark; "" if there is none.
        joints: state of an arm's joints in which a motion that is requested now would begin; None for a robot
            whose motions are not planned.
    """

    t_s: float
    mono_ns: int
    taken: int
    behaviour: int
    behaviour_state: int
    state: int
    abandoned: int
    p_WB: tuple[float, float]
    yaw_rad: float
    velocity: tuple[float, float, float]
    text: str
    joints: JointState | None = None


class CommandMailbox:
    """Shared memory for commands and their progress; loop and agent each have an instance.

    Args:
        robot: the robot, which must be the same on both sides.
        fd: file descriptor of memory made by `CommandMailbox(robot)` in another process; None makes new
            memory.

    Attributes:
        fd: file descriptor of the memory, to be passed to a child process; the kernel frees the memory when
            the last process has closed it.
        most: length of the longest request, in numbers.
    """

    def __init__(self, robot: RobotModel, fd: int | None = None) -> None:
        self.most = most_request_numbers(robot)
        streams = StreamRow(robot).data.size
        self._na = 0 if robot.floating or robot.na > MOST_JOINTS else robot.na
        self._head = 8 * (1 + len(STATUS_NUMBERS))
        status = self._head + 8 * len(STATES) * self._na + TEXT_BYTES
        sizes = [8 * (1 + self.most), 8 * streams, 8, status]
        places = np.cumsum([0, *(SharedPart.HEAD_BYTES + size for size in sizes)]).tolist()
        if fd is None:
            fd = os.memfd_create("kilohertz-commands")
            os.ftruncate(fd, places[-1])
        self.fd = fd
        self._memory = mmap.mmap(fd, places[-1])
        parts = [SharedPart(self._memory, at, size) for at, size in zip(places, sizes, strict=False)]
        self._request, self._streams, self._stop, self._status = parts
        self._request_numbers = self._request.body.view(np.float64)
        self._stream_numbers = self._streams.body.view(np.float64)
        self._stop_number = self._stop.body.view(np.int64)
        head, text = self._head, status - TEXT_BYTES
        self._status_ns: NDArray[np.int64] = self._status.body[:8].view(np.int64)
        self._status_numbers = self._status.body[8:head].view(np.float64)
        self._joints = self._status.body[head:text].view(np.float64).reshape(len(STATES), self._na)
        self._text = self._status.body[text:]
        self._seen_request = self._seen_streams = self._seen_stop = 0

    # The agent's side

    def post_request(self, number: int, row: RequestRow) -> None:
        """Sends a request to the loop; the one before it must have been taken.

        Args:
            number: number of the request, rising from 1.
            row: the request.
        """
        size = row.data.size
        self._request_numbers[0] = size
        self._request_numbers[1 : 1 + size] = row.data
        self._request_numbers[1 + size :] = 0.0
        self._request.publish(number)

    def post_streams(self, row: StreamRow) -> None:
        """Sends the newest samples of all streams to the loop; the row gets the next number."""
        number = self._streams.number + 1
        row.number[0] = number
        self._stream_numbers[:] = row.data
        self._streams.publish(number)

    def post_stop(self, kind: int) -> None:
        """Asks the loop to stop the robot: SOFT_STOP or DAMP."""
        self._stop_number[0] = kind
        self._stop.publish(self._stop.number + 1)

    def read_status(self) -> Status | None:
        """Returns the loop's newest status; None before the first tick, or while it is being written."""
        content = self._status.take() if self._status.number else None
        if content is None:
            return None
        head, text = self._head, len(content) - TEXT_BYTES
        joints = None
        if self._na:
            joints = JointState(*np.frombuffer(content[head:text]).reshape(len(STATES), self._na).copy())
        at = dict(zip(STATUS_NUMBERS, np.frombuffer(content[8:head]).tolist(), strict=True))
        return Status(
            t_s=at["t_s"],
            mono_ns=int(np.frombuffer(content[:8], np.int64)[0]),
            taken=int(at["taken"]),
            behaviour=int(at["behaviour"]),
            behaviour_state=int(at["behaviour_state"]),
            state=int(at["state"]),
            abandoned=int(at["abandoned"]),
            p_WB=(at["x_m"], at["y_m"]),
            yaw_rad=at["yaw_rad"],
            velocity=(at["forward_m_s"], at["left_m_s"], at["turn_rad_s"]),
            joints=joints,
            text=content[text:].rstrip(b"\0").decode(errors="replace"),
        )

    # The loop's side

    def collect_request(self, into: Vector) -> int:
        """Copies a new request into a row of numbers; called between two ticks.

        Args:
            into: (1 + most,) output: length of the request, then its numbers.

        Returns:
            Number of the request; 0 if there is no new one.
        """
        number = self._request.number
        if number == self._seen_request:
            return 0
        content = self._request.take()
        if content is None:
            return 0
        self._seen_request = number
        into[:] = np.frombuffer(content)
        return number

    def collect_streams(self, row: StreamRow) -> bool:
        """Copies new samples into the loop's row, and returns whether there were any; between two ticks."""
        number = self._streams.number
        if number == self._seen_streams:
            return False
        content = self._streams.take()
        if content is None:
            return False
        self._seen_streams = number
        row.data[:] = np.frombuffer(content)
        return True

    def collect_stop(self) -> int:
        """Returns the kind of a new stop; 0 if there is none. A kind that is being written counts as DAMP."""
        number = self._stop.number
        if number == self._seen_stop:
            return 0
        self._seen_stop = number
        content = self._stop.take()
        kind = int(np.frombuffer(content, np.int64)[0]) if content is not None else DAMP
        return SOFT_STOP if kind == SOFT_STOP else DAMP

    def publish_status(
        self,
        mono_ns: int,
        numbers: tuple[float, ...],
        text: bytes | None,
        joints: JointState | None = None,
    ) -> None:
        """Reports the newest tick; called between two ticks.

        Args:
            mono_ns: time on CLOCK_MONOTONIC [ns].
            numbers: the STATUS_NUMBERS, in their order.
            text: (TEXT_BYTES,) new text, padded with zeros; None leaves the text as it is.
            joints: state of the joints of an arm; None leaves it as it is.
        """
        self._status_ns[0] = mono_ns
        self._status_numbers[:] = numbers
        if joints is not None:
            self._joints[0], self._joints[1], self._joints[2] = joints.q, joints.v, joints.a
        if text is not None:
            self._text[:] = np.frombuffer(text, np.uint8)
        self._status.publish(self._status.number + 1)


def padded(text: str) -> bytes:
    """Returns a text as TEXT_BYTES bytes, cut or padded with zeros."""
    return text.encode()[:TEXT_BYTES].ljust(TEXT_BYTES, b"\0")
