from __future__ import annotations

import json
import os

import pytest

from kilohertz.rt.faults.own_process import start_call


@pytest.mark.host
def test_a_function_runs_in_a_process_that_finds_the_same_modules():
    ended = start_call(__name__, "tell(3)")
    told = json.loads(ended.communicate()[0])
    assert ended.returncode == 0
    assert told["n"] == 3
    assert told["process"] != os.getpid()


def tell(n):
    print(json.dumps({"n": n, "process": os.getpid()}))
