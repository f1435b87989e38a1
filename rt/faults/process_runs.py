"""Injects faults of the controller's process and of its host; each run has a separate process."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import time
from typing import Any

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.period import PERIOD_NS
from kilohertz.rt.doctor.fitness import require_fit_host
from kilohertz.rt.faults.bench import ROBOT
from kilohertz.rt.faults.link_runs import Outcome
from kilohertz.rt.faults.own_process import start_call
from kilohertz.rt.loop.control_loop import DEGRADED
from kilohertz.rt.loop.stamps import DUE, STAGE_COLUMNS, TICK
from kilohertz.rt.run.session import RunPlan, Session
from kilohertz.rt.run.summary import version

LATE_S, STOPPED_S = 0.005, 0.005
KINEMATICS = STAGE_COLUMNS.index("kinematics")
ESTIMATE = STAGE_COLUMNS.index("estimate")
EVERY_TICKS = 60
IN_A_ROW = 10
GROWN_BYTES = 1 << 20
NOBODY = 65534


def f10_overrun(n: int) -> Outcome:
    """Delays a stage by 5 ms once and ten times in a row, and stops the process for 5 ms, in real time."""
    ticks = EVERY_TICKS * (n + 3)
    child = start_call(__name__, f"overrun({ticks}, {n})")
    stops = 0
    for line in child.stdout or ():
        if line.startswith("stop"):
            os.kill(child.pid, signal.SIGSTOP)
            time.sleep(STOPPED_S)
            os.kill(child.pid, signal.SIGCONT)
            stops += 1
        elif line.startswith("{"):
            found = json.loads(line)
    child.wait()
    text = (
        f"{found['double']} periods with two ticks; {found['kept']} of {found['late']} late stages in the "
        f"flight record; {found['overruns']} deadline misses counted; {stops} times SIGSTOP; "
        f"{found['degraded']} degraded events"
    )
    safe = found["double"] == 0 and found["kept"] == found["late"] and found["degraded"] > 0
    return Outcome(n, text, safe and found["overruns"] >= found["late"] * (LATE_S * 1e3 - 1), safe)


def overrun(ticks: int, n: int) -> None:
    """Runs a controller with delayed stages and prints what was recorded, as JSON.

    Args:
        ticks: duration of the run in ticks.
        n: number of groups of delayed ticks.
    """
    session = Session(RunPlan(ROBOT, "stand", ticks * PERIOD_NS * 1e-9, realtime=True))
    update = session.brain.body.update
    late: set[int] = set()
    kept, double, seen = 0, 0, -1
    tick_now = 0

    def slow(q: Any, v: Any) -> None:
        nth, at = divmod(tick_now, EVERY_TICKS)
        in_a_row = IN_A_ROW if nth % 10 == 1 else 1
        if 0 < nth <= n and at < in_a_row:
            until_s = time.monotonic() + LATE_S
            while time.monotonic() < until_s:
                pass
            late.add(tick_now)
        update(q, v)

    def look(tick: int) -> None:
        nonlocal tick_now, kept, double, seen
        tick_now = tick + 1
        cells, row = session.loop.stages.cells, session.loop.stages.row
        double += cells[row + DUE] <= seen or (cells[row + DUE] - max(seen, 0)) % PERIOD_NS * (seen >= 0) != 0
        seen = cells[row + DUE]
        stage_ns = cells[row + KINEMATICS] - cells[row + ESTIMATE]
        kept += tick in late and cells[row + TICK] == tick and stage_ns >= 0.99e9 * LATE_S
        if tick % (10 * EVERY_TICKS) == EVERY_TICKS // 2:
            print("stop", flush=True)

    session.brain.body.update = slow  # type: ignore[method-assign]
    result = session.run(each_tick=look)
    events = [event for event in result.loop.events if event.kind == DEGRADED]
    print(json.dumps({"double": double, "late": len(late), "kept": kept, "overruns": result.loop.overruns,
                      "degraded": len(events)}), flush=True)  # fmt: skip


def f31_memory(n: int) -> Outcome:
    """Runs n ticks in real time, and counts page faults, garbage collections and memory growth."""
    found = json.loads(start_call(__name__, f"measure_footprint({n})").communicate()[0].splitlines()[-1])
    text = (
        f"{found['major_faults']} major page faults, {found['minor_faults']} minor, "
        f"{found['full_collections']} full garbage collections, "
        f"memory +{(found['rss_growth_bytes'] or 0) // 1024} kB in {n} ticks"
    )
    safe = found["major_faults"] == 0 and (found["rss_growth_bytes"] or 0) < GROWN_BYTES
    passed = safe and found["minor_faults"] == 0 and found["full_collections"] == 0
    return Outcome(n, text, passed, safe)


def measure_footprint(ticks: int) -> None:
    """Runs in real time and prints the host resources used, as JSON."""
    from dataclasses import asdict

    from kilohertz.rt.bench.latency import run_bench

    print(json.dumps(asdict(run_bench(ROBOT, ticks).footprint)), flush=True)


def f32_host_is_not_real_time(n: int) -> Outcome:
    """Drops the rights to real time: hardware is refused, a simulation runs and reports what is missing."""
    remedied, ran, refused = 0, 0, 0
    for _ in range(n):
        child = start_call(__name__, "unprivileged()")
        found = json.loads(child.communicate()[0].splitlines()[-1])
        remedied += found["refused"] > 0 and found["refused"] == found["remedies"]
        ran += found["exit_code"] == 0
        refused += found["hardware_refused"]
    text = f"hardware refused {refused} of {n} times; remedies given {remedied} times; {ran} simulations ran"
    return Outcome(n, text, remedied == ran == refused == n, remedied == refused == n)


def unprivileged() -> None:
    """Drops all rights, runs a simulation, tries to command hardware, and prints the results as JSON."""
    session = Session(RunPlan(ROBOT, "stand", 0.1, realtime=True))
    version()  # loads what the summary needs; the user `nobody` may not be able to read it later
    for limit in (resource.RLIMIT_RTPRIO, resource.RLIMIT_MEMLOCK):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(limit, (0, 0))
    if os.getuid() == 0:
        os.setuid(NOBODY)
    result = session.run()
    missing = result.host.refused
    try:
        require_fit_host(False)
        hardware_refused = False
    except ConfigError:
        hardware_refused = require_fit_host(True) is not None
    print(
        json.dumps(
            {
                "refused": len(missing),
                "remedies": sum(bool(measure.remedy) for measure in missing),
                "exit_code": result.exit_code,
                "hardware_refused": hardware_refused,
            }
        ),
        flush=True,
    )
