"""Finds the process of the loop behind a control endpoint, to stop it by a signal when its agent is dead.

While a run takes commands at an ipc endpoint, a file beside the socket names the process of its loop, with
the time at which that process started: another process may get the same number later.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.config.user_file import read_user_file
from kilohertz.robots.wire.own_peer import IPC, require_own_peer

SUFFIX = ".pid"
MOST_BYTES = 100
SECOND_AFTER_S = 0.1
"""Time from a first signal, which stops softly, to a second one, which damps the joints [s]."""
_START_FIELD = 19
"""Index of the start time in /proc/PID/stat, behind the name of the program."""


@contextmanager
def named_at(endpoint: str) -> Iterator[None]:
    """Names this process as that of the loop, beside an ipc endpoint, for the duration of a `with` block."""
    if not endpoint.startswith(IPC):
        yield
        return
    path = _path_of(endpoint)
    new = path.with_name(f"{path.name}-{os.getpid()}")
    try:
        new.write_text(f"{os.getpid()} {_started(os.getpid())}\n")
        os.replace(new, path)
    except OSError:
        # Without the file the run can be stopped by its agent only, as at an endpoint of another computer.
        new.unlink(missing_ok=True)
    try:
        yield
    finally:
        if _process_of(path) == os.getpid():
            path.unlink(missing_ok=True)


def stop_by_signal(endpoint: str, *, damp: bool) -> bool:
    """Stops the loop behind an ipc endpoint by SIGTERM, which needs no agent.

    Args:
        endpoint: control endpoint.
        damp: whether to damp the joints at once, instead of coming to rest first.

    Returns:
        Whether there is such a process of this user.

    Raises:
        ConfigError: another user could have put the file there.
    """
    if not endpoint.startswith(IPC):
        return False
    require_own_peer(endpoint)
    pid = _process_of(_path_of(endpoint))
    if pid is None:
        return False
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGTERM)
        if damp:
            time.sleep(SECOND_AFTER_S)
            os.kill(pid, signal.SIGTERM)
        return True
    return False


def _path_of(endpoint: str) -> Path:
    return Path(endpoint.removeprefix(IPC) + SUFFIX)


def _process_of(path: Path) -> int | None:
    """Returns the number of the process that a file names; None if that process has ended."""
    try:
        text = read_user_file(path, MOST_BYTES, "the name of a process", follow_links=False).decode()
        pid, started = (int(number) for number in text.split())
    except (ConfigError, ValueError):
        return None
    return pid if pid > 1 and _started(pid) == started else None


def _started(pid: int) -> int | None:
    """Returns when a process started, in ticks of the kernel since the boot; None if there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return int(text.rpartition(")")[2].split()[_START_FIELD])
