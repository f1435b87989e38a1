"""Runs the fuzzer of the command channel for 3 s, or as long as KILOHERTZ_FUZZ_S says [s]."""

from __future__ import annotations

import os
import random

import pytest
from fuzz_commands import Target, fuzz, reworded, seeds
from fuzz_wire import FoundError

from kilohertz.rt.live import control_messages as wire
from kilohertz.rt.live.agent import stream_intake

SECONDS = float(os.environ.get("KILOHERTZ_FUZZ_S", "3"))


@pytest.mark.host
def test_no_packet_raises_and_none_reaches_the_loop_without_the_lease() -> None:
    found = fuzz(SECONDS)
    assert found["runs"] > 20
    assert found["steps"] > 100
    assert found["accepted"] > 0, "no input of the fuzzer was accepted"


def test_what_the_fuzzer_starts_from_is_accepted() -> None:
    target = Target()
    for packets in seeds(target):
        target.feed(packets)
        assert all(wire.unpack(packet) is not None for packet in packets)
    assert target.accepted > 30


def test_a_number_that_is_not_finite_is_found_in_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_intake, "_number_problem", lambda what, block: "")
    target, rng = Target(), random.Random(0)
    (packets,) = [packets for packets in seeds(target) if len(packets) == 6]

    def search() -> None:
        for _ in range(3000):
            target.feed([reworded(packet, rng) for packet in packets[3:]])

    with pytest.raises(FoundError, match="finite"):
        search()
