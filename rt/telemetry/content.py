"""Content of the telemetry messages, as plain objects for MessagePack; `rt/TELEMETRY.md` documents them.

This module is loaded by the telemetry process, and therefore imports no model and no controller.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.rt.log.durations import TICK, stage_durations_ns

VERSION = 1
HELLO, STATE = "hello", "state"
UNITS = {
    "t_s": "s",
    "tick": "",
    "stamp_ns": "ns",
    "ticks": "",
    "dropped": "",
    "state": "",
    "behaviour": "",
    "behaviour_state": "",
    "request": "",
    "gains_generation": "",
    "rung": "",
    "q": "rad, base: m and unit quaternion (x, y, z, w)",
    "v": "rad/s, base: m/s and rad/s in base axes",
    "contact": "",
    "tau": "Nm",
    "tau_ff": "Nm",
    "tau_share": "",
    "tau_share_max": "",
    "contact_force_N": "N",
    "p_WC": "m",
    "v_WC": "m/s",
    "p_WC_des": "m",
    "v_WC_des": "m/s",
    "p_WS": "m",
    "zmp_des": "m",
    "p_WD": "m",
    "p_WD_des": "m",
    "w_F": "N, Nm",
    "p_WH_des": "m",
    "hand_active": "",
    "footsteps": "index of the contact, m, m, m, rad",
    "payload_kg": "kg",
    "stage_us": "us",
    "wake_us": "us",
    "tick_us": "us",
    "qp_iterations": "",
    "qp_iterations_max": "",
}
"""Unit of each field of a state message."""
_LEAST_HEIGHT_M = 0.02
_GROUPS = (
    ("estimate", ("q", "v", "contact")),
    ("sensors", ("tau", "contact_force_N")),
    ("command", ("tau_ff",)),
    ("balance", ("p_WC", "v_WC", "p_WC_des", "v_WC_des", "p_WS", "zmp_des", "w_F")),
    ("hands", ("p_WH_des", "hand_active")),
    ("steps", ("footsteps",)),
)
_COUNTS = ("request", "gains_generation", "rung", "qp_iterations")
_FLAGS = ("contact", "hand_active")


def divergent_component(p_WC: Any, v_WC: Any, p_WS: Any) -> list[float]:
    """Returns the divergent component of motion (DCM) on the ground, in units of the arguments.

    Args:
        p_WC: (3,) position of the centre of mass [m].
        v_WC: (3,) velocity of the centre of mass [m/s].
        p_WS: (3,) middle of the soles, whose height is that of the ground [m].

    Returns:
        (2,) p_WC + v_WC sqrt(h / g), with the height h of the centre of mass above the soles; NaN if that is
        not positive or not known.

    Source: Englsberger et al., "Three-dimensional bipedal walking control based on DCM", T-RO 2015, eq. 2.
    """
    height_m = float(p_WC[2] - p_WS[2])
    if not height_m > _LEAST_HEIGHT_M:
        return [math.nan, math.nan]
    time_s = math.sqrt(height_m / GRAVITY_M_S2)
    return [float(p_WC[0] + v_WC[0] * time_s), float(p_WC[1] + v_WC[1] * time_s)]


def state_message(rows: NDArray[Any], hello: Mapping[str, Any], dropped: int) -> dict[str, Any]:
    """Returns the state message of the newest row, with the worst figures of all rows since the last message.

    Args:
        rows: (n,) log rows since the last message, n >= 1, of type `kilohertz.rt.log.row.row_type`.
        hello: the hello message.
        dropped: number of rows since the last message that were lost.

    Returns:
        The fields of `UNITS`; a field that the robot does not have, such as `w_F` of an arm, is left out.
    """
    row, limit_Nm = rows[-1], np.array(hello["torque_limit_Nm"])
    shares = np.abs(rows["command"]["tau_ff"]) / limit_Nm
    message: dict[str, Any] = {
        "t_s": int(row["tick"]) * hello["period_ns"] * 1e-9,
        "tick": int(row["tick"]),
        "stamp_ns": int(row["stamps_ns"]["start"]),
        "ticks": len(rows),
        "dropped": dropped,
        "state": _name(hello["states"], int(row["state"])),
        "behaviour": hello["behaviours"].get(str(int(row["behaviour"])), ""),
        "behaviour_state": _name(hello["behaviour_states"], int(row["behaviour_state"])),
        "payload_kg": float(row["payload_kg"]),
        **{name: int(row[name]) for name in _COUNTS},
        **dict(_vectors(row)),
        "tau_share": shares[-1].tolist(),
        "tau_share_max": shares.max(axis=0).tolist(),
        "qp_iterations_max": int(rows["qp_iterations"].max()),
        **_timing(rows),
    }
    if "p_WC" in message:
        ground = message["p_WS"]
        message["p_WD"] = divergent_component(message["p_WC"], message["v_WC"], ground)
        message["p_WD_des"] = divergent_component(message["p_WC_des"], message["v_WC_des"], ground)
    return message


def _vectors(row: Any) -> Iterator[tuple[str, list[Any]]]:
    for group, names in _GROUPS:
        if group not in (row.dtype.names or ()):
            continue
        for name in names:
            if name in (row[group].dtype.names or ()):
                values = row[group][name]
                yield name, (values > 0.5 if name in _FLAGS else values).tolist()


def _timing(rows: NDArray[Any]) -> dict[str, Any]:
    durations = stage_durations_ns(rows["stamps_ns"])
    stages = {
        name: round(int(duration[-1]) * 1e-3, 3) if ran[-1] else math.nan
        for name, (duration, ran) in durations.items()
        if name != TICK
    }
    wake_ns = rows["stamps_ns"]["start"] - rows["stamps_ns"]["due"]
    return {
        "stage_us": stages,
        "wake_us": np.round(wake_ns * 1e-3, 3).tolist(),
        "tick_us": np.round(durations[TICK][0] * 1e-3, 3).tolist(),
    }


def _name(names: list[str], number: int) -> str:
    return names[number] if 0 <= number < len(names) else ""
