from __future__ import annotations

import json

import pytest
from test_rt_cli_main import REFUSED, USAGE, khz

from kilohertz.rt.bench import bytecodes, isolation, latency, paired_wake
from kilohertz.rt.bench import link as link_bench
from kilohertz.rt.bench.develop import grow, kernel_baseline, ratios, readme, tsid_comparison
from kilohertz.rt.bench.develop.grow import SOLVERS, GrownTick
from kilohertz.rt.bench.develop.kernel_baseline import Floor
from kilohertz.rt.bench.develop.markers import markers
from kilohertz.rt.bench.develop.tsid_comparison import Comparison
from kilohertz.rt.bench.develop.tsid_environment import TsidMissingError
from kilohertz.rt.cli.bench import TABLE_COMMAND

TICKS = [
    GrownTick(joints, contacts, solver, float(joints + contacts), 0.0, 0.0)
    for joints in (6, 29, 100)
    for contacts in (1, 2)
    for solver in SOLVERS
]
COUNTS = {"exact": {"standing": 1599, "walking": 2131}, "osqp": {"standing": 1745, "walking": 2277}}


def option_names(*command):
    words = khz("bench", *command, "--help").stdout.replace("│", " ").split()
    return {word.rstrip(",") for word in words if word.startswith("--")} - {"--help"}


@pytest.mark.parametrize(
    ("command", "options"),
    [
        (["latency"], {"--robot", "--scenario", "--ticks", "--json"}),
        (["against", "tsid"], {"--robot", "--ticks", "--json"}),
        (["against", "cyclictest"], {"--seconds", "--json"}),
        (["floor"], {"--robot", "--ticks", "--json"}),
        (["grow"], {"--plot", "--json"}),
        (["link"], {"--robot", "--seconds", "--json"}),
        (["isolation"], {"--robot", "--seconds", "--json"}),
        (["rates"], {"--robot", "--plot", "--json"}),
        (["readme"], {"--ticks", "--into", "--json"}),
    ],
)
def test_each_benchmark_has_its_own_options_and_no_others(command, options):
    assert option_names(*command) == options


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["against", "drake"], "drake"),
        (["floor", "--scenario", "walk"], "--scenario"),
        (["grow", "--robot", "g1"], "--robot"),
        (["latency", "--ticks", "10"], "--ticks"),
        (["floor", "--robot", "bolt"], "does not have two flat soles"),
        (["rates", "--robot", "ur5"], "does not stand and step"),
    ],
)
def test_what_a_benchmark_does_not_have_is_wrong_usage(arguments, told):
    result = khz("bench", *arguments)
    assert result.exit_code == USAGE
    assert told in " ".join(result.stderr.split())


def test_the_latency_report_contains_the_bytecodes_per_step(monkeypatch):
    class Report:
        exit_code = 0

        def as_json(self):
            return {"ticks": 1000}

    monkeypatch.setattr(latency, "run_bench", lambda robot, ticks, scenario: Report())
    monkeypatch.setattr(latency, "print_bench", lambda console, report: console.print("table"))
    monkeypatch.setattr(bytecodes, "count_bytecodes", lambda robot: COUNTS)
    shown = khz("bench", "latency")
    assert "table" in shown.stdout
    assert "2277 walking with osqp" in shown.stdout
    result = khz("bench", "latency", "--json", "-")
    assert json.loads(result.stdout) == {"ticks": 1000, "bytecodes_per_step": COUNTS}


