from __future__ import annotations

import json

import pytest
from test_rt_cli import REFUSED, USAGE, khz

from kilohertz.rt.bench import grow, readme, tsid_comparison
from kilohertz.rt.bench.develop.grow import SOLVERS, GrownTick
from kilohertz.rt.bench.develop.markers import markers
from kilohertz.rt.bench.develop.tsid_environment import TsidMissingError

TICKS = [
    GrownTick(joints, contacts, solver, float(joints + contacts), 0.0, 0.0)
    for joints in (6, 29, 100)
    for contacts in (1, 2)
    for solver in SOLVERS
]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--grow", "--floor"], "one at a time"),
        (["--against", "tsid", "--readme"], "one at a time"),
        (["--against", "drake"], "no 'drake'"),
        (["--plot", "plots"], "--grow"),
        (["--floor", "--scenario", "walk"], "the whole loop"),
        (["--into", "README.md"], "--readme"),
        (["--grow", "--robot", "g1"], "leave out --robot"),
        (["--floor", "--robot", "bolt"], "does not stand on two feet"),
    ],
)
def test_what_does_not_go_together_is_wrong_usage(arguments, told):
    result = khz("bench", *arguments)
    assert result.exit_code == USAGE
    assert told in " ".join(result.stderr.split())


def test_where_tsid_cannot_be_had_the_comparison_is_refused_in_a_sentence(monkeypatch):
    def refuse(robots, ticks):
        raise TsidMissingError("its packages could not be installed")

    monkeypatch.setattr(tsid_comparison, "run_against", refuse)
    result = khz("bench", "--against", "tsid")
    assert result.exit_code == REFUSED
    assert "TSID cannot be compared with: its packages could not be installed" in result.stderr


def test_the_growth_is_printed_fitted_written_and_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(grow, "run_grow", lambda: TICKS)
    result = khz("bench", "--grow", "--json", tmp_path / "grow.json", "--plot", tmp_path / "plots")
    assert result.exit_code == 0
    for told in ("joints", "100", "nv²", "grow.png"):
        assert told in result.stdout
    assert len(json.loads((tmp_path / "grow.json").read_text())["grow"]) == len(TICKS)
    assert (tmp_path / "plots" / "grow.png").exists()


def test_a_file_without_markers_is_refused_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr(readme, "measure", lambda *_: pytest.fail("it was measured"))
    for path in (tmp_path / "none.md", tmp_path / "plain.md"):
        (tmp_path / "plain.md").write_text("no markers here")
        result = khz("bench", "--readme", "--into", path)
        assert result.exit_code == REFUSED
        assert str(path) in result.stderr


def test_the_table_goes_between_the_markers(tmp_path, monkeypatch):
    begin, end = markers("khz bench --readme")
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    monkeypatch.setattr(readme, "measure", lambda ticks, say: _Nothing())
    monkeypatch.setattr(readme, "render", lambda figures: "| new |")
    result = khz("bench", "--readme", "--into", readme)
    assert result.exit_code == 0
    assert "| new |" in result.stdout
    assert readme.read_text() == f"before\n{begin}\n| new |\n{end}\nafter\n"


class _Nothing:
    def as_json(self):
        return {}
