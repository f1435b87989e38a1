"""Table rows give compiled code the address and shape of each array."""

from typing import NamedTuple

import numpy as np
import pytest
from bodies import robot, whole_body

from kilohertz.controller.problem.tables import Arrays, bind


class Pair(NamedTuple):
    a: np.ndarray
    b: np.ndarray


def test_a_table_row_is_an_address_and_a_shape():
    pair = Pair(np.arange(6.0).reshape(2, 3), np.arange(4))
    table, source = bind({"pair": pair})
    np.testing.assert_array_equal(table, [[pair.a.ctypes.data, 2, 3, 0], [pair.b.ctypes.data, 4, 0, 0]])
    names = {
        "A": table,
        "Pair": Pair,
        "carray": lambda pointer, shape: (pointer, shape),
        "float_pointer": lambda address: ("float", address),
        "int_pointer": lambda address: ("int", address),
    }
    exec(source.strip(), names)
    assert names["pair"].a == (("float", pair.a.ctypes.data), (2, 3))
    assert names["pair"].b == (("int", pair.b.ctypes.data), (4,))


@pytest.mark.parametrize(
    "array",
    [np.zeros((3, 4)).T, np.zeros(3, np.float32), np.zeros(3, bool), np.zeros((2, 2, 2, 2))],
    ids=["not contiguous", "single precision", "booleans", "four dimensions"],
)
def test_an_array_that_compiled_code_cannot_address_is_refused_by_name(array):
    with pytest.raises(TypeError, match=r"pair\.b is not a C-contiguous float64 or int64 array"):
        bind({"pair": Pair(np.zeros(1), array)})


@pytest.mark.parametrize("name", ["g1", "panda"])
def test_the_arrays_keep_their_address_through_a_tick(name):
    body = whole_body(robot(name))
    groups = body.arrays._asdict()
    assert tuple(groups) == Arrays._fields
    before, _ = bind(groups)
    body.update(np.array(body.robot.q_nominal), np.zeros(body.robot.nv))
    body.assemble()
    body.solve()
    np.testing.assert_array_equal(bind(body.arrays._asdict())[0], before)
