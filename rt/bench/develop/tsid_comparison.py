"""The same whole-body problem in Kilohertz and in TSID, in turn on one core: `khz bench against tsid`.

Both solve the same states of a robot in motion, which the exact solution moves: a biped that sways on both
feet, the first state of that motion on one foot, or an arm whose hand draws circles. The duration is from the
state to the torque: kinematics, assembly, solve. References are written before.
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
from kilohertz.rt.bench.develop.subjects import CONTROL, Subject
from kilohertz.rt.bench.develop.tsid_environment import TsidMissingError, tsid_python
from kilohertz.rt.bench.develop.tsid_problem import describe, references
from kilohertz.rt.host.realtime import prepare_realtime

ROBOTS = ("g1", "ur5", "panda")
COMPARED, TSID = ("osqp", "exact"), "tsid"


@dataclass(frozen=True)
class Comparison:
    """One solver compared with TSID in one mode; figures of TSID are None where it is not available.

    Attributes:
        robot: name of the robot.
        solver: solver of Kilohertz.
        mode: "both feet", "one foot" or "hand".
        paced: True at 1 kHz, with cold caches; False back to back.
        ticks: number of ticks.
        here_us, tsid_us: median duration of a tick in Kilohertz and in TSID [us].
        ratio: median over the ticks of the duration in Kilohertz over that in TSID.
        control: A/A control: the same ratio for the exact solver and itself; its distance from 1 is noise.
        difference_Nm: median of the largest difference of a joint torque from TSID's [Nm].
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
    """TSID in a process of its own, on the same core.

    Args:
        problem: description of the problem, from `tsid_problem.describe`.
        na: number of joints.

    Raises:
        TsidMissingError: the process does not start.
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
        """Duration of the tick in TSID [us] and its (na,) joint torque [Nm].

        Raises:
            TsidMissingError: the process has ended.
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
    """Times both solvers and TSID in turn, in every mode, back to back and at 1 kHz.

    Args:
        robots: bipeds with flat soles and arms, names or folders.
        ticks: number of ticks for each robot, mode and pace.
        tsid: whether TSID is included.

    Raises:
        ValueError: a robot is neither.
        TsidMissingError: TSID cannot be installed or started.
    """
    subjects = [Subject(RobotModel.load(name)) for name in robots]
    if tsid:
        tsid_python()  # installed now if it is missing, before the host is prepared
    comparisons = []
    with prepare_realtime():  # the TSID process inherits core and priority
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
    """Duration of every tick of each solver and of TSID [us], and torque difference from TSID [Nm]."""
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
        # Random order, because each finds the caches as the one before left them.
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
    """Table with one line for each robot, solver, mode and pace."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2))
    for name in ("robot", "solver", "mode", "pace"):
        table.add_column(name)
    for name in ("Kilohertz µs", "TSID µs", "ratio", "A/A control", "torque difference Nm"):
        table.add_column(name, justify="right")
    for c in comparisons:
        figures = (_text(c.tsid_us, ".1f"), _text(c.ratio, ".3f"), f"{c.control:.3f}")
        pace = "1 kHz" if c.paced else "back to back"
        differs = _text(c.difference_Nm, ".2g")
        table.add_row(c.robot, c.solver, c.mode, pace, f"{c.here_us:.1f}", *figures, differs)
    return table


def _text(figure: float | None, form: str) -> str:
    return "-" if figure is None else f"{figure:{form}}"


def as_json(comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """The comparisons as plain objects for JSON."""
    return {"against_tsid": [asdict(comparison) for comparison in comparisons]}
