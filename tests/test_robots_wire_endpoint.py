from __future__ import annotations

import socket
import stat

import pytest

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.wire.endpoint import (
    check_endpoint,
    default_endpoint,
    list_keys,
    load_key,
    load_public,
    new_key,
    trusted_keys,
)


@pytest.fixture(autouse=True)
def keys(tmp_path, monkeypatch):
    folder = tmp_path / "keys"
    monkeypatch.setenv("KILOHERTZ_KEYS", str(folder))
    return folder


@pytest.mark.parametrize("endpoint", ["tcp://127.0.0.1:5555", "tcp://localhost:1", "tcp://[::1]:65535"])
def test_the_loopback_needs_no_keys(endpoint):
    check_endpoint(endpoint, keys=False, bind=True)


@pytest.mark.parametrize(
    "endpoint", ["tcp://192.168.0.7:5555", "tcp://*:5555", "tcp://0.0.0.0:1", "tcp://robot:5555"]
)
def test_every_other_address_does(endpoint):
    with pytest.raises(ConfigError, match="khz keys"):
        check_endpoint(endpoint, keys=False, bind=True)
    check_endpoint(endpoint, keys=True, bind=True)


@pytest.mark.parametrize(
    "endpoint", ["", "robot", "udp://127.0.0.1:1", "tcp://127.0.0.1", "tcp://127.0.0.1:0", "tcp://127.0.0.1:99999",
                 "inproc://robot", "ipc://", "ipc:///nowhere/robot", "ipc:///tmp/" + "a" * 101]
)  # fmt: skip
def test_what_is_no_endpoint_is_refused(endpoint):
    with pytest.raises(ConfigError):
        check_endpoint(endpoint, keys=True, bind=False)


def test_a_robot_that_is_served_is_not_served_twice(tmp_path):
    path = tmp_path / "robot"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        with pytest.raises(ConfigError, match="another process"):
            check_endpoint(f"ipc://{path}", keys=False, bind=True)
        check_endpoint(f"ipc://{path}", keys=False, bind=False)
    # Left behind by a process that died.
    check_endpoint(f"ipc://{path}", keys=False, bind=True)


def test_the_default_is_in_a_folder_of_ones_own(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert default_endpoint("g1") == f"ipc://{tmp_path}/kilohertz/g1"
    assert stat.S_IMODE((tmp_path / "kilohertz").stat().st_mode) == 0o700
    (tmp_path / "kilohertz").chmod(0o755)
    with pytest.raises(ConfigError, match="open to others"):
        default_endpoint("g1")


def test_a_new_key_can_be_loaded_by_its_owner_only(keys):
    path = new_key("laptop")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    pair = load_key("laptop")
    assert load_public("laptop") == pair.public
    assert list_keys() == [("laptop", pair.public, True)]
    assert trusted_keys() == {pair.public}
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="read by others"):
        load_key("laptop")


def test_a_key_is_never_overwritten():
    new_key("laptop")
    with pytest.raises(ConfigError, match="already"):
        new_key("laptop")


@pytest.mark.parametrize("name", ["", "../x", "a b", "-x", "x" * 60])
def test_names_that_are_no_names_are_refused(name):
    with pytest.raises(ConfigError, match="cannot name a key"):
        new_key(name)


def test_what_is_no_key_is_refused(keys):
    with pytest.raises(ConfigError, match="there is no key"):
        load_public("robot")
    keys.mkdir()
    (keys / "robot.public").write_text("secret?\n")
    with pytest.raises(ConfigError, match="holds no key"):
        load_public("robot")
