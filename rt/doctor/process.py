"""Checks the granted rights, competing real-time tasks, and the state of this process."""

from __future__ import annotations

import os
from collections.abc import Mapping

from kilohertz.rt.doctor.check import Check, HostFiles, cpu_list, judge, other_cores
from kilohertz.rt.doctor.fix import GRANT_RIGHTS, NO_FIX, Fix
from kilohertz.rt.host.realtime import LIMITS_REMEDY, HostState, parse_cpu_list
from kilohertz.rt.host.threads import math_thread_problems

LEAST_LOCKED_SHARE = 0.95

# The kernel has one of each per core at the top priority; they run only when a core is reassigned.
_KERNEL_OWN = ("migration/", "watchdog/", "idle_inject/", "cpuhp/", "posixcputmr/")
_OF_THE_KERNEL = ("locked memory", "core", "FIFO")
_NEEDED = ("locked memory", "FIFO")
_REALTIME_POLICIES = {1: "FIFO", 2: "RR", 6: "DEADLINE"}


def rights(host: HostState) -> list[Check]:
    """Checks the rights that the kernel granted on request, which limits alone do not show (group 2)."""
    return [
        judge(
            2,
            measure.name,
            measure.granted,
            measure.detail,
            measure.remedy,
            fix=Fix(commands=GRANT_RIGHTS) if measure.name.startswith(_NEEDED) else NO_FIX,
            fatal=measure.name.startswith(_NEEDED),
        )
        for measure in host.measures
        if measure.name.startswith(_OF_THE_KERNEL)
    ]


def competitors(files: HostFiles, core: int, priority: int) -> list[Check]:
    """Checks for tasks that can preempt the loop, and network interrupts that it can preempt (group 10)."""
    rivals, network = [], []
    interfaces = [name for name in files.names("/sys/class/net") if name != "lo"]
    seen = False
    for process in (name for name in files.names("/proc") if name.isdigit()):
        for thread in files.names(f"/proc/{process}/task"):
            folder = f"/proc/{process}/task/{thread}"
            task = _realtime_task(files.text(f"{folder}/stat"))
            if task is None:
                continue
            seen = True
            name, policy, own_priority = task
            if policy not in _REALTIME_POLICIES or name.startswith(_KERNEL_OWN):
                continue
            described = f"{name} ({thread}, {_REALTIME_POLICIES[policy]} {own_priority})"
            above = own_priority >= priority or _REALTIME_POLICIES[policy] == "DEADLINE"
            if above and core in _allowed(files, folder):
                rivals.append(described)
            elif name.startswith("irq/") and any(interface in name for interface in interfaces):
                network.append(described)
    if not seen:
        return [judge(10, "real-time tasks", None, "/proc shows no tasks", "mount /proc without hidepid")]
    others = cpu_list(other_cores(files, core))
    remedy = (
        f"move them to other cores (taskset -cp {others} PID) "
        f"or to a lower priority (chrt -f -p {priority - 1} PID)"
    )
    figure = ", ".join(rivals) or f"none at {priority} or above on core {core}"
    checks = [judge(10, "real-time tasks", not rivals, figure, remedy)]
    if network:
        remedy = (
            f"if the robot is on Ethernet: chrt -f -p {priority + 1} PID, and ethtool -C INTERFACE rx-usecs 0"
        )
        checks.append(judge(10, "network interrupts below our priority", None, ", ".join(network), remedy))
    return checks


def _realtime_task(stat: str | None) -> tuple[str, int, int] | None:
    """Returns name, policy and priority of a task from its `stat`; the name may hold spaces and brackets."""
    if not stat:
        return None
    name = stat[stat.find("(") + 1 : stat.rfind(")")]
    fields = stat[stat.rfind(")") + 1 :].split()
    if len(fields) < 39:
        return None
    return name, int(fields[38]), int(fields[37])


def _allowed(files: HostFiles, folder: str) -> set[int]:
    for line in (files.text(f"{folder}/status") or "").splitlines():
        if line.startswith("Cpus_allowed_list:"):
            return parse_cpu_list(line.split(":", 1)[1])
    return set()


def own_process(
    files: HostFiles,
    host: HostState,
    frozen_objects: int,
    environment: Mapping[str, str] = os.environ,
) -> list[Check]:
    """Checks this process after it was prepared like a control loop (group 11).

    Args:
        files: files of the host.
        host: what the host granted.
        frozen_objects: number of objects that the garbage collector ignores.
        environment: environment variables of the process.
    """
    threads = files.names("/proc/self/task")
    names = ", ".join(files.text(f"/proc/self/task/{thread}/comm") or thread for thread in threads)
    remedy = "move the work of other threads to other processes: threads share the interpreter lock"
    one_thread = None if not threads else len(threads) == 1
    checks = [judge(11, "threads", one_thread, names or "not known", remedy)]
    problems = math_thread_problems(environment)
    remedy = "set OPENBLAS_NUM_THREADS, OMP_NUM_THREADS and MKL_NUM_THREADS to 1 before the program starts"
    checks.append(judge(11, "BLAS threads", not problems, ", ".join(problems) or "1", remedy, fatal=True))
    figure = f"{frozen_objects} objects frozen"
    checks.append(judge(11, "garbage collector", frozen_objects > 0, figure, "call gc.freeze after set-up"))
    checks.append(_locked(files))
    kept = host.granted("heap trimming disabled")
    figure = "freed memory is kept" if kept else "freed memory is returned to the system"
    checks.append(judge(11, "heap", kept, figure, "use a Python built on the GNU C library"))
    return checks


def _locked(files: HostFiles) -> Check:
    kilobytes = {}
    for line in (files.text("/proc/self/status") or "").splitlines():
        key, _, value = line.partition(":")
        if key in ("VmLck", "VmRSS"):
            kilobytes[key] = int(value.split()[0])
    if len(kilobytes) < 2:
        return judge(11, "resident memory locked", None, "not known", "mount /proc")
    share = kilobytes["VmLck"] / max(kilobytes["VmRSS"], 1)
    figure = f"{kilobytes['VmLck']} of {kilobytes['VmRSS']} kB"
    fix = Fix(commands=GRANT_RIGHTS)
    return judge(11, "resident memory locked", share >= LEAST_LOCKED_SHARE, figure, LIMITS_REMEDY, fix=fix)
