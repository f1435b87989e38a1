"""Runs of the fault that strikes what a run writes: its recorder killed, stopped, its disk full."""

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
from kilohertz.rt.host.realtime import default_core
from kilohertz.rt.log.header import LogHeader
from kilohertz.rt.log.recorder import MISSING, Recording, can_record, recorded
from kilohertz.rt.log.ring import Ring
from kilohertz.rt.log.row import WARM_UP
from kilohertz.rt.log.schema import schema_text
from kilohertz.rt.loop.stamps import START, WRITE
from kilohertz.rt.run.session import RunPlan, Session

BLOCK_TICKS = 250
SETTLING_TICKS = 25
WARM_UP_TICKS = 1000
LONGEST_S = 3600.0
MOVED = 0.05
PATIENCE_S = 30.0
QUIET, KILLED, STOPPED, FULL = "nothing", "killed", "stopped", "disk full"
HARMS = (KILLED, STOPPED, FULL)

Block = tuple[str, int, int]


def f20_log(n: int) -> Outcome:
    """Kills and stops the recorder of a run in real time and fills its disk, in turn, calm in between."""
    if not can_record():
        return Outcome(0, MISSING, passed=False)
    with tempfile.TemporaryDirectory(prefix="kilohertz-") as folder, _controller() as (child, ring, log):
        harmed = _Harmed(Path(folder), ring, *log)
        for i in range(n):
            harmed.harm(HARMS[i % len(HARMS)])
        harmed.finish()
        found = np.array(json.loads(child.readline()))
        whole = harmed.whole_logs()
        lost = ring.lost
    moved = {kind: _moved(found, harmed.blocks, kind) for kind in HARMS}
    tails_us = {kind: _tail_us(found, harmed.blocks, kind) for kind in (QUIET, *HARMS)}
    limit = max(MOVED, SLOWER_US / tails_us[QUIET])
    told = _full_disk_is_told()
    figures = ", ".join(f"{kind} {tails_us[kind]:.0f} us ({100.0 * moved[kind]:+.0f} %)" for kind in HARMS)
    text = (
        f"tick's p99.9 with the recorder at work {tails_us[QUIET]:.0f} us, {figures}; {whole} of "
        f"{len(harmed.logs)} logs whole to their last chunk, {lost} rows written over; "
        f"a full disk is told: {'yes' if told else 'no'}"
    )
    safe = whole == len(harmed.logs) and told
    return Outcome(n, text, safe and max(moved.values()) <= limit, safe)


class _Harmed:
    """The recorders of a run, one after the other, and what was done to them.

    Args:
        folder: for their logs.
        ring: of the run.
        header, schema: of the logs.

    Attributes:
        blocks: what went on from which row of the ring to which, by turns nothing and a harm.
        logs: that were written, with the rows that must be in each.
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

    def harm(self, kind: str) -> None:
        """A block of calm, then one with a harm, then all is mended."""
        self._block(QUIET)
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
                # Its chunk may not have been full before.
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
        """Lets the run end."""
        self._ring.end()
        self._end_recorder()

    def whole_logs(self) -> int:
        """How many logs can be read, row after row, at least to the last chunk that their recorder wrote."""
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
                raise TimeoutError("the run or its recorder does not go on")
            time.sleep(0.005)


def _ticks_us(found: NDArray[np.float64], block: Block) -> NDArray[np.float64]:
    """Durations of a block's ticks, but for those right after something was done [us]."""
    return found[block[1] + SETTLING_TICKS : block[2]]


def _tail_us(found: NDArray[np.float64], blocks: list[Block], kind: str) -> float:
    """The p99.9 of all ticks of a kind [us]."""
    return float(np.percentile(np.concatenate([_ticks_us(found, b) for b in blocks if b[0] == kind]), 99.9))


def _moved(found: NDArray[np.float64], blocks: list[Block], kind: str) -> float:
    """The p99 of a block over that of the calm right before it, less one: the median of all blocks.

    A host has times of half a minute in which everything takes longer; neighbours share them.
    """
    pairs = [(calm, harm) for calm, harm in itertools.pairwise(blocks) if harm[0] == kind]
    tails = [[np.percentile(_ticks_us(found, block), 99.0) for block in pair] for pair in pairs]
    return float(np.median([harm / calm for calm, harm in tails])) - 1.0


@contextmanager
def _controller() -> Iterator[tuple[Any, Ring, tuple[LogHeader, str]]]:
    """A run in a process of its own, that fills a ring until that is ended, and says then what it saw."""
    code = "from kilohertz.rt.faults.log_runs import controller; controller()"
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    assert child.stdout is not None
    try:
        said = json.loads(child.stdout.readline())
        fd = os.open(f"/proc/{child.pid}/fd/{said['fd']}", os.O_RDWR)
        try:
            log = LogHeader.of_text(said["header"]), said["schema"]
            yield child.stdout, Ring(said["cells"], fd), log
        finally:
            os.close(fd)
    finally:
        child.kill()
        child.communicate()


def controller() -> None:
    """The run: tells where its ring is, and at the end how long the tick of each row took [us]."""
    # The folder is not used: those that record it are not of this process.
    session = Session(RunPlan(ROBOT, "stand", LONGEST_S, realtime=True, rows_kept=1, log=Path()))
    assert session.log is not None
    ring, loop = session.log.ring, session.loop
    took_us = np.zeros(round(LONGEST_S * 1e9) // PERIOD_NS)

    def look(tick: int) -> None:
        cells, row = loop.stages.cells, loop.stages.row
        took_us[ring.pushed - 1] = (cells[row + WRITE] - cells[row + START]) * 1e-3
        if ring.ended:
            loop.stop()

    said = {
        "fd": ring.fd,
        "cells": ring.row.size,
        "header": session.header(datetime.now()).as_text(),
        "schema": schema_text(session.row_type),
    }
    print(json.dumps(said), flush=True)
    session.recorded = nullcontext  # type: ignore[method-assign]
    session.run(each_tick=look)
    print(json.dumps(took_us[: ring.pushed].tolist()), flush=True)


def _full_disk_is_told() -> bool:
    """Whether a run whose results go to a full disk says so, in a sentence."""
    arguments = ["sim", ROBOT, "--scenario", "stand", "--duration", "0.05", "--json", "/dev/full"]
    done = subprocess.run(
        [sys.executable, "-c", "from kilohertz.rt.cli.main import main; main()", *arguments],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        check=False,
    )
    return done.returncode == 3 and "/dev/full" in done.stderr and "Traceback" not in done.stderr
