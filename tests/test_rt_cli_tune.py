"""`khz tune` from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from study_files import write_search
from typer.testing import CliRunner

from kilohertz.rt.cli.main import app
from kilohertz.rt.cli.tune import not_better

pytest.importorskip("optuna")


@pytest.mark.long
@pytest.mark.host
def test_a_search_that_finds_nothing_better_is_refused_and_writes_no_gains(tmp_path: Path) -> None:
    # A cost that no gain changes.
    path, out = write_search(tmp_path, ("tracking.hand_rms_m.hand", "duration_s")), tmp_path / "out"
    changes = path.read_text().replace("roll_outs: 60", "roll_outs: 21")
    path.write_text(changes)
    command = ["tune", str(path), "-o", str(out), "--workers", "1", "--json", "-"]
    run = CliRunner().invoke(app, command)
    assert run.exit_code == 3, run.output
    assert "no gains were written" in run.stderr
    assert json.loads(run.stdout)["better"] is False
    assert not (out / "gains.yaml").exists()


def test_a_bad_study_is_refused_with_its_line_and_its_runs(tmp_path: Path) -> None:
    path = write_search(tmp_path, ("    hand.kp_per_s2:\n", "    hand.stiffness:\n"))
    run = CliRunner().invoke(app, ["tune", str(path), "-o", str(tmp_path / "out")])
    assert run.exit_code == 3
    assert "study.yaml:15" in run.stderr
    assert "(the study would take 60 runs)" in run.stderr
    assert not (tmp_path / "out").exists()


def test_the_refusal_names_both_costs() -> None:
    sides: dict[str, Any] = {"before": {"mean_cost": 0.4}, "after": {"mean_cost": 0.39}}
    text = not_better({"fresh": {"runs": 6, "p": 0.5, **sides}})
    assert "on 6 seeds that the search has not used" in text
    assert "cost 0.4 -> 0.39, p = 0.5" in text
    assert "costs less than the start" in not_better({"fresh": None})
