"""Effect of everything that looks at and drives a running robot on its tick; a script to be run by hand.

    python -m kilohertz.rt.bench.develop.onlookers --seconds 300 --json FILE

Telemetry at 200 Hz, a client that streams commands at 1 kHz, and the cockpit with five pages, of which one
never reads, run in processes of their own. Two comparisons, each with an A/A control:

* blocks: one run, in which these processes are suspended and resumed in turn every half second. The loop
  writes telemetry rows and reads commands in all blocks.
* runs: a run without telemetry and commands, one with all of it, and one without again.

Page faults of the loop's thread are counted; none are asked. The computer should do nothing else meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from kilohertz.robots.model.period import PERIOD_S
from kilohertz.rt.bench.isolation import CONTROL, QUIET, ROWS_KEPT, Alternation, Blocks, Switch, Vector
from kilohertz.rt.live.control_endpoint import control_endpoint
from kilohertz.rt.run.session import RunPlan, Session

ROBOT, SCENARIO = "g1", "stand"
TELEMETRY_HZ = 200.0
PAGES = 5
TOKEN = "a-token-of-the-measurement"
START_S = 60.0
TAILS = (99.0, 99.9)
RESAMPLINGS = 400
LIKELY_PERCENT = (5.0, 95.0)
TELEMETRY, COMMANDS, COCKPIT, ALL = (
    "telemetry at 200 Hz",
    "command stream at 1 kHz",
    "cockpit with 5 pages, one never reads",
    "all of it",
)

STREAMS = """
import sys, time
from kilohertz.rt.live.client import ControlClient
from kilohertz.rt.live.stream_targets import StreamTargets
while True:
    try:
        client = ControlClient(sys.argv[1], name="stream", role="program", timeout_s=5.0)
        due = time.monotonic()
        while True:
            client.stream(StreamTargets(com_offset_m=(0.0, 0.0, 0.0), lean_rad=0.0))
            client.poll()
            due = max(due + 1e-3, time.monotonic() - 0.01)
            time.sleep(max(0.0, due - time.monotonic()))
    except Exception as error:
        print(f"stream: {error}", file=sys.stderr, flush=True)
        time.sleep(0.2)
"""
PAGE = """
import sys, time, viser
from websockets.sync.client import connect
port, token, reads = sys.argv[1], sys.argv[2], sys.argv[3] == "reads"
address = f"127.0.0.1:{port}"
cookie = {"Cookie": f"kilohertz-{port}={token}"}
with connect(f"ws://{address}/", origin=f"http://{address}", additional_headers=cookie, max_size=None,
             subprotocols=[f"viser-v{viser.__version__}"], compression=None) as page:
    print("open", flush=True)
    while reads:
        page.recv()
    time.sleep(1e6)
"""


class Group:
    """Processes that are suspended and resumed together.

    Args:
        pids: lists of their numbers; more may be added later.
    """

    def __init__(self, *pids: list[int]) -> None:
        self._pids = pids

    def resume(self) -> None:
        """Resumes them."""
        self._send(signal.SIGCONT)

    def pause(self) -> None:
        """Suspends them."""
        self._send(signal.SIGSTOP)

    def _send(self, number: int) -> None:
        for pids in self._pids:
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)


def children(words: str) -> list[int]:
    """Returns the numbers of this process's children whose command line contains these words."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and words in (folder / "cmdline").read_bytes().decode(errors="replace"):
                found.append(int(folder.name))
    return found


def find_telemetry(found: list[int]) -> None:
    """Waits, in a thread, for the telemetry process of the next run, and adds its number to a list."""

    def look() -> None:
        until_s = time.monotonic() + START_S
        while not found and time.monotonic() < until_s:
            time.sleep(0.02)
            found.extend(children("telemetry.publisher"))

    threading.Thread(target=look, daemon=True).start()


