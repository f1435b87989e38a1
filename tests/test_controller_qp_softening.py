"""Rows that contradict each other: few give, by rank, and the rest of the solution stays within bounds."""

import functools

import numpy as np
from constructed_conflicts import Conflict, Rows, robot_of, verdicts

CONFLICTS = range(130)


@functools.cache
def judged():
    return verdicts(CONFLICTS)


def test_every_conflict_has_a_solution_and_most_problems_conflict():
    assert len(judged()) >= 95
    assert all(verdict.solved for verdict in judged())


def test_safety_is_never_bent_while_comfort_can_give():
    possible = [verdict for verdict in judged() if not verdict.safety_conflicts]
    assert len(possible) > 30
    assert not any(verdict.safety_bent for verdict in possible)


def test_ground_and_motors_are_never_bent():
    assert all(verdict.never_bent for verdict in judged())


def test_as_few_rows_bend_as_the_least_violation_bends():
    more = [verdict.bent - verdict.bent_by_lp for verdict in judged()]
    assert np.mean(more) < 0.2
    assert max(more) <= 3


def test_the_same_conflict_gives_the_same_bits():
    answers = []
    for _ in range(2):
        answer = []
        for seed in range(12):
            conflict = Conflict(robot_of(seed), seed)
            body = conflict.body
            body.assemble()
            if not body.solve():
                body.solve_softened()
            answer += [body.solution.tau.copy(), body.solution.vdot.copy(), [body.iterations]]
        answers.append(np.hstack(answer))
    np.testing.assert_array_equal(*answers)


def test_multipliers_reach_their_weight_where_a_row_gives_and_nowhere_exceed_it():
    gave = 0
    for seed in range(20):
        body = Conflict(robot_of(seed), seed).body
        body.assemble()
        if body.solve():
            continue
        assert body.solve_softened()
        giving, solution = body.giving, body.solution
        na = body.robot.na
        y = np.hstack([np.abs(a).ravel() for a in (solution.y_cone, solution.y_tau, solution.y_vdot)])
        counted = len(y)
        y = np.hstack([y, solution.y_inequality.ravel(), np.abs(solution.y_motion).ravel()])
        assert (y <= giving.weight * (1.0 + 1e-6)).all()
        missed = Rows(body).violations()
        for number, size in missed.items():
            if size > 1e-3:
                assert y[abs(number) - 1] > 0.999999 * giving.weight[abs(number) - 1]
                gave += 1
        assert counted == len(giving.taken) // 2 - solution.y_inequality.size
        assert na == len(solution.y_tau)
    assert gave > 15
