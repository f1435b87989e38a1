"""The same whole-body problem here and in TSID, tick by tick in turn on one core: `khz bench --against tsid`.

Both solve the states of a biped that sways, as the controller's own solution moves it; then the start of
that motion on one foot. The time is from the state to the torque: kinematics, assembly, solve; references are
written before.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pinocchio as pin
from rich.table import Table

from controller.behaviours.standing import Standing, standing_tasks
from controller.gains import Gains, load_gains
from controller.qp.tables import GRAVITY_M_S2
from controller.request import make_request
from controller.whole_body import BarrierSettings, ContactSettings, WholeBody
from robots.model import RobotModel
from rt.tsid_environment import tsid_python

PERIOD_S = 1e-3
SOLVERS = ("osqp", "exact")


@dataclass(frozen=True)
class Comparison:
    """One solver beside TSID in one mode.

    Attributes:
        solver, mode: what was run; "both feet" or "one foot".
        paced: whether ticks came at 1 kHz, with cold caches, or one after another.
        ticks: how many.
        here_us, tsid_us: median time of a tick.
        ratio: median of the ticks' ratios.
        difference_Nm: median of the largest difference of a joint's torque.
    """

    solver: str
    mode: str
    paced: bool
    ticks: int
    here_us: float
    tsid_us: float
    ratio: float
    difference_Nm: float


class Peer:
    """TSID in its own process, which stays on this process's cores.

    Args:
        problem: its description.
    """

    def __init__(self, problem: dict[str, Any], na: int) -> None:
        command = [str(tsid_python()), str(Path(__file__).with_name("tsid_peer.py"))]
        env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": ""}
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._rows, self._answers = self._process.stdin, self._process.stdout
        self._bytes = 8 * (1 + na)
        self._rows.write(json.dumps(problem).encode() + b"\n")
        self._rows.flush()

    def tick(self, closed: Any, q: Any, v: Any, com: Any, R: Any) -> tuple[float, Any]:
        """TSID's time [us] and torque [Nm]."""
        self._rows.write(np.r_[closed, q, v, com, R.ravel()].tobytes())
        self._rows.flush()
        answer = np.frombuffer(self._answers.read(self._bytes))
        return float(answer[0]) / 1e3, answer[1:]

    def close(self) -> None:
        """Ends the process."""
        self._rows.close()
        self._process.wait()


def describe(robot: RobotModel, gains: Gains, body: WholeBody) -> dict[str, Any]:
    """The problem as data: what `rt.tsid_peer` builds TSID's formulation from."""
    model, tasks = robot.pin_model, {task.name: task for task in body.declared}
    contacts, placement = body.arrays.contacts, body.arrays.kin.placement
    frames = [
        {
            "name": f"sole {c}",
            "joint": model.names[model.frames[contact.frame_id].parentJoint],
            "R": placement[c, :3].tolist(),
            "p": placement[c, 3].tolist(),
        }
        for c, contact in enumerate(robot.contacts)
    ]
    return {
        "urdf": robot.urdf_text,
        "q": robot.q_nominal.tolist(),
        "armature": robot.armature_kgm2.tolist(),
        "frames": frames,
        "contacts": [
            {
                "frame": f"sole {c}",
                "corners": geometry.corners_C.tolist(),
                "friction": contact.friction / np.sqrt(2.0),
                "least_N": float(contacts.lower[c, contacts.n_rows[c] - 1]),
                "largest_N": float(contacts.upper[c, contacts.n_rows[c] - 1]),
                "damping": float(contacts.damping_per_s[c]),
                "force": body.reference(f"{contact.name}.force")[:6].tolist(),
                "weights": body.reference(f"{contact.name}.force")[6:12].tolist(),
            }
            for c, (contact, geometry) in enumerate(zip(robot.contacts, body.geometry, strict=True))
        ],
        "com": {
            "kp": body.gain("com")[:3].tolist(),
            "kd": body.gain("com")[3:6].tolist(),
            "weight": gains.com.weight,
        },
        "orientations": [
            {
                "name": name,
                "frame": tasks[name].frame,
                "kp": float(body.gain(name)[0]),
                "kd": float(body.gain(name)[1]),
                "weight": float(body.weight(name)[0]),
            }
            for name in ("base", "trunk")
            if name in tasks
        ],
        "momentum": {
            "kp": float(body.gain("angular_momentum")[0]),
            "weight": float(body.weight("angular_momentum")[0]),
        },
        "posture": {
            "kp": float(body.gain("posture")[0]),
            "kd": float(body.gain("posture")[1]),
            "q": body.reference("posture")[: robot.na].tolist(),
            "weights": body.reference("posture")[robot.na :].tolist(),
        },
        "limits": {
            "torque": robot.torque_limit_Nm.tolist(),
            "lower": robot.position_lower_rad.tolist(),
            "upper": robot.position_upper_rad.tolist(),
            "velocity": robot.velocity_limit_rad_s.tolist(),
        },
        "largest_rad_s2": gains.limits.largest_rad_s2,
    }


