"""The documentation: its code blocks run, its reference is complete, and it builds without a warning."""

from __future__ import annotations

import importlib.util
import inspect
import json
import re
import shlex
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import kilohertz
from kilohertz.controller.behaviours.registry import load_behaviours
from kilohertz.controller.gains.schema import Gains, load_gains
from kilohertz.controller.problem.declarations import BarrierSettings, ContactSettings, Task
from kilohertz.controller.supervision.request import BehaviourError, make_request
from kilohertz.controller.tasks.kind import KINDS, load_kinds
from kilohertz.controller.whole_body.problem_tables import ProblemTables
from kilohertz.robots.compile.kernels import kernel
from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.config.yaml_file import load_yaml
from kilohertz.robots.model.description import RobotDescription
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.wire.driver import DriverConfig
from kilohertz.robots.wire.zmq_link import ZmqLink
from kilohertz.rt.offline.columns import read_columns
from kilohertz.rt.run.shadow import shadow_figures
from kilohertz.rt.study.study import load_study
from kilohertz.rt.study.tuning import load_tuning
from kilohertz.sim.scenario import load_scenario
from kilohertz.sim.scenario_schema import Scenario

ROOT = Path(__file__).parents[1]
DOCS = ROOT / ".docs"

pytestmark = pytest.mark.skipif(not DOCS.exists(), reason="this checkout has no documentation")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    title: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(*languages: str) -> list[Block]:
    found = []
    for path in sorted(DOCS.rglob("*.md")):
        text = path.read_text()
        for match in re.finditer(
            r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', text, re.MULTILINE | re.DOTALL
        ):
            if match[1] in languages:
                line = text.count("\n", 0, match.start()) + 1
                page = str(path.relative_to(DOCS))
                found.append(Block(page, line, match[1], match[2] or "", match[3]))
    return found


def write_files(page: str, folder: Path) -> None:
    """Writes every block of a page that has a file name."""
    for block in blocks("python", "yaml", "xml"):
        if block.page == page and block.title:
            path = folder / block.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)


