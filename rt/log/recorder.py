"""The recorder: a process of its own that takes rows out of the ring and writes them to a log.

It is there before the loop is; nothing that happens to it (killed, stopped, its disk full) is felt in the
tick, which goes on to fill the ring. What is missing then is counted, in the log and at the end of the run.
"""

from __future__ import annotations

import importlib.util
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.log.header import LogHeader
from kilohertz.rt.log.ring import Ring

if TYPE_CHECKING:
    from kilohertz.rt.log.file import LogWriter

LOSSY = "lossy"
READY = "ready"
POLL_MS = 20
ROWS_AT_ONCE = 512
PATIENCE_S = 5.0
NO_CORE = -1
MISSING = "logs need the library mcap: pip install 'kilohertz[log]'"


def can_record() -> bool:
    """Whether the library that writes and reads logs is installed."""
    return importlib.util.find_spec("mcap") is not None


def require_library() -> None:
    """Refuses to record, or to read what was, where the library for it is not installed.

    Raises:
        ConfigError: it is not.
    """
    if not can_record():
        raise ConfigError(MISSING)


def new_path(folder: Path, name: str, now: datetime) -> Path:
    """A file for a new log, named by what is run and when; made nobody's yet."""
    stem = f"{name}-{now:%Y%m%d-%H%M%S}"
    path, n = folder / f"{stem}.mcap", 1
    while path.exists():
        n += 1
        path = folder / f"{stem}-{n}.mcap"
    return path


class Recording:
    """The recorder's process, seen from the loop's.

    Args:
        process: that runs `main`.
        ring: that it empties.
        path: of the log.
    """

    def __init__(self, process: subprocess.Popen[bytes], ring: Ring, path: Path) -> None:
        self.path = path
        self.pid = process.pid
        self._process, self._ring = process, ring

    def catch_up(self) -> str:
        """After the last tick: waits until the recorder has come to it.

        Returns:
            What of the run is not in the log, in words; "" if all is.
        """
        ring, until_s = self._ring, time.monotonic() + PATIENCE_S
        ring.end()
        while self._is_behind() and self._process.poll() is None and time.monotonic() < until_s:
            time.sleep(POLL_MS * 1e-3)
        if self._process.poll() is not None:
            return f"{ring.pushed - ring.written} rows lost: the recorder has ended"
        if ring.errno:
            return f"{ring.pushed - ring.written} rows lost: {os.strerror(ring.errno)}"
        if self._is_behind():
            # It is stopped, or waits for its disk, and would not hear of any end.
            self._process.kill()
            return f"{ring.pushed - ring.written} rows lost: the recorder hangs"
        return f"{ring.lost} rows lost: the recorder was too slow" if ring.lost else ""

    def _is_behind(self) -> bool:
        return self._ring.written + self._ring.lost < self._ring.pushed and not self._ring.errno

    def finish(self, summary: dict[str, Any] | None = None) -> None:
        """Has the log ended, with what came of the run."""
        process = self._process
        assert process.stdin is not None
        if process.stdin.closed:
            return
        # Whoever is dead cannot be told.
        with suppress(BrokenPipeError):
            if summary is not None and process.poll() is None:
                process.stdin.write(json.dumps(summary).encode())
            process.stdin.close()
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def recorded(
    ring: Ring, path: Path, header: LogHeader, schema: str, core: int = NO_CORE
) -> Iterator[Recording]:
    """Has a ring recorded by another process, as long as it lasts.

    Args:
        ring: of the run.
        path: a file that is not there yet, in a folder that is.
        header: of the log.
        schema: of its rows.
        core: that the process must keep away from.

    Raises:
        ConfigError: the log cannot be written.
    """
    code = "from kilohertz.rt.log.recorder import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(path), str(ring.fd), str(ring.row.size), str(core)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=[ring.fd],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
        # Ctrl-C is for the controller.
        start_new_session=True,
    )
    recording = Recording(process, ring, path)
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(BrokenPipeError):
            process.stdin.write(json.dumps({"header": header.as_text(), "schema": schema}).encode() + b"\n")
            process.stdin.flush()
        answer = process.stdout.readline().decode().strip()
        if answer != READY:
            raise ConfigError(f"{path} cannot be written: {answer or 'its recorder does not start'}")
        yield recording
    finally:
        recording.finish()
        process.stdout.close()  # type: ignore[union-attr]


