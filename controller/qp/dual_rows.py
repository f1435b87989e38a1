"""The rows of the reduced problem for the dual solver, in whitened unknowns.

With x = x0 + sigma z (see `exact_assembly`) the cost of the diagonals is |z|^2 / 2 and everything else is a
row: a task row costs (a'z - b)^2 w / 2, the motion of a contact is a'z = b, a limit that is hit is a'z >= b.

A row is never stored as a dense vector. Its part d on joints and wrenches is sparse (for example the joints
of one leg), and its part c on the base acceleration K z has six numbers, so a = d + K'c and

    a_i'a_j = d_i'd_j + (K d_i)'c_j + c_i'(K d_j + K K' c_j),

which takes 12 products per pair of rows, plus one for each column that d_i and d_j have in common; most pairs
have none. For a humanoid on two feet (41 columns, 24 rows) rows and products took 5.0 us of the tick with
dense rows, and take 1.8 us in this form.
"""

from __future__ import annotations

from typing import NamedTuple

from kilohertz.controller.problem.tables import (
    FIRST_HARD,
    INEQUALITY_ROWS,
    MAX_CONE_ROWS,
    MOMENTUM,
    MOTION,
    Contacts,
    Limits,
    Rows,
    Tasks,
)
from kilohertz.controller.qp.exact_assembly import ExactArrays, whiten
from kilohertz.controller.qp.whole_body_kinematics import dot
from kilohertz.controller.qp.wrench_rows import wrench_row
from kilohertz.robots.compile.kernels import inner_kernel
from kilohertz.robots.model.kin import MX, NV_BASE, Floats, Ints, Kin

UNKNOWNS, COSTS, FIXED, IN_USE, STEPS, INEQUALITIES = range(6)
"""Entries of `DualArrays.size`."""

GIVEN_B, GIVEN_SOFT, GIVEN_D = 6, 7, 8
"""Columns of `DualArrays.given`: c begins at 0, the right-hand side is at GIVEN_B, 1 / w of a row that may be
violated (else 0) at GIVEN_SOFT, d begins at GIVEN_D."""
START, STOP, SLOT = range(3)
"""Columns of `DualArrays.span` and `DualArrays.given_span`."""

_ROLL_WEIGHT = 1.0
"""Weight of the desired angular acceleration of a sole that rolls over an edge [cost] / [rad/s^2]^2."""


class DualArrays(NamedTuple):
    """Rows, their Gram matrix and its factor: FIXED rows of tasks and contacts, then the active limits."""

    size: Ints
    """(6,) UNKNOWNS: number of unknowns n. COSTS: number of task rows. FIXED: number of task and contact
    rows. IN_USE: number of rows in use. STEPS: active-set steps taken. INEQUALITIES: number of declared
    inequality rows that apply in this tick."""
    D: Floats
    """(rows, n) part d of each row, on z directly."""
    span: Ints
    """(rows, 2) columns of D in use, from START up to but not including STOP; all others count as 0."""
    C: Floats
    """(rows, 6) part c of each row, on the base acceleration."""
    P: Floats
    """(rows, 6) product K d of each row."""
    CQ: Floats
    """(12, rows) one column for each row: c, then K d + K K' c."""
    KK: Floats
    """(6, 6) product K K'."""
    b: Floats
    """(rows,) right-hand side of each row."""
    soft: Floats
    """(rows,) 1 / w for cost rows and for inequalities that may be violated at a cost, 0 for all others."""
    limit: Ints
    """(rows,) number of the limit in each row, see `limit_row`; positive for the upper side, negative for the
    lower side."""
    S: Floats
    """(rows, rows) lower triangle of A A', with 1 / w added to the diagonal of cost rows."""
    F: Floats
    """(rows, rows) Cholesky factor of S. Its diagonal is stored inverted, and is 0 for a row that depends on
    the rows before it."""
    y: Floats
    """(rows,) multipliers y, with z = A' y."""
    step: Floats
    """(rows,) direction in which the multipliers change while a row is added; also scratch."""
    z: Floats
    """(n,) whitened unknowns."""
    pull: Floats
    """(6, 1) sum of y c over the rows: their total multiplier on the base acceleration."""
    given: Floats
    """(inequalities, GIVEN_D + n) inequality rows, active or not: c, b, softness, then d."""
    given_span: Ints
    """(inequalities, 3) START and STOP of d; SLOT: index of the row's multiplier in
    `Solution.y_inequality`."""


