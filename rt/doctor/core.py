"""Checks the loop's core: other users of the core, its clock frequency and its idle states."""

from __future__ import annotations

import os

from kilohertz.rt.doctor.check import Check, HostFiles, cpu_list, cpu_mask, judge, online_cores, other_cores
from kilohertz.rt.doctor.fix import GRANT_DMA_LATENCY, Fix
from kilohertz.rt.host.realtime import DMA_LATENCY_REMEDY, parse_cpu_list

QUIET_INTERRUPTS_PER_S = 100.0
SLOW_IDLE_STATE_US = 10
GOOD_CLOCK_SOURCES = ("tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter")


def isolation(files: HostFiles, core: int) -> list[Check]:
    """Checks whether ordinary tasks, the timer tick and RCU callbacks are kept off the core (group 4)."""
    cores = online_cores(files)
    if core not in cores:
        figure = f"core {core} is not online; online are {cpu_list(cores)}"
        return [judge(4, "the core", False, figure, f"choose one of {cpu_list(cores)}", fatal=True)]
    if len(cores) == 1:
        return [judge(4, "isolated core", False, "there is only one core", "use a host with two or more")]
    others = cpu_list(other_cores(files, core))
    boot = {
        "isolcpus": f"managed_irq,domain,{core}",
        "nohz_full": str(core),
        "rcu_nocbs": str(core),
        "irqaffinity": others,
    }
    parameters = " ".join(f"{name}={value}" for name, value in boot.items())
    remedy = f"add to the kernel command line: {parameters}"
    fix = Fix(boot=boot)
    command_line = files.command_line()
    isolated = files.cores("/sys/devices/system/cpu/isolated")
    nohz = files.cores("/sys/devices/system/cpu/nohz_full")
    # nohz_full implies rcu_nocbs.
    offloaded = parse_cpu_list(command_line.get("rcu_nocbs", "")) | (nohz or set())
    return [
        _in_list("isolcpus", core, isolated, remedy, fix),
        _managed_interrupts(core, command_line.get("isolcpus", ""), remedy, fix),
        _in_list("nohz_full", core, nohz, remedy, fix),
        judge(4, "rcu_nocbs", core in offloaded, cpu_list(offloaded) or "none", remedy, fix=fix),
    ]


def _in_list(name: str, core: int, cores: set[int] | None, remedy: str, fix: Fix) -> Check:
    if cores is None:
        return judge(4, name, None, "this kernel does not report it", remedy)
    return judge(4, name, core in cores, cpu_list(cores) or "none", remedy, fix=fix)


def _managed_interrupts(core: int, isolcpus: str, remedy: str, fix: Fix) -> Check:
    """Checks for managed_irq: only this flag moves interrupts that the kernel places, e.g. of disks."""
    kept_off = "managed_irq" in isolcpus.split(",") and core in parse_cpu_list(isolcpus)
    figure = "kept off" if kept_off else "isolcpus does not keep them off"
    return judge(4, "managed interrupts", kept_off, figure, remedy, fix=fix)


def interrupts(files: HostFiles, core: int) -> list[Check]:
    """Checks whether interrupts of present and future devices are kept off the core (group 5)."""
    others = other_cores(files, core)
    lists = {number: files.cores(f"/proc/irq/{number}/smp_affinity_list") for number in _used_irqs(files)}
    remedy = "mount /proc and run as root to read them"
    if not lists or None in lists.values():
        checks = [judge(5, "device interrupts", None, "their affinities cannot be read", remedy)]
    else:
        here = [number for number, cores in lists.items() if core in (cores or ())]
        move = f"for i in {' '.join(here)}; do echo {cpu_list(others)} > /proc/irq/$i/smp_affinity_list"
        figure = f"{len(here)} of {len(lists)} may run on core {core}"
        # Some interrupts cannot be moved; the script must go on after that error.
        fix = Fix(commands=(f"{move} || true; done",))
        checks = [judge(5, "IRQ affinity", not here, figure, f"{move}; done", fix=fix)]
    default = files.mask("/proc/irq/default_smp_affinity")
    remedy = (
        f"boot with irqaffinity={cpu_list(others)}, "
        f"or echo {cpu_mask(others)} > /proc/irq/default_smp_affinity"
    )
    good = None if default is None else core not in default
    figure = "cannot be read" if default is None else cpu_list(default)
    fix = Fix(
        boot={"irqaffinity": cpu_list(others)}, files={"/proc/irq/default_smp_affinity": cpu_mask(others)}
    )
    checks.append(judge(5, "IRQ affinity of new devices", good, figure, remedy, fix=fix))
    checks.append(_irqbalance(files, core))
    return checks


