"""`khz faults`: the fault table, and runs that provoke its faults."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kilohertz.rt.cli import options as options
from kilohertz.rt.cli.output import check_block, check_file, write_block, write_json

# Names the markers of the document that holds the table.
_TABLE_COMMAND = "khz faults run --into"

faults_app = typer.Typer(help="What may break, what happens then, and the proof.", no_args_is_help=True)


@faults_app.command("list")
def list_faults() -> None:
    """List all faults; those that can be provoked here are marked."""
    from kilohertz.rt.faults.runs import RUNS
    from kilohertz.rt.faults.table import FAULTS

    for fault in FAULTS:
        typer.echo(f"{fault.name} {'run' if fault.name in RUNS else '   '}  {fault.fault}")


@faults_app.command()
def explain(fault: Annotated[str, typer.Argument(metavar="FAULT", help="Such as F07.")]) -> None:
    """Explain one fault: the reaction it must have, how it is provoked, and what counts as passed."""
    from kilohertz.rt.faults.runs import RUNS
    from kilohertz.rt.faults.table import find_fault

    row = find_fault(fault)
    typer.echo(f"{row.name}  {row.fault}")
    typer.echo(f"  reaction   {row.reaction}")
    typer.echo(f"  provoked   {row.injection}")
    typer.echo(f"  passed     {row.figure}")
    run = RUNS.get(row.name)
    typer.echo(f"  here       {run.run.__doc__}" if run else "  here       this version cannot provoke it")


@faults_app.command()
def run(
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="FAULT", help="Such as F07; may be repeated.")
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="As often as the table asks for: many minutes.")
    ] = False,
    json_file: options.JsonOption = None,
    into: Annotated[
        Path | None, typer.Option("--into", metavar="FILE", help="Write into the table between its markers.")
    ] = None,
) -> None:
    """Provoke faults in a simulated robot and tell what came of it.

    Exit status: 0 all passed; 1 one did not; 3 refused.
    """
    check_file(json_file)
    before = check_block(into, _TABLE_COMMAND)
    from kilohertz.robots.config.config_error import ConfigError
    from kilohertz.rt.faults.report import fault_rows
    from kilohertz.rt.faults.runs import RUNS, run_faults
    from kilohertz.rt.faults.table import find_fault

    for name in only or []:
        if find_fault(name).name not in RUNS:
            raise ConfigError(f"{name} cannot be provoked by this version; see `khz faults list`")

    results = []
    for result in run_faults(list(only or []), full=full):
        results.append(result)
        outcome = result.outcome
        typer.echo(f"{result.fault.name} {'passed' if outcome.passed else 'FAILED'}  {result.fault.fault}")
        typer.echo(f"     {outcome.n} times: {outcome.worst}; wanted: {result.fault.figure}")
    write_json(json_file, {"faults": [result.as_json() for result in results]})
    write_block(into, _TABLE_COMMAND, fault_rows(results, before))
    raise typer.Exit(0 if all(result.outcome.passed for result in results) else options.EXIT_FAULT)
