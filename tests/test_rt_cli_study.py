"""`khz sweep` from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from study_files import write_results, write_study
from typer.testing import CliRunner

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.cli.main import app
from kilohertz.rt.cli.study import duration
from kilohertz.rt.study.table import RUNS

pytest.importorskip("pyarrow")
pytestmark = pytest.mark.host


@pytest.mark.long
def test_a_study_is_run_compared_and_refused(tmp_path: Path) -> None:
    path, out = write_study(tmp_path, ("runs: 3", "runs: 2")), tmp_path / "out"
    run = CliRunner().invoke(app, ["sweep", str(path), "-o", str(out), "--workers", "1", "--json", "-"])
    assert run.exit_code == 0, run.output
    assert json.loads(run.stdout)["successes"] == 2
    assert (out / RUNS).is_file()
    same = CliRunner().invoke(app, ["sweep", "diff", str(out), str(out), "--json", "-"])
    assert json.loads(same.stdout)["verdict"] == "no significant difference"
    told = CliRunner().invoke(app, ["sweep", "report", str(out), "--json", "-"])
    assert told.exit_code == 0, told.output
    figures = json.loads(told.stdout)
    assert (figures["runs"], figures["planned"], figures["success_rate"]["successes"]) == (2, 2, 2)
    assert figures["report"] == str(out / "report.html")
    assert "plant joint friction [Nm]" in (out / "report.html").read_text("utf-8")


def test_a_report_is_of_a_study_and_goes_where_it_can_be_written(tmp_path: Path) -> None:
    refused = CliRunner().invoke(app, ["sweep", "report", str(tmp_path)])
    assert isinstance(refused.exception, ConfigError) or refused.exit_code == 3
    folder = write_results(tmp_path / "out", {"seed": [1, 2]}, [{"seed": 1}, {"seed": 2}], [True, False])
    told = CliRunner().invoke(app, ["sweep", "report", str(folder), "-o", str(tmp_path / "a.html"), "--why"])
    assert told.exit_code == 0, told.output
    assert "1 of 2 runs were a success" in told.output
    assert (tmp_path / "a.html").is_file()


@pytest.mark.parametrize(
    ("seconds", "text"), [(4.4, "4 s"), (200.0, "3 min 20 s"), (3600.0 * 5 + 120.0, "5 h 2 min")]
)
def test_durations_in_words(seconds: float, text: str) -> None:
    assert duration(seconds) == text
