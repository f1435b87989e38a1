"""`khz gains`: check, show and describe a robot's gains."""

from __future__ import annotations

import json

import typer

from kilohertz.rt.cli.options import GainsOption, RobotArgument
from kilohertz.rt.cli.output import warn_of_unfinished

gains_app = typer.Typer(help="The controller's gains of a robot.", no_args_is_help=True)


@gains_app.command()
def check(robot: RobotArgument, gains: GainsOption = None) -> None:
    """Check a robot's gains; every mistake is told with its file and line."""
    from kilohertz.controller.gains.schema import gains_path, load_gains
    from kilohertz.robots.model.robot_model import RobotModel

    model = RobotModel.load(robot)
    load_gains(model, gains)
    path = gains or gains_path(model)
    warn_of_unfinished(path)
    typer.echo(f"{path}: good" if path else f"{model.name} has no gains.yaml: the defaults are used")


@gains_app.command()
def show(robot: RobotArgument, gains: GainsOption = None) -> None:
    """Print the gains in use, defaults included, as a gains.yaml with what each one means."""
    from kilohertz.controller.gains.schema import load_gains
    from kilohertz.robots.model.robot_model import RobotModel
    from kilohertz.rt.live.gains_text import gains_yaml

    typer.echo(gains_yaml(load_gains(RobotModel.load(robot), gains)), nl=False)


@gains_app.command()
def schema(robot: RobotArgument) -> None:
    """Print the JSON Schema of gains.yaml, with which an editor completes and checks it."""
    from kilohertz.controller.gains.schema import Gains
    from kilohertz.robots.model.description import find_robot

    find_robot(robot)
    typer.echo(json.dumps(Gains.model_json_schema(), indent=2))
