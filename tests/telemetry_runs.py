"""Rows, hello messages and endpoints for the tests of telemetry and of what shows it."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from toy_log import toy_header

from kilohertz.controller.supervision.request import behaviour_id
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.log.row import BEHAVIOUR_STATES, STAMPS, row_type
from kilohertz.rt.loop.trace import STATES
from kilohertz.rt.telemetry.hello import hello_of

RATE_HZ = 200.0


@functools.cache
def robot(name: str) -> RobotModel:
    return RobotModel.load(name)


@functools.cache
def hello_for(name: str) -> dict[str, Any]:
    model = robot(name)
    header = toy_header(
        robot=name,
        robot_name=model.name,
        joint_names=list(model.joint_names),
        contact_names=list(model.contact_names),
        hand_names=list(model.hand_names),
        torque_limit_Nm=model.torque_limit_Nm.tolist(),
    )
    return hello_of(header, model, Path("gains.yaml"), RATE_HZ, f"ipc:///run/{name}-control")


def rows_for(name: str, n: int) -> NDArray[Any]:
    """Rows of a robot in its nominal posture that walks, with made-up forces and torques."""
    model = robot(name)
    rng = np.random.default_rng(1)
    rows = np.zeros(n, row_type(model, live=False))
    rows["tick"] = np.arange(n)
    rows["state"] = STATES.index("active")
    rows["behaviour"], rows["behaviour_state"] = behaviour_id("walk"), BEHAVIOUR_STATES.index("running")
    rows["qp_iterations"] = 9
    rows["estimate"]["q"] = model.q_nominal
    rows["estimate"]["v"] = rng.normal(0.0, 0.1, (n, model.nv))
    rows["sensors"]["tau"] = rng.normal(0.0, 5.0, (n, model.na))
    rows["command"]["tau_ff"] = rng.normal(0.0, 5.0, (n, model.na))
    if model.contacts:
        rows["estimate"]["contact"] = [1.0, 0.0]
        rows["balance"]["w_F"] = rng.normal(0.0, 100.0, (n, 12))
    rows["balance"]["p_WC"] = [0.0, 0.0, 0.7]
    rows["balance"]["p_WC_des"] = [0.01, 0.0, 0.7]
    if model.hands:
        rows["hands"]["hand_active"][:, -1] = 1.0
        rows["hands"]["p_WH_des"] = rng.normal(0.0, 0.3, (n, 3 * len(model.hands)))
    start_ns = 10_000_000 + 1_000_000 * np.arange(n)
    for i, stamp in enumerate(STAMPS):
        rows["stamps_ns"][stamp] = start_ns + 10_000 * (i + 1)
    rows["stamps_ns"]["due"], rows["stamps_ns"]["start"] = start_ns - 5_000, start_ns
    rows["stamps_ns"]["read"] = start_ns + 1_000
    return rows
