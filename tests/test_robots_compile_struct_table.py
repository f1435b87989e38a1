"""Named tuples reach compiled code whole: same names, same memory, same numbers."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numba
import numpy as np
import pytest

from kilohertz.robots.compile.struct_table import StructTable


class Body(NamedTuple):
    q: np.ndarray
    support: np.ndarray
    frames: np.ndarray


class Settings(NamedTuple):
    gravity_m_s2: float
    n_joints: int
    on_points: bool


def compiled(source: str, bound: StructTable, signature: str) -> Any:
    lines = [*bound.imports, "def entry(A):", *(f"    {line}" for line in bound.lines), f"    {source}"]
    namespace: dict[str, Any] = {}
    exec("\n".join(lines), namespace)
    return numba.njit(signature)(namespace["entry"])


def test_a_row_is_an_address_and_a_shape():
    body = Body(np.arange(6.0).reshape(2, 3), np.arange(4), np.zeros((2, 4, 3)))
    table = StructTable.of({"body": body}).table
    np.testing.assert_array_equal(
        table,
        [
            [body.q.ctypes.data, 2, 3, 0],
            [body.support.ctypes.data, 4, 0, 0],
            [body.frames.ctypes.data, 2, 4, 3],
        ],
    )


def test_compiled_code_reads_and_writes_the_arrays_where_they_are():
    body = Body(np.arange(6.0).reshape(2, 3), np.arange(4), np.zeros((2, 4, 3)))
    bound = StructTable.of({"body": body})
    source = "body.frames[1, 3, 2] = body.q[1, 2] + body.support[3] + len(body.frames)"
    compiled(source, bound, "void(i8[:, ::1])")(bound.table)
    assert body.frames[1, 3, 2] == 5.0 + 3 + 2
    assert np.count_nonzero(body.frames) == 1


@pytest.mark.parametrize("gravity", [9.81, -0.0, math.inf, 5e-324])
def test_numbers_keep_their_bits_and_their_kind(gravity):
    bound = StructTable.of({"settings": Settings(gravity, -7, True)})
    source = "return (settings.gravity_m_s2, settings.n_joints // 2, settings.on_points)"
    assert numba_bits(compiled(source, bound, "(i8[:, ::1],)")(bound.table)) == numba_bits(
        (gravity, -4, True)
    )


def test_types_of_one_name_stay_apart():
    first = Body(*np.zeros((3, 1)))
    lines = StructTable.of({"body": first, "cart": body_of_a_cart()}).lines
    assert lines[0].startswith("body = Body(")
    assert lines[1].startswith("cart = Body_of_cart(")


def body_of_a_cart() -> tuple[np.ndarray]:
    class Body(NamedTuple):
        mass: np.ndarray

    return Body(np.ones(2))


def numba_bits(numbers: tuple[float, int, bool]) -> tuple[bytes, int, bool]:
    return np.float64(numbers[0]).tobytes(), numbers[1], numbers[2]


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((3, 4)).T,
        np.zeros(3, np.float32),
        np.zeros(3, bool),
        np.zeros((2, 2, 2, 2)),
        np.zeros(()),
        [1.0, 2.0],
    ],
    ids=["not contiguous", "single precision", "booleans", "four dimensions", "none", "no array"],
)
def test_a_field_that_compiled_code_cannot_read_is_refused_by_name(array):
    with pytest.raises(TypeError, match=r"body\.support is not a C-contiguous float64 or int64 array"):
        StructTable.of({"body": Body(np.zeros(1), array, np.zeros(1))})


def test_the_source_depends_on_types_and_not_on_the_numbers():
    two, three = (
        StructTable.of(
            {"body": Body(np.zeros(n), np.arange(n), np.zeros((n, 1))), "s": Settings(n, n, False)}
        )
        for n in (2, 3)
    )
    assert two.lines == three.lines
    assert two.imports == three.imports
