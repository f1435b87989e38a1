"""Searches for gains of a smaller cost, and compares the result with the start on unused seeds."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.live.gains_text import with_values
from kilohertz.rt.run.preparation import prepare
from kilohertz.rt.study.candidates import Candidates
from kilohertz.rt.study.crew import Crew
from kilohertz.rt.study.expression import FormulaError, UnknownFigureError, number
from kilohertz.rt.study.journal import Journal
from kilohertz.rt.study.roll_out import DONE
from kilohertz.rt.study.statistics import SIGNIFICANT, signed_rank, wilson
from kilohertz.rt.study.study import Task
from kilohertz.rt.study.supervised import HUNG, supervised
from kilohertz.rt.study.sweep import (
    ROLL_OUT,
    Progress,
    State,
    check_first,
    done_run,
    judged,
    make_folder,
)
from kilohertz.rt.study.tuning import Tuning

GAINS_FILE = "gains.yaml"
CERTAIN = 3
"""Number of runs of each candidate that are always done: fewer cannot show that it is worse."""
WORSE = 0.13
"""One-sided probability below which a candidate is given up: all of three runs worse than the best's."""


@dataclass
class Candidate:
    """One set of gains that is tried.

    Attributes:
        number: number of the candidate; 0 for the start.
        gains: gains that are replaced; empty for the start.
        costs: cost of each common run that is done.
        handed_out: number of runs that are done or in work.
        given_up: whether its further runs are left out, because it is worse than the best.
    """

    number: int
    gains: dict[str, float]
    costs: dict[int, float] = field(default_factory=dict)
    handed_out: int = 0
    given_up: bool = False

    @property
    def mean(self) -> float:
        """Mean cost of the runs that are done."""
        return fmean(self.costs.values())

    def as_json(self) -> dict[str, Any]:
        """Returns plain data for the report."""
        costs = [self.costs[run] for run in sorted(self.costs)]
        return {
            "number": self.number,
            "gains": self.gains,
            "mean_cost": self.mean,
            "costs": costs,
            "given_up": self.given_up,
        }

    def mean_of(self, runs: Mapping[int, Any]) -> float:
        """Mean cost of some of the runs."""
        return fmean(self.costs[run] for run in runs)


def run_tuning(tuning: Tuning, folder: Path, crew: Crew, progress: Progress | None = None) -> dict[str, Any]:
    """Searches for gains, or goes on with it, and writes them if they are significantly better.

    Args:
        tuning: the checked study.
        folder: folder of the results; made if it does not exist.
        crew: who does the runs.
        progress: called after each run.

    Returns:
        The report, as `khz tune --json` writes it. `better` says whether `gains.yaml` was written.

    Raises:
        ConfigError: optuna is not installed, the folder cannot be used, or the first ticks cannot be run.
    """
    candidates = Candidates(tuning.knobs, tuning.study.file.sampler_seed)
    make_folder(folder)
    started_s = time.monotonic()
    with Journal(folder, tuning.identity(candidates.search)) as journal:
        resumed = len(journal.done)
        check_first(tuning.study, crew, {("tune", "cost"): tuning.cost}, tuning.section.roll_outs)
        with RollOuts(tuning, crew, journal, progress) as roll_outs:
            tried = Search(tuning, candidates, roll_outs).run()
            best = min((each for each in tried if not each.given_up), key=lambda each: each.mean)
            fresh = _compared(tuning, roll_outs, best) if best.number else None
    better = fresh is not None and fresh["better"]
    if better:
        write_gains(tuning, best.gains, folder / GAINS_FILE)
    return {
        "study": tuning.study.file.name,
        "cost": tuning.cost.text,
        "runs": roll_outs.done,
        "resumed": resumed,
        "candidates": [each.as_json() for each in tried],
        "start": {knob.key: knob.start for knob in tuning.knobs},
        "best": {"number": best.number, "gains": best.gains, "mean_cost": best.mean},
        "start_cost": tried[0].mean,
        "fresh": fresh,
        "better": better,
        "gains_file": str(folder / GAINS_FILE) if better else None,
        "folder": str(folder),
        "where": crew.where,
        "wall_s": time.monotonic() - started_s,
    }


