"""The arrays of the quadratic program: allocated once, shared by Python and compiled code, readable by name.

Compiled code receives them all as one table of addresses: handing 60 arrays over one by one costs 6 us of
unboxing a call (measured), as much as the two pinocchio calls of the tick together.
"""

from __future__ import annotations

from typing import NamedTuple

from kilohertz.robots.model.kin import Floats, Ints, Kin

MOTION, MOMENTUM, JOINT_DIAGONAL, WRENCH_DIAGONAL, WRENCH = 0, 1, 2, 3, 4
"""Spaces a task can live in: rows on vdot; on the rate of the centroidal momentum; a diagonal on the joint
accelerations; a diagonal on the wrench of one contact; rows on the wrenches of all contacts, one after the
other, six spatial components each."""

# Columns of the integer task table.
ENABLED, KIND, FRAME, SPACE, DIM, REF, HARD = range(7)

# Entries of `Rows.size`.
COST_ROWS, INEQUALITY_ROWS, FIRST_HARD = range(3)

# Entries of `Limits.gain`.
POSITION_PER_S2, DAMPING_PER_S, VELOCITY_PER_S, LARGEST_RAD_S2 = range(4)

# Entries of `Solution.residual`.
RES_BASE, RES_MOTION, RES_CONE, RES_TAU, RES_VDOT, RES_FINITE, RES_INEQUALITY = range(7)
"""Floating base, largest [N, Nm]; contact motion [m/s^2]; wrench cones [N]; torque beyond its limit [Nm];
acceleration beyond its barrier [rad/s^2]; 1 where all numbers are finite; the inequality that is missed by
most [its row's unit]."""

MAX_CONE_ROWS = 32
MAX_TASK_DIM = 6


class Tasks(NamedTuple):
    """The task table: what was declared. T tasks, the inequalities last."""

    table: Ints
    """(T, 7) columns ENABLED, KIND, FRAME, SPACE, DIM, REF, HARD: 1 for an inequality."""
    ref: Floats
    """References of all tasks, one after the other; REF says where each begins."""
    gain: Floats
    """(T, 8) gains, as the kind documents."""
    weight: Floats
    """(T, 6) weight of each row; a row of weight 0 is left out. Of an inequality: +1 at most, -1 at least."""
    columns: Ints
    """(T, nv) the columns of v that the task's motion rows touch."""
    n_columns: Ints
    """(T,)."""


class Rows(NamedTuple):
    """What the enabled tasks wrote this tick: rows that cost, rows that are inequalities; the diagonals."""

    T: Floats
    """(rows, nv) motion rows, momentum rows in the first 6 columns, wrench rows in the first 6 C."""
    b: Floats
    """(rows,) right-hand side."""
    w: Floats
    """(rows,) weight."""
    space: Ints
    """(rows,) MOTION, MOMENTUM or WRENCH."""
    task: Ints
    """(rows,) index of the task that wrote the row; of an inequality 6 times its own index, and its row."""
    size: Ints
    """(3,) COST_ROWS and INEQUALITY_ROWS of this tick; FIRST_HARD: index of the first inequality."""
    d: Floats
    """(na,) diagonal of the joint accelerations."""
    dx: Floats
    """(na,) diagonal times the desired joint acceleration."""
    wrench_d: Floats
    """(C, 6) diagonal of each contact's wrench."""
    wrench_dx: Floats
    """(C, 6) diagonal times the desired wrench."""


class Contacts(NamedTuple):
    """The contact slots. C contacts; an open one has offset -1 and no columns at all."""

    frame: Ints
    """(C,) index of the contact's frame in `Kin`."""
    dim: Ints
    """(C,) components of the wrench: 6 surface, 5 line, 3 point."""
    select: Ints
    """(C, 6) which of the six spatial components they are."""
    implied: Ints
    """(C, 6) 1 where other closed contacts of the same body already fix this component's motion."""
    offset: Ints
    """(C,) first column of the wrench among all closed contacts."""
    cone: Floats
    """(C, MAX_CONE_ROWS, 6) rows on the wrench."""
    lower: Floats
    """(C, MAX_CONE_ROWS)."""
    upper: Floats
    """(C, MAX_CONE_ROWS)."""
    n_rows: Ints
    """(C,)."""
    damping_per_s: Floats
    """(C,) the contact's acceleration is driven to -damping * velocity."""


class Limits(NamedTuple):
    """Torque limits and acceleration barriers of the joints."""

    tau: Floats
    """(na,) symmetric torque limit [Nm]."""
    position_lower: Floats
    position_upper: Floats
    velocity: Floats
    """(na,) [rad], [rad], [rad/s]."""
    gain: Floats
    """(4,) of the joint barriers: POSITION_PER_S2, DAMPING_PER_S, VELOCITY_PER_S, LARGEST_RAD_S2."""
    vdot_lower: Floats
    vdot_upper: Floats
    """(na,) this tick's bounds on the joint accelerations; compiled code writes them."""


class Solution(NamedTuple):
    """The solution of the last tick, by name; every solver fills it and starts warm from it."""

    vdot: Floats
    """(nv,) generalised acceleration."""
    wrench: Floats
    """(C, 6) contact wrenches in their contact frames (selected components first, the rest 0)."""
    tau: Floats
    """(na,) joint torque [Nm]."""
    y_base: Floats
    """(6,) multipliers of the floating-base rows."""
    y_motion: Floats
    """(C, 6) of the contact motion rows."""
    y_cone: Floats
    """(C, MAX_CONE_ROWS) of the wrench cones."""
    y_tau: Floats
    """(na,) of the torque limits."""
    y_vdot: Floats
    """(na,) of the acceleration barriers."""
    y_inequality: Floats
    """(I, 6) of the inequalities that were declared, row by row; positive where in force."""
    residual: Floats
    """(7,) by how much each block of rows is missed, at RES_BASE to RES_INEQUALITY."""
    zmp: Floats
    """(2,) zero-moment point of the wrenches at the mean height of the soles [m]."""


class Arrays(NamedTuple):
    """Every group, in the order in which compiled code receives them."""

    kin: Kin
    tasks: Tasks
    rows: Rows
    contacts: Contacts
    limits: Limits
    solution: Solution
