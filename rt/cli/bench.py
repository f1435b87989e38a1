"""`khz bench`: latency of the control loop on this host, and comparisons with other programs."""

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
    progress,
    say,
    screen,
    write_block,
    write_json,
)

DEFAULT_TICKS, COMPARED_TICKS, README_TICKS = 20_000, 1000, 100_000
LINK_S = 60.0
CYCLICTEST_S = 80.0
"""Gives 40,000 wake-ups under each load; with half as many, a single stall of the host decides p99.9."""
ISOLATION_S = 120.0
"""Gives some 27,000 ticks under each disturbance; fewer do not resolve p99.9."""
# The markers in a document name this command.
TABLE_COMMAND = "khz bench readme"

RobotOption = Annotated[
    str, typer.Option(metavar="ROBOT", help="Name of a shipped robot, or path of a robot's folder.")
]
ComparedOption = Annotated[
    str | None,
    typer.Option(metavar="ROBOT", help="A biped with flat soles or an arm; without it, g1, ur5 and panda."),
]
ComparedTicksOption = Annotated[
    int, typer.Option(metavar="N", min=200, help="Number of ticks of each robot in each motion.")
]
BenchPlotOption = Annotated[
    Path | None, typer.Option("--plot", metavar="DIR", help="Write a plot (PNG) to this folder.")
]

bench_app = typer.Typer(
    help="Measure the latency of the control loop on this host, and compare it with other programs.",
    no_args_is_help=True,
)
against_app = typer.Typer(
    help="Compare Kilohertz with another program on the same core, in turn.", no_args_is_help=True
)
bench_app.add_typer(against_app, name="against")


def register(app: typer.Typer) -> None:
    """Adds the commands to the app."""
    app.add_typer(bench_app, name="bench")


@bench_app.command()
def latency(
    robot: RobotOption = "g1",
    scenario: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Scenario to run; without it, a biped sways on both feet and an arm moves its hand.",
        ),
    ] = None,
    ticks: Annotated[
        int, typer.Option(metavar="N", min=1000, help="Number of ticks to time, one per millisecond.")
    ] = DEFAULT_TICKS,
    json_file: options.JsonOption = None,
) -> None:
    """Time every stage of the tick in a real-time run, and count the bytecodes interpreted per step."""
    check_file(json_file)
    from kilohertz.rt.bench.bytecodes import bytecodes_line, count_bytecodes
    from kilohertz.rt.bench.latency import print_bench, run_bench

    progress(f"timing {ticks} ticks in real time ...")
    report = run_bench(robot, ticks, scenario=scenario)
    content, console = report.as_json(), screen(json_file)
    print_bench(console, report)
    if report.exit_code == 0:
        progress("counting bytecodes ...")
        content["bytecodes_per_step"] = counts = count_bytecodes(robot)
        console.print(f"\n  {bytecodes_line(counts)}", soft_wrap=True)
    write_json(json_file, content)
    raise typer.Exit(report.exit_code)


@against_app.command()
def tsid(
    robot: ComparedOption = None,
    ticks: ComparedTicksOption = COMPARED_TICKS,
    json_file: options.JsonOption = None,
) -> None:
    """Solve the same whole-body problems in TSID (C++) and compare times and torques.

    The first use installs TSID into a Python environment of its own, which takes a minute and needs network.
    """
    check_file(json_file)
    from kilohertz.rt.bench.develop import ratios, tsid_comparison
    from kilohertz.rt.bench.develop.tsid_environment import TsidMissingError

    robots = [robot] if robot else tsid_comparison.ROBOTS
    try:
        comparisons = tsid_comparison.run_against(robots, ticks)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    except TsidMissingError as error:
        raise RefusedError(f"the comparison with TSID is not possible: {error}") from error
    progress("timing whole ticks and counting bytecodes ...")
    measured = ratios.run_ratios(robots[0], comparisons)
    console = screen(json_file)
    console.print(tsid_comparison.comparison_table(comparisons))
    for line in ratios.lines(measured):
        console.print(line, soft_wrap=True)
    write_json(json_file, {**measured, **tsid_comparison.as_json(comparisons)})


@against_app.command()
def cyclictest(
    seconds: Annotated[
        float,
        typer.Option(metavar="S", min=4.0, help="Duration in seconds, half of it under load from stress-ng."),
    ] = CYCLICTEST_S,
    json_file: options.JsonOption = None,
) -> None:
    """Compare the wake-up latency of the loop with that of cyclictest, idle and under stress-ng."""
    check_file(json_file)
    from kilohertz.rt.bench import paired_wake

    wakes = paired_wake.run_paired_wake(max(1, round(seconds / 2.0 / paired_wake.BLOCKS)), progress)
    _report(paired_wake.wake_table(wakes), paired_wake.as_json(wakes), json_file)


