"""The telemetry process: reads the loop's ring and publishes the newest state at a constant rate.

The loop's process starts it and tells it what never changes; afterwards they share only the ring, which this
process cannot write. It may stop, fail or be killed without any effect on the loop, and a subscriber that
reads nothing has no effect on it: what does not fit into that subscriber's short queue is not sent.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import msgpack
import zmq

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.wire.endpoint import check_endpoint, default_endpoint
from kilohertz.robots.wire.sockets import new_context
from kilohertz.rt.host.other_cores import NO_CORE, leave_core
from kilohertz.rt.log.ring import PassiveReader, Ring
from kilohertz.rt.log.schema import type_of_schema
from kilohertz.rt.telemetry.content import HELLO, STATE, state_message

SUFFIX = "-telemetry"
QUEUED = 4
"""Messages that wait for a slow subscriber; further ones are not sent to it."""
HELLO_EVERY_S = 1.0
NICENESS = 10
LARGEST_SUBSCRIPTION = 64
SUBSCRIPTIONS_AT_ONCE = 32
START_S = 20.0
END_S = 2.0
READY = "ready"


def telemetry_endpoint(robot: str) -> str:
    """Returns the endpoint of a robot's telemetry, in a folder that only this user can access.

    Args:
        robot: name of the robot.

    Raises:
        ConfigError: the folder cannot be created, or other users can access it.
    """
    return default_endpoint(robot + SUFFIX)


class Publisher:
    """Publishes the messages of one run.

    Args:
        endpoint: endpoint to open, `ipc://PATH`.
        hello: the hello message, see `kilohertz.rt.telemetry.content`.

    Raises:
        ConfigError: the endpoint cannot be opened, or another process serves it.
    """

    def __init__(self, endpoint: str, hello: Mapping[str, Any]) -> None:
        check_endpoint(endpoint, keys=False, bind=True)
        self._hello = msgpack.packb([HELLO, dict(hello)])
        self._context = new_context(realtime=False)
        socket = self._context.socket(zmq.XPUB)
        socket.setsockopt(zmq.SNDHWM, QUEUED)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.XPUB_VERBOSE, 1)
        socket.setsockopt(zmq.MAXMSGSIZE, LARGEST_SUBSCRIPTION)
        self._socket = socket
        self._hello_at_s = 0.0
        try:
            socket.bind(endpoint)
        except zmq.ZMQError as error:
            self.close()
            raise ConfigError(f"{endpoint} cannot be opened: {error.strerror}") from None

    def publish(self, state: Mapping[str, Any], now_s: float) -> None:
        """Sends a state message, and the hello message to new subscribers and once per second.

        Args:
            state: the state message.
            now_s: time of any monotonic clock [s].
        """
        self.greet(now_s)
        self._socket.send(msgpack.packb([STATE, state]), zmq.NOBLOCK)

    def greet(self, now_s: float) -> None:
        """Sends the hello message if someone has subscribed, or if the last one was sent a second ago."""
        if self._subscribed() or now_s - self._hello_at_s >= HELLO_EVERY_S:
            self._hello_at_s = now_s
            self._socket.send(self._hello, zmq.NOBLOCK)

    def _subscribed(self) -> bool:
        new = False
        for _ in range(SUBSCRIPTIONS_AT_ONCE):
            try:
                new |= self._socket.recv(zmq.NOBLOCK)[:1] == b"\x01"
            except zmq.Again:
                break
        return new

    def close(self) -> None:
        """Closes the endpoint; what was not sent yet is dropped."""
        self._socket.close()
        self._context.term()


@contextmanager
def published(
    ring: Ring, hello: Mapping[str, Any], schema: str, core: int = NO_CORE
) -> Iterator[subprocess.Popen[bytes]]:
    """Publishes the rows of a ring from another process, for the duration of a `with` block.

    If the process cannot start, it says so in one sentence on standard error, and the run continues.

    Args:
        ring: ring buffer of the run.
        hello: the hello message; `robot_name` gives the endpoint, `rate_hz` the rate of the state messages.
        schema: definition of the rows, from `kilohertz.rt.log.schema.schema_text`.
        core: core that the process must not use.
    """
    code = "from kilohertz.rt.telemetry.publisher import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(ring.fd), str(ring.row.size), str(core)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=[ring.fd],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
        # Ctrl-C must reach the controller only.
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        with suppress(BrokenPipeError):
            process.stdin.write(json.dumps({"hello": hello, "schema": schema}).encode() + b"\n")
            process.stdin.flush()
        # So that its start does not fall into the first ticks.
        select.select([process.stdout], [], [], START_S)
        yield process
    finally:
        with suppress(BrokenPipeError):
            process.stdin.close()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def main() -> None:
    """Runs the telemetry process until the loop's process closes its standard input, or ends."""
    fd, cells, core = sys.argv[1:]
    leave_core(int(core))
    os.nice(NICENESS)
    setup = json.loads(sys.stdin.buffer.readline())
    hello = setup["hello"]
    try:
        publisher = Publisher(telemetry_endpoint(hello["robot_name"]), hello)
    except ConfigError as error:
        print(f"no telemetry: {error}", file=sys.stderr, flush=True)
        return
    print(READY, flush=True)
    try:
        _publish_until_closed(publisher, PassiveReader(int(cells), int(fd)), hello, setup["schema"])
    finally:
        publisher.close()


def _publish_until_closed(
    publisher: Publisher, reader: PassiveReader, hello: Mapping[str, Any], schema: str
) -> None:
    row_type = type_of_schema(schema)
    period_s = 1.0 / hello["rate_hz"]
    ends = select.poll()
    ends.register(0, select.POLLIN | select.POLLHUP)
    due_s = time.monotonic()
    dropped = 0
    while True:
        now_s = time.monotonic()
        # After a pause, no missed messages are caught up on.
        due_s = max(due_s + period_s, now_s)
        if ends.poll(1e3 * (due_s - now_s)):
            return
        now_s = time.monotonic()
        _, cells = reader.since()
        rows = cells.view(row_type)[:, 0] if len(cells) else None
        # The first row of a run is no tick.
        rows = rows[rows["tick"] >= 0] if rows is not None else None
        if rows is None or not len(rows):
            publisher.greet(now_s)
            continue
        publisher.publish(state_message(rows, hello, reader.dropped - dropped), now_s)
        dropped = reader.dropped
