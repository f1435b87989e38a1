"""The default control endpoint is one of this user, named after the robot."""

from __future__ import annotations

from pathlib import Path

import pytest

from kilohertz.robots.model.description import ROBOTS_FOLDER
from kilohertz.rt.live.control_endpoint import control_endpoint


def test_a_robot_is_named_by_its_name_or_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    expected = f"ipc://{tmp_path}/kilohertz/panda-control"
    assert control_endpoint("panda") == control_endpoint(str(ROBOTS_FOLDER / "panda")) == expected