# Kernels that run once per row take single arrays, not groups: passing a group of 20 arrays to a function
# that is not inlined copies 150 words (measured: 122 such calls took 60 us).


@inner_kernel
def base_gram(K: Floats, n: int, KK: Floats) -> None:
    """Writes the product K K' of the first n columns into KK."""
    for i in range(6):
        for j in range(i + 1):
            KK[i, j] = KK[j, i] = dot(K[i], K[j], n)


@inner_kernel
def gram_row(
    i: int,
    on_base: bool,
    K: Floats,
    KK: Floats,
    D: Floats,
    span: Ints,
    C: Floats,
    P: Floats,
    CQ: Floats,
    S: Floats,
) -> None:
    """Writes row i of S: the products of row i with the rows before it and with itself."""
    start, stop = span[i, START], span[i, STOP]
    d, c, p = D[i], C[i], P[i]
    for r in range(6):
        row, total = K[r], 0.0
        for q in range(start, stop):
            total += row[q] * d[q]
        p[r] = total
        CQ[r, i] = c[r]
        CQ[6 + r, i] = total
    if on_base:
        for r in range(6):
            CQ[6 + r, i] += dot(KK[r], c, 6)
    # One pass over the earlier rows instead of twelve, so that the factors stay in registers.
    p0, p1, p2, p3, p4, p5 = p[0], p[1], p[2], p[3], p[4], p[5]
    C0, C1, C2, C3, C4, C5 = CQ[0], CQ[1], CQ[2], CQ[3], CQ[4], CQ[5]
    s = S[i]
    for j in range(i + 1):
        s[j] = p0 * C0[j] + p1 * C1[j] + p2 * C2[j] + p3 * C3[j] + p4 * C4[j] + p5 * C5[j]
    if on_base:
        c0, c1, c2, c3, c4, c5 = c[0], c[1], c[2], c[3], c[4], c[5]
        Q0, Q1, Q2, Q3, Q4, Q5 = CQ[6], CQ[7], CQ[8], CQ[9], CQ[10], CQ[11]
        for j in range(i + 1):
            s[j] += c0 * Q0[j] + c1 * Q1[j] + c2 * Q2[j] + c3 * Q3[j] + c4 * Q4[j] + c5 * Q5[j]
    for j in range(i + 1):
        low, high = max(start, span[j, START]), min(stop, span[j, STOP])
        if low < high:
            other, total = D[j], 0.0
            for q in range(low, high):
                total += d[q] * other[q]
            s[j] += total


@inner_kernel
def motion_row(
    T: Floats,
    columns: Ints,
    n_columns: int,
    nb: int,
    n: int,
    x0: Floats,
    sigma: Floats,
    K: Floats,
    D: Floats,
    span: Ints,
    C: Floats,
) -> float:
    """Converts row T on vdot to a row on z; returns the constant part. T is 0 outside `columns`."""
    constant = 0.0
    start, stop = n, 0
    if n_columns > 0:
        stop = max(columns[n_columns - 1] + 1 - nb, 0)
        start = stop
        for q in range(n_columns):
            if columns[q] >= nb:
                start = columns[q] - nb
                break
    span[START], span[STOP] = start, stop
    for j in range(start, stop):
        constant += T[nb + j] * x0[j]
        D[j] = T[nb + j] * sigma[j]
    for r in range(6):
        C[r] = 0.0
    for r in range(nb):
        C[r] = T[r]
        constant += T[r] * K[r, n]
    return constant


@inner_kernel
def momentum_row(T: Floats, na: int, n: int, G: Floats, D: Floats, span: Ints, C: Floats) -> float:
    """Converts row T on the momentum rate to a row on the wrenches in z; returns the constant part."""
    span[START], span[STOP] = na, n
    for j in range(na, n):
        D[j] = 0.0
    constant = 0.0
    for r in range(6):
        C[r] = 0.0
        if T[r] != 0.0:
            constant += T[r] * G[r, n]
            for j in range(na, n):
                D[j] += T[r] * G[r, j]
    return constant


