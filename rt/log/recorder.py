"""Runs the recorder: a separate process that takes rows out of the ring buffer and writes them to a log.

The recorder starts before the loop. If it is killed or stopped, or its disk is full, the tick is not affected
and continues to fill the ring. Lost rows are counted, in the log and in the summary of the run.
"""

from __future__ import annotations

import importlib.util
import json
import os
import select
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.host.other_cores import NO_CORE, leave_core
from kilohertz.rt.log.folder import Limits, Storage
from kilohertz.rt.log.header import LogHeader
from kilohertz.rt.log.ring import Ring

if TYPE_CHECKING:
    from kilohertz.rt.log.sinks import Sink

LOSSY = "lossy"
READY = "ready"
POLL_MS = 20
ROWS_AT_ONCE = 512
PATIENCE_S = 5.0
WRITING_S = 60.0
"""Longest time to write what was kept in memory, after the run [s]."""
MISSING = "logs need the library mcap; install it with: pip install 'kilohertz[log]'"


def can_record() -> bool:
    """Returns whether the library that writes and reads logs is installed."""
    return importlib.util.find_spec("mcap") is not None


def require_library() -> None:
    """Raises an error if the library that writes and reads logs is not installed.

    Raises:
        ConfigError: the library is not installed.
    """
    if not can_record():
        raise ConfigError(MISSING)


def new_path(folder: Path, name: str, now: datetime) -> Path:
    """Returns an unused path for a new log, `NAME-DATE-TIME.mcap`; the file is not created.

    Raises:
        ConfigError: every user can write the folder, and so put another file in the place of the log.
    """
    mode = folder.stat().st_mode if folder.exists() else 0
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        raise ConfigError(
            f"{folder} can be written by every user, who could replace the log: take the permission away "
            "(chmod o-w), or name another folder"
        )
    stem = f"{name}-{now:%Y%m%d-%H%M%S}"
    path, n = folder / f"{stem}.mcap", 1
    while os.path.lexists(path):
        n += 1
        path = folder / f"{stem}-{n}.mcap"
    return path


class Recording:
    """Controls the recorder process from the loop's process.

    Args:
        process: process that runs `main`.
        ring: ring buffer that it reads.
        path: path of the log.
        storage: how the log is kept.

    Attributes:
        died: whether the process ended by itself during the run; known after `catch_up`.
        only_trouble: whether the log is written only if the run ends badly.
    """

    def __init__(
        self, process: subprocess.Popen[bytes], ring: Ring, path: Path, storage: Storage | None = None
    ) -> None:
        self.path = path
        self.only_trouble = storage is not None and storage.only_trouble
        self._limited = storage is not None
        self.pid = process.pid
        self.died = False
        self._process, self._ring = process, ring

    def catch_up(self) -> str:
        """Waits, after the last tick, until the recorder has stored all rows.

        Returns:
            Number of lost rows and the reason, in words; "" if no row is lost.
        """
        ring, until_s = self._ring, time.monotonic() + PATIENCE_S
        ring.end()
        while self._is_behind() and self._process.poll() is None and time.monotonic() < until_s:
            time.sleep(POLL_MS * 1e-3)
        self.died = self._process.poll() is not None and not ring.errno
        if self._process.poll() is not None:
            return f"{ring.pushed - ring.written} rows lost: the recorder process ended"
        if ring.errno:
            return f"{ring.pushed - ring.written} rows lost: {os.strerror(ring.errno)}"
        if self._is_behind():
            # A recorder that is stopped, or blocked by its disk, would not react to an end of its input.
            self._process.kill()
            return f"{ring.pushed - ring.written} rows lost: the recorder does not respond"
        return f"{ring.lost} rows lost: the recorder was too slow" if ring.lost else ""

    def _is_behind(self) -> bool:
        return self._ring.written + self._ring.lost < self._ring.pushed and not self._ring.errno

    def finish(self, summary: dict[str, Any] | None = None, *, trouble: bool = True) -> None:
        """Ends the log, and ends the recorder process.

        Args:
            summary: summary of the run; None if there is none.
            trouble: whether the run ended badly.
        """
        process = self._process
        assert process.stdin is not None
        if process.stdin.closed:
            return
        # A recorder that has ended no longer reads its input.
        with suppress(BrokenPipeError):
            if summary is not None and process.poll() is None:
                process.stdin.write(json.dumps({"summary": summary, "trouble": trouble}).encode())
            process.stdin.close()
        try:
            process.wait(WRITING_S if self._limited else PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def recorded(
    ring: Ring,
    path: Path,
    header: LogHeader,
    schema: str,
    core: int = NO_CORE,
    storage: Storage | None = None,
) -> Iterator[Recording]:
    """Records a ring buffer with another process, for the duration of a `with` block.

    Args:
        ring: ring buffer of the run.
        path: a file that does not exist yet, in an existing folder.
        header: header of the log.
        schema: definition of the rows, from `kilohertz.rt.log.schema.schema_text`.
        core: core that the recorder must not use.
        storage: how the log is kept in the user's folder of logs; None to write all of it anywhere.

    Raises:
        ConfigError: the log cannot be written.
        RuntimeError: the process of the recorder ended by itself before it was ready.
    """
    code = "from kilohertz.rt.log.recorder import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(path), str(ring.fd), str(ring.row.size), str(core)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=[ring.fd],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
        # Ctrl-C must reach the controller only.
        start_new_session=True,
    )
    recording = Recording(process, ring, path, storage)
    kept = None if storage is None else asdict(storage)
    setup = {"header": header.as_text(), "schema": schema, "storage": kept}
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(BrokenPipeError):
            process.stdin.write(json.dumps(setup).encode() + b"\n")
            process.stdin.flush()
        answer = process.stdout.readline().decode().strip()
        if answer != READY:
            if not answer:
                raise RuntimeError(f"{path} cannot be written: the process of the recorder ended by itself")
            raise ConfigError(f"{path} cannot be written: {answer}")
        yield recording
    finally:
        recording.finish()
        process.stdout.close()  # type: ignore[union-attr]