class _Words:
    """What the controller says, on standard input: a line, and when all is over a word about it."""

    def __init__(self, fd: int = 0) -> None:
        self._fd = fd
        self._poll = select.poll()
        self._poll.register(fd, select.POLLIN)
        self._heard = bytearray()
        self.over = False

    def line(self) -> bytes:
        """The first line."""
        while b"\n" not in self._heard and not self.over:
            self.listen(POLL_MS)
        line, _, rest = bytes(self._heard).partition(b"\n")
        self._heard = bytearray(rest)
        return line

    def listen(self, at_most_ms: int) -> None:
        """Waits for words, but not for long."""
        if self._poll.poll(at_most_ms):
            data = os.read(self._fd, 1 << 16)
            self._heard += data
            self.over = not data

    def last(self) -> dict[str, Any] | None:
        """What the controller said at the end; None if it ended without a word."""
        try:
            summary: dict[str, Any] = json.loads(self._heard)
        except ValueError:
            return None
        return summary


class Drain:
    """Moves rows from a ring into a log.

    Args:
        ring: that the tick fills.
        writer: of the log.
        period_s: of the ticks [s].
        say: told that the log cannot go on, once.
    """

    def __init__(self, ring: Ring, writer: LogWriter, period_s: float, say: Callable[[str], None]) -> None:
        self._ring, self._writer, self._period_s, self._say = ring, writer, period_s, say
        self._lost = ring.lost

    def drain(self, *, last: bool = False) -> None:
        """Takes all that there is."""
        ring, writer = self._ring, self._writer
        # What comes meanwhile may wait: there are other things to hear.
        for _ in range(ring.behind // ROWS_AT_ONCE + 1):
            numbers, rows = ring.take(ROWS_AT_ONCE, last=last)
            if len(numbers):
                ticks = rows[:, 0]
                if ring.lost != self._lost:
                    self._tell_lost(max(int(ticks[0]), 0))
                writer.add(numbers, ticks, rows)
        if ring.ended and not ring.behind:
            writer.flush()
        if writer.errno and not ring.errno:
            self._say(f"the log ends here: {os.strerror(writer.errno)}; the run goes on")
        ring.report(writer.written, writer.errno)

    def _tell_lost(self, tick: int) -> None:
        new, self._lost = self._ring.lost - self._lost, self._ring.lost
        self._writer.add_event(tick * self._period_s, LOSSY, f"{new} rows lost before this")


def main() -> None:
    """The recorder's process: ends when it is told to, or when its controller is no more."""
    path, fd, cells, core = sys.argv[1:]
    _step_aside(int(core))
    words = _Words()
    told = json.loads(words.line())
    header = LogHeader.of_text(told["header"])
    from kilohertz.rt.log.file import LogWriter

    try:
        writer = LogWriter(Path(path), header, told["schema"])
    except OSError as error:
        print(error.strerror, flush=True)
        return
    ring = Ring(int(cells), int(fd))
    drain = Drain(ring, writer, header.period_ns * 1e-9, _say)
    print(READY, flush=True)
    while not words.over:
        words.listen(POLL_MS)
        drain.drain()
    drain.drain(last=True)
    summary = words.last()
    for event in summary["events"] if summary is not None else ():
        writer.add_event(event["t_s"], event["kind"], event["text"])
    writer.close(summary)
    ring.report(writer.written, writer.errno)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _step_aside(core: int) -> None:
    """Leaves the loop's core, and any real-time priority that was inherited."""
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    others = os.sched_getaffinity(0) - {core}
    if others:
        os.sched_setaffinity(0, others)
