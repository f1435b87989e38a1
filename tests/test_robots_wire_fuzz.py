"""A short run of the fuzzer; KILOHERTZ_FUZZ_S=600 makes it a long one."""

from __future__ import annotations

import os

import pytest
from fuzz_wire import fuzz

pytestmark = pytest.mark.host

SECONDS = float(os.environ.get("KILOHERTZ_FUZZ_S", "3"))


def test_nothing_that_comes_in_raises_or_is_taken_for_what_it_is_not():
    found = fuzz(SECONDS)
    assert found["runs"] > 20
    assert found["steps"] > 100
    assert found["accepted"] > 0, "the fuzzer gets as far as commands that are taken"
