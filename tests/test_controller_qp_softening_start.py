"""The tick after a conflict starts from the rows that gave, and leaves the conflict when it is over."""

import numpy as np
from constructed_conflicts import Conflict, robot_of
from test_controller_qp_softening import judged

from kilohertz.controller.qp.giving_rows import HELD, LEVEL


def conflicts(seeds):
    for seed in seeds:
        conflict = Conflict(robot_of(seed), seed)
        conflict.body.assemble()
        if not conflict.body.solve():
            assert conflict.body.solve_softened()
            yield conflict


def test_the_next_tick_of_the_same_conflict_takes_hardly_a_step():
    assert np.mean([verdict.warm_iterations for verdict in judged()]) < 3.0


def test_the_next_tick_of_the_same_conflict_has_the_same_solution():
    for conflict in conflicts(range(30)):
        body = conflict.body
        tau, rank = body.solution.tau.copy(), int(body.giving.size[LEVEL])
        body.assemble()
        assert not body.solve()
        assert body.solve_softened()
        np.testing.assert_allclose(body.solution.tau, tau, atol=1e-2)
        assert body.giving.size[LEVEL] == rank


def test_a_conflict_that_is_over_is_solved():
    for conflict in conflicts(range(30)):
        body = conflict.body
        conflict.resolve()
        fresh = Conflict.solved_alone(conflict)
        body.assemble()
        assert body.solve()
        assert body.giving.size[HELD] == 0
        np.testing.assert_allclose(body.solution.tau, fresh, atol=1e-2)