@bench_app.command()
def floor(
    robot: ComparedOption = None,
    ticks: ComparedTicksOption = COMPARED_TICKS,
    json_file: options.JsonOption = None,
) -> None:
    """Time pinocchio and the compiled kernel alone: the least time that the whole-body tick can take."""
    check_file(json_file)
    from kilohertz.rt.bench.develop import kernel_baseline, tsid_comparison

    try:
        floors = kernel_baseline.run_floor([robot] if robot else tsid_comparison.ROBOTS, ticks)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    _report(kernel_baseline.floor_table(floors), kernel_baseline.as_json(floors), json_file)


@bench_app.command()
def grow(plot: BenchPlotOption = None, json_file: options.JsonOption = None) -> None:
    """Time the whole-body tick of robots with 6 to 100 joints on 1 to 4 contacts."""
    check_file(json_file)
    check_folder(plot)
    from kilohertz.rt.bench.develop.grow import SOLVERS, as_json, fit, grow_table, run_grow

    ticks = run_grow()
    console = screen(json_file)
    console.print(grow_table(ticks))
    for solver in SOLVERS:
        console.print(f"\n{solver}: {fit(ticks, solver)}; nv = joints + 6, nc contacts", soft_wrap=True)
    write_json(json_file, as_json(ticks))
    if plot is not None:
        with drawing_into(plot, json_file) as drawn:
            from kilohertz.rt.bench.develop.grow_plot import write_grow_plot

            drawn.append(write_grow_plot(plot, ticks))


@bench_app.command()
def link(
    robot: RobotOption = "g1",
    seconds: Annotated[
        float,
        typer.Option(metavar="S", min=4.0, help="Duration in seconds, half of it under load from stress-ng."),
    ] = LINK_S,
    json_file: options.JsonOption = None,
) -> None:
    """Time the round trip of a simulated robot over the wire protocol, idle and under stress-ng."""
    check_file(json_file)
    from kilohertz.rt.bench import link as link_bench

    trips = link_bench.run_link_bench(robot, seconds / 2.0, progress)
    _report(link_bench.link_table(trips), link_bench.as_json(trips), json_file)


@bench_app.command()
def isolation(
    robot: RobotOption = "g1",
    seconds: Annotated[float, typer.Option(metavar="S", min=4.0, help="Duration in seconds.")] = ISOLATION_S,
    json_file: options.JsonOption = None,
) -> None:
    """Time the tick while other processes load the machine, and compare with undisturbed ticks."""
    check_file(json_file)
    from kilohertz.rt.bench import isolation as isolation_bench

    progress(f"timing ticks for {seconds:g} s ...")
    disturbed = isolation_bench.run_isolation(robot, seconds)
    _report(isolation_bench.isolation_table(disturbed), isolation_bench.as_json(disturbed), json_file)


@bench_app.command()
def rates(
    robot: RobotOption = "g1", plot: BenchPlotOption = None, json_file: options.JsonOption = None
) -> None:
    """Find the largest push that a simulated biped survives at control rates of 10 to 1000 Hz."""
    check_file(json_file)
    check_folder(plot)
    from kilohertz.rt.bench.rates import as_json, rates_table, run_rates

    try:
        pushes = run_rates(robot, progress=progress)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    _report(rates_table(pushes), as_json(pushes), json_file)
    if plot is not None:
        with drawing_into(plot, json_file) as drawn:
            from kilohertz.rt.bench.rates_plot import write_rates_plot

            drawn.append(write_rates_plot(plot, pushes))


@bench_app.command()
def readme(
    ticks: Annotated[
        int, typer.Option(metavar="N", min=1000, help="Number of ticks of each real-time run.")
    ] = README_TICKS,
    into: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the table between the markers of this Markdown file."),
    ] = None,
    json_file: options.JsonOption = None,
) -> None:
    """Run all latency measurements (nine minutes) and print the table of figures for the documentation."""
    check_file(json_file)
    check_block(into, TABLE_COMMAND)
    from kilohertz.rt.bench.develop.readme import measure, render

    figures = measure(ticks, progress)
    block = render(figures)
    say(block, json_file)
    write_json(json_file, figures.as_json())
    write_block(into, TABLE_COMMAND, block)


def _report(table: Any, content: dict[str, Any], json_file: Path | None) -> None:
    """Prints a table and writes its figures."""
    screen(json_file).print(table)
    write_json(json_file, content)
