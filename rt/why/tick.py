"""One tick of a recorded run, run again: state, references, rows of the problem, active constraints."""

from __future__ import annotations

import pdb
from typing import Any

import numpy as np

from kilohertz.controller.problem.tables import COST_ROWS, ENABLED, HARD, MAX_CONE_ROWS
from kilohertz.controller.safety.ladder import RUNGS
from kilohertz.controller.whole_body.whole_body import WholeBody
from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.log.file import LogReader
from kilohertz.rt.log.schema import WARM_UP
from kilohertz.rt.run.replay import ReplayedBrain

RESIDUALS = ("base_N", "contact_motion_m_s2", "cone_N", "torque_Nm", "vdot_rad_s2", "finite", "inequality")
"""Names of the residuals, in the order of `kilohertz.controller.problem.tables.Solution.residual`."""


def tick_of(reader: LogReader, tick: int, robot: str | None = None, *, debug: bool = False) -> dict[str, Any]:
    """Runs a log again up to a tick, and describes this tick.

    Args:
        reader: reader of the log, at its beginning.
        tick: number of the tick.
        robot: name or folder of the robot, if its folder has been moved.
        debug: whether to stop in the debugger just before the tick; `step` enters the controller.

    Raises:
        ConfigError: the log has no such tick, or cannot be replayed.
    """
    replayed = ReplayedBrain(reader.header, reader.row, robot)
    last = WARM_UP
    assert reader.row.fields is not None
    at = reader.row.fields["command"][1] // 8
    for block in reader.blocks():
        for row, cells in zip(block, block.view(np.int64).reshape(len(block), -1), strict=True):
            last = int(row["tick"])
            if last == tick != WARM_UP:
                if debug:
                    pdb.set_trace()
                replayed.step(cells)
                command = replayed.command.view(np.int64)
                same = bool((command == cells[at : at + command.size]).all())
                return description(replayed, row, same=same)
            replayed.step(cells)
    raise ConfigError(f"{reader.path} has no tick {tick}: its last one is {last}")


def description(replayed: ReplayedBrain, row: Any, *, same: bool) -> dict[str, Any]:
    """Describes the tick that was just run.

    Args:
        replayed: the controller after the tick.
        row: the row of the log.
        same: whether the command came out as recorded.
    """
    robot, brain = replayed.robot, replayed.brain
    output, body = brain.output, brain.body
    command, sensors = output.command, row["sensors"]
    joints = {
        name: {
            "q_rad": float(sensors["q"][j]),
            "v_rad_s": float(sensors["v"][j]),
            "tau_measured_Nm": float(sensors["tau"][j]),
            "tau_command_Nm": float(command.tau_ff[j]),
            "limit_Nm": float(robot.torque_limit_Nm[j]),
            "q_des_rad": float(command.q_des[j]),
            "kp_Nm_rad": float(command.kp[j]),
            "kd_Nms_rad": float(command.kd[j]),
        }
        for j, name in enumerate(robot.joint_names)
    }
    return {
        "tick": int(row["tick"]),
        "t_s": float(sensors["t_s"][0]),
        "command_as_recorded": same,
        "state": output.state,
        "reason": output.reason or None,
        "remark": output.remark or None,
        "behaviour": output.behaviour,
        "behaviour_state": output.behaviour_state,
        "rung": RUNGS[output.rung],
        "iterations": output.qp_iterations,
        "gains_generation": int(row["gains_generation"]),
        "estimate": {"q": brain.estimator.q.tolist(), "v": brain.estimator.v.tolist()},
        "contacts": _contacts(replayed),
        "balance": {
            name: getattr(output, name).tolist() for name in ("p_WC", "v_WC", "p_WC_des", "v_WC_des")
        },
        "joints": joints,
        "tasks": _tasks(body),
        "rows": _rows(body),
        "active_constraints": active_constraints(body),
        "residuals": dict(zip(RESIDUALS, body.solution.residual.tolist(), strict=True)),
    }


def _contacts(replayed: ReplayedBrain) -> dict[str, Any]:
    brain, robot = replayed.brain, replayed.robot
    force = getattr(brain.estimator, "normal_force_N", None)
    return {
        name: {
            "closed": bool(brain.estimator.contact[c]),
            "planned": bool(brain.motion.planned[c]),
            "normal_force_N": None if force is None else float(force[c]),
            "wrench_in_solution": brain.output.w_F[c].tolist(),
        }
        for c, name in enumerate(robot.contact_names)
    }


def _tasks(body: WholeBody) -> dict[str, Any]:
    tasks, out = body.arrays.tasks, {}
    for name, index in body.task_index.items():
        if not tasks.table[index, ENABLED]:
            continue
        out[name] = {
            "inequality": bool(tasks.table[index, HARD]),
            "reference": body.reference(name).tolist(),
            "gains": body.gain(name).tolist(),
            "weights": tasks.weight[index].tolist(),
        }
    return out


def _rows(body: WholeBody) -> list[dict[str, Any]]:
    """Returns the cost rows: task, right-hand side, weight, and what the solution makes of it."""
    rows, names = body.arrays.rows, {index: name for name, index in body.task_index.items()}
    vdot, out = body.solution.vdot, []
    for i in range(int(rows.size[COST_ROWS])):
        reached = float(rows.T[i, : len(vdot)] @ vdot) if rows.space[i] == 0 else None
        out.append(
            {
                "task": names.get(int(rows.task[i]), str(int(rows.task[i]))),
                "wanted": float(rows.b[i]),
                "weight": float(rows.w[i]),
                "reached": reached,
            }
        )
    return out


def active_constraints(body: WholeBody) -> list[dict[str, Any]]:
    """Returns the constraints that are active in the last solution, with their multipliers."""
    solution, robot, out = body.solution, body.robot, []
    for c, name in enumerate(robot.contact_names):
        n = int(body.arrays.contacts.n_rows[c])
        for r in np.flatnonzero(solution.y_cone[c, : min(n, MAX_CONE_ROWS)]).tolist():
            kind = "load" if r == n - 1 else f"cone[{r}]"
            out.append({"name": f"{name}.{kind}", "multiplier": float(solution.y_cone[c, r])})
    for block, values in (("torque_limit", solution.y_tau), ("barrier", solution.y_vdot)):
        for j in np.flatnonzero(values).tolist():
            out.append({"name": f"{robot.joint_names[j]}.{block}", "multiplier": float(values[j])})
    for i, each in enumerate(body.inequalities):
        for r in np.flatnonzero(solution.y_inequality[i]).tolist():
            out.append({"name": f"{each.name}[{r}]", "multiplier": float(solution.y_inequality[i, r])})
    return sorted(out, key=lambda entry: -abs(float(entry["multiplier"])))
