"""Rows that give: the part of the dual solver's memory that a contradiction needs, and its elementary steps.

With an l1 penalty of weight w on the violation of a row, the row's multiplier is at most w. A row whose
multiplier has reached w is `held`: it leaves the active set, acts on the solution with the constant
multiplier w, and is violated by what is left. The held rows together shift the solution by
sum y a = force, so the rows in use see the right-hand side b - a'force.
"""

from __future__ import annotations

from typing import NamedTuple

from kilohertz.controller.problem.tables import Contacts
from kilohertz.controller.qp.dual_factor import drop_row, factor_row
from kilohertz.controller.qp.dual_rows import (
    COSTS,
    FIXED,
    IN_USE,
    SLOT,
    START,
    STOP,
    UNKNOWNS,
    DualArrays,
    combine_rows,
)
from kilohertz.controller.qp.whole_body_kinematics import dot
from kilohertz.robots.compile.kernels import inner_kernel
from kilohertz.robots.model.kin import Floats, Ints

LEVEL, HELD, FOUGHT, COUNTED, FIRST_MOTION = range(5)
"""Entries of `GivingArrays.size`."""
NEVER = 1e300
"""Weight of a row that never gives."""
TAKES_PART = 1e-7
"""A row takes part in a contradiction if its length times its coefficient, relative to the length of the
contradicting row, is larger than this."""


class GivingArrays(NamedTuple):
    """Ranks and weights of all rows that may give, the held rows, and the last contradiction.

    Rows are numbered as in `dual_rows.limit_row`; after the inequalities come the contact motion rows, six
    per contact.
    """

    size: Ints
    """(5,) LEVEL: rows of ranks below it may give. HELD: number of held rows. FOUGHT: number of rows of the
    contradiction. COUNTED: number of limits before the inequalities. FIRST_MOTION: number of rows before the
    contact motion rows."""
    rank: Ints
    """(limits + inequalities + motion,) rank of each row; inequalities are ordered by slot."""
    weight: Floats
    """(limits + inequalities + motion,) largest multiplier of each row, in the same order."""
    D: Floats
    """(held, n) part d of each held row, on z directly."""
    span: Ints
    """(held, 2) columns of D in use."""
    C: Floats
    """(held, 6) part c of each held row, on the base acceleration."""
    b: Floats
    """(held,) right-hand side of each held row."""
    limit: Ints
    """(held,) number of each held row."""
    y: Floats
    """(held,) constant multiplier of each held row."""
    rhs: Floats
    """(rows,) right-hand side of the rows in use, less the share of the held rows."""
    force: Floats
    """(n,) sum of y a over the held rows."""
    pull: Floats
    """(12,) sum of y c over the held rows, then K force."""
    taken: Ints
    """(2 limits,) 1 for each side of a limit that is in use or held."""
    fought: Ints
    """(rows,) numbers of the rows of the contradiction."""
    needed: Floats
    """(rows,) violation of each of these rows that would resolve the contradiction if no other row gave."""


@inner_kernel
def row_index(limit: int, d: DualArrays, g: GivingArrays) -> int:
    """Returns the index of a row in `rank` and `weight`."""
    index = abs(limit) - 1
    first = g.size[COUNTED]
    if first <= index < g.size[FIRST_MOTION]:
        given: int = first + d.given_span[index - first, SLOT]
        return given
    return index


@inner_kernel
def largest(limit: int, d: DualArrays, g: GivingArrays) -> float:
    """Returns the largest multiplier of a row; NEVER if rows of its rank do not give at this level."""
    index = row_index(limit, d, g)
    return g.weight[index] if g.rank[index] < g.size[LEVEL] else NEVER


@inner_kernel
def smallest(limit: int, most: float, g: GivingArrays) -> float:
    """Returns the smallest multiplier of a row whose largest is `most`: equalities push both ways."""
    return -most if abs(limit) - 1 >= g.size[FIRST_MOTION] else 0.0


@inner_kernel
def number_motion(contacts: Contacts, d: DualArrays, g: GivingArrays) -> None:
    """Writes the numbers of the contact motion rows into `d.limit`."""
    i = d.size[COSTS]
    for c in range(len(contacts.offset)):
        if contacts.offset[c] >= 0:
            for t in range(contacts.dim[c]):
                if contacts.implied[c, t] == 0:
                    d.limit[i] = -(1 + g.size[FIRST_MOTION] + 6 * c + t)
                    i += 1


@inner_kernel
def hold(i: int, y: float, d: DualArrays, g: GivingArrays) -> bool:
    """Holds row i with the multiplier y; a row with multiplier 0 needs no memory.

    Returns:
        False if memory is exhausted.
    """
    if y == 0.0:
        return True
    h = g.size[HELD]
    if h >= len(g.b):
        return False
    g.b[h], g.limit[h], g.y[h] = d.b[i], d.limit[i], y
    start, stop = d.span[i, START], d.span[i, STOP]
    g.span[h, START], g.span[h, STOP] = start, stop
    for q in range(start, stop):
        g.D[h, q] = d.D[i, q]
    for r in range(6):
        g.C[h, r] = d.C[i, r]
    g.size[HELD] = h + 1
    return True


