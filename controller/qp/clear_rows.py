"""Compiled rows that keep a robot clear of its own body and behind planes.

Every pair of parts that is near, or that approaches fast, gets up to ROWS_PER_PAIR rows, one for each of its
nearest capsules,

    d_ddot = n (J_2 - J_1) vdot + drift >= -braking(d - least, -d_dot),

with d the distance of the capsules and n the direction between their nearest points: the approach is bounded
like that of a joint to its limit, see `kilohertz.controller.qp.whole_body_kinematics.braking`. This is a
control barrier function of relative degree 2 whose set of safe speeds is that of a constant deceleration far
from the limit, and of an exponential approach near it. The rows do not depend on earlier ticks.

Source: Ames et al., "Control barrier functions: theory and applications", ECC 2019, section IV; with the
braking distance as the barrier.
"""

from __future__ import annotations

import math

from numba import carray

from kilohertz.controller.problem.clear_arrays import (
    ACTIVE,
    BOUND,
    DISTANCE,
    DRIFT,
    FIRST_POINT,
    FIRST_SLOT,
    HALF,
    LEAST,
    MIDDLE,
    MOST_ROWS,
    NORMAL,
    PAIRS,
    PART_A,
    PART_ALPHA,
    PART_CENTRE,
    PART_DRIFT,
    PART_P,
    PART_PLACED,
    PART_R,
    PART_SPIN,
    PART_V,
    PART_W,
    PARTS,
    PLANES,
    RADIUS,
    RATE,
    ROW_SIZE,
    ROWS_PER_PAIR,
    SECOND_POINT,
    Clear,
)
from kilohertz.controller.problem.tables import INEQUALITY_ROWS, MOTION, Rows
from kilohertz.controller.qp.whole_body_kinematics import braking
from kilohertz.robots.clearance.segments import MIDDLE_PULL
from kilohertz.robots.compile.kernels import float_pointer, inner_kernel, kernel
from kilohertz.robots.model.kin import (
    A_ANGULAR,
    A_LINEAR,
    POSITION,
    ROTATION,
    V_ANGULAR,
    V_LINEAR,
    Floats,
    Ints,
    Kin,
)

CLEAR_WEIGHT = 1e4
"""Weight of the violation of a clearance row [1 / (m/s^2)^2]: torque, joint and contact limits come first."""

_RATE_PER_S = 20.0
"""Rate of the exponential approach to the distance that is kept [1/s]."""
_NEAR_M, _NEAR_S = 0.012, 0.05
"""Pairs are examined that are nearer than _NEAR_M, or will be so in _NEAR_S or while they brake."""
_FAR_M = 0.4
"""Pairs further apart are not examined."""
_HARDEST = 3.0
"""Largest deceleration that a row demands, relative to that which braking relies on."""
_LEAST_M2 = 1e-12
_EMPTY = 1e30


@kernel
def part_motion(address: Ints, ball: Floats, part: Floats) -> None:
    """Writes pose and velocities of a part, world axes; its accelerations follow in `place`."""
    R = carray(float_pointer(address[ROTATION]), (3, 3))  # column-major memory: R[c, r] is R_WJ[r, c]
    p = carray(float_pointer(address[POSITION]), (3,))
    v = carray(float_pointer(address[V_LINEAR]), (3,))
    w = carray(float_pointer(address[V_ANGULAR]), (3,))
    m0, m1, m2 = ball[0], ball[1], ball[2]
    t0 = v[0] + w[1] * m2 - w[2] * m1
    t1 = v[1] + w[2] * m0 - w[0] * m2
    t2 = v[2] + w[0] * m1 - w[1] * m0
    for r in range(3):
        part[PART_CENTRE + r] = p[r] + R[0, r] * m0 + R[1, r] * m1 + R[2, r] * m2
        part[PART_DRIFT + r] = R[0, r] * t0 + R[1, r] * t1 + R[2, r] * t2
    part[PART_SPIN] = ball[3] * math.sqrt(w[0] * w[0] + w[1] * w[1] + w[2] * w[2])
    part[PART_PLACED] = 0.0


