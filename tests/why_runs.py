"""Provides margins of calm runs, into which tests put a fault, and the log of a pushed run."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import numpy as np
from broken_runs import Broken, record

from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.log.header import LogHeader
from kilohertz.rt.log.row import row_type
from kilohertz.rt.loop.trace import STATES
from kilohertz.rt.why.margins import Doubts, Margins

PERIOD_NS = 1_000_000
GRAVITY = np.array([0.0, 0.0, GRAVITY_M_S2])


@functools.cache
def g1() -> RobotModel:
    return RobotModel.load("g1")


def header(robot: RobotModel) -> LogHeader:
    return LogHeader(
        robot=robot.name,
        robot_name=robot.name,
        joint_names=list(robot.joint_names),
        contact_names=list(robot.contact_names),
        hand_names=list(robot.hand_names),
        torque_limit_Nm=robot.torque_limit_Nm.tolist(),
        scenario={"name": "invented"},
        seed=0,
        pace="lockstep",
        gains={},
        live=False,
        requests=[],
        version="0",
        libraries={},
        config_sha256="",
        model_sha256="",
        machine={},
        started_ns=0,
        clock_ns=0,
        period_ns=PERIOD_NS,
    )


def calm(n: int = 1500, seed: int = 0) -> Margins:
    """Margins of a G1 that stands still on both feet, with sensor noise."""
    robot, rng = g1(), np.random.default_rng(seed)
    na, nc = robot.na, len(robot.contacts)
    rows = np.zeros(n, row_type(robot, live=False))
    rows["tick"] = np.arange(n)
    rows["state"] = STATES.index("active")
    sensors = rows["sensors"]
    sensors["t_s"][:, 0] = np.arange(n) * 1e-3
    sensors["q"] = robot.q_nominal[robot.nq_base :] + 1e-4 * rng.normal(size=(n, na))
    sensors["v"] = 0.02 * rng.normal(size=(n, na))
    sensors["gyro"] = 0.01 * rng.normal(size=(n, 3))
    sensors["accel"] = GRAVITY + 0.1 * rng.normal(size=(n, 3))
    # Torques of a slow sway, so that the delay of the drives shows.
    wave = 0.1 * robot.torque_limit_Nm * np.sin(8.0 * rows["tick"][:, None] * 1e-3 + np.arange(na))
    rows["command"]["tau_ff"] = wave + 1e-3 * rng.normal(size=(n, na))
    sensors["tau"] = wave
    rows["estimate"]["q"] = robot.q_nominal
    rows["estimate"]["contact"] = 1.0
    rows["balance"]["p_WC"] = [0.0, 0.0, 0.66]
    rows["balance"]["w_F"] = 0.0
    wrench = np.zeros((n, nc, 6))
    wrench[:, :, 2] = robot.mass_kg * GRAVITY_M_S2 / nc
    place = np.zeros((n, nc, 3))
    place[:, :, 1] = np.linspace(0.1, -0.1, nc)
    return Margins(
        header=header(robot),
        robot=robot,
        rows=rows,
        rest=rows["sensors"][0],
        events=[],
        summary=None,
        reasons=[],
        same=True,
        planned=np.ones((n, nc), dtype=bool),
        p_WF=place,
        R_WF=np.broadcast_to(np.eye(3), (n, nc, 3, 3)).copy(),
        vel_F=np.zeros((n, nc, 6)),
        leg_wrench_F=wrench,
        active_torque=np.zeros((n, na), dtype=bool),
        active_range=np.zeros((n, na), dtype=bool),
        cone_use=np.full((n, nc), 0.7),
        residual=np.zeros((n, 7)),
        doubts=Doubts(*np.zeros((len(Doubts._fields), n))),
        surprise=np.zeros((n, nc)),
        gyro_bias=np.zeros((n, 3)),
        accel_bias=np.zeros((n, 3)),
    )


@functools.cache
def pushed_log() -> tuple[Path, tempfile.TemporaryDirectory[str]]:
    """Log of a standing G1 that falls after a push of 60 Ns at 0.5 s; its folder lives on."""
    folder = tempfile.TemporaryDirectory(prefix="khz-why-")
    push = {"link": "torso_link", "impulse_Ns": [60.0, 0.0, 0.0], "duration_s": 0.1}
    scenario = {
        "name": "pushed",
        "duration_s": 1.2,
        "commands": [{"at_s": 0.0, "stand": {}}],
        "events": [{"at_s": 0.5, "push": push}],
    }
    log, _ = record(Broken("push", 0, scenario, 0.5, "60 Ns ahead"), Path(folder.name))
    return log, folder
