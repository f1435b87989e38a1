"""Behaviours are found wherever they may live, and what is none is refused with its file and line."""

import shutil
from pathlib import Path

import pytest
from bodies import robot
from hypothesis import given
from hypothesis import strategies as st
from sim_runs import scenario

from kilohertz.controller.behaviours import registry
from kilohertz.controller.behaviours.registry import load_behaviours
from kilohertz.controller.brain import Brain
from kilohertz.controller.gains.schema import load_gains
from kilohertz.controller.supervision.request import behaviour_id, make_request
from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.sim.simulated_robot import SimulatedRobot
from kilohertz.sim.truth import TruthEstimator

FOLDER = Path(registry.__file__).parent
SHIPPED = {path.stem for path in FOLDER.glob("*.py")} - {"__init__", "base", "registry"}
HEAD = "from kilohertz.controller.behaviours.base import Behaviour, BehaviourParameters, Positive\n"
NOD = '''

class Nod(Behaviour):
    """Nod."""

    name = "nod"
    fields = (("angle_rad", 1),)

    class Parameters(BehaviourParameters):
        """Parameters of nod."""

        angle_rad: Positive
'''


def load(folder, text, file="nod.py"):
    (folder / file).write_text(text)
    load_behaviours.cache_clear()
    return load_behaviours(folder)


def test_every_file_of_the_folder_is_a_behaviour_of_its_name():
    kinds = load_behaviours()
    assert set(kinds) == SHIPPED
    assert {"stand", "walk", "reach", "damp"} <= SHIPPED
    assert list(kinds) == sorted(kinds)
    assert len({behaviour_id(name) for name in kinds}) == len(kinds)


def test_one_more_file_is_one_more_behaviour(tmp_path):
    kinds = load(tmp_path, HEAD + NOD)
    assert set(kinds) == SHIPPED | {"nod"}
    assert kinds["nod"].Parameters.model_validate({"angle_rad": 0.1}).angle_rad == 0.1
    assert set(load_behaviours(tmp_path / "elsewhere")) == SHIPPED


@pytest.mark.parametrize(
    ("old", "new", "line", "sentence"),
    [
        ("class Nod(Behaviour):", "class Nod(Behaviour:", 4, "SyntaxError"),
        ("import Behaviour,", "import Behavior,", 1, "cannot import name 'Behavior'"),
        ('    name = "nod"\n', "", 4, "its name should be text of lower-case letters"),
        ('"nod"', '"walk"', 4, "'walk' is already the name of a behaviour in"),
        ('"nod"', '"No d"', 4, "its name should be text"),
        ('    """Nod."""\n', "", 4, "has no docstring"),
        ("fields =", "feilds =", 4, "a behaviour has no 'feilds' (did you mean 'fields'?)"),
        ('(("angle_rad", 1),)', '(("angle_rad", 0),)', 4, "with lengths above 0, not ('angle_rad', 0)"),
        ('(("angle_rad", 1),)', '["angle_rad"]', 4, "fields should be a tuple of (name, length) pairs"),
        (
            '"angle_rad", 1',
            '"at_s", 1',
            4,
            "field 'at_s' is there twice, or is a name that every",
        ),
        ("Parameters(BehaviourParameters)", "Parameters", 4, "should be a subclass of BehaviourParameters"),
        (
            '    fields = (("angle_rad", 1),)\n',
            "    def advance(self, reference): pass\n",
            4,
            "advance should take (t_s, reference), not (reference)",
        ),
        ('    fields = (("angle_rad", 1),)\n', '    legs = "stand"\n', 4, "legs should be one of Legs.STAND"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_its_line(tmp_path, old, new, line, sentence):
    text = HEAD + NOD
    assert old in text
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text.replace(old, new))
    message = str(caught.value)
    assert sentence in message
    assert message.startswith(f"{tmp_path / 'nod.py'}:{line}: ")
    assert "\n" not in message


def test_a_file_without_a_behaviour_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"nod\.py: defines no behaviour"):
        load(tmp_path, HEAD)


def test_another_distribution_adds_behaviours_by_an_entry_point(tmp_path, monkeypatch):
    (tmp_path / "my_moves.py").write_text(HEAD + NOD)
    info = tmp_path / "my_moves-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-moves\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{registry.ENTRY_POINT_GROUP}]\nmoves = my_moves\n")
    monkeypatch.syspath_prepend(tmp_path)
    load_behaviours.cache_clear()
    try:
        assert "nod" in load_behaviours()
        (info / "entry_points.txt").write_text(f"[{registry.ENTRY_POINT_GROUP}]\nmoves = no_such_module\n")
        load_behaviours.cache_clear()
        with pytest.raises(ConfigError, match=r"entry point 'moves' \(no_such_module\).*cannot be imported"):
            load_behaviours()
    finally:
        monkeypatch.undo()
        load_behaviours.cache_clear()


@given(st.text(max_size=30))
def test_the_number_of_a_behaviour_is_kept_exactly_by_a_row(name):
    assert int(float(behaviour_id(name))) == behaviour_id(name)


POINT = """
from kilohertz.controller.behaviours.base import Behaviour
from kilohertz.controller.problem.declarations import Task


class Point(Behaviour):
    \"\"\"Keep the first hand 5 cm above where it is, with a task of its own.\"\"\"

    name = "point"

    @classmethod
    def tasks(cls, robot, gains):
        frame = robot.pin_model.frames[robot.hands[0].frame_id].name
        return [Task("point", "frame_position", 50.0, [100.0, 20.0], frame)]

    def start(self, payload):
        body = self.context.body
        hand = self.context.robot.hands[0].frame_id
        frame = body.frame_index[self.context.robot.pin_model.frames[hand].name]
        reference = body.reference("point")
        reference[:3] = body.arrays.kin.p[frame] + [0.0, 0.0, 0.05]
        reference[3:] = 0.0
        body.switch("point", True)
"""


@pytest.mark.closed_loop
def test_a_behaviour_may_bring_a_task_of_its_own(tmp_path):
    shutil.copytree(robot("g1").folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "behaviours").mkdir()
    (tmp_path / "behaviours" / "point.py").write_text(POINT)
    model = RobotModel.load(str(tmp_path))
    sim = SimulatedRobot(model, scenario(), 0)
    brain = Brain(model, load_gains(model), TruthEstimator(sim.truth))
    sensors = model.new_sensor_row()
    sim.read(sensors)
    brain.reset(sensors)
    start_m = float(sim.truth.p_WH[0, 2])
    requests = [make_request(model, name, {}) for name in ("stand", "point")]
    for tick in range(2000):
        sim.read(sensors)
        sim.write(brain.step(sensors, requests[tick > 500], None, lambda stage: None).command)
    assert brain.output.state == "active"
    assert sim.truth.p_WH[0, 2] - start_m == pytest.approx(0.05, abs=0.01)