@kernel
def place(address: Ints, part: Floats, capsule: Floats, first: int, last: int, placed: Floats) -> None:
    """Writes velocities and accelerations of a part and the end points of its capsules, world axes."""
    R = carray(float_pointer(address[ROTATION]), (3, 3))
    p = carray(float_pointer(address[POSITION]), (3,))
    v = carray(float_pointer(address[V_LINEAR]), (3,))
    w = carray(float_pointer(address[V_ANGULAR]), (3,))
    a = carray(float_pointer(address[A_LINEAR]), (3,))
    alpha = carray(float_pointer(address[A_ANGULAR]), (3,))
    # pinocchio's a_gf includes the gravity field, which is the same for both parts of a row.
    c0 = a[0] + w[1] * v[2] - w[2] * v[1]
    c1 = a[1] + w[2] * v[0] - w[0] * v[2]
    c2 = a[2] + w[0] * v[1] - w[1] * v[0]
    for r in range(3):
        part[PART_P + r] = p[r]
        for c in range(3):
            part[PART_R + 3 * r + c] = R[c, r]
        part[PART_V + r] = R[0, r] * v[0] + R[1, r] * v[1] + R[2, r] * v[2]
        part[PART_W + r] = R[0, r] * w[0] + R[1, r] * w[1] + R[2, r] * w[2]
        part[PART_A + r] = R[0, r] * c0 + R[1, r] * c1 + R[2, r] * c2
        part[PART_ALPHA + r] = R[0, r] * alpha[0] + R[1, r] * alpha[1] + R[2, r] * alpha[2]
        for i in range(first, last):
            one = p[r] + R[0, r] * capsule[i, 0] + R[1, r] * capsule[i, 1] + R[2, r] * capsule[i, 2]
            other = p[r] + R[0, r] * capsule[i, 3] + R[1, r] * capsule[i, 4] + R[2, r] * capsule[i, 5]
            placed[i, r], placed[i, 3 + r], placed[i, MIDDLE + r] = one, other, 0.5 * (one + other)
    part[PART_PLACED] = 1.0


@inner_kernel
def nearest_points(one: Floats, other: Floats, row: Floats) -> None:
    """Writes the nearest points of two placed capsules' segments, their distance and the direction.

    This is `kilohertz.robots.clearance.segments.nearest_points`.
    """
    e1 = e2 = _LEAST_M2
    cross = c = f = 0.0
    for r in range(3):
        d1, d2, between = one[3 + r] - one[r], other[3 + r] - other[r], one[r] - other[r]
        e1 += d1 * d1
        e2 += d2 * d2
        cross += d1 * d2
        c += d1 * between
        f += d2 * between
    h1, h2 = e1 * (1.0 + MIDDLE_PULL), e2 * (1.0 + MIDDLE_PULL)
    c -= 0.5 * MIDDLE_PULL * e1
    f += 0.5 * MIDDLE_PULL * e2
    s = min(max((cross * f - c * h2) / (h1 * h2 - cross * cross), 0.0), 1.0)
    t = min(max((cross * s + f) / h2, 0.0), 1.0)
    s = min(max((cross * t - c) / h1, 0.0), 1.0)
    length = 0.0
    for r in range(3):
        x1, x2 = one[r] + s * (one[3 + r] - one[r]), other[r] + t * (other[3 + r] - other[r])
        row[FIRST_POINT + r], row[SECOND_POINT + r], row[NORMAL + r] = x1, x2, x2 - x1
        length += (x2 - x1) * (x2 - x1)
    length = math.sqrt(length)
    if length < 1e-6:  # crossing segments have no direction: upwards is as good as any other
        row[NORMAL], row[NORMAL + 1], row[NORMAL + 2] = 0.0, 0.0, 1.0
    else:
        for r in range(3):
            row[NORMAL + r] /= length
    row[DISTANCE] = length - one[RADIUS] - other[RADIUS]


