"""Injects faults into a complete run: estimator, brain and loop are connected through the fault proxy."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from kilohertz.robots.wire import messages as wire
from kilohertz.robots.wire.row_messages import CommandCodec
from kilohertz.rt.faults.bench import ROBOT, LinkBench
from kilohertz.rt.faults.link_runs import STEP_LIMIT_PER_TICK, Outcome
from kilohertz.rt.faults.proxy import Delivery, Duplicate, FaultProxy, Rule, Swap, forward
from kilohertz.rt.loop.outcome import EXIT_DONE, EXIT_SAFETY_STOP
from kilohertz.rt.run.serve import Serving, build_server
from kilohertz.rt.run.session import RunPlan, Session, SessionResult

RUN_S = 0.5
JUMP_S = 1.0
JUMP_US = 1_000_000
TWICE_SHARE = 0.1
LATE_S = 0.003
SIGNAL_TICK = 50
LONGEST_STOP_MS = 2000


def run_through(
    up: Rule = forward,
    down: Rule = forward,
    *,
    duration_s: float = RUN_S,
    each_tick: Callable[[int], None] | None = None,
) -> SessionResult:
    """Runs a controller in lockstep with a robot behind the fault proxy.

    Args:
        up: fault rule for packets to the robot.
        down: fault rule for packets from the robot.
        duration_s: duration of the run [s].
        each_tick: called with the tick number after each tick.
    """
    with tempfile.TemporaryDirectory(prefix="kilohertz-") as folder:
        back, front = (f"ipc://{Path(folder) / name}" for name in ("robot", "proxy"))
        serving = Serving(build_server(ROBOT, back, scenario="stand", lockstep=True))
        thread = threading.Thread(target=serving.run, daemon=True)
        thread.start()
        try:
            with FaultProxy(front, back) as proxy:
                proxy.up, proxy.down = up, down
                plan = RunPlan(ROBOT, "stand", duration_s, endpoint=front, lockstep=True)
                return Session(plan).run(each_tick=each_tick)
        finally:
            serving.stop()
            thread.join()


def f06_duplicated_and_reordered(n: int) -> Outcome:
    """Duplicates packets with delay (the run must be bit-identical), and swaps packets, both ways."""
    clean = run_through().trace.kept("tau")
    copies, different = 0, 0
    seed = 0
    while copies < n:
        up, down = Duplicate(TWICE_SHARE, LATE_S, seed), Duplicate(TWICE_SHARE, LATE_S, seed + 1)
        disturbed = run_through(up, down).trace.kept("tau")
        different += not np.array_equal(clean, disturbed)
        copies += up.copies + down.copies
        seed += 2
    swaps, backwards = _swapped(n)
    text = (
        f"{copies} packets duplicated, {different} of {seed // 2} runs differ; {swaps} packets swapped, "
        f"{backwards} accepted after a newer one"
    )
    passed = different == 0 and backwards == 0
    return Outcome(copies + swaps, text, passed, passed)


def _swapped(n: int) -> tuple[int, int]:
    """Swaps states and commands with the next one until n were swapped.

    Returns:
        Number of swaps, and number of packets that were accepted after a newer one.
    """
    up, down = Swap(TWICE_SHARE, 0), Swap(TWICE_SHARE, 1)
    backwards, period = 0, 0
    with LinkBench() as bench:
        bench.arm()
        side, link = bench.server.side, bench.link
        holder = next(peer for peer, known in side.peers.items() if known.name == side.holder)
        first = link.commands_sent + 1
        while up.swaps + down.swaps < n:
            side.tick()
            for _, state in down(side.state(bench.sensors, time.monotonic_ns())):
                before = link.newest_state
                link.take_in(state)
                backwards += link.newest_state < before
            command = CommandCodec.pack(side.epoch, first + period, side.state_seq, JUMP_US, bench.command)
            period += 1
            for k, (_, payload) in enumerate(up(command)):
                accepted = side.counts.accepted
                side.handle(holder, payload, time.monotonic_ns())
                # The second packet of a pair is the older one.
                backwards += k == 1 and side.counts.accepted != accepted
        # Each swap makes one command stale; no other command may be lost.
        backwards += side.counts.stale != up.swaps - (up.holds)
    return up.swaps + down.swaps, backwards


class _Jump:
    """Moves the robot's clock forwards and backwards by a second, again and again."""

    def __init__(self, every: int) -> None:
        self._every = every
        self._seen = 0
        self.jumps = 0

    def __call__(self, payload: bytes) -> Iterable[Delivery]:
        message = wire.unpack(payload)
        if message is None or message[0] != "state" or message[1][4] != wire.ACTIVE:
            return ((0.0, payload),)
        self._seen += 1
        self.jumps = self._seen // self._every
        values = list(message[1])
        values[2] += (0.0, JUMP_S, 0.0, -JUMP_S)[self.jumps % 4]
        return ((0.0, wire.pack("state", *values)),)


def f07_clock_jump(n: int) -> Outcome:
    """Makes the robot's clock jump by a second; our own clock is monotonic and cannot jump."""
    jumps, missed, step = 0, 0, 0.0
    while jumps < n:
        jump = _Jump(every=20)
        result = run_through(down=jump)
        tau = result.trace.kept("tau") / result.robot.torque_limit_Nm
        step = max(step, float(np.abs(np.diff(tau, axis=0)).max()))
        missed += result.loop.overruns
        jumps += jump.jumps
    text = f"{missed} deadline misses; largest torque step {step:.3f} of the limit"
    return Outcome(jumps, text, missed == 0 and step <= STEP_LIMIT_PER_TICK, step <= STEP_LIMIT_PER_TICK)


def f22_signals(n: int) -> Outcome:
    """Sends SIGTERM once, for a soft stop, and twice, for damping at once (only in the main thread)."""
    soft, hard = 0, 0
    longest_soft, longest_hard = 0, 0
    for i in range(n):
        twice = i % 2 == 1

        def on_tick(tick: int, twice: bool = twice) -> None:
            if tick == SIGNAL_TICK or (twice and tick == SIGNAL_TICK + 1):
                os.kill(os.getpid(), signal.SIGTERM)

        result = run_through(duration_s=10.0, each_tick=on_tick)
        after = result.loop.ticks - SIGNAL_TICK - 1
        if twice:
            hard += result.exit_code == EXIT_SAFETY_STOP
            longest_hard = max(longest_hard, after - 1)
        else:
            soft += result.exit_code == EXIT_DONE
            longest_soft = max(longest_soft, after)
    text = f"stopped within {longest_soft} ms after one signal, {longest_hard} ms after a second one"
    good = soft == n - n // 2 and hard == n // 2
    return Outcome(n, text, good and longest_soft <= LONGEST_STOP_MS and longest_hard <= 2)
