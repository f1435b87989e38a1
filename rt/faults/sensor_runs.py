"""Injects sensor faults: states are corrupted on their way to a complete controller."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache

import numpy as np
import pinocchio as pin

from kilohertz.controller.supervision.request import make_request
from kilohertz.robots.model.period import PERIOD_S
from kilohertz.robots.model.rows import Vector
from kilohertz.robots.wire import messages as wire
from kilohertz.rt.faults.body_bench import BodyBench
from kilohertz.rt.faults.link_runs import STEP_LIMIT_PER_TICK, Outcome
from kilohertz.rt.faults.proxy import Delivery, Rule
from kilohertz.sim.scenario_schema import Event, Flat, Scenario

BIPED, ARM = "g1", "ur5"
FIELDS = {"q": 6, "v": 7, "gyro": 11, "accel": 12}
"""Index of each block of sensor values in a state message."""
LEARNING_TICKS = 120
MOVING_MS, STANDING_MS = 50, 500
AFTER_TICKS = 30
BAD_SAMPLES = 3
DRIFT_TICKS = 1500
LARGEST_TILT_ERROR_DEG = 5.0
SLIPPERY = 0.2
WALK = {"velocity_m_s": [0.4, 0.0], "yaw_rate_rad_s": 0.0}
WALKING_TICKS, STRIDE_TICKS = 1500, 920
DIVERGENCES = ("drift", "turn", "drift", "turn", "slip")


def tampered(change: Callable[[dict[str, Vector]], None]) -> Rule:
    """Returns a fault rule that changes the sensor values of each state.

    Args:
        change: changes in place a dict of the blocks in `FIELDS`: joint positions q [rad] and velocities v
            [rad/s], gyro [rad/s] and accel [m/s^2].
    """

    def rule(payload: bytes) -> Iterable[Delivery]:
        message = wire.unpack(payload)
        if message is None or message[0] != "state":
            return ((0.0, payload),)
        values = list(message[1])
        blocks = {name: np.frombuffer(values[at]).copy() for name, at in FIELDS.items()}
        change(blocks)
        for name, at in FIELDS.items():
            values[at] = blocks[name].tobytes()
        return ((0.0, wire.pack("state", *values)),)

    return rule


@cache
def standing_biped() -> BodyBench:
    """Returns a standing biped, which several fault runs share."""
    return BodyBench(BIPED)


def moving_arm() -> BodyBench:
    """Returns an arm whose hand moves on a circle."""
    bench = BodyBench(ARM)
    parameters = {"hand": bench.robot.hand_names[0], "radius_m": 0.1, "period_s": 1.5, "plane": "yz"}
    bench.request = make_request(bench.robot, "circle", parameters)
    return bench


def f04_frozen_sensor(n: int) -> Outcome:
    """Freezes one sensor channel of an arm in motion, or of a biped at rest, at its last value."""
    biped, arm = standing_biped(), moving_arm()
    biped.place()
    worst = {True: 0.0, False: 0.0}
    for i in range(n):
        moving = i % 2 == 0
        bench = arm if moving else biped
        bench.run(LEARNING_TICKS + int(bench.rng.integers(50)))
        field = str(bench.rng.choice(["q", "v"] if moving else list(FIELDS)))
        bench.rule = tampered(_hold(field, bench.rng))
        ticks = 0
        while bench.active and ticks < 2 * STANDING_MS:
            bench.tick()
            ticks += 1
        worst[moving] = max(worst[moving], np.inf if bench.active else ticks)
        bench.rearm()
    text = f"damping after at most {worst[True]:g} ms in motion, {worst[False]:g} ms at rest"
    passed = worst[True] <= MOVING_MS and worst[False] <= STANDING_MS
    return Outcome(n, text, passed, passed)


def _hold(field: str, rng: np.random.Generator) -> Callable[[dict[str, Vector]], None]:
    held: list[float] = []
    at: list[int] = []

    def change(blocks: dict[str, Vector]) -> None:
        if not held:
            at.append(int(rng.integers(blocks[field].size)))
            held.append(float(blocks[field][at[0]]))
        blocks[field][at[0]] = held[0]

    return change


def f05_encoder_jump(n: int) -> Outcome:
    """Adds 0.3 rad or 2 pi to an encoder, or flips its sign or one of its bits, for 1 to 5 samples."""
    biped, arm = standing_biped(), moving_arm()
    biped.place()
    step, undetected = 0.0, 0
    for i in range(n):
        bench = arm if i % 2 == 0 else biped
        bench.run(5 + int(bench.rng.integers(20)))
        samples = int(bench.rng.choice([1, 2, BAD_SAMPLES, 5]))
        kind = int(bench.rng.integers(4))
        bench.rule = tampered(_jump(kind, samples, bench.rng))
        for _ in range(AFTER_TICKS):
            before = bench.torque
            bench.tick()
            step = max(step, float(np.abs(bench.torque - before).max()))
        # A flipped sign or bit may be too small a change to be detected, so it need not be.
        undetected += kind < 2 and samples >= BAD_SAMPLES and bench.active
        bench.recover()
    text = f"largest torque step {step:.3f} of the limit; {undetected} lasting jumps not detected"
    passed = step <= STEP_LIMIT_PER_TICK and undetected == 0
    return Outcome(n, text, passed, passed)


def _jump(kind: int, samples: int, rng: np.random.Generator) -> Callable[[dict[str, Vector]], None]:
    left = samples
    draw = rng.random(2)
    bit = int(rng.integers(64))

    def change(blocks: dict[str, Vector]) -> None:
        nonlocal left
        if left == 0:
            return
        left -= 1
        field = blocks["q"]
        j = int(draw[0] * field.size)
        if kind == 0:
            field[j] += 0.3
        elif kind == 1:
            field[j] += 2.0 * np.pi
        elif kind == 2:
            field[j] = -field[j]
        else:
            field = blocks["v"] if draw[1] < 0.5 else field
            field.view(np.uint64)[j] ^= np.uint64(1) << np.uint64(bit)

    return change


def f14_estimator_diverges(n: int) -> Outcome:
    """Injects gyroscope drift, an IMU that turns in its mount while walking, and slippery ground."""
    bench = standing_biped()
    stand, walk = bench.request, make_request(bench.robot, "walk", WALK)
    worst_deg = dict.fromkeys(DIVERGENCES, 0.0)
    slowest_ms = dict.fromkeys(DIVERGENCES, 0)
    too_late, false_alarms = 0, 0
    for i in range(n):
        kind = DIVERGENCES[i % len(DIVERGENCES)]
        bench.place(_slippery(bench.scenario, bench.rng) if kind == "slip" else None, seed=i)
        bench.request = walk if kind == "turn" else stand
        bench.run(WALKING_TICKS + int(bench.rng.integers(STRIDE_TICKS)) if kind == "turn" else 200)
        false_alarms += not bench.active
        if kind != "slip":
            bench.rule = tampered((_turned_mount if kind == "turn" else _drift)(bench.rng))
        ticks, error_deg = 0, 0.0
        while bench.active and ticks < DRIFT_TICKS:
            bench.tick()
            ticks += 1
            error_deg = max(error_deg, float(np.degrees(bench.tilt_error_rad())))
        worst_deg[kind] = max(worst_deg[kind], error_deg)
        slowest_ms[kind] = max(slowest_ms[kind], ticks)
        too_late += error_deg > LARGEST_TILT_ERROR_DEG and ticks > MOVING_MS
        false_alarms += kind == "slip" and "diverged" in bench.output.reason
    bench.request = stand
    text = (
        f"tilt error at most {worst_deg['drift']:.1f} deg with gyroscope drift, {worst_deg['turn']:.1f} deg "
        f"with an IMU turned while walking, detected within {slowest_ms['turn']} ms; "
        f"{false_alarms} false alarms, also on slippery ground"
    )
    passed = too_late == 0 and false_alarms == 0
    return Outcome(n, text, passed, passed)


def _turned_mount(rng: np.random.Generator) -> Callable[[dict[str, Vector]], None]:
    """Returns a change that turns the IMU by 5 to 20 deg about a random horizontal axis."""
    axis = np.append(rng.normal(size=2), 0.0)
    R = pin.exp3(np.radians(rng.uniform(5.0, 20.0)) * axis / np.linalg.norm(axis))

    def change(blocks: dict[str, Vector]) -> None:
        blocks["gyro"], blocks["accel"] = R @ blocks["gyro"], R @ blocks["accel"]

    return change


def _drift(rng: np.random.Generator) -> Callable[[dict[str, Vector]], None]:
    """Returns a change that adds a gyroscope bias about a random axis.

    The bias is a step of 0.2 to 3 rad/s, or a ramp of 0.2 to 10 rad/s per second.
    """
    axis = rng.normal(size=3)
    axis /= np.linalg.norm(axis)
    jump = 0.0 if rng.random() < 0.5 else float(np.exp(rng.uniform(np.log(0.2), np.log(3.0))))
    rate = 0.0 if jump else float(np.exp(rng.uniform(np.log(0.2), np.log(10.0))))
    ticks = 0

    def change(blocks: dict[str, Vector]) -> None:
        nonlocal ticks
        ticks += 1
        blocks["gyro"] += axis * (jump + rate * ticks * PERIOD_S)

    return change


def _slippery(scenario: Scenario, rng: np.random.Generator) -> Scenario:
    push = {"link": "trunk", "impulse_Ns": [*(4.0 * rng.normal(size=2)), 0.0], "duration_s": 0.1}
    ground = Flat(kind="flat", friction=SLIPPERY)
    return scenario.model_copy(
        update={"ground": ground, "events": (Event.model_validate({"at_s": 0.3, "push": push}),)}
    )