@inner_kernel
def contact_motion_rows(k: Kin, contacts: Contacts, e: ExactArrays, d: DualArrays) -> None:
    """Writes the contact motion rows after the task rows, and their rows of the Gram matrix."""
    nb = k.size[NV_BASE]
    n, i = d.size[UNKNOWNS], d.size[COSTS]
    for c in range(len(contacts.offset)):
        if contacts.offset[c] < 0:
            continue
        f = contacts.frame[c]
        for t in range(contacts.dim[c]):
            if contacts.implied[c, t] == 1:
                continue
            s = contacts.select[c, t]
            constant = motion_row(
                k.J[f, s], k.columns[f], k.n_columns[f], nb, n, e.x0, e.sigma, e.K,
                d.D[i], d.span[i], d.C[i],
            )  # fmt: skip
            d.b[i] = -contacts.damping_per_s[c] * k.vel[f, s] - k.drift[f, s] - constant
            gram_row(i, nb == 6, e.K, d.KK, d.D, d.span, d.C, d.P, d.CQ, d.S)
            d.soft[i] = 0.0
            i += 1
    d.size[FIXED] = i
    d.size[IN_USE] = i


@inner_kernel
def roll_rows(k: Kin, contacts: Contacts, e: ExactArrays, d: DualArrays, i: int) -> int:
    """Writes a cost row at i for each sole that rolls over an edge; returns the row after the last one."""
    nb = k.size[NV_BASE]
    for c in range(len(contacts.rolls)):
        if contacts.rolls[c] == 0:
            continue
        f = contacts.frame[c]
        constant = motion_row(
            k.J[f, MX], k.columns[f], k.n_columns[f], nb, d.size[UNKNOWNS], e.x0, e.sigma, e.K,
            d.D[i], d.span[i], d.C[i],
        )  # fmt: skip
        d.b[i] = contacts.roll_rad_s2[c] - k.drift[f, MX] - constant
        gram_row(i, nb == 6, e.K, d.KK, d.D, d.span, d.C, d.P, d.CQ, d.S)
        d.soft[i] = 1.0 / _ROLL_WEIGHT
        d.S[i, i] += d.soft[i]
        i += 1
    return i


@inner_kernel
def fixed_rows(
    k: Kin, tasks: Tasks, rows: Rows, m: int, contacts: Contacts, e: ExactArrays, d: DualArrays
) -> None:
    """Writes the task rows and the contact motion rows, and their Gram matrix."""
    nb = k.size[NV_BASE]
    na = len(k.v) - nb
    n = na
    for c in range(len(contacts.offset)):
        if contacts.offset[c] >= 0:
            n += contacts.dim[c]
    d.size[UNKNOWNS] = n
    whiten(k, rows, contacts, e, n)
    if nb == 6:
        base_gram(e.K, n, d.KK)
    i = 0
    d.size[INEQUALITIES] = 0
    for r in range(m + rows.size[INEQUALITY_ROWS]):
        if rows.w[r] == 0.0:
            continue
        task = rows.task[r] if r < m else rows.size[FIRST_HARD] + rows.task[r] // 6
        moves = rows.space[r] == MOTION
        if moves:
            constant = motion_row(
                rows.T[r], tasks.columns[task], tasks.n_columns[task], nb, n, e.x0, e.sigma, e.K,
                d.D[i], d.span[i], d.C[i],
            )  # fmt: skip
        elif rows.space[r] == MOMENTUM:
            constant = momentum_row(rows.T[r], na, n, e.G, d.D[i], d.span[i], d.C[i])
        else:
            d.span[i, START], d.span[i, STOP] = na, n
            for q in range(6):
                d.C[i, q] = 0.0
            constant = wrench_row(
                rows.T[r],
                contacts.offset,
                contacts.dim,
                contacts.select,
                e.x0[na:],
                e.sigma[na:],
                d.D[i, na:],
            )
        d.b[i] = rows.b[r] - constant
        if r >= m:
            put_aside(i, rows.w[r], rows.task[r], d)
            continue
        gram_row(i, moves and nb == 6, e.K, d.KK, d.D, d.span, d.C, d.P, d.CQ, d.S)
        d.soft[i] = 1.0 / rows.w[r]
        d.S[i, i] += d.soft[i]
        i += 1
    i = roll_rows(k, contacts, e, d, i)
    d.size[COSTS] = i
    contact_motion_rows(k, contacts, e, d)


