"""The safety case names code, tests and faults that exist, and needs tests that passed."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / ".docs" / "generator" / "safety_case.py"

pytestmark = [
    pytest.mark.unit,
    pytest.mark.skipif(not SOURCE.exists(), reason="this checkout has no documentation"),
]


@pytest.fixture(scope="module")
def generator():
    spec = importlib.util.spec_from_file_location("safety_case", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_all_that_the_safety_case_names_exists(generator):
    cases = generator.requirements()
    assert generator.problems(cases) == []
    assert len({case["id"] for case in cases}) == len(cases) >= 20


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"code": ["robots/wire/no_such.py"]}, "no file"),
        ({"tests": ["test_sim_actuators.py::test_no_such"]}, "no test test_sim_actuators.py::test_no_such"),
        ({"tests": ["test_no_such.py::test_x"]}, "no test"),
        ({"tests": []}, "no test shows"),
        ({"fault": "F99"}, "F99"),
    ],
)
def test_what_does_not_exist_is_named(generator, change, words):
    case = {**generator.requirements()[0], **change}
    (problem,) = generator.problems([case])
    assert problem.startswith("S01: ")
    assert words in problem


def junit(path, outcome, reason=""):
    bad = "" if outcome == "passed" else f'<{outcome} message="{reason}"/>'
    case = f'<testcase classname="tests.test_x" name="test_a[1]">{bad}</testcase>'
    path.write_text(f"<testsuites><testsuite>{case}</testsuite></testsuites>")
    return path


@pytest.mark.parametrize("outcome", ["passed", "failure", "error", "skipped"])
def test_only_tests_that_passed_show_a_requirement(generator, tmp_path, outcome):
    cases = [{"id": "S1", "tests": ["test_x.py::test_a"]}]
    found, undecided = generator.failures(cases, junit(tmp_path / "results.xml", outcome))
    assert found == ([] if outcome == "passed" else [f"S1: test_x.py::test_a: {outcome}"])
    assert undecided == []


def test_a_test_that_a_busy_host_could_not_decide_is_named_apart(generator, tmp_path):
    cases = [{"id": "S1", "tests": ["test_x.py::test_a"]}]
    results = junit(tmp_path / "results.xml", "skipped", "F10: this host cannot tell: it paused for 9 ms")
    assert generator.failures(cases, results) == ([], ["S1: test_x.py::test_a: undecided"])


def test_a_test_that_was_not_run_shows_nothing(generator, tmp_path):
    cases = [{"id": "S1", "tests": ["test_x.py::test_b"]}]
    found, _ = generator.failures(cases, junit(tmp_path / "results.xml", "passed"))
    assert found == ["S1: test_x.py::test_b: not run"]


def test_a_test_may_have_run_in_any_of_several_runs(generator, tmp_path):
    cases = [{"id": "S1", "tests": ["test_x.py::test_a"]}]
    (tmp_path / "first.xml").write_text("<testsuites/>")
    results = tmp_path / "first.xml", junit(tmp_path / "second.xml", "passed")
    assert generator.failures(cases, *results) == ([], [])


def test_the_page_has_every_requirement_with_its_figure(generator):
    page = generator.safety_case_page()
    for case in generator.requirements():
        assert f"| {case['id']} |" in page
    assert "rad |" in page


def test_the_measured_campaign_keeps_the_bars():
    measured = json.loads((ROOT / ".docs" / "mad-figures.json").read_text())
    assert measured["commands"] >= 1_000_000
    for worst in measured["table"].values():
        assert worst["speed"]["max"] <= 1.05
        assert worst["free_beyond"]["max"] <= 0.02
        assert worst["step"]["max"] <= 0.1 + 1e-9
