"""`khz bench`: how long the tick takes here, what it is made of, and beside others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from kilohertz.rt.cli import options as options
from kilohertz.rt.cli.output import (
    RefusedError,
    check_block,
    check_file,
    check_folder,
    drawing_into,
    screen,
    write_block,
    write_json,
)

DEFAULT_ROBOT = "g1"
DEFAULT_TICKS, README_TICKS = 20_000, 100_000
# Names the markers of the document that holds the table.
_TABLE_COMMAND = "khz bench --readme"
_COMPARED_SHARE, _FEWEST_COMPARED = 20, 200


def register(app: typer.Typer) -> None:
    """Hangs the command onto the app."""
    app.command()(bench)


def bench(
    robot: Annotated[
        str | None,
        typer.Option(metavar="ROBOT", help="The robot to control; g1, or what the comparison is made for."),
    ] = None,
    scenario: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE", help="What the robot does; left out, it sways, or moves its hand."),
    ] = None,
    ticks: Annotated[
        int | None, typer.Option(metavar="N", min=1000, help="How many ticks to time; 20000 or as needed.")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="tsid|cyclictest",
            help="The same problem in TSID, tick by tick; wake-ups beside cyclictest's.",
        ),
    ] = None,
    floor: Annotated[
        bool, typer.Option("--floor", help="Time pinocchio and the compiled kernel alone, beside the tick.")
    ] = False,
    grow: Annotated[bool, typer.Option("--grow", help="Time robots of 6 to 100 joints.")] = False,
    link: Annotated[
        bool, typer.Option("--link", help="Time a robot over the link, idle and under stress-ng.")
    ] = False,
    isolation: Annotated[
        bool, typer.Option("--isolation", help="Time the tick beside work in other processes.")
    ] = False,
    seconds: Annotated[
        float | None,
        typer.Option(metavar="S", min=4.0, help="Of --link, --isolation and cyclictest; all in all."),
    ] = None,
    rates: Annotated[
        bool, typer.Option("--rates", help="Push it at control rates of 10 to 1000 Hz, simulated.")
    ] = False,
    readme: Annotated[
        bool, typer.Option("--readme", help="Run it all and print the README's table.")
    ] = False,
    into: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Put that table between the markers of this file.")
    ] = None,
    json_file: options.JsonOption = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="DIR", help="Draw growth or rates into this folder.")
    ] = None,
) -> None:
    """Time every stage of the control loop at 1 kHz, on this host."""
    chosen = [against is not None, floor, grow, link, isolation, rates, readme]
    if chosen.count(True) > 1:
        what = "--against, --floor, --grow, --link, --isolation, --rates and --readme"
        raise typer.BadParameter(f"{what} are asked for one at a time")
    if scenario is not None and any(chosen):
        raise typer.BadParameter("--scenario is for timing the whole loop")
    if seconds is not None and not (link or isolation or against == "cyclictest"):
        raise typer.BadParameter("--seconds is for --link, --isolation and --against cyclictest")
    if plot is not None and not (grow or rates):
        raise typer.BadParameter("--plot draws what --grow or --rates measures")
    if into is not None and not readme:
        raise typer.BadParameter("--into is for the table of --readme")
    if (grow or readme) and robot is not None:
        raise typer.BadParameter("--grow and --readme have robots of their own; leave out --robot")
    check_file(json_file)
    check_folder(plot)
    if readme:
        _readme(ticks or README_TICKS, into, json_file)
    elif grow:
        _grow(plot, json_file)
    elif link or isolation or against == "cyclictest":
        _host(link, isolation, robot or DEFAULT_ROBOT, seconds, json_file)
    elif rates:
        _rates(robot or DEFAULT_ROBOT, plot, json_file)
    elif against is not None or floor:
        _compare(against, robot, ticks or DEFAULT_TICKS, json_file)
    else:
        _whole(robot or DEFAULT_ROBOT, scenario, ticks or DEFAULT_TICKS, json_file)


def _whole(robot: str, scenario: str | None, ticks: int, json_file: Path | None) -> None:
    from kilohertz.rt.bench.latency import print_bench, run_bench

    typer.echo(f"timing {ticks} ticks in real time ...", err=True)
    report = run_bench(robot, ticks, scenario=scenario)
    print_bench(screen(), report)
    write_json(json_file, report.as_json())
    raise typer.Exit(report.exit_code)


def _compare(against: str | None, robot: str | None, ticks: int, json_file: Path | None) -> None:
    from kilohertz.rt.bench import kernel_baseline as floor
    from kilohertz.rt.bench import tsid_comparison as tsid
    from kilohertz.rt.bench.tsid_environment import TsidMissingError

    if against not in (None, "tsid"):
        raise typer.BadParameter(f"there is no '{against}' to compare with; there are tsid and cyclictest")
    robots, ticks = [robot] if robot else tsid.ROBOTS, max(ticks // _COMPARED_SHARE, _FEWEST_COMPARED)
    content: dict[str, Any]
    try:
        if against is None:
            floors = floor.run_floor(robots, ticks)
            table, content = floor.floor_table(floors), floor.as_json(floors)
        else:
            comparisons = tsid.run_against(robots, ticks)
            table, content = tsid.comparison_table(comparisons), tsid.as_json(comparisons)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    except TsidMissingError as error:
        raise RefusedError(f"TSID cannot be compared with: {error}") from error
    screen().print(table)
    write_json(json_file, content)


def _host(link: bool, isolation: bool, robot: str, seconds: float | None, json_file: Path | None) -> None:
    def say(text: str) -> None:
        typer.echo(text, err=True)

    content: dict[str, Any]
    if link:
        from kilohertz.rt.bench import link as link_bench

        trips = link_bench.run_link_bench(robot, (seconds or link_bench.SECONDS) / 2.0, say)
        table, content = link_bench.link_table(trips), link_bench.as_json(trips)
    elif isolation:
        from kilohertz.rt.bench import isolation as beside

        seconds = seconds or beside.SECONDS
        say(f"timing ticks for {seconds:g} s ...")
        disturbed = beside.run_isolation(robot, seconds)
        table, content = beside.isolation_table(disturbed), beside.as_json(disturbed)
    else:
        from kilohertz.rt.bench import paired_wake

        block_s = (seconds or paired_wake.SECONDS) / 2.0 / paired_wake.BLOCKS
        wakes = paired_wake.run_paired_wake(max(1, round(block_s)), say)
        table, content = paired_wake.wake_table(wakes), paired_wake.as_json(wakes)
    screen().print(table)
    write_json(json_file, content)


def _grow(plot: Path | None, json_file: Path | None) -> None:
    from kilohertz.rt.bench.grow import SOLVERS, as_json, fit, grow_table, run_grow

    ticks = run_grow()
    console = screen()
    console.print(grow_table(ticks))
    for solver in SOLVERS:
        console.print(f"\n{solver}: {fit(ticks, solver)}; nv = joints + 6, nc contacts", soft_wrap=True)
    write_json(json_file, as_json(ticks))
    if plot is not None:
        with drawing_into(plot) as drawn:
            from kilohertz.rt.bench.grow_plot import write_grow_plot

            drawn.append(write_grow_plot(plot, ticks))


def _rates(robot: str, plot: Path | None, json_file: Path | None) -> None:
    from kilohertz.rt.bench.rates import as_json, rates_table, run_rates

    try:
        pushes = run_rates(robot, told=lambda text: typer.echo(text, err=True))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    screen().print(rates_table(pushes))
    write_json(json_file, as_json(pushes))
    if plot is not None:
        with drawing_into(plot) as drawn:
            from kilohertz.rt.bench.rates_plot import write_rates_plot

            drawn.append(write_rates_plot(plot, pushes))


def _readme(ticks: int, into: Path | None, json_file: Path | None) -> None:
    check_block(into, _TABLE_COMMAND)
    from kilohertz.rt.bench.readme import measure, render

    figures = measure(ticks, lambda text: typer.echo(text, err=True))
    block = render(figures)
    typer.echo(block)
    write_json(json_file, figures.as_json())
    write_block(into, _TABLE_COMMAND, block)
