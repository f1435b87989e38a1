from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from kilohertz.controller.brain import Brain
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.cli.main import _Sentences, app
from kilohertz.rt.doctor import report
from kilohertz.rt.doctor.check import Check, Status
from kilohertz.rt.doctor.fix import Fix
from kilohertz.rt.loop.trace import Trace
from kilohertz.rt.run import session
from kilohertz.sim import render

DONE, FELL, USAGE, REFUSED, INTERNAL_ERROR, INTERRUPTED = 0, 1, 2, 3, 5, 130


def khz(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert "Traceback" not in result.output
    return result


def in_a_process(code, **environment):
    variables = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    variables |= {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), **environment}
    return subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=False, timeout=300
    )


def call(*arguments):
    argv = ["khz", *(str(argument) for argument in arguments)]
    return f"import sys; sys.argv = {argv!r}; from kilohertz.rt.cli.main import main; main()"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["sim"], "ROBOT"),
        (["sim", "g1", "--duration", "soon"], "--duration"),
        (["sim", "g1", "--duration", "-1"], "--duration"),
        (["sim", "g1", "--duration", "nan"], "--duration"),
        (["sim", "g1", "--duration", "inf"], "--duration"),
        (["sim", "g1", "--seed", "1.5"], "--seed"),
        (["sim", "g1", "--seed", "-1"], "--seed"),
        (["sim", "g1", "--fast"], "--fast"),
        (["sim", "g1", "--telemetry", "50"], "real time"),
        (["sim", "g1", "--realtime", "--telemetry", "0.5"], "--telemetry"),
        (["sim", "g1", "--realtime", "--telemetry", "201"], "--telemetry"),
        (["run", "g1", "--connect", "ipc:///tmp/x", "--lockstep", "--telemetry", "50"], "real time"),
        (["sim", "g1", "g1"], "g1"),
        (["simulate", "g1"], "simulate"),
        (["bench", "latency", "--ticks", "10"], "--ticks"),
        (["bench", "--latency"], "--latency"),
        (["sim", "g1", "--solver", "quadprog"], "--solver"),
        (["sim", "g1", "--set"], "--set"),
        (["sim", "g1", "--set", "a=1", "b=2", "--watch-gains"], "--watch-gains"),
        (["gains", "tune", "g1"], "tune"),
    ],
)
def test_wrong_usage_is_one_sentence_and_status_2(arguments, told):
    result = khz(*arguments)
    assert result.exit_code == USAGE
    assert told in result.stderr
    assert "--help" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["sim", "g2"], "did you mean 'g1'"),
        (["sim", "/nowhere/robot"], "there is no robot"),
        (["sim", "g1", "--scenario", "stnd"], "did you mean 'stand'"),
        (["sim", "g1", "--scenario", "/nowhere/x.yaml"], "/nowhere/x.yaml"),
        (["sim", "g1", "--gains", "/nowhere/gains.yaml"], "/nowhere/gains.yaml"),
        (["sim", "panda", "--scenario", "sway"], "cannot sway"),
        (["sim", "g1", "--json", "/nowhere/x.json"], "no folder /nowhere"),
        (["bench", "latency", "--json", "/nowhere/x.json"], "no folder /nowhere"),
        (
            ["sim", "g1", "--set", "com.wieght=4"],
            "--set com.wieght=4: com.wieght: is not a known key (did you mean 'weight'?)",
        ),
        (["sim", "g1", "--set", "com.weight=40", "com.dcm_gain_per_s=99"], "--set com.dcm_gain_per_s=99"),
        (["doctor", "--json", "/nowhere/x.json"], "no folder /nowhere"),
        (["bench", "latency", "--robot", "g2"], "did you mean 'g1'"),
        (["gains", "check", "g2"], "did you mean 'g1'"),
        (["gains", "show", "g1", "--gains", "/nowhere/gains.yaml"], "/nowhere/gains.yaml"),
        (["gains", "schema", "g2"], "did you mean 'g1'"),
    ],
)
def test_what_cannot_be_done_is_refused_with_status_3(arguments, told):
    result = khz(*arguments)
    assert result.exit_code == REFUSED
    assert told in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("option", ["--json", "--log", "--plot"])
