"""Declarations become tables that refer to each other rightly, or are refused in a sentence."""

import numpy as np
import pytest
from bodies import robot, whole_body
from one_joint import one_joint

from kilohertz.controller.problem.declarations import BarrierSettings, ContactSettings
from kilohertz.controller.problem.tables import FRAME, REF
from kilohertz.controller.tasks.kind import KINDS
from kilohertz.controller.whole_body.problem_tables import ProblemTables
from kilohertz.controller.whole_body.whole_body import Task

REFUSED = (
    ([Task("a", "levitate", 1.0)], "task 'a': there is no kind 'levitate'; there are angular_momentum, com"),
    (
        [Task("a", "joint", 1.0, (), "tail")],
        "task 'a': there is no joint 'tail'; there are left_hip_pitch_joint",
    ),
    ([Task("a", "frame_pose", 1.0, (), "tail")], "the model has no frame 'tail'"),
    ([Task("a", "frame_pose", 1.0)], "the model has no frame 'None'"),
    (
        [Task("a", "contact_force", 1.0, (), "tail")],
        "task 'a': there is no contact 'tail'; there are left_foot",
    ),
    (
        [Task("a", "frame_position", 1.0, [400.0], "pelvis")],
        "task 'a': it has 1 gain, but the kind 'frame_position' takes 2; see kilohertz.controller.tasks",
    ),
    ([Task("a", "frame_pose", 1.0, [1.0] * 3, "pelvis")], "the kind 'frame_pose' takes 4 or 5"),
    ([Task("a", "posture", 1.0, [1.0] * 20)], "task 'a': it has 20 gains"),
)


@pytest.mark.parametrize(("tasks", "sentence"), REFUSED)
def test_a_declaration_that_does_not_fit_is_refused_in_a_sentence(tasks, sentence):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the sentence is compared below
        whole_body(robot("g1"), tasks)
    assert sentence in str(caught.value)


def test_a_momentum_task_on_a_fixed_base_is_refused():
    with pytest.raises(ValueError, match="task 'a': momentum tasks need a floating base"):
        whole_body(robot("ur5"), [Task("a", "com", 1.0)])


@pytest.mark.parametrize("name", ["g1", "ur5"])
def test_references_lie_one_after_the_other(name):
    body = whole_body(robot(name))
    table, end = body.arrays.tasks.table, 0
    for row, task in zip(table[: len(body.declared)], body.declared, strict=True):
        assert row[REF] == end
        end += KINDS[task.kind].ref_length(body.robot.na)
    assert end == len(body.arrays.tasks.ref)


def test_a_task_moves_only_the_columns_between_its_frame_and_the_root():
    body = whole_body(robot("g1"))
    tasks, kin = body.arrays.tasks, body.arrays.kin
    for i, task in enumerate(body.declared):
        if task.frame in body.frame_index:
            f = int(tasks.table[i, FRAME])
            touched = np.flatnonzero(np.abs(kin.J[f]).max(axis=0) > 0)
            assert set(touched) <= set(tasks.columns[i, : tasks.n_columns[i]].tolist())


def test_the_jacobian_of_a_robot_with_one_joint_is_a_matrix(tmp_path):
    for model in (one_joint(tmp_path), robot("panda")):
        data = model.pin_model.createData()
        tables = ProblemTables(model, data, [], ContactSettings(20.0, 0.0, 1.0), BarrierSettings())
        Jw = tables.arrays.kin.Jw
        assert Jw.shape == (model.nv, 6)
        assert Jw.flags.c_contiguous
        assert np.shares_memory(Jw, data.J)
