"""Every row has the rank and the weight of its block."""

import numpy as np
from constructed_conflicts import body_of

from kilohertz.controller.problem.ranks import BLOCKS, COMFORT, FORCE_UNIT, SAFETY, WEIGHT
from kilohertz.controller.problem.tables import MAX_CONE_ROWS
from kilohertz.controller.qp.giving_rows import COUNTED, FIRST_MOTION, NEVER
from kilohertz.robots.model.gravity import GRAVITY_M_S2


def test_ranks_and_weights_are_those_of_the_blocks():
    body = body_of("g1")
    g, na, contacts = body.giving, body.robot.na, body.arrays.contacts
    counted, motion = int(g.size[COUNTED]), int(g.size[FIRST_MOTION])
    cones = counted - 2 * na
    assert (g.rank[cones:counted] == SAFETY).all()
    assert (g.weight[cones : cones + na] == NEVER).all()
    assert (g.weight[cones + na : counted] == BLOCKS["barrier"].weight).all()
    assert (g.weight[motion:] == BLOCKS["motion"].weight).all()
    weight_N = GRAVITY_M_S2 * body.robot.mass_kg
    for c in range(len(contacts.dim)):
        rows = slice(c * MAX_CONE_ROWS, c * MAX_CONE_ROWS + int(contacts.n_rows[c]))
        assert (g.rank[rows] == [SAFETY] * (int(contacts.n_rows[c]) - 1) + [COMFORT]).all()
        assert (g.weight[rows][:-1] == NEVER).all()
        np.testing.assert_allclose(g.weight[rows][-1], BLOCKS["load"].weight / (FORCE_UNIT * weight_N))


def test_inequalities_have_the_rank_that_they_declare():
    body = body_of("g1")
    counted = int(body.giving.size[COUNTED])
    for i, inequality in enumerate(body.inequalities):
        at = counted + 6 * i
        assert body.giving.rank[at] == (SAFETY if inequality.rank == "safety" else COMFORT)
        assert 0.5 * WEIGHT[inequality.rank] <= body.giving.weight[at] <= WEIGHT[inequality.rank]
