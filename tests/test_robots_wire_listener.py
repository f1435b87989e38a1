"""An endpoint is opened, accepted from without waiting, and freed."""

from __future__ import annotations

import resource
import socket
from pathlib import Path

import pytest

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.wire.listener import Listener

pytestmark = pytest.mark.unit


def test_it_accepts_whoever_connects_and_never_waits(tmp_path: Path) -> None:
    listener = Listener(f"ipc://{tmp_path}/robot")
    assert listener.accept() is None
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(f"{tmp_path}/robot")
        stream = listener.accept()
        assert stream is not None
        assert not stream.getblocking()
        stream.close()
    listener.close()
    assert not (tmp_path / "robot").exists()


def test_what_a_killed_process_left_behind_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(f"{tmp_path}/robot")
    Listener(f"ipc://{tmp_path}/robot").close()


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "robot").write_text("kept")
    with pytest.raises(ConfigError, match="cannot be opened"):
        Listener(f"ipc://{tmp_path}/robot")
    assert (tmp_path / "robot").read_text() == "kept"


def test_the_endpoint_of_a_successor_is_not_removed(tmp_path: Path) -> None:
    first = Listener(f"ipc://{tmp_path}/robot")
    (tmp_path / "robot").rename(tmp_path / "old")
    second = Listener(f"ipc://{tmp_path}/robot")
    first.close()
    assert (tmp_path / "robot").exists()
    second.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "*"])
def test_a_network_address_is_opened_and_freed(host: str) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    listener = Listener(f"tcp://{host}:{port}")
    with socket.create_connection(("127.0.0.1", port)):
        stream = listener.accept()
        assert stream is not None
        assert stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        stream.close()
    listener.close()
    Listener(f"tcp://{host}:{port}").close()


def test_an_endpoint_that_no_folder_protects_is_refused() -> None:
    with pytest.raises(ConfigError, match="every user could connect"):
        Listener("ipc://@robot")


def test_an_address_of_another_computer_is_refused_in_a_sentence() -> None:
    with pytest.raises(ConfigError, match=r"tcp://no\.such\.invalid:4000 cannot be opened"):
        Listener("tcp://no.such.invalid:4000")
    with pytest.raises(ConfigError, match="cannot be opened"):
        Listener("tcp://192.0.2.1:4000")


def test_without_file_descriptors_nothing_is_accepted_and_nothing_breaks(tmp_path: Path) -> None:
    listener = Listener(f"ipc://{tmp_path}/robot")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(f"{tmp_path}/robot")
        resource.setrlimit(resource.RLIMIT_NOFILE, (peer.fileno() + 1, before[1]))
        try:
            assert listener.accept() is None
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        stream = listener.accept()
        assert stream is not None
        stream.close()
    listener.close()
