"""Injects faults of the whole-body problem and of the body, such as contradictory constraints and falls."""

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
DETECTED_MS = 10
TILT_DEG, CAPTURE_LOST_TICKS = 45.0, 100
ROUNDING_NM = 1e-9
_STEPPED = {"com": 9, "posture": 6, "angular_momentum": 3}
"""Number of reference values of a task that are positions, velocities, accelerations; then come weights."""


class _Steps:
    """Checks the commands of a controller in each tick: finite, and torque steps within the guard's limit.

    Args:
        bench: test bench of the robot.

    Attributes:
        worst: largest torque step, divided by the guard's limit.
        wild: number of commands that are not finite or beyond `LARGEST`.
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
        """Ignores the next torque step, after the robot was re-armed."""
        self._before = None


def _stand_again(bench: BodyBench, steps: _Steps) -> None:
    """Places a robot at its start if it has fallen or its controller is in damping."""
    if not bench.active or bench.simulated.fell:
        bench.place()
        steps.forget()


def f08_no_solution(n: int) -> Outcome:
    """Makes loads, torque limits or joint limits contradict each other, or makes the solver fail."""
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
        f"{steps.wild} commands not finite or beyond 1e6; largest torque step {steps.worst:.2f} of the "
        f"guard's limit; ladder rungs {', '.join(map(str, sorted(reached)))} reached; "
        f"violated rows named within {slowest_ms:.1f} ms"
    )
    safe = steps.wild == 0 and steps.worst <= 1.0 and unnamed == 0
    return Outcome(n, text, safe and slowest_ms <= EXPLAIN_MS, safe)


@contextmanager
def _contradiction(bench: BodyBench, kind: int) -> Iterator[None]:
    """Makes the whole-body problem infeasible for the duration of a `with` block."""
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
    """Sets extreme weights, or limits the solver to one iteration; accepted solutions are checked again."""
    bench = BodyBench("g1")
    body, rng = bench.brain.body, bench.rng
    steps, violating, used = _Steps(bench), 0, 0
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
                violating += not _is_balanced(bench)
        weights[:] = kept
        _set_iterations(bench, usual)
        bench.run(5, steps)
        _stand_again(bench, steps)
    worst_ms = float(np.percentile(times_ms, WORST_PERCENT))
    text = (
        f"{violating} of {used} accepted solutions violate dynamics or torque limits; "
        f"solve {worst_ms:.2f} ms (p99); largest torque step {steps.worst:.2f} of the guard's limit"
    )
    safe = violating == 0 and steps.worst <= 1.0 and steps.wild == 0
    return Outcome(n, text, safe and worst_ms <= SOLVE_MS, safe)


def _set_iterations(bench: BodyBench, most: int) -> None:
    for problem in bench.brain.body.osqp._problems.values():
        settings = problem.solver.get_settings()
        settings.max_iter = most
        problem.solver.update_settings(settings)


def _is_balanced(bench: BodyBench) -> bool:
    """Returns whether a solution satisfies the equations of motion and the torque limits."""
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
    """Drives all joints of an arm to their limits at once, and gives the guard outward torques beyond them.

    Collisions with the ground and the arm itself are disabled: the effect of an impact is not under test.
    """
    bench = BodyBench(ARM)
    world = bench.simulated.world.model
    world.geom_contype[:] = world.geom_conaffinity[:] = 0
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
        # Most joints stay at the limit where they are; crossing the range takes a second.
        upwards ^= rng.random(robot.na) < 0.1
        beyond = rng.uniform(0.0, 1.0, robot.na)
        posture[: robot.na] = np.where(upwards, high + beyond, low - beyond)
        posture[robot.na :] = 1.0
        bench.run(LIMIT_TICKS, look)
        _stand_again(bench, steps)
    outward = _outward_torques(bench, n)
    text = f"overshoot at most {overshoot:.4f} rad; {outward} of {n} torques directed outwards"
    passed = overshoot <= OVERSHOOT_RAD and outward == 0 and steps.worst <= 1.0
    return Outcome(n, text, passed, passed)


def _outward_torques(bench: BodyBench, n: int) -> int:
    """Returns how often the guard passes a torque that drives a joint further out of its limits."""
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
    """Changes weights by up to a factor of 1000 and references by metres between two ticks."""
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
    text = f"largest torque step {worst:.3f} of the guard's limit; {wild:g} commands not finite"
    passed = worst <= 1.0 and wild == 0
    return Outcome(n, text, passed, passed)


def f15_fall(n: int) -> Outcome:
    """Pushes the trunk of a standing biped by 5 to 200 Ns in random horizontal directions."""
    bench = standing_biped()
    late_ms, fastest, limp, falls, reactivated = 0, 0.0, 0, 0, 0
    for i in range(n):
        impulse = 5.0 * 40.0 ** ((i + 1) / n)
        bench.place(_pushed(bench, impulse, bench.rng.uniform(0.0, 2.0 * np.pi)), seed=i)
        watch = _FallWatch(bench)
        bench.run(FALL_TICKS, watch)
        falls += bench.simulated.fell
        late_ms = max(late_ms, watch.late_ms)
        fastest = max(fastest, watch.fastest)
        limp += watch.limp
        reactivated += watch.reactivated
    text = (
        f"{falls} falls, detected at most {late_ms} ms after the condition; joint speed while falling up to "
        f"{fastest:.2f} of the limit; {limp} ticks without damping; {reactivated} ticks active after damping"
    )
    safe = late_ms <= DETECTED_MS and limp == 0 and reactivated == 0
    return Outcome(n, text, safe and fastest <= 1.0, safe)


def _pushed(bench: BodyBench, impulse_Ns: float, angle: float) -> Scenario:
    way = [impulse_Ns * np.cos(angle), impulse_Ns * np.sin(angle), 0.0]
    push = {"link": trunk_link(bench.robot), "impulse_Ns": way, "duration_s": 0.1}
    event = Event.model_validate({"at_s": 0.2, "push": push})
    return bench.scenario.model_copy(update={"events": (event,)})


class _FallWatch:
    """Detects a fall from the simulator's true state, and checks the controller's reaction.

    Args:
        bench: test bench of the robot.

    Attributes:
        late_ms: time from the fall condition until damping [ms].
        fastest: largest joint speed before the impact, divided by its limit.
        limp: ticks in damping with a joint that has no damping gain.
        reactivated: ticks outside damping after damping had begun.
    """

    def __init__(self, bench: BodyBench) -> None:
        self._bench = bench
        self._lost_ticks = self._fallen_ticks = 0
        self._damped = False
        height_m = float(bench.simulated.truth.p_WC[2] - bench.simulated.truth.p_WF[:, 2].min())
        self._omega = np.sqrt(GRAVITY_M_S2 / height_m)
        self.late_ms = self.limp = self.reactivated = 0
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
            self.reactivated += self._damped
            self.late_ms = max(self.late_ms, self._fallen_ticks)
            return
        self._damped = True
        command = bench.output.command
        self.limp += not (command.kd > 0.0).all()
        if bench.simulated.fell:
            # Joint speeds after the impact are caused by the ground, not by the controller.
            return
        speed = np.abs(truth.v[bench.robot.n_base :]) / bench.robot.velocity_limit_rad_s
        self.fastest = max(self.fastest, float(speed.max()))