def _used_irqs(files: HostFiles) -> list[str]:
    """Returns the interrupts that have a handler: the kernel makes a subfolder for each handler."""
    numbers = [name for name in files.names("/proc/irq") if name.isdigit()]
    return [
        number
        for number in numbers
        if any(
            files.path(f"/proc/irq/{number}/{name}").is_dir() for name in files.names(f"/proc/irq/{number}")
        )
    ]


def _irqbalance(files: HostFiles, core: int) -> Check:
    processes = [name for name in files.names("/proc") if name.isdigit()]
    if not any(files.text(f"/proc/{process}/comm") == "irqbalance" for process in processes):
        return judge(5, "irqbalance", True, "not running", "")
    for line in (files.text("/etc/default/irqbalance") or "").splitlines():
        name, _, value = line.partition("=")
        if name.strip() == "IRQBALANCE_BANNED_CPULIST" and core in parse_cpu_list(value.strip("\"' ")):
            return judge(5, "irqbalance", True, f"running, but banned from core {core}", "")
    remedy = (
        "systemctl disable --now irqbalance, "
        f"or set IRQBALANCE_BANNED_CPULIST={core} in /etc/default/irqbalance"
    )
    fix = Fix(commands=("systemctl disable --now irqbalance",))
    return judge(5, "irqbalance", False, f"running, and may use core {core}", remedy, fix=fix)


def interrupt_rate(before: str | None, after: str | None, core: int, seconds: float) -> Check:
    """Counts interrupts on the idle core between two readings of /proc/interrupts (group 5)."""
    name = "interrupts taken while idle"
    first, last = _counts(before or "", core), _counts(after or "", core)
    if not last:
        return judge(5, name, None, f"/proc/interrupts does not list core {core}", "mount /proc")
    rates = {key: (last[key] - first.get(key, 0)) / seconds for key in last}
    total = sum(rates.values())
    worst = sorted((key for key in rates if rates[key] > 0), key=lambda key: -rates[key])[:3]
    figure = f"{total:.0f}/s" + "".join(f", {key} {rates[key]:.1f}/s" for key in worst)
    remedy = (
        "isolate the core and move the interrupts to other cores, as above "
        "(LOC: timer, CAL and RES: calls between cores, TLB: flushes)"
    )
    return judge(5, name, total <= QUIET_INTERRUPTS_PER_S, figure, remedy)


def _counts(text: str, core: int) -> dict[str, int]:
    lines = text.splitlines()
    columns = lines[0].split() if lines else []
    if f"CPU{core}" not in columns:
        return {}
    column = columns.index(f"CPU{core}")
    counts = {}
    for line in lines[1:]:
        key, _, rest = line.partition(":")
        values = rest.split()
        if len(values) > column and values[column].isdigit():
            source = key.strip()
            # The last word of a device's line is its name, which says more than its number.
            counts[f"{source} {values[-1]}" if source.isdigit() else source] = int(values[column])
    return counts


def kernel_workers(files: HostFiles, core: int) -> list[Check]:
    """Checks the cores of kernel workqueues and writeback, which isolcpus does not move (group 6)."""
    others = cpu_mask(other_cores(files, core))
    checks = []
    for name, path in (
        ("workqueues", "/sys/devices/virtual/workqueue/cpumask"),
        ("writeback", "/sys/bus/workqueue/devices/writeback/cpumask"),
    ):
        mask = files.mask(path)
        good = None if mask is None else core not in mask
        figure = "cannot be read" if mask is None else f"on {cpu_list(mask)}"
        fix = Fix(files={path: others})
        checks.append(judge(6, name, good, figure, f"echo {others} > {path}", fix=fix))
    return checks


