"""`khz robot`: write the folder of a new robot from its model, and check a robot before it moves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kilohertz.rt.cli.options import EXIT_SAFETY_STOP, JsonOption, RobotArgument
from kilohertz.rt.cli.output import check_file, check_folder, drawing_into, say, screen, write_json

robot_app = typer.Typer(
    help="Write the folder of a new robot from its model, and check a robot before it moves.",
    no_args_is_help=True,
)


@robot_app.command()
def new(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="URDF or MJCF file, or PACKAGE:path inside an installed data package.",
        ),
    ],
    into: Annotated[
        Path | None,
        typer.Option("--into", metavar="DIR", help="Folder to write; by default one named after the model."),
    ] = None,
) -> None:
    """Write the robot.yaml of a new robot: soles, hands, IMU, trunk and a nominal posture from its model.

    Exit status: 0 written; 3 refused (the text says why).
    """
    check_folder(into)
    from kilohertz.robots.model.robot_model import RobotModel
    from kilohertz.rt.robot_folder.examine import examine
    from kilohertz.rt.robot_folder.new import new_robot
    from kilohertz.rt.robot_folder.table import as_table

    folder = new_robot(model, into)
    screen().print(as_table(examine(RobotModel.load(folder))))
    todo = (folder / "robot.yaml").read_text("utf-8").count("TODO") - 1
    say(f"\n  written to {folder / 'robot.yaml'}; {todo} lines are marked TODO. Next: khz sim {folder}")


@robot_app.command()
def check(
    robot: RobotArgument,
    json_file: JsonOption = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="DIR", help="Draw the robot in its nominal posture into this folder."),
    ] = None,
) -> None:
    """Check a robot in its nominal posture: soles, balance, torques at rest, and what was assumed.

    Exit status: 0 passed; 1 a problem was found; 3 refused (the text names file, line and key).
    """
    check_file(json_file)
    check_folder(plot)
    from kilohertz.robots.model.robot_model import RobotModel
    from kilohertz.rt.robot_folder.examine import examine
    from kilohertz.rt.robot_folder.table import as_table

    found = examine(RobotModel.load(robot))
    screen(json_file).print(as_table(found))
    write_json(json_file, found.as_json())
    if plot is not None:
        with drawing_into(plot, json_file) as drawn:
            from kilohertz.rt.robot_folder.picture import picture
            from kilohertz.rt.show.plot_style import save

            drawn += save({"robot": picture(found)}, plot)
    raise typer.Exit(0 if found.passed else EXIT_SAFETY_STOP)
