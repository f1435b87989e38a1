"""Worst ticks and single ticks by what was recorded alone, for a log that lacks the beginning of its run.

The controller cannot be run again over such a log. Residuals, tasks, rows of the problem and active
constraints of a tick are therefore not known.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kilohertz.controller.safety.ladder import RUNGS
from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.rows import Vector
from kilohertz.rt.log.durations import TICK, stage_durations_ns
from kilohertz.rt.log.file import LogReader, read_rows
from kilohertz.rt.log.header import LogHeader
from kilohertz.rt.log.row import BEHAVIOUR_STATES
from kilohertz.rt.log.schema import WARM_UP
from kilohertz.rt.loop.trace import STATES

APART_TICKS = 20
"""Least distance between two ticks of the list: neighbours have the same cause [ticks]."""
MANY_ITERATIONS = 50.0
"""Number of iterations of the solver that counts as much as a tick that takes the whole period."""


def badness(rows: Any, header: LogHeader) -> dict[str, Vector]:
    """Returns how bad every tick is by each measure that is recorded, (n,) each: 1 where nothing is left.

    Args:
        rows: (n,) rows of the log.
        header: header of the log.
    """
    duration_ns, _ = stage_durations_ns(rows["stamps_ns"])[TICK]
    controlled = rows["state"] != STATES.index("damping")
    measures = {
        "time": duration_ns / header.period_ns,
        "ladder": 1.0 * rows["rung"],
        "iterations": rows["qp_iterations"] / MANY_ITERATIONS,
        "torque": (np.abs(rows["command"]["tau_ff"]) / np.asarray(header.torque_limit_Nm)).max(axis=1),
    }
    return {name: np.where(controlled, np.nan_to_num(values), 0.0) for name, values in measures.items()}


def worst_recorded(reader: LogReader, most: int, by: str | None = None) -> list[dict[str, Any]]:
    """Returns the worst ticks, the worst first, as `kilohertz.rt.why.worst.worst_ticks` does.

    Args:
        reader: reader of the log, at its beginning.
        most: largest number of ticks.
        by: the measure to sort by; None for the largest of all, of which each measure leads in turn.

    Raises:
        ValueError: there is no such measure.
    """
    header = reader.header
    rows = read_rows(reader)
    rows = rows[rows["tick"] != WARM_UP]
    measures = badness(rows, header)
    if by is not None and by not in measures:
        raise ValueError(f"'{by}' is not one of {', '.join(measures)}")
    left = {name: values.copy() for name, values in measures.items() if by in (None, name)}
    out: list[dict[str, Any]] = []
    while len(out) < most and left:
        for name in list(left):
            k = int(np.argmax(left[name])) if len(rows) else 0
            if not len(rows) or left[name][k] <= 0.0:
                del left[name]
                continue
            near = np.abs(rows["tick"] - rows["tick"][k]) <= APART_TICKS
            for values in left.values():
                values[near] = 0.0
            out.append(_entry(rows[k], header, name, {each: float(v[k]) for each, v in measures.items()}))
            if len(out) == most:
                break
    return out


def _entry(row: Any, header: LogHeader, by: str, bad: dict[str, float]) -> dict[str, Any]:
    tick = int(row["tick"])
    return {
        "tick": tick,
        "t_s": tick * header.period_ns * 1e-9,
        "worst_of": by,
        "badness": bad[by],
        "tick_us": bad["time"] * header.period_ns * 1e-3,
        "rung": RUNGS[int(row["rung"])],
        "iterations": int(row["qp_iterations"]),
        "residual_N": None,
        "cone_violation_N": None,
        "contact_motion_m_s2": None,
        "margins": [f"torque {bad['torque']:.0%}", f"time of the tick {bad['time']:.0%}"],
    }


def recorded_tick(reader: LogReader, tick: int) -> dict[str, Any]:
    """Describes a tick by what was recorded, with the keys of `kilohertz.rt.why.tick.description`.

    Args:
        reader: reader of the log, at its beginning.
        tick: number of the tick.

    Raises:
        ConfigError: the log does not have this tick.
    """
    for block in reader.blocks():
        found = block[block["tick"] == tick]
        if len(found) and tick != WARM_UP:
            return _description(found[0], reader.header)
    raise ConfigError(
        f"{reader.path} has no tick {tick}: all are kept from tick {reader.header.first_tick} on, and the "
        "worst ones before"
    )


def _description(row: Any, header: LogHeader) -> dict[str, Any]:
    sensors, command, estimate = row["sensors"], row["command"], row["estimate"]
    n = len(header.contact_names)
    balance = {name: row["balance"][name].tolist() for name in ("p_WC", "v_WC", "p_WC_des", "v_WC_des")}
    wrench = row["balance"]["w_F"].reshape(n, -1) if n else np.empty((0, 6))
    return {
        "tick": int(row["tick"]),
        "t_s": float(sensors["t_s"][0]),
        "recorded_only": True,
        "state": STATES[int(row["state"])],
        "behaviour": f"behaviour {int(row['behaviour'])}",
        "behaviour_state": BEHAVIOUR_STATES[int(row["behaviour_state"])],
        "rung": RUNGS[int(row["rung"])],
        "iterations": int(row["qp_iterations"]),
        "gains_generation": int(row["gains_generation"]),
        "estimate": {"q": estimate["q"].tolist(), "v": estimate["v"].tolist()},
        "contacts": {
            name: {
                "closed": bool(estimate["contact"][c]),
                "planned": bool(wrench[c].any()),
                "normal_force_N": None,
                "wrench_in_solution": wrench[c].tolist(),
            }
            for c, name in enumerate(header.contact_names)
        },
        "balance": balance,
        "joints": {
            name: {
                "q_rad": float(sensors["q"][j]),
                "v_rad_s": float(sensors["v"][j]),
                "tau_measured_Nm": float(sensors["tau"][j]),
                "tau_command_Nm": float(command["tau_ff"][j]),
                "limit_Nm": float(header.torque_limit_Nm[j]),
                "q_des_rad": float(command["q_des"][j]),
                "kp_Nm_rad": float(command["kp"][j]),
                "kd_Nms_rad": float(command["kd"][j]),
            }
            for j, name in enumerate(header.joint_names)
        },
    }
