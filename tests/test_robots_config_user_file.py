"""A user's file is a regular file of limited size; whatever else a path names is refused at once."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.config.user_file import create_user_file, decoded, open_user_file, read_user_file
from kilohertz.robots.config.yaml_file import Config, load_yaml
from kilohertz.rt.log.file import LogReader
from kilohertz.rt.offline.csv_table import read_table


def pipe(folder: Path) -> Path:
    path = folder / "pipe"
    os.mkfifo(path)
    return path


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"x" * 100)
    assert read_user_file(path, 100) == b"x" * 100
    with pytest.raises(ConfigError, match=r"a\.yaml: is larger than 0 kB, which is too large for a tune"):
        read_user_file(path, 99, "a tune")


# Each of these would wait for a writer, if it did not refuse the pipe.
@pytest.mark.parametrize(
    "read",
    [
        lambda path: open_user_file(path),
        lambda path: load_yaml(path, Config),
        lambda path: LogReader(path),
        lambda path: read_table(path),
    ],
)
def test_a_pipe_is_refused_at_once(tmp_path: Path, read) -> None:
    with pytest.raises(ConfigError, match="is a pipe, not a file: write its content to a file first"):
        read(pipe(tmp_path))


def test_what_is_no_regular_file_is_refused_by_its_kind(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a folder, not a file"):
        open_user_file(tmp_path)
    with pytest.raises(ConfigError, match="is a device, not a file"):
        open_user_file(Path("/dev/zero"))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        with pytest.raises(ConfigError, match="is a socket, not a file"):
            open_user_file(tmp_path / "s")
    with pytest.raises(ConfigError, match="does not exist"):
        open_user_file(tmp_path / "none")
    with pytest.raises(ConfigError, match="cannot be read: embedded null byte"):
        open_user_file(Path("a\0b"))


def test_links_are_followed_only_where_they_may_be(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "a")
    assert read_user_file(link, 10) == b"x"
    with pytest.raises(ConfigError, match="is a symbolic link: put the file itself there"):
        read_user_file(link, 10, follow_links=False)
    assert read_user_file(tmp_path / "a", 10, follow_links=False) == b"x"


def test_text_that_is_not_utf_8_is_refused_where_it_is_not() -> None:
    assert decoded("\ufeffä".encode(), Path("a")) == "ä"
    with pytest.raises(ConfigError, match=r"a:2:3: is not UTF-8 text"):
        decoded(b"x\nab\xed\xa0\x80", Path("a"))


def test_writing_waits_for_no_reader(tmp_path: Path) -> None:
    path = pipe(tmp_path)
    with pytest.raises(OSError, match="No such device or address"):
        create_user_file(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with create_user_file(path) as file:
        file.write(b"x" * 10)
    assert os.read(reader, 100) == b"x" * 10
    os.close(reader)
    with create_user_file(tmp_path / "new") as file:
        assert os.get_blocking(file.fileno())
        file.write(b"long")
    with create_user_file(tmp_path / "new") as file:
        file.write(b"x")
    assert (tmp_path / "new").read_bytes() == b"x"
