"""Compiled rows on the contact wrenches, in the unknowns of each solver.

A row holds six numbers for every contact slot, open or closed, of which only those count that belong to a
component that a closed contact transmits.
"""

from __future__ import annotations

from kilohertz.controller.problem.tables import Contacts
from kilohertz.robots.compile.kernels import inner_kernel
from kilohertz.robots.model.kin import Floats, Ints


@inner_kernel
def wrench_row(
    T: Floats, offset: Ints, dim: Ints, select: Ints, x0: Floats, sigma: Floats, out: Floats
) -> float:
    """Writes T on the wrenches x = x0 + sigma z as a row on z; returns its constant part."""
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
    """Writes T on the wrenches, in units of `scale`; `offset` says where each of them begins."""
    for c in range(len(offset)):
        if offset[c] >= 0:
            for t in range(contacts.dim[c]):
                out[offset[c] + t] = T[6 * c + contacts.select[c, t]] * scale


@inner_kernel
def wrench_row_value(T: Floats, contacts: Contacts, wrench: Floats) -> float:
    """T times the wrenches of a solution."""
    total = 0.0
    for c in range(len(contacts.offset)):
        if contacts.offset[c] >= 0:
            for t in range(contacts.dim[c]):
                total += T[6 * c + contacts.select[c, t]] * wrench[c, t]
    return total
