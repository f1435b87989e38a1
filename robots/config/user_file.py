"""Opens a file that a user names: a regular file of limited size, so that none can hang or fill the memory.

Opening a pipe waits for its writer, reading a terminal waits for its user, and a device may never end. Every
reader of a user's file therefore opens it here.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from kilohertz.robots.config.config_error import ConfigError, Problem

_KINDS = (
    (stat.S_ISDIR, "is a folder, not a file"),
    (stat.S_ISFIFO, "is a pipe, not a file: write its content to a file first"),
    (stat.S_ISSOCK, "is a socket, not a file"),
    (stat.S_ISCHR, "is a device, not a file"),
    (stat.S_ISBLK, "is a device, not a file"),
)


def open_user_file(path: Path, *, follow_links: bool = True) -> BinaryIO:
    """Opens a regular file for reading; never waits.

    Args:
        path: path of the file.
        follow_links: whether the path may be a symbolic link.

    Raises:
        ConfigError: there is no such file, it is no regular file, or it cannot be read.
    """
    # O_NONBLOCK: opening a pipe without a writer would wait for one. A regular file ignores it.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        if not follow_links and path.is_symlink():
            raise ConfigError(Problem("is a symbolic link: put the file itself there", path))
        # Before opening it: opening a device can have effects.
        refuse_other_kinds(path, path.stat())
        fd = os.open(path, flags if follow_links else flags | os.O_NOFOLLOW)
    except FileNotFoundError:
        raise ConfigError(Problem("does not exist", path)) from None
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise ConfigError(Problem(f"cannot be read: {reason.lower()}", path)) from None
    file = os.fdopen(fd, "rb")
    try:
        refuse_other_kinds(path, os.fstat(fd))
    except ConfigError:
        file.close()
        raise
    return file


def create_user_file(path: Path) -> BinaryIO:
    """Opens a file that a user names for writing, from its beginning; never waits.

    Raises:
        OSError: the file cannot be written, or is a pipe from which nothing reads.
    """
    # O_NONBLOCK: opening a pipe without a reader would wait for one; then writing may wait for it.
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    fd = os.open(path, flags, 0o666)
    os.set_blocking(fd, True)
    return os.fdopen(fd, "wb")


def refuse_other_kinds(path: Path, status: os.stat_result) -> None:
    """Raises ConfigError if a path is no regular file; `status` is its status."""
    for is_kind, sentence in _KINDS:
        if is_kind(status.st_mode):
            raise ConfigError(Problem(sentence, path))


def read_user_file(
    path: Path, most_bytes: int, use: str = "a configuration file", *, follow_links: bool = True
) -> bytes:
    """Reads a whole regular file of limited size; never waits.

    Args:
        path: path of the file.
        most_bytes: largest size that is accepted [bytes].
        use: what the file is, for the sentence about its size.
        follow_links: whether the path may be a symbolic link.

    Raises:
        ConfigError: there is no such file, it is no regular file, is too large, or cannot be read.
    """
    with open_user_file(path, follow_links=follow_links) as file:
        try:
            content = file.read(most_bytes + 1)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise ConfigError(Problem(f"cannot be read: {reason}", path)) from None
    if len(content) > most_bytes:
        raise ConfigError(Problem(f"is larger than {_size(most_bytes)}, which is too large for {use}", path))
    return content


def decoded(content: bytes, path: Path) -> str:
    """Returns the text of a file in UTF-8, without a byte order mark.

    Raises:
        ConfigError: it is not UTF-8; the text names line and column.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - (content.rfind(b"\n", 0, error.start) + 1) + 1
        raise ConfigError(Problem("is not UTF-8 text", path, line, column)) from None


def _size(n_bytes: int) -> str:
    return f"{n_bytes // 1_000_000} MB" if n_bytes > 1_000_000 else f"{n_bytes // 1000} kB"
