"""The same whole-body problem here and in TSID, tick by tick in turn on one core: `khz bench --against tsid`.

Both solve the states of a robot in motion, as the controller's own exact solution moves it: a biped that
sways on both feet, then the start of that motion on one foot; an arm whose hand draws circles. The time is
from the state to the torque: kinematics, assembly, solve; references are written before.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from kilohertz.robots.model.kin import Floats
from kilohertz.robots.model.period import PERIOD_S
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.bench.subjects import CONTROL, Subject
from kilohertz.rt.bench.tsid_environment import TsidMissingError, tsid_python
from kilohertz.rt.bench.tsid_problem import describe, references
from kilohertz.rt.host.realtime import prepare_realtime

ROBOTS = ("g1", "ur5", "panda")
COMPARED, TSID = ("osqp", "exact"), "tsid"


@dataclass(frozen=True)
class Comparison:
    """One solver beside TSID in one mode.

    Attributes:
        robot: which.
        solver, mode: what was run; "both feet", "one foot" or "hand".
        paced: whether ticks came at 1 kHz, with cold caches, or one after another.
        ticks: how many.
        here_us, tsid_us: median time of a tick; what is TSID's is None where that is not here.
        ratio: median of the ticks' ratios.
        control: the same for the exact solver beside itself; what is not 1 in it, the timing does.
        difference_Nm: median of the largest difference of a joint's torque.
    """

    robot: str
    solver: str
    mode: str
    paced: bool
    ticks: int
    here_us: float
    tsid_us: float | None
    ratio: float | None
    control: float
    difference_Nm: float | None


class Peer:
    """TSID in its own process, which stays on this process's cores.

    Args:
        problem: its description.
        na: joints.

    Raises:
        TsidMissingError: where it does not start.
    """

    def __init__(self, problem: dict[str, Any], na: int) -> None:
        command = [str(tsid_python()), str(Path(__file__).with_name("tsid_peer.py"))]
        env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": ""}
        try:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env)
        except OSError as error:
            raise TsidMissingError(f"its interpreter cannot be started: {error.strerror}") from None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._rows, self._answers = self._process.stdin, self._process.stdout
        self._bytes = 8 * (1 + na)
        self._send(json.dumps(problem).encode() + b"\n")

    def _send(self, data: bytes) -> None:
        try:
            self._rows.write(data)
            self._rows.flush()
        except OSError:
            raise TsidMissingError("its process has ended") from None

    def tick(self, closed: Sequence[float], q: Floats, v: Floats, refs: Floats) -> tuple[float, Floats]:
        """TSID's time [us] and torque [Nm].

        Raises:
            TsidMissingError: where its process has ended.
        """
        self._send(np.r_[closed, q, v, refs].tobytes())
        data = self._answers.read(self._bytes)
        if len(data) < self._bytes:
            raise TsidMissingError("its process has ended")
        answer = np.frombuffer(data)
        return float(answer[0]) / 1e3, answer[1:]

    def close(self) -> None:
        """Ends the process."""
        with suppress(OSError):
            self._rows.close()
        self._process.wait()


def run_against(robots: Sequence[str], ticks: int, *, tsid: bool = True) -> list[Comparison]:
    """Times both solvers and TSID in turn, in every mode, back to back and paced at 1 kHz.

    Args:
        robots: bipeds with flat soles and arms, names or folders.
        ticks: of each robot in each mode and pace.
        tsid: whether TSID takes part; else only the solvers here do.

    Raises:
        ValueError: for a robot that is neither.
        TsidMissingError: where TSID cannot be installed or started.
    """
    subjects = [Subject(RobotModel.load(name)) for name in robots]
    if tsid:
        tsid_python()  # made where it is missing, before the host is prepared
    comparisons = []
    with prepare_realtime():  # the peer inherits core and priority
        for subject in subjects:
            peer = Peer(describe(subject), subject.robot.na) if tsid else None
            try:
                for mode in subject.modes:
                    for paced in (False, True):
                        comparisons += _compare(subject, peer, mode, paced, ticks)
            finally:
                if peer is not None:
                    peer.close()
    return comparisons


def _compare(subject: Subject, peer: Peer | None, mode: str, paced: bool, ticks: int) -> list[Comparison]:
    us, off = _in_turn(subject, peer, mode, paced, ticks, COMPARED)
    again, _ = _in_turn(subject, peer, mode, paced, ticks, ("exact", CONTROL))
    return [
        Comparison(
            subject.robot.name,
            solver,
            mode,
            paced,
            ticks,
            float(np.median(us[solver])),
            None if peer is None else float(np.median(us[TSID])),
            None if peer is None else float(np.median(us[solver] / us[TSID])),
            float(np.median(again["exact"] / again[CONTROL])),
            None if peer is None else float(np.median(off[solver])),
        )
        for solver in COMPARED
    ]


def _in_turn(
    subject: Subject, peer: Peer | None, mode: str, paced: bool, ticks: int, solvers: Sequence[str]
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Time of every tick of the solvers and of TSID [us], and how far the torques are from TSID's [Nm]."""
    q, v = subject.start(mode)
    robot = subject.robot
    closed = [float(name in subject.modes[mode]) for name in robot.contact_names]
    runners = list(solvers) if peer is None else [*solvers, TSID]
    us, off = ({runner: np.zeros(ticks) for runner in runners} for _ in range(2))
    order, tau = np.random.default_rng(0), np.zeros(robot.na)
    for k in range(ticks):
        for solver in solvers:
            subject.refer(solver, q, v)
        refs = references(subject)
        # Whoever comes later finds the caches as the others left them: any order is as likely as any other.
        for runner in order.permutation(runners).tolist():
            if paced:
                time.sleep(PERIOD_S / len(runners))
            if runner == TSID and peer is not None:
                us[runner][k], tau = peer.tick(closed, q, v, refs)
            else:
                us[runner][k] = subject.tick(runner, q, v)
        for solver in solvers:
            off[solver][k] = np.abs(subject.bodies[solver].solution.tau - tau).max()
        q, v = subject.moved(q, v)
    return us, off


def comparison_table(comparisons: Sequence[Comparison]) -> Table:
    """One line for each robot, solver, mode and pace."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2))
    for name in ("robot", "solver", "mode", "pace"):
        table.add_column(name)
    for name in ("here µs", "TSID µs", "ratio", "control", "torque differs Nm"):
        table.add_column(name, justify="right")
    for c in comparisons:
        figures = (_told(c.tsid_us, ".1f"), _told(c.ratio, ".3f"), f"{c.control:.3f}")
        pace = "1 kHz" if c.paced else "back to back"
        differs = _told(c.difference_Nm, ".2g")
        table.add_row(c.robot, c.solver, c.mode, pace, f"{c.here_us:.1f}", *figures, differs)
    return table


def _told(figure: float | None, form: str) -> str:
    return "-" if figure is None else f"{figure:{form}}"


def as_json(comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """The comparisons as plain objects for JSON."""
    return {"against_tsid": [asdict(comparison) for comparison in comparisons]}
