"""No controller believes a socket that another user can have put there, and no robot listens to one."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest
import zmq

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.wire import own_peer
from kilohertz.robots.wire.endpoint import (
    check_endpoint,
    default_endpoint,
    list_keys,
    load_key,
    load_public,
    new_key,
    trusted_keys,
)
from kilohertz.robots.wire.listener import Listener
from kilohertz.robots.wire.own_peer import require_own_folder, require_own_peer
from kilohertz.robots.wire.zmq_link import stop_robot

STRANGER = 54321
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")


def serve(path: Path) -> socket.socket:
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()
    return server


def test_a_socket_of_ones_own_is_believed(tmp_path):
    endpoint = f"ipc://{tmp_path / 'robot'}"
    require_own_peer(endpoint)
    with serve(tmp_path / "robot"):
        require_own_peer(endpoint)
        require_own_folder(endpoint)
        # Where everyone can create files, a socket is still that of its owner.
        tmp_path.chmod(0o1777)
        require_own_peer(endpoint)
        require_own_folder(endpoint)


@needs_root
def test_a_strangers_socket_is_not_believed(tmp_path):
    endpoint = f"ipc://{tmp_path / 'robot'}"
    with serve(tmp_path / "robot"):
        os.chown(tmp_path / "robot", STRANGER, STRANGER)
        for use in (
            lambda: stop_robot(endpoint, "test", timeout_s=0.2),
            lambda: check_endpoint(endpoint, keys=False, bind=False),
        ):
            with pytest.raises(ConfigError, match=f"belongs to user {STRANGER}, so that another user could"):
                use()
        # Keys tell who it is.
        check_endpoint(endpoint, keys=True, bind=False)


def test_a_socket_in_a_folder_that_others_write_is_not_believed(tmp_path):
    endpoint = f"ipc://{tmp_path / 'robot'}"
    tmp_path.chmod(0o777)
    with serve(tmp_path / "robot"):
        with pytest.raises(
            ConfigError, match="can be written by every user, so that another user could pretend"
        ):
            stop_robot(endpoint, "test", timeout_s=0.2)
        with pytest.raises(ConfigError, match="another process"):
            check_endpoint(endpoint, keys=False, bind=True)
    (tmp_path / "robot").unlink()
    with pytest.raises(ConfigError, match="could take the robot's place"):
        check_endpoint(endpoint, keys=False, bind=True)


def test_a_link_or_a_file_in_place_of_the_socket_is_refused(tmp_path):
    with serve(tmp_path / "other"):
        (tmp_path / "robot").symlink_to("other")
        with pytest.raises(ConfigError, match="robot is a symbolic link"):
            check_endpoint(f"ipc://{tmp_path / 'robot'}", keys=False, bind=False)
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="file is not a socket"):
        check_endpoint(f"ipc://{tmp_path / 'file'}", keys=False, bind=False)


@needs_root
def test_a_stranger_who_comes_after_the_check_is_found_when_he_answers(tmp_path):
    """The answer of a robot that was not there when the endpoint was checked is checked again."""
    endpoint = f"ipc://{tmp_path / 'robot'}"
    context = zmq.Context()
    context.linger = 0
    router = context.socket(zmq.ROUTER)

    def come():
        router.bind(endpoint)
        os.chown(tmp_path / "robot", STRANGER, STRANGER)

    original = own_peer.require_own_peer
    calls = []

    def counted(given):
        calls.append(given)
        original(given)
        if len(calls) == 1:
            come()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kilohertz.robots.wire.endpoint.require_own_peer", counted)
        patch.setattr("kilohertz.robots.wire.zmq_link.require_own_peer", counted)
        patch.setattr("kilohertz.robots.wire.zmq_link.ask", lambda *_: ())
        with pytest.raises(ConfigError, match="belongs to user"):
            stop_robot(endpoint, "test", timeout_s=0.2)
    assert len(calls) == 2
    router.close(0)
    context.term()


def test_only_this_user_can_connect_to_the_robots_socket(tmp_path):
    before = os.umask(0)
    try:
        listener = Listener(f"ipc://{tmp_path / 'robot'}")
        assert stat.S_IMODE((tmp_path / "robot").stat().st_mode) == 0o600
        assert os.umask(0) == 0
    finally:
        os.umask(before)
    listener.close()


def table(port: int, uid: int) -> str:
    return (
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
        f"   0: 0100007F:{port:04X} 00000000:0000 0A 00000000:00000000 00:00000000 00000000 {uid} 0 1\n"
        f"   1: 0100007F:{port:04X} 0100007F:1111 01 00000000:00000000 00:00000000 00000000 777 0 1\n"
    )


def test_a_port_that_another_user_serves_is_not_believed(tmp_path, monkeypatch):
    monkeypatch.setattr(own_peer, "_TABLES", (tmp_path / "none", tmp_path / "tcp"))
    (tmp_path / "tcp").write_text(table(5555, STRANGER))
    with pytest.raises(ConfigError, match=f"port 5555 is served by user {STRANGER}"):
        check_endpoint("tcp://127.0.0.1:5555", keys=False, bind=False)
    for endpoint, uid in (("tcp://127.0.0.1:5556", STRANGER), ("tcp://localhost:5555", os.geteuid())):
        (tmp_path / "tcp").write_text(table(5555, uid))
        check_endpoint(endpoint, keys=False, bind=False)


def test_a_port_of_ones_own_is_believed():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        require_own_peer(f"tcp://127.0.0.1:{server.getsockname()[1]}")


def test_the_default_folder_is_no_link_to_another(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "kilohertz").symlink_to("elsewhere")
    with pytest.raises(ConfigError, match="is open to others"):
        default_endpoint("g1")
    (tmp_path / "kilohertz").unlink()
    tmp_path.chmod(0o777)
    with pytest.raises(ConfigError, match="can be written by every user"):
        default_endpoint("g1")


@pytest.fixture
def keys(tmp_path, monkeypatch):
    folder = tmp_path / "keys"
    monkeypatch.setenv("KILOHERTZ_KEYS", str(folder))
    new_key("laptop")
    return folder


def test_keys_that_others_can_add_are_not_trusted(keys):
    keys.chmod(0o777)
    for use in (trusted_keys, list_keys, lambda: load_key("laptop"), lambda: new_key("more")):
        with pytest.raises(ConfigError, match="so that other users could add keys"):
            use()
    keys.chmod(0o755)
    assert len(trusted_keys()) == 1
    (keys / "laptop.public").chmod(0o666)
    with pytest.raises(ConfigError, match="can be written by every user, so the key may be another user's"):
        trusted_keys()


def test_a_key_is_no_link_and_no_pipe(keys):
    (keys / "robot.public").symlink_to("laptop.public")
    with pytest.raises(ConfigError, match="is a symbolic link"):
        load_public("robot")
    os.mkfifo(keys / "pipe.public")
    with pytest.raises(ConfigError, match="is a pipe"):
        load_public("pipe")


@needs_root
def test_a_strangers_key_is_not_trusted(keys):
    os.chown(keys / "laptop.public", STRANGER, STRANGER)
    with pytest.raises(ConfigError, match=f"belongs to user {STRANGER}"):
        trusted_keys()
    os.chown(keys / "laptop.secret", STRANGER, STRANGER)
    with pytest.raises(ConfigError, match=f"belongs to user {STRANGER}"):
        load_key("laptop")


def test_a_new_key_overwrites_no_file(keys, tmp_path):
    (tmp_path / "precious").write_text("x")
    (keys / "robot.public").symlink_to(tmp_path / "precious")
    with pytest.raises(ConfigError, match="there is already a key 'robot'"):
        new_key("robot")
    assert (tmp_path / "precious").read_text() == "x"
    assert not (keys / "robot.secret").exists()
