"""The folder of logs of this user: where runs leave their log by themselves, and how its size is limited.

Oldest logs are removed first. A log that is being written is locked by its recorder, and never removed; the
lock ends with the recorder, for whatever reason that ends.
"""

from __future__ import annotations

import fcntl
import os
import time
from dataclasses import dataclass
from pathlib import Path

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.config.ownership import problem_of_folder

FOLDER, MEGABYTES, RUNS = "KILOHERTZ_LOGS", "KILOHERTZ_LOGS_MB", "KILOHERTZ_LOGS_RUNS"
"""Environment variables: the folder, its largest size [MB], and the largest number of logs in it; with 0 of
either, a run leaves no log by itself."""
DEFAULT_MB, DEFAULT_RUNS = 2000, 200
ONE_RUN = 0.5
"""Largest fraction of the size of the folder that the log of one run takes."""
FREE_BYTES = 200_000_000
"""Space on the disk below which a run leaves no log by itself [bytes]."""
SUFFIX = ".mcap"
_RECENT_S = 10.0


@dataclass(frozen=True)
class Limits:
    """Limits of the folder of logs.

    Attributes:
        most_bytes: largest size of all logs together [bytes].
        most_runs: largest number of logs.
    """

    most_bytes: int
    most_runs: int

    @property
    def none_kept(self) -> bool:
        """Whether runs leave no log by themselves."""
        return self.most_bytes <= 0 or self.most_runs <= 0

    @property
    def one_run_bytes(self) -> int:
        """Largest size of the log of one run [bytes]."""
        return int(ONE_RUN * self.most_bytes)


@dataclass(frozen=True)
class Storage:
    """How the log of a run is kept in the user's folder of logs.

    Attributes:
        limits: limits of the folder.
        only_trouble: whether the log is written only if the run ends badly.
    """

    limits: Limits
    only_trouble: bool


def limits_of_user() -> Limits:
    """Returns the limits that the environment sets, or else the default ones.

    Raises:
        ConfigError: a limit in the environment is no whole number >= 0.
    """
    return Limits(1_000_000 * _number(MEGABYTES, DEFAULT_MB), _number(RUNS, DEFAULT_RUNS))


def _number(variable: str, default: int) -> int:
    text = os.environ.get(variable, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ConfigError(f"{variable} is a whole number from 0 on, not '{text[:40]}'")
    return int(text)


def log_folder() -> Path:
    """Returns the folder of logs of this user; it may not exist yet.

    This is `$KILOHERTZ_LOGS` if set, else `kilohertz/logs` in `$XDG_STATE_HOME` or `~/.local/state`.
    """
    named = os.environ.get(FOLDER)
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "kilohertz" / "logs"


def ready_folder() -> Path:
    """Returns the folder of logs of this user, after it was created and checked.

    Raises:
        ConfigError: it cannot be created or written, other users can change what is in it, or the disk is
            nearly full; the text is one sentence.
    """
    folder = log_folder()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        disk = os.statvfs(folder)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be made: {error.strerror}") from None
    problem = problem_of_folder(folder)
    if problem:
        raise ConfigError(
            f"{problem}, so that other users could replace logs in {folder}: take the permission away "
            f"(chmod go-w), or set {FOLDER} to a folder of your own"
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(f"{folder} cannot be written: permission denied")
    if disk.f_bavail * disk.f_frsize < FREE_BYTES:
        raise ConfigError(f"less than {FREE_BYTES // 1_000_000} MB are free on the disk of {folder}")
    return folder


def lock(fd: int) -> None:
    """Locks an open log against removal, until it is closed or its process ends.

    Raises:
        BlockingIOError: another process has locked it.
        OSError: the file system has no locks.
    """
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def being_written(path: Path) -> bool:
    """Whether a recorder may still write to a log."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        lock(fd)
    except BlockingIOError:
        return True
    except OSError:
        # A file system without locks: one that is written grows several times per second.
        return time.time() - os.fstat(fd).st_mtime < _RECENT_S
    else:
        return False
    finally:
        os.close(fd)


def logs_in(folder: Path) -> list[tuple[Path, os.stat_result]]:
    """Returns the logs in a folder with their status, the newest first; empty if there is no such folder."""
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(SUFFIX) and entry.is_file(follow_symlinks=False):
                    found.append((Path(entry.path), entry.stat(follow_symlinks=False)))
    except OSError:
        return []
    return sorted(found, key=lambda each: (each[1].st_mtime_ns, each[0].name), reverse=True)


def newest_log(folder: Path | None = None) -> Path:
    """Returns the newest log of a folder; of the user's folder of logs if None.

    Raises:
        ConfigError: there is none, or other users can change what is in the folder.
    """
    folder = folder or log_folder()
    logs = logs_in(folder)
    if not logs:
        raise ConfigError(f"there is no log in {folder}: runs of `khz sim` and `khz run` leave one there")
    problem = problem_of_folder(folder)
    if problem:
        raise ConfigError(f"{problem}, so that logs in {folder} could be another user's: name the file")
    return logs[0][0]


def make_room(folder: Path, limits: Limits, more_bytes: int = 0, more_runs: int = 0) -> list[Path]:
    """Removes the oldest logs until the folder is within its limits.

    Args:
        folder: folder of logs.
        limits: limits of the folder.
        more_bytes: space that is needed besides [bytes].
        more_runs: number of logs that will be added.

    Returns:
        The logs that were removed. One that is being written, or cannot be removed, stays.
    """
    logs = logs_in(folder)
    n_bytes, n_runs = more_bytes + sum(status.st_size for _, status in logs), more_runs + len(logs)
    removed = []
    for path, status in reversed(logs):
        if n_bytes <= limits.most_bytes and n_runs <= limits.most_runs:
            break
        if being_written(path):
            continue
        try:
            path.unlink()
        except OSError:
            continue
        removed.append(path)
        n_bytes, n_runs = n_bytes - status.st_size, n_runs - 1
    return removed
