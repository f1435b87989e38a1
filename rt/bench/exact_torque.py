"""The optimum of a tick that was just solved, from another exact solver."""

from __future__ import annotations

import numpy as np

from kilohertz.controller.whole_body.whole_body import WholeBody


def torque_error_Nm(body: WholeBody) -> float:
    """Largest difference of a joint's torque from DAQP's, whose limits are all in; NaN where it finds none.

    The solution, from which the next tick starts warm, is left as it was.
    """
    kept = [array.copy() for array in body.solution]
    tau = body.solution.tau.copy()
    body.daqp.assemble((), ())
    solved = body.daqp.solve()
    error = float(np.abs(body.solution.tau - tau).max()) if solved else np.nan
    for array, old in zip(body.solution, kept, strict=True):
        array[:] = old
    return error