def test_output_that_cannot_be_written_is_refused_before_the_run(option, tmp_path, monkeypatch):
    monkeypatch.setattr(session, "Session", lambda plan: pytest.fail("the run was built"))
    file = tmp_path / "file"
    file.write_text("")
    place = tmp_path if option == "--json" else file / "plots"
    result = khz("sim", "g1", option, place)
    assert result.exit_code == REFUSED
    assert str(place) in result.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("option", ["--json", "--log", "--plot"])
def test_output_into_a_folder_of_others_is_refused(option, tmp_path):
    tmp_path.chmod(0o500)
    result = khz("sim", "g1", option, tmp_path / "out")
    assert result.exit_code == REFUSED
    assert "permission denied" in result.stderr


@given(st.text(max_size=40).filter(lambda text: not text.startswith("-")))
@settings(max_examples=20, deadline=None)
def test_no_robot_name_can_crash_it(name):
    result = khz("sim", name, "--json", "/nowhere/x.json")
    assert result.exit_code == REFUSED


@given(st.text(max_size=20))
@settings(max_examples=30, deadline=None)
def test_no_duration_can_crash_it(text):
    # The robot is refused where the duration is not.
    result = khz("sim", "nobody", f"--duration={text}")
    assert result.exit_code in (USAGE, REFUSED)


