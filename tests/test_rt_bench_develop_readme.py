from __future__ import annotations

from pathlib import Path

import pytest

from kilohertz.rt.bench.develop import readme
from kilohertz.rt.bench.develop.grow import GrownTick
from kilohertz.rt.bench.develop.kernel_baseline import Floor
from kilohertz.rt.bench.develop.markers import block_of
from kilohertz.rt.bench.develop.readme import Figures, measure, render
from kilohertz.rt.bench.develop.torque_errors import TorqueErrors
from kilohertz.rt.bench.develop.tsid_comparison import Comparison
from kilohertz.rt.bench.develop.tsid_environment import TsidMissingError
from kilohertz.rt.cli.bench import TABLE_COMMAND
from kilohertz.rt.host.footprint import Footprint
from kilohertz.rt.host.realtime import HostState, Measure
from kilohertz.rt.loop.histogram import LatencyHistogram

CELLS = 3


class Report:
    """The part of a `BenchReport` that the table shows."""

    def __init__(self, solver, scenario):
        self.robot, self.solver, self.scenario, self.ticks = "g1", solver, scenario, 5000
        tick = LatencyHistogram()
        for us in (90, 100, 110):
            tick.record(1000 * us)
        self.latency = {"tick": tick}
        self.footprint = Footprint(0, 0, 3, 0, 0, 2048, 0.1)
        self.host = HostState(1, (Measure("a core", True, ""), Measure("luck", False, "")))
        self.exit_code = 0
        self.provenance = {"kernel": "Linux 6.1 #1"}

    def as_json(self):
        return {"solver": self.solver}


def comparisons(tsid=True):
    there = (100.0, 0.4, 1.01, 1e-3) if tsid else (None, None, 1.01, None)
    return [
        Comparison(robot, solver, mode, paced, 10, 40.0, *there)
        for robot, mode in (("g1", "both feet"), ("g1", "one foot"), ("ur5", "hand"))
        for paced in (False, True)
        for solver in ("osqp", "exact")
    ]


def figures(tsid=True):
    return Figures(
        comparisons(tsid),
        "" if tsid else "no network",
        [
            TorqueErrors("g1", s, x, 9, 1e-4, 2e-3, 0.1)
            for s in ("sway", "push-lateral")
            for x in ("osqp", "exact")
        ],
        [Report(solver, doing) for doing in ("sway", "walk-on") for solver in ("osqp", "exact")],
        [
            GrownTick(n, c, s, n + c, 0.0, 0.0)
            for n in (12, 60, 100)
            for c in (1, 2, 4)
            for s in ("osqp", "exact")
        ],
        [Floor("g1", "both feet", 6.0, 5.0, 13.2, 1.2)],
        {"exact": {"standing": 1599, "walking": 2131}, "osqp": {"standing": 1745, "walking": 2277}},
        3.2,
    )


FIGURES = Path(__file__).parents[1] / ".docs" / "figures.md"


def test_the_documentation_has_a_place_for_the_table_and_every_kind_of_row():
    def names(block):
        return {row.split("|")[1].strip() for row in table_of(block)}

    written = names(block_of(FIGURES.read_text(encoding="utf-8"), TABLE_COMMAND))
    rendered = {name for name in names(render(figures())) if "such ticks" not in name}
    assert rendered <= written


def table_of(block):
    return [line for line in block.splitlines() if line.startswith("|")]


@pytest.mark.parametrize("tsid", [True, False])
def test_the_table_has_the_same_rows_with_and_without_tsid(tsid):
    block = render(figures(tsid))
    rows = table_of(block)
    names = [row.split("|")[1].strip() for row in rows]
    assert names == [row.split("|")[1].strip() for row in table_of(render(figures()))]
    assert {row.count("|") for row in rows} == {CELLS + 1}
    assert len(rows) == 2 + 6 + 1 + 2 + 4 + 2
    assert ("0.40 of TSID" in block) == tsid
    assert ("TSID was not available (no network)" in " ".join(block.split())) != tsid


def test_the_figures_are_told():
    block = render(figures())
    text = " ".join(block.split())
    for told in (
        "104 µs",
        "0.002 Nm",
        "5,000 such ticks",
        "0, 0, 2 kB",
        "1.2 times",
        "| bytecodes per step, G1 walking | 2277 | 2131 |",
        "1.01",
        "Linux 6.1",
        "a core",
    ):
        assert told in text
    assert "luck" not in text


def test_where_tsid_cannot_be_had_the_solvers_are_timed_alone(monkeypatch):
    asked, said = [], []

    def run_against(robots, ticks, *, tsid=True):
        asked.append(tsid)
        if tsid:
            raise TsidMissingError("no network")
        return comparisons(tsid=False)

    monkeypatch.setattr(readme, "run_against", run_against)
    monkeypatch.setattr(readme, "run_floor", lambda *_: figures().floors)
    monkeypatch.setattr(readme, "run_grow", lambda: figures().grown)
    monkeypatch.setattr(readme, "run_torque_errors", lambda _: figures().errors)
    monkeypatch.setattr(readme, "count_bytecodes", lambda _: figures().bytecodes)
    monkeypatch.setattr(readme, "run_bench", lambda _, __, *what: Report(*what))
    measured = measure(1000, said.append)
    assert asked == [True, False]
    assert any("without TSID" in line for line in said)
    assert measured.without_tsid == "no network"
    assert len(table_of(render(measured))) == len(table_of(render(figures())))
    assert measured.as_json()["whole_tick"] == 2 * [{"solver": "osqp"}, {"solver": "exact"}]
