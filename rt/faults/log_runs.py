"""Injects faults of the log: the recorder is killed or stopped, or its disk is full."""

from __future__ import annotations

import itertools
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.period import PERIOD_NS
from kilohertz.rt.faults.bench import ROBOT
from kilohertz.rt.faults.link_runs import SLOWER_US, Outcome
from kilohertz.rt.faults.own_process import environment
from kilohertz.rt.host.realtime import default_core
from kilohertz.rt.log.header import LogHeader
from kilohertz.rt.log.recorder import MISSING, Recording, can_record, recorded
from kilohertz.rt.log.ring import Ring
from kilohertz.rt.log.schema import WARM_UP, schema_text
from kilohertz.rt.loop.stamps import START, WRITE
from kilohertz.rt.run.session import RunPlan, Session

BLOCK_TICKS = 250
SETTLING_TICKS = 25
WARM_UP_TICKS = 1000
LONGEST_S = 3600.0
LARGEST_CHANGE = 0.05
PATIENCE_S = 30.0
UNDISTURBED, KILLED, STOPPED, FULL = "undisturbed", "killed", "stopped", "disk full"
DISTURBANCES = (KILLED, STOPPED, FULL)

Block = tuple[str, int, int]


def f20_log(n: int) -> Outcome:
    """Kills and stops the recorder of a real-time run and fills its disk, with undisturbed times between."""
    if not can_record():
        return Outcome(0, MISSING, passed=False)
    with tempfile.TemporaryDirectory(prefix="kilohertz-") as folder, _controller() as (child, ring, log):
        recorders = _DisturbedRecorders(Path(folder), ring, *log)
        for i in range(n):
            recorders.disturb(DISTURBANCES[i % len(DISTURBANCES)])
        recorders.finish()
        ticks_us = np.array(json.loads(child.readline()))
        whole = recorders.whole_logs()
        lost = ring.lost
    blocks, logs = recorders.blocks, recorders.logs
    changes = {kind: _relative_change(ticks_us, blocks, kind) for kind in DISTURBANCES}
    tails_us = {kind: _tail_us(ticks_us, blocks, kind) for kind in (UNDISTURBED, *DISTURBANCES)}
    scatter = _scatter(ticks_us, blocks)
    limit = max(LARGEST_CHANGE, SLOWER_US / tails_us[UNDISTURBED])
    undecided = f"undisturbed blocks differ by {100.0 * scatter:.0f} %" if scatter > limit else ""
    reported = _full_disk_is_reported()
    figures = ", ".join(
        f"{kind} {tails_us[kind]:.0f} us ({100.0 * changes[kind]:+.0f} %)" for kind in DISTURBANCES
    )
    text = (
        f"tick p99.9 with the recorder running {tails_us[UNDISTURBED]:.0f} us, {figures}; A/A control: "
        f"undisturbed blocks differ by {100.0 * scatter:.0f} %; {whole} of "
        f"{len(logs)} logs readable up to their last chunk; {lost} rows overwritten; "
        f"full disk reported: {'yes' if reported else 'no'}"
    )
    safe = whole == len(logs) and reported
    return Outcome(n, text, safe and max(changes.values()) <= limit, safe, undecided)


class _DisturbedRecorders:
    """Runs one recorder after the other on the ring of a run, and disturbs them.

    Args:
        folder: folder for the logs.
        ring: ring buffer of the run.
        header: header of the logs.
        schema: definition of the rows.

    Attributes:
        blocks: (kind, first row, end row) of undisturbed and disturbed times, alternating.
        logs: path of each log, and the number of rows that it must contain.
    """

    def __init__(self, folder: Path, ring: Ring, header: LogHeader, schema: str) -> None:
        self.blocks: list[Block] = []
        self.logs: list[tuple[Path, int]] = []
        self._folder, self._ring, self._header, self._schema = folder, ring, header, schema
        self._stack = ExitStack()
        self._recording = self._new_recorder()
        self._wait_until(lambda: ring.pushed > WARM_UP_TICKS)

    def _new_recorder(self) -> Recording:
        self._path = self._folder / f"{len(self.logs)}.mcap"
        recording = recorded(self._ring, self._path, self._header, self._schema, default_core())
        new = self._stack.enter_context(recording)
        self._wait_until(lambda: self._ring.behind <= SETTLING_TICKS)
        return new

    def disturb(self, kind: str) -> None:
        """Runs an undisturbed block, then a disturbed one, then restores the recorder."""
        self._block(UNDISTURBED)
        pid = self._recording.pid
        if kind == FULL:
            size = self._path.stat().st_size
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, size))
        else:
            os.kill(pid, signal.SIGKILL if kind == KILLED else signal.SIGSTOP)
        self._block(kind)
        if kind == STOPPED:
            os.kill(pid, signal.SIGCONT)
            self._wait_until(lambda: self._ring.behind <= SETTLING_TICKS)
        else:
            if kind == FULL:
                # Only complete chunks are written, so a write fails only when the present chunk is full.
                self._wait_until(lambda: self._ring.errno != 0)
            self._end_recorder()
            self._recording = self._new_recorder()

    def _block(self, kind: str) -> None:
        first = self._ring.pushed
        self._wait_until(lambda: self._ring.pushed >= first + BLOCK_TICKS)
        self.blocks.append((kind, first, self._ring.pushed))

    def _end_recorder(self) -> None:
        self._recording.finish()
        self.logs.append((self._path, self._ring.written))
        self._stack.close()

    def finish(self) -> None:
        """Ends the run and the last recorder."""
        self._ring.end()
        self._end_recorder()

    def whole_logs(self) -> int:
        """Returns how many logs can be read in order, at least up to the last chunk that was written."""
        from kilohertz.rt.log.file import LogReader, read_rows

        whole = 0
        for path, safe in self.logs:
            try:
                with LogReader(path) as reader:
                    numbers = read_rows(reader, ["tick"])["tick"]
            except ConfigError:
                whole += safe == 0
                continue
            ticks = numbers[numbers != WARM_UP]
            whole += len(numbers) >= safe and bool((np.diff(ticks) > 0).all())
        return whole

    @staticmethod
    def _wait_until(condition: Callable[[], bool]) -> None:
        end_s = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > end_s:
                raise TimeoutError("the run or its recorder makes no progress")
            time.sleep(0.005)