def test_without_a_command_it_lists_the_commands():
    result = khz()
    assert result.exit_code == USAGE
    for command in ("sim", "bench", "doctor", "robots", "gains", "log"):
        assert command in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["sim"],
        ["run"],
        ["bench"],
        ["doctor"],
        ["robots"],
        ["gains"],
        ["gains", "show"],
        ["log"],
        ["faults"],
    ],
)
def test_every_command_has_help(arguments):
    result = khz(*arguments, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.stdout


def test_the_robots_that_ship_are_listed_with_joints_and_licence():
    result = khz("robots")
    assert result.exit_code == 0
    line = next(line for line in result.stdout.splitlines() if line.startswith("g1"))
    assert line.split()[1:3] == ["29", "floating"]
    assert "BSD-3-Clause" in line


def test_gains_without_mistakes_are_called_valid(tmp_path):
    path = tmp_path / "gains.yaml"
    path.write_text("com: {weight: 40.0}\n")
    result = khz("gains", "check", "g1", "--gains", path)
    assert result.exit_code == 0
    assert f"{path}: valid" in result.stdout
    report = json.loads(khz("gains", "check", "g1", "--gains", path, "--json", "-").stdout)
    assert report == {"robot": "g1", "file": str(path), "valid": True, "problems": []}


def test_a_misspelt_gain_is_refused_with_file_line_and_the_right_word(tmp_path):
    path = tmp_path / "gains.yaml"
    path.write_text("com:\n  wieght: 40.0\n")
    result = khz("gains", "check", "g1", "--gains", path)
    assert result.exit_code == REFUSED
    assert f"{path}:2:" in result.stderr
    assert "did you mean 'weight'" in result.stderr
    result = khz("gains", "check", "g1", "--gains", path, "--json", tmp_path / "report.json")
    assert result.exit_code == REFUSED
    (problem,) = json.loads((tmp_path / "report.json").read_text())["problems"]
    assert (problem["line"], problem["key"]) == (2, "com.wieght")


def test_gains_that_are_shown_are_a_gains_file(tmp_path):
    path = tmp_path / "gains.yaml"
    path.write_text(khz("gains", "show", "panda").stdout)
    assert khz("gains", "check", "panda", "--gains", path).exit_code == 0


def test_gains_are_compared_key_by_key(tmp_path):
    path = tmp_path / "gains.yaml"
    path.write_text("com: {weight: 40.0}\nstance: {left_foot: {share: 0.7}}\nsolver: exact\n")
    result = khz("gains", "diff", path, path)
    assert (result.exit_code, result.stdout) == (0, "no gains differ\n")
    robot = tmp_path / "robot"
    shutil.copytree(RobotModel.load("panda").folder, robot)
    shown = khz("gains", "diff", "panda", robot)
    assert "no gains differ" in shown.stdout
    (tmp_path / "defaults.yaml").write_text("com: {weight: 50}\n")
    lines = khz("gains", "diff", tmp_path / "defaults.yaml", path, "--robot", "g1").stdout.splitlines()
    assert 'solver: "osqp" -> "exact"' in lines
    assert "com.weight: 50.0 -> 40.0" in lines
    assert "stance.left_foot.share: not set -> 0.7" in lines
    content = json.loads(khz("gains", "diff", tmp_path / "defaults.yaml", path, "--json", "-").stdout)
    assert {"key": "com.weight", "a": 50.0, "b": 40.0} in content["differences"]
    keys = ["solver", *(f"stance.left_foot.{key}" for key in ("share", "share_weight", "cop_weight"))]
    assert content["at_start_only"] == keys
    assert lines[-1] == f"cannot change while a robot runs, only at its start: {', '.join(keys)}"
    assert len(lines) == 1 + len(content["differences"])


def test_gains_are_compared_with_the_defaults(tmp_path):
    path = tmp_path / "gains.yaml"
    path.write_text("com: {weight: 40.0}\n")
    assert khz("gains", "diff", "defaults", path).stdout == "com.weight: 50.0 -> 40.0\n"
    assert khz("gains", "diff", path, "defaults").stdout == "com.weight: 40.0 -> 50.0\n"


def test_effective_gains_have_no_open_values():
    shown = khz("gains", "show", "g1", "--effective").stdout
    assert "null" not in shown
    assert "walk.step_s: 0." in shown
    assert "# contact.least_load_N: " in shown
    content = json.loads(khz("gains", "show", "g1", "--effective", "--json", "-").stdout)
    assert content["gains"]["walk"]["step_s"] > 0.1
    assert content["scaled"]["contact.least_load_N"] > 1.0


def test_gains_that_cannot_be_compared_are_refused(tmp_path):
    path = tmp_path / "gains.yaml"
    path.write_text("stance: {left_fot: {share: 0.5}}\n")
    assert khz("gains", "diff", path, path, "--robot", "g1").exit_code == REFUSED
    assert "there is no robot" in khz("gains", "diff", "/nowhere/robot", path).stderr
    assert "does not exist" in khz("gains", "diff", "/nowhere/gains.yaml", path).stderr


def test_the_schema_of_gains_is_json():
    schema = json.loads(khz("gains", "schema", "g1").stdout)
    assert "com" in schema["properties"]


@pytest.mark.closed_loop
def test_a_run_ends_with_its_figures_on_the_screen_and_in_the_file(tmp_path):
    path = tmp_path / "run.json"
    result = khz("sim", "panda", "--duration", "0.3", "--json", path)
    assert result.exit_code == 0
    summary = json.loads(path.read_text())
    assert summary["robot"] == "panda"
    assert summary["ticks"] == 300
    assert "panda · default-arm" in result.stdout
    assert "p99.9" in result.stdout


@pytest.mark.long
@pytest.mark.closed_loop
def test_a_run_is_drawn_into_a_folder_that_is_made_for_it(tmp_path):
    folder = tmp_path / "new" / "plots"
    result = khz("sim", "panda", "--duration", "0.3", "--plot", folder)
    assert result.exit_code == 0
    assert {"latency.png", "torques.png"} <= {path.name for path in folder.iterdir()}
    assert "latency.png" in result.stdout


@pytest.mark.closed_loop
def test_a_fall_is_status_1(tmp_path):
    scenario = tmp_path / "thrown.yaml"
    scenario.write_text(
        "name: thrown\nduration_s: 5\nevents:\n"
        "  - {at_s: 0.05, push: {link: trunk, impulse_Ns: [0, 200, 0], duration_s: 0.1}}\n"
    )
    result = khz("sim", "g1", "--scenario", scenario, "--json", tmp_path / "run.json")
    assert result.exit_code == FELL
    assert "FELL" in result.stdout
    assert json.loads((tmp_path / "run.json").read_text())["fell"] is True


@pytest.mark.long
@pytest.mark.closed_loop
def test_without_a_film_only_the_plots_are_written(tmp_path, monkeypatch):
    monkeypatch.setattr(render, "render_gif", lambda *_, **__: pytest.fail("a film was rendered"))
    result = khz("sim", "panda", "--duration", "0.3", "--plot", tmp_path, "--no-film")
    assert result.exit_code == 0
    assert "run.gif" not in {path.name for path in tmp_path.iterdir()}
    assert (tmp_path / "latency.png").exists()


@pytest.mark.long
@pytest.mark.closed_loop
def test_standard_output_holds_only_the_json_if_it_is_asked_for_there(tmp_path):
    result = khz("sim", "panda", "--duration", "0.3", "--json", "-", "--plot", tmp_path, "--no-film")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["ticks"] == 300
    names = {robot["robot"] for robot in json.loads(khz("robots", "--json", "-").stdout)["robots"]}
    assert {"g1", "panda", "ur5"} <= names
    assert json.loads(khz("gains", "show", "g1", "--json", "-").stdout)["solver"] == "osqp"
    assert not Path("-").exists()


@pytest.mark.long
@pytest.mark.closed_loop
def test_solver_and_gains_of_the_command_line_are_used(tmp_path):
    duration = ["--duration", "0.05", "--json", "-"]
    summaries = [
        json.loads(khz("sim", "panda", *duration, *more).stdout)
        for more in ([], ["--solver", "exact"], ["--set", "hand.weight=1", "hand.kp_per_s2=300"])
    ]
    assert [summary["qp"]["solver"] for summary in summaries] == ["osqp", "exact", "osqp"]
    hashes = {summary["provenance"]["config_sha256"] for summary in summaries}
    assert len(hashes) == 3


@pytest.mark.long
@pytest.mark.closed_loop
def test_ctrl_c_ends_a_run_with_status_130_and_all_files_are_written(tmp_path, monkeypatch):
    record = Trace.record

    def interrupt(self, *rest):
        record(self, *rest)
        if self.ticks == 100:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Trace, "record", interrupt)
    path = tmp_path / "run.json"
    result = khz("sim", "panda", "--duration", "5", "--json", path, "--plot", tmp_path, "--no-film")
    assert result.exit_code == INTERRUPTED
    assert 100 <= json.loads(path.read_text())["ticks"] < 200
    assert (tmp_path / "latency.png").exists()


