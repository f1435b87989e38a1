"""What a run gives back: figures, events, history, plots, and a summary at a glance."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import kilohertz as khz

pytestmark = pytest.mark.closed_loop

PUSHED = {
    "name": "pushed",
    "duration_s": 0.3,
    "events": [{"at_s": 0.1, "push": {"link": "trunk", "impulse_Ns": [0.0, 1.0, 0.0]}}],
}


@pytest.fixture(scope="module")
def run() -> khz.RunResult:
    return khz.simulate("g1", PUSHED)


def test_the_figures_are_there(run: khz.RunResult) -> None:
    assert (run.fell, run.fell_at_s, run.exit_code, run.log) == (False, None, 0, None)
    assert run.robot.name == run.summary["robot"] == "g1"
    assert [event["t_s"] for event in run.events if event["kind"] == "push"] == [0.1]
    assert run.wall_s > 0.0
    json.dumps(run.summary, allow_nan=False)


def test_the_history_has_a_row_for_each_tick(run: khz.RunResult) -> None:
    history = run.history
    assert history is run.history
    np.testing.assert_allclose(history["t_s"], np.arange(300) * 1e-3, atol=1e-12)
    assert history["p_WC"].shape == (300, 3)
    assert history["w_F"].shape == (300, 2, 6)
    assert set(history["state"]) == {"active"}
    weight_N = history["normal_force_N_true"][150:].sum(axis=1).mean()
    assert weight_N == pytest.approx(run.robot.mass_kg * 9.81, rel=0.02)


def test_it_shows_itself_in_one_line_and_as_a_table(run: khz.RunResult) -> None:
    assert repr(run) == "<RunResult: g1, pushed, 0.3 s simulated; did not fall; exit code 0>"
    table = run._repr_html_()
    assert table.startswith("<table><caption>g1, pushed, 0.3 s simulated: did not fall</caption>")
    assert "<td>qp.solved</td><td>300</td>" in table
    assert "None" not in table


@pytest.mark.long
def test_it_draws_itself_into_a_new_folder(run: khz.RunResult, tmp_path: Path) -> None:
    files = run.plot(tmp_path / "plots")
    assert files
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in files)


def test_a_folder_that_cannot_be_made_is_refused(run: khz.RunResult, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(khz.Refused, match="plots cannot be written to"):
        run.plot(tmp_path / "file" / "plots")


@pytest.mark.long
def test_a_fall_is_told() -> None:
    push = {"at_s": 0.05, "push": {"link": "trunk", "impulse_Ns": [0, 200, 0], "duration_s": 0.1}}
    run = khz.simulate("g1", {"name": "thrown", "duration_s": 1.5, "events": [push]})
    assert run.fell
    assert run.exit_code == 1
    assert f"fell after {run.fell_at_s:.3f} s" in repr(run)
