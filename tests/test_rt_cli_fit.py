"""`khz fit` takes logs with torques, writes the overlay, and refuses others in one sentence."""

import json

import pytest
import yaml
from typer.testing import CliRunner

from kilohertz.rt.cli.main import app
from kilohertz.rt.run.session import RunPlan, Session

pytestmark = pytest.mark.closed_loop

MOVES = [
    {"q_rad": {"shoulder_pan_joint": pan, "wrist_3_joint": -pan, "wrist_1_joint": -2.1 + 0.5 * pan}}
    for pan in (0.6, -0.5, 0.7, -0.8, 0.5, -0.6, 0.8, -0.7)
]


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    scenario = {"name": "moves", "duration_s": 8.0, "commands": [{"at_s": 0, "move": {"path": MOVES}}]}
    scenario["plant"] = {"joint_friction_Nm": 2.0, "joint_damping_Nms": 1.0}
    result = Session(RunPlan("ur5", scenario, log=tmp_path_factory.mktemp("log"))).run()
    return result.log


@pytest.mark.long
def test_a_log_gives_an_overlay_and_the_delay(log, tmp_path):
    out, overlay = tmp_path / "fit.json", tmp_path / "fit.yaml"
    ran = CliRunner().invoke(app, ["fit", str(log), "-o", str(overlay), "--json", str(out)])
    assert ran.exit_code == 0, ran.output
    figures = json.loads(out.read_text())
    assert figures["delay_ms"] == pytest.approx(2.0, rel=0.1)
    assert figures["better_on_held_out"]
    friction = yaml.safe_load(overlay.read_text())["joint_friction_Nm"]
    assert friction["shoulder_pan_joint"] == pytest.approx(2.0, rel=0.1)


def test_a_file_that_is_no_log_is_refused(tmp_path):
    path = tmp_path / "no.mcap"
    path.write_text("nothing")
    ran = CliRunner().invoke(app, ["fit", str(path)])
    assert ran.exit_code != 0
    assert "is not a Kilohertz log" in f"{ran.output}{ran.exception}"
