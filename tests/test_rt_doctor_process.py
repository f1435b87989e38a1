"""Granted rights, competing tasks and the state of this process are read correctly."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_host import CORE, host, statuses, task

from kilohertz.rt.doctor.check import Check, HostFiles, Status
from kilohertz.rt.doctor.process import competitors, own_process, rights
from kilohertz.rt.host.realtime import HostState, Measure

PRIORITY = 80
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
NAMES = ("single-threaded BLAS", "heap trimming disabled", "locked memory", "FIFO priority 80")


def state(*refused: str) -> HostState:
    measures = [Measure(name, name not in refused, "why", "remedy") for name in NAMES]
    return HostState(CORE, tuple(measures))


def test_rights_are_what_the_kernel_granted() -> None:
    assert statuses(rights(state())) == {"locked memory": Status.OK, "FIFO priority 80": Status.OK}


@pytest.mark.parametrize("name", ["locked memory", "FIFO priority 80"])
def test_without_the_rights_that_matter_a_host_is_unfit(name: str) -> None:
    checks = {check.name: check for check in rights(state(name))}
    assert checks[name].status == Status.FAIL
    assert checks[name].remedy == "remedy"


def found(files: HostFiles) -> Check:
    return next(check for check in competitors(files, CORE, PRIORITY) if check.name == "real-time tasks")


def test_the_kernels_own_tasks_and_lower_ones_do_not_compete(tmp_path: Path) -> None:
    assert found(host(tmp_path)).status == Status.OK


@pytest.mark.parametrize(
    ("priority", "policy", "cores", "competes"),
    [
        (80, 1, "0-3", True),
        (99, 2, "3", True),
        (0, 6, "0-3", True),
        (79, 1, "0-3", False),
        (99, 1, "0-2", False),
        (0, 0, "0-3", False),
    ],
)
def test_a_task_competes_if_it_is_above_us_and_may_use_the_core(
    tmp_path: Path, priority: int, policy: int, cores: str, competes: bool
) -> None:
    files = host(tmp_path, task(4321, "jack (audio) d", priority, policy, cores))
    check = found(files)
    assert check.status == (Status.WARN if competes else Status.OK)
    assert ("jack (audio) d (4321" in check.figure) == competes


def test_interrupt_threads_of_the_network_are_pointed_out(tmp_path: Path) -> None:
    files = host(tmp_path, {"/sys/class/net/eth1/mtu": "1500", "/sys/class/net/lo/mtu": "65536"})
    checks = {check.name: check for check in competitors(files, CORE, PRIORITY)}
    assert checks["network interrupts below our priority"].status == Status.UNKNOWN
    assert "irq/24-eth1 (200, FIFO 50)" in checks["network interrupts below our priority"].figure
    assert "chrt -f -p 81" in checks["network interrupts below our priority"].remedy


def test_without_tasks_nothing_is_known(tmp_path: Path) -> None:
    (check,) = competitors(HostFiles(tmp_path), CORE, PRIORITY)
    assert check.status == Status.UNKNOWN


SELF = {
    "/proc/self/task/77/comm": "khz",
    "/proc/self/status": "Name:\tkhz\nVmLck:\t  99000 kB\nVmRSS:\t 100000 kB\n",
}


def own(files: HostFiles, **changes: object) -> dict[str, Status]:
    arguments = {"host": state(), "frozen_objects": 1000, "environment": ONE_THREAD} | changes
    return statuses(own_process(files, **arguments))  # type: ignore[arg-type]


def test_a_prepared_process_is_all_ok(tmp_path: Path) -> None:
    assert set(own(host(tmp_path, SELF)).values()) == {Status.OK}


def test_each_thing_that_is_missing_is_told(tmp_path: Path) -> None:
    files = host(tmp_path, SELF)
    assert own(files, frozen_objects=0)["garbage collector"] == Status.WARN
    assert own(files, environment={})["BLAS threads"] == Status.FAIL
    assert own(files, host=state("heap trimming disabled"))["heap"] == Status.WARN


def test_other_threads_are_told_by_name(tmp_path: Path) -> None:
    files = host(tmp_path, {**SELF, "/proc/self/task/78/comm": "viewer"})
    checks = {check.name: check for check in own_process(files, state(), 1, ONE_THREAD)}
    assert (checks["threads"].status, checks["threads"].figure) == (Status.WARN, "khz, viewer")


@pytest.mark.parametrize(
    ("status_text", "status"),
    [("VmLck:\t 0 kB\nVmRSS:\t 100 kB\n", Status.WARN), ("", Status.UNKNOWN)],
)
def test_memory_must_be_locked(tmp_path: Path, status_text: str, status: Status) -> None:
    files = host(tmp_path, {**SELF, "/proc/self/status": status_text})
    assert own(files)["resident memory locked"] == status
