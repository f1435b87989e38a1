"""The envelope in C gives the torques of the test vectors, and on other inputs those of the robot's side."""

from __future__ import annotations

import json
import re
import subprocess
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from c_compiler import c_compiler
from envelope_vectors import FILE, numbers_from

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import CommandRow
from kilohertz.robots.wire.envelope import DAMPING_MARGIN_RAD, Envelope, envelope_numbers

pytestmark = pytest.mark.host

HEADER = Path(str(files("kilohertz.robots") / "envelope.h"))
PROGRAM = Path(__file__).parent / "drivers" / "envelope_periods.c"
ROBOT = Path(__file__).parent / "drivers" / "two_joints"
ARRAYS = (
    "low_rad",
    "high_rad",
    "speed_rad_s",
    "torque_Nm",
    "kp_Nm_rad",
    "kd_Nms_rad",
    "inertia_kgm2",
    "stop_rad",
)
# In the order of `EnvelopeRule`: words of the sentences of the robot's side.
RULES = (
    "",
    "kp of",
    "kd of",
    "jumps by",
    "rad/s and is driven on",
    "rad and driven on",
    "legs are limp",
    "follow the command",
    "brake in time",
)


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    built = tmp_path_factory.mktemp("envelope") / "envelope_periods"
    words = [c_compiler(), "-O2", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off", f"-I{HEADER.parent}"]
    subprocess.run([*words, "-o", built, PROGRAM, "-lm"], check=True)
    return built


def in_c(program, numbers, periods):
    """Torques of each period; the rule by which the envelope was left, and the joint."""
    rows = [np.array([len(numbers.joints), numbers.period_s]), *(getattr(numbers, name) for name in ARRAYS)]
    rows.append(numbers.leg.astype(float))
    text = [" ".join(repr(float(x)) for x in row) for row in rows]
    text[0] = f"{len(numbers.joints)} {numbers.period_s!r}"
    for follows, margin, *arrays in periods:
        text.append(f"{int(follows)} {margin!r} " + " ".join(repr(float(x)) for x in np.concatenate(arrays)))
    ended = subprocess.run([program], input="\n".join(text), capture_output=True, text=True, check=True)
    lines = [line.split() for line in ended.stdout.splitlines()]
    assert len(lines) == len(periods)
    rule, joint = map(int, lines[-1][:2])
    return [[float(x) for x in line[2:]] for line in lines], rule, joint


@pytest.mark.parametrize("case", json.loads(FILE.read_text())["cases"], ids=lambda case: case["name"])
def test_the_vectors_are_reproduced(program, case):
    numbers = numbers_from(json.loads(FILE.read_text())["numbers"])
    periods = []
    for row in case["periods"]:
        kp, kd, q, v = (np.array(row[name]) for name in ("kp", "kd", "q", "v"))
        tau = np.array(row["tau_ff"]) + kp * (np.array(row["q_des"]) - q) + kd * (np.array(row["v_des"]) - v)
        margin = DAMPING_MARGIN_RAD if row["mode"] == "damping" else 0.0
        periods.append((row["mode"] == "active", margin, kp, kd, q, v, tau))
    torques, rule, joint = in_c(program, numbers, periods)
    for found, row in zip(torques, case["periods"], strict=True):
        assert found == pytest.approx(row["torque"] or [], abs=1e-9)
    assert RULES[rule] in case["reason"]
    assert (rule == 0) == (case["reason"] == "")
    assert rule == 0 or numbers.joints[joint] in case["reason"]


def mad_periods(numbers, rng, n):
    """A robot that is shaken, under a command that is honest at first, and then is not."""
    na = len(numbers.joints)
    low, high = np.maximum(numbers.low_rad, -3.0), np.minimum(numbers.high_rad, 3.0)
    q, v, tau = rng.uniform(low, high), np.zeros(na), np.zeros(na)
    kp, kd = 0.01 * numbers.kp_Nm_rad, 0.01 * numbers.kd_Nms_rad
    scale, limp = rng.choice([0.01, 0.2, 2.0]), rng.random() < 0.3
    for _ in range(n):
        v += rng.normal(0.0, 0.05, na) * numbers.speed_rad_s
        q = np.clip(q + numbers.period_s * v, low - 0.03, high + 0.03)
        tau = np.clip(
            tau + rng.normal(0.0, scale, na) * numbers.torque_Nm,
            -3 * numbers.torque_Nm,
            3 * numbers.torque_Nm,
        )
        if limp:
            tau, kd = np.zeros(na), np.zeros(na)
        yield (
            rng.random() < 0.97,
            float(rng.choice([0.0, DAMPING_MARGIN_RAD])),
            kp,
            kd,
            q.copy(),
            v.copy(),
            tau.copy(),
        )


@pytest.mark.parametrize("name", ["g1", "panda"])
def test_on_any_input_the_torques_are_those_of_the_robots_side(program, name):
    numbers = envelope_numbers(RobotModel.load(name))
    left = set()
    for seed in range(20):
        envelope, command = Envelope(numbers), CommandRow(len(numbers.joints))
        periods, torques = [], []
        for period in mad_periods(numbers, np.random.default_rng(seed), 200):
            # A robot whose envelope was left follows no command any more.
            follows, margin, _, kd, q, v, tau = period[0] and not envelope.reason, *period[1:]
            periods.append((follows, *period[1:]))
            command.kd[:] = kd
            limited = tau.copy()
            envelope.limit(limited, q, v, command if follows else None, margin)
            torques.append(limited)
        found, rule, joint = in_c(program, numbers, periods)
        np.testing.assert_allclose(found, torques, rtol=0, atol=1e-9)
        assert RULES[rule] in envelope.reason
        assert (rule == 0) == (envelope.reason == "")
        assert rule in (0, RULES.index("legs are limp")) or numbers.joints[joint] in envelope.reason
        left.add(rule)
    assert len(left) >= 3


def test_the_numbers_of_the_driver_are_those_of_its_robot():
    source = (HEADER.parent / "two_joints.c").read_text()
    numbers = envelope_numbers(RobotModel.load(ROBOT))
    for name in ARRAYS:
        written = re.search(rf"\.{name} = {{([^}}]*)}}", source).group(1)
        assert [float(x) for x in written.split(",")] == pytest.approx(getattr(numbers, name), rel=1e-12), (
            name
        )
