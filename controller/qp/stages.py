"""Stages of the compiled part of the tick, and the signature by which a stage is called."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kilohertz.robots.model.kin import Floats, Ints

KINEMATICS, ROWS, OSQP_ASSEMBLY, OSQP_FINISH, DUAL_SOLVE, DAQP_ASSEMBLY, DAQP_FINISH = range(7)
"""Stages of the tick. They have one entry point, so that shared code is compiled once; the two DAQP stages
are seldom needed and have a second one."""
NOTHING = np.zeros(0)
"""Argument for vectors that a stage does not use. KINEMATICS takes q and v; the FINISH stages take the
solver's x and y."""

Run = Callable[[int, Ints, Floats, Floats], int]
"""Type of a compiled entry point: (stage, table of all arrays, x, y) -> a count or a status."""
