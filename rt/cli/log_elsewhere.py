"""`khz log import`, `estimate` and `identify`: logs of other controllers, and what they tell of a robot."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kilohertz.rt.cli import options as options
from kilohertz.rt.cli.log_kept import FileArgument, chosen
from kilohertz.rt.cli.output import (
    RefusedError,
    check_file,
    check_folder,
    drawing_into,
    progress,
    say,
    screen,
    write_json,
)
from kilohertz.rt.cli.run import ProgressLine

if TYPE_CHECKING:
    from kilohertz.robots.model.robot_model import RobotModel
    from kilohertz.rt.log.file import LogReader

RobotOption = Annotated[
    str | None,
    typer.Option(
        "--robot", metavar="ROBOT", help="Folder of the robot, if it is no longer where the log says."
    ),
]

AcceptOption = Annotated[
    list[str] | None,
    typer.Option(
        "--accept",
        metavar="FINDING",
        help="Import the log although this finding would refuse it, such as imu-time; the message of the "
        "refusal gives the name, and the log's notes keep it. May be repeated.",
    ),
]


def register(app: typer.Typer) -> None:
    """Adds the commands of this module to `khz log`."""
    app.command("import")(import_csv)
    app.command()(estimate)
    app.command()(identify)


def import_csv(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE.csv", help="CSV file, or .csv.gz, with a line per sample and named columns."
        ),
    ],
    robot: Annotated[
        str,
        typer.Option(
            "--robot", metavar="ROBOT", help="Name of a shipped robot, or path of a robot's folder."
        ),
    ],
    columns: Annotated[
        Path | None,
        typer.Option(
            "--columns",
            metavar="FILE.yaml",
            help="File that maps Kilohertz's column names to those of the CSV file.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE.mcap", help="Log to write; by default beside the CSV."),
    ] = None,
    accept: AcceptOption = None,
    json_file: options.JsonOption = None,
) -> None:
    """Import a log of another controller from CSV, checking units, signs, times, sides and mounting.

    Columns, in any order: t_s, q_JOINT, v_JOINT, tau_JOINT, gyro_x|y|z, accel_x|y|z (IMU axes, specific
    force), force_CONTACT, truth_x|y|z, truth_roll|pitch|yaw; in s, rad, rad/s, Nm, m/s^2, N and m. Absent
    columns count as unknown; absent velocities are computed by differentiating positions.
    """
    from kilohertz.rt.log.recorder import require_library

    path = output or Path(f"{str(file).removesuffix('.gz').removesuffix('.csv')}.mcap")
    for each in (path, json_file):
        check_file(each)
    require_library()
    from kilohertz.robots.model.robot_model import RobotModel
    from kilohertz.rt.offline.columns import ColumnMap, read_columns
    from kilohertz.rt.offline.csv_table import read_table
    from kilohertz.rt.offline.log_import import header_of, rows_of_table, write_log

    if path.resolve() == file.resolve():
        raise RefusedError(f"{path} is the file to import: give another name with -o")
    model = RobotModel.load(robot, stands=False)
    joints = [*model.joint_names, *model.description.locked_joints_rad]
    mapping = ColumnMap({}) if columns is None else read_columns(columns, joints, model.contact_names)
    imported = rows_of_table(read_table(file), mapping, model, accept or ())
    write_log(path, header_of(model, robot, file, imported), imported.rows)
    for note in imported.notes:
        progress(f"note: {note}")
    t_s = imported.rows["sensors"]["t_s"]
    duration_s, n = float(t_s[-1, 0] - t_s[0, 0]), len(imported.rows)
    say(f"{n} samples in {duration_s:.2f} s written to {path}", json_file)
    report = {"file": str(path), "samples": n, "duration_s": duration_s}
    write_json(json_file, {**report, "notes": list(imported.notes), "accepted": list(accept or ())})


def estimate(
    file: FileArgument = None,
    gains: options.GainsOption = None,
    truth_link: Annotated[
        str | None,
        typer.Option(
            "--truth-link", metavar="LINK", help="Link whose true pose the log has; by default the base."
        ),
    ] = None,
    suggest: Annotated[
        Path | None,
        typer.Option(
            "--suggest", metavar="FILE", help="Write the suggested gains to this file, for --gains."
        ),
    ] = None,
    robot: RobotOption = None,
    json_file: options.JsonOption = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="DIR", help="Folder to write plots (PNG) to.")
    ] = None,
) -> None:
    """Run the estimator over a log: its errors, whether the controller would stop, and what to tune.

    Errors are in the axes of the truth, over all samples that have a truth; position and yaw are aligned at
    the first of them.
    """
    from kilohertz.rt.log.recorder import require_library

    for path in (json_file, suggest):
        check_file(path)
    check_folder(plot)
    require_library()
    from kilohertz.controller.gains.schema import load_gains
    from kilohertz.rt.log.file import LogReader
    from kilohertz.rt.offline import estimate as runs
    from kilohertz.rt.offline.noise import examine, gains_text, suggestion_text
    from kilohertz.rt.offline.watches import controller_stop, gaps
    from kilohertz.rt.show.estimate_screen import print_estimate

    with LogReader(chosen(file)) as reader:
        model = _robot_of(reader, robot)
        samples = runs.samples_of(reader, model)
        title = f"{model.name} · {reader.header.scenario['name']}"
    own = load_gains(model, gains)
    with ProgressLine() as show:
        estimated = runs.run_estimator(samples, model, own, lambda t: show and show(f"estimated {t:.1f} s"))
        comparison = runs.compare(samples, estimated, model, truth_link)
        stop = controller_stop(samples, model, own, lambda t: show and show(f"watched {t:.1f} s"))
    found = examine(samples, estimated, model, own)
    period_s, gap_s = gaps(samples)
    figures: dict[str, Any] = {
        "samples": len(samples.t_s),
        "duration_s": round(float(samples.t_s[-1] - samples.t_s[0]), 6),
        "period_s": period_s,
        "longest_gap_s": gap_s,
        **(comparison.figures() if comparison is not None else runs.NO_TRUTH),
        "controller_stop": stop,
        "innovation": found.innovation,
        "suggested": {"estimator": found.suggested},
        "contact_force_N": found.contact_force_N,
        "verdicts": found.verdicts,
    }
    print_estimate(screen(json_file), figures, found.verdicts, suggestion_text(found))
    write_json(json_file, figures)
    if suggest is not None:
        _write(suggest, gains_text(model, gains, found))
    if plot is not None:
        with drawing_into(plot, json_file) as drawn:
            from kilohertz.rt.show.estimate_plots import write_estimate_plots

            drawn += write_estimate_plots(plot, title, model, samples, estimated, comparison, stop)


def _robot_of(reader: LogReader, robot: str | None) -> RobotModel:
    from kilohertz.robots.model.robot_model import RobotModel

    return RobotModel.load(robot or reader.header.robot, stands=False)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RefusedError(f"{path} could not be written: {error.strerror}") from None


def identify(
    file: FileArgument = None,
    gains: options.GainsOption = None,
    robot: RobotOption = None,
    json_file: options.JsonOption = None,
) -> None:
    """Identify mass, centre of mass, joint friction and armature from a log with measured joint torques.

    Friction is absolute; armature, mass and first moment are offsets from the model. Values that the motion
    in the log does not determine keep the model's value.
    """
    from kilohertz.rt.log.recorder import require_library

    check_file(json_file)
    require_library()
    from kilohertz.controller.gains.schema import load_gains
    from kilohertz.rt.log.file import LogReader
    from kilohertz.rt.offline.estimate import run_estimator, samples_of
    from kilohertz.rt.offline.identify import identify as identified
    from kilohertz.rt.offline.identify import require_torque
    from kilohertz.rt.show.estimate_screen import print_identified

    with LogReader(chosen(file)) as reader:
        model = _robot_of(reader, robot)
        samples = samples_of(reader, model)
    require_torque(samples, model)
    estimated = run_estimator(samples, model, load_gains(model, gains)) if model.floating else None
    figures = identified(samples, model, estimated).figures()
    print_identified(screen(json_file), figures)
    write_json(json_file, figures)
