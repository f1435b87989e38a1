"""Searches: from poor gains to half of the cost, whoever does the runs, and nothing that is unproven.

Most runs here are formulas, which cost nothing: the cost of an arm depends on two gains and on the seed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest
from study_files import write_search

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.run.preparation import prepare
from kilohertz.rt.study import sweep, tune
from kilohertz.rt.study.crew import Crew
from kilohertz.rt.study.journal import NAME
from kilohertz.rt.study.roll_out import roll_out
from kilohertz.rt.study.sweep import State
from kilohertz.rt.study.tune import GAINS_FILE, Candidate, clearly_worse, run_tuning
from kilohertz.rt.study.tuning import Tuning, load_tuning

pytest.importorskip("optuna")
# Its first import starts a process.
assert mujoco.__version__

POOR = """\
# The arm of the second bench.
hand:
  kp_per_s2: 20.0     # far too soft
  kd_per_s: 6         # and not damped
com: {weight: 50.0}   # of no use to an arm
"""
BEST = {"hand.kp_per_s2": 2000.0, "hand.kd_per_s": 90.0}
Law = Callable[[dict[str, float], int], float]


def valley(gains: dict[str, float], seed: int) -> float:
    """A cost that is smallest at BEST; a seed makes it up to a tenth larger."""
    away = sum(abs(math.log(gains[key] / best)) for key, best in BEST.items())
    return (0.01 + 0.02 * away) * (1.0 + 0.1 * np.random.default_rng(seed).random())


def flat(gains: dict[str, float], seed: int) -> float:
    """A cost of chance alone."""
    return float(np.random.default_rng([seed, int(1e3 * gains["hand.kp_per_s2"])]).random())


def done(task: dict[str, Any], law: Law) -> dict[str, Any]:
    gains = {"hand.kp_per_s2": 20.0, "hand.kd_per_s": 6.0}
    for assignment in task["overrides"]:
        key, _, value = assignment.partition("=")
        gains[key] = float(value)
    rms_m = law(gains, task["seed"])
    summary = {
        "fell": gains["hand.kp_per_s2"] < 5.0,
        "exit_state": "active",
        "duration_s": 1.0,
        "tracking": {"hand_rms_m": {"hand": rms_m}},
    }
    return {"index": task["index"], "status": "done", "summary": summary, "timing": {}, "log": ""}


@pytest.fixture
def crew_of(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes crews of threads whose runs follow a law."""
    executors = []

    def make(law: Law, workers: int = 1) -> Crew:
        monkeypatch.setattr(tune, "supervised", lambda function, task, timeout_s: ("", done(task, law)))
        monkeypatch.setattr(sweep, "warm_up", lambda crew, task: [("", done(task, law))])
        executors.append(ThreadPoolExecutor(workers))
        return Crew(executors[-1], workers, "this process", tuple(executors[-1:]))

    yield make
    for executor in executors:
        executor.shutdown(cancel_futures=True)


def search(folder: Path, *changes: tuple[str, str]) -> Tuning:
    (folder / "poor.yaml").write_text(POOR)
    bigger = (("runs: 3", "runs: 5\ngains: poor.yaml"), ("roll_outs: 60", "roll_outs: 200"))
    return load_tuning(write_search(folder, *bigger, *changes))


def plain(report: dict[str, Any]) -> dict[str, Any]:
    """A report without what depends on who did the runs."""
    return {key: report[key] for key in report if key not in ("wall_s", "resumed", "folder", "gains_file")}


def test_the_cost_is_halved_within_200_runs_and_the_file_keeps_its_comments(
    tmp_path: Path, crew_of: Any
) -> None:
    tuning = search(tmp_path)
    report = run_tuning(tuning, tmp_path / "out", crew_of(valley))
    assert report["better"]
    assert report["runs"] <= 200
    assert report["fresh"]["after"]["mean_cost"] < 0.5 * report["fresh"]["before"]["mean_cost"]
    assert report["fresh"]["p"] == pytest.approx(2 * 0.5**6)
    assert any(each["given_up"] for each in report["candidates"])
    assert all(len(each["costs"]) == 5 for each in report["candidates"] if not each["given_up"])
    file = tmp_path / "out" / GAINS_FILE
    for comment in ("# The arm of the second bench.", "# far too soft", "# and not damped", "# of no use to"):
        assert comment in file.read_text()
    again = load_tuning(tuning.study.path, file)
    assert {knob.key: knob.start for knob in again.knobs} == report["best"]["gains"]
    tried, written = tuning.task(0, report["best"]["gains"]), again.task(0, {})
    robot = tuning.study.robot
    assert prepare(written.plan(), robot).gains == prepare(tried.plan(), robot).gains


