"""`khz log why`: what went wrong first in a recorded run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kilohertz.rt.cli import options as options
from kilohertz.rt.cli.output import check_file, say, write_json
from kilohertz.rt.cli.run import ProgressLine

if TYPE_CHECKING:
    from kilohertz.rt.why.margins import Margins

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="A log file written by `--log`.")]
RobotOption = Annotated[
    str | None,
    typer.Option(
        "--robot", metavar="ROBOT", help="Folder of the robot, if it is no longer where the log says."
    ),
]


def register(app: typer.Typer) -> None:
    """Adds the commands of this module to `khz log`."""
    app.command()(why)


def why(file: FileArgument, robot: RobotOption = None, json_file: options.JsonOption = None) -> None:
    """Tell the story of a fall or stop in ten lines: what went wrong first, what followed, and the margins.

    The controller is run again on the recorded inputs. Scenario and events of a simulation are not used, so
    that a log from hardware is judged in the same way.
    """
    check_file(json_file)
    m = margins_of_file(file, robot)
    from kilohertz.rt.why.causes import verdict_of
    from kilohertz.rt.why.story import figures_of

    figures = figures_of(m, verdict_of(m))
    for line in figures["story"]:
        say(line, json_file)
    write_json(json_file, {"file": str(file), **figures})


def margins_of_file(file: Path, robot: str | None) -> Margins:
    """Reads a log of a run, and runs its controller again, with a line of progress.

    Raises:
        ConfigError: the file is not the log of a run of this version, model and configuration.
    """
    from kilohertz.rt.log.recorder import require_library

    require_library()
    from kilohertz.rt.host.threads import math_thread_limit
    from kilohertz.rt.log.file import LogReader
    from kilohertz.rt.why.margins import margins_of

    with LogReader(file) as reader, ProgressLine() as show, math_thread_limit()():

        def on_progress(t_s: float) -> None:
            if show is not None:
                show(f"replayed {t_s:.1f} s")

        reader.require_run()
        return margins_of(reader, robot, on_progress)