@inner_kernel
def take_back(h: int, i: int, d: DualArrays, g: GivingArrays) -> None:
    """Copies held row h to row i of the solver, except its products, and removes it from the held rows."""
    d.b[i], d.limit[i], d.y[i] = g.b[h], g.limit[h], g.y[h]
    d.soft[i] = 0.0
    start, stop = g.span[h, START], g.span[h, STOP]
    d.span[i, START], d.span[i, STOP] = start, stop
    for q in range(start, stop):
        d.D[i, q] = g.D[h, q]
    for r in range(6):
        d.C[i, r] = g.C[h, r]
    last = g.size[HELD] - 1
    g.size[HELD] = last
    if h == last:
        return
    g.b[h], g.limit[h], g.y[h] = g.b[last], g.limit[last], g.y[last]
    g.span[h, START], g.span[h, STOP] = g.span[last, START], g.span[last, STOP]
    for q in range(g.span[h, START], g.span[h, STOP]):
        g.D[h, q] = g.D[last, q]
    for r in range(6):
        g.C[h, r] = g.C[last, r]


@inner_kernel
def remove_row(i: int, m: int, d: DualArrays) -> None:
    """Removes row i from the first m rows; IN_USE decreases by one."""
    drop_row(d, i, m)
    d.size[IN_USE] -= 1
    if i < d.size[FIXED]:
        d.size[FIXED] -= 1
    for r in range(i, d.size[IN_USE]):
        factor_row(d.S, d.F, r)


@inner_kernel
def shift_right_sides(K: Floats, nb: int, m: int, d: DualArrays, g: GivingArrays) -> None:
    """Writes the force of the held rows, and the right-hand sides that the first m rows see."""
    n = d.size[UNKNOWNS]
    force, pull = g.force, g.pull
    for q in range(n):
        force[q] = 0.0
    for r in range(12):
        pull[r] = 0.0
    held = g.size[HELD]
    for i in range(m):
        g.rhs[i] = d.b[i]
    if held == 0:
        return
    for h in range(held):
        a, row, base = g.y[h], g.D[h], g.C[h]
        for q in range(g.span[h, START], g.span[h, STOP]):
            force[q] += a * row[q]
        for r in range(6):
            pull[r] += a * base[r]
    if nb == 6:
        for r in range(6):
            a, row = pull[r], K[r]
            for q in range(n):
                force[q] += a * row[q]
        for r in range(6):
            pull[6 + r] = dot(K[r], force, n)
    for i in range(m):
        row, base = d.D[i], d.C[i]
        a = 0.0
        for q in range(d.span[i, START], d.span[i, STOP]):
            a += row[q] * force[q]
        for r in range(6):
            a += base[r] * pull[6 + r]
        g.rhs[i] -= a


@inner_kernel
def combine_all(K: Floats, nb: int, d: DualArrays, g: GivingArrays) -> None:
    """Writes z and the total multiplier on the base acceleration from the rows in use and the held rows."""
    combine_rows(K, nb, d.y, d.size[IN_USE], d.size[UNKNOWNS], d)
    for q in range(d.size[UNKNOWNS]):
        d.z[q] += g.force[q]
    for r in range(6):
        d.pull[r, 0] += g.pull[r]


@inner_kernel
def record_contradiction(m: int, d: DualArrays, g: GivingArrays) -> None:
    """Records that row m contradicts the rows in use, of which it is the combination `d.step`.

    The rows in use are independent, so the combination is unique: the rows that take part contradict each
    other, and without any one of them the others do not. Nothing is recorded if their right sides leave no
    gap: the solution had lost too many digits, and a wrong explanation is worse than none.
    """
    floor = TAKES_PART * TAKES_PART * d.S[m, m]
    gap, count = d.b[m], 0
    for i in range(m):
        a = d.step[i]
        if a * a * d.S[i, i] > floor and (a < 0.0 or abs(d.limit[i]) > g.size[FIRST_MOTION]):
            gap -= a * d.b[i]
            g.fought[count], g.needed[count] = d.limit[i], 1.0 / abs(a)
            count += 1
    g.fought[count], g.needed[count] = d.limit[m], 1.0
    if gap <= 0.0:
        return
    g.size[FOUGHT] = count + 1
    for i in range(count + 1):
        g.needed[i] *= gap
        # The order of the inequalities changes from tick to tick; the slot does not.
        index = row_index(g.fought[i], d, g)
        g.fought[i] = 1 + index if g.fought[i] > 0 else -(1 + index)
