"""Other users, frequency and idle states of the core are read correctly on good and bad hosts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fake_host import CORE, CPU, host, statuses, task

from kilohertz.rt.doctor.check import Status
from kilohertz.rt.doctor.core import (
    frequency,
    interrupt_rate,
    interrupts,
    isolation,
    kernel_workers,
    siblings,
)

IDLE = f"{CPU}/cpu{CORE}/cpuidle/state3"
DEEP_STATE = {f"{IDLE}/name": "C6", f"{IDLE}/latency": "133", f"{IDLE}/disable": "0"}


def test_a_good_host_is_all_ok(tmp_path: Path) -> None:
    files = host(tmp_path)
    checks = [
        *isolation(files, CORE),
        *interrupts(files, CORE),
        *kernel_workers(files, CORE),
        *frequency(files, CORE),
        *siblings(files, CORE),
    ]
    assert set(statuses(checks).values()) == {Status.OK}
    assert {check.remedy for check in checks} == {""}


def test_another_core_of_the_same_host_is_not(tmp_path: Path) -> None:
    files = host(tmp_path)
    assert set(statuses(isolation(files, 1)).values()) == {Status.WARN}
    assert statuses(interrupts(files, 1))["IRQ affinity"] == Status.WARN
    assert set(statuses(kernel_workers(files, 1)).values()) == {Status.WARN}


def test_the_remedy_lists_the_missing_boot_parameters(tmp_path: Path) -> None:
    files = host(tmp_path, {"/proc/cmdline": "quiet", f"{CPU}/isolated": "", f"{CPU}/nohz_full": "(null)"})
    checks = isolation(files, CORE)
    names = ("isolcpus", "managed interrupts", "nohz_full", "rcu_nocbs")
    assert statuses(checks) == dict.fromkeys(names, Status.WARN)
    wanted = "isolcpus=managed_irq,domain,3 nohz_full=3 rcu_nocbs=3 irqaffinity=0-2"
    assert all(wanted in check.remedy for check in checks)


def test_a_kernel_without_nohz_full_is_not_known_to_be_good(tmp_path: Path) -> None:
    checks = isolation(host(tmp_path, {f"{CPU}/nohz_full": None}), CORE)
    assert statuses(checks) == {
        "isolcpus": Status.OK,
        "managed interrupts": Status.OK,
        "nohz_full": Status.UNKNOWN,
        "rcu_nocbs": Status.OK,
    }


def test_a_core_that_is_not_there_is_a_failure(tmp_path: Path) -> None:
    (check,) = isolation(host(tmp_path), 7)
    assert check.status == Status.FAIL
    assert "0-3" in check.remedy


def test_a_host_of_one_core_cannot_isolate(tmp_path: Path) -> None:
    (check,) = isolation(host(tmp_path, {f"{CPU}/online": "0"}), 0)
    assert check.status == Status.WARN


def test_interrupts_that_may_come_are_listed_with_the_command_to_move_them(tmp_path: Path) -> None:
    files = host(
        tmp_path,
        {
            "/proc/irq/24/smp_affinity_list": "3",
            "/proc/irq/30/smp_affinity_list": "0-3",
            "/proc/irq/30/nvme0q1/x": "",
            "/proc/irq/default_smp_affinity": "f",
        },
    )
    checks = {check.name: check for check in interrupts(files, CORE)}
    assert checks["IRQ affinity"].figure == "2 of 2 may run on core 3"
    assert (
        "for i in 24 30; do echo 0-2 > /proc/irq/$i/smp_affinity_list; done" in checks["IRQ affinity"].remedy
    )
    assert checks["IRQ affinity of new devices"].status == Status.WARN
    assert "irqaffinity=0-2" in checks["IRQ affinity of new devices"].remedy
    assert "echo 7 > /proc/irq/default_smp_affinity" in checks["IRQ affinity of new devices"].remedy


def test_interrupts_that_cannot_be_seen_are_not_known(tmp_path: Path) -> None:
    found = statuses(interrupts(host(tmp_path, {"/proc/irq": None}), CORE))
    assert found["device interrupts"] == Status.UNKNOWN
    assert found["IRQ affinity of new devices"] == Status.UNKNOWN


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        (None, Status.WARN),
        ('IRQBALANCE_BANNED_CPULIST="3"', Status.OK),
        ("IRQBALANCE_BANNED_CPULIST=0-1", Status.WARN),
        ("#IRQBALANCE_BANNED_CPULIST=3", Status.WARN),
    ],
)
def test_irqbalance_must_be_off_or_leave_the_core(
    tmp_path: Path, settings: str | None, status: Status
) -> None:
    files = host(tmp_path, {**task(812, "irqbalance"), "/etc/default/irqbalance": settings})
    assert statuses(interrupts(files, CORE))["irqbalance"] == status


INTERRUPTS = """           CPU0       CPU3
  24:       {a}          {b}   PCI-MSI  eth0
 LOC:       {c}          {d}   Local timer interrupts
 ERR:          0
