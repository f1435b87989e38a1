"""The row that a log keeps of each tick: what went into the brain, what came out, and when.

All of its numbers are 8 bytes long, so it is one block of memory in the tick, in the ring and in the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kilohertz.controller.brain import Brain
from kilohertz.controller.gains.live import GainsRow, live_paths
from kilohertz.controller.request import RequestRow
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import SensorRow, Vector
from kilohertz.rt.log.ring import Ring
from kilohertz.rt.loop.stamps import READ, RECORD, STAGE_COLUMNS, START, StageRing
from kilohertz.rt.loop.trace import STATES

WARM_UP = -1
"""In place of the tick: not a tick, but the sample that the brain was warmed up with and reset to."""
STAMPS = (*STAGE_COLUMNS[:RECORD], STAGE_COLUMNS[READ], "due", "start")


def row_type(robot: RobotModel, *, live: bool) -> np.dtype[Any]:
    """The row of a robot; `live` where its gains may change on the way."""
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
        ("payload_kg", "<f8"),
        ("sensors", vectors(**dict(robot.new_sensor_row().fields))),
        ("command", vectors(**dict(robot.new_command_row().fields))),
        ("estimate", vectors(q=robot.nq, v=robot.nv, contact=nc)),
        ("balance", vectors(p_WC=3, v_WC=3, p_WC_des=3, v_WC_des=3, p_WS=3, zmp_des=2, w_F=6 * nc)),
        ("hands", vectors(p_WH_des=3 * nh, hand_active=nh)),
        ("stamps_ns", [(name, "<i8") for name in STAMPS]),
    ]
    if live:
        groups.append(("gains", vectors(numbers=len(live_paths()))))
    return np.dtype([group for group in groups if group[1]])


class TickLog:
    """Fills a row with each tick and pushes it; everything is allocated here.

    Args:
        row: its type, as `row_type` gives it.
        sensors: the row that the brain reads.
        brain: whose output and estimator are noted; their arrays keep their address.
        gains: what the loop hands to the brain.
        requests: all that may be asked of the brain; a row tells which by its place.

    Attributes:
        ring: for the recorder.
    """

    def __init__(
        self,
        row: np.dtype[Any],
        sensors: SensorRow,
        brain: Brain,
        gains: Any,
        requests: Sequence[RequestRow],
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
            *_pairs(into["hands"], output),
        ]
        self._live = gains if isinstance(gains, GainsRow) else None
        if self._live is not None:
            copies.append((into["gains"]["numbers"], self._live.numbers))
        # Between blocks of bytes a memoryview copies in half of NumPy's time.
        self._blocks = [(_place(cells, place), _bytes(array)) for place, array in copies if _is_block(array)]
        self._others = [(place, array) for place, array in copies if not _is_block(array)]
        self._output = output
        self._head = cells.data.cast("B").cast("q")
        self._payload = block_of(cells, row, "payload_kg")
        assert row.fields is not None
        self._stamps = row.fields["stamps_ns"][1] // 8
        self._indices = {id(request): i for i, request in enumerate(requests)}
        self._request: RequestRow | None = None

    def warmed_up(self, request: RequestRow) -> None:
        """Notes that the brain was warmed up on the sample that the sensor row holds, and reset to it."""
        self._push(WARM_UP, request)

    def tick(self, tick: int, request: RequestRow, stages: StageRing) -> None:
        """Notes a tick that has been written. Hot path."""
        row, at, head = stages.row, self._stamps, self._head
        head[at : at + RECORD] = stages.cells[row : row + RECORD]
        head[at + RECORD : at + len(STAMPS)] = stages.cells[row + READ : row + START + 1]
        self._push(tick, request)

    def _push(self, tick: int, request: RequestRow) -> None:
        head, output = self._head, self._output
        if request is not self._request:
            self._request = request
            head[1] = self._indices[id(request)]
        head[0] = tick
        if self._live is not None:
            head[2] = self._live.generation
        head[3] = STATES.index(output.state)
        head[4] = output.rung
        head[5] = output.qp_iterations
        self._payload[0] = output.payload_kg
        for place, block in self._blocks:
            head[place] = block
        for into, source in self._others:
            into[:] = source
        self.ring.push()


def block_of(cells: NDArray[np.int64], row: np.dtype[Any], name: str) -> Vector:
    """A field of a row, or a group of them, as one vector."""
    assert row.fields is not None
    first = row.fields[name][1] // 8
    block: Vector = cells[first : first + row[name].itemsize // 8].view(np.float64)
    return block


def _is_block(array: Any) -> bool:
    return bool(array.dtype == np.float64 and array.flags.c_contiguous)


def _bytes(array: Vector) -> memoryview:
    return array.reshape(-1).data.cast("B").cast("q")


def _place(cells: NDArray[np.int64], part: Vector) -> slice:
    """Where a part of a row lies in it."""
    first = (part.ctypes.data - cells.ctypes.data) // 8
    return slice(first, first + part.size)


def _pairs(into: Any, source: Any) -> list[tuple[Vector, Any]]:
    """Each field of a group with the array of the same name."""
    arrays = [(name, getattr(source, name)) for name in into.dtype.names]
    return [(into[name].reshape(array.shape), array) for name, array in arrays]
