"""The default control endpoint is one of this user, and a second controller of a robot gets another one."""

from __future__ import annotations

from pathlib import Path

import pytest

from kilohertz.robots.wire.listener import Listener
from kilohertz.rt.live.control_endpoint import control_endpoint, free_control_endpoint


def test_a_second_controller_gets_a_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    first = control_endpoint("g1")
    assert first == f"ipc://{tmp_path}/kilohertz/g1-control"
    assert free_control_endpoint("g1") == first
    one = Listener(first)
    assert free_control_endpoint("g1") == f"{first}-2"
    other = Listener(f"{first}-2")
    assert free_control_endpoint("g1") == f"{first}-3"
    assert free_control_endpoint("ur5") == control_endpoint("ur5")
    one.close()
    assert free_control_endpoint("g1") == first
    other.close()


def test_a_socket_that_a_killed_controller_left_is_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    one = Listener(control_endpoint("g1"))
    one._socket.close()
    assert free_control_endpoint("g1") == control_endpoint("g1")
    Listener(control_endpoint("g1")).close()
