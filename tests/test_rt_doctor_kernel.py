"""Kernel settings are judged correctly on good and bad hosts."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_host import CORE, host, statuses

from kilohertz.rt.doctor.check import Status
from kilohertz.rt.doctor.kernel import (
    housekeeping,
    preemption,
    stolen_time,
    throttling,
    tracing,
    virtualisation,
)

FAIR_SERVER = f"/sys/kernel/debug/sched/fair_server/cpu{CORE}/runtime"


@pytest.mark.parametrize(
    ("version", "realtime", "status"),
    [
        ("#1 SMP PREEMPT_RT Debian", "1", Status.OK),
        ("#1 SMP PREEMPT_RT Debian", None, Status.OK),
        ("#1 SMP PREEMPT Debian", "1", Status.OK),
        ("#1 SMP PREEMPT_DYNAMIC", None, Status.FAIL),
        ("#1 SMP PREEMPT_DYNAMIC", "0", Status.FAIL),
        (None, "1", Status.OK),
        (None, None, Status.UNKNOWN),
    ],
)
def test_version_text_or_realtime_file_identifies_a_real_time_kernel(
    tmp_path: Path, version: str | None, realtime: str | None, status: Status
) -> None:
    files = host(tmp_path, {"/proc/sys/kernel/version": version, "/sys/kernel/realtime": realtime})
    (check,) = preemption(files)
    assert check.status == status
    assert bool(check.remedy) == (status != Status.OK)


@pytest.mark.parametrize(
    ("runtime", "status"),
    [
        ("-1", Status.OK),
        ("950000", Status.OK),
        ("500000", Status.WARN),
        ("0", Status.FAIL),
        (None, Status.UNKNOWN),
    ],
)
def test_the_real_time_share_must_leave_room(tmp_path: Path, runtime: str | None, status: Status) -> None:
    checks = throttling(host(tmp_path, {"/proc/sys/kernel/sched_rt_runtime_us": runtime}), CORE)
    assert statuses(checks)["real-time share"] == status


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, Status.OK),
        ({FAIR_SERVER: "50000000"}, Status.WARN),
        ({"/sys/kernel/debug/sched/fair_server": None, "/sys/kernel/debug/sched/debug": "x"}, Status.OK),
        ({"/sys/kernel/debug": None}, Status.UNKNOWN),
    ],
)
def test_the_fair_server_is_off_absent_or_not_known(
    tmp_path: Path, changes: dict[str, str | None], status: Status
) -> None:
    assert statuses(throttling(host(tmp_path, changes), CORE))["fair server"] == status


def test_a_quiet_kernel_is_all_ok(tmp_path: Path) -> None:
    files = host(tmp_path)
    checks = [*housekeeping(files), tracing(files), *virtualisation(files)]
    assert set(statuses(checks).values()) == {Status.OK}


@pytest.mark.parametrize(
    ("path", "text", "name", "command"),
    [
        (
            "/sys/kernel/mm/transparent_hugepage/enabled",
            "[always] madvise never",
            "transparent huge pages",
            "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled",
        ),
        ("/sys/kernel/mm/ksm/run", "1", "same-page merging", "echo 0 > /sys/kernel/mm/ksm/run"),
        (
            "/proc/sys/kernel/numa_balancing",
            "1",
            "kernel.numa_balancing",
            "sysctl -w kernel.numa_balancing=0",
        ),
        ("/proc/sys/vm/stat_interval", "1", "vm.stat_interval", "sysctl -w vm.stat_interval=10"),
        ("/proc/sys/kernel/watchdog", "1", "kernel.watchdog", "sysctl -w kernel.watchdog=0"),
    ],
)
def test_each_disturbance_is_a_warning_with_the_command_that_ends_it(
    tmp_path: Path, path: str, text: str, name: str, command: str
) -> None:
    checks = {check.name: check for check in housekeeping(host(tmp_path, {path: text}))}
    assert checks[name].status == Status.WARN
    assert command in checks[name].remedy
    assert [check for check in checks.values() if check.status != Status.OK] == [checks[name]]


def test_an_absent_feature_is_ok(tmp_path: Path) -> None:
    files = host(
        tmp_path, {"/sys/kernel/mm": None, "/proc/sys/vm": None, "/proc/sys/kernel/numa_balancing": None}
    )
    assert set(statuses(housekeeping(files)).values()) == {Status.OK}


@pytest.mark.parametrize(
    ("swappiness", "status"), [("10", Status.OK), ("60", Status.WARN), (None, Status.WARN)]
)
def test_swap_is_fine_only_when_hardly_used(tmp_path: Path, swappiness: str | None, status: Status) -> None:
    swaps = "Filename Type Size Used Priority\n/dev/sda2 partition 8388604 0 -2"
    files = host(tmp_path, {"/proc/swaps": swaps, "/proc/sys/vm/swappiness": swappiness})
    assert statuses(housekeeping(files))["swap"] == status


def test_a_virtual_machine_is_a_warning(tmp_path: Path) -> None:
    files = host(tmp_path, {"/proc/cpuinfo": "flags\t\t: fpu hypervisor tsc\n"})
    assert statuses(virtualisation(files))["hypervisor"] == Status.WARN


def test_without_flags_and_tracers_nothing_is_known(tmp_path: Path) -> None:
    files = host(tmp_path, {"/proc/cpuinfo": "model name: x\n", "/sys/kernel/tracing": None})
    assert set(statuses(virtualisation(files)).values()) == {Status.UNKNOWN}
    assert tracing(files).status == Status.UNKNOWN


def test_a_tracer_that_is_on_is_a_warning(tmp_path: Path) -> None:
    files = host(tmp_path, {"/sys/kernel/tracing/current_tracer": "function"})
    assert tracing(files).status == Status.WARN


@pytest.mark.parametrize(
    ("stolen_s", "status"), [(0.0, Status.OK), (0.03, Status.WARN), (None, Status.UNKNOWN)]
)
def test_stolen_time_is_a_warning(stolen_s: float | None, status: Status) -> None:
    assert stolen_time(stolen_s, 2.0).status == status