def test_ctrl_c_outside_a_run_is_status_130_too(monkeypatch):
    def interrupted(plan):
        raise KeyboardInterrupt

    monkeypatch.setattr(session, "Session", interrupted)
    result = khz("sim", "g1")
    assert result.exit_code == INTERRUPTED
    assert result.stderr.strip() == "stopped by Ctrl-C"


@pytest.mark.closed_loop
def test_an_exception_in_the_tick_is_status_5(monkeypatch, tmp_path):
    monkeypatch.delenv("KILOHERTZ_TRACEBACK", raising=False)
    step = Brain.step

    def broken(self, sensors, *rest):
        if sensors.t_s[0] > 0.1:
            raise ZeroDivisionError("in the tick")
        return step(self, sensors, *rest)

    monkeypatch.setattr(Brain, "step", broken)
    path = tmp_path / "run.json"
    result = khz("sim", "panda", "--duration", "1", "--json", path)
    assert result.exit_code == INTERNAL_ERROR
    assert "Kilohertz itself failed in the control loop: ZeroDivisionError: in the tick" in result.stderr
    assert json.loads(path.read_text())["exit_state"] == "fault"


def test_an_internal_error_is_one_sentence_and_status_5(monkeypatch):
    monkeypatch.delenv("KILOHERTZ_TRACEBACK", raising=False)

    def broken(plan):
        raise ZeroDivisionError("one\ntwo")

    monkeypatch.setattr(session, "Session", broken)
    result = khz("sim", "g1")
    assert result.exit_code == INTERNAL_ERROR
    assert "Kilohertz itself failed: ZeroDivisionError: one two (traceback in " in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    path = Path(result.stderr.rpartition("(traceback in ")[2].strip().removesuffix(")"))
    assert "in broken" in path.read_text()
    path.unlink()


def test_an_internal_error_is_status_5_with_its_traceback_on_the_screen_too(monkeypatch):
    monkeypatch.setenv("KILOHERTZ_TRACEBACK", "1")

    def broken(plan):
        raise ZeroDivisionError("here")

    monkeypatch.setattr(session, "Session", broken)
    result = CliRunner().invoke(app, ["sim", "g1"])
    assert result.exit_code == INTERNAL_ERROR
    assert "in broken" in result.stderr


