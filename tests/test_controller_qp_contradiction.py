"""The rows named as a contradiction are irreducible, and each of them alone could have resolved it."""

import numpy as np
from constructed_conflicts import FEASIBLE, Conflict, Rows, irreducible, robot_of, told_rows
from test_controller_qp_softening import judged

from kilohertz.controller.problem.ranks import SAFETY


def test_the_rows_that_are_named_are_an_irreducible_conflicting_set():
    assert np.mean([verdict.irreducible for verdict in judged()]) >= 0.95


def test_each_row_alone_would_have_had_to_give_as_much_as_is_told():
    checked = 0
    for seed in range(0, 40, 2):
        body = Conflict(robot_of(seed), seed).body
        body.assemble()
        if body.solve() or not body.solve_softened():
            continue
        rows, fought = Rows(body), told_rows(body)
        needed = dict(zip(fought, body.giving.needed, strict=False))
        for number in fought[:5]:
            assert rows.least(fought, spared={number: 1.001 * needed[number]})[0] < FEASIBLE
            assert rows.least(fought, spared={number: 0.9 * needed[number]})[0] >= FEASIBLE
            checked += 1
    assert checked > 20


def test_a_contradiction_of_safety_rows_is_told_first():
    told = 0
    for seed in range(40):
        body = Conflict(robot_of(seed), seed).body
        body.assemble()
        if body.solve() or not body.solve_softened():
            continue
        rows = Rows(body)
        fought = told_rows(body)
        safety = [number for number, row in rows.rows.items() if row.rank == SAFETY]
        if rows.least(safety)[0] >= FEASIBLE:
            assert set(fought) <= set(safety)
            told += irreducible(rows, fought)
    assert told > 5


def test_without_a_contradiction_nothing_is_named():
    body = Conflict("g1", 1).body
    for number in range(30):
        body = Conflict("g1", number).body
        body.assemble()
        if body.solve():
            break
    assert told_rows(body) == []
