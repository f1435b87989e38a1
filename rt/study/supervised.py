"""Runs a task in a child process that may crash or hang, on this computer or on one of a cluster."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from typing import IO, Any

from kilohertz.rt.host.threads import MATH_THREAD_VARIABLES

CRASHED, HUNG = "crashed", "hung"
"""How a run ended if its process ended by itself, or did not answer in time."""
LOG_BYTES = 20_000
DUMP_S = 2.0
"""Time in which a hung process may write where it hangs [s]."""


class Child:
    """A child process for tasks, one at a time."""

    def __init__(self) -> None:
        read_task, self._tasks = os.pipe()
        self._answers, write_answer = os.pipe()
        self._log: IO[bytes] = tempfile.TemporaryFile(prefix="kilohertz-study-")  # noqa: SIM115 - see `close`
        paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
        one_thread = dict.fromkeys(MATH_THREAD_VARIABLES, "1")
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "kilohertz.rt.study.child", str(read_task), str(write_answer)],
                pass_fds=(read_task, write_answer),
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                env={**os.environ, **one_thread, "PYTHONPATH": paths},
            )
        finally:
            os.close(read_task)
            os.close(write_answer)
        self._rest = b""

    def call(self, function: str, argument: Any, timeout_s: float) -> tuple[str, Any]:
        """Runs one task.

        Args:
            function: what to call, as `module:name`.
            argument: plain data.
            timeout_s: time after which the process counts as hung [s].

        Returns:
            "" and the answer; or CRASHED or HUNG, and what the process last wrote. The process is then gone.
        """
        self._log.seek(0)
        self._log.truncate()
        line = json.dumps({"function": function, "argument": argument}) + "\n"
        try:
            _write(self._tasks, line.encode())
            answer = self._read_line(time.monotonic() + timeout_s)
        except OSError:
            answer = b""
        if answer:
            return "", json.loads(answer)
        if answer is None:
            self._process.send_signal(signal.SIGABRT)
            self._wait(DUMP_S)
            log = f"no answer within {timeout_s:g} s\n{self._written()}"
            self.close()
            return HUNG, log
        self._wait(DUMP_S)
        log = f"{_ending(self._process.poll())}\n{self._written()}"
        self.close()
        return CRASHED, log

    def _read_line(self, until_s: float) -> bytes | None:
        """Returns the answer; b"" if the process ended, None if it did not answer in time."""
        parts = [self._rest]
        while b"\n" not in parts[-1]:
            left_s = until_s - time.monotonic()
            if left_s <= 0.0 or not select.select([self._answers], [], [], left_s)[0]:
                return None
            part = os.read(self._answers, 65536)
            if not part:
                return b""
            parts.append(part)
        line, _, self._rest = b"".join(parts).partition(b"\n")
        return line

    def _wait(self, timeout_s: float) -> None:
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _written(self) -> str:
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - LOG_BYTES))
        return self._log.read().decode(errors="replace")

    def kill(self) -> None:
        """Ends the process from another thread than that of `call`, which then returns CRASHED."""
        self._process.kill()

    def close(self) -> None:
        """Ends the process, also within a task; a second call does nothing."""
        if self._tasks < 0:
            return
        os.close(self._tasks)
        os.close(self._answers)
        self._tasks = -1
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._log.close()


def _write(fd: int, content: bytes) -> None:
    while content:
        content = content[os.write(fd, content) :]


def _ending(status: int | None) -> str:
    if status is not None and status < 0:
        return f"the process was ended by {signal.Signals(-status).name}"
    return f"the process ended by itself with status {status}"


_idle: list[Child] = []
_busy: set[Child] = set()
_lock = threading.Lock()


def supervised(function: str, argument: Any, timeout_s: float) -> tuple[str, Any]:
    """Runs a task in an idle child process of this one, or in a new one; see `Child.call`."""
    with _lock:
        child = _idle.pop() if _idle else Child()
        _busy.add(child)
    healthy = False
    try:
        status, answer = child.call(function, argument, timeout_s)
        healthy = not status
    finally:
        with _lock:
            _busy.discard(child)
            if healthy:
                _idle.append(child)
        if not healthy:
            child.close()
    return status, answer


def close_children(*, busy: bool = False) -> None:
    """Ends all idle child processes.

    Args:
        busy: whether those with a task are ended too; their tasks then count as crashed.
    """
    with _lock:
        children, _idle[:] = list(_idle), []
        if busy:
            for child in _busy:
                child.kill()
    for child in children:
        child.close()
