"""Defines the log row of a tick: inputs and outputs of the brain, and time stamps.

All numbers are 8 bytes long, so a row is one contiguous block in the tick, in the ring and in the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kilohertz.controller.brain import Brain
from kilohertz.controller.gains.live import GainsRow, live_paths
from kilohertz.controller.streams.stream_row import StreamRow
from kilohertz.controller.supervision.motion import DONE, RUNNING, WAITING
from kilohertz.controller.supervision.request import RequestRow, behaviour_id, most_request_numbers
from kilohertz.controller.walking.route import STEPS_SHOWN
from kilohertz.controller.walking.speed import walks
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import OutsideRow, SensorRow, Vector
from kilohertz.rt.log.ring import Ring
from kilohertz.rt.log.schema import WARM_UP
from kilohertz.rt.loop.stamps import READ, RECORD, STAGE_COLUMNS, START, StageRing
from kilohertz.rt.loop.trace import STATES

BEHAVIOUR_STATES = ("", WAITING, RUNNING, DONE)
"""States of the behaviour, by the number in the field `behaviour_state`."""
STAMPS = (*STAGE_COLUMNS[:RECORD], STAGE_COLUMNS[READ], "due", "start")


def row_type(
    robot: RobotModel, *, live: bool, outside: bool = False, commanded: bool = False
) -> np.dtype[Any]:
    """Returns the row type of a robot.

    Args:
        robot: model of the robot.
        live: whether gains may change during the run; the row then contains those in force, and those that
            have arrived, from which a replay makes the former.
        outside: whether the base is measured from outside; the row then contains the newest pose.
        commanded: whether requests and streams may arrive during the run; the row then contains them.
    """
    nc, nh = len(robot.contacts), len(robot.hands)

    def vectors(**lengths: int) -> list[tuple[Any, ...]]:
        return [(name, "<f8", (n,)) for name, n in lengths.items() if n]

    groups: list[tuple[Any, ...]] = [
        ("tick", "<i8"),
        ("request", "<i8"),
        ("gains_generation", "<i8"),
        ("state", "<i8"),
        ("rung", "<i8"),
        ("qp_iterations", "<i8"),
        ("behaviour", "<i8"),
        ("behaviour_state", "<i8"),
        ("payload_kg", "<f8"),
        ("sensors", vectors(**dict(robot.new_sensor_row().fields))),
        ("command", vectors(**dict(robot.new_command_row().fields))),
        ("estimate", vectors(q=robot.nq, v=robot.nv, contact=nc)),
        ("balance", vectors(p_WC=3, v_WC=3, p_WC_des=3, v_WC_des=3, p_WS=3, zmp_des=2, w_F=6 * nc)),
        ("hands", vectors(p_WH_des=3 * nh, hand_active=nh)),
        ("steps", vectors(footsteps=5 * STEPS_SHOWN if walks(robot) else 0)),
        ("stamps_ns", [(name, "<i8") for name in STAMPS]),
    ]
    if nh and not robot.floating:
        groups.append(("w_H", "<f8", (6 * nh,)))
    if live:
        n = len(live_paths())
        groups += [("gains_arrived", "<i8"), ("gains", vectors(in_force=n, arrived=n))]
    if outside:
        groups.append(("outside", vectors(**dict(OutsideRow().fields))))
    if commanded:
        groups.append(("asked", vectors(numbers=1 + most_request_numbers(robot))))
        groups.append(("streams", vectors(**dict(StreamRow(robot).fields))))
    return np.dtype([group for group in groups if group[1]])


class Commands(Protocol):
    """Requests and streams that arrive during a run.

    Attributes:
        numbers: length of the newest request, and its numbers.
        count: number of the requests that have arrived.
        streams: the newest samples of all streams.
    """

    numbers: Vector
    count: int
    streams: StreamRow


class TickLog:
    """Writes a row for each tick into a ring buffer; all memory is allocated at construction.

    Args:
        row: type of the row, from `row_type`.
        sensors: sensor row that the brain reads.
        brain: brain whose output and estimate are recorded; its arrays must keep their address.
        gains: gains that the loop passes to the brain.
        requests: all requests of the run; a row stores the index of the active one.
        outside: row of the poses of the base that are measured from outside; None without.
        commands: requests and streams that may arrive during the run; None without.

    Attributes:
        ring: ring buffer that the recorder reads.
    """

    def __init__(
        self,
        row: np.dtype[Any],
        sensors: SensorRow,
        brain: Brain,
        gains: Any,
        requests: Sequence[RequestRow],
        outside: OutsideRow | None = None,
        commands: Commands | None = None,
    ) -> None:
        self.ring = Ring(row.itemsize // 8)
        cells = self.ring.row
        into = cells.view(row)[0]
        output, estimator = brain.output, brain.estimator
        copies: list[tuple[Vector, Any]] = [
            (block_of(cells, row, "sensors"), sensors.data),
            (block_of(cells, row, "command"), output.command.data),
            *_pairs(into["estimate"], estimator),
            *_pairs(into["balance"], output),
        ]
        if "hands" in (row.names or ()):
            copies += _pairs(into["hands"], output)
        if "steps" in (row.names or ()):
            copies += _pairs(into["steps"], output)
        if "w_H" in into.dtype.names:
            copies.append((into["w_H"], output.w_H))
        self._live = gains if isinstance(gains, GainsRow) else None
        if self._live is not None:
            copies.append((into["gains"]["in_force"], brain.tuning.numbers))
            copies.append((into["gains"]["arrived"], self._live.numbers))
            assert row.fields is not None
            self._arrived = row.fields["gains_arrived"][1] // 8
        if outside is not None:
            copies.append((block_of(cells, row, "outside"), outside.data))
        self._commands = commands
        if commands is not None:
            copies.append((block_of(cells, row, "asked"), commands.numbers))
            copies.append((block_of(cells, row, "streams"), commands.streams.data))
        # To copy contiguous blocks, a memoryview takes half of NumPy's time.
        self._blocks = [(_place(cells, place), _bytes(array)) for place, array in copies if _is_block(array)]
        self._others = [(place, array) for place, array in copies if not _is_block(array)]
        self._output, self._tuning = output, brain.tuning
        self._head = cells.data.cast("B").cast("q")
        self._payload = block_of(cells, row, "payload_kg")
        assert row.fields is not None
        self._stamps = row.fields["stamps_ns"][1] // 8
        self._indices = {id(request): i for i, request in enumerate(requests)}
        self._request: RequestRow | None = None
        self._behaviour = ""

    def warmed_up(self, request: RequestRow) -> None:
        """Records the sensor sample with which the brain was warmed up and reset."""
        self._push(WARM_UP, request)

    def tick(self, tick: int, request: RequestRow, stages: StageRing) -> None:
        """Records a tick whose command has been sent. Hot path."""
        row, at, head = stages.row, self._stamps, self._head
        head[at : at + RECORD] = stages.cells[row : row + RECORD]
        head[at + RECORD : at + len(STAMPS)] = stages.cells[row + READ : row + START + 1]
        self._push(tick, request)

    def _push(self, tick: int, request: RequestRow) -> None:
        head, output = self._head, self._output
        if request is not self._request:
            self._request = request
            index = self._indices.get(id(request))
            if index is None and self._commands is not None:
                # A request that has arrived during the run: its number follows those that were known before.
                index = len(self._indices) + self._commands.count - 1
            assert index is not None
            head[1] = index
        head[0] = tick
        if self._live is not None:
            head[2] = self._tuning.in_force
            head[self._arrived] = self._live.generation
        head[3] = STATES.index(output.state)
        head[4] = output.rung
        head[5] = output.qp_iterations
        if output.behaviour is not self._behaviour:
            self._behaviour = output.behaviour
            head[6] = behaviour_id(output.behaviour)
        head[7] = BEHAVIOUR_STATES.index(output.behaviour_state)
        self._payload[0] = output.payload_kg
        for place, block in self._blocks:
            head[place] = block
        for into, source in self._others:
            into[:] = source
        self.ring.push()


def block_of(cells: NDArray[np.int64], row: np.dtype[Any], name: str) -> Vector:
    """Returns a field or a group of fields of a row as one float vector, a view.

    Args:
        cells: (n,) row as 8-byte integers.
        row: type of the row.
        name: name of a top-level field or group.
    """
    assert row.fields is not None
    first = row.fields[name][1] // 8
    block: Vector = cells[first : first + row[name].itemsize // 8].view(np.float64)
    return block


def _is_block(array: Any) -> bool:
    return bool(array.dtype == np.float64 and array.flags.c_contiguous)


def _bytes(array: Vector) -> memoryview:
    return array.reshape(-1).data.cast("B").cast("q")


def _place(cells: NDArray[np.int64], part: Vector) -> slice:
    """Returns the cells of a row that a view of it covers."""
    first = (part.ctypes.data - cells.ctypes.data) // 8
    return slice(first, first + part.size)


def _pairs(into: Any, source: Any) -> list[tuple[Vector, Any]]:
    """Pairs each field of a group with the source's array of the same name."""
    arrays = [(name, getattr(source, name)) for name in into.dtype.names]
    return [(into[name].reshape(array.shape), array) for name, array in arrays]