class RollOuts:
    """Does runs by number, or takes them from the journal; a context manager.

    Args:
        tuning: the checked study.
        crew: who does the runs.
        journal: runs that are done.
        progress: called after each run.

    Attributes:
        done: number of runs that are done or were taken from the journal.
        note: text for the user, about the search so far.
    """

    def __init__(self, tuning: Tuning, crew: Crew, journal: Journal, progress: Progress | None) -> None:
        self._tuning, self._crew, self._journal, self._progress = tuning, crew, journal, progress
        self._pending: dict[Future[Any], tuple[int, dict[str, float], Any]] = {}
        self._new = self._failed = self.done = 0
        self._started_s = time.monotonic()
        self.note = ""

    def __enter__(self) -> RollOuts:
        return self

    def __exit__(self, *_: object) -> None:
        for future in self._pending:
            future.cancel()

    def hand_out(self, index: int, run: int, gains: dict[str, float], what: Any) -> None:
        """Hands out one run, whose cost `results` will yield.

        Args:
            index: number of the run in the journal.
            run: number of the run in the study.
            gains: gains that are replaced.
            what: what `results` yields together with the cost.

        Raises:
            ConfigError: the journal holds another run under this number.
        """
        future: Future[Any] = Future()
        if index in self._journal.done:
            entry = self._journal.entry(index)
            if entry["gains"] != gains:
                raise ConfigError(f"{self._journal.path} holds another search: give another folder with -o")
            future.set_result(entry)
        else:
            task: Task = replace(self._tuning.task(run, gains), index=index)
            timeout_s = self._tuning.study.timeout_s
            future = self._crew.executor.submit(supervised, ROLL_OUT, asdict(task), timeout_s)
        self._pending[future] = (index, gains, what)

    def results(self) -> Iterator[tuple[Any, dict[str, Any]]]:
        """Yields what was handed out, with its run, until nothing is left; more may be added on the way.

        Raises:
            ConfigError: a run with the gains of the start has no result.
        """
        while self._pending:
            for future in wait(self._pending, return_when=FIRST_COMPLETED).done:
                index, gains, what = self._pending.pop(future)
                if index in self._journal.done:
                    entry = future.result()
                else:
                    entry = {**self._costed(done_run(index, future)), "gains": gains}
                    self._require_start(entry)
                    self._journal.add(entry)
                    self._new += 1
                self.done += 1
                self._failed += entry["outcome"] is not True
                self._show()
                yield what, entry

    def _require_start(self, entry: dict[str, Any]) -> None:
        """Refuses to go on if a run with the gains of the start has no result: all would look better.

        Raises:
            ConfigError: it hung, crashed or was refused. It is not kept, and is done again next time.
        """
        if not entry["gains"] and entry["status"] != DONE:
            path = self._tuning.study.path
            hint = "; a slow computer needs a larger timeout_s" if entry["status"] == HUNG else ""
            sentence = f"{entry['status']}, {entry['problem']}{hint}"
            raise ConfigError(f"{path}: a run with the gains of the start has no result: {sentence}")

    def _costed(self, entry: dict[str, Any]) -> dict[str, Any]:
        """Returns a run with its outcome and its cost, which for one that is no success is the stated one."""
        entry = judged(self._tuning.study.outcome, entry)
        worst = cost = self._tuning.section.failed_cost
        if entry["outcome"] is True:
            try:
                cost = min(worst, number(self._tuning.cost, entry["summary"]))
            except UnknownFigureError as error:
                entry |= {"outcome": None, "problem": f"the run did not produce {error}"}
            except FormulaError as error:
                entry |= {"outcome": None, "problem": f"cost {error}"}
        return {**entry, "cost": cost}

    def _show(self) -> None:
        if self._progress is not None:
            of = self._tuning.section.roll_outs
            each_s = (time.monotonic() - self._started_s) / self._new if self._new else None
            eta_s = None if each_s is None else each_s * (of - self.done)
            self._progress(State(self.done, of, self._failed, eta_s, self.note))


