"""The reduced problem as rows for the dual solver, in whitened unknowns.

With x = x0 + sigma z (see `controller.qp.exact_assembly`) the cost of the diagonals is |z|^2 / 2 and
everything else is a row: a task row costs (a'z - b)^2 w / 2, a contact's motion is a'z = b, a limit that is
hit is a'z >= b.
"""

from __future__ import annotations

from typing import NamedTuple

from controller.qp.exact_assembly import ExactArrays, whiten
from controller.qp.tables import MAX_CONE_ROWS, MOTION, Contacts, Floats, Ints, Kin, Limits, Rows
from robots.compiled import inner_kernel

UNKNOWNS, COSTS, FIXED, IN_USE, STEPS = range(5)
"""What `DualArrays.size` holds."""


class DualArrays(NamedTuple):
    """Rows, their Gram matrix and its factor: FIXED rows of tasks and contacts, then the limits in force."""

    size: Ints
    """(5,) UNKNOWNS, COSTS: rows of tasks, FIXED: rows of tasks and contacts, rows IN_USE, STEPS taken."""
    A: Floats
    """(rows, n) rows on z."""
    b: Floats
    """(rows,) right-hand sides."""
    soft: Floats
    """(rows,) 1 / w of cost rows, 0 of all others."""
    first: Ints
    """(rows,) columns before this one are 0."""
    base: Floats
    """(rows, 6) what the row is on the base acceleration, before that was eliminated."""
    limit: Ints
    """(rows,) which limit a row is, see `limit_row`: positive for its upper side, negative for its lower."""
    S: Floats
    """(rows, rows) lower triangle of A A', with 1 / w added to the diagonal of cost rows."""
    F: Floats
    """(rows, rows) its Cholesky factor; the diagonal is inverted, and 0 for a row that depends on others."""
    y: Floats
    """(rows,) multipliers: z = A' y."""
    step: Floats
    """(rows,) direction of the multipliers while a row enters."""
    z: Floats
    """(n,) whitened unknowns."""
    column: Floats
    """(6, 1) scratch."""


# Kernels that run once a row take the arrays they need, not the groups: handing a group of 20 arrays to a
# function that is not inlined copies 150 words (measured: 122 such calls took 60 us).


@inner_kernel
def write_row(
    T: Floats, nb: int, na: int, n: int, x0: Floats, sigma: Floats, K: Floats, A: Floats, base: Floats
) -> float:
    """Writes T on vdot as the row A on z, without the base acceleration; returns its constant part."""
    constant = 0.0
    for j in range(na):
        constant += T[nb + j] * x0[j]
        A[j] = T[nb + j] * sigma[j]
    for j in range(na, n):
        A[j] = 0.0
    for r in range(6):
        base[r] = 0.0
    if nb == 0:
        return constant
    for r in range(6):
        base[r] = T[r]
        constant += T[r] * K[r, n]
    # One pass over the row, not six: it stays in registers.
    b0, b1, b2, b3, b4, b5 = base[0], base[1], base[2], base[3], base[4], base[5]
    K0, K1, K2, K3, K4, K5 = K[0], K[1], K[2], K[3], K[4], K[5]
    for j in range(n):
        A[j] += b0 * K0[j] + b1 * K1[j] + b2 * K2[j] + b3 * K3[j] + b4 * K4[j] + b5 * K5[j]
    return constant


@inner_kernel
def write_momentum_row(T: Floats, na: int, n: int, G: Floats, A: Floats, base: Floats) -> float:
    """Writes T on the momentum rate as the row A on z; returns its constant part."""
    for j in range(n):
        A[j] = 0.0
    constant = 0.0
    for r in range(6):
        base[r] = 0.0
        if T[r] != 0.0:
            constant += T[r] * G[r, n]
            for j in range(na, n):
                A[j] += T[r] * G[r, j]
    return constant


@inner_kernel
def gram_row(A: Floats, first: Ints, S: Floats, i: int, n: int) -> None:
    """Row i of S: products with the rows before it and itself, four at a time to keep the adders busy."""
    row, start = A[i], first[i]
    j = 0
    while j + 3 <= i:
        r0, r1, r2, r3 = A[j], A[j + 1], A[j + 2], A[j + 3]
        t0 = t1 = t2 = t3 = 0.0
        for q in range(start, n):
            a = row[q]
            t0 += a * r0[q]
            t1 += a * r1[q]
            t2 += a * r2[q]
            t3 += a * r3[q]
        S[i, j], S[i, j + 1], S[i, j + 2], S[i, j + 3] = t0, t1, t2, t3
        j += 4
    while j <= i:
        other, total = A[j], 0.0
        for q in range(max(start, first[j]), n):
            total += row[q] * other[q]
        S[i, j] = total
        j += 1


