"""Distance of a solved tick from its optimum, which the exact solver computes from no starting set."""

from __future__ import annotations

import numpy as np

from kilohertz.controller.whole_body.whole_body import WholeBody


def torque_error_Nm(body: WholeBody) -> float:
    """Largest difference of a joint torque from the optimum [Nm]; NaN where the problem has no solution.

    The exact solver solves the problem again, without the limits of the last tick as its start. The solution
    of the tick, from which the next one is warm-started, is restored.
    """
    kept = [array.copy() for array in body.solution]
    tau = body.solution.tau.copy()
    for y in (body.solution.y_cone, body.solution.y_tau, body.solution.y_vdot):
        y[:] = 0.0
    solved = body.exact.solve()
    error = float(np.abs(body.solution.tau - tau).max()) if solved else np.nan
    for array, old in zip(body.solution, kept, strict=True):
        array[:] = old
    return error
