"""A start with warm caches compiles nothing, neither in set-up nor in a tick."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.host

ROOT = Path(__file__).parents[1]
RUN = """
import json, sys
from numba.core import event
from kilohertz.robots.compile.cached_entry import Entry

loading, outside, load = [], [], Entry.load

def load_and_remember(entry):
    loading.append(entry)
    try:
        return load(entry)
    finally:
        loading.pop()

class Listener(event.Listener):
    def on_start(self, started):
        if not loading:
            outside.append(started.data["dispatcher"].__name__)

    def on_end(self, ended):
        pass

Entry.load = load_and_remember
event.register("numba:compile", Listener())
from kilohertz.rt.run.session import RunPlan, Session

# Doubts of a level floor, a step, a push that saturates joints: what is rare must be compiled, too.
session = Session(RunPlan("g1", scenario="push", duration_s=2.5))
session.estimator._check_level()
session.estimator.filter.accel_bias[0] = 1.0
session.estimator._check_level()
session.run()
print(json.dumps(outside))
"""


def test_nothing_is_compiled_outside_the_cache():
    ran = subprocess.run([sys.executable, "-c", RUN], cwd=ROOT, capture_output=True, text=True)
    assert ran.stdout.strip() == "[]", ran.stderr[-2000:]
