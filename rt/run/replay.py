"""Replay of a log: runs the controller again on the recorded rows, which must give the same commands.

The commands are compared bit by bit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import pydantic
from numpy.typing import NDArray

from kilohertz.controller.brain import Brain
from kilohertz.controller.gains.live import GainsRow
from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.streams.stream_row import StreamRow
from kilohertz.controller.supervision.request import RequestRow, request_from_numbers
from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import OutsideRow, SensorRow, Vector
from kilohertz.rt.log.file import LogReader
from kilohertz.rt.log.header import LogHeader, libraries
from kilohertz.rt.log.row import block_of, row_type
from kilohertz.rt.log.schema import WARM_UP
from kilohertz.rt.run.brain_setup import estimator_of, no_mark, warm_up
from kilohertz.rt.run.summary import config_sha256, version

Cells = NDArray[np.int64]

PROGRESS_TICKS = 250


@dataclass(frozen=True)
class ReplayResult:
    """Result of a replay.

    Attributes:
        ticks: number of ticks that were run again.
        differ: number of these ticks whose command differs.
        bits: total number of bits of commands that differ.
        first: description of the first difference; "" if there is none.
        other_machine: processor on which the log was recorded, if it differs from this one; else "".
    """

    ticks: int
    differ: int
    bits: int
    first: str
    other_machine: str

    @property
    def identical(self) -> bool:
        """Whether all commands are equal bit by bit."""
        return self.differ == 0


class RecordedEstimator:
    """Estimator that returns the recorded estimates, for a run whose estimator used the true state.

    Args:
        robot: model of the robot.
    """

    def __init__(self, robot: RobotModel) -> None:
        self.q: Vector = np.array(robot.q_nominal)
        self.q_O = self.q
        self.v: Vector = np.zeros(robot.nv)
        self.contact = np.zeros(len(robot.contacts), dtype=bool)
        self.doubt = np.zeros(1)

    def know(self, estimate: Any) -> None:
        """Copies the recorded estimate of a row."""
        for name in estimate.dtype.names:
            getattr(self, name)[:] = estimate[name]

    def reset(self, sensors: SensorRow) -> None:
        """Does nothing, because the estimates come from the log."""

    def update(self, sensors: SensorRow, planned_contact: NDArray[np.bool_], dt_s: float) -> None:
        """Does nothing, because the estimates come from the log."""


class ReplayedBrain:
    """The controller of a recorded run, built again from the header of its log.

    Args:
        header: header of the log.
        row: type of the rows of the log.
        robot: name or folder of the robot, if its folder has been moved; None for that in the header.

    Attributes:
        robot: model of the robot.
        gains: gains at the start of the run.
        command: (n,) data of the command row, updated by each step.

    Raises:
        ConfigError: version, robot, gains or row type differ from those of the recorded run, or the log lacks
            the beginning of the run.
    """

    def __init__(self, header: LogHeader, row: np.dtype[Any], robot: str | None = None) -> None:
        if header.first_tick:
            raise ConfigError(
                f"the log begins at tick {header.first_tick} of its run, so the controller cannot be run "
                "again: use `khz log worst`, `tick`, `info`, `plot` or `export`"
            )
        _require_same_versions(header)
        self.robot = model = RobotModel.load(robot or header.robot, stands=False)
        try:
            gains = Gains.model_validate(header.gains)
        except pydantic.ValidationError:
            raise ConfigError("the log's gains are not those of this version") from None
        if model.model_sha256 != header.model_sha256:
            raise ConfigError(
                f"the log was made with another model of '{model.name}' than {model.model_path}"
            )
        if config_sha256(model, gains) != header.config_sha256:
            raise ConfigError(f"the log was made with another robot.yaml than {model.folder / 'robot.yaml'}")
        measured = "outside" in (row.names or ())
        if row != row_type(model, live=header.live, outside=measured, commanded=header.commanded):
            raise ConfigError("the log's rows are not those of this version")
        truth = header.scenario.get("estimator") == "truth"
        self._told = RecordedEstimator(model) if truth else None
        outside = OutsideRow() if measured and model.floating else None
        estimator: Any = self._told or estimator_of(model, gains, outside)
        streams = StreamRow(model) if header.commanded else None
        self.brain = Brain(model, gains, estimator, header.period_ns * 1e-9, streams)
        self.command: Vector = self.brain.output.command.data
        self._requests = [request_from_numbers(model, numbers) for numbers in header.requests]
        self._sensors = model.new_sensor_row()
        self.gains = gains
        self._gains = GainsRow(gains) if header.live else gains
        self._row: Cells = np.zeros(row.itemsize // 8, np.int64)
        self._named = self._row.view(row)[0]
        self._sensed = block_of(self._row, row, "sensors")
        self._streams = (
            (streams.data, block_of(self._row, row, "streams"), block_of(self._row, row, "asked"))
            if streams is not None
            else None
        )
        self._index = -1
        self._outside = (outside.data, block_of(self._row, row, "outside")) if outside is not None else None

    def step(self, row: Cells) -> None:
        """Runs the controller on one row of the log."""
        self._row[:] = row
        named = self._named
        self._sensors.data[:] = self._sensed
        if self._outside is not None:
            pose, recorded = self._outside
            pose[:] = recorded
        if self._told is not None:
            self._told.know(named["estimate"])
        if isinstance(self._gains, GainsRow):
            self._gains.generation = int(named["gains_arrived"])
            self._gains.numbers[:] = named["gains"]["arrived"]
        if self._streams is not None:
            newest, streamed, _ = self._streams
            newest[:] = streamed
        request = self._request_of(int(named["request"]), int(named["tick"]))
        if named["tick"] == WARM_UP:
            warm_up(self.brain, self._sensors, request, self._gains)
        else:
            self.brain.step(self._sensors, request, self._gains, no_mark)

    def _request_of(self, index: int, tick: int) -> RequestRow:
        """Returns the request of a row; one that has arrived during the run is in the row itself."""
        if index != self._index:
            self._index = index
            if 0 <= index < len(self._requests):
                self._request = self._requests[index]
            elif self._streams is not None and index >= len(self._requests):
                size, *numbers = self._streams[2].tolist()
                self._request = request_from_numbers(self.robot, numbers[: int(size)])
            else:
                raise ConfigError(f"tick {tick} of the log follows a request that it does not contain")
        return self._request


def replay(
    reader: LogReader, robot: str | None = None, progress: Callable[[float], None] | None = None
) -> ReplayResult:
    """Runs the controller again on a whole log, and compares the commands bit by bit.

    Args:
        reader: reader of the log, at its beginning.
        robot: name or folder of the robot, if its folder has been moved.
        progress: called every PROGRESS_TICKS ticks with the time of the run [s].

    Raises:
        ConfigError: version, robot, gains or row type differ from those of the recorded run, or rows are
            missing.
    """
    header, row = reader.header, reader.row
    brain = ReplayedBrain(header, row, robot)
    ticks = differ = bits = 0
    first = ""
    command = brain.command.view(np.int64)
    assert row.fields is not None
    at = row.fields["command"][1] // 8
    for block in reader.blocks():
        if reader.lost:
            raise ConfigError(f"{reader.path} cannot be replayed: {reader.lost} of its rows were lost")
        for cells in block.view(np.int64).reshape(len(block), -1):
            brain.step(cells)
            if cells[0] == WARM_UP:
                continue
            ticks += 1
            unlike = command ^ cells[at : at + command.size]
            if unlike.any():
                differ += 1
                bits += int(np.bitwise_count(unlike.view(np.uint64)).sum())
                first = first or _difference(
                    header, row, cells, brain.command, int(np.flatnonzero(unlike)[0])
                )
            if progress is not None and ticks % PROGRESS_TICKS == 0:
                progress(ticks * header.period_ns * 1e-9)
    processor = header.machine.get("processor", "unknown")
    other = "" if processor == llvm.get_host_cpu_name() else processor
    return ReplayResult(ticks, differ, bits, first, other)


def _difference(header: LogHeader, row: np.dtype[Any], cells: Cells, command: Vector, at: int) -> str:
    """Describes a difference between a recorded command and the one of the replay.

    Args:
        header: header of the log.
        row: type of the rows of the log.
        cells: the row of the log.
        command: (n,) command of the replay.
        at: index of the first number that differs.
    """
    fields = row["command"].fields
    assert fields is not None
    starts = {name: field[1] // 8 for name, field in fields.items()}
    name = max((name for name in starts if starts[name] <= at), key=starts.__getitem__)
    joint = f" of {header.joint_names[at - starts[name]]}" if row["command"][name].shape != (1,) else ""
    was = float(block_of(cells, row, "command")[at])
    tick = int(cells[0])
    return (
        f"tick {tick} ({tick * header.period_ns * 1e-9:.3f} s): {name}{joint} was {was!r}, "
        f"is {float(command[at])!r}"
    )


def _require_same_versions(header: LogHeader) -> None:
    ours = {"kilohertz": version(), **libraries()}
    for name, theirs in {"kilohertz": header.version, **header.libraries}.items():
        if ours.get(name) != theirs:
            raise ConfigError(f"the log was made with {name} {theirs}, this is {ours.get(name, 'without')}")
