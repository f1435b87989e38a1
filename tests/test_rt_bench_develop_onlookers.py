from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from kilohertz.rt.bench.develop.onlookers import CONTROL, QUIET, Group, children, compared, moved

pytestmark = [pytest.mark.host, pytest.mark.quiet]


def blocks(scale: float, count: int, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [scale * rng.gamma(20.0, 7.0, 450) for _ in range(count)]


@pytest.mark.parametrize("percentile", [99.0, 99.9])
def test_a_slower_tick_is_found_and_an_equal_one_is_not(percentile):
    quiet = blocks(1.0, 60, 1)
    slower = moved(blocks(1.2, 60, 2), quiet, percentile)
    assert slower["moved"] == pytest.approx(0.2, abs=0.08)
    assert slower["likely"][0] > 0.05
    same = moved(blocks(1.0, 60, 3), quiet, percentile)
    assert abs(same["moved"]) < 0.08


def test_each_disturbance_is_compared_with_all_quiet_blocks_and_these_with_each_other():
    figures = compared({QUIET: blocks(1.0, 20, 1), CONTROL: blocks(1.0, 20, 2), "page": blocks(2.0, 20, 3)})
    assert set(figures) == {CONTROL, "page"}
    assert set(figures["page"]) == {"p99", "p99.9"}
    assert figures["page"]["p99"]["moved"] > 0.8
    assert abs(figures[CONTROL]["p99"]["moved"]) < 0.1


def test_processes_are_suspended_and_resumed_together():
    code = "import time; time.sleep(600)  # onlookers-of-the-test"
    processes = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    try:
        pids = children("onlookers-of-the-test")
        assert sorted(pids) == sorted(process.pid for process in processes)
        late: list[int] = []
        group = Group([pids[0]], late)
        late.append(pids[1])
        group.pause()
        for process in processes:
            _, status = os.waitpid(process.pid, os.WUNTRACED)
            assert os.WIFSTOPPED(status)
        group.resume()
        for process in processes:
            _, status = os.waitpid(process.pid, os.WCONTINUED)
            assert os.WIFCONTINUED(status)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    # One that has ended is no error.
    Group(pids).pause()