def test_seeds_of_the_comparison_are_not_those_of_the_search(
    tmp_path: Path, crew_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds: list[tuple[int, int]] = []

    def law(gains: dict[str, float], seed: int) -> float:
        return valley(gains, seed)

    crew = crew_of(law)

    def supervised(function: str, task: dict[str, Any], timeout_s: float) -> tuple[str, Any]:
        seeds.append((task["index"], task["seed"]))
        return "", done(task, law)

    monkeypatch.setattr(tune, "supervised", supervised)
    run_tuning(search(tmp_path), tmp_path / "out", crew)
    common = {seed for index, seed in seeds if index >= 0}
    fresh = [seed for index, seed in seeds if index < 0]
    assert len(common) == 5
    assert len(fresh) == 12
    assert len(set(fresh)) == 6
    assert not common & set(fresh)


def test_who_does_the_runs_and_interruptions_change_nothing(tmp_path: Path, crew_of: Any) -> None:
    tuning = search(tmp_path)
    whole = run_tuning(tuning, tmp_path / "whole", crew_of(valley))
    three = run_tuning(tuning, tmp_path / "three", crew_of(valley, workers=3))
    assert plain(three) == plain(whole)

    def interrupt(state: State) -> None:
        if state.done == 70:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_tuning(tuning, tmp_path / "cut", crew_of(valley), interrupt)
    assert not (tmp_path / "cut" / GAINS_FILE).exists()
    journal = tmp_path / "cut" / NAME
    journal.write_bytes(journal.read_bytes() + b'{"index":2,"cut')
    cut = run_tuning(tuning, tmp_path / "cut", crew_of(valley))
    assert cut["resumed"] >= 69
    assert plain(cut) == plain(whole)
    assert (tmp_path / "cut" / GAINS_FILE).read_bytes() == (tmp_path / "whole" / GAINS_FILE).read_bytes()
    with pytest.raises(ConfigError, match="runs of another study"):
        run_tuning(search(tmp_path, ("fresh_runs: 6", "fresh_runs: 7")), tmp_path / "cut", crew_of(valley))


def test_gains_that_were_lucky_are_not_written(tmp_path: Path, crew_of: Any) -> None:
    report = run_tuning(search(tmp_path), tmp_path / "out", crew_of(flat))
    assert report["best"]["mean_cost"] < report["start_cost"]
    assert report["fresh"]["p"] > 0.05
    assert not report["better"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == [NAME]


def test_gains_that_are_the_best_already_are_not_compared(tmp_path: Path, crew_of: Any) -> None:
    def law(gains: dict[str, float], seed: int) -> float:
        return 0.1 if gains["hand.kp_per_s2"] == 20.0 else 0.2

    report = run_tuning(search(tmp_path), tmp_path / "out", crew_of(law))
    assert (report["best"]["number"], report["fresh"], report["better"]) == (0, None, False)
    assert not (tmp_path / "out" / GAINS_FILE).exists()


def test_a_run_that_is_no_success_has_the_stated_cost_and_none_has_a_larger_one(
    tmp_path: Path, crew_of: Any
) -> None:
    def law(gains: dict[str, float], seed: int) -> float:
        return 1e6 if gains["hand.kd_per_s"] > 100.0 else valley(gains, seed)

    report = run_tuning(search(tmp_path), tmp_path / "out", crew_of(law))
    for each in report["candidates"][1:]:
        if each["gains"]["hand.kp_per_s2"] < 5.0 or each["gains"]["hand.kd_per_s"] > 100.0:
            assert set(each["costs"]) == {1.0}
    assert report["better"]


def test_a_cost_of_no_figure_is_refused_before_the_runs(tmp_path: Path, crew_of: Any) -> None:
    tuning = search(tmp_path, ("hand_rms_m.hand", "hand_rms.hand"))
    with pytest.raises(ConfigError) as refused:
        run_tuning(tuning, tmp_path / "out", crew_of(valley))
    assert "study.yaml:18" in str(refused.value)
    assert "(did you mean 'tracking.hand_rms_m'?) (the study would take 200 runs)" in str(refused.value)


def test_a_run_of_the_start_that_hangs_ends_the_search_and_is_done_again(
    tmp_path: Path, crew_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuning = search(tmp_path)
    crew = crew_of(valley)
    with monkeypatch.context() as patch:
        patch.setattr(tune, "supervised", lambda *_: ("hung", "no answer within 3 s\nstack"))
        with pytest.raises(ConfigError, match=r"hung, no answer within 3 s.*larger timeout_s"):
            run_tuning(tuning, tmp_path / "out", crew)
    assert run_tuning(tuning, tmp_path / "out", crew)["better"]


def test_three_worse_runs_of_three_are_enough_and_two_are_not() -> None:
    best = Candidate(0, {}, {0: 1.0, 1: 2.0, 2: 3.0})
    assert clearly_worse(Candidate(1, {}, {0: 1.1, 1: 2.1, 2: 3.5}), best)
    assert not clearly_worse(Candidate(1, {}, {0: 1.1, 1: 2.1}), best)
    assert not clearly_worse(Candidate(1, {}, {0: 1.1, 1: 2.1, 2: 2.95}), best)


@pytest.mark.long
@pytest.mark.closed_loop
def test_a_search_runs_an_arm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tune, "supervised", lambda function, task, timeout_s: ("", roll_out(task)))
    monkeypatch.setattr(sweep, "warm_up", lambda crew, task: [("", roll_out(task))])
    # Left out of the first 2 s, a tracking error is no figure of so short a run; its torque is.
    changes = (("tracking.hand_rms_m.hand", "torque.peak_fraction"), ("roll_outs: 60", "roll_outs: 22"))
    tuning = load_tuning(write_search(tmp_path, *changes))
    with ThreadPoolExecutor(1) as executor:
        crew = Crew(executor, 1, "this process", (executor,))
        report = run_tuning(tuning, tmp_path / "out", crew)
    assert 6 <= report["runs"] <= 22
    assert all(0.0 < cost < 1.0 for each in report["candidates"] for cost in each["costs"])
