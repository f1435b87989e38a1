"""`khz tune`: search for better gains by simulation, and prove it on seeds that the search has not used."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from kilohertz.rt.cli import options as options
from kilohertz.rt.cli.output import check_file, check_folder, progress, screen, write_json
from kilohertz.rt.cli.study import ClusterOption, Counting, StudyArgument, WorkersOption


def tune(
    study_file: StudyArgument,
    folder: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="DIR",
            help="Folder of the results; else the name of the study and `-tuned`, here.",
        ),
    ] = None,
    cluster: ClusterOption = None,
    workers: WorkersOption = None,
    gains: options.GainsOption = None,
    json_file: options.JsonOption = None,
) -> None:
    """Search for gains of a smaller cost, as section `tune` of a study says; --gains is where it starts.

    All candidates are tried on the same seeds. The best is compared with the start on seeds that the search
    has not used; DIR/gains.yaml is written only if it is significantly better there. The same command goes on
    where it was interrupted.

    Exit status: 0 better gains were written; 3 the study was refused, with file, line and the number of runs
    that it would take, or no gains were found that are significantly better, and no file was written; 130
    stopped by Ctrl-C.
    """
    check_file(json_file)
    check_folder(folder)
    from kilohertz.rt.study.candidates import require_optuna

    require_optuna()
    from kilohertz.rt.study.crew import crew_of
    from kilohertz.rt.study.tune import run_tuning
    from kilohertz.rt.study.tuning import load_tuning

    tuning = load_tuning(study_file, gains)
    name, most = tuning.study.file.name, tuning.section.roll_outs
    folder = folder or Path(f"{name}-tuned")
    check_folder(folder)
    with crew_of(cluster, workers) as crew:
        progress(f"{name}: at most {most} runs by {crew.where}, into {folder}")
        with Counting() as show:
            report = run_tuning(tuning, folder, crew, show)
    from kilohertz.rt.show.study_screen import print_tuning

    print_tuning(screen(json_file), report)
    write_json(json_file, report)
    if not report["better"]:
        progress(not_better(report))
        raise typer.Exit(options.EXIT_REFUSED)


def not_better(report: dict[str, Any]) -> str:
    """Returns the sentence that says why no gains were written."""
    fresh = report["fresh"]
    if fresh is None:
        return "no gains were written: no candidate costs less than the start on the runs of the search"
    before, after = fresh["before"]["mean_cost"], fresh["after"]["mean_cost"]
    return (
        f"no gains were written: on {fresh['runs']} seeds that the search has not used, the best candidate "
        f"is not significantly better than the start: cost {before:.4g} -> {after:.4g}, p = {fresh['p']:.2g}"
    )
