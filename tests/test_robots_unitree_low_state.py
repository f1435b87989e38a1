"""Low states: conversion to the model's joints, and refusal of everything that is not one."""

from __future__ import annotations

import numpy as np
import pytest

from kilohertz.robots.unitree.checksum import checksum
from kilohertz.robots.unitree.families import G1, H1
from kilohertz.robots.unitree.low_state import LowState
from kilohertz.robots.unitree.messages import Message

CORRUPTED = 100_000
SLOTS = list(range(28, -1, -1))


def message(tick: int = 2, family=G1, seed: int = 0) -> Message:
    made, rng = Message(family.state), np.random.default_rng(seed)
    motors, imu = made.fields["motor_state"], made.fields["imu_state"]
    for name in ("q", "dq", "tau_est"):
        motors[name] = rng.normal(size=motors.size)
    imu["quaternion"] = (0.5, 0.1, -0.2, 0.3)
    imu["accelerometer"] = (0.0, 0.1, 9.8)
    made.fields["tick"] = tick
    return made


def bytes_of(made: Message) -> bytes:
    made.fields["crc"] = checksum(made.memory)
    return made.pack()


def test_a_state_is_read_in_the_models_order() -> None:
    state, made = LowState(G1, SLOTS), message()
    made.fields["mode_machine"] = 5
    assert state.take(bytes_of(made))
    motors = made.fields["motor_state"]
    np.testing.assert_array_equal(state.q, motors["q"][28::-1])
    np.testing.assert_array_equal(state.v, motors["dq"][28::-1])
    np.testing.assert_array_equal(state.tau, motors["tau_est"][28::-1])
    np.testing.assert_allclose(state.quaternion, (0.5, 0.1, -0.2, 0.3), rtol=1e-6)
    assert (state.mode_pr, state.mode_machine) == (0, 5)


def test_the_clock_counts_milliseconds_from_the_first_state_and_survives_its_overflow() -> None:
    state = LowState(G1, SLOTS)
    for tick, t_s in ((2**32 - 3, 0.0), (2**32 - 1, 0.002), (1, 0.004), (5, 0.008)):
        assert state.take(bytes_of(message(tick)))
        assert state.t_s == pytest.approx(t_s)


def test_an_older_machine_tells_its_battery_with_the_state() -> None:
    state, made = LowState(H1, H1.slots(H1.motors[:9])), message(family=H1)
    made.fields["bms_state"]["soc"] = 64
    assert state.take(bytes_of(made))
    assert state.battery_percent() == 64.0
    assert np.isnan(LowState(G1, SLOTS).battery_percent())


def refused(made: Message | bytes, first: bool = True) -> str:
    state = LowState(G1, SLOTS)
    if first:
        assert state.take(bytes_of(message(2, seed=1)))
    q = state.q.copy()
    assert not state.take(made if isinstance(made, bytes) else bytes_of(made))
    np.testing.assert_array_equal(state.q, q)
    assert state.take(bytes_of(message(6, seed=1))), "the state before must have been kept"
    return state.refusal


def test_what_is_refused_is_told() -> None:
    assert refused(b"abc") == "a state of 3 bytes is not a unitree_hg.msg.dds_.LowState_"
    assert "none, as those of unitree_mujoco's Python simulator" in refused(message(4).pack())
    made = message(4)
    made.fields["crc"] = 1
    assert refused(made.pack()) == "the checksum of a state is wrong"
    for tick in (2, 1, 0):
        assert refused(message(tick)) == "the robot's clock stands still or runs backwards"
    made = message(4)
    made.fields["motor_state"]["q"][7] = np.nan
    assert refused(made) == "a state has numbers that are not finite"
    made = message(4)
    made.fields["imu_state"]["gyroscope"][1] = np.inf
    assert refused(made) == "a state has numbers that are not finite"


def test_no_corrupt_state_of_100000_is_taken() -> None:
    """Bits turned at random, in the bytes that the checksum covers or in the header; and cut lengths."""
    rng = np.random.default_rng(0)
    state = LowState(G1, SLOTS)
    right = bytes_of(message(4))
    # Bytes that no field occupies on the wire are padding, which a receiver must not interpret.
    on_wire = np.array([0, 1, *sorted(set((Message(G1.state)._on_wire).tolist()))])
    assert state.take(bytes_of(message(2)))
    for _ in range(CORRUPTED):
        wrong = bytearray(right)
        for place in rng.choice(on_wire, rng.integers(1, 8), replace=False):
            wrong[place] ^= 1 << int(rng.integers(8))
        if rng.random() < 0.1:
            wrong = wrong[: int(rng.integers(len(wrong)))]
        assert not state.take(bytes(wrong))
    assert state.refused == CORRUPTED
    assert state.take(right)
