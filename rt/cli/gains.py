"""`khz gains`: check, show, compare and describe the gains of a robot."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.cli.options import GainsOption, JsonOption, RobotArgument
from kilohertz.rt.cli.output import check_file, say, warn_of_unfinished, write_json

if TYPE_CHECKING:
    from kilohertz.controller.gains.schema import Gains
    from kilohertz.robots.model.robot_model import RobotModel

gains_app = typer.Typer(help="Check, show and compare the controller gains of a robot.", no_args_is_help=True)

DEFAULTS = "defaults"
_COMPARED = f"A gains file, a robot (name or folder) whose gains are taken, or `{DEFAULTS}`."


@gains_app.command()
def check(robot: RobotArgument, gains: GainsOption = None, json_file: JsonOption = None) -> None:
    """Check the gains of a robot and report every mistake with its file and line.

    Exit status: 0 no mistakes; 3 mistakes.
    """
    check_file(json_file)
    from kilohertz.controller.gains.schema import gains_path, load_gains
    from kilohertz.robots.model.robot_model import RobotModel

    model = RobotModel.load(robot)
    path = gains or gains_path(model)
    report = {"robot": model.name, "file": str(path) if path else None}
    try:
        load_gains(model, gains)
    except ConfigError as error:
        problems = [{**asdict(problem), "file": str(problem.file or "")} for problem in error.problems]
        write_json(json_file, {**report, "valid": False, "problems": problems})
        raise
    warn_of_unfinished(path)
    say(f"{path}: valid" if path else f"{model.name} has no gains.yaml: the defaults are used", json_file)
    write_json(json_file, {**report, "valid": True, "problems": []})


@gains_app.command()
def show(
    robot: RobotArgument,
    gains: GainsOption = None,
    effective: Annotated[
        bool,
        typer.Option(
            "--effective",
            help="Print the gains that result for this robot: values that follow from its size and weight "
            "are worked out.",
        ),
    ] = False,
    json_file: JsonOption = None,
) -> None:
    """Print all gains of a robot, defaults included, as a gains.yaml with a comment on each key."""
    check_file(json_file)
    from kilohertz.controller.gains.schema import load_gains
    from kilohertz.robots.model.robot_model import RobotModel
    from kilohertz.rt.live.gains_text import gains_yaml

    model = RobotModel.load(robot)
    loaded = load_gains(model, gains)
    if effective:
        _show_effective(model, loaded, json_file)
        return
    say(gains_yaml(loaded).rstrip("\n"), json_file)
    write_json(json_file, loaded.model_dump(mode="json"))


def _show_effective(model: RobotModel, loaded: Gains, json_file: Path | None) -> None:
    from kilohertz.rt.live.gains_effective import effective_gains, scaled_gains

    gains, scaled = effective_gains(model, loaded), scaled_gains(model, loaded)
    for key, value in _values(gains).items():
        say(f"{key}: {json.dumps(value)}", json_file)
    say(f"# what these amount to on {model.name}, in SI units:", json_file)
    for key, value in scaled.items():
        say(f"# {key}: {json.dumps(value)}", json_file)
    write_json(json_file, {"robot": model.name, "gains": gains, "scaled": scaled})


@gains_app.command()
def schema(robot: RobotArgument) -> None:
    """Print the JSON Schema of gains.yaml, which an editor uses to complete and check the file."""
    from kilohertz.controller.gains.schema import Gains
    from kilohertz.robots.model.description import find_robot

    find_robot(robot)
    typer.echo(json.dumps(Gains.model_json_schema(), indent=2))


@gains_app.command()
def diff(
    a: Annotated[str, typer.Argument(metavar="A", help=_COMPARED)],
    b: Annotated[str, typer.Argument(metavar="B", help=_COMPARED)],
    robot: Annotated[
        str | None,
        typer.Option(
            "--robot",
            metavar="ROBOT",
            help="Robot of a gains file; without it, names of contacts and joints are not checked.",
        ),
    ] = None,
    json_file: JsonOption = None,
) -> None:
    """List the gains that differ between A and B, defaults included, and which of them need a restart."""
    check_file(json_file)
    from kilohertz.controller.gains.live import live_paths

    live = {".".join(path) for path in live_paths()}
    before, after = (_values(_gains_of(each, robot).model_dump(mode="json")) for each in (a, b))
    keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    # A section that is empty on one side only is there with its entries.
    keys = [key for key in keys if {} not in (before.get(key), after.get(key))]
    for key in keys:
        say(f"{key}: {_text(before.get(key))} -> {_text(after.get(key))}", json_file)
    if not keys:
        say("no gains differ", json_file)
    at_start = [key for key in keys if key not in live]
    if at_start:
        say(f"cannot change while a robot runs, only at its start: {', '.join(at_start)}", json_file)
    changed = [{"key": key, "a": before.get(key), "b": after.get(key)} for key in keys]
    write_json(json_file, {"a": a, "b": b, "differences": changed, "at_start_only": at_start})


def _gains_of(source: str, robot: str | None) -> Gains:
    """Gains of a file or of a robot.

    Raises:
        ConfigError: the file has mistakes, or there is no such robot.
    """
    from kilohertz.controller.gains.schema import Gains, load_gains
    from kilohertz.robots.config.yaml_file import load_yaml
    from kilohertz.robots.model.robot_model import RobotModel

    if source == DEFAULTS and not Path(source).exists():
        return Gains()
    path = Path(source)
    if path.suffix not in (".yaml", ".yml") and not path.is_file():
        return load_gains(RobotModel.load(source))
    if robot is not None:
        return load_gains(RobotModel.load(robot), path)
    return load_yaml(path, Gains)


def _values(section: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Single values by their dotted key; a list is one value."""
    values: dict[str, Any] = {}
    for key, value in section.items():
        name = f"{prefix}{key}"
        values.update(_values(value, f"{name}.") if isinstance(value, dict) and value else {name: value})
    return values


def _text(value: Any) -> str:
    return "not set" if value is None else json.dumps(value)