def frequency(files: HostFiles, core: int) -> list[Check]:
    """Checks whether the core changes its frequency or uses idle states with a long wake-up (group 7)."""
    folder = f"/sys/devices/system/cpu/cpu{core}"
    path = f"{folder}/cpufreq/scaling_governor"
    governor = files.text(path)
    figure = governor or "no cpufreq: frequency changes are not reported"
    remedy = (
        f"echo performance > {path}"
        if governor
        else "set the performance profile in the firmware or hypervisor"
    )
    good = None if governor is None else governor == "performance"
    fix = Fix(files={path: "performance"})
    checks = [judge(7, "frequency governor", good, figure, remedy, fix=fix)]
    no_turbo = files.number("/sys/devices/system/cpu/intel_pstate/no_turbo")
    if no_turbo is not None:
        remedy = (
            "echo 1 > /sys/devices/system/cpu/intel_pstate/no_turbo "
            "(the frequency then does not depend on temperature)"
        )
        fix = Fix(files={"/sys/devices/system/cpu/intel_pstate/no_turbo": "1"})
        checks.append(judge(7, "turbo", no_turbo == 1, "off" if no_turbo else "on", remedy, fix=fix))
    device = files.path("/dev/cpu_dma_latency")
    holds = device.exists() and os.access(device, os.W_OK)
    figure = "writable" if holds else "not writable" if device.exists() else "absent"
    good = holds if device.exists() else None
    fix = Fix(commands=GRANT_DMA_LATENCY)
    checks.append(judge(7, "/dev/cpu_dma_latency", good, figure, DMA_LATENCY_REMEDY, fix=fix))
    checks.append(_idle_states(files, folder, holds))
    return checks


def _idle_states(files: HostFiles, folder: str, holds_awake: bool) -> Check:
    states = files.names(f"{folder}/cpuidle")
    if not states:
        remedy = "if measured wake-ups are late, boot with idle=poll or change the hypervisor's settings"
        return judge(7, "idle states", None, "no cpuidle: idle states are not reported", remedy)
    slow = []
    for state in states:
        latency_us = files.number(f"{folder}/cpuidle/{state}/latency") or 0
        if latency_us > SLOW_IDLE_STATE_US and files.number(f"{folder}/cpuidle/{state}/disable") != 1:
            slow.append(f"{files.text(f'{folder}/cpuidle/{state}/name') or state} {latency_us} us")
    figure = ", ".join(slow) or f"none slower than {SLOW_IDLE_STATE_US} us"
    if slow and holds_awake:
        return judge(7, "idle states", True, f"{figure}; disabled while the loop runs", "")
    remedy = f"for s in {folder}/cpuidle/state*; do echo 1 > $s/disable; done"
    fix = Fix(files={f"{folder}/cpuidle/state*/disable": "1"})
    return judge(7, "idle states", not slow, figure, remedy, fix=fix)


def siblings(files: HostFiles, core: int) -> list[Check]:
    """Checks for a hardware thread that shares the core, and for a clock that is fast to read (group 8)."""
    folder = "/sys/devices/system/cpu"
    remedy = f"echo off > {folder}/smt/control, or isolate the sibling too"
    active = files.number(f"{folder}/smt/active")
    threads = files.cores(f"{folder}/cpu{core}/topology/thread_siblings_list")
    sharing = (threads or set()) - {core}
    isolated = files.cores(f"{folder}/isolated") or set()
    if active == 0 or (threads is not None and not sharing):
        check = judge(8, "sibling thread", True, "none", "")
    elif threads is None:
        check = judge(8, "sibling thread", None, "this kernel does not report it", remedy)
    else:
        good = sharing <= isolated
        figure = f"shares its core with {cpu_list(sharing)}" + (", which is isolated too" if good else "")
        fix = Fix(files={f"{folder}/smt/control": "off"})
        check = judge(8, "sibling thread", good, figure, remedy, fix=fix)
    source = files.text("/sys/devices/system/clocksource/clocksource0/current_clocksource")
    remedy = "boot with tsc=reliable clocksource=tsc: other clocks take microseconds to read"
    good_source = None if source is None else source in GOOD_CLOCK_SOURCES
    fix = Fix(boot={"tsc": "reliable", "clocksource": "tsc"})
    return [check, judge(8, "clock source", good_source, source or "not known", remedy, fix=fix)]
