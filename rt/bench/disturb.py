"""Load from other processes, as on a busy robot computer, that can be switched on and off."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kilohertz.robots.config.config_error import ConfigError

if TYPE_CHECKING:
    from kilohertz.rt.run.session import Session

# Loads processors, memory, disk, sockets and timers at the same time.
STRESS = "--cpu 2 --vm 1 --vm-bytes 64M --io 1 --sock 1 --timer 1 --quiet"

_HOG = "while True: pass"
_PICKLES = """
import pickle, time
message = {"image": bytes(1_000_000), "numbers": list(range(10_000))}
while True:
    pickle.loads(pickle.dumps(message))
    time.sleep(0.01)
"""
PROGRAMS = {"CPU hog": _HOG, "1 MB pickles at 100 Hz": _PICKLES}


class Disturbance:
    """A Python program in another process, which starts suspended.

    Args:
        program: source code of the program.
    """

    def __init__(self, program: str) -> None:
        self._process = subprocess.Popen([sys.executable, "-c", program], start_new_session=True)
        self.pause()

    def pause(self) -> None:
        """Suspends the process."""
        os.kill(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Resumes the process."""
        os.kill(self._process.pid, signal.SIGCONT)

    def end(self) -> None:
        """Kills the process and waits for its end."""
        self._process.kill()
        self._process.wait()


class RecorderAtWork:
    """The recorder process of a run; after a pause it has a backlog of rows to write.

    Args:
        session: the session of the run.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def pause(self) -> None:
        """Suspends the recorder."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Resumes the recorder."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        if self._session.recording is not None:
            os.kill(self._session.recording.pid, number)


@contextmanager
def stress(on: bool = True) -> Iterator[None]:
    """Puts the whole computer under load with stress-ng.

    Args:
        on: False adds no load.

    Raises:
        ConfigError: stress-ng is not installed.
    """
    if not on:
        yield
        return
    program = shutil.which("stress-ng")
    if program is None:
        raise ConfigError("stress-ng is not installed: apt install stress-ng")
    process = subprocess.Popen(
        [program, *STRESS.split()],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        # To the whole process group: stress-ng does not always end its workers.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
