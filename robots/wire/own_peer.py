"""Refuses a peer of this computer that another user may be, where no keys tell who it is.

Whoever can write a folder can put a socket there that answers like the robot. A controller would then believe
that it has stopped the robot, or send it commands that never arrive.
"""

from __future__ import annotations

import stat
from pathlib import Path

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.config.ownership import name_of, problem_of_entry, problem_of_folder, trusted_uids

IPC, TCP = "ipc://", "tcp://"
_LISTENS = "0A"
_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))


def require_own_peer(endpoint: str) -> None:
    """Refuses an endpoint of this computer at which another user serves, or could serve.

    Args:
        endpoint: `ipc://PATH`, or `tcp://HOST:PORT` on the loopback address. There may be no peer yet: call
            this again when it has answered.

    Raises:
        ConfigError: another user serves or could serve there; the text is one sentence.
    """
    problem = (
        _problem_of_socket(Path(endpoint.removeprefix(IPC)))
        if endpoint.startswith(IPC)
        else _problem_of_port(int(endpoint.rpartition(":")[2]))
    )
    if problem:
        raise ConfigError(
            f"{endpoint}: {problem}, so that another user could pretend to be the robot: use an endpoint in "
            "a folder of your own, or keys (`khz keys new`)"
        )


def require_own_folder(endpoint: str) -> None:
    """Refuses to open an ipc endpoint in a folder where other users could replace it.

    Raises:
        ConfigError: they could; the text is one sentence.
    """
    if endpoint.startswith(IPC):
        problem = problem_of_folder(Path(endpoint.removeprefix(IPC)).absolute().parent, shared=True)
        if problem:
            raise ConfigError(
                f"{endpoint}: {problem}, so that another user could take the robot's place: use a folder of "
                "your own, or keys (`khz keys new`)"
            )


def _problem_of_socket(path: Path) -> str:
    problem = problem_of_folder(path.absolute().parent, shared=True)
    if problem:
        return problem
    try:
        status = path.lstat()
    except OSError:
        return ""  # no peer yet
    if not stat.S_ISSOCK(status.st_mode) and not stat.S_ISLNK(status.st_mode):
        return f"{path} is not a socket"
    return problem_of_entry(path)


def _problem_of_port(port: int) -> str:
    """Returns who else listens at a port of this computer, by the kernel's table of connections."""
    for table in _TABLES:
        try:
            rows = [line.split() for line in table.read_text().splitlines()[1:]]
        except OSError:
            continue
        for row in rows:
            if row[3] == _LISTENS and int(row[1].rpartition(":")[2], 16) == port:
                uid = int(row[7])
                if uid not in trusted_uids():
                    return f"port {port} is served by {name_of(uid)}"
    return ""