class _ControllerPipe:
    """Reads from the controller on standard input: one line of setup, then at the end the summary."""

    def __init__(self, fd: int = 0) -> None:
        self._fd = fd
        self._poll = select.poll()
        self._poll.register(fd, select.POLLIN)
        self._received = bytearray()
        self.closed = False

    def first_line(self) -> bytes:
        """Waits for the first line and returns it."""
        while b"\n" not in self._received and not self.closed:
            self.receive(POLL_MS)
        line, _, rest = bytes(self._received).partition(b"\n")
        self._received = bytearray(rest)
        return line

    def receive(self, at_most_ms: int) -> None:
        """Waits for data for at most so long [ms] and stores it."""
        if self._poll.poll(at_most_ms):
            data = os.read(self._fd, 1 << 16)
            self._received += data
            self.closed = not data

    def ending(self) -> dict[str, Any]:
        """Returns what the controller sent at its end: its summary, and whether the run ended badly.

        A controller that ends without a word has crashed.
        """
        try:
            ending: dict[str, Any] = json.loads(self._received)
        except ValueError:
            return {"summary": None, "trouble": True}
        return ending


class Drain:
    """Moves rows from a ring buffer into a log.

    Args:
        ring: ring buffer that the tick fills.
        sink: where the rows go.
        period_s: period of the ticks [s].
        report: called once with a sentence if the log cannot be continued.
    """

    def __init__(self, ring: Ring, sink: Sink, period_s: float, report: Callable[[str], None]) -> None:
        self._ring, self._sink, self._period_s, self._report = ring, sink, period_s, report
        self._lost = ring.lost

    def drain(self, *, last: bool = False) -> None:
        """Moves all rows that are in the ring now; `last` is as in `Ring.take`."""
        ring, sink = self._ring, self._sink
        # Rows that arrive meanwhile wait for the next call, so that input from the controller is read too.
        for _ in range(ring.behind // ROWS_AT_ONCE + 1):
            numbers, rows = ring.take(ROWS_AT_ONCE, last=last)
            if len(numbers):
                ticks = rows[:, 0]
                if ring.lost != self._lost:
                    self._add_lossy_event(max(int(ticks[0]), 0))
                sink.add(numbers, ticks, rows)
        if ring.ended and not ring.behind:
            sink.flush()
        if sink.errno and not ring.errno:
            self._report(f"the log ends here: {os.strerror(sink.errno)}; the run continues")
        ring.report(sink.written, sink.errno)

    def _add_lossy_event(self, tick: int) -> None:
        new, self._lost = self._ring.lost - self._lost, self._ring.lost
        self._sink.add_event(tick * self._period_s, LOSSY, f"{new} rows lost before this time")


def main() -> None:
    """Runs the recorder process until the controller ends it, or itself ends."""
    path, fd, cells, core = sys.argv[1:]
    leave_core(int(core))
    controller = _ControllerPipe()
    setup = json.loads(controller.first_line())
    header = LogHeader.of_text(setup["header"])
    from kilohertz.rt.log.sinks import FlightLog, sink_of

    storage = None if setup["storage"] is None else _storage_of(setup["storage"])
    try:
        sink = sink_of(Path(path), header, setup["schema"], storage, _print_error)
    except OSError as error:
        print(error.strerror, flush=True)
        return
    ring = Ring(int(cells), int(fd))
    drain = Drain(ring, sink, header.period_ns * 1e-9, _print_error)
    print(READY, flush=True)
    while not controller.closed:
        controller.receive(POLL_MS)
        drain.drain()
    drain.drain(last=True)
    ending = controller.ending()
    summary = ending["summary"]
    for event in summary["events"] if summary is not None else ():
        sink.add_event(event["t_s"], event["kind"], event["text"])
    if isinstance(sink, FlightLog):
        sink.trouble = ending["trouble"]
    sink.close(summary)
    ring.report(sink.written, sink.errno)


def _storage_of(words: dict[str, Any]) -> Storage:
    return Storage(Limits(**words["limits"]), words["only_trouble"])


def _print_error(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