def _block_us(ticks_us: NDArray[np.float64], block: Block) -> NDArray[np.float64]:
    """Returns the durations of a block's ticks [us], without those right after its start."""
    return ticks_us[block[1] + SETTLING_TICKS : block[2]]


def _tail_us(ticks_us: NDArray[np.float64], blocks: list[Block], kind: str) -> float:
    """Returns the p99.9 of all ticks in blocks of a kind [us]."""
    chosen = [_block_us(ticks_us, block) for block in blocks if block[0] == kind]
    return float(np.percentile(np.concatenate(chosen), 99.9))


def _relative_change(ticks_us: NDArray[np.float64], blocks: list[Block], kind: str) -> float:
    """Returns the relative change of the p99 from the preceding undisturbed block, median over all blocks.

    On some hosts everything is slower for half a minute at a time; this affects neighbouring blocks equally.
    """
    pairs = [(before, block) for before, block in itertools.pairwise(blocks) if block[0] == kind]
    tails = [[np.percentile(_block_us(ticks_us, block), 99.0) for block in pair] for pair in pairs]
    return float(np.median([disturbed / before for before, disturbed in tails])) - 1.0


def _scatter(ticks_us: NDArray[np.float64], blocks: list[Block]) -> float:
    """Returns the A/A control: how much the figure of a disturbance may differ where nothing is disturbed.

    The figure of a disturbance is a median over as many pairs of blocks as it was repeated. The control is
    the largest such median over consecutive pairs of undisturbed blocks: with few repetitions it is as
    uncertain as the figure itself. A disturbance that changes the tick by less cannot be told from the host's
    own scatter.
    """
    quiet = [block for block in blocks if block[0] == UNDISTURBED]
    tails = [float(np.percentile(_block_us(ticks_us, block), 99.0)) for block in quiet]
    changes = [max(a, b) / min(a, b) - 1.0 for a, b in itertools.pairwise(tails)]
    repeated = max(1, len(quiet) // len(DISTURBANCES))
    windows = [changes[i : i + repeated] for i in range(max(1, len(changes) - repeated + 1))]
    return max((float(np.median(window)) for window in windows if window), default=0.0)


@contextmanager
def _controller() -> Iterator[tuple[Any, Ring, tuple[LogHeader, str]]]:
    """Starts `controller` in a separate process; yields its output, its ring and the header and schema."""
    code = "from kilohertz.rt.faults.log_runs import controller; controller()"
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        env=environment(),
    )
    assert child.stdout is not None
    try:
        setup = json.loads(child.stdout.readline())
        fd = os.open(f"/proc/{child.pid}/fd/{setup['fd']}", os.O_RDWR)
        try:
            log = LogHeader.of_text(setup["header"]), setup["schema"]
            yield child.stdout, Ring(setup["cells"], fd), log
        finally:
            os.close(fd)
    finally:
        child.kill()
        child.communicate()


def controller() -> None:
    """Runs a controller until its ring is ended.

    Prints the ring's file descriptor and the log's header first, and at the end each tick's duration [us].
    """
    # The log folder is not used: recorders of another process read the ring.
    session = Session(RunPlan(ROBOT, "stand", LONGEST_S, realtime=True, rows_kept=1, log=Path()))
    assert session.log is not None
    ring, loop = session.log.ring, session.loop
    took_us = np.zeros(round(LONGEST_S * 1e9) // PERIOD_NS)

    def look(tick: int) -> None:
        cells, row = loop.stages.cells, loop.stages.row
        took_us[ring.pushed - 1] = (cells[row + WRITE] - cells[row + START]) * 1e-3
        if ring.ended:
            loop.stop()

    setup = {
        "fd": ring.fd,
        "cells": ring.row.size,
        "header": session.header(datetime.now()).as_text(),
        "schema": schema_text(session.row_type),
    }
    print(json.dumps(setup), flush=True)
    session.recorded = nullcontext  # type: ignore[method-assign, assignment]
    session.run(each_tick=look)
    print(json.dumps(took_us[: ring.pushed].tolist()), flush=True)


def _full_disk_is_reported() -> bool:
    """Returns whether `khz sim` with results on a full disk ends with an error message."""
    arguments = ["sim", ROBOT, "--scenario", "stand", "--duration", "0.05", "--json", "/dev/full"]
    done = subprocess.run(
        [sys.executable, "-c", "from kilohertz.rt.cli.main import main; main()", *arguments],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    return done.returncode == 3 and "/dev/full" in done.stderr and "Traceback" not in done.stderr
