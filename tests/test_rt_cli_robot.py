"""`khz robot new` and `khz robot check` on the command line: files, JSON and exit statuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from kilohertz.rt.cli.main import app

UR10 = "example-robot-data:ur_description/urdf/ur10_robot.urdf"


def khz(*arguments: object) -> Any:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert "Traceback" not in result.output
    return result


def test_a_new_robot_is_written_and_checked(tmp_path: Path) -> None:
    folder = tmp_path / "ur10"
    result = khz("robot", "new", UR10, "--into", folder)
    assert result.exit_code == 0
    assert "written to" in result.output
    assert "TODO" in (folder / "robot.yaml").read_text()
    figures, plots = tmp_path / "check.json", tmp_path / "plots"
    assert khz("robot", "check", folder, "--json", figures, "--plot", plots).exit_code == 0
    assert json.loads(figures.read_text())["passed"] is True
    assert (plots / "robot.png").stat().st_size > 10_000
    again = khz("robot", "new", UR10, "--into", folder)
    assert again.exit_code == 3
    assert "exists" in again.output


def test_a_robot_that_cannot_hold_its_posture_is_no_pass(tmp_path: Path) -> None:
    khz("robot", "new", UR10, "--into", tmp_path)
    with (tmp_path / "robot.yaml").open("a") as file:
        file.write("torque_limit_Nm: 5\n")
    result = khz("robot", "check", tmp_path, "--json", "-")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["problems"]
