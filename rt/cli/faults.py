"""`khz faults`: the fault table, and test runs that inject its faults."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kilohertz.rt.cli import options as options
from kilohertz.rt.cli.output import check_block, check_file, say, write_block, write_json

# The markers in a document name this command.
_TABLE_COMMAND = "khz faults run --into"

faults_app = typer.Typer(
    help="List the faults that Kilohertz must survive, and test its reaction to them.", no_args_is_help=True
)


@faults_app.command("list")
def list_faults(json_file: options.JsonOption = None) -> None:
    """List all faults; those that `khz faults run` can inject are marked `run`."""
    check_file(json_file)
    from kilohertz.rt.faults.runs import RUNS
    from kilohertz.rt.faults.table import FAULTS

    for fault in FAULTS:
        say(f"{fault.name} {'run' if fault.name in RUNS else '   '}  {fault.fault}", json_file)
    faults = [{"fault": f.name, "what": f.fault, "can_be_injected": f.name in RUNS} for f in FAULTS]
    write_json(json_file, {"faults": faults})


@faults_app.command()
def explain(
    fault: Annotated[str, typer.Argument(metavar="FAULT", help="Name of a fault, such as F07.")],
    json_file: options.JsonOption = None,
) -> None:
    """Explain one fault: the required reaction, how it is injected, and the criterion for a pass."""
    check_file(json_file)
    from kilohertz.rt.faults.runs import RUNS
    from kilohertz.rt.faults.table import find_fault

    row = find_fault(fault)
    run = RUNS.get(row.name)
    how = str(run.run.__doc__) if run else None
    say(f"{row.name}  {row.fault}", json_file)
    say(f"  reaction   {row.reaction}", json_file)
    say(f"  injection  {row.injection}", json_file)
    say(f"  criterion  {row.figure}", json_file)
    say(f"  this test  {how or 'this version of Kilohertz cannot inject it'}", json_file)
    content = {"fault": row.name, "what": row.fault, "reaction": row.reaction, "injection": row.injection}
    write_json(json_file, {**content, "criterion": row.figure, "test": how})


@faults_app.command()
def run(
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="FAULT", help="Inject only this fault, such as F07; may be repeated."),
    ] = None,
    full: Annotated[
        bool,
        typer.Option(
            "--full", help="Repeat each fault as often as the fault table demands; this takes many minutes."
        ),
    ] = False,
    json_file: options.JsonOption = None,
    into: Annotated[
        Path | None,
        typer.Option(
            "--into", metavar="FILE", help="Update the table between the markers of this Markdown file."
        ),
    ] = None,
) -> None:
    """Inject faults into a simulated robot and check the reaction.

    Exit status: 0 all passed; 1 at least one failed; 3 refused; 130 stopped by Ctrl-C, with the results so
    far written.
    """
    check_file(json_file)
    before = check_block(into, _TABLE_COMMAND)
    from kilohertz.robots.config.config_error import ConfigError
    from kilohertz.rt.faults.report import fault_rows
    from kilohertz.rt.faults.runs import RUNS, run_faults
    from kilohertz.rt.faults.table import find_fault

    for name in only or []:
        if find_fault(name).name not in RUNS:
            raise ConfigError(f"{name} cannot be injected by this version; see `khz faults list`")

    results, interrupted = [], False
    try:
        for result in run_faults(list(only or []), full=full):
            results.append(result)
            outcome = result.outcome
            verdict = "passed" if outcome.passed else "FAILED"
            say(f"{result.fault.name} {verdict}  {result.fault.fault}", json_file)
            say(f"     {outcome.n} times: {outcome.worst}; criterion: {result.fault.figure}", json_file)
    except KeyboardInterrupt:
        interrupted = True
    write_json(json_file, {"faults": [result.as_json() for result in results]})
    write_block(into, _TABLE_COMMAND, fault_rows(results, before))
    if interrupted:
        raise KeyboardInterrupt
    passed = all(result.outcome.passed for result in results)
    raise typer.Exit(0 if passed else options.EXIT_SAFETY_STOP)