@inner_kernel
def speed_along(part: Floats, x: Floats, u0: float, u1: float, u2: float) -> float:
    """Returns the velocity of the point of a part at x (3,) along u."""
    r0, r1, r2 = x[0] - part[PART_P], x[1] - part[PART_P + 1], x[2] - part[PART_P + 2]
    w0, w1, w2 = part[PART_W], part[PART_W + 1], part[PART_W + 2]
    speed = u0 * (part[PART_V] + w1 * r2 - w2 * r1) + u1 * (part[PART_V + 1] + w2 * r0 - w0 * r2)
    return float(speed + u2 * (part[PART_V + 2] + w0 * r1 - w1 * r0))


@inner_kernel
def drift_along(part: Floats, x: Floats, n: Floats) -> float:
    """Returns the acceleration, at vdot = 0, of the point of a part at x (3,) along n (3,)."""
    r0, r1, r2 = x[0] - part[PART_P], x[1] - part[PART_P + 1], x[2] - part[PART_P + 2]
    w0, w1, w2 = part[PART_W], part[PART_W + 1], part[PART_W + 2]
    b0, b1, b2 = part[PART_ALPHA], part[PART_ALPHA + 1], part[PART_ALPHA + 2]
    along, square = w0 * r0 + w1 * r1 + w2 * r2, w0 * w0 + w1 * w1 + w2 * w2
    drift = n[0] * (part[PART_A] + b1 * r2 - b2 * r1 + w0 * along - r0 * square)
    drift += n[1] * (part[PART_A + 1] + b2 * r0 - b0 * r2 + w1 * along - r1 * square)
    return float(drift + n[2] * (part[PART_A + 2] + b0 * r1 - b1 * r0 + w2 * along - r2 * square))


@inner_kernel
def relative_motion(one: Floats, other: Floats, row: Floats) -> None:
    """Writes rate and drift of the distance between the two points of a row, which belong to two parts."""
    n, first, second = row[NORMAL:FIRST_POINT], row[FIRST_POINT:SECOND_POINT], row[SECOND_POINT:LEAST]
    row[RATE] = speed_along(other, second, n[0], n[1], n[2]) - speed_along(one, first, n[0], n[1], n[2])
    row[DRIFT] = drift_along(other, second, n) - drift_along(one, first, n)


@inner_kernel
def judge(row: Floats, least: float, deceleration: float) -> bool:
    """Writes the bound of a row whose motion is known; returns whether the row can matter in this tick.

    Parts that are nearer than the least distance are not pushed apart, only kept from coming nearer: a robot
    that is armed in an unusual posture stays there.
    """
    left, speed = row[DISTANCE] - least, -row[RATE]
    row[LEAST] = least
    bound = braking(max(left, 0.0), speed, deceleration, _RATE_PER_S)
    row[BOUND] = max(bound, -_HARDEST * deceleration)
    ahead = max(speed, 0.0)
    return bool(left < _NEAR_M + ahead * _NEAR_S + ahead * ahead / (2.0 * deceleration))


@inner_kernel
def keep(row: Floats, rows: Floats, count: int, most: int) -> int:
    """Keeps a row among the first `count` of `rows` if it is among the `most` of the smallest bounds.

    Returns:
        Index at which it is kept; -1 if it is not.
    """
    at = count
    if count >= most:
        at = 0
        for i in range(1, most):
            if rows[i, BOUND] > rows[at, BOUND]:
                at = i
        if row[BOUND] >= rows[at, BOUND]:
            return -1
    for i in range(ROW_SIZE):
        rows[at, i] = row[i]
    return at


@inner_kernel
def jacobian_row(k: Kin, c: Clear, one: int, other: int, i: int) -> None:
    """Writes the derivative of the rate of row i with respect to v.

    Entries of v that move both parts do not change their distance.
    """
    row, T = c.row[i], c.T[i]
    for j in range(len(T)):
        T[j] = 0.0
    for side in range(2):
        part, point, sign = (one, FIRST_POINT, -1.0) if side == 0 else (other, SECOND_POINT, 1.0)
        x0, x1, x2 = row[point], row[point + 1], row[point + 2]
        n0, n1, n2 = row[NORMAL], row[NORMAL + 1], row[NORMAL + 2]
        # n (v + w x p) = n v + (p x n) w
        m0, m1, m2 = x1 * n2 - x2 * n1, x2 * n0 - x0 * n2, x0 * n1 - x1 * n0
        for q in range(c.n_columns[part]):
            j = c.columns[part, q]
            J = k.Jw[j]
            T[j] += sign * (n0 * J[0] + n1 * J[1] + n2 * J[2] + m0 * J[3] + m1 * J[4] + m2 * J[5])
    shared = 0
    while shared < min(c.n_columns[one], c.n_columns[other]):
        if c.columns[one, shared] != c.columns[other, shared]:
            break
        T[c.columns[one, shared]] = 0.0
        shared += 1


