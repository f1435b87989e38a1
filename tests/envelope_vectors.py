"""Writes robots/envelope_vectors.json, the test vectors of the envelope for drivers in other languages.

    python tests/envelope_vectors.py

The robot of the vectors is that of the example of a driver in C, with two joints. Each case begins with a new
envelope; each row is one period.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

import kilohertz.robots
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import CommandRow
from kilohertz.robots.wire.envelope import DAMPING_MARGIN_RAD, Envelope, EnvelopeNumbers, envelope_numbers

FILE = Path(kilohertz.robots.__file__).with_name("envelope_vectors.json")
ROBOT = Path(__file__).parent / "drivers" / "two_joints"


def numbers_from(content):
    """Returns the numbers from JSON."""
    arrays = {}
    for name, value in content.items():
        if name == "leg":
            arrays[name] = np.array(value, dtype=bool)
        elif name not in ("joints", "period_s"):
            infinite = -np.inf if name == "low_rad" else np.inf
            arrays[name] = np.array([infinite if x is None else x for x in value], dtype=float)
    return EnvelopeNumbers(joints=tuple(content["joints"]), period_s=content["period_s"], **arrays)


def replay(numbers, periods):
    """Runs the periods of a case; returns the torque of each [Nm], and why the envelope was left."""
    envelope, command, torques = Envelope(numbers), CommandRow(len(numbers.joints)), []
    for period in periods:
        command.kp[:], command.kd[:] = period["kp"], period["kd"]
        command.q_des[:], command.v_des[:] = period["q_des"], period["v_des"]
        q, v = np.array(period["q"]), np.array(period["v"])
        tau = np.array(period["tau_ff"]) + command.kp * (command.q_des - q) + command.kd * (command.v_des - v)
        followed = command if period["mode"] == "active" else None
        margin_rad = DAMPING_MARGIN_RAD if period["mode"] == "damping" else 0.0
        if followed is None or envelope.admit(command):
            envelope.limit(tau, q, v, followed, margin_rad)
            torques.append(tau.tolist())
        else:
            torques.append(None)
    return torques, envelope.reason


def row(q, v, tau_ff=(0.0, 0.0), kp=0.0, kd=0.0, q_des=0.0, v_des=0.0, mode="active"):
    both = {"kp": kp, "kd": kd, "q_des": q_des, "v_des": v_des}
    return {
        "mode": mode,
        "q": [float(x) for x in q],
        "v": [float(x) for x in v],
        "tau_ff": [float(x) for x in tau_ff],
    } | {key: [float(x) for x in np.broadcast_to(value, 2)] for key, value in both.items()}


def cases():
    """Periods of each case, by its name."""
    still = (0.0, 0.0)
    rng = np.random.default_rng(0)
    honest = np.cumsum(rng.uniform(-2.0, 2.0, (30, 2)), axis=0)
    return {
        "honest torques are not changed": [row(still, still, tau) for tau in honest],
        "the rate of a torque is limited": [row(still, still, (35.0, -35.0)) for _ in range(12)],
        "torque is limited": [row(still, still, (min(2.0 * 5 * t, 90.0), 0.0)) for t in range(14)],
        "a torque that flips is left": [row(still, still, (50.0 * (-1) ** t, 0.0)) for t in range(10)],
        "no driving torque at the speed limit": [
            row(still, (0.5 * t, -0.5 * t), (20.0, -20.0)) for t in range(24)
        ],
        "braking before the stop": [row((2.0 + 5e-3 * t, 0.0), (5.0, 0.0), (20.0, 0.0)) for t in range(200)],
        "turned back beyond the stop": [
            row((2.99 + 1e-3 * t, 0.0), (0.1, 0.0), (10.0, 0.0)) for t in range(25)
        ],
        "a spring and a damper": [
            row((0.01 * t, 0.0), (10.0, 0.0), kp=100.0, kd=5.0, q_des=0.2) for t in range(20)
        ],
        "kp too high": [row(still, still, kp=(0.0, 1001.0))],
        "kd too high": [row(still, still, kd=(1e4, 0.0))],
        "driven on beyond the range": [row((3.02, 0.0), still, (5.0, 0.0)) for _ in range(20)],
        "damping": [row((2.97, 0.0), (5.0 - t, -3.0), kd=2.0, mode="damping") for t in range(8)],
    }


def content():
    """Returns the content of the file."""
    numbers = envelope_numbers(RobotModel.load(ROBOT))
    written = []
    for name, periods in cases().items():
        torques, reason = replay(numbers, periods)
        rows = [period | {"torque": torque} for period, torque in zip(periods, torques, strict=True)]
        written.append({"name": name, "periods": rows, "reason": reason})
    return {"numbers": numbers.content(), "damping_margin_rad": DAMPING_MARGIN_RAD, "cases": written}


if __name__ == "__main__":
    lines = json.dumps(content(), indent=None, separators=(", ", ": "))
    FILE.write_text(
        lines.replace('{"mode"', '\n  {"mode"').replace('{"name"', '\n {"name"') + "\n", encoding="utf-8"
    )
