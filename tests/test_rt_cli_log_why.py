"""`khz log why`, `worst`, `tick` and `report` on the log of a robot that was pushed over."""

import json

import pytest
from typer.testing import CliRunner
from why_runs import pushed_log

from kilohertz.rt.cli.main import app

pytestmark = pytest.mark.closed_loop


def run(*arguments):
    return CliRunner().invoke(app, ["log", *map(str, arguments)])


@pytest.fixture(scope="module")
def log():
    return pushed_log()[0]


@pytest.mark.long
def test_why_tells_the_story_and_writes_json(log, tmp_path):
    out = tmp_path / "why.json"
    ran = run("why", log, "--json", out)
    assert ran.exit_code == 0, ran.output
    lines = ran.stdout.strip().splitlines()
    assert len(lines) <= 10
    assert "cause: a push from outside" in ran.stdout
    figures = json.loads(out.read_text())
    assert figures["cause"] == "push"
    assert {"what", "t_s", "limit", "value"} <= set(figures["interventions"][0])


@pytest.mark.long
def test_worst_lists_ticks_by_a_measure(log):
    ran = run("worst", log, "-n", 3, "--by", "torque")
    assert ran.exit_code == 0, ran.output
    assert ran.stdout.count("torque ") >= 3
    assert run("worst", log, "--by", "speed").exit_code == 2


def test_tick_prints_one_tick(log):
    ran = run("tick", log, 400)
    assert ran.exit_code == 0, ran.output
    assert "tick 400, 0.400 s: active" in ran.stdout
    assert "active constraints" in ran.stdout
    assert run("tick", log, 99999).exit_code != 0


def test_interventions_are_listed_with_part_limit_and_value(log, tmp_path):
    table, out = tmp_path / "all.csv", tmp_path / "all.json"
    ran = run("interventions", log, "--csv", table, "--json", out)
    assert ran.exit_code == 0, ran.output
    figures = json.loads(out.read_text())
    found = figures["interventions"]
    assert f"{len(found)} interventions: guard " in ran.stdout
    assert sum(figures["counts"].values()) == len(found) > 0
    assert len(table.read_text().splitlines()) == len(found) + 1
    assert table.read_text().startswith("t_s,until_s,part,what,where,value,limit,unit,text")
    stop = next(each for each in found if each["part"] == "watchdog")
    assert stop["what"] == "controlled stop"
    assert run("interventions", log, "--csv", log).exit_code == 3


@pytest.mark.long
def test_report_is_one_file(log, tmp_path):
    out = tmp_path / "report.html"
    ran = run("report", log, "-o", out)
    assert ran.exit_code == 0, ran.output
    text = out.read_text()
    assert "a push from outside" in text
    assert text.count("data:image/png;base64,") == 5
    assert "http" not in text.split("<h2>Summary</h2>")[0]
    assert run("report", log, "-o", log).exit_code != 0