@inner_kernel
def near_capsules(
    one: Floats, other: Floats, spans: tuple[int, int, int, int], placed: Floats, found: Floats,
    least: float, deceleration: float, reach: float, ball: float,
) -> int:  # fmt: skip
    """Writes the rows of the nearest capsules of two placed parts into `found`; returns their number.

    Args:
        one: the first part.
        other: the second part.
        spans: first and last capsule, plus one, of both parts.
        placed: all placed capsules.
        found: (ROWS_PER_PAIR + 1, ROW_SIZE) the rows; the last one is scratch.
        least: distance that is kept [m].
        deceleration: deceleration that braking relies on [m/s^2].
        reach: distance beyond which a pair of capsules does not matter [m].
        ball: radius of the ball around the second part [m].
    """
    count = 0
    row = found[ROWS_PER_PAIR]
    c0, c1, c2 = other[PART_CENTRE], other[PART_CENTRE + 1], other[PART_CENTRE + 2]
    for i in range(spans[0], spans[1]):
        m0, m1, m2 = placed[i, MIDDLE], placed[i, MIDDLE + 1], placed[i, MIDDLE + 2]
        most_1 = least + reach + placed[i, HALF]
        x, y, z = m0 - c0, m1 - c1, m2 - c2
        if x * x + y * y + z * z > (most_1 + ball) * (most_1 + ball):
            continue
        for j in range(spans[2], spans[3]):
            x, y, z = m0 - placed[j, MIDDLE], m1 - placed[j, MIDDLE + 1], m2 - placed[j, MIDDLE + 2]
            most = most_1 + placed[j, HALF]
            if x * x + y * y + z * z > most * most:
                continue
            nearest_points(placed[i], placed[j], row)
            if row[DISTANCE] - least > reach:
                continue
            relative_motion(one, other, row)
            if judge(row, least, deceleration) and keep(row, found, count, ROWS_PER_PAIR) == count:
                count += 1
    return count


@inner_kernel
def near_plane(
    base: Floats, part: Floats, first: int, last: int, placed: Floats, found: Floats, plane: Floats
) -> int:
    """Writes the rows of the lowest ends of a part's capsules over a plane; returns their number."""
    count = 0
    row = found[ROWS_PER_PAIR]
    height = plane[3]
    for r in range(3):
        row[NORMAL + r] = (
            base[PART_R + 3 * r] * plane[0]
            + base[PART_R + 3 * r + 1] * plane[1]
            + base[PART_R + 3 * r + 2] * plane[2]
        )
    for r in range(3):
        height += row[NORMAL + r] * base[PART_P + r]
    n, w, x = row[NORMAL:FIRST_POINT], base[PART_W:PART_A], row[SECOND_POINT:LEAST]
    for i in range(first, last):
        for end in range(0, 6, 3):
            distance = -height - placed[i, RADIUS]
            for r in range(3):
                distance += row[NORMAL + r] * placed[i, end + r]
            row[DISTANCE] = distance
            for r in range(3):
                row[SECOND_POINT + r] = row[FIRST_POINT + r] = placed[i, end + r]
            relative_motion(base, part, row)
            # The normal rotates with the base: less the Coriolis acceleration 2 w x v.
            u0, u1, u2 = n[1] * w[2] - n[2] * w[1], n[2] * w[0] - n[0] * w[2], n[0] * w[1] - n[1] * w[0]
            slip = speed_along(part, x, u0, u1, u2) - speed_along(base, x, u0, u1, u2)
            row[DRIFT] -= 2.0 * slip
            if judge(row, 0.0, plane[4]) and keep(row, found, count, ROWS_PER_PAIR) == count:
                count += 1
    return count


