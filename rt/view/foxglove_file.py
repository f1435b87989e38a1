"""Writes a log for Foxglove, Lichtblick and PlotJuggler, with the topics and schemas that they expect.

The log itself holds each number once, and no place of a link: that is found here, from the robot's model. The
recorder has no model, and at the rate of the ticks these topics would make a log four times as large.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from mcap.writer import Writer
from numpy.typing import NDArray

from kilohertz.robots.config.user_file import create_user_file
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.log.file import LogReader
from kilohertz.rt.log.header import LogHeader
from kilohertz.rt.telemetry.content import state_message
from kilohertz.rt.telemetry.hello import hello_of
from kilohertz.rt.view.foxglove_messages import LOG, NUMBERS, ROBOT, SCHEMAS, FoxgloveMessages

NEEDED = ("tick", "state", "behaviour", "behaviour_state", "estimate", "sensors", "command", "stamps_ns")


def write_foxglove(reader: LogReader, file: Path, rate_hz: float, robot: str | None = None) -> int:
    """Writes a log as an MCAP file with the topics of `kilohertz.rt.view.foxglove_messages`.

    Args:
        reader: open log of a run, at its beginning.
        file: file to write.
        rate_hz: messages per second of each topic; from the rate of the ticks on, each tick has one [Hz].
        robot: folder of the robot, if it is no longer where the log says.

    Returns:
        Number of states written.

    Raises:
        ConfigError: the log or the robot cannot be used.
        OSError: the file cannot be written.
    """
    reader.require_run()
    reader.require(*NEEDED)
    header = reader.header
    model = RobotModel.load(robot or header.robot, stands=False)
    messages = FoxgloveMessages(model)
    hello = hello_of(header, model, None, rate_hz)
    step = max(1, round(1e9 / (rate_hz * header.period_ns)))
    written = 0
    with create_user_file(file) as out:
        topics = _Topics(out, header)
        topics.add(ROBOT, messages.meshes(header.started_ns), header.started_ns)
        last = -1
        for rows in _in_steps(reader.blocks(), step):
            tick = int(rows["tick"][-1])
            state = state_message(rows, hello, tick - last - len(rows))
            time_ns, last = header.started_ns + tick * header.period_ns, tick
            for topic, content in messages.of_state(state, time_ns, scene=True).items():
                topics.add(topic, content, time_ns)
            written += 1
        # The summary of the run, and with it the events, are at the end of a log.
        for event in reader.events:
            time_ns = header.started_ns + round(event["t_s"] * 1e9)
            topics.add(LOG, messages.log(event["kind"], event["text"], time_ns), time_ns)
        topics.finish()
    return written


class _Topics:
    """Writes messages to the topics of an MCAP file."""

    def __init__(self, out: BinaryIO, header: LogHeader) -> None:
        self._writer = writer = Writer(out)
        writer.start(profile="", library=f"kilohertz {header.version}")
        writer.add_metadata("kilohertz", {"robot": header.robot_name, "scenario": header.scenario["name"]})
        self._channels: dict[str, int] = {}
        for topic, kind in SCHEMAS.items():
            schema = kind.get_schema()
            number = writer.register_schema(schema.name, schema.encoding, schema.data)
            self._channels[topic] = writer.register_channel(topic, "protobuf", number)

    def add(self, topic: str, content: Any, time_ns: int) -> None:
        """Adds a message: one of Foxglove's, or a dict for NUMBERS."""
        if topic == NUMBERS:
            data = json.dumps(content, allow_nan=False).encode()
            if topic not in self._channels:
                schema = json.dumps(schema_of(content)).encode()
                number = self._writer.register_schema("kilohertz.Telemetry", "jsonschema", schema)
                self._channels[topic] = self._writer.register_channel(topic, "json", number)
        else:
            data = content.encode()
        self._writer.add_message(self._channels[topic], time_ns, data, time_ns)

    def finish(self) -> None:
        """Writes the index of the file."""
        self._writer.finish()


def schema_of(value: Any) -> dict[str, Any]:
    """Returns the JSON schema of a value, by which viewers name what can be plotted."""
    if isinstance(value, dict):
        return {"type": "object", "properties": {name: schema_of(inner) for name, inner in value.items()}}
    if isinstance(value, list):
        return {"type": "array", "items": schema_of(value[0]) if value else {}}
    if isinstance(value, bool):
        return {"type": "boolean"}
    return {"type": "string" if isinstance(value, str) else "number"}


def _in_steps(blocks: Iterator[NDArray[Any]], step: int) -> Iterator[NDArray[Any]]:
    """Yields the rows of each `step` periods together, without the row of the warm-up."""
    waiting: NDArray[Any] | None = None
    for block in blocks:
        rows = block[block["tick"] >= 0]
        rows = rows if waiting is None else np.concatenate((waiting, rows))
        *whole, waiting = np.split(rows, np.flatnonzero(np.diff(rows["tick"] // step)) + 1)
        yield from whole
    if waiting is not None and len(waiting):
        yield waiting
