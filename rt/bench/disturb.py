"""Load from other processes, as a busy robot computer has it, to be turned on and off."""

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

# Processors, memory, disk, sockets and timers at once.
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
    """A Python program in another process; it starts paused.

    Args:
        program: its source.
    """

    def __init__(self, program: str) -> None:
        self._process = subprocess.Popen([sys.executable, "-c", program], start_new_session=True)
        self.pause()

    def pause(self) -> None:
        """Stops it where it is."""
        os.kill(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Lets it go on."""
        os.kill(self._process.pid, signal.SIGCONT)

    def end(self) -> None:
        """Ends it for good."""
        self._process.kill()
        self._process.wait()


class RecorderAtWork:
    """The recorder of a run, to be held up and let go on with all that has come meanwhile.

    Args:
        session: of the run.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def pause(self) -> None:
        """Stops it where it is."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Lets it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        if self._session.recording is not None:
            os.kill(self._session.recording.pid, number)


@contextmanager
def stress(on: bool = True) -> Iterator[None]:
    """The whole computer under load, by stress-ng.

    Args:
        on: whether to; for loops that measure with and without.

    Raises:
        ConfigError: it is not installed.
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
        # To all of its workers, which it does not always take along.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
