"""Files that another user could have written are refused, with the place and the reason."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from kilohertz.robots.config.ownership import name_of, problem_of_entry, problem_of_folder, trusted_uids

STRANGER = 54321
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")


def test_a_folder_of_ones_own_is_trusted(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    assert problem_of_folder(tmp_path) == ""
    assert problem_of_folder(Path("/")) == ""
    tmp_path.chmod(0o755)
    assert problem_of_folder(tmp_path) == ""


def test_a_folder_that_others_write_is_not(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "a").chmod(0o757)
    expected = f"{tmp_path}/a can be written by every user"
    assert problem_of_folder(tmp_path / "a") == problem_of_folder(inner) == expected
    # With the sticky bit, entries of others cannot be replaced, but new ones can be made.
    (tmp_path / "a").chmod(0o1777)
    assert problem_of_folder(inner) == ""
    assert problem_of_folder(tmp_path / "a") == expected
    assert problem_of_folder(tmp_path / "a", shared=True) == ""


def test_what_a_link_leads_to_is_examined(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "link").symlink_to("open")
    assert problem_of_folder(tmp_path / "link") == f"{tmp_path}/open can be written by every user"
    (tmp_path / "loop").symlink_to("loop")
    assert "cannot be examined" in problem_of_folder(tmp_path / "loop")
    assert "cannot be examined" in problem_of_folder(tmp_path / "none")
    (tmp_path / "file").touch()
    assert problem_of_folder(tmp_path / "file") == f"{tmp_path}/file is not a folder"


@needs_root
def test_a_group_is_trusted_only_if_it_is_a_users_own(tmp_path: Path) -> None:
    tmp_path.chmod(0o770)
    for gid, trusted in ((0, True), (100, False)):
        os.chown(tmp_path, 0, gid)
        assert (problem_of_folder(tmp_path) == "") == trusted


@needs_root
def test_a_strangers_file_is_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.touch(0o600)
    assert problem_of_entry(file) == ""
    os.chown(file, STRANGER, STRANGER)
    assert problem_of_entry(file) == f"{file} belongs to user {STRANGER}"
    # `sudo` is called by somebody who may do everything anyway.
    monkeypatch.setenv("SUDO_UID", str(STRANGER))
    assert problem_of_entry(file) == ""
    assert trusted_uids() == {0, STRANGER}


def test_a_link_is_no_file_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "file").touch(0o600)
    (tmp_path / "link").symlink_to("file")
    assert problem_of_entry(tmp_path / "link") == f"{tmp_path}/link is a symbolic link"
    (tmp_path / "file").chmod(0o666)
    assert problem_of_entry(tmp_path / "file") == f"{tmp_path}/file can be written by every user"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        (tmp_path / "s").chmod(0o777)
        assert problem_of_entry(tmp_path / "s") == ""


def test_a_user_is_named() -> None:
    assert name_of(0) == "user 'root'"
    assert name_of(STRANGER) == f"user {STRANGER}"
