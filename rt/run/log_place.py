"""Decides where the log of a run goes; a run that leaves a log by itself goes on if it cannot."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.log.folder import Storage, limits_of_user, make_room, ready_folder
from kilohertz.rt.log.recorder import MISSING, can_record, require_library
from kilohertz.rt.run.plan import Keep, RunPlan

NO_LOG = "this run leaves no log"


@dataclass(frozen=True)
class LogPlace:
    """Where the log of a run goes.

    Attributes:
        folder: folder of the log; None if the run is not recorded.
        storage: how the log is kept in the user's folder of logs; None for another folder.
        problem: why a run that should leave a log by itself leaves none, in one sentence; else "".
    """

    folder: Path | None = None
    storage: Storage | None = None
    problem: str = ""


def log_place(plan: RunPlan) -> LogPlace:
    """Decides where the log of a run goes, and makes room for it.

    Args:
        plan: plan of the run.

    Raises:
        ConfigError: the plan names a folder for the log and no log can be written, or a limit of the user's
            folder of logs is not valid.
    """
    if plan.log is not None:
        require_library()
        return LogPlace(plan.log)
    if plan.keep is Keep.NOTHING or (plan.keep is Keep.TROUBLE and not plan.paced):
        return LogPlace()
    limits = limits_of_user()
    if limits.none_kept:
        return LogPlace()
    if not can_record():
        return LogPlace(problem=f"{NO_LOG}: {MISSING}")
    try:
        folder = ready_folder()
    except ConfigError as error:
        return LogPlace(problem=f"{NO_LOG}: {error}")
    if plan.keep is Keep.EVERY_RUN:
        make_room(folder, limits, 0, 1)
    return LogPlace(folder, Storage(limits, plan.keep is Keep.TROUBLE))