@inner_kernel
def fixed_rows(k: Kin, rows: Rows, m: int, contacts: Contacts, e: ExactArrays, d: DualArrays) -> None:
    """Writes the rows of the tasks and of the contacts' motion, and their Gram matrix."""
    nb = k.n_base[0]
    na = len(k.v) - nb
    n = na
    for c in range(len(contacts.offset)):
        if contacts.offset[c] >= 0:
            n += contacts.dim[c]
    d.size[UNKNOWNS] = n
    whiten(k, rows, contacts, e, n)
    i = 0
    for r in range(m):
        if rows.w[r] == 0.0:
            continue
        if rows.space[r] == MOTION:
            d.first[i] = 0
            d.b[i] = rows.b[r] - write_row(rows.T[r], nb, na, n, e.x0, e.sigma, e.K, d.A[i], d.base[i])
        else:
            d.first[i] = na
            d.b[i] = rows.b[r] - write_momentum_row(rows.T[r], na, n, e.G, d.A[i], d.base[i])
        gram_row(d.A, d.first, d.S, i, n)
        d.soft[i] = 1.0 / rows.w[r]
        d.S[i, i] += d.soft[i]
        i += 1
    d.size[COSTS] = i
    for c in range(len(contacts.offset)):
        if contacts.offset[c] < 0:
            continue
        f = contacts.frame[c]
        for t in range(contacts.dim[c]):
            if contacts.implied[c, t] == 1:
                continue
            s = contacts.select[c, t]
            wish = -contacts.damping_per_s[c] * k.vel[f, s] - k.drift[f, s]
            d.first[i] = 0
            d.b[i] = wish - write_row(k.J[f, s], nb, na, n, e.x0, e.sigma, e.K, d.A[i], d.base[i])
            gram_row(d.A, d.first, d.S, i, n)
            d.soft[i] = 0.0
            i += 1
    d.size[FIXED] = i
    d.size[IN_USE] = i


@inner_kernel
def limit_row(
    k: Kin, contacts: Contacts, limits: Limits, e: ExactArrays, d: DualArrays, limit: int, i: int
) -> None:
    """Writes a limit as row i, a'z >= b.

    Limits are counted from 1: wrench cones by slot and row, then torque limits, then acceleration barriers.
    """
    nb = k.n_base[0]
    na = len(k.v) - nb
    n = d.size[UNKNOWNS]
    cones = len(contacts.offset) * MAX_CONE_ROWS
    sign = -1.0 if limit > 0 else 1.0
    index = abs(limit) - 1
    A, base = d.A[i], d.base[i]
    d.limit[i] = limit
    d.soft[i] = 0.0
    if cones <= index < cones + na:
        j = index - cones
        d.first[i] = 0
        constant = k.h[nb + j] + write_row(k.M[nb + j], nb, na, n, e.x0, e.sigma, e.K, A, base)
        for c in range(len(contacts.offset)):
            o = contacts.offset[c]
            if o < 0:
                continue
            for t in range(contacts.dim[c]):
                J = k.J[contacts.frame[c], contacts.select[c, t], nb + j]
                A[na + o + t] -= J * e.sigma[na + o + t]
                constant -= J * e.x0[na + o + t]
        for q in range(n):
            A[q] *= sign
        for r in range(6):
            base[r] *= sign
        d.b[i] = -limits.tau[j] - sign * constant
        return
    for q in range(n):
        A[q] = 0.0
    for r in range(6):
        base[r] = 0.0
    if index < cones:
        c = index // MAX_CONE_ROWS
        r = index - c * MAX_CONE_ROWS
        o = na + contacts.offset[c]
        bound = contacts.upper[c, r] if limit > 0 else contacts.lower[c, r]
        for t in range(contacts.dim[c]):
            A[o + t] = sign * contacts.cone[c, r, t] * e.sigma[o + t]
            bound -= contacts.cone[c, r, t] * e.x0[o + t]
        d.first[i] = na
    else:
        j = index - cones - na
        A[j] = sign * e.sigma[j]
        bound = (limits.vdot_upper[j] if limit > 0 else limits.vdot_lower[j]) - e.x0[j]
        d.first[i] = j
    d.b[i] = sign * bound