class Search:
    """The search: candidates are tried on the common runs, some at a time, until the runs are used up.

    What is tried depends on the costs alone, not on who does the runs or which of them is done first.

    Args:
        tuning: the checked study.
        candidates: chooses the gains.
        roll_outs: does the runs.
    """

    def __init__(self, tuning: Tuning, candidates: Candidates, roll_outs: RollOuts) -> None:
        self._tuning, self._candidates, self._roll_outs = tuning, candidates, roll_outs
        self._runs = tuning.study.runs

    def run(self) -> list[Candidate]:
        """Returns all candidates with their costs, the start first."""
        best = start = Candidate(0, {})
        self._try([start], None)
        tried, used = [start], self._runs
        self._candidates.start(start.mean)
        while self._tuning.search_runs - used >= self._runs:
            room = (self._tuning.search_runs - used) // self._runs
            numbers = range(len(tried), len(tried) + min(self._tuning.section.at_once, room))
            batch = [Candidate(number, self._candidates.ask(number)) for number in numbers]
            self._try(batch, best)
            for each in batch:
                # A candidate that was given up would cost about as much more than the best as it did so far.
                excess = each.mean - best.mean_of(each.costs)
                self._candidates.tell(each.number, best.mean + excess if each.given_up else each.mean)
            tried += batch
            used += sum(len(each.costs) for each in batch)
            best = min((each for each in tried if not each.given_up), key=lambda each: each.mean)
            self._roll_outs.note = f", cost {best.mean:.4g}, at the start {start.mean:.4g}"
        return tried

    def _try(self, batch: list[Candidate], best: Candidate | None) -> None:
        """Tries candidates on the common runs; one that is clearly worse than the best so far is given up."""
        for each in batch:
            self._hand_out(each, CERTAIN if best else self._runs)
        for (each, run), entry in self._roll_outs.results():
            each.costs[run] = entry["cost"]
            if len(each.costs) < each.handed_out or each.handed_out == self._runs:
                continue
            if best is not None and clearly_worse(each, best):
                each.given_up = True
            else:
                self._hand_out(each, 1)

    def _hand_out(self, each: Candidate, count: int) -> None:
        last = min(self._runs, each.handed_out + count)
        for run in range(each.handed_out, last):
            self._roll_outs.hand_out(each.number * self._runs + run, run, each.gains, (each, run))
        each.handed_out = last


def clearly_worse(each: Candidate, best: Candidate) -> bool:
    """Returns whether a candidate is worse than the best on the runs that it has done."""
    differences = [cost - best.costs[run] for run, cost in each.costs.items()]
    return fmean(differences) > 0.0 and signed_rank(differences).p_greater < WORSE


def _compared(tuning: Tuning, roll_outs: RollOuts, best: Candidate) -> dict[str, Any]:
    """Compares start and result on runs whose seeds the search has not used, seed by seed."""
    fresh = range(tuning.study.runs, tuning.study.runs + tuning.section.fresh_runs)
    sides: tuple[dict[str, float], ...] = ({}, best.gains)
    for pair, run in enumerate(fresh):
        for side, gains in enumerate(sides):
            # Numbers below 0 are not those of the search.
            roll_outs.hand_out(-1 - 2 * pair - side, run, gains, (pair, side))
    costs: dict[tuple[int, int], float] = {}
    successes = [0, 0]
    for place, entry in roll_outs.results():
        costs[place] = entry["cost"]
        successes[place[1]] += entry["outcome"] is True
    before, after = ([costs[pair, side] for pair in range(len(fresh))] for side in (0, 1))
    test = signed_rank([y - x for x, y in zip(before, after, strict=True)])
    return {
        "runs": len(fresh),
        "before": {"mean_cost": fmean(before), "costs": before},
        "after": {"mean_cost": fmean(after), "costs": after},
        "success_rate": [asdict(wilson(count, len(fresh))) for count in successes],
        "p": test.p,
        "better": test.p < SIGNIFICANT and test.p_less < test.p_greater and fmean(after) < fmean(before),
    }


def write_gains(tuning: Tuning, gains: Mapping[str, float], path: Path) -> None:
    """Writes the gains file of the start with other values; comments and order stay.

    Raises:
        ConfigError: the file cannot be written, or does not give the gains that were tried.
    """
    text = with_values(tuning.start_text, {tuple(key.split(".")): value for key, value in gains.items()})
    partial = path.with_suffix(".partial")
    tried = tuning.task(0, gains)
    written = replace(tuning.task(0, {}), gains=str(partial))
    try:
        partial.write_text(text, "utf-8")
        try:
            robot = tuning.study.robot
            if prepare(written.plan(), robot).gains != prepare(tried.plan(), robot).gains:
                raise ConfigError(f"{path} would not give the gains that were tried")
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from None
