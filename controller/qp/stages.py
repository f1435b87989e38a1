"""Stages of the compiled part of the tick, and the signature by which a stage is called."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kilohertz.robots.model.kin import Floats, Ints

KINEMATICS, ROWS, OSQP_ASSEMBLY, OSQP_FINISH, DUAL_SOLVE = range(5)
"""Stages of the tick. They have one entry point, so that shared code is compiled once. ROWS writes the rows
of the tasks alone. DUAL_SOLVE returns the number of iterations, or minus the status of `solve_dual` if that
is not SOLVED; minus GAVE_UP for a solution outside the tolerances."""
CHANGED, ACCEPTED, LIMITS_HOLD = 1, 2, 4
"""Bits of the result of OSQP_FINISH: the set of active rows has changed; the solution is within the
tolerances of dynamics, contact motion and wrench cones; it is within those of the limits."""
CONTRADICTION, ANEW, CARRY_ON, EXPLANATION = range(4)
"""Stages for rows that contradict each other; they are seldom needed and have their own entry point. Three
solve the tick with rows that give: CONTRADICTION after a DUAL_SOLVE that met one, ANEW after a DUAL_SOLVE
that rounding stopped, CARRY_ON after ROWS if rows gave in the last tick. EXPLANATION looks for rows that
contradict each other."""
NOTHING = np.zeros(0)
"""Argument for vectors that a stage does not use. KINEMATICS takes q and v; OSQP_FINISH takes the
solver's x and y."""

Run = Callable[[int, Ints, Floats, Floats], int]
"""Type of a compiled entry point: (stage, table of all arrays, x, y) -> a count or a status."""
