"""`khz log list`, and the log that the other commands take if none is named: the newest one of this user."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kilohertz.rt.cli import options as options
from kilohertz.rt.cli.output import check_file, progress, say, screen, write_json

LAST = Path("last")
"""The word for the newest log."""
FileArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="[FILE]",
        help="A log file; `last`, or none, for the newest one in your folder of logs (see `khz log list`).",
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    """Adds the command of this module to `khz log`."""
    app.command("list")(list_logs)


def chosen(file: Path | None) -> Path:
    """Returns the log that a command works on, and says which one if it was not named.

    Raises:
        ConfigError: the newest log is wanted and there is none.
    """
    if file is not None and (file != LAST or file.exists()):
        return file
    from kilohertz.rt.log.folder import newest_log

    path = newest_log()
    progress(f"log: {path}")
    return path


def list_logs(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="[DIR]", help="Folder to list instead of yours.", show_default=False),
    ] = None,
    number: Annotated[
        int, typer.Option("-n", "--number", min=1, max=100_000, help="Largest number of logs to show.")
    ] = 20,
    json_file: options.JsonOption = None,
) -> None:
    """List the logs that runs have left by themselves, the newest first: robot, scenario, end and size.

    They are in KILOHERTZ_LOGS, else in ~/.local/state/kilohertz/logs. The oldest are removed when all
    together are larger than KILOHERTZ_LOGS_MB (2000), or more than KILOHERTZ_LOGS_RUNS (200); with 0 of
    either, runs leave no logs.
    """
    from kilohertz.rt.log.recorder import require_library

    check_file(json_file)
    require_library()
    from kilohertz.rt.log.folder import limits_of_user, log_folder
    from kilohertz.rt.log.listing import entries_of
    from kilohertz.rt.show.log_list_screen import print_logs

    where, limits = folder or log_folder(), limits_of_user()
    entries = entries_of(where)
    if entries:
        print_logs(screen(json_file), entries[:number])
    total = sum(entry["bytes"] for entry in entries)
    limit = f" of {limits.most_bytes / 1e6:.0f} MB" if folder is None else ""
    count = f"{len(entries)} log{'' if len(entries) == 1 else 's'}"
    say(f"{count}, {total / 1e6:.0f}{limit or ' MB'}, in {where}", json_file)
    write_json(
        json_file,
        {
            "folder": str(where),
            "bytes": total,
            "most_bytes": limits.most_bytes,
            "most_runs": limits.most_runs,
            "logs": entries,
        },
    )
