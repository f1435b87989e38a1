"""Ranks of the rows of the whole-body problem: which rows give, and in which order, if rows contradict.

If no acceleration and no wrenches satisfy all rows, some rows must be violated. Every block of rows has a
name, a rank and a weight. Rows of rank `comfort` give first. Rows of rank `safety` give only if the safety
rows alone contradict each other. A row that gives pays its weight for each unit of its violation (an l1
penalty), so the multiplier with which it acts on the solution never exceeds the weight.

Wrench cones and torque limits have no finite weight: ground and motors cannot do more, whatever is asked of
them. They never contradict each other, because zero torque and zero wrenches satisfy all of them. So a
solution always exists if everything else may give. Among the safety rows that may give, rows with a smaller
weight give first.

Source: Fletcher, "Practical Methods of Optimization", 2nd edition, section 14.3 (exact penalty functions).
"""

from __future__ import annotations

import math
from typing import NamedTuple

COMFORT, SAFETY = range(2)
"""Ranks as compiled code uses them; rows of a lower rank give before rows of a higher rank."""
RANKS = ("comfort", "safety")
"""Names of the ranks, in the order in which their rows give."""
WEIGHT = {"comfort": 1e4, "safety": 1e7}
"""Usual weight of a row of each rank. While a humanoid stands, sways or walks, multipliers stay below 1e3."""
FORCE_UNIT = 0.03
"""Unit of the violation of normal forces, as a fraction of the robot's weight."""


class RowBlock(NamedTuple):
    """A block of rows that give together."""

    rank: str
    """Name of the rank."""
    weight: float
    """Penalty per unit of violation; infinite for rows that never give."""
    unit: str
    """Unit of the violation, as it is reported."""


BLOCKS = {
    "cone": RowBlock("safety", math.inf, "N"),
    "torque_limit": RowBlock("safety", math.inf, "Nm"),
    "barrier": RowBlock("safety", WEIGHT["safety"], "rad/s^2"),
    "motion": RowBlock("safety", WEIGHT["safety"], "m/s^2"),
    "load": RowBlock("comfort", WEIGHT["comfort"], "N"),
    "inequality": RowBlock("comfort", WEIGHT["comfort"], ""),
}
"""The blocks of every robot. `cone`: wrench cones, including friction. `torque_limit`: torque limits.
`barrier`: position and velocity ranges of the joints. `motion`: closed contacts do not move. `load`: bounds
on the normal force of a contact; its weight is per `FORCE_UNIT`. `inequality`: declared inequalities, each of
which may declare another rank; its unit is that of the row. Of two inequalities of the same rank the one that
is declared later weighs 1 % less, so that it gives first."""
