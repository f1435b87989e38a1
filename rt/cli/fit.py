"""`khz fit`: parameters of a robot from its logs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kilohertz.rt.cli import options as options
from kilohertz.rt.cli.output import RefusedError, check_file, say, screen, write_json


def fit(
    logs: Annotated[
        list[Path], typer.Argument(metavar="LOG...", help="Logs written by `--log` or by `khz log import`.")
    ],
    robot: Annotated[
        str | None,
        typer.Option(
            "--robot", metavar="ROBOT", help="Folder of the robot, if it is no longer where the log says."
        ),
    ] = None,
    gains: options.GainsOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE.yaml", help="Write the fitted keys for robot.yaml here."
        ),
    ] = None,
    json_file: options.JsonOption = None,
) -> None:
    """Fit joint friction, armature, load, delay and sensor noise to logs with measured joint torques.

    The last quarter of each log is held out: the screen shows the torque residual on it, with the model and
    with the fit. Values that the motion does not determine are left out of the file.
    """
    from kilohertz.rt.log.recorder import require_library

    check_file(output)
    check_file(json_file)
    require_library()
    from kilohertz.controller.gains.schema import load_gains
    from kilohertz.robots.model.robot_model import RobotModel
    from kilohertz.rt.log.file import LogReader, read_rows
    from kilohertz.rt.offline.estimate import run_estimator, samples_of
    from kilohertz.rt.offline.fit import commands_of
    from kilohertz.rt.offline.fit import fit as fitted
    from kilohertz.rt.offline.identify import require_torque
    from kilohertz.rt.show.estimate_screen import print_fit

    model: RobotModel | None = None
    pairs, commands, period_s = [], [], 0.0
    for file in logs:
        with LogReader(file) as reader:
            model = model or RobotModel.load(robot or reader.header.robot, stands=False)
            samples = samples_of(reader, model)
            period_s = reader.header.period_ns * 1e-9
        with LogReader(file) as reader:
            groups = [name for name in ("tick", "command") if name in (reader.row.names or ())]
            commands.append(commands_of(read_rows(reader, groups)))
        require_torque(samples, model)
        estimate = run_estimator(samples, model, load_gains(model, gains)) if model.floating else None
        pairs.append((samples, estimate))
    assert model is not None
    found = fitted(pairs, commands, model, period_s)
    if output is not None:
        _write(output, found.overlay(model))
    print_fit(screen(json_file), found.figures())
    if output is not None:
        say(f"\n  written to {output}", json_file)
    write_json(json_file, {"files": [str(file) for file in logs], **found.figures()})


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RefusedError(f"{file} could not be written: {error.strerror}") from None
