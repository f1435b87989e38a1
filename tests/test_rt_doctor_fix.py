"""After all fixes every check is ok, and the script of fixes is valid shell."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from fake_host import CORE, CPU, host

from kilohertz.rt.doctor.check import Check, HostFiles, Status
from kilohertz.rt.doctor.fix import Fix, script
from kilohertz.rt.doctor.report import Report, examine_files, fix_hints

SPOILT = {
    "/proc/cmdline": "root=/dev/sda1 quiet",
    f"{CPU}/isolated": "",
    f"{CPU}/nohz_full": "",
    "/proc/sys/kernel/sched_rt_runtime_us": "800000",
    f"/sys/kernel/debug/sched/fair_server/cpu{CORE}/runtime": "50000000",
    "/proc/irq/default_smp_affinity": "f",
    "/sys/devices/virtual/workqueue/cpumask": "f",
    "/sys/bus/workqueue/devices/writeback/cpumask": "f",
    f"{CPU}/cpu{CORE}/cpufreq/scaling_governor": "powersave",
    f"{CPU}/intel_pstate/no_turbo": "0",
    "/sys/devices/system/clocksource/clocksource0/current_clocksource": "hpet",
    "/sys/kernel/mm/transparent_hugepage/enabled": "[always] madvise never",
    "/sys/kernel/mm/ksm/run": "1",
    "/proc/swaps": "Filename Type Size Used Priority\n/dev/sda2 partition 1 0 -2",
    "/proc/sys/vm/swappiness": "60",
    "/proc/sys/kernel/numa_balancing": "1",
    "/proc/sys/vm/compaction_proactiveness": "20",
    "/proc/sys/vm/stat_interval": "1",
    "/proc/sys/kernel/timer_migration": "1",
    "/proc/sys/kernel/watchdog": "1",
    "/proc/sys/kernel/nmi_watchdog": "1",
}


def complaints(files: HostFiles) -> list[Check]:
    return [check for check in examine_files(files, CORE, 80) if check.status is not Status.OK]


def apply(fix: Fix, files: HostFiles) -> None:
    """Applies fixes to a tree of files as the kernel would apply them to its own."""
    for path, text in fix.files.items():
        files.path(path).write_text(text)
    for name, text in fix.sysctl.items():
        files.path("/proc/sys/" + name.replace(".", "/")).write_text(text)
    line = files.path("/proc/cmdline")
    for name, value in fix.boot.items():
        line.write_text(f"{line.read_text().strip()} {name}={value}")
        if name == "isolcpus":
            files.path(f"{CPU}/isolated").write_text(value.split(",")[-1])
        if name == "nohz_full":
            files.path(f"{CPU}/nohz_full").write_text(value)
        if name == "clocksource":
            files.path("/sys/devices/system/clocksource/clocksource0/current_clocksource").write_text(value)


def test_the_fixes_of_a_spoilt_host_make_it_good(tmp_path: Path) -> None:
    files = host(tmp_path, SPOILT)
    found = complaints(files)
    assert len(found) >= 20
    for check in found:
        assert check.fix != Fix(), check.name
        apply(check.fix, files)
    assert complaints(files) == []


def parsed(text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", "-n"], input=text, capture_output=True, text=True, check=False)


@pytest.mark.host
def test_the_script_holds_every_fix_once_and_parses(tmp_path: Path) -> None:
    unprivileged = {"/proc/sys/kernel/version": "#1 SMP PREEMPT_DYNAMIC", "/sys/kernel/realtime": None}
    files = host(tmp_path, SPOILT | unprivileged)
    checks = tuple(examine_files(files, CORE, 80))
    text = fix_hints(Report(CORE, 80, checks))
    assert (parsed(text).returncode, parsed(text).stderr) == (0, "")
    for once in (
        f"isolcpus=managed_irq,domain,{CORE} nohz_full={CORE} rcu_nocbs={CORE} irqaffinity=0-2",
        "kernel.sched_rt_runtime_us = -1",
        "vm.swappiness = 10",
        "linux-image-rt-",
        f"w {CPU}/cpu{CORE}/cpufreq/scaling_governor - - - - performance",
    ):
        assert text.count(once) == 1


@pytest.mark.host
def test_text_read_from_the_host_never_becomes_a_command() -> None:
    text = script([("rival\nreboot", "chrt\r\n$(reboot) `reboot`", Fix())], "host\nreboot")
    commands = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert commands == ["set -eu"]


def test_a_remedy_without_a_command_is_a_comment() -> None:
    text = script([("virtualisation: hypervisor", "run on the machine itself", Fix())], "here")
    assert "# virtualisation: hypervisor: run on the machine itself" in text.splitlines()


@pytest.mark.parametrize("status", [Status.OK, Status.UNKNOWN])
def test_only_a_complaint_carries_a_fix(status: Status, tmp_path: Path) -> None:
    checks = [*examine_files(host(tmp_path / "good"), CORE, 80), *examine_files(HostFiles(tmp_path), 0, 80)]
    assert {check.fix == Fix() for check in checks if check.status is status} == {True}
