"""Writes a file tree like /proc and /sys of a well configured host, for the tests of `khz doctor`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kilohertz.rt.doctor.check import Check, HostFiles, Status

CORE = 3
CPU = "/sys/devices/system/cpu"


def stat_line(pid: int, name: str, priority: int = 0, policy: int = 0) -> str:
    """Returns a /proc/PID/stat line: fields 3 to 52 follow the name; 40 is the priority, 41 the policy."""
    fields = ["S"] + ["0"] * 49
    fields[37], fields[38] = str(priority), str(policy)
    return f"{pid} ({name}) {' '.join(fields)}"


def task(pid: int, name: str, priority: int = 0, policy: int = 0, cores: str = "0-3") -> dict[str, str]:
    """Returns the files of a process with one thread, as text by path."""
    return {
        f"/proc/{pid}/comm": name,
        f"/proc/{pid}/task/{pid}/stat": stat_line(pid, name, priority, policy),
        f"/proc/{pid}/task/{pid}/status": f"Name:\t{name}\nCpus_allowed_list:\t{cores}\n",
    }


GOOD_HOST: dict[str, str] = {
    "/proc/sys/kernel/version": "#1 SMP PREEMPT_RT Debian 6.12.107-1 (2025-01-01)",
    "/sys/kernel/realtime": "1",
    "/proc/cmdline": "root=/dev/sda1 isolcpus=managed_irq,domain,3 nohz_full=3 rcu_nocbs=3 quiet",
    "/proc/sys/kernel/sched_rt_runtime_us": "-1",
    "/proc/sys/kernel/sched_rt_period_us": "1000000",
    f"/sys/kernel/debug/sched/fair_server/cpu{CORE}/runtime": "0",
    f"{CPU}/online": "0-3",
    f"{CPU}/isolated": "3",
    f"{CPU}/nohz_full": "3",
    "/proc/irq/default_smp_affinity": "7",
    "/proc/irq/24/smp_affinity_list": "0-2",
    "/proc/irq/24/eth0/.keep": "",
    "/proc/irq/9/smp_affinity_list": "0-3",
    "/sys/devices/virtual/workqueue/cpumask": "7",
    "/sys/bus/workqueue/devices/writeback/cpumask": "00000000,00000007",
    f"{CPU}/cpu{CORE}/cpufreq/scaling_governor": "performance",
    f"{CPU}/intel_pstate/no_turbo": "1",
    "/dev/cpu_dma_latency": "",
    f"{CPU}/cpu{CORE}/cpuidle/state0/name": "POLL",
    f"{CPU}/cpu{CORE}/cpuidle/state0/latency": "0",
    f"{CPU}/cpu{CORE}/cpuidle/state0/disable": "0",
    f"{CPU}/smt/active": "0",
    f"{CPU}/cpu{CORE}/topology/thread_siblings_list": "3",
    "/sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc",
    "/sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never",
    "/sys/kernel/mm/ksm/run": "0",
    "/proc/swaps": "Filename Type Size Used Priority",
    "/proc/sys/kernel/numa_balancing": "0",
    "/proc/sys/vm/compaction_proactiveness": "0",
    "/proc/sys/vm/stat_interval": "120",
    "/proc/sys/kernel/timer_migration": "0",
    "/proc/sys/kernel/watchdog": "0",
    "/proc/sys/kernel/nmi_watchdog": "0",
    "/sys/kernel/tracing/current_tracer": "nop",
    "/sys/kernel/tracing/available_tracers": "timerlat osnoise hwlat blk nop",
    "/proc/cpuinfo": "processor\t: 0\nflags\t\t: fpu tsc constant_tsc\n",
    **task(1, "init"),
    **task(17, "migration/3", priority=99, policy=1, cores="3"),
    **task(200, "irq/24-eth1", priority=50, policy=1, cores="0-2"),
}


def host(folder: Path, changes: Mapping[str, str | None] | None = None) -> HostFiles:
    """Writes the file tree with changes; None removes a file, or a folder with its content."""
    files = dict(GOOD_HOST)
    for path, text in (changes or {}).items():
        if text is None:
            files = {other: value for other, value in files.items() if not f"{other}/".startswith(f"{path}/")}
        else:
            files[path] = text
    for path, text in files.items():
        target = folder / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text + "\n")
    return HostFiles(folder)


def statuses(checks: list[Check]) -> dict[str, Status]:
    """Returns the status of each check by its name."""
    return {check.name: check.status for check in checks}