def load(name: str, path: Path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def generator():
    """The generator's own modules."""
    folder = str(DOCS / "generator")
    sys.path.insert(0, folder)
    import command_pages
    import reference_pages
    import schema_pages

    yield {"commands": command_pages, "pages": reference_pages, "schema": schema_pages}
    sys.path.remove(folder)


# Code blocks


def khz_calls(text: str) -> list[list[str]]:
    """The arguments of every call of khz in a shell block."""
    calls = []
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        for start, word in enumerate(words):
            if Path(word).name == "khz":
                call = []
                for argument in words[start + 1 :]:
                    if argument in ("&", "&&", ";", "|", ">"):
                        break
                    call.append(argument)
                calls.append(call)
    return calls


def check_call(tree: dict, call: list[str], option_names) -> None:
    """Raises AssertionError where khz would not understand these arguments."""
    words, rest = "khz", list(call)
    while rest and f"{words} {rest[0]}" in tree:
        words = f"{words} {rest.pop(0)}"
    command = tree[words]
    assert not getattr(command, "commands", None) or rest[:1] == ["--help"], (
        f"there is no '{words} {rest[:1]}'"
    )
    known = {name: parameter for parameter in command.params for name in option_names(parameter)}
    places = [parameter for parameter in command.params if not option_names(parameter)]
    given = 0
    while rest:
        word = rest.pop(0)
        if word == "--help":
            continue
        if word.startswith("-") and word != "-":
            name, _, value = word.partition("=")
            assert name in known, f"'{words}' has no option {name}"
            if not known[name].is_flag and not value:
                assert rest, f"'{words} {name}' takes a value"
                rest.pop(0)
        else:
            given += 1
    needed = sum(place.required for place in places)
    many = any(place.nargs == -1 for place in places)
    assert needed <= given, f"'{words}' with {given} arguments"
    assert many or given <= len(places), f"'{words}' with {given} arguments"


SHELL = blocks("sh")


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_shell_blocks_call_commands_with_options_that_exist(block, generator):
    tree = dict(generator["commands"].commands())
    for call in khz_calls(block.text):
        check_call(tree, call, generator["commands"].option_names)


def test_a_shell_block_with_a_wrong_option_is_found(generator):
    tree, names = dict(generator["commands"].commands()), generator["commands"].option_names
    check_call(tree, ["sim", "g1", "--seed", "3"], names)
    for call in (
        ["sim", "g1", "--sede", "3"],
        ["smi", "g1"],
        ["sim"],
        ["sim", "g1", "h1"],
        ["sim", "g1", "--seed"],
    ):
        with pytest.raises(AssertionError):
            check_call(tree, call, names)


YAML = blocks("yaml")


@pytest.mark.parametrize("block", YAML, ids=str)
def test_yaml_blocks_fit_their_schema(block, tmp_path):
    path = tmp_path / "block.yaml"
    path.write_text(block.text)
    if Path(block.title).name == "columns.yaml":
        assert read_columns(path, [], ["left_foot", "right_foot"]).source("gyro_y").column == "gy"
        return
    if block.title == "pushes.yaml":
        assert load_study(path).runs == 200
        return
    if block.title == "circle-gains.yaml":
        (tmp_path / "mine.yaml").write_text("hand: {kp_per_s2: 40.0}\n")
        assert load_tuning(path).section.roll_outs == 200
        return
    by_name = {"robot.yaml": RobotDescription, "gains.yaml": Gains, "driver.yaml": DriverConfig}
    load_yaml(path, by_name.get(Path(block.title).name, Scenario))


PYTHON_PAGES = sorted({block.page for block in blocks("python") if not block.title})


@pytest.mark.long
@pytest.mark.closed_loop
@pytest.mark.parametrize("page", PYTHON_PAGES)
def test_python_blocks_run_one_after_the_other(page, tmp_path, monkeypatch):
    write_files(page, tmp_path)
    monkeypatch.chdir(tmp_path)
    names: dict = {"__name__": "__main__"}
    for block in blocks("python"):
        if block.page == page and not block.title:
            exec(compile("\n" * block.line + block.text, DOCS / page, "exec"), names)


def test_the_robots_of_the_tutorial_load_and_a_mistake_is_told_as_it_says(tmp_path, monkeypatch):
    write_files("tutorials/robot.md", tmp_path)
    monkeypatch.chdir(tmp_path)
    go2, ur10 = RobotModel.load("go2"), RobotModel.load("ur10")
    assert (go2.na, ur10.na) == (12, 6)
    assert load_gains(go2).com.dcm_gain_per_s == 6.0
    assert load_scenario("go2/squat.yaml", go2).duration_s == 6.0
    path = Path("go2/robot.yaml")
    path.write_text(path.read_text().replace("{link: FL_foot", "{link: FL_fot"))
    with pytest.raises(ConfigError) as error:
        RobotModel.load("go2")
    assert str(error.value) in (DOCS / "tutorials/robot.md").read_text()


def test_the_task_kind_of_the_tutorial_compiles_to_its_specification(tmp_path):
    load_kinds()
    write_files("tutorials/task.md", tmp_path)
    name = "kilohertz.controller.tasks.frame_velocity"
    try:
        module = load(name, tmp_path / "controller/tasks/frame_velocity.py")
        robot = RobotModel.load("panda")
        task = Task("task", "frame_velocity", 1.0, [3.0], "panda_hand")
        tables = ProblemTables(
            robot, robot.pin_model.createData(), [task], ContactSettings(20.0, 0.0, 1.0), BarrierSettings()
        )
        kin, rng = tables.arrays.kin, np.random.default_rng(0)
        f = tables.frame_index["panda_hand"]
        for array in (kin.R, kin.vel, kin.drift, kin.J):
            array[:] = rng.normal(size=array.shape)
        ref, gain = rng.normal(size=KINDS["frame_velocity"].n_ref), tables.arrays.tasks.gain[0]
        T, b = np.zeros((KINDS["frame_velocity"].dim, robot.nv)), np.zeros(KINDS["frame_velocity"].dim)
        kernel(module.fill.py_func)(kin, f, ref, gain, T, b)
        rows, asked = module.spec(kin, f, ref, gain)
        np.testing.assert_allclose(T, rows)
        np.testing.assert_allclose(b, asked)
    finally:
        KINDS.pop("frame_velocity", None)
        sys.modules.pop(name, None)


def test_the_behaviour_of_the_tutorial_is_one_of_the_robots(tmp_path, monkeypatch):
    write_files("tutorials/robot.md", tmp_path)
    write_files("tutorials/behaviour.md", tmp_path)
    monkeypatch.chdir(tmp_path)
    load("tutorial_test_dip", tmp_path / "test_dip.py").test_it_goes_down_by_the_depth_and_comes_back()
    go2 = RobotModel.load("go2")
    with pytest.raises(BehaviourError, match="is too deep"):
        make_request(go2, "dip", {"depth_m": 0.5, "period_s": 1.0})
    wrong = tmp_path / "wrong"
    wrong.mkdir()
    text = (tmp_path / "go2/behaviours/dip.py").read_text()
    (wrong / "dip.py").write_text(text.replace("    fields =", "    feilds ="))
    with pytest.raises(ConfigError) as error:
        load_behaviours(wrong)
    told = str(error.value).replace(str(wrong), "go2/behaviours")
    assert told in (DOCS / "tutorials/behaviour.md").read_text()
    scenario = load_scenario("go2/dip.yaml", go2)
    assert [command.kind for command in scenario.commands] == ["stand", "dip"]


@pytest.mark.host
def test_the_driver_of_the_tutorial_serves_a_controller(tmp_path, monkeypatch):
    write_files("tutorials/driver.md", tmp_path)
    monkeypatch.chdir(tmp_path)
    module = load("tutorial_driver", tmp_path / "driver.py")
    endpoint = f"ipc://{tmp_path / 'robot'}"
    driver = module.Driver("two_joints", endpoint)
    stop = threading.Event()
    # Periods of 20 ms: what else the host does then costs no deadline.
    thread = threading.Thread(target=driver.serve, args=(lambda: not stop.is_set(), 0.02))
    thread.start()
    try:
        robot = RobotModel.load("two_joints")
        link = ZmqLink(robot, endpoint, lockstep=True)
        link.arm()
        sensors, command = robot.new_sensor_row(), robot.new_command_row()
        command.tau_ff[:] = 0.2
        for _ in range(20):
            assert link.read(sensors)
            link.write(command)
        assert (sensors.v > 0.0).all()
        link.close()
        assert link.farewell[0] >= 15
    finally:
        stop.set()
        thread.join()
        sys.modules.pop("tutorial_driver", None)


# Completeness of the reference


def dotted(model, prefix=""):
    """Every key of a schema with sections, dotted; keys of maps by the name of their model."""
    from pydantic import BaseModel

    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from dotted(field.annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def test_every_gain_is_in_the_reference_with_its_default(generator):
    page = generator["pages"].gains_page()
    keys = list(dotted(Gains))
    assert len(keys) > 90
    assert [key for key in keys if f"| `{key}` |" not in page] == []
    assert re.search(r"\| `walk.dcm_gain_per_s` \| 1/s \| `5.0` \| \\> 0, ≤ 30 \| yes \| ", page)
    assert re.search(r"\| `walk.height` \|  \| `0.9` \| \\> 0.5, ≤ 1 \| no \| ", page)


def test_every_gain_says_what_it_means(generator):
    schema = generator["schema"]
    silent = [
        f"{model.__name__}.{key}"
        for model in schema.all_models(Gains)
        for key, field, text in schema.rows(model)
        if not text and not list(schema.models_in(field.annotation))
    ]
    assert silent == []


@pytest.mark.parametrize("root", ["robot", "scenario"])
def test_every_key_of_robot_and_scenario_files_is_in_the_reference(root, generator):
    text = generator["pages"].pages()[f"reference/{root}.md"]
    for model in generator["schema"].all_models(RobotDescription if root == "robot" else Scenario):
        section = text.split(f"{{ #{model.__name__.lower()} }}")[1].split("\n## ")[0]
        assert [name for name in model.model_fields if f"| `{name}` |" not in section] == [], model


def test_every_behaviour_has_a_section_with_its_parameters(generator):
    page = generator["pages"].behaviours_page()
    assert load_behaviours()
    for name, behaviour in load_behaviours().items():
        section = page.split(f"\n## {name} ")[1].split("\n## ")[0]
        keys = behaviour.Parameters.model_fields
        assert [key for key in keys if f"| `{key}` |" not in section] == [], name


def test_every_task_kind_has_a_section_and_its_equation(generator):
    page, concepts = generator["pages"].tasks_page(), (DOCS / "concepts/tasks.md").read_text()
    assert len(load_kinds()) >= 10
    assert [name for name in load_kinds() if f"\n## {name}\n" not in page] == []
    assert [name for name in load_kinds() if f"\n### {name}\n" not in concepts] == []


def test_every_command_and_option_is_in_the_reference(generator):
    page = generator["commands"].command_page()
    commands = list(generator["commands"].commands())
    assert len(commands) > 15
    for words, command in commands:
        assert re.search(rf"^#+ {words}$", page, re.MULTILINE), words
        section = re.split(r"^#+ ", page.split(f" {words}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
        for parameter in command.params:
            for name in generator["commands"].option_names(parameter):
                assert re.search(rf"`[^`]*{name}\b", section), f"{words} {name}"


def keys_of(value, prefix=""):
    """Dotted keys of a JSON object, as deep as they are names and no values."""
    for name, inner in value.items():
        if isinstance(inner, dict) and prefix + name not in LEAVES and not prefix.startswith("latency_us"):
            yield from keys_of(inner, f"{prefix}{name}.")
        else:
            yield prefix + name


LEAVES = ("tracking.hand_rms_m", "tracking.hand_max_m", "hand_wrench", "torque.peak_fraction_by_joint")


@pytest.mark.long
@pytest.mark.host
def test_the_summary_page_has_every_key_of_a_summary_and_no_other(tmp_path):
    path = tmp_path / "run.json"
    run = [sys.executable, "-c", "from kilohertz.rt.cli.main import main; main()", "sim", "panda"]
    subprocess.run(
        [*run, "--scenario", "stand", "--duration", "0.1", "--json", path], check=True, capture_output=True
    )
    page = (DOCS / "reference/summary.md").read_text()
    first_column = [line.split(" | ")[0] for line in page.splitlines() if " | " in line]
    told = {key for cell in first_column for key in re.findall(r"`([^`]+)`", cell)}
    # Only a run that watches another controller has this section.
    shadow = {key for key in told if key.startswith("shadow.")}
    source = inspect.getsource(shadow_figures)
    assert all(f'"{key.removeprefix("shadow.")}"' in source for key in shadow)
    assert set(keys_of(json.loads(path.read_text()))) == told - shadow


# The site


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("mkdocs", reason="pip install '.[docs]'")
    pytest.importorskip("mkdocstrings")
    folder = tmp_path_factory.mktemp("site")
    command = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "--config-file",
        DOCS / "generator/mkdocs.yml",
    ]
    built = subprocess.run([*command, "--site-dir", folder], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return folder


@pytest.mark.host
def test_the_site_builds_strictly_and_every_public_name_has_an_entry(site):
    page = (site / "reference/python.html").read_text()
    assert [name for name in kilohertz.__all__ if f'id="kilohertz.{name}"' not in page] == []


@pytest.mark.host
def test_the_site_has_a_page_for_every_package(site, generator):
    for path in generator["pages"].module_pages():
        assert (site / path).with_suffix(".html").exists(), path


@pytest.mark.host
def test_the_site_loads_nothing_from_the_network(site):
    loads = re.compile(
        r'<(?:script|img|iframe|source)[^>]+src="(?:https?:)?//|<link[^>]+rel="(?:stylesheet|preload|preconnect)"[^>]+href="(?:https?:)?//|@import\s+url\(["\']?(?:https?:)?//'
    )
    pages = list(site.rglob("*.html"))
    assert len(pages) > 40
    assert [page.name for page in pages if loads.search(page.read_text())] == []


@pytest.mark.host
def test_formulas_are_mathml(site):
    page = (site / "concepts/qp.html").read_text()
    assert page.count("<math") > 15
    assert "arithmatex" not in page
    assert "\\dot" not in re.sub(r"<(script|style).*?</\1>", "", page, flags=re.DOTALL)


def test_a_formula_that_has_no_mathml_stops_the_build(generator):
    mathml = pytest.importorskip("mathml")
    good = mathml.with_mathml(r'<span class="arithmatex">\(\dot v \le a\)</span>', "page")
    assert good.startswith("<math")
    assert "arithmatex" not in good
    for wrong in (r"\nosuchcommand x", r"\begin{aligned} a &= b \end{aligned}"):
        with pytest.raises(ValueError, match="no MathML"):
            mathml.with_mathml(rf'<div class="arithmatex">\[{wrong}\]</div>', "page")