@contextmanager
def started(code: str, *arguments: str, pipe: bool = False) -> Iterator[subprocess.Popen[str]]:
    """Runs a Python program for the duration of a `with` block."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE if pipe else None, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def moved(own: Sequence[Vector], against: Sequence[Vector], percentile: float) -> dict[str, Any]:
    """Compares a percentile of the tick between two sets of blocks.

    Returns:
        Both values [us], the relative change, and its 90 % bootstrap interval over blocks.
    """
    random = np.random.default_rng(0)

    def tail_us(blocks: Sequence[Vector]) -> float:
        return float(np.percentile(np.concatenate(blocks), percentile))

    def drawn(blocks: Sequence[Vector]) -> list[Vector]:
        return [blocks[at] for at in random.integers(len(blocks), size=len(blocks))]

    ratios = [tail_us(drawn(own)) / tail_us(drawn(against)) - 1.0 for _ in range(RESAMPLINGS)]
    low, high = np.percentile(ratios, LIKELY_PERCENT).tolist()
    a_us, b_us = tail_us(against), tail_us(own)
    return {"without_us": a_us, "with_us": b_us, "moved": b_us / a_us - 1.0, "likely": [low, high]}


def compared(blocks: Blocks) -> dict[str, Any]:
    """Compares the blocks of each disturbance with all quiet ones, and the quiet ones with each other."""
    quiet = blocks[QUIET] + blocks[CONTROL]
    pairs = {
        name: (own, blocks[QUIET] if name == CONTROL else quiet)
        for name, own in blocks.items()
        if name != QUIET
    }
    return {
        name: {f"p{tail:g}": moved(own, against, tail) for tail in TAILS}
        for name, (own, against) in pairs.items()
        if own and against
    }


def timed(plan: RunPlan, seconds: float, disturbances: dict[str, Switch]) -> tuple[Blocks, dict[str, Any]]:
    """Runs a plan and returns the ticks of its blocks, and what the host did."""
    ticks = round(seconds / PERIOD_S)
    session = Session(plan)
    alternation = Alternation(disturbances, session.loop, ticks)

    def each_tick(tick: int) -> None:
        if tick == 0:
            for disturbance in disturbances.values():
                disturbance.pause()
        alternation(tick)
        if tick == ticks - 1:
            for disturbance in disturbances.values():
                disturbance.resume()

    loop = session.run(each_tick=each_tick).loop
    footprint = loop.footprint
    host = {
        "ticks": loop.ticks,
        "exit_state": loop.exit_state,
        "overruns": loop.overruns,
        "minor_faults": footprint.minor_faults,
        "major_faults": footprint.major_faults,
        "steal_s": footprint.steal_s,
    }
    return alternation.blocks_us(), host


@contextmanager
def cockpit() -> Iterator[list[int]]:
    """Runs the cockpit with its pages; yields the numbers of all these processes."""
    code = "from kilohertz.rt.cli.main import main; main()"
    arguments = ("view", "--telemetry", ROBOT, "--port", "0", "--token", TOKEN)
    with started(code, *arguments, pipe=True) as process:
        assert process.stdout is not None
        port = process.stdout.readline().rpartition(":")[2].partition("/")[0]
        pages: list[subprocess.Popen[str]] = []
        try:
            for number in range(PAGES):
                reads = "reads" if number else "never reads"
                command = [sys.executable, "-c", PAGE, port, TOKEN, reads]
                pages.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
                out = pages[-1].stdout
                assert out is not None
                assert out.readline() == "open\n", "the cockpit refuses the page"
            yield [process.pid, *(page.pid for page in pages)]
        finally:
            for page in pages:
                page.kill()
                page.wait()


def measure(seconds: float) -> dict[str, Any]:
    """Measures both comparisons; see the top of this module.

    Args:
        seconds: duration of the run in blocks; each of the other runs takes a third of it [s].
    """
    plain = RunPlan(ROBOT, SCENARIO, seconds, realtime=True, rows_kept=ROWS_KEPT)
    control = control_endpoint(ROBOT)
    watched = RunPlan(
        ROBOT,
        SCENARIO,
        seconds,
        realtime=True,
        rows_kept=ROWS_KEPT,
        control=control,
        telemetry_hz=TELEMETRY_HZ,
    )
    # The cockpit shows each run as soon as it begins, and the stream's client connects again by itself.
    with cockpit() as pids, started(STREAMS, control) as stream:
        telemetry: list[int] = []
        find_telemetry(telemetry)
        disturbances: dict[str, Switch] = {
            TELEMETRY: Group(telemetry),
            COMMANDS: Group([stream.pid]),
            COCKPIT: Group(pids),
            ALL: Group(telemetry, [stream.pid], pids),
        }
        blocks, host = timed(watched, seconds, disturbances)
        third_s = seconds / 3.0
        runs: dict[str, tuple[Blocks, dict[str, Any]]] = {}
        for name, plan in (("first", plain), ("watched", watched), ("second", plain)):
            runs[name] = timed(replace(plan, duration_s=third_s), third_s, {"": Group()})
    ticks = {name: [block for own in found.values() for block in own] for name, (found, _) in runs.items()}
    return {
        "blocks": {"host": host, **compared(blocks)},
        "runs": {
            "hosts": {name: host for name, (_, host) in runs.items()},
            "with over without": {
                f"p{tail:g}": moved(ticks["watched"], ticks["first"] + ticks["second"], tail)
                for tail in TAILS
            },
            "A/A control": {f"p{tail:g}": moved(ticks["second"], ticks["first"], tail) for tail in TAILS},
        },
        "load_average": os.getloadavg()[0],
    }


def main() -> None:
    """Measures, prints the figures, and writes them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--seconds", type=float, default=300.0, metavar="S", help="duration of the run in blocks"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="file for the figures")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="khz-") as folder:
        # Other runs of this user have endpoints of their own.
        os.environ["XDG_RUNTIME_DIR"] = folder
        began_s = time.monotonic()
        figures = measure(arguments.seconds)
    text = json.dumps(figures | {"took_s": round(time.monotonic() - began_s, 1)}, indent=1)
    print(text)
    if arguments.json is not None:
        arguments.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
