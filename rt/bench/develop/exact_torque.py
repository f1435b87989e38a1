"""Distance of a solved tick from its optimum, which a second exact solver (DAQP) computes."""

from __future__ import annotations

import numpy as np

from kilohertz.controller.whole_body.whole_body import WholeBody


def torque_error_Nm(body: WholeBody) -> float:
    """Largest difference of a joint torque from the optimum [Nm]; NaN where DAQP finds no solution.

    DAQP solves the problem with all limits. The solution of the tick, from which the next one is
    warm-started, is restored.
    """
    kept = [array.copy() for array in body.solution]
    tau = body.solution.tau.copy()
    body.daqp.assemble((), ())
    solved = body.daqp.solve()
    error = float(np.abs(body.solution.tau - tau).max()) if solved else np.nan
    for array, old in zip(body.solution, kept, strict=True):
        array[:] = old
    return error