@inner_kernel
def put_aside(i: int, weight: float, slot: int, d: DualArrays) -> None:
    """Stores row i, an inequality, as a'z >= b in `d.given`; it is added when it is violated.

    `weight` is that in `Rows.w`: positive for an upper bound; a size other than 1 is the cost of a violation.
    """
    g = d.size[INEQUALITIES]
    side = -1.0 if weight > 0.0 else 1.0
    d.given[g, GIVEN_SOFT] = 1.0 / abs(weight) if abs(weight) > 1.0 else 0.0
    d.given_span[g, START], d.given_span[g, STOP] = d.span[i, START], d.span[i, STOP]
    d.given_span[g, SLOT] = slot
    for r in range(6):
        d.given[g, r] = side * d.C[i, r]
    d.given[g, GIVEN_B] = side * d.b[i]
    for q in range(d.span[i, START], d.span[i, STOP]):
        d.given[g, GIVEN_D + q] = side * d.D[i, q]
    d.size[INEQUALITIES] = g + 1


@inner_kernel
def most_missed(
    vdot: Floats, K: Floats, nb: int, first: int, limit: int, worst: float, d: DualArrays
) -> tuple[int, float]:
    """Finds the most violated declared inequality.

    Args:
        vdot: generalised acceleration.
        K: map from z to the base acceleration.
        nb: entries of v that belong to the base.
        first: number of limits that are counted before the inequalities, see `limit_row`.
        limit: most violated limit so far.
        worst: its violation.
        d: rows of the dual solver.

    Returns:
        The most violated limit and its violation; `limit` and `worst` if no inequality is violated by more.
    """
    n = d.size[UNKNOWNS]
    for i in range(d.size[INEQUALITIES]):
        row = d.given[i]
        missed = row[GIVEN_B]
        for j in range(d.given_span[i, START], d.given_span[i, STOP]):
            missed -= row[GIVEN_D + j] * d.z[j]
        for r in range(nb):
            missed -= row[r] * (vdot[r] - K[r, n])
        if missed > worst and row[GIVEN_SOFT] > 0.0:
            # A soft row that is in use already is violated by what its multiplier costs.
            for r in range(d.size[FIXED], d.size[IN_USE]):
                if d.limit[r] == -(1 + first + i):
                    missed -= d.soft[r] * d.y[r]
        if missed > worst:
            worst, limit = missed, -(1 + first + i)
    return limit, worst


@inner_kernel
def torque_limit_row(
    k: Kin, contacts: Contacts, limits: Limits, e: ExactArrays, d: DualArrays, j: int, sign: float, i: int
) -> None:
    """Writes the torque limit of joint j as row i; sign is -1 for the upper limit, 1 for the lower."""
    nb = k.size[NV_BASE]
    na, n = len(k.v) - nb, d.size[UNKNOWNS]
    row, base, span = d.D[i], d.C[i], d.span[i]
    M = k.M[nb + j]
    constant = k.h[nb + j]
    for q in range(na):
        row[q] = sign * M[nb + q] * e.sigma[q]
        constant += M[nb + q] * e.x0[q]
    for q in range(na, n):
        row[q] = 0.0
    for r in range(nb):
        base[r] = sign * M[r]
        constant += M[r] * e.K[r, n]
    for c in range(len(contacts.offset)):
        o = contacts.offset[c]
        if o < 0:
            continue
        for t in range(contacts.dim[c]):
            J = k.J[contacts.frame[c], contacts.select[c, t], nb + j]
            row[na + o + t] -= sign * J * e.sigma[na + o + t]
            constant -= J * e.x0[na + o + t]
    span[START], span[STOP] = 0, n
    d.b[i] = -limits.tau[j] - sign * constant


