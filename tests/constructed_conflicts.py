"""Constructs problems whose rows contradict each other, and judges explanations by linear programs.

Run by hand for many of them: `python tests/constructed_conflicts.py 1000`. The rows are read from the shared
tables and written in the full unknowns (vdot, wrenches), which no solver here uses.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from bodies import BARRIER, CONTACT, ask, balance_tasks, random_state, robot
from scipy.optimize import linprog

from kilohertz.controller.problem.ranks import SAFETY
from kilohertz.controller.problem.tables import (
    COST_ROWS,
    INEQUALITY_ROWS,
    MAX_CONE_ROWS,
    MOMENTUM,
    MOTION,
    WRENCH,
)
from kilohertz.controller.qp.giving_rows import COUNTED, FIRST_MOTION, FOUGHT, NEVER
from kilohertz.controller.qp.momentum_map import momentum_column
from kilohertz.controller.whole_body.whole_body import Inequality, WholeBody

FORCE_N = 10.0
"""Unit of the wrench unknowns in the linear programs."""
BENT = 1e-3
"""A row is bent if it is violated by more [unit of the row]."""
FEASIBLE = 1e-7
"""A set of scaled rows is satisfiable if the sum of its violations can be smaller than this."""
UP = [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]


@functools.cache
def body_of(name: str) -> WholeBody:
    """Returns a controller with inequalities of several kinds, far away until a conflict is constructed."""
    model = robot(name)
    hand, joint = model.hands[0], model.joint_names[3]
    frame = str(model.pin_model.frames[hand.frame_id].name)
    given = [
        Inequality("low", "frame_coordinate", "at_most", UP, [100, 20], frame),
        Inequality("high", "frame_coordinate", "at_least", UP, [100, 20], frame),
        Inequality("bent", "joint", "at_least", [0, 0, 0], [100, 20], joint),
        Inequality(
            "wall", "frame_coordinate", "at_least", [1.0, *UP[3:], 0, 0], [100, 20], frame, rank="safety"
        ),
    ]
    if model.floating:
        given += [
            Inequality("com/bound", "com", "at_least", [0] * 9, [60] * 3 + [15] * 3),
            Inequality("share", "force_share", "at_most", [1.0], (), model.contact_names[0]),
        ]
    body = WholeBody(model, balance_tasks(model), CONTACT, BARRIER, "exact", None, given)
    for closed in (list(model.contact_names), list(model.contact_names)[:1]):
        body.prepare(closed, [task.name for task in body.declared])
    return body


class Conflict:
    """One constructed problem: random state, references and rows that contradict each other, or nearly so.

    Attributes:
        body: the controller; its tables hold the problem.
        kinds: what was constructed.
    """

    def __init__(self, name: str, seed: int) -> None:
        self.body = body = body_of(name)
        self.rng = rng = np.random.default_rng(seed)
        model, limits = body.robot, body.arrays.limits
        limits.tau[:] = model.torque_limit_Nm
        names = list(model.contact_names) if rng.random() < 0.7 else list(model.contact_names)[:1]
        body.set_mode(names, [task.name for task in body.declared])
        body.update(*random_state(model, rng, 0.1, 0.3))
        ask(body, rng, 3.0)
        self._no_bounds()
        kinds = [self._hand, self._joint, self._wall, self._motors]
        if model.floating:
            kinds += [self._load, self._weak_legs, self._com, self._leg, self._share]
        picked = rng.choice(len(kinds), 1 + (rng.random() < 0.3), replace=False)
        self.kinds = [kinds[i].__name__[1:] for i in picked]
        for i in picked:
            kinds[i]()
        body.reset()

    def resolve(self) -> None:
        """Takes the conflict away: the state and the references stay."""
        body = self.body
        body.arrays.limits.tau[:] = body.robot.torque_limit_Nm
        body.update(body.arrays.kin.q.copy(), body.arrays.kin.v.copy())
        self._no_bounds()

    def solved_alone(self) -> Any:
        """Returns the torque of this problem, solved without a memory of other ticks."""
        body = self.body
        kept, size = [array.copy() for array in body.solution], body.giving.size.copy()
        gave = body.exact._gave
        body.reset()
        body.assemble()
        assert body.solve()
        tau = body.solution.tau.copy()
        for array, old in zip(body.solution, kept, strict=True):
            array[:] = old
        body.giving.size[:], body.exact._gave = size, gave
        return tau

    def _no_bounds(self) -> None:
        body = self.body
        for contact in body.robot.contact_names:
            body.set_force_limits(contact, CONTACT.min_force_N, CONTACT.max_force_N)
        for inequality in body.inequalities:
            ref = body.reference(inequality.name)
            if inequality.kind == "frame_coordinate":
                ref[3:] = 1e3 if inequality.side == "at_most" else -1e3, 0.0, 0.0
            elif inequality.kind == "joint":
                ref[:] = -1e3, 0.0, 0.0
            elif inequality.kind == "com":
                ref[:] = 0.0
                ref[:3] = body.arrays.kin.p_WC - 1e3
            else:
                ref[:] = 1.0

    def _accelerate(self, name: str, m_s2: float) -> None:
        """Bounds the coordinate of a frame inequality by this acceleration in this state."""
        body, ref, kin = self.body, self.body.reference(name), self.body.arrays.kin
        given = body.inequalities[body.task_index[name] - len(body.declared)]
        f, direction = body.frame_index[str(given.frame)], ref[:3]
        ref[3], ref[4] = direction @ kin.p[f], direction @ (kin.R[f] @ kin.vel[f, :3])
        ref[5] = m_s2

    def _hand(self) -> None:
        middle, apart = 3.0 * self.rng.normal(), self.rng.uniform(0.1, 20.0)
        self._accelerate("low", middle - apart)
        self._accelerate("high", middle + apart)

    def _wall(self) -> None:
        self._accelerate("wall", self.rng.uniform(50.0, 1500.0))

    def _joint(self) -> None:
        ref, kin, model = self.body.reference("bent"), self.body.arrays.kin, self.body.robot
        j = model.joint_names.index(str(self.body.inequalities[2].frame))
        ref[:] = kin.q[model.nq_base + j], kin.v[model.n_base + j], self.rng.uniform(200.0, 1500.0)

    def _motors(self) -> None:
        """Some joints near their range, with drives too weak to stop them: safety rows alone."""
        limits, rng = self.body.arrays.limits, self.rng
        for j in rng.choice(self.body.robot.na, 1 + rng.integers(3), replace=False):
            limits.tau[j] *= 0.02
            accel = rng.uniform(100.0, 300.0)
            if rng.random() < 0.5:
                limits.vdot_lower[j], limits.vdot_upper[j] = accel, 400.0
            else:
                limits.vdot_lower[j], limits.vdot_upper[j] = -400.0, -accel

    def _load(self) -> None:
        weight = self.body.robot.mass_kg * 9.81
        for contact in self.body.robot.contact_names:
            self.body.set_force_limits(contact, self.rng.uniform(1.5, 4.0) * weight, 5.0 * weight)

    def _weak_legs(self) -> None:
        limits, rng, model = self.body.arrays.limits, self.rng, self.body.robot
        for name in model.joint_names:
            if "knee" in name or "ankle" in name:
                limits.tau[model.joint_names.index(name)] *= rng.uniform(0.0, 0.03)
        for contact in model.contact_names:
            self.body.set_force_limits(contact, 0.6 * model.mass_kg * 9.81, 3000.0)

    def _com(self) -> None:
        self.body.reference("com/bound")[6:] = self.rng.normal(size=3) * self.rng.uniform(5.0, 40.0)
        self.body.reference("com/bound")[:6] = np.r_[self.body.arrays.kin.p_WC, self.body.arrays.kin.v_WC]

    def _leg(self) -> None:
        """Every joint of one leg must accelerate, so the foot must, too: safety rows alone."""
        limits, model = self.body.arrays.limits, self.body.robot
        for j, name in enumerate(model.joint_names):
            if name.startswith("left_") and any(part in name for part in ("hip", "knee", "ankle")):
                accel = self.rng.uniform(-150.0, 150.0)
                limits.vdot_lower[j], limits.vdot_upper[j] = accel, accel + 5.0

    def _share(self) -> None:
        model = self.body.robot
        self.body.reference("share")[:] = 0.3
        self.body.set_force_limits(model.contact_names[0], 0.6 * model.mass_kg * 9.81, 3000.0)


class Row:
    """A row a x >= b on x = (vdot, wrenches / FORCE_N), or a x = b, with its rank and weight."""

    def __init__(self, a: Any, b: float, equal: bool, rank: int, weight: float) -> None:
        size = np.linalg.norm(a)
        self.a, self.b, self.size = a / size, b / size, size
        self.equal, self.rank, self.weight = equal, rank, weight


class Rows:
    """All rows of a controller's present problem, by the numbers by which the solver tells contradictions.

    Attributes:
        base: equations of motion of the base, which always hold: (A, b).
        rows: row by number.
    """

    def __init__(self, body: WholeBody) -> None:
        self.body = body
        kin, contacts = body.arrays.kin, body.arrays.contacts
        self.nv, nb = body.robot.nv, body.robot.n_base
        self.closed = [c for c in range(len(contacts.dim)) if contacts.offset[c] >= 0]
        self.at = {c: self.nv + int(contacts.offset[c]) for c in self.closed}
        self.n = self.nv + sum(int(contacts.dim[c]) for c in self.closed)
        dynamics = np.zeros((self.nv, self.n))
        dynamics[:, : self.nv] = kin.M
        for c in self.closed:
            dim = int(contacts.dim[c])
            J = kin.J[contacts.frame[c], contacts.select[c, :dim]]
            dynamics[:, self.at[c] : self.at[c] + dim] = -FORCE_N * J.T
        scale = np.linalg.norm(dynamics[:nb], axis=1)
        self.base = dynamics[:nb] / scale[:, None], -kin.h[:nb] / scale
        self.torque = dynamics[nb:], kin.h[nb:]
        self.rows = {number: row for number, row in self._all()}

    def _all(self) -> Iterator[tuple[int, Row]]:
        body, g = self.body, self.body.giving
        counted, first_motion, na = int(g.size[COUNTED]), int(g.size[FIRST_MOTION]), body.robot.na
        limits, contacts, kin, nb = (
            body.arrays.limits,
            body.arrays.contacts,
            body.arrays.kin,
            body.robot.n_base,
        )

        def both(index: int, a: Any, lower: float, upper: float) -> Iterator[tuple[int, Row]]:
            rank, weight = int(g.rank[index]), float(g.weight[index])
            yield -(1 + index), Row(a, lower, False, rank, weight)
            yield 1 + index, Row(-a, -upper, False, rank, weight)

        for c in self.closed:
            dim, f = int(contacts.dim[c]), int(contacts.frame[c])
            for t in range(dim):
                if contacts.implied[c, t]:
                    continue
                a, s, index = np.zeros(self.n), contacts.select[c, t], first_motion + 6 * c + t
                a[: self.nv] = kin.J[f, s]
                b = -contacts.damping_per_s[c] * kin.vel[f, s] - kin.drift[f, s]
                yield -(1 + index), Row(a, b, True, int(g.rank[index]), float(g.weight[index]))
            for r in range(int(contacts.n_rows[c])):
                a = np.zeros(self.n)
                a[self.at[c] : self.at[c] + dim] = FORCE_N * contacts.cone[c, r, :dim]
                yield from both(c * MAX_CONE_ROWS + r, a, contacts.lower[c, r], contacts.upper[c, r])
        A, h = self.torque
        for j in range(na):
            yield from both(counted - 2 * na + j, A[j], -limits.tau[j] - h[j], limits.tau[j] - h[j])
            a = np.zeros(self.n)
            a[nb + j] = 1.0
            yield from both(counted - na + j, a, limits.vdot_lower[j], limits.vdot_upper[j])
        yield from self._inequalities(counted)

    def _inequalities(self, counted: int) -> Iterator[tuple[int, Row]]:
        body, rows, kin, contacts = (
            self.body,
            self.body.arrays.rows,
            self.body.arrays.kin,
            self.body.arrays.contacts,
        )
        first, column = int(rows.size[COST_ROWS]), np.zeros(6)
        for r in range(first, first + int(rows.size[INEQUALITY_ROWS])):
            if rows.w[r] == 0.0:
                continue
            a, b, space = np.zeros(self.n), float(rows.b[r]), rows.space[r]
            if space == MOTION:
                a[: self.nv] = rows.T[r, : self.nv]
            elif space == MOMENTUM:
                b += rows.T[r, 2] * body.robot.mass_kg * 9.81
            for c in self.closed if space in (MOMENTUM, WRENCH) else ():
                for t in range(int(contacts.dim[c])):
                    s = int(contacts.select[c, t])
                    momentum_column(kin, int(contacts.frame[c]), s, column)
                    a[self.at[c] + t] = FORCE_N * (
                        rows.T[r, :6] @ column if space == MOMENTUM else rows.T[r, 6 * c + s]
                    )
            index = counted + int(rows.task[r])
            yield (
                -(1 + index),
                Row(
                    -rows.w[r] * a,
                    -rows.w[r] * b,
                    False,
                    int(body.giving.rank[index]),
                    float(body.giving.weight[index]),
                ),
            )

    def least(
        self, numbers: Any, weights: Any = None, spared: dict[int, float] | None = None
    ) -> tuple[float, Any]:
        """Returns the least weighted sum of violations of rows scaled to length 1, and the violations."""
        rows = [self.rows[number] for number in numbers]
        m, n = len(rows), self.n
        w = np.ones(m) if weights is None else np.asarray(weights, float)
        equal = [i for i, row in enumerate(rows) if row.equal]
        A_ub = np.zeros((m + len(equal), n + m))
        b_ub = np.zeros(m + len(equal))
        for i, row in enumerate(rows):
            A_ub[i, :n], A_ub[i, n + i] = -row.a, -1.0
            b_ub[i] = -row.b + (spared or {}).get(numbers[i], 0.0) / row.size
        for k, i in enumerate(equal):
            A_ub[m + k, :n], A_ub[m + k, n + i], b_ub[m + k] = rows[i].a, -1.0, rows[i].b
            b_ub[m + k] += (spared or {}).get(numbers[i], 0.0) / rows[i].size
        A, b = self.base
        tight = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
        for method, options in (("highs-ds", tight), ("highs", {}), ("highs-ipm", {})):
            found = linprog(
                np.r_[np.zeros(n), w],
                A_ub, b_ub, np.hstack([A, np.zeros((len(A), m))]) if len(A) else None, b if len(b) else None,
                [(None, None)] * n + [(0, None)] * m, method=method, options=options,
            )  # fmt: skip
            if found.status == 0:
                break
        assert found.status == 0, found.message
        return float(found.fun), found.x[n:]

    def violations(self) -> dict[int, float]:
        """Returns the violation of each row by the controller's solution, in the row's own unit."""
        solution, contacts = self.body.solution, self.body.arrays.contacts
        x = np.zeros(self.n)
        x[: self.nv] = solution.vdot
        for c in self.closed:
            x[self.at[c] : self.at[c] + int(contacts.dim[c])] = (
                solution.wrench[c, : contacts.dim[c]] / FORCE_N
            )
        missed = {}
        for number, row in self.rows.items():
            off = row.b - row.a @ x
            missed[number] = float(abs(off) if row.equal else max(off, 0.0)) * row.size
        return missed


def irreducible(rows: Rows, fought: list[int]) -> bool:
    """Returns True if these rows contradict each other and, without any one of them, the others do not."""
    if rows.least(fought)[0] < FEASIBLE:
        return False
    return all(rows.least([n for n in fought if n != left])[0] < FEASIBLE for left in fought)


def told_rows(body: WholeBody) -> list[int]:
    """Returns the numbers of the rows that the controller says contradict each other."""
    body.exact.find_contradiction()
    return [int(number) for number in body.giving.fought[: body.giving.size[FOUGHT]]]


@dataclass(frozen=True)
class Verdict:
    """What became of one conflict.

    Attributes:
        solved: whether the softened solution was accepted.
        irreducible: whether the rows that were named are an irreducible conflicting set.
        fought: number of rows that were named.
        bent: number of rows that the solution violates.
        bent_by_lp: number of rows that the least weighted violation violates.
        safety_conflicts: whether the safety rows alone contradict each other.
        safety_bent: whether the solution violates a safety row.
        never_bent: whether the solution keeps every row that never gives.
        iterations: steps of the solver, in the tick that met the conflict.
        warm_iterations: steps of the solver in the next tick of the same conflict.
    """

    solved: bool
    irreducible: bool
    fought: int
    bent: int
    bent_by_lp: int
    safety_conflicts: bool
    safety_bent: bool
    never_bent: bool
    iterations: int
    warm_iterations: int


def judge(conflict: Conflict) -> Verdict | None:
    """Solves a conflict and judges the result; None if its rows do not contradict each other after all."""
    body = conflict.body
    body.assemble()
    if body.solve():
        return None
    solved, iterations = body.solve_softened(), 0
    iterations = body.iterations
    rows = Rows(body)
    fought, missed = told_rows(body), rows.violations()
    numbers = list(rows.rows)
    bent = [number for number in numbers if missed[number] > BENT]
    safety = [number for number in numbers if rows.rows[number].rank == SAFETY]
    weights = [min(rows.rows[n].weight, 1e12) * rows.rows[n].size * 1e-4 for n in numbers]
    least = rows.least(numbers, weights)[1]
    by_lp = [n for n, missing in zip(numbers, least, strict=True) if missing * rows.rows[n].size > BENT]
    body.assemble()
    assert not body.solve()
    assert body.solve_softened()
    return Verdict(
        solved=solved,
        irreducible=irreducible(rows, fought),
        fought=len(fought),
        bent=len(bent),
        bent_by_lp=len(by_lp),
        safety_conflicts=rows.least(safety)[0] >= FEASIBLE,
        safety_bent=any(number in safety for number in bent),
        never_bent=all(rows.rows[number].weight < NEVER for number in bent),
        iterations=iterations,
        warm_iterations=body.iterations,
    )


def robot_of(seed: int) -> str:
    """Every fourth conflict is that of an arm."""
    return "panda" if seed % 4 == 3 else "g1"


def verdicts(seeds: range) -> list[Verdict]:
    """Returns the verdicts of the conflicts of these seeds."""
    found = (judge(Conflict(robot_of(seed), seed)) for seed in seeds)
    return [verdict for verdict in found if verdict is not None]


def main() -> None:
    """Prints figures of many conflicts."""
    wanted, every, seed = int(sys.argv[1]), [], int(sys.argv[2]) if len(sys.argv) > 2 else 0
    while len(every) < wanted:
        every += verdicts(range(seed, seed + 20))
        seed += 20
    every = every[:wanted]
    share = sum(v.irreducible for v in every) / wanted
    print(f"{wanted} conflicts, {seed} problems constructed")
    print(f"solved {sum(v.solved for v in every)}, irreducible sets named {100 * share:.1f} %")
    alone = [v for v in every if not v.safety_conflicts]
    print(f"safety could hold in {len(alone)}, was bent in {sum(v.safety_bent for v in alone)} of them")
    print(f"rows that never give bent in {sum(not v.never_bent for v in every)}")
    print(f"rows named {np.mean([v.fought for v in every]):.1f}")
    print("rows bent", np.bincount([v.bent for v in every]).tolist())
    print("rows bent by the linear program", np.bincount([v.bent_by_lp for v in every]).tolist())
    print(f"more than that {sum(v.bent > v.bent_by_lp for v in every)}")
    print(f"iterations {np.mean([v.iterations for v in every]):.1f}, ", end="")
    print(f"in the next tick {np.mean([v.warm_iterations for v in every]):.2f}")


if __name__ == "__main__":
    main()
