"""Tells whether only this user can have written what is at a path.

Compiled code is run, and a list of keys lets peers command a robot: what another user of the computer could
have put there must not be used. Trusted owners are this user, root, and with `sudo` the user who called it.
Nobody else may be able to write, except a user's own group, whose only member is that user.
"""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

ROOT_UID = 0


def trusted_uids() -> frozenset[int]:
    """Returns the ids of the users whose files are trusted: this user, root, and the caller of `sudo`."""
    own = os.geteuid()
    uids = {own, ROOT_UID}
    called_by = os.environ.get("SUDO_UID", "")
    if own == ROOT_UID and called_by.isdecimal():
        uids.add(int(called_by))
    return frozenset(uids)


def problem_of_folder(folder: Path, *, shared: bool = False) -> str:
    """Returns why other users can have changed what is in a folder; "" if they cannot.

    Args:
        folder: path of the folder; all folders above it are checked too.
        shared: whether the folder may be one in which everyone can create files but not replace those of
            others (`/tmp`).
    """
    try:
        real = folder.resolve(strict=True)
        for place in (real, *real.parents):
            status = place.stat()
            if place == real and not stat.S_ISDIR(status.st_mode):
                return f"{place} is not a folder"
            sticky = bool(status.st_mode & stat.S_ISVTX) and (shared or place != real)
            problem = _problem_of(place, status, sticky, above=place != real)
            if problem:
                return problem
    except (OSError, RuntimeError) as error:
        return f"{folder} cannot be examined ({getattr(error, 'strerror', None) or error})"
    return ""


def problem_of_entry(path: Path) -> str:
    """Returns why a file or socket can be another user's, without following links; "" if it is ours.

    The folders above it are not checked: see `problem_of_folder`.
    """
    try:
        status = path.lstat()
    except OSError as error:
        return f"{path} cannot be examined ({error.strerror})"
    if stat.S_ISLNK(status.st_mode):
        return f"{path} is a symbolic link"
    # Whoever can connect to a socket can write to it, but not take its place.
    return _problem_of(path, status, sticky=stat.S_ISSOCK(status.st_mode))


def name_of(uid: int) -> str:
    """Returns the name of a user, for a sentence."""
    try:
        return f"user '{pwd.getpwuid(uid).pw_name}'"
    except KeyError:
        return f"user {uid}"


def _problem_of(path: Path, status: os.stat_result, sticky: bool, above: bool = False) -> str:
    if status.st_uid not in trusted_uids() and not (above and status.st_uid == _unmapped_root()):
        return f"{path} belongs to {name_of(status.st_uid)}"
    if sticky:
        return ""
    if status.st_mode & stat.S_IWOTH:
        return f"{path} can be written by every user"
    if status.st_mode & stat.S_IWGRP and not _is_private_group(status):
        return f"{path} can be written by other users of its group"
    return ""


def _is_private_group(status: os.stat_result) -> bool:
    """Whether a group is that of root, or of one user: such a group has the number of its user."""
    return status.st_gid in (ROOT_UID, status.st_uid)


def _unmapped_root() -> int | None:
    """Returns the id by which a container shows root of the computer; None outside of a container."""
    try:
        if Path("/proc/self/uid_map").read_text().split() == ["0", "0", "4294967295"]:
            return None
        return int(Path("/proc/sys/kernel/overflowuid").read_text())
    except (OSError, ValueError):
        return None
