"""OSQP, set as it is in here, on quadratic programs that others publish from their robots.

The programs are not part of the project: LIP walking of HRP-4, balancing of Upkie, predictive control of
Solo-12.
"""

import json

import numpy as np
import osqp
import pytest
import scipy.sparse as sp
from bodies import REFERENCE_DATA

from kilohertz.controller.qp.osqp_backend import OsqpSettings

FOLDER = REFERENCE_DATA / "qp"
NAMES = sorted(json.loads((FOLDER / "index.json").read_text())) if FOLDER.exists() else []

pytestmark = pytest.mark.skipif(not NAMES, reason=f"published programs are not here: {FOLDER}")
each = pytest.mark.parametrize("name", NAMES or ["none"])


def load(name):
    """P, q, rows with their bounds, how many of them are equalities, bounds on x, and the reference."""
    data = np.load(FOLDER / f"{name}.npz")
    A, b = (data["A"], data["b"]) if "A" in data else (np.zeros((0, len(data["q"]))), np.zeros(0))
    rows = np.vstack([A, data["G"]])
    lower, upper = np.r_[b, np.full(len(data["h"]), -1e30)], np.r_[b, data["h"]]
    far = np.full(len(data["q"]), 1e30)
    box = data.get("lb", -far), data.get("ub", far)
    return data["P"], data["q"], rows, lower, upper, len(b), box, float(data["obj_ref"])


@each
def test_what_osqp_calls_solved_is_solved(name):
    """Its settings are made for whole-body problems: elsewhere it may run out of iterations; it says so."""
    P, q, rows, lower, upper, _, box, objective = load(name)
    settings, solver = OsqpSettings(), osqp.OSQP()
    rows = np.vstack([rows, np.eye(len(q))])
    solver.setup(
        sp.csc_matrix(np.triu(P)),
        q,
        sp.csc_matrix(rows),
        np.clip(np.r_[lower, box[0]], -1e30, 1e30),
        np.clip(np.r_[upper, box[1]], -1e30, 1e30),
        verbose=False,
        polishing=False,
        adaptive_rho=0,
        scaling=0,
        rho=settings.rho,
        eps_abs=settings.eps_abs,
        eps_rel=settings.eps_rel,
        max_iter=2000,
        check_termination=settings.check_termination,
    )
    answer = solver.solve(raise_error=False)
    if answer.info.status_val == osqp.SolverStatus.OSQP_SOLVED:
        value = 0.5 * answer.x @ P @ answer.x + q @ answer.x
        assert value == pytest.approx(objective, rel=1e-5, abs=1e-5)
    else:
        assert answer.info.iter == 2000
