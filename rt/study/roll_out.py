"""One run of a study in this process, and what is kept of it."""

from __future__ import annotations

import functools
import gc
import os
import platform
import time
import traceback
from typing import Any

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.loop.outcome import EXIT_INTERNAL_ERROR
from kilohertz.rt.run.session import Session
from kilohertz.rt.study.expression import TIMINGS
from kilohertz.rt.study.study import Task

DONE, REFUSED, FAILED = "done", "refused", "failed"
"""How a run ended: with a result, as a fall is; because its values are not allowed; by an error here."""
ROBOTS_KEPT = 4
PERCENTILES = ("p50", "p99", "p99.9", "max")


@functools.lru_cache(maxsize=ROBOTS_KEPT)
def _robot(name: str) -> RobotModel:
    return RobotModel.load(name)


def roll_out(content: dict[str, Any]) -> dict[str, Any]:
    """Simulates one run.

    Args:
        content: the fields of a `kilohertz.rt.study.study.Task`.

    Returns:
        Plain data: `index`, `status`, `summary` without what depends on the computer, `timing` with that,
        and `log`, the text of an error.
    """
    task = Task(**{**content, "overrides": tuple(content["overrides"])})
    started_s, clock_s, cpu_s = time.time(), time.perf_counter(), time.process_time()
    summary: dict[str, Any] | None = None
    setup_s, status, log = 0.0, DONE, ""
    latency: dict[str, Any] = {}
    try:
        session = Session(task.plan(), handle_signals=False, robot=_robot(task.robot))
        setup_s = time.perf_counter() - clock_s
        result = session.run()
        latency = result.summary["latency_us"]
        summary = {key: value for key, value in result.summary.items() if key not in TIMINGS}
        if result.exit_code == EXIT_INTERNAL_ERROR:
            status = FAILED
            log = "".join(traceback.format_exception(result.loop.error)) if result.loop.error else ""
        # The parts of a run refer to each other; without this, memory would grow until a collection.
        del session, result
    except ConfigError as error:
        status, log = REFUSED, str(error)
    except Exception:
        status, log = FAILED, traceback.format_exc()
    gc.collect()
    tick = latency.get("tick") or {}
    timing = {
        "host": platform.node(),
        "kernel": f"{platform.system()} {platform.release()}",
        "pid": os.getpid(),
        "started_s": started_s,
        "wall_s": time.perf_counter() - clock_s,
        "cpu_s": time.process_time() - cpu_s,
        "setup_s": setup_s,
        **{f"tick_{name}_us": tick.get(name) for name in PERCENTILES},
    }
    return {"index": task.index, "status": status, "summary": summary, "timing": timing, "log": log}


def warm(content: dict[str, Any]) -> dict[str, Any]:
    """Simulates the first ticks of a run, so that all kernels are compiled and in the cache of this computer.

    Args:
        content: as for `roll_out`.
    """
    return roll_out({**content, "duration_s": WARM_S, "log": None})


WARM_S = 0.002
