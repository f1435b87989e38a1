"""Stages of the compiled part of the tick, and how a stage is called."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kilohertz.robots.model.kin import Floats, Ints

KINEMATICS, ROWS, OSQP_ASSEMBLY, OSQP_FINISH, DUAL_SOLVE, DAQP_ASSEMBLY, DAQP_FINISH = range(7)
"""Stages: one entry point, so what they share is compiled once; the last two, seldom needed, in another."""
NOTHING = np.zeros(0)
"""For the vectors that a stage does not take; KINEMATICS takes q, v, the FINISH stages the solver's x, y."""

Run = Callable[[int, Ints, Floats, Floats], int]
"""(stage, table of all arrays, x, y) -> a count or a status."""
