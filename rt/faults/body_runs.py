"""Runs of the faults that strike the whole-body problem and the body: what is asked cannot be had."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from kilohertz.controller.qp.osqp_backend import OsqpSettings
from kilohertz.controller.safety.ladder import SOFTENED, SOLVED
from kilohertz.controller.whole_body.explain import missed_rows
from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.rows import Vector
from kilohertz.rt.faults.body_bench import BodyBench
from kilohertz.rt.faults.link_runs import Outcome
from kilohertz.rt.faults.sensor_runs import standing_biped
from kilohertz.sim.scenario import trunk_link
from kilohertz.sim.scenario_schema import Event, Scenario

ARM = "panda"
EXPLAIN_MS = 10.0
SOLVE_MS = 1.0
LARGEST = 1e6
WORST_PERCENT = 99.0
OVERSHOOT_RAD = 0.01
LIMIT_TICKS = 150
BALANCED = 2e-3
FALL_TICKS = 2500
NOTICED_MS = 10
TILT_DEG, CAPTURE_LOST_TICKS = 45.0, 100
ROUNDING_NM = 1e-9
_STEPPED = {"com": 9, "posture": 6, "angular_momentum": 3}
"""How much of the references of a task are places, speeds and accelerations; what follows are weights."""


class _Steps:
    """Watches what a controller commands, tick by tick: finite, and no step beyond the guard's.

    Args:
        bench: the robot.
    """

    def __init__(self, bench: BodyBench) -> None:
        self._bench = bench
        self._before: Vector | None = None
        self.worst = 0.0
        self.wild = 0

    def __call__(self, k: int) -> None:
        command = self._bench.output.command.data
        self.wild += not (np.isfinite(command).all() and np.abs(command[2:]).max() <= LARGEST)
        tau = self._bench.output.tau.copy()
        if self._before is not None:
            step = (np.abs(tau - self._before) - ROUNDING_NM) / self._bench.step_limit_Nm
            self.worst = max(self.worst, float(step.max()))
        self._before = tau

    def forget(self) -> None:
        """The next torque starts anew: the robot has been armed again."""
        self._before = None


def _stand_again(bench: BodyBench, steps: _Steps) -> None:
    """Puts a robot that has given up back on its feet."""
    if not bench.active or bench.simulated.fell:
        bench.place()
        steps.forget()


def f08_no_solution(n: int) -> Outcome:
    """Asks for loads, torques and joint limits that contradict each other, and takes the solver away."""
    bench = standing_biped()
    bench.place()
    body, rng = bench.brain.body, bench.rng
    steps, slowest_ms, unnamed, reached = _Steps(bench), 0.0, 0, set()
    for _ in range(n):
        kind = int(rng.integers(4))
        with _contradiction(bench, kind):
            for k in range(int(rng.integers(1, 40))):
                bench.tick()
                steps(k)
                reached.add(bench.output.rung)
                if bench.output.rung == SOFTENED:
                    start_ns = time.thread_time_ns()
                    missed_rows(body)
                    slowest_ms = max(slowest_ms, (time.thread_time_ns() - start_ns) * 1e-6)
                    unnamed += not bench.output.missed
        bench.run(20, steps)
        _stand_again(bench, steps)
    text = (
        f"{steps.wild} commands not finite or beyond 1e6, largest step {steps.worst:.2f} of what is allowed, "
        f"rungs {', '.join(map(str, sorted(reached)))}, rows named within {slowest_ms:.1f} ms"
    )
    safe = steps.wild == 0 and steps.worst <= 1.0 and unnamed == 0
    return Outcome(n, text, safe and slowest_ms <= EXPLAIN_MS, safe)


@contextmanager
def _contradiction(bench: BodyBench, kind: int) -> Iterator[None]:
    """For as long as it lasts, no torque does all that is asked."""
    body = bench.brain.body
    contacts, limits = body.arrays.contacts, body.arrays.limits
    arrays = (contacts.lower, contacts.upper, limits.tau, limits.position_lower, limits.position_upper)
    before = [array.copy() for array in arrays]
    weight_N = bench.robot.mass_kg * GRAVITY_M_S2
    joint = int(bench.rng.integers(bench.robot.na))
    if kind == 0:
        for name in bench.robot.contact_names:
            body.set_force_limits(name, 3.0 * weight_N, 4.0 * weight_N)
    elif kind == 1:
        limits.tau[:] *= 0.02
    elif kind == 2:
        q = float(body.arrays.kin.q[bench.robot.nq_base + joint])
        limits.position_lower[joint], limits.position_upper[joint] = q + 0.5, q - 0.5
    else:
        body.solve = body.solve_softened = _no_solution  # type: ignore[method-assign]
    try:
        yield
    finally:
        for array, values in zip(arrays, before, strict=True):
            array[:] = values
        if kind == 3:
            del body.solve, body.solve_softened


def _no_solution() -> bool:
    return False


def f09_slow_solver(n: int) -> Outcome:
    """Weights far apart, and a solver that may only iterate once: what it returns is checked again here."""
    bench = BodyBench("g1")
    body, rng = bench.brain.body, bench.rng
    steps, unchecked, used = _Steps(bench), 0, 0
    times_ms: list[float] = []
    solve = body.solve

    def timed() -> bool:
        start_ns = time.thread_time_ns()
        solved = solve()
        times_ms.append((time.thread_time_ns() - start_ns) * 1e-6)
        return solved

    body.solve = timed  # type: ignore[method-assign]
    usual = OsqpSettings().reweigh_after
    weights = body.arrays.tasks.weight
    kept = weights.copy()
    for i in range(n):
        _set_iterations(bench, 1 if i % 2 == 0 else usual)
        if i % 4 >= 2:
            weights[int(rng.integers(len(weights)))] *= 10.0 ** rng.uniform(-9.0, 9.0)
        for k in range(10):
            bench.tick()
            steps(k)
            if bench.output.rung == SOLVED:
                used += 1
                unchecked += not _is_balanced(bench)
        weights[:] = kept
        _set_iterations(bench, usual)
        bench.run(5, steps)
        _stand_again(bench, steps)
    worst_ms = float(np.percentile(times_ms, WORST_PERCENT))
    text = (
        f"{unchecked} of {used} solutions used that do not hold, solve {worst_ms:.2f} ms (p99), "
        f"largest step {steps.worst:.2f} of what is allowed"
    )
    safe = unchecked == 0 and steps.worst <= 1.0 and steps.wild == 0
    return Outcome(n, text, safe and worst_ms <= SOLVE_MS, safe)


def _set_iterations(bench: BodyBench, most: int) -> None:
    for problem in bench.brain.body.osqp._problems.values():
        settings = problem.solver.get_settings()
        settings.max_iter = most
        problem.solver.update_settings(settings)


def _is_balanced(bench: BodyBench) -> bool:
    """Whether torque and wrenches give the accelerations that they claim, by the equations of motion."""
    arrays, robot = bench.brain.body.arrays, bench.robot
    kin, contacts, solution = arrays.kin, arrays.contacts, arrays.solution
    force = kin.M @ solution.vdot + kin.h
    for c in range(len(contacts.offset)):
        if contacts.offset[c] >= 0:
            dim = int(contacts.dim[c])
            force -= kin.J[contacts.frame[c], contacts.select[c, :dim]].T @ solution.wrench[c, :dim]
    force[robot.n_base :] -= solution.tau
    allowed = BALANCED * robot.mass_kg * GRAVITY_M_S2
    within = np.abs(solution.tau) <= robot.torque_limit_Nm * (1.0 + 1e-3) + 1e-3
    return bool(np.abs(force).max() <= allowed and within.all())


def f11_joint_limits(n: int) -> Outcome:
    """Throws an arm's joints at their limits, all at once, and offers the guard torque out there.

    The arm meets neither the ground nor itself: what a blow does to a joint is no matter of its limit.
    """
    bench = BodyBench(ARM)
    touchable = bench.simulated.world.model
    touchable.geom_contype[:] = touchable.geom_conaffinity[:] = 0
    robot, body, rng = bench.robot, bench.brain.body, bench.rng
    posture = body.reference("posture")
    low, high = robot.position_lower_rad, robot.position_upper_rad
    overshoot = -np.inf
    steps = _Steps(bench)

    def look(k: int) -> None:
        nonlocal overshoot
        steps(k)
        q = bench.simulated.truth.q
        overshoot = max(overshoot, float(np.maximum(low - q, q - high).max()))

    upwards = rng.random(robot.na) < 0.5
    for hand in robot.hand_names:
        body.weight(hand)[:] = 0.0
    for _ in range(n):
        # Most joints stay pressed against where they are; crossing their range takes a second.
        upwards ^= rng.random(robot.na) < 0.1
        beyond = rng.uniform(0.0, 1.0, robot.na)
        posture[: robot.na] = np.where(upwards, high + beyond, low - beyond)
        posture[robot.na :] = 1.0
        bench.run(LIMIT_TICKS, look)
        _stand_again(bench, steps)
    outward = _outward_torques(bench, n)
    text = f"overshoot {overshoot:.4f} rad, {outward} torques outwards of {n}"
    passed = overshoot <= OVERSHOOT_RAD and outward == 0 and steps.worst <= 1.0
    return Outcome(n, text, passed, passed)


def _outward_torques(bench: BodyBench, n: int) -> int:
    """How often the guard lets a torque pass that drives a joint further out."""
    guard, robot, rng = bench.brain._guard, bench.robot, bench.rng
    outward = 0
    for _ in range(n):
        below = rng.random(robot.na) < 0.5
        off = rng.uniform(2.0 * OVERSHOOT_RAD, 1.0, robot.na)
        q = np.where(below, robot.position_lower_rad - off, robot.position_upper_rad + off)
        tau = rng.uniform(-1.0, 1.0, robot.na) * robot.torque_limit_Nm
        guard.reset()
        guard.apply(tau, q)
        outward += bool((np.where(below, tau, -tau) < 0.0).any())
    return outward


def f12_torque_spike(n: int) -> Outcome:
    """Steps of weights and references, a thousandfold and metres wide, between two ticks."""
    benches = [standing_biped(), BodyBench(ARM)]
    worst = wild = 0.0
    for bench in benches:
        bench.place()
        body, rng = bench.brain.body, bench.rng
        steps = _Steps(bench)
        assemble = body.assemble
        references = [body.reference(name)[: _STEPPED.get(name, 0)] for name in body.task_index]
        offsets = [np.zeros_like(reference) for reference in references]

        def spiked(assemble=assemble, references=references, offsets=offsets) -> None:  # type: ignore[no-untyped-def]
            before = [reference.copy() for reference in references]
            for reference, offset in zip(references, offsets, strict=True):
                reference += offset
            assemble()
            for reference, values in zip(references, before, strict=True):
                reference[:] = values

        body.assemble = spiked  # type: ignore[method-assign]
        weights = body.arrays.tasks.weight
        kept = weights.copy()
        for _ in range(n // len(benches)):
            weights *= 10.0 ** rng.uniform(-3.0, 3.0, weights.shape)
            for offset in offsets:
                offset[:] = rng.normal(size=offset.size) * (rng.random() < 0.5)
            bench.run(5, steps)
            weights[:] = kept
            for offset in offsets:
                offset[:] = 0.0
            bench.run(10, steps)
            _stand_again(bench, steps)
        del body.assemble
        worst, wild = max(worst, steps.worst), wild + steps.wild
    text = f"largest step {worst:.3f} of what is allowed, {wild:g} commands not finite"
    passed = worst <= 1.0 and wild == 0
    return Outcome(n, text, passed, passed)


def f15_fall(n: int) -> Outcome:
    """Pushes of 5 to 200 Ns from all sides."""
    bench = standing_biped()
    late_ms, fastest, limp, falls, woke = 0, 0.0, 0, 0, 0
    for i in range(n):
        impulse = 5.0 * 40.0 ** ((i + 1) / n)
        bench.place(_pushed(bench, impulse, bench.rng.uniform(0.0, 2.0 * np.pi)), seed=i)
        watch = _FallWatch(bench)
        bench.run(FALL_TICKS, watch)
        falls += bench.simulated.fell
        late_ms = max(late_ms, watch.late_ms)
        fastest = max(fastest, watch.fastest)
        limp += watch.limp
        woke += watch.woke
    text = (
        f"{falls} falls, noticed {late_ms} ms after the condition at the latest, joint speed on the way "
        f"down up to {fastest:.2f} of the limit, {limp} ticks limp, {woke} commanded again"
    )
    safe = late_ms <= NOTICED_MS and limp == 0 and woke == 0
    return Outcome(n, text, safe and fastest <= 1.0, safe)


def _pushed(bench: BodyBench, impulse_Ns: float, angle: float) -> Scenario:
    way = [impulse_Ns * np.cos(angle), impulse_Ns * np.sin(angle), 0.0]
    push = {"link": trunk_link(bench.robot), "impulse_Ns": way, "duration_s": 0.1}
    event = Event.model_validate({"at_s": 0.2, "push": push})
    return bench.scenario.model_copy(update={"events": (event,)})


class _FallWatch:
    """Sees a fall in the simulator's truth, and what the controller makes of it.

    Args:
        bench: the robot.
    """

    def __init__(self, bench: BodyBench) -> None:
        self._bench = bench
        self._lost_ticks = self._fallen_ticks = 0
        self._damped = False
        height_m = float(bench.simulated.truth.p_WC[2] - bench.simulated.truth.p_WF[:, 2].min())
        self._omega = np.sqrt(GRAVITY_M_S2 / height_m)
        self.late_ms = self.limp = self.woke = 0
        self.fastest = 0.0

    def __call__(self, k: int) -> None:
        bench, truth = self._bench, self._bench.simulated.truth
        offset = truth.p_WC[:2] - truth.p_WF[:, :2].mean(axis=0) + truth.v_WC[:2] / self._omega
        out = np.abs(offset) > np.ptp(truth.p_WF[:, :2], axis=0) / 2.0 + 0.5
        self._lost_ticks = self._lost_ticks + 1 if out.any() else 0
        x, y = truth.q[3:5]
        fallen = 1.0 - 2.0 * (x * x + y * y) < np.cos(np.radians(TILT_DEG))
        fallen |= self._lost_ticks >= CAPTURE_LOST_TICKS
        self._fallen_ticks += bool(fallen)
        if bench.output.state != "damping":
            self.woke += self._damped
            self.late_ms = max(self.late_ms, self._fallen_ticks)
            return
        self._damped = True
        command = bench.output.command
        self.limp += not (command.kd > 0.0).all()
        if bench.simulated.fell:
            # What the ground does to an arm that hits it is no motion of ours.
            return
        speed = np.abs(truth.v[bench.robot.n_base :]) / bench.robot.velocity_limit_rad_s
        self.fastest = max(self.fastest, float(speed.max()))
