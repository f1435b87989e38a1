from __future__ import annotations

import gc
import os

import pytest

from kilohertz.rt.bench.develop.pinned import pinned

pytestmark = [pytest.mark.host, pytest.mark.quiet]


def test_it_stays_on_one_core_without_a_collector_and_puts_all_back():
    before = os.sched_getaffinity(0)
    with pinned():
        assert len(os.sched_getaffinity(0)) == 1
        assert not gc.isenabled()
    assert os.sched_getaffinity(0) == before
    assert gc.isenabled()
