"""Measures the wake-up latency of our clock, and of cyclictest on the same core at the same time."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from dataclasses import dataclass, field

from kilohertz.robots.model.period import PERIOD_NS
from kilohertz.rt.doctor.check import Check, Status, judge
from kilohertz.rt.host.realtime import HostState
from kilohertz.rt.loop.clock import GridClock, absolute_sleeper
from kilohertz.rt.loop.histogram import LatencyHistogram

GOOD_P99_US = 100.0
UNFIT_P99_US = PERIOD_NS / 1000.0
LARGEST_REFERENCE_P99_US = 500.0
PHASE_NS = 150_000
END_MARGIN_S = 0.01

_LARGEST_CYCLICTEST_US = 20_000
_NS_PER_S = 1_000_000_000


@dataclass
class WakeUps:
    """Wake-up latencies, pooled over all blocks.

    Attributes:
        ours: wake-up latencies of our clock.
        missed: periods that our clock skipped.
        reference: latencies of cyclictest on the same core and priority; empty if it did not run.
    """

    ours: LatencyHistogram = field(default_factory=LatencyHistogram)
    missed: int = 0
    reference: LatencyHistogram = field(default_factory=LatencyHistogram)


def measure_wake_ups(clock: GridClock, seconds: float, wake_ups: WakeUps, phase_ns: int = 0) -> None:
    """Sleeps until each point of a time grid and adds the latency of each wake-up to the histograms.

    Args:
        clock: clock under test.
        seconds: duration, missed periods included [s].
        wake_ups: histograms to add to.
        phase_ns: offset of the grid from whole periods of the monotonic clock [ns].
    """
    record = wake_ups.ours.record
    clock.start(phase_ns)
    last_ns = clock.due_ns + int(seconds * 1e9)
    while clock.due_ns < last_ns:
        woken_ns = clock.wait()
        record(woken_ns - clock.due_ns)
    wake_ups.missed += clock.missed_total


def measure_paired(core: int, priority: int, seconds: float, blocks: int = 2) -> WakeUps:
    """Measures our wake-ups and cyclictest's at once, 150 us apart, with the phases swapped each block.

    Disturbances of a host often recur every millisecond; without the swap they would all hit one side. Both
    are measured over the same seconds, so that rare disturbances hit both. Starting and ending cyclictest
    takes milliseconds of our core at our priority; it happens outside the measured seconds.
    The calling thread must already have its priority and its core.

    Args:
        core: core on which both run.
        priority: FIFO priority of cyclictest.
        seconds: duration of all blocks together [s]; a block takes whole seconds, and up to two to start.
        blocks: number of blocks, even.
    """
    wake_ups = WakeUps()
    block_s = max(1, round(seconds / blocks))
    sleep_until = absolute_sleeper()
    for block in range(blocks):
        reference_phase_us = (block % 2) * PHASE_NS // 1000
        # cyclictest starts measuring at a whole second: start it right after one, to be ready by the next.
        start_ns = _next_second_ns()
        sleep_until(start_ns)
        process = _start_cyclictest(core, priority, block_s, reference_phase_us)
        sleep_until(start_ns + _NS_PER_S)
        measure_wake_ups(
            GridClock(), block_s - END_MARGIN_S, wake_ups, phase_ns=PHASE_NS - 1000 * reference_phase_us
        )
        if process is not None:
            add_cyclictest(_output(process), wake_ups.reference)
    return wake_ups


def _next_second_ns() -> int:
    return (time.monotonic_ns() // _NS_PER_S + 1) * _NS_PER_S


def _start_cyclictest(core: int, priority: int, seconds: int, phase_us: int) -> subprocess.Popen[str] | None:
    program = shutil.which("cyclictest")
    if program is None:
        return None
    arguments = f"-q -m -t 1 -a {core} -p {priority} -i 1000 -D {seconds} -h {_LARGEST_CYCLICTEST_US}"
    return subprocess.Popen(
        [program, *arguments.split(), f"--secaligned={phase_us}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def _output(process: subprocess.Popen[str]) -> str:
    try:
        return process.communicate(timeout=10.0)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        return process.communicate()[0]


def add_cyclictest(text: str, histogram: LatencyHistogram) -> None:
    """Adds the histogram that cyclictest printed; its overflows are counted at its maximum latency.

    Args:
        text: output of `cyclictest -q -h N` for one thread; any other text adds nothing.
        histogram: histogram to add to; each count is placed in the middle of its microsecond.
    """
    for us, count in re.findall(r"^(\d{6}) (\d{6,})$", text, re.MULTILINE):
        for _ in range(int(count)):
            histogram.record(1000 * int(us) + 500)
    largest = re.search(r"^# Max Latencies: (\d+)", text, re.MULTILINE)
    overflows = re.search(r"^# Histogram Overflows: (\d+)", text, re.MULTILINE)
    if largest and overflows:
        for _ in range(int(overflows[1])):
            histogram.record(1000 * int(largest[1]))


def wake_up_checks(wake_ups: WakeUps) -> list[Check]:
    """Checks the wake-up latency, alone and against cyclictest, which shows that of the host (group 13)."""
    ours = wake_ups.ours.summary_us()
    p99 = ours["p99"]
    if p99 is None:
        return [Check(13, "wake-up", Status.UNKNOWN, "not measured", "measure for longer")]
    remedy = "resolve the warnings above, starting with isolation; then measure again on the idle host"
    fatal = p99 >= UNFIT_P99_US
    total = wake_ups.ours.total
    checks = [
        judge(13, "wake-up", p99 <= GOOD_P99_US, _figures(ours), remedy, fatal=fatal),
        judge(13, "missed periods", wake_ups.missed == 0, f"{wake_ups.missed} of {total}", remedy),
    ]
    reference = wake_ups.reference.summary_us()
    if reference["p99"] is None:
        remedy = (
            "apt install rt-tests and allow FIFO priority: cyclictest separates the host's latency from ours"
        )
        checks.append(Check(13, "cyclictest", Status.UNKNOWN, "did not run", remedy))
    else:
        ratio = p99 / reference["p99"] if reference["p99"] else 1.0
        figure = f"{_figures(reference)}; our p99 is {ratio:.2f} times its p99"
        good = None if reference["p99"] > LARGEST_REFERENCE_P99_US else ratio <= 1.5
        remedy = (
            "measure on an idle host: cyclictest itself is late" if good is None else "measure for longer"
        )
        checks.append(judge(13, "cyclictest", good, figure, remedy))
    return checks


def _figures(summary: dict[str, float | None]) -> str:
    values = "/".join("-" if value is None else f"{value:.0f}" for value in summary.values())
    return f"{'/'.join(summary)} {values} us"


def measure(host: HostState, priority: int, seconds: float) -> WakeUps:
    """Measures wake-ups, paired with cyclictest if it is installed and FIFO priority was granted.

    Args:
        host: what the host granted.
        priority: FIFO priority of the loop.
        seconds: approximate duration [s].
    """
    if host.granted(f"FIFO priority {priority}") and shutil.which("cyclictest"):
        return measure_paired(host.core, priority, seconds)
    wake_ups = WakeUps()
    measure_wake_ups(GridClock(), seconds, wake_ups)
    return wake_ups
