"""Runs the fuzzer for 3 s, or as long as KILOHERTZ_FUZZ_S says [s]."""

from __future__ import annotations

import os

import pytest
from fuzz_wire import fuzz

pytestmark = pytest.mark.host

SECONDS = float(os.environ.get("KILOHERTZ_FUZZ_S", "3"))


def test_no_packet_raises_and_no_invalid_packet_is_accepted():
    found = fuzz(SECONDS)
    assert found["runs"] > 20
    assert found["steps"] > 100
    assert found["accepted"] > 0, "no input of the fuzzer was accepted as a command"
