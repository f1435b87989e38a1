"""Runs a study: hands its runs to a crew, keeps what is done, and writes the results."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.config.yaml_file import Loc
from kilohertz.rt.log.header import libraries
from kilohertz.rt.run.summary import version
from kilohertz.rt.study.crew import Crew, warm_up
from kilohertz.rt.study.expression import Formula, FormulaError, UnknownFigureError, truth
from kilohertz.rt.study.journal import Journal
from kilohertz.rt.study.roll_out import DONE, REFUSED
from kilohertz.rt.study.statistics import wilson
from kilohertz.rt.study.study import Study, with_runs
from kilohertz.rt.study.supervised import CRASHED, HUNG, supervised
from kilohertz.rt.study.table import RUNS, TIMING, flat, write_table

ROLL_OUT = "kilohertz.rt.study.roll_out:roll_out"
AHEAD = 2
"""Number of runs that are handed out per worker: one in work and one that waits."""
LISTED = 20
"""Largest number of failures in the report of a sweep."""
FAILURES = "failures"


@dataclass(frozen=True)
class State:
    """How far a study is.

    Attributes:
        done, of: number of runs that are done, and of all.
        failed: number of those that were no success.
        eta_s: expected time to the end [s]; None if not known yet.
        note: further text for the user.
    """

    done: int
    of: int
    failed: int
    eta_s: float | None
    note: str = ""


Progress = Callable[[State], None]


def run_study(
    study: Study, folder: Path, crew: Crew, progress: Progress | None = None, *, log: bool = False
) -> dict[str, Any]:
    """Does the runs of a study that are not done yet, and writes its results.

    Args:
        study: the study.
        folder: folder of the results; made if it does not exist.
        crew: who does the runs.
        progress: called after each run.
        log: whether every run is recorded into the folder.

    Returns:
        The report, as `khz sweep --json` writes it.

    Raises:
        ConfigError: the folder cannot be used, or the first ticks of the study cannot be run.
    """
    make_folder(folder)
    started_s = time.monotonic()
    with Journal(folder, study.identity()) as journal:
        left = [run for run in range(study.runs) if run not in journal.done]
        resumed = study.runs - len(left)
        try:
            if left:
                check_first(study, crew)
                _do(study, folder, crew, journal, left, progress, log=log)
        finally:
            _write_tables(study, folder, journal)
        failures = write_failures(study, folder, journal)
        report = _report(study, journal, failures)
    return {
        **report,
        "folder": str(folder),
        "resumed": resumed,
        "where": crew.where,
        "wall_s": time.monotonic() - started_s,
    }


def make_folder(folder: Path) -> None:
    """Makes the folder of the results.

    Raises:
        ConfigError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be made: {error.strerror}") from None


def check_first(
    study: Study, crew: Crew, further: Mapping[Loc, Formula] | None = None, runs: int | None = None
) -> None:
    """Runs the first ticks of a study on each computer: this compiles the kernels, and shows all figures.

    Args:
        study: the study.
        crew: who will do its runs.
        further: formulas besides the outcome, by their place in the study file.
        runs: number of runs that a refusal names; None for that of the study.

    Raises:
        ConfigError: the ticks cannot be run, or a formula uses a figure that the summary does not have.
    """
    for status, answer in warm_up(crew, asdict(study.task(0))):
        if status or answer["status"] != DONE:
            kind, log = (status, answer) if status else (answer["status"], answer["log"])
            raise ConfigError(f"{study.path}: the first ticks of run 0 {_verb(kind)}: {log.strip()}")
        problems = []
        for loc, formula in {("outcome",): study.outcome, **(further or {})}.items():
            try:
                formula.check_against(answer["summary"])
            except FormulaError as error:
                problems.append(study.positions.problem(loc, str(error)))
        if problems:
            raise ConfigError(*with_runs(problems, runs or study.runs))


def _verb(status: str) -> str:
    return {REFUSED: "were refused", CRASHED: "crashed", HUNG: "hung"}.get(status, "failed")


def _do(
    study: Study,
    folder: Path,
    crew: Crew,
    journal: Journal,
    left: list[int],
    progress: Progress | None,
    *,
    log: bool,
) -> None:
    """Does runs, a few ahead at a time, so that memory does not grow with their number."""
    pending: dict[Future[tuple[str, Any]], int] = {}
    waiting = iter(left)
    failed = sum(entry["outcome"] is not True for entry in journal.entries())
    started_s, done_before = time.monotonic(), len(journal.done)
    try:
        while True:
            while len(pending) < AHEAD * crew.workers and (run := next(waiting, None)) is not None:
                task = asdict(study.task(run)) | {"log": str(folder / "logs" / f"{run}") if log else None}
                pending[crew.executor.submit(supervised, ROLL_OUT, task, study.timeout_s)] = run
            if not pending:
                return
            for future in wait(pending, return_when=FIRST_COMPLETED).done:
                entry = judged(study.outcome, done_run(pending.pop(future), future))
                journal.add(entry)
                failed += entry["outcome"] is not True
                if progress is not None:
                    new = len(journal.done) - done_before
                    eta_s = (time.monotonic() - started_s) / new * (study.runs - len(journal.done))
                    progress(State(len(journal.done), study.runs, failed, eta_s))
    finally:
        for future in pending:
            future.cancel()


