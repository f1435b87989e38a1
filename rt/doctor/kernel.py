"""Checks kernel-wide settings: preemption model, throttling, memory, housekeeping and virtualisation."""

from __future__ import annotations

from kilohertz.rt.doctor.check import Check, HostFiles, Status, judge
from kilohertz.rt.doctor.fix import INSTALL_REALTIME_KERNEL, Fix

LARGEST_RT_SHARE = 0.9

# Key under /proc/sys, value to set, effect of the present value. An interval may also be longer.
_HOUSEKEEPING = (
    ("kernel/numa_balancing", 0, "unmaps pages to detect which core uses them"),
    ("vm/compaction_proactiveness", 0, "moves pages in the background"),
    ("vm/stat_interval", 10, "wakes every core to collect statistics"),
    ("kernel/timer_migration", 0, "moves timers of idle cores to busy ones"),
    ("kernel/watchdog", 0, "wakes every core to detect lock-ups"),
    ("kernel/nmi_watchdog", 0, "interrupts every core to detect lock-ups"),
)


def preemption(files: HostFiles) -> list[Check]:
    """Checks for a PREEMPT_RT kernel; its version text or /sys/kernel/realtime may be missing (group 1)."""
    version = files.text("/proc/sys/kernel/version")
    realtime = files.number("/sys/kernel/realtime")
    if version is None and realtime is None:
        return [judge(1, "PREEMPT_RT", None, "the kernel version cannot be read", "mount /proc and /sys")]
    good = realtime == 1 or "PREEMPT_RT" in (version or "")
    remedy = (
        "install a kernel with PREEMPT_RT and boot it (Debian: apt install linux-image-rt-amd64; "
        "Ubuntu: apt install ubuntu-realtime; others: Linux 6.12 or newer built with CONFIG_PREEMPT_RT)"
    )
    fix = Fix(commands=INSTALL_REALTIME_KERNEL)
    figure = version or f"/sys/kernel/realtime is {realtime}"
    return [judge(1, "PREEMPT_RT", good, figure, remedy, fix=fix, fatal=True)]


def throttling(files: HostFiles, core: int) -> list[Check]:
    """Checks how much of each second the kernel allows real-time tasks to use (group 3)."""
    checks = []
    runtime_us = files.number("/proc/sys/kernel/sched_rt_runtime_us")
    period_us = files.number("/proc/sys/kernel/sched_rt_period_us") or 1_000_000
    remedy = "sysctl -w kernel.sched_rt_runtime_us=-1"
    if runtime_us is None:
        checks.append(judge(3, "real-time share", None, "sched_rt_runtime_us is absent", remedy))
    else:
        share = 1.0 if runtime_us < 0 else runtime_us / period_us
        figure = "unlimited" if runtime_us < 0 else f"{100 * share:.0f} % of each {period_us / 1e6:g} s"
        good = share >= LARGEST_RT_SHARE
        fix = Fix(sysctl={"kernel.sched_rt_runtime_us": "-1"})
        checks.append(judge(3, "real-time share", good, figure, remedy, fix=fix, fatal=share == 0.0))
    path = f"/sys/kernel/debug/sched/fair_server/cpu{core}/runtime"
    runtime_ns = files.number(path)
    if runtime_ns is not None:
        figure = f"{runtime_ns / 1e6:g} ms of each second go to ordinary tasks if the core is never idle"
        fix = Fix(files={path: "0"})
        checks.append(judge(3, "fair server", runtime_ns == 0, figure, f"echo 0 > {path}", fix=fix))
    elif files.names("/sys/kernel/debug/sched"):
        checks.append(judge(3, "fair server", True, "none in this kernel", ""))
    else:
        remedy = "run as root with debugfs mounted to check it"
        checks.append(judge(3, "fair server", None, "/sys/kernel/debug/sched cannot be read", remedy))
    return checks


def housekeeping(files: HostFiles) -> list[Check]:
    """Checks background work of the kernel on memory and cores (group 9)."""
    checks = [_huge_pages(files), _page_merging(files), _swap(files)]
    for key, wanted, why in _HOUSEKEEPING:
        value = files.number(f"/proc/sys/{key}")
        name = key.replace("/", ".")
        if value is None:
            checks.append(judge(9, name, True, "absent", ""))
        else:
            remedy = f"sysctl -w {name}={wanted} (it {why})"
            good = value == wanted or value > wanted > 0
            checks.append(judge(9, name, good, str(value), remedy, fix=Fix(sysctl={name: str(wanted)})))
    return checks


