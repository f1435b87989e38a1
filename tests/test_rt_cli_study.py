"""`khz sweep` from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from study_files import write_study
from typer.testing import CliRunner

from kilohertz.rt.cli.main import app
from kilohertz.rt.cli.study import duration
from kilohertz.rt.study.table import RUNS

pytest.importorskip("pyarrow")
pytestmark = pytest.mark.host


def test_a_study_is_run_compared_and_refused(tmp_path: Path) -> None:
    path, out = write_study(tmp_path, ("runs: 3", "runs: 2")), tmp_path / "out"
    run = CliRunner().invoke(app, ["sweep", str(path), "-o", str(out), "--workers", "1", "--json", "-"])
    assert run.exit_code == 0, run.output
    assert json.loads(run.stdout)["successes"] == 2
    assert (out / RUNS).is_file()
    same = CliRunner().invoke(app, ["sweep", "diff", str(out), str(out), "--json", "-"])
    assert json.loads(same.stdout)["verdict"] == "no significant difference"


@pytest.mark.parametrize(
    ("seconds", "text"), [(4.4, "4 s"), (200.0, "3 min 20 s"), (3600.0 * 5 + 120.0, "5 h 2 min")]
)
def test_durations_in_words(seconds: float, text: str) -> None:
    assert duration(seconds) == text