class _Bodies:
    """The controller with each of the solvers, and the motion that writes their references."""

    def __init__(self, robot: RobotModel, gains: Gains) -> None:
        weight_N = robot.mass_kg * GRAVITY_M_S2
        contact = ContactSettings(
            gains.contact.damping_per_s,
            gains.contact.least_load * weight_N,
            gains.contact.largest_load * weight_N,
        )
        limits = gains.limits
        barrier = BarrierSettings(
            limits.position_per_s2, limits.damping_per_s, limits.velocity_per_s, limits.largest_rad_s2
        )
        tasks = [task for task in standing_tasks(robot, gains) if task.name not in robot.hand_names]
        hands = [task for task in standing_tasks(robot, gains) if task.name in robot.hand_names]
        self.names = [task.name for task in tasks]
        self.by_solver = {
            solver: WholeBody(robot, tasks + hands, contact, barrier, solver) for solver in SOLVERS
        }
        self.motions = {solver: Standing(robot, gains, body) for solver, body in self.by_solver.items()}
        self.feet = {"both feet": robot.contact_names, "one foot": robot.contact_names[:1]}
        request = make_request(robot, "sway", {"amplitude_m": 0.03, "period_s": 2.0})
        for solver, body in self.by_solver.items():
            for closed in self.feet.values():
                body.prepare(closed, self._tasks(closed))
            body.update(robot.q_nominal.copy(), np.zeros(robot.nv))
            self.motions[solver].start()
            self.motions[solver].take(request)

    def _tasks(self, closed: Any) -> list[str]:
        open_forces = {f"{name}.force" for name in self.feet["both feet"] if name not in closed}
        return [name for name in self.names if name not in open_forces]

    def stand_on(self, mode: str) -> None:
        """Closes the contacts of a mode."""
        for body in self.by_solver.values():
            body.set_mode(self.feet[mode], self._tasks(self.feet[mode]))

    def tick(self, solver: str, q: Any, v: Any) -> float:
        """Time of one tick from the state to the torque [us]; writes the references of the state first."""
        body = self.by_solver[solver]
        body.update(q, v)
        self.motions[solver].advance(PERIOD_S)
        start = time.perf_counter_ns()
        body.update(q, v)
        body.assemble()
        body.solve()
        return (time.perf_counter_ns() - start) / 1e3


def run_against(robot_name: str, ticks: int) -> list[Comparison]:
    """Times both solvers and TSID in turn, in both modes, back to back and paced at 1 kHz.

    Args:
        robot_name: a biped with flat soles, name or folder.
        ticks: in each mode and pace.

    Raises:
        ValueError: for a robot that does not stand on two flat soles.
    """
    robot = RobotModel.load(robot_name)
    if not robot.floating or len(robot.contacts) != 2:
        raise ValueError(f"'{robot.name}' does not stand on two feet; compare a biped with TSID")
    gains = load_gains(robot)
    core = min(os.sched_getaffinity(0))
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})  # the peer inherits it
    bodies = _Bodies(robot, gains)
    peer = Peer(describe(robot, gains, bodies.by_solver["exact"]), robot.na)
    try:
        return [
            comparison
            for mode in bodies.feet
            for paced in (False, True)
            for comparison in _compare(robot, bodies, peer, mode, paced, ticks)
        ]
    finally:
        peer.close()
        os.sched_setaffinity(0, before)


def _compare(
    robot: RobotModel, bodies: _Bodies, peer: Peer, mode: str, paced: bool, ticks: int
) -> list[Comparison]:
    bodies.stand_on(mode)
    closed = [float(name in bodies.feet[mode]) for name in robot.contact_names]
    q, v = robot.q_nominal.copy(), np.zeros(robot.nv)
    exact = bodies.by_solver["exact"]
    here = {solver: np.zeros(ticks) for solver in SOLVERS}
    off = {solver: np.zeros(ticks) for solver in SOLVERS}
    there = np.zeros(ticks)
    R = bodies.motions["exact"].R_des
    for k in range(ticks):
        turn = k % 3  # whoever comes first finds the caches as the others left them
        for step in range(3):
            if (turn + step) % 3 == 2:
                there[k], tau = peer.tick(closed, q, v, exact.reference("com"), R)
            else:
                solver = SOLVERS[(turn + step) % 3]
                here[solver][k] = bodies.tick(solver, q, v)
            if paced:
                time.sleep(PERIOD_S / 3)
        for solver, body in bodies.by_solver.items():
            off[solver][k] = np.abs(body.solution.tau - tau).max()
        if mode == "both feet":  # on one foot the states stay: nothing says how it would balance
            v += exact.solution.vdot * PERIOD_S
            q[:] = pin.integrate(robot.pin_model, q, v * PERIOD_S)
    return [
        Comparison(
            solver,
            mode,
            paced,
            ticks,
            float(np.median(here[solver])),
            float(np.median(there)),
            float(np.median(here[solver] / there)),
            float(np.median(off[solver])),
        )
        for solver in SOLVERS
    ]


def comparison_table(comparisons: list[Comparison]) -> Table:
    """One line for each solver, mode and pace."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2))
    for name in ("solver", "contacts", "pace"):
        table.add_column(name)
    for name in ("here µs", "TSID µs", "ratio", "torque differs Nm"):
        table.add_column(name, justify="right")
    for c in comparisons:
        figures = (f"{c.here_us:.1f}", f"{c.tsid_us:.1f}", f"{c.ratio:.3f}", f"{c.difference_Nm:.2g}")
        table.add_row(c.solver, c.mode, "1 kHz" if c.paced else "back to back", *figures)
    return table


def as_json(comparisons: list[Comparison]) -> dict[str, Any]:
    """The comparisons as plain objects for JSON."""
    return {"against_tsid": [asdict(comparison) for comparison in comparisons]}