def _huge_pages(files: HostFiles) -> Check:
    path = "/sys/kernel/mm/transparent_hugepage/enabled"
    text = files.text(path)
    if text is None:
        return judge(9, "transparent huge pages", True, "absent", "")
    good = "[always]" not in text
    fix = Fix(files={path: "madvise"})
    return judge(9, "transparent huge pages", good, text, f"echo madvise > {path}", fix=fix)


def _page_merging(files: HostFiles) -> Check:
    path = "/sys/kernel/mm/ksm/run"
    value = files.number(path)
    good = value in (None, 0)
    figure = "absent" if value is None else str(value)
    return judge(9, "same-page merging", good, figure, f"echo 0 > {path}", fix=Fix(files={path: "0"}))


def _swap(files: HostFiles) -> Check:
    text = files.text("/proc/swaps")
    if text is None:
        return judge(9, "swap", None, "/proc/swaps cannot be read", "mount /proc")
    devices = [line.split()[0] for line in text.splitlines()[1:] if line.strip()]
    if not devices:
        return judge(9, "swap", True, "none", "")
    swappiness = files.number("/proc/sys/vm/swappiness")
    good = swappiness is not None and swappiness <= 10
    figure = f"{', '.join(devices)}, vm.swappiness {'unknown' if swappiness is None else swappiness}"
    fix = Fix(sysctl={"vm.swappiness": "10"})
    return judge(9, "swap", good, figure, "swapoff -a, or sysctl -w vm.swappiness=10", fix=fix)


def virtualisation(files: HostFiles) -> list[Check]:
    """Checks for a hypervisor and for firmware interrupts, which take the core from the kernel (group 12)."""
    text = files.text("/proc/cpuinfo")
    flags = _cpu_flags(text or "")
    remedy = "run on the machine itself: time taken by a hypervisor appears as latency of the loop"
    if not flags:
        checks = [judge(12, "hypervisor", None, "/proc/cpuinfo lists no flags", remedy)]
    else:
        virtual = "hypervisor" in flags
        checks = [judge(12, "hypervisor", not virtual, "yes" if virtual else "none", remedy)]
    tracers = _tracers(files)
    watching = sorted({"hwlat", "osnoise", "timerlat"} & set(tracers))
    remedy = "measure them with rtla hwnoise on a kernel with CONFIG_OSNOISE_TRACER and CONFIG_HWLAT_TRACER"
    good = True if watching else None
    figure = f"can be traced by {', '.join(watching)}" if watching else "no tracer in this kernel"
    checks.append(judge(12, "firmware interrupts", good, figure, remedy))
    return checks


def stolen_time(stolen_s: float | None, seconds: float) -> Check:
    """Checks the processor time that the hypervisor took from all cores during a measurement (group 12)."""
    remedy = "dedicate cores to the virtual machine, or run on the machine itself"
    if stolen_s is None:
        return judge(12, "stolen time", None, "/proc/stat does not report it", remedy)
    figure = f"{1000 * stolen_s:.0f} ms of {seconds:.1f} s"
    return judge(12, "stolen time", stolen_s == 0.0, figure, remedy)


def tracing(files: HostFiles) -> Check:
    """Checks for an active tracer, which slows every system call (group 11)."""
    for folder in ("/sys/kernel/tracing", "/sys/kernel/debug/tracing"):
        tracer = files.text(f"{folder}/current_tracer")
        if tracer is not None:
            command = f"echo nop > {folder}/current_tracer"
            fix = Fix(commands=(command,))
            return judge(11, "tracer", tracer == "nop", tracer, command, fix=fix)
    return Check(11, "tracer", Status.UNKNOWN, "tracefs cannot be read", "run as root with tracefs mounted")


def _tracers(files: HostFiles) -> list[str]:
    for folder in ("/sys/kernel/tracing", "/sys/kernel/debug/tracing"):
        text = files.text(f"{folder}/available_tracers")
        if text is not None:
            return text.split()
    return []


def _cpu_flags(cpuinfo: str) -> set[str]:
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("flags", "Features"):
            return set(value.split())
    return set()
