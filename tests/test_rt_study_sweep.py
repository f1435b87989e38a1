"""Sweeps: the same rows whoever does them and however often they were interrupted."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import mujoco
import pytest
from study_files import write_study

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.study import sweep
from kilohertz.rt.study.crew import Crew, local_crew
from kilohertz.rt.study.journal import NAME
from kilohertz.rt.study.roll_out import roll_out
from kilohertz.rt.study.study import load_study
from kilohertz.rt.study.sweep import State, done_run, run_study
from kilohertz.rt.study.table import RUNS, TIMING, Rows

pytest.importorskip("pyarrow")
# Its first import starts a process.
assert mujoco.__version__


@pytest.fixture
def crew(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A crew whose runs are done in this process."""
    monkeypatch.setattr(sweep, "supervised", lambda function, task, timeout_s: ("", roll_out(task)))
    monkeypatch.setattr(sweep, "warm_up", lambda crew, task: [("", roll_out(task))])
    with ThreadPoolExecutor(1) as executor:
        yield Crew(executor, 1, "this process", (executor,))


@pytest.mark.long
def test_an_interrupted_study_goes_on_and_ends_with_the_same_bytes(tmp_path: Path, crew: Crew) -> None:
    study = load_study(write_study(tmp_path))
    report = run_study(study, tmp_path / "whole", crew)
    assert (report["done"], report["successes"], report["resumed"]) == (3, 3, 0)

    def interrupt(state: State) -> None:
        if state.done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_study(study, tmp_path / "cut", crew, interrupt)
    journal = tmp_path / "cut" / NAME
    journal.write_bytes(journal.read_bytes() + b'{"index":2,"cut')
    report = run_study(study, tmp_path / "cut", crew)
    assert 1 <= report["resumed"] < 3
    whole, cut = ((tmp_path / name / RUNS).read_bytes() for name in ("whole", "cut"))
    assert whole == cut
    rows = Rows(tmp_path / "whole" / RUNS).rows
    assert [row["index"] for row in rows] == [0, 1, 2]
    assert len(Rows(tmp_path / "whole" / TIMING).rows) == 3


@pytest.mark.long
@pytest.mark.host
def test_two_processes_give_the_bytes_of_one(tmp_path: Path, crew: Crew) -> None:
    study = load_study(write_study(tmp_path))
    run_study(study, tmp_path / "here", crew)
    with pytest.MonkeyPatch.context() as patch:
        patch.undo()
        from kilohertz.rt.study.crew import warm_up
        from kilohertz.rt.study.supervised import supervised

        patch.setattr(sweep, "supervised", supervised)
        patch.setattr(sweep, "warm_up", warm_up)
        with local_crew(2) as two:
            run_study(study, tmp_path / "two", two)
    assert (tmp_path / "here" / RUNS).read_bytes() == (tmp_path / "two" / RUNS).read_bytes()


@pytest.mark.long
def test_runs_that_are_no_success_are_listed_with_the_command_that_repeats_them(
    tmp_path: Path, crew: Crew
) -> None:
    study = load_study(write_study(tmp_path, ("outcome: not fell", "outcome: fell")))
    report = run_study(study, tmp_path / "out", crew)
    assert report["successes"] == 0
    assert [each["index"] for each in report["failures"]] == [0, 1, 2]
    scenario = tmp_path / "out" / "failures" / "run-000001.yaml"
    assert report["failures"][1]["repeat"] == study.task(1).command(scenario)
    assert scenario.is_file()


def test_a_lost_worker_is_a_crashed_run() -> None:
    future: Future[tuple[str, Any]] = Future()
    future.set_exception(OSError("gone"))
    found = done_run(7, future)
    assert (found["index"], found["status"], found["summary"]) == (7, "crashed", None)


@pytest.mark.long
def test_a_figure_that_no_run_has_is_refused_before_the_runs(tmp_path: Path, crew: Crew) -> None:
    study = load_study(write_study(tmp_path, ("outcome: not fell", "outcome: tracking.com_rms < 1")))
    with pytest.raises(ConfigError, match=r"study\.yaml:12"):
        run_study(study, tmp_path / "out", crew)