def test_the_comparison_with_tsid_reports_ratios_and_bytecodes(monkeypatch):
    comparisons = [
        Comparison("g1", solver, "both feet", paced, 10, us, 100.0, us / 100.0, 1.0, 1e-5)
        for paced, factor in ((False, 0.5), (True, 1.0))
        for solver, us in (("osqp", 40.0 * factor), ("exact", 20.0 * factor))
    ]
    monkeypatch.setattr(tsid_comparison, "run_against", lambda robots, ticks: comparisons)
    monkeypatch.setattr(
        ratios, "_whole_tick_us", lambda robot, ticks, solver: {"osqp": 90, "exact": 70}[solver]
    )
    monkeypatch.setattr(ratios, "count_bytecodes", lambda robot: COUNTS)
    content = json.loads(khz("bench", "against", "tsid", "--json", "-").stdout)
    assert content["control_over_tsid"] == {
        "exact": {"standing": 0.2, "walking": None},
        "osqp": {"standing": 0.4, "walking": None},
    }
    assert content["whole_tick_over_tsid"]["exact"] == {"standing": 0.7, "walking": None}
    assert content["bytecodes_per_step"] == COUNTS
    assert len(content["against_tsid"]) == len(comparisons)
    shown = " ".join(khz("bench", "against", "tsid").stdout.split())
    assert "control alone with osqp, standing, 1 kHz: 0.40 of TSID's control" in shown


def test_where_tsid_is_not_available_the_comparison_is_refused_in_a_sentence(monkeypatch):
    def refuse(robots, ticks):
        raise TsidMissingError("its packages could not be installed")

    monkeypatch.setattr(tsid_comparison, "run_against", refuse)
    result = khz("bench", "against", "tsid")
    assert result.exit_code == REFUSED
    assert "the comparison with TSID is not possible: its packages could not be installed" in result.stderr


def test_the_growth_is_printed_fitted_written_and_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(grow, "run_grow", lambda: TICKS)
    result = khz("bench", "grow", "--json", tmp_path / "grow.json", "--plot", tmp_path / "plots")
    assert result.exit_code == 0
    for told in ("joints", "100", "nv²", "grow.png"):
        assert told in result.stdout
    assert len(json.loads((tmp_path / "grow.json").read_text())["grow"]) == len(TICKS)
    assert (tmp_path / "plots" / "grow.png").exists()


@pytest.mark.parametrize(
    ("command", "module", "run", "table", "key"),
    [
        (["floor"], kernel_baseline, "run_floor", "floor_table", "floor"),
        (["link"], link_bench, "run_link_bench", "link_table", "link"),
        (["isolation"], isolation, "run_isolation", "isolation_table", "isolation"),
        (["against", "cyclictest"], paired_wake, "run_paired_wake", "wake_table", "against_cyclictest"),
    ],
)
def test_standard_output_holds_only_the_json_if_it_is_asked_for_there(
    command, module, run, table, key, monkeypatch
):
    floors = [Floor("g1", "both feet", 6.0, 5.0, 13.2, 1.2)]
    monkeypatch.setattr(module, run, lambda *_: floors)
    monkeypatch.setattr(module, table, lambda _: "the table")
    assert "the table" in khz("bench", *command).stdout
    assert json.loads(khz("bench", *command, "--json", "-").stdout)[key][0]["robot"] == "g1"


def test_a_file_without_markers_is_refused_before_the_measurement(tmp_path, monkeypatch):
    monkeypatch.setattr(readme, "measure", lambda *_: pytest.fail("it was measured"))
    for path in (tmp_path / "none.md", tmp_path / "plain.md"):
        (tmp_path / "plain.md").write_text("no markers here")
        result = khz("bench", "readme", "--into", path)
        assert result.exit_code == REFUSED
        assert str(path) in result.stderr


def test_the_table_goes_between_the_markers(tmp_path, monkeypatch):
    begin, end = markers(TABLE_COMMAND)
    document = tmp_path / "figures.md"
    document.write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    monkeypatch.setattr(readme, "measure", lambda ticks, say: _Nothing())
    monkeypatch.setattr(readme, "render", lambda figures: "| new |")
    result = khz("bench", "readme", "--into", document)
    assert result.exit_code == 0
    assert "| new |" in result.stdout
    assert document.read_text() == f"before\n{begin}\n| new |\n{end}\nafter\n"


class _Nothing:
    def as_json(self):
        return {}