def test_an_error_while_the_command_line_is_read_is_status_5(monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("in parsing")

    monkeypatch.setattr(_Sentences, "parse_args", broken)
    result = khz("sim", "g1")
    assert result.exit_code == INTERNAL_ERROR
    assert "Kilohertz itself failed: ZeroDivisionError: in parsing" in result.stderr


@pytest.mark.long
@pytest.mark.host
def test_a_reader_that_goes_away_is_no_failure_and_no_fall():
    variables = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    process = subprocess.Popen(
        [sys.executable, "-c", call("robots")],
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 141


@pytest.mark.host
def test_help_loads_no_numerics():
    heavy = {"numpy", "pinocchio", "mujoco", "rich.console"}
    code = f"import sys, kilohertz.rt.cli.main; print(sorted({heavy} & set(sys.modules)))"
    assert in_a_process(code).stdout.strip() == "[]"


@pytest.mark.host
@pytest.mark.parametrize(
    "arguments",
    [
        ["sim", "panda", "--duration", "0.01", "--json", "-"],
        ["run", "ur5", "--connect", "nowhere"],
        ["serve", "ur5", "--bind", "nowhere"],
        ["gains", "show", "g1"],
        ["log", "info", "/nowhere.mcap"],
    ],
)
def test_commands_that_run_a_robot_import_no_benchmark(arguments):
    code = (
        "import atexit, sys; atexit.register(lambda: print("
        "[m for m in sys.modules if m.startswith('kilohertz.rt.bench')], file=sys.stderr)); "
    )
    assert in_a_process(code + call(*arguments)).stderr.splitlines()[-1] == "[]"


@pytest.mark.host
def test_blas_is_told_to_use_one_thread_before_numpy_is_there():
    code = (
        "import atexit, os, kilohertz.rt.cli.main; assert 'numpy' not in sys.modules; "
        "names = ('OPENBLAS_NUM_THREADS', 'OMP_NUM_THREADS'); "
        "atexit.register(lambda: print([os.environ[name] for name in names])); "
    )
    assert in_a_process("import sys; " + code + call("--version")).stdout.splitlines()[-1] == "['1', '1']"


@pytest.mark.long
@pytest.mark.host
def test_the_command_line_ends_with_the_status_of_the_contract():
    done = in_a_process(call("sim", "g2"))
    assert done.returncode == REFUSED
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    assert in_a_process(call("sim", "g1", "--wrong")).returncode == USAGE


@pytest.mark.long
@pytest.mark.host
def test_no_colour_where_it_is_not_wanted_or_not_seen():
    for environment in ({"NO_COLOR": "1", "FORCE_COLOR": ""}, {}):
        done = in_a_process(call("robots"), **environment)
        assert done.returncode == 0
        assert "\x1b" not in done.stdout


@pytest.mark.long
@pytest.mark.host
def test_a_terminal_without_the_signs_gets_the_figures_all_the_same():
    done = in_a_process(call("gains", "show", "g1"), PYTHONIOENCODING="ascii")
    wide = in_a_process(call("sim", "panda", "--duration", "0.01"), PYTHONIOENCODING="ascii")
    assert (done.returncode, wide.returncode) == (0, 0)
    assert "qp.solved" in wide.stdout


@pytest.mark.long
@pytest.mark.host
def test_a_reader_that_goes_away_is_no_error():
    code = "import os; r, w = os.pipe(); os.close(r); os.dup2(w, 1); " + call("robots")
    done = in_a_process(code)
    assert "Traceback" not in done.stderr


@pytest.mark.host
@pytest.mark.parametrize(("status", "exit_code"), [(Status.OK, 0), (Status.WARN, 0), (Status.FAIL, REFUSED)])
def test_the_doctor_prints_its_remedies_as_a_script_without_measuring(monkeypatch, status, exit_code):
    measured_s = []

    def examine(measure_s):
        measured_s.append(measure_s)
        swaps = Check(9, "swapping", status, "60", "vm.swappiness=10", Fix(sysctl={"vm.swappiness": "10"}))
        return report.Report(0, 80, (swaps,))

    monkeypatch.setattr(report, "examine", examine)
    result = khz("doctor", "--fix-hints")
    assert result.exit_code == exit_code
    assert result.stdout.startswith("#!/bin/sh\n")
    assert ("\nvm.swappiness = 10\n" in result.stdout) == (status != Status.OK)
    assert measured_s == [0.0]
    assert subprocess.run(["sh", "-n"], input=result.stdout, text=True, check=False).returncode == 0


def test_a_fit_host_without_measuring_is_not_reported_as_measured(monkeypatch, tmp_path):
    monkeypatch.setattr(report, "examine", lambda measure_s: report.Report(3, 80, ()))
    result = khz("doctor", "--json", tmp_path / "doctor.json", "--seconds", "0")
    assert result.exit_code == 0
    assert "measuring" not in result.output
    told = json.loads((tmp_path / "doctor.json").read_text())
    assert (told["verdict"], told["core"], told["wakes"]) == ("fit", 3, 0)
