"""Checks that the rows of a log have the fields that the log's header promises."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np

from kilohertz.robots.model.hand_model import WRENCH
from kilohertz.robots.model.rows import CommandRow, OutsideRow, SensorRow
from kilohertz.rt.log.header import LogHeader
from kilohertz.rt.log.row import STAMPS

_INTEGERS = (
    "tick",
    "request",
    "gains_generation",
    "state",
    "rung",
    "qp_iterations",
    "behaviour",
    "behaviour_state",
)


def problem_of_rows(row: np.dtype[Any], header: LogHeader, needed: Collection[str] = ()) -> str:
    """Compares the fields of a log's rows with those of the robot in its header.

    Args:
        row: type of the rows.
        header: header of the log.
        needed: top-level fields that must be there with all that they contain; others may be missing, as in a
            log of another version.

    Returns:
        What is wrong, which continues "a log whose"; "" if nothing is.
    """
    run = "command" in (row.names or ())
    for path, kind, lengths in _run_fields(header, row) if run else _imported_fields(header, row):
        field: Any = row
        for name in path:
            field = field[name] if field is not None and name in (field.names or ()) else None
        if field is None:
            if path[0] in needed:
                return f"rows have no field '{'.'.join(path)}'"
        elif field.base != np.dtype(kind) or field.shape not in lengths:
            return f"rows have another field '{'.'.join(path)}' than its robot"
    return ""


Field = tuple[tuple[str, ...], str, tuple[tuple[int, ...], ...]]


def _vectors(group: str, *lengths: tuple[str, int]) -> Iterator[Field]:
    yield from (((group, name), "<f8", ((n,),)) for name, n in lengths if n)


def _sensors(header: LogHeader, row: np.dtype[Any]) -> Iterator[Field]:
    yield ("tick",), "<i8", ((),)
    yield from _vectors("sensors", *SensorRow(len(header.joint_names), len(header.contact_names)).fields)
    if "wrist" in (row["sensors"].names or () if "sensors" in (row.names or ()) else ()):
        measured = tuple((WRENCH * (1 + n),) for n in range(len(header.hand_names)))
        yield ("sensors", "wrist"), "<f8", measured


def _imported_fields(header: LogHeader, row: np.dtype[Any]) -> Iterator[Field]:
    yield from _sensors(header, row)
    if "truth" in (row.names or ()):
        yield from _vectors("truth", ("p_WT", 3), ("rpy_WT", 3))
    if "outside" in (row.names or ()):
        yield from _vectors("outside", ("p_VB", 3), ("rpy_VB", 3))


def _run_fields(header: LogHeader, row: np.dtype[Any]) -> Iterator[Field]:
    na, nc, nh = len(header.joint_names), len(header.contact_names), len(header.hand_names)
    yield from _sensors(header, row)
    yield from (((name,), "<i8", ((),)) for name in _INTEGERS)
    yield ("payload_kg",), "<f8", ((),)
    yield from _vectors("command", *CommandRow(na).fields)
    yield ("estimate", "q"), "<f8", ((na,), (na + 7,))
    yield ("estimate", "v"), "<f8", ((na,), (na + 6,))
    yield from _vectors("estimate", ("contact", nc))
    places = ("p_WC", "v_WC", "p_WC_des", "v_WC_des", "p_WS")
    yield from _vectors("balance", *((name, 3) for name in places), ("zmp_des", 2), ("w_F", 6 * nc))
    yield from _vectors("hands", ("p_WH_des", 3 * nh), ("hand_active", nh))
    yield from ((("stamps_ns", name), "<i8", ((),)) for name in STAMPS)
    if "w_H" in (row.names or ()):
        yield ("w_H",), "<f8", ((6 * nh,),)
    if "outside" in (row.names or ()):
        yield from _vectors("outside", *OutsideRow().fields)
