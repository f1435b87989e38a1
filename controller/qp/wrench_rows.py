"""Compiled conversion of rows on the contact wrenches to the unknowns of each solver.

A row has six numbers for every contact slot, open or closed. Only the numbers of components that a closed
contact transmits are used.
"""

from __future__ import annotations

from kilohertz.controller.problem.tables import Contacts
from kilohertz.robots.compile.kernels import inner_kernel
from kilohertz.robots.model.kin import Floats, Ints


@inner_kernel
def wrench_row(
    T: Floats, offset: Ints, dim: Ints, select: Ints, x0: Floats, sigma: Floats, out: Floats
) -> float:
    """Converts row T on the wrenches x = x0 + sigma z to a row on z in out; returns the constant part."""
    constant = 0.0
    for c in range(len(offset)):
        if offset[c] >= 0:
            for t in range(dim[c]):
                i = offset[c] + t
                a = T[6 * c + select[c, t]]
                out[i] = a * sigma[i]
                constant += a * x0[i]
    return constant


@inner_kernel
def scaled_wrench_row(T: Floats, contacts: Contacts, offset: Ints, scale: float, out: Floats) -> None:
    """Converts row T to wrench unknowns in units of `scale`; `offset` is the first column of each contact."""
    for c in range(len(offset)):
        if offset[c] >= 0:
            for t in range(contacts.dim[c]):
                out[offset[c] + t] = T[6 * c + contacts.select[c, t]] * scale


@inner_kernel
def wrench_row_value(T: Floats, contacts: Contacts, wrench: Floats) -> float:
    """Returns the value of row T for the wrenches of a solution."""
    total = 0.0
    for c in range(len(contacts.offset)):
        if contacts.offset[c] >= 0:
            for t in range(contacts.dim[c]):
                total += T[6 * c + contacts.select[c, t]] * wrench[c, t]
    return total
