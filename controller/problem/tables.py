"""The arrays of the quadratic program: allocated once, shared by Python and compiled code, accessed by name.

Compiled code receives all arrays as one table of addresses: passing 60 arrays one by one costs 6 us of
unboxing per call (measured), as much as the two pinocchio calls of the tick together.
"""

from __future__ import annotations

from typing import NamedTuple

from kilohertz.controller.problem.clear_arrays import Clear
from kilohertz.robots.model.kin import Floats, Ints, Kin

MOTION, MOMENTUM, JOINT_DIAGONAL, WRENCH_DIAGONAL, WRENCH = 0, 1, 2, 3, 4
"""Spaces in which a task can be written. MOTION: rows on vdot. MOMENTUM: rows on the rate of the centroidal
momentum. JOINT_DIAGONAL: a diagonal on the joint accelerations. WRENCH_DIAGONAL: a diagonal on the wrench of
one contact. WRENCH: rows on the stacked wrenches of all contacts, six spatial components each."""

# Columns of the integer task table.
ENABLED, KIND, FRAME, SPACE, DIM, REF, HARD = range(7)

# Entries of `Rows.size`.
COST_ROWS, INEQUALITY_ROWS, FIRST_HARD = range(3)

# Entries of `Limits.gain`.
POSITION_PER_S2, DAMPING_PER_S, VELOCITY_PER_S, LARGEST_RAD_S2 = range(4)

# Entries of `Solution.residual`.
RES_BASE, RES_MOTION, RES_CONE, RES_TAU, RES_VDOT, RES_FINITE, RES_INEQUALITY = range(7)
"""RES_BASE: largest residual of the floating-base rows [N, Nm]. RES_MOTION: contact motion [m/s^2]. RES_CONE:
wrench cones [N]. RES_TAU: torque beyond its limit [Nm]. RES_VDOT: acceleration beyond its barrier [rad/s^2].
RES_FINITE: 1 if all numbers are finite. RES_INEQUALITY: largest violation of a declared inequality [unit of
its row]."""

MAX_CONE_ROWS = 32
"""Largest number of rows on the wrench of one contact: wrench cone and normal force."""
MAX_TASK_DIM = 6
"""Largest number of rows of one task."""


class Tasks(NamedTuple):
    """The declared tasks and inequalities. T is their number; the inequalities come last.

    Two more entries, which are never enabled, stand for the columns of the clearance rows.
    """

    table: Ints
    """(T, 7) columns ENABLED, KIND, FRAME, SPACE, DIM, REF, HARD. HARD is 1 for an inequality, else 0."""
    ref: Floats
    """References of all tasks, one after the other; column REF is the index at which each begins."""
    gain: Floats
    """(T, 8) gains, in the order and units that the task kind documents."""
    weight: Floats
    """(T, 6) weight of each row; a row of weight 0 is left out. For a row of an inequality: +1 for an upper
    bound, -1 for a lower bound."""
    columns: Ints
    """(T, nv) the first n_columns entries: indices into v on which the task's motion rows depend."""
    n_columns: Ints
    """(T,) number of these indices."""


class Rows(NamedTuple):
    """The output of the enabled tasks in this tick: cost rows, inequality rows and the two diagonals."""

    T: Floats
    """(rows, max(nv, 6 C)), on a fixed base (rows, nv): a motion row uses the first nv columns, a momentum
    row the first 6, a wrench row the first 6 C."""
    b: Floats
    """(rows,) right-hand side of each row."""
    w: Floats
    """(rows,) weight of a cost row; +1 or -1 for an inequality row, as in `Tasks.weight`; for a
    clearance row, minus the weight of its violation."""
    space: Ints
    """(rows,) space of each row: MOTION, MOMENTUM or WRENCH."""
    task: Ints
    """(rows,) index of the task that wrote the row. For an inequality: 6 i + r, with i its index among the
    inequalities and r its row; the clearance rows are counted on after the last inequality."""
    size: Ints
    """(3,) COST_ROWS and INEQUALITY_ROWS: numbers of rows in this tick. FIRST_HARD: index of the first
    inequality in the task table."""
    d: Floats
    """(na,) cost diagonal on the joint accelerations."""
    dx: Floats
    """(na,) diagonal times the desired joint acceleration."""
    wrench_d: Floats
    """(C, 6) cost diagonal on the wrench of each contact."""
    wrench_dx: Floats
    """(C, 6) diagonal times the desired wrench."""