def done_run(run: int, future: Future[tuple[str, Any]]) -> dict[str, Any]:
    """Returns what is known of a run that is done: its result, or how it failed."""
    try:
        status, answer = future.result()
    except Exception as error:  # the worker of a cluster was lost
        status, answer = CRASHED, f"the worker of the cluster was lost\n{type(error).__name__}: {error}"
    if status:
        return {"index": run, "status": status, "summary": None, "timing": {}, "log": answer}
    return dict(answer)


def judged(outcome: Formula, entry: dict[str, Any]) -> dict[str, Any]:
    """Returns a run with its outcome: whether it was a success; None if that cannot be told, and why."""
    lines = entry["log"].strip().splitlines() or [""]
    # The last line of a traceback names the exception.
    verdict, problem = None, lines[-1] if lines[0].startswith("Traceback") else lines[0]
    if entry["status"] == DONE:
        try:
            verdict = truth(outcome, entry["summary"])
        except UnknownFigureError as error:
            problem = f"the run did not produce {error}"
        except FormulaError as error:
            problem = f"outcome {error}"
    return {**entry, "outcome": verdict, "problem": problem}


def _write_tables(study: Study, folder: Path, journal: Journal) -> None:
    def runs() -> Iterator[tuple[int, Mapping[str, Any]]]:
        for entry in journal.entries():
            if entry["index"] < study.runs:
                yield entry["index"], row(study, entry)

    def timing() -> Iterator[tuple[int, Mapping[str, Any]]]:
        for entry in journal.entries():
            yield entry["index"], entry["timing"]

    write_table(folder / RUNS, runs, provenance(study))
    write_table(folder / TIMING, timing, {"name": study.file.name})


def row(study: Study, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the row of a run: its values, its outcome and the figures of its summary."""
    summary = dict(flat(entry["summary"] or {}))
    values = dict(flat(study.values(entry["index"]), "vary."))
    outcome = {key: entry[key] for key in ("status", "outcome", "problem") if entry[key] not in (None, "")}
    return {**values, **outcome, **summary}


def provenance(study: Study) -> dict[str, Any]:
    """Returns what the rows of a study follow from."""
    return {
        "name": study.file.name,
        "study": study.file.model_dump(mode="json", exclude={"runs", "timeout_s", "tune"}),
        "scenario": study.scenario,
        "gains": study.gains.read_text("utf-8") if study.gains else None,
        "own_gains": _text(study.robot.folder / "gains.yaml"),
        "overrides": list(study.overrides),
        "runs": study.runs,
        "parameters": [each.path for each in study.parameters],
        "robot": study.robot.name,
        "config_sha256": study.robot.config_sha256,
        "model_sha256": study.robot.model_sha256,
        "version": version(),
        "libraries": libraries(),
        "identity": study.identity(),
    }


def _text(path: Path) -> str | None:
    return path.read_text("utf-8") if path.is_file() else None


def write_failures(study: Study, folder: Path, journal: Journal) -> list[dict[str, Any]]:
    """Writes the scenario and the log of each run that was no success.

    Returns:
        Of each, its number, status, problem, and the command line that repeats it.
    """
    failures = []
    for entry in journal.entries():
        if entry["outcome"] is True or entry["index"] >= study.runs:
            continue
        task = study.task(entry["index"])
        (folder / FAILURES).mkdir(exist_ok=True)
        path = folder / FAILURES / f"run-{task.index:06d}.yaml"
        command = task.command(path)
        path.write_text(f"# {command}\n{json.dumps(task.scenario, indent=1)}\n", "utf-8")
        if entry["log"]:
            path.with_suffix(".log").write_text(entry["log"], "utf-8")
        failures.append(
            {
                "index": task.index,
                "status": entry["status"],
                "problem": entry["problem"] or _told(entry["summary"]),
                "values": study.values(task.index),
                "repeat": command,
            }
        )
    return failures


def _told(summary: Mapping[str, Any]) -> str:
    """Returns what happened to a run that was no success, in a few words."""
    if summary.get("fell"):
        return f"fell at {summary['fell_at_s']:.3f} s"
    return f"ended in state {summary['exit_state']}"


def _report(study: Study, journal: Journal, failures: list[dict[str, Any]]) -> dict[str, Any]:
    counts: dict[str, int] = {}
    done = successes = 0
    simulated_s = busy_s = 0.0
    for entry in journal.entries():
        if entry["index"] >= study.runs:
            continue
        done += 1
        successes += entry["outcome"] is True
        counts[entry["status"]] = counts.get(entry["status"], 0) + 1
        if entry["summary"] is not None:
            simulated_s += entry["summary"]["duration_s"]
            busy_s += entry["timing"]["wall_s"]
    return {
        "study": study.file.name,
        "runs": study.runs,
        "done": done,
        "successes": successes,
        "success_rate": asdict(wilson(successes, done)) if done else None,
        "status": counts,
        "realtime_factor_per_worker": simulated_s / busy_s if busy_s else None,
        "failures": failures,
    }
