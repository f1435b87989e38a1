"""The verdict follows from the checks, and JSON and table show the same report."""

from __future__ import annotations

import gc
import io
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from fake_host import CORE, host
from rich.console import Console

from kilohertz.rt.doctor.check import GROUPS, Check, HostFiles, Status
from kilohertz.rt.doctor.measure import WakeUps
from kilohertz.rt.doctor.report import EXIT_FIT, EXIT_UNFIT, Report, as_table, examine, examine_files


class WillingKernel:
    """Grants everything and does nothing."""

    def set_malloc(self, options: Mapping[int, int]) -> None: ...
    def gather_memory(self) -> int:
        return 0

    def lock_memory(self) -> None: ...
    def unlock_memory(self) -> None: ...
    def hold_awake(self) -> Callable[[], object]:
        return lambda: None

    def affinity(self) -> set[int]:
        return {0}

    def set_affinity(self, cores: set[int]) -> None: ...
    def scheduler(self) -> tuple[int, int]:
        return os.SCHED_OTHER, 0

    def set_scheduler(self, policy: int, priority: int) -> None: ...


class RefusingKernel(WillingKernel):
    def set_scheduler(self, policy: int, priority: int) -> None:
        raise PermissionError(1, "Operation not permitted")


def report_of(*found: Status) -> Report:
    return Report(CORE, 80, tuple(Check(1, f"check {i}", status, "figure") for i, status in enumerate(found)))


@pytest.mark.parametrize(
    ("found", "verdict", "exit_status"),
    [
        ((Status.OK,), "fit", EXIT_FIT),
        ((Status.OK, Status.WARN), "fit with warnings", EXIT_FIT),
        ((Status.OK, Status.UNKNOWN), "fit with warnings", EXIT_FIT),
        ((Status.UNKNOWN, Status.FAIL, Status.WARN), "unfit", EXIT_UNFIT),
    ],
)
def test_the_verdict_is_that_of_the_worst_check(
    found: tuple[Status, ...], verdict: str, exit_status: int
) -> None:
    assert (report_of(*found).verdict, report_of(*found).exit_status) == (verdict, exit_status)


def test_the_files_of_a_good_host_are_all_ok(tmp_path: Path) -> None:
    checks = examine_files(host(tmp_path), CORE, 80)
    assert [check for check in checks if check.status != Status.OK] == []


def test_every_check_that_is_not_ok_has_a_remedy_even_on_a_host_without_files(tmp_path: Path) -> None:
    checks = examine_files(HostFiles(tmp_path), 0, 80)
    assert all(check.remedy for check in checks if check.status != Status.OK)
    assert Status.FAIL not in {check.status for check in checks}


@pytest.fixture
def one_math_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "1")


@pytest.mark.usefixtures("one_math_thread")
@pytest.mark.parametrize(
    ("kernel", "verdict"),
    [(WillingKernel(), "fit"), (RefusingKernel(), "unfit")],
    ids=["willing", "refusing"],
)
def test_a_good_host_is_fit_if_it_grants_the_rights(
    tmp_path: Path, kernel: WillingKernel, verdict: str
) -> None:
    own = {
        "/proc/self/task/1/comm": "khz",
        "/proc/self/status": "VmLck:\t 100 kB\nVmRSS:\t 100 kB\n",
    }
    host(tmp_path, own)
    report = examine(CORE, root=tmp_path, kernel=kernel, measure_s=0.0)
    assert report.verdict == verdict
    groups = [check.group for check in report.checks]
    assert groups == sorted(groups)
    assert set(groups) == set(GROUPS) - {13}


def test_the_report_is_json(tmp_path: Path) -> None:
    checks = examine_files(HostFiles(tmp_path), 0, 80)
    wake_ups = WakeUps()
    wake_ups.ours.record(20_000)
    report = json.loads(json.dumps(Report(0, 80, tuple(checks), wake_ups).as_json()))
    assert set(report) == {
        "verdict",
        "exit_status",
        "core",
        "priority",
        "checks",
        "wake_us",
        "cyclictest_us",
        "wakes",
        "missed",
    }
    assert all(
        set(check) == {"group", "topic", "name", "status", "figure", "remedy"} for check in report["checks"]
    )
    assert {check["status"] for check in report["checks"]} <= {"ok", "warn", "fail", "unknown"}
    assert report["wake_us"]["max"] == 20.0
    assert report["cyclictest_us"]["p99"] is None


def test_figures_that_were_not_measured_are_null() -> None:
    report = report_of(Status.OK).as_json()
    assert report["missed"] is None
    assert set(report["wake_us"].values()) == {None}


def test_the_table_shows_every_check_and_no_figure_is_read_as_markup() -> None:
    checks = (
        Check(1, "one", Status.OK, "[always] madvise"),
        Check(9, "two", Status.FAIL, "figure [/]", "echo [x]"),
    )
    text = io.StringIO()
    Console(file=text, width=120).print(as_table(Report(CORE, 80, checks)))
    for part in (
        "core 3",
        "unfit",
        GROUPS[1],
        GROUPS[9],
        "[always] madvise",
        "figure [/]",
        "echo [x]",
        "fail",
    ):
        assert part in text.getvalue()


@pytest.mark.long
@pytest.mark.host
def test_this_host_is_examined_in_every_group_and_left_as_it_was() -> None:
    before = os.sched_getaffinity(0), os.sched_getscheduler(0), gc.isenabled(), gc.get_freeze_count()
    report = examine(measure_s=0.0)
    assert before == (
        os.sched_getaffinity(0),
        os.sched_getscheduler(0),
        gc.isenabled(),
        gc.get_freeze_count(),
    )
    assert {check.group for check in report.checks} == set(GROUPS) - {13}
    assert report.core in os.sched_getaffinity(0)
    assert all(check.figure for check in report.checks)
    assert [check.name for check in report.checks if check.status != Status.OK and not check.remedy] == []


@pytest.mark.long
@pytest.mark.host
def test_what_is_measured_is_reported() -> None:
    report = examine(measure_s=0.2)
    assert report.wake_ups is not None
    assert report.wake_ups.ours.total + report.wake_ups.missed > 100
    assert 13 in {check.group for check in report.checks}
