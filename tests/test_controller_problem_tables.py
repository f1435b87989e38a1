"""Table rows give compiled code the address and shape of each array."""

import numpy as np
import pytest
from bodies import robot, whole_body

from kilohertz.controller.problem.tables import Arrays
from kilohertz.robots.compile.struct_table import StructTable


@pytest.mark.parametrize("name", ["g1", "panda"])
def test_the_arrays_keep_their_address_through_a_tick(name):
    body = whole_body(robot(name))
    groups = body.arrays._asdict()
    assert tuple(groups) == Arrays._fields
    before = StructTable.of(groups).table
    body.update(np.array(body.robot.q_nominal), np.zeros(body.robot.nv))
    body.assemble()
    body.solve()
    np.testing.assert_array_equal(StructTable.of(body.arrays._asdict()).table, before)