"""


def test_only_interrupts_of_the_core_count() -> None:
    before = INTERRUPTS.format(a=0, b=10, c=0, d=100)
    quiet = interrupt_rate(before, INTERRUPTS.format(a=9000, b=10, c=9000, d=102), CORE, 2.0)
    busy = interrupt_rate(before, INTERRUPTS.format(a=0, b=30, c=0, d=2100), CORE, 2.0)
    assert (quiet.status, quiet.figure) == (Status.OK, "1/s, LOC 1.0/s")
    assert (busy.status, busy.figure) == (Status.WARN, "1010/s, LOC 1000.0/s, 24 eth0 10.0/s")


@pytest.mark.parametrize("text", [None, "", "           CPU0\n LOC: 5 Local timer interrupts\n"])
def test_interrupts_of_a_core_that_is_not_listed_are_not_known(text: str | None) -> None:
    assert interrupt_rate(text, text, CORE, 1.0).status == Status.UNKNOWN


def test_kernel_workers_have_the_command_that_moves_them(tmp_path: Path) -> None:
    path = "/sys/bus/workqueue/devices/writeback/cpumask"
    checks = {check.name: check for check in kernel_workers(host(tmp_path, {path: "f"}), CORE)}
    assert checks["writeback"].status == Status.WARN
    assert checks["writeback"].remedy == f"echo 7 > {path}"
    assert checks["workqueues"].status == Status.OK


def test_an_absent_governor_is_unknown_and_not_ok(tmp_path: Path) -> None:
    found = statuses(frequency(host(tmp_path, {f"{CPU}/cpu{CORE}/cpufreq": None}), CORE))
    assert found["frequency governor"] == Status.UNKNOWN


def test_a_governor_that_saves_power_is_a_warning(tmp_path: Path) -> None:
    path = f"{CPU}/cpu{CORE}/cpufreq/scaling_governor"
    checks = {check.name: check for check in frequency(host(tmp_path, {path: "powersave"}), CORE)}
    assert checks["frequency governor"].status == Status.WARN
    assert checks["frequency governor"].remedy == f"echo performance > {path}"


def test_deep_idle_states_are_fine_only_if_we_can_hold_the_core_awake(tmp_path: Path) -> None:
    assert statuses(frequency(host(tmp_path / "a", DEEP_STATE), CORE))["idle states"] == Status.OK
    files = host(tmp_path / "b", {**DEEP_STATE, "/dev/cpu_dma_latency": None})
    checks = {check.name: check for check in frequency(files, CORE)}
    assert checks["/dev/cpu_dma_latency"].status == Status.UNKNOWN
    assert checks["idle states"].status == Status.WARN
    assert "C6 133 us" in checks["idle states"].figure


def test_disabled_idle_states_do_not_count(tmp_path: Path) -> None:
    changes = {**DEEP_STATE, f"{IDLE}/disable": "1", "/dev/cpu_dma_latency": None}
    assert statuses(frequency(host(tmp_path, changes), CORE))["idle states"] == Status.OK


def test_without_cpuidle_idle_states_are_not_known(tmp_path: Path) -> None:
    changes = {f"{CPU}/cpu{CORE}/cpuidle": None}
    assert statuses(frequency(host(tmp_path, changes), CORE))["idle states"] == Status.UNKNOWN


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write any file")
def test_a_latency_device_that_is_not_ours_is_a_warning(tmp_path: Path) -> None:
    files = host(tmp_path)
    files.path("/dev/cpu_dma_latency").chmod(0o400)
    assert statuses(frequency(files, CORE))["/dev/cpu_dma_latency"] == Status.WARN


@pytest.mark.parametrize(
    ("threads", "isolated", "status"),
    [
        ("3", "3", Status.OK),
        ("1,3", "3", Status.WARN),
        ("1,3", "1,3", Status.OK),
        (None, "3", Status.UNKNOWN),
    ],
)
def test_a_sibling_thread_must_be_idle_too(
    tmp_path: Path, threads: str | None, isolated: str, status: Status
) -> None:
    changes = {
        f"{CPU}/smt/active": "1",
        f"{CPU}/isolated": isolated,
        f"{CPU}/cpu{CORE}/topology/thread_siblings_list": threads,
    }
    assert statuses(siblings(host(tmp_path, changes), CORE))["sibling thread"] == status


@pytest.mark.parametrize(("source", "status"), [("hpet", Status.WARN), (None, Status.UNKNOWN)])
def test_a_slow_clock_source_is_a_warning(tmp_path: Path, source: str | None, status: Status) -> None:
    changes = {"/sys/devices/system/clocksource/clocksource0/current_clocksource": source}
    assert statuses(siblings(host(tmp_path, changes), CORE))["clock source"] == status