@inner_kernel
def add_found(found: Floats, count: int, which: int, c: Clear) -> None:
    """Adds the first `count` rows of `found` to those of this tick, if there is room or they matter more."""
    for i in range(count):
        at = keep(found[i], c.row, c.size[ACTIVE], MOST_ROWS)
        if at >= 0:
            c.which[at] = which
            if at == c.size[ACTIVE]:
                c.size[ACTIVE] += 1


@kernel
def make_sure_placed(i: int, c: Clear) -> None:
    """Places a part, or the base if i is the number of parts, unless that has been done in this tick."""
    if c.part[i, PART_PLACED] == 0.0:
        last = c.first[i + 1] if i < c.size[PARTS] else c.first[i]
        place(c.address[i], c.part[i], c.capsule, c.first[i], last, c.placed)


@kernel
def clear_rows(k: Kin, c: Clear) -> None:
    """Writes the clearance rows of this tick from pinocchio's buffers."""
    c.size[ACTIVE] = 0
    n_parts = c.size[PARTS]
    part = c.part
    for i in range(n_parts):
        part_motion(c.address[i], c.ball[i], part[i])
    part[n_parts, PART_PLACED] = 0.0
    for i in range(c.size[PAIRS]):
        one, other = c.pair[i, 0], c.pair[i, 1]
        a, b = part[one], part[other]
        x, y, z = (
            a[PART_CENTRE] - b[PART_CENTRE],
            a[PART_CENTRE + 1] - b[PART_CENTRE + 1],
            a[PART_CENTRE + 2] - b[PART_CENTRE + 2],
        )
        touching = c.ball[one, 3] + c.ball[other, 3] + c.least[i]
        if x * x + y * y + z * z > (touching + _FAR_M) * (touching + _FAR_M):
            continue
        u, v, w = (
            a[PART_DRIFT] - b[PART_DRIFT],
            a[PART_DRIFT + 1] - b[PART_DRIFT + 1],
            a[PART_DRIFT + 2] - b[PART_DRIFT + 2],
        )
        speed = math.sqrt(u * u + v * v + w * w) + a[PART_SPIN] + b[PART_SPIN]
        reach = min(_NEAR_M + speed * _NEAR_S + speed * speed / (2.0 * c.braking[i]), _FAR_M)
        if x * x + y * y + z * z > (touching + reach) * (touching + reach):
            continue
        make_sure_placed(one, c)
        make_sure_placed(other, c)
        spans = (c.first[one], c.first[one + 1], c.first[other], c.first[other + 1])
        count = near_capsules(
            a, b, spans, c.placed, c.found, c.least[i], c.braking[i], reach, c.ball[other, 3]
        )
        add_found(c.found, count, i, c)
    for q in range(c.size[PLANES]):
        i = c.plane_part[q]
        make_sure_placed(n_parts, c)
        make_sure_placed(i, c)
        count = near_plane(part[n_parts], part[i], c.first[i], c.first[i + 1], c.placed, c.found, c.plane[q])
        add_found(c.found, count, c.size[PAIRS] + q, c)
    for i in range(c.size[ACTIVE]):
        at = c.which[i]
        if at < c.size[PAIRS]:
            jacobian_row(k, c, c.pair[at, 0], c.pair[at, 1], i)
        else:
            jacobian_row(k, c, n_parts, c.plane_part[at - c.size[PAIRS]], i)


@inner_kernel
def append_clear_rows(k: Kin, c: Clear, rows: Rows, m: int) -> None:
    """Appends the clearance rows of this tick to the inequality rows, which begin at row m."""
    r = m + rows.size[INEQUALITY_ROWS]
    for i in range(c.size[ACTIVE]):
        for j in range(len(k.v)):
            rows.T[r, j] = c.T[i, j]
        rows.b[r] = -c.row[i, BOUND] - c.row[i, DRIFT]
        rows.w[r] = -CLEAR_WEIGHT
        rows.space[r] = MOTION
        rows.task[r] = c.size[FIRST_SLOT] + i
        r += 1
    rows.size[INEQUALITY_ROWS] = r - m
