"""Runs all checks of the host and reports whether it is fit for 1 kHz, and what to change (`khz doctor`)."""

from __future__ import annotations

import gc
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from kilohertz.rt.doctor import (
    core as doctor_core,
)
from kilohertz.rt.doctor import (
    kernel as doctor_kernel,
)
from kilohertz.rt.doctor import (
    measure as doctor_measure,
)
from kilohertz.rt.doctor import (
    process as doctor_process,
)
from kilohertz.rt.doctor.check import GROUPS, Check, HostFiles, Status
from kilohertz.rt.doctor.fix import script
from kilohertz.rt.doctor.measure import WakeUps
from kilohertz.rt.host.footprint import StealMeter
from kilohertz.rt.host.realtime import DEFAULT_PRIORITY, Kernel, default_core, prepare_realtime

FIT, FIT_WITH_WARNINGS, UNFIT = "fit", "fit with warnings", "unfit"
EXIT_FIT, EXIT_UNFIT = 0, 3
IDLE_WATCH_S = 1.0

_COLOURS = {Status.OK: "green", Status.WARN: "yellow", Status.FAIL: "bold red", Status.UNKNOWN: "cyan"}


@dataclass(frozen=True)
class Report:
    """Results of all checks of this host.

    Attributes:
        core: core that a loop would run on.
        priority: FIFO priority of that loop.
        checks: all checks, ordered by group.
        wake_ups: measured wake-up latencies; None if they were not measured.
    """

    core: int
    priority: int
    checks: tuple[Check, ...]
    wake_ups: WakeUps | None = None

    @property
    def verdict(self) -> str:
        """`unfit` with any failure, `fit with warnings` with any warning or unknown, else `fit`."""
        found = {check.status for check in self.checks}
        if Status.FAIL in found:
            return UNFIT
        return FIT if found <= {Status.OK} else FIT_WITH_WARNINGS

    @property
    def failures(self) -> list[Check]:
        """The checks that make the host unfit."""
        return [check for check in self.checks if check.status is Status.FAIL]

    @property
    def exit_status(self) -> int:
        """Exit status of `khz doctor`: 0, or 3 for an unfit host."""
        return EXIT_UNFIT if self.verdict == UNFIT else EXIT_FIT

    def as_json(self) -> dict[str, Any]:
        """Returns the report as plain objects for JSON; figures that were not measured are None."""
        wake_ups = self.wake_ups if self.wake_ups is not None else WakeUps()
        measured = wake_ups.ours.total
        return {
            "verdict": self.verdict,
            "exit_status": self.exit_status,
            "core": self.core,
            "priority": self.priority,
            "checks": [
                {
                    "group": check.group,
                    "topic": GROUPS[check.group],
                    "name": check.name,
                    "status": str(check.status),
                    "figure": check.figure,
                    "remedy": check.remedy,
                }
                for check in self.checks
            ],
            "wake_us": wake_ups.ours.summary_us(),
            "cyclictest_us": wake_ups.reference.summary_us(),
            "wakes": measured,
            "missed": wake_ups.missed if measured else None,
        }


def examine_files(files: HostFiles, core: int, priority: int) -> list[Check]:
    """Returns all checks that only read files; nothing is requested from the kernel or measured."""
    return [
        *doctor_kernel.preemption(files),
        *doctor_kernel.throttling(files, core),
        *doctor_core.isolation(files, core),
        *doctor_core.interrupts(files, core),
        *doctor_core.kernel_workers(files, core),
        *doctor_core.frequency(files, core),
        *doctor_core.siblings(files, core),
        *doctor_kernel.housekeeping(files),
        *doctor_process.competitors(files, core, priority),
        doctor_kernel.tracing(files),
        *doctor_kernel.virtualisation(files),
    ]


def examine(
    core: int | None = None,
    priority: int = DEFAULT_PRIORITY,
    *,
    root: Path = Path("/"),
    kernel: Kernel | None = None,
    measure_s: float = 10.0,
) -> Report:
    """Examines this host: its settings, the rights that it grants, and its wake-up latency.

    Args:
        core: core that a loop would run on; None for the default one.
        priority: FIFO priority of that loop.
        root: root of the host's file tree; tests pass another one.
        kernel: system calls that request rights; tests pass other ones.
        measure_s: duration of the latency measurement [s]; 0 for no measurement.
    """
    core = core if core is not None else default_core()
    files = HostFiles(root)
    checks = examine_files(files, core, priority)
    wake_ups = None
    if measure_s > 0.0:
        checks.append(_watch_idle_core(files, core))
    with prepare_realtime(core, priority, kernel=kernel) as host:
        checks += doctor_process.rights(host)
        checks += doctor_process.own_process(files, host, gc.get_freeze_count())
        if measure_s > 0.0:
            with _stolen_time(files, checks):
                wake_ups = doctor_measure.measure(host, priority, measure_s)
    if wake_ups is not None:
        checks += doctor_measure.wake_up_checks(wake_ups)
    return Report(core, priority, tuple(sorted(checks, key=lambda check: check.group)), wake_ups)


def _watch_idle_core(files: HostFiles, core: int) -> Check:
    before = files.text("/proc/interrupts")
    time.sleep(IDLE_WATCH_S)
    return doctor_core.interrupt_rate(before, files.text("/proc/interrupts"), core, IDLE_WATCH_S)


@contextmanager
def _stolen_time(files: HostFiles, checks: list[Check]) -> Iterator[None]:
    """Adds a check of the time that the hypervisor stole meanwhile: it would look like our own latency."""
    steal = StealMeter(str(files.path("/proc/stat")))
    before_s, start_s = steal.read_s(), time.monotonic()
    yield
    after_s, seconds = steal.read_s(), time.monotonic() - start_s
    steal.close()
    stolen_s = None if before_s is None or after_s is None else after_s - before_s
    checks.append(doctor_kernel.stolen_time(stolen_s, seconds))


def fix_hints(report: Report) -> str:
    """Returns a shell script with all remedies, for the user to read and to run."""
    complaints = [
        (f"{GROUPS[check.group]}: {check.name}: {check.status}, {check.figure}", check.remedy, check.fix)
        for check in report.checks
        if check.status is not Status.OK
    ]
    host = f"{platform.node()}, core {report.core}, FIFO priority {report.priority}: {report.verdict}"
    return script(complaints, host)


def as_table(report: Report) -> Table:
    """Returns the report as a table for a terminal: a line for each check, with its remedy if it has one."""
    title = f"core {report.core}, FIFO priority {report.priority}: {report.verdict}"
    table = Table(title=title, title_justify="left", show_lines=False)
    for heading in ("topic", "check", "status"):
        table.add_column(heading, no_wrap=True)
    table.add_column("figure", overflow="fold")
    table.add_column("remedy", overflow="fold")
    group = 0
    for check in report.checks:
        topic = GROUPS[check.group] if check.group != group else ""
        group = check.group
        # Text, not str: a figure like `[always] madvise` must not be read as markup.
        status = Text(str(check.status), style=_COLOURS[check.status])
        table.add_row(topic, Text(check.name), status, Text(check.figure), Text(check.remedy))
    return table
