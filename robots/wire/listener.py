"""The socket at which a robot accepts connections."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.wire.zmtp import KERNEL_BUFFER_BYTES

IPC_BACKLOG = 64
TCP_BACKLOG = 512


class Listener:
    """Opens an endpoint and accepts its connections without waiting.

    Args:
        endpoint: address to bind, `ipc://PATH` or `tcp://HOST:PORT`; `*` is every address of this computer.
        private: whether only this user may connect to an ipc socket.

    Raises:
        ConfigError: the endpoint cannot be bound.
    """

    def __init__(self, endpoint: str, *, private: bool = True) -> None:
        if endpoint.startswith("ipc://@"):
            raise ConfigError(
                f"{endpoint}: a path that begins with '@' is in no folder, so that every user could connect; "
                "give the path of a file"
            )
        self._path = Path(endpoint[6:]) if endpoint.startswith("ipc://") else None
        self._inode = 0
        try:
            if self._path is not None:
                self._socket = self._bound_file(self._path, private)
            else:
                self._socket = _bound_address(endpoint[6:])
        except OSError as error:
            raise ConfigError(f"the endpoint {endpoint} cannot be opened: {error.strerror}") from None

    def _bound_file(self, path: Path, private: bool) -> socket.socket:
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            # A file that a killed process has left behind; `check_endpoint` refuses one that is in use.
            if path.is_socket():
                path.unlink()
            # To connect, one needs the permission to write the socket.
            before = os.umask(0o177) if private else None
            try:
                listening.bind(str(path))
            finally:
                if before is not None:
                    os.umask(before)
            listening.listen(IPC_BACKLOG)
            self._inode = path.stat().st_ino
        except OSError:
            listening.close()
            raise
        listening.setblocking(False)
        return listening

    def fileno(self) -> int:
        """Returns the file descriptor, for a poller."""
        return self._socket.fileno()

    def accept(self) -> socket.socket | None:
        """Accepts one connection; None if there is none, or if no file descriptor is left. Hot path."""
        try:
            stream, _ = self._socket.accept()
        except OSError:
            return None
        stream.setblocking(False)
        with contextlib.suppress(OSError):  # the peer may have left already
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER_BYTES)
            if self._path is None:
                stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return stream

    def close(self) -> None:
        """Frees the endpoint."""
        self._socket.close()
        if self._path is not None:
            with contextlib.suppress(OSError):
                if self._path.stat().st_ino == self._inode:
                    self._path.unlink()


def _bound_address(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    name = "0.0.0.0" if host == "*" else host.strip("[]")
    try:
        family, kind, _, _, place = socket.getaddrinfo(name, int(port), type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise OSError(error.errno, f"{name} is no address of this computer") from None
    listening = socket.socket(family, kind)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted connections inherit this size.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BUFFER_BYTES)
        listening.bind(place)
        listening.listen(TCP_BACKLOG)
    except OSError:
        listening.close()
        raise
    listening.setblocking(False)
    return listening
