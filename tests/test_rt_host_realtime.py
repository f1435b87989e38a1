"""Real-time requests are made in order, a refusal is reported with its remedy, and all of it is reverted."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import threadpoolctl

from kilohertz.rt.host.realtime import choose_core, parse_cpu_list, prepare_realtime

pytestmark = [pytest.mark.host, pytest.mark.quiet]

PACED_MEASURES = 8


class FakeKernel:
    """Grants every call that is not in `refuse`, and stores the state that the calls would set."""

    def __init__(self, refuse: frozenset[str] = frozenset()) -> None:
        self.refuse = refuse
        self.calls: list[str] = []
        self.state: dict[str, object] = {"affinity": {0, 1, 2, 3}, "scheduler": (os.SCHED_OTHER, 0)}
        self.untouched = dict(self.state)

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if name in self.refuse:
            raise PermissionError(1, "Operation not permitted")

    def set_malloc(self, options: Mapping[int, int]) -> None:
        self._call("set_malloc")
        if "malloc" in self.state:
            del self.state["malloc"]
        else:
            self.state["malloc"] = dict(options)

    def gather_memory(self) -> int:
        return 5 << 20

    def lock_memory(self) -> None:
        self._call("lock_memory")
        self.state["locked"] = True

    def unlock_memory(self) -> None:
        del self.state["locked"]

    def hold_awake(self) -> Callable[[], object]:
        self._call("hold_awake")
        self.state["awake"] = True
        return lambda: self.state.pop("awake")

    def affinity(self) -> set[int]:
        return set(self.state["affinity"])  # type: ignore[call-overload]

    def set_affinity(self, cores: set[int]) -> None:
        self._call("set_affinity")
        self.state["affinity"] = cores

    def scheduler(self) -> tuple[int, int]:
        return self.state["scheduler"]  # type: ignore[return-value]

    def set_scheduler(self, policy: int, priority: int) -> None:
        self._call("set_scheduler")
        self.state["scheduler"] = (policy, priority)


CALLS = ("set_malloc", "lock_memory", "hold_awake", "set_affinity", "set_scheduler")


def test_every_measure_is_requested_and_fifo_last() -> None:
    kernel = FakeKernel()
    with prepare_realtime(2, 80, kernel=kernel) as host:
        assert kernel.calls == list(CALLS)
        assert kernel.state["affinity"] == {2}
        assert kernel.state["scheduler"] == (os.SCHED_FIFO, 80)
        assert kernel.state["locked"]
        assert host.refused == ()
        assert host.granted("FIFO priority 80")
        assert len(host.measures) == PACED_MEASURES


def test_every_measure_is_reverted_also_after_an_error() -> None:
    kernel = FakeKernel()

    def fail() -> None:
        with prepare_realtime(2, kernel=kernel):
            raise RuntimeError("in the loop")

    with pytest.raises(RuntimeError, match="in the loop"):
        fail()
    assert kernel.state == kernel.untouched


@pytest.mark.parametrize("call", CALLS)
def test_a_refusal_is_reported_in_one_line_and_the_rest_is_granted(call: str) -> None:
    kernel = FakeKernel(refuse=frozenset({call}))
    with prepare_realtime(1, kernel=kernel) as host:
        assert len(host.refused) == 1
        (banner,) = host.banners
        assert banner.startswith("not granted: ")
        assert "Operation not permitted" in banner
        assert host.refused[0].remedy in banner
        assert "\n" not in banner
        assert sum(measure.granted for measure in host.measures) == PACED_MEASURES - 1
    assert kernel.state == kernel.untouched


def test_a_host_that_refuses_everything_still_runs() -> None:
    with prepare_realtime(1, kernel=FakeKernel(frozenset(CALLS))) as host:
        assert [measure.granted for measure in host.measures] == [True, True] + [False] * 5 + [True]


def test_in_lockstep_the_kernel_is_not_called() -> None:
    kernel = FakeKernel()
    with prepare_realtime(1, paced=False, kernel=kernel) as host:
        assert kernel.calls == []
        assert not host.granted("FIFO priority 80")
        assert host.refused == ()


@pytest.mark.long
@pytest.mark.parametrize("paced", [True, False])
def test_the_garbage_collector_is_disabled_inside_and_restored_outside(paced: bool) -> None:
    was_enabled = gc.isenabled()
    gc.enable()
    try:
        with prepare_realtime(1, paced=paced, kernel=FakeKernel()):
            assert not gc.isenabled()
            assert gc.get_freeze_count() > 0
        assert gc.isenabled()
        assert gc.get_freeze_count() == 0
        gc.disable()
        with prepare_realtime(1, paced=paced, kernel=FakeKernel()):
            pass
        assert not gc.isenabled()
    finally:
        if was_enabled:
            gc.enable()


def test_blas_is_held_on_one_thread_and_let_go_again() -> None:
    def threads() -> set[int]:
        return {library["num_threads"] for library in threadpoolctl.threadpool_info()}

    with threadpoolctl.threadpool_limits(2):
        assert threads() == {2}
        with prepare_realtime(1, paced=False, kernel=FakeKernel()) as host:
            assert threads() == {1}
            assert host.granted("single-threaded BLAS")
        assert threads() == {2}


@pytest.mark.parametrize(
    ("text", "cores"),
    [("0,2-4\n", {0, 2, 3, 4}), ("7", {7}), ("\n", set()), ("(null)\n", set()), ("nonsense-3", set())],
)
def test_lists_of_cores_are_read(text: str, cores: set[int]) -> None:
    assert parse_cpu_list(text) == cores


def test_the_core_is_an_isolated_one_or_the_last() -> None:
    assert choose_core({2, 3}, {0, 1}) == 2
    assert choose_core(set(), {0, 1, 5}) == 5


ON_THIS_HOST = """
import json, os
from kilohertz.rt.host.realtime import prepare_realtime

def own_state():
    with open("/proc/self/status") as file:
        kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in file if " kB" in line}
    return {
        "affinity": sorted(os.sched_getaffinity(0)),
        "policy": os.sched_getscheduler(0),
        "locked": kilobytes["VmLck"] / kilobytes["VmRSS"],
    }

core = max(os.sched_getaffinity(0))
before = own_state()
with prepare_realtime(core, 5) as host:
    during = own_state()
print(json.dumps([core, before, during, own_state(), [m.name for m in host.measures if m.granted]]))
"""


def test_on_this_host_granted_measures_are_in_force_and_reverted() -> None:
    run = subprocess.run(
        [sys.executable, "-c", ON_THIS_HOST],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    core, before, during, after, granted = json.loads(run.stdout)
    assert after == before
    assert ("FIFO priority 5" in granted) == (during["policy"] == os.SCHED_FIFO)
    assert (f"core affinity {core}" in granted) == (during["affinity"] == [core])
    assert ("locked memory" in granted) == (during["locked"] >= 0.95)