@inner_kernel
def limit_row(
    k: Kin, contacts: Contacts, limits: Limits, e: ExactArrays, d: DualArrays, limit: int, i: int
) -> None:
    """Writes a limit as row i, a'z >= b, and its row of S.

    Limits are numbered from 1: wrench cones by slot and row, torque limits, acceleration barriers, then the
    declared inequalities. `limit` is positive for the upper side and negative for the lower side.
    """
    nb = k.size[NV_BASE]
    na = len(k.v) - nb
    cones = len(contacts.offset) * MAX_CONE_ROWS
    sign = -1.0 if limit > 0 else 1.0
    index = abs(limit) - 1
    row, base, span = d.D[i], d.C[i], d.span[i]
    d.limit[i] = limit
    d.soft[i] = 0.0
    for r in range(6):
        base[r] = 0.0
    torque = cones <= index < cones + na
    if torque:
        torque_limit_row(k, contacts, limits, e, d, index - cones, sign, i)
    elif index < cones:
        c = index // MAX_CONE_ROWS
        r = index - c * MAX_CONE_ROWS
        o = na + contacts.offset[c]
        bound = contacts.upper[c, r] if limit > 0 else contacts.lower[c, r]
        for t in range(contacts.dim[c]):
            row[o + t] = sign * contacts.cone[c, r, t] * e.sigma[o + t]
            bound -= contacts.cone[c, r, t] * e.x0[o + t]
        span[START], span[STOP] = o, o + contacts.dim[c]
        d.b[i] = sign * bound
    elif index >= cones + 2 * na:
        g = index - cones - 2 * na
        span[START], span[STOP] = d.given_span[g, START], d.given_span[g, STOP]
        for q in range(span[START], span[STOP]):
            row[q] = d.given[g, GIVEN_D + q]
        for r in range(6):
            base[r] = d.given[g, r]
        d.b[i] = d.given[g, GIVEN_B]
        d.soft[i] = d.given[g, GIVEN_SOFT]
    else:
        j = index - cones - na
        row[j] = sign * e.sigma[j]
        bound = (limits.vdot_upper[j] if limit > 0 else limits.vdot_lower[j]) - e.x0[j]
        span[START], span[STOP] = j, j + 1
        d.b[i] = sign * bound
    on_base = torque or index >= cones + 2 * na
    gram_row(i, on_base and nb == 6, e.K, d.KK, d.D, d.span, d.C, d.P, d.CQ, d.S)
    d.S[i, i] += d.soft[i]


@inner_kernel
def combine_rows(K: Floats, nb: int, y: Floats, m: int, n: int, d: DualArrays) -> None:
    """Writes z = A'y, and the sum of y c into `d.pull`, over the first m rows."""
    z, pull = d.z, d.pull
    for q in range(n):
        z[q] = 0.0
    for r in range(6):
        pull[r, 0] = 0.0
    for i in range(m):
        a, row, base = y[i], d.D[i], d.C[i]
        for q in range(d.span[i, START], d.span[i, STOP]):
            z[q] += a * row[q]
        for r in range(6):
            pull[r, 0] += a * base[r]
    if nb == 6:
        p0, p1, p2, p3, p4, p5 = pull[0, 0], pull[1, 0], pull[2, 0], pull[3, 0], pull[4, 0], pull[5, 0]
        K0, K1, K2, K3, K4, K5 = K[0], K[1], K[2], K[3], K[4], K[5]
        for q in range(n):
            z[q] += p0 * K0[q] + p1 * K1[q] + p2 * K2[q] + p3 * K3[q] + p4 * K4[q] + p5 * K5[q]


@inner_kernel
def rows_miss(vdot_base: Floats, K: Floats, nb: int, n: int, d: DualArrays) -> None:
    """Writes the residual of each row in use at z into `d.step`, with A z = D z + C (K z)."""
    for i in range(d.size[IN_USE]):
        row, base = d.D[i], d.C[i]
        a = d.b[i] - d.soft[i] * d.y[i]
        for q in range(d.span[i, START], d.span[i, STOP]):
            a -= row[q] * d.z[q]
        for r in range(nb):
            a -= base[r] * (vdot_base[r] - K[r, n])
        d.step[i] = a