class Contacts(NamedTuple):
    """The contact slots. C is the number of contacts; an open contact has offset -1 and no columns."""

    frame: Ints
    """(C,) index of the contact's frame in `Kin`."""
    dim: Ints
    """(C,) number of transmitted wrench components: 6 surface, 5 line, 3 point."""
    select: Ints
    """(C, 6) the first dim entries: index of each transmitted component among the six spatial components."""
    implied: Ints
    """(C, 6) 1 if other closed contacts of the same body already fix the motion of this component, else 0."""
    offset: Ints
    """(C,) first column of the contact's wrench in the stacked wrenches of the closed contacts; -1 if
    open."""
    cone: Floats
    """(C, MAX_CONE_ROWS, 6) rows on the wrench: the wrench cone, then the normal force."""
    lower: Floats
    """(C, MAX_CONE_ROWS) lower bound of each row [N]."""
    upper: Floats
    """(C, MAX_CONE_ROWS) upper bound of each row [N]."""
    n_rows: Ints
    """(C,) number of rows in use."""
    damping_per_s: Floats
    """(C,) damping of the contact's motion [1/s]: its acceleration is constrained to -damping *
    velocity."""
    rolls: Ints
    """(C,) 1 or -1 while the sole rolls over its left or right edge, else 0; see
    `kilohertz.controller.qp.rolling`, which writes this and the next field."""
    roll_rad_s2: Floats
    """(C,) desired angular acceleration of such a sole about its x axis [rad/s^2]."""


class Rolling(NamedTuple):
    """Ankles, edges and wrench cones of soles that may roll over an edge.

    See `kilohertz.controller.qp.rolling`. C is the number of contacts.
    """

    ankle: Ints
    """(C,) index among the actuated joints of the joint that rolls the sole about its x axis; -1 for a
    contact that never rolls over an edge."""
    edge_frame: Ints
    """(C,) index in `Kin` of a frame on the edge, with the axes of the contact; -1 for none."""
    half_width_m: Floats
    """(C,) distance of the edge frame from the centre of the sole [m]."""
    centre: Floats
    """(C, 3) centre of the sole in the frame of its joint [m]."""
    flat_cone: Floats
    """(C, MAX_CONE_ROWS, 6) `Contacts.cone` of the whole soles."""
    edge_cone: Floats
    """(C, MAX_CONE_ROWS, 6) the same for a narrow strip along an edge, about the edge frame."""
    flat: Floats
    """(C,) z component of the sole's y axis in the world when it began to roll over the edge."""


class Limits(NamedTuple):
    """Torque limits and acceleration barriers of the joints."""

    tau: Floats
    """(na,) symmetric torque limit [Nm]."""
    position_lower: Floats
    """(na,) lower position limit [rad]."""
    position_upper: Floats
    """(na,) upper position limit [rad]."""
    velocity: Floats
    """(na,) symmetric velocity limit [rad/s]."""
    gain: Floats
    """(4,) gains of the joint barriers: POSITION_PER_S2, DAMPING_PER_S, VELOCITY_PER_S, LARGEST_RAD_S2."""
    vdot_lower: Floats
    """(na,) lower bound on the joint accelerations in this tick, written by compiled code [rad/s^2]."""
    vdot_upper: Floats
    """(na,) upper bound on the joint accelerations in this tick, written by compiled code [rad/s^2]."""
    tolerance: Floats
    """(7,) largest residual of a solved tick, by block, see `Tolerances.row`."""


class Solution(NamedTuple):
    """The solution of the last tick. Every solver writes it and uses it as its warm start."""

    vdot: Floats
    """(nv,) generalised acceleration [m/s^2, rad/s^2]."""
    wrench: Floats
    """(C, 6) contact wrenches in their contact frames [N, Nm]: the selected components first, the rest 0."""
    tau: Floats
    """(na,) joint torque [Nm]."""
    y_base: Floats
    """(6,) multipliers of the floating-base rows."""
    y_motion: Floats
    """(C, 6) multipliers of the contact motion rows."""
    y_cone: Floats
    """(C, MAX_CONE_ROWS) multipliers of the wrench cones."""
    y_tau: Floats
    """(na,) multipliers of the torque limits."""
    y_vdot: Floats
    """(na,) multipliers of the acceleration barriers."""
    y_inequality: Floats
    """(I + 2, 6) multipliers of the declared inequalities, row by row, then of the clearance rows; positive
    if the row is active."""
    residual: Floats
    """(7,) largest violation of each block of rows, at the indices RES_BASE to RES_INEQUALITY."""
    zmp: Floats
    """(2,) zero-moment point of the contact wrenches at the mean height of the soles, world axes [m]."""


class Arrays(NamedTuple):
    """All groups of arrays, in the order in which compiled code receives them."""

    kin: Kin
    tasks: Tasks
    rows: Rows
    contacts: Contacts
    limits: Limits
    solution: Solution
    clear: Clear
    rolling: Rolling
