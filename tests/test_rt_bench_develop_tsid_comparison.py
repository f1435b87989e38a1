from __future__ import annotations

import sys

import numpy as np
import pytest
from bodies import robot

from kilohertz.rt.bench.develop import tsid_comparison
from kilohertz.rt.bench.develop.subjects import Subject
from kilohertz.rt.bench.develop.tsid_comparison import Comparison, as_json, comparison_table, run_against
from kilohertz.rt.bench.develop.tsid_environment import TsidMissingError

pytestmark = pytest.mark.host


class Echo:
    """A TSID that answers the torque of a controller of its own, in 100 us."""

    def __init__(self, problem, na):
        self._subject = Subject(robot("ur5"))
        self._subject.start("hand")

    def tick(self, closed, q, v, refs):
        body = self._subject.bodies["exact"]
        body.reference("hand")[:] = refs
        self._subject.tick("exact", q, v)
        return 100.0, body.solution.tau.copy()

    def close(self):
        pass


@pytest.fixture
def echo(monkeypatch):
    monkeypatch.setattr(tsid_comparison, "Peer", Echo)


@pytest.mark.long
def test_solvers_are_compared_in_the_same_states_with_the_same_references(echo):
    comparisons = run_against(["ur5"], 5)
    assert [(c.solver, c.paced) for c in comparisons] == [
        ("osqp", False),
        ("exact", False),
        ("osqp", True),
        ("exact", True),
    ]
    for c in comparisons:
        assert c.difference_Nm < (1e-6 if c.solver == "exact" else 0.1)
        assert c.tsid_us == 100.0
        assert c.ratio == pytest.approx(c.here_us / 100.0)
        assert np.isfinite(c.control)


def test_every_comparison_is_a_line_and_an_entry():
    comparisons = [Comparison("g1", "exact", "both feet", True, 10, 20.0, 100.0, 0.2, 1.0, 1e-5)] * 3
    assert comparison_table(comparisons).row_count == 3
    assert as_json(comparisons)["against_tsid"][0]["ratio"] == 0.2


@pytest.mark.parametrize("ends", ["", "import sys; sys.stdin.buffer.readline(); sys.stdin.buffer.read(8)"])
def test_a_tsid_that_ends_is_told_and_not_waited_for(ends, tmp_path, monkeypatch):
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{ends}'\n")
    python.chmod(0o755)
    monkeypatch.setattr(tsid_comparison, "tsid_python", lambda: python)
    with pytest.raises(TsidMissingError, match="its process has ended"):
        run_against(["ur5"], 5)
