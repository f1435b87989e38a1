"""The arrays by which a robot keeps clear of its own body: its parts as capsules, pairs, planes, and rows."""

from __future__ import annotations

from typing import NamedTuple

from kilohertz.robots.model.kin import Floats, Ints

MOST_ROWS = 12
"""Largest number of clearance rows in one tick."""
ROWS_PER_PAIR = 2
"""Largest number of rows of one pair of parts, or of one part and one plane."""

PARTS, PAIRS, PLANES, ACTIVE, FIRST_SLOT = range(5)
"""Entries of `Clear.size`."""

# Columns of `Clear.part`.
PART_R, PART_P, PART_V, PART_W, PART_A, PART_ALPHA = 0, 9, 12, 15, 18, 21
PART_CENTRE, PART_DRIFT, PART_SPIN, PART_PLACED = 24, 27, 30, 31
PART_SIZE = 32

# Columns of `Clear.placed`, after the end points.
RADIUS, MIDDLE, HALF = 6, 7, 10
PLACED_SIZE = 11

# Columns of `Clear.row` and `Clear.found`.
BOUND, DISTANCE, RATE, DRIFT, NORMAL, FIRST_POINT, SECOND_POINT, LEAST = 0, 1, 2, 3, 4, 7, 10, 13
ROW_SIZE = 14


class Clear(NamedTuple):
    """Parts, pairs and planes of a robot, and the clearance rows of this tick.

    L is the number of parts, n that of capsules, P that of pairs and Q that of planes. Part L is the base
    (the world for a fixed base), in whose frame the planes are.
    """

    size: Ints
    """(5,) PARTS, PAIRS, PLANES: L, P and Q. ACTIVE: number of rows in this tick. FIRST_SLOT: number of the
    first row's multiplier in `Solution.y_inequality`, counted row by row."""
    address: Ints
    """(L + 1, 6) addresses of pinocchio's buffers for the joint of each part, as in `Kin.address`."""
    columns: Ints
    """(L + 1, nv) indices of the entries of v that move each part: the first n_columns entries of a row."""
    n_columns: Ints
    """(L + 1,) number of these indices."""
    first: Ints
    """(L + 1,) capsules of part i are first[i] to first[i + 1] - 1."""
    capsule: Floats
    """(n, 6) end points of each segment in the frame of its part's joint [m]."""
    ball: Floats
    """(L, 4) centre of a ball around each part in the frame of its joint, then its radius [m]."""
    pair: Ints
    """(P, 2) the two parts of each pair."""
    least: Floats
    """(P,) distance that is kept [m]."""
    braking: Floats
    """(P,) deceleration of the approach that the joints can produce [m/s^2]."""
    plane_part: Ints
    """(Q,) part that each plane bounds."""
    plane: Floats
    """(Q, 5) normal of each plane in the base frame, smallest coordinate along it [m], and deceleration as in
    `braking`."""
    part: Floats
    """(L + 1, PART_SIZE) rotation, position, velocity, angular velocity, acceleration at vdot = 0 and angular
    acceleration of each part, the centre of its ball with its velocity, world axes; the fastest speed of its
    rotation [m/s]; 1 if its capsules have been placed in this tick."""
    placed: Floats
    """(n, PLACED_SIZE) end points of each segment in the world, radius, middle of the segment, and radius of
    a ball around the capsule [m]."""
    found: Floats
    """(ROWS_PER_PAIR + 1, ROW_SIZE) rows of the pair that is being examined; the last one is scratch."""
    row: Floats
    """(MOST_ROWS, ROW_SIZE) rows of this tick: largest acceleration of the approach [m/s^2], distance [m],
    its rate [m/s], its acceleration at vdot = 0 [m/s^2], normal from the first point to the second, the two
    points in the world [m], distance that is kept [m]."""
    which: Ints
    """(MOST_ROWS,) pair of each row; P + q for plane q."""
    T: Floats
    """(MOST_ROWS, nv) derivative of the rate of each row with respect to v."""
