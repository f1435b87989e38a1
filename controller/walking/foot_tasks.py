"""Tasks of the swing feet; the shorter the step time, the higher their gains."""

from __future__ import annotations

import numpy as np

from kilohertz.controller.gains.schema import Gains, SwingGains
from kilohertz.controller.problem.tables import REF
from kilohertz.controller.tasks.frame_position import P_WF
from kilohertz.controller.walking.gait import planned_step_s
from kilohertz.controller.whole_body.whole_body import Task, WholeBody
from kilohertz.estimators.joint_friction import FootReferences
from kilohertz.robots.model.robot_model import RobotModel

_SWING_S = 0.39
"""The gains of the swing foot are valid for a step time of this or longer [s]. In a shorter step they are
raised: the foot has less time to reach its reference, while friction and model errors are not smaller."""


def walking_tasks(robot: RobotModel, gains: Gains) -> list[Task]:
    """Returns the tasks of the swing feet; the other tasks of walking are those of standing."""
    swing, model = gains.walk.swing, robot.pin_model
    faster = _faster(planned_step_s(robot, gains.walk))
    pair = [swing.kp_per_s2 * faster**2, swing.kd_per_s * faster]
    turn = [swing.orientation_kp_per_s2 * faster**2, swing.orientation_kd_per_s * faster]
    tasks = []
    for contact in robot.contacts:
        frame = model.frames[contact.frame_id].name
        tasks.append(Task(f"{contact.name}.position", "frame_position", swing.weight, pair, frame))
        if len(contact.corners_F) > 1:
            tasks.append(
                Task(
                    f"{contact.name}.orientation", "frame_orientation", swing.orientation_weight, turn, frame
                )
            )
    return tasks


def foot_references(body: WholeBody) -> FootReferences:
    """Returns where the controller, with `walking_tasks` declared, stores the feet's position references."""
    tasks, index = body.arrays.tasks, body.task_index
    rows = [index[f"{name}.position"] for name in body.robot.contact_names]
    start = [tasks.table[row, REF] + P_WF for row in rows]
    return FootReferences(tasks.ref, np.array(start, np.int64))


def foot_rate_per_s(swing: SwingGains, step_s: float) -> float:
    """Returns the rate at which a swing foot converges to its reference, for this step time [1/s]."""
    return _faster(step_s) * swing.kp_per_s2 / swing.kd_per_s


def _faster(step_s: float) -> float:
    """Returns the factor on the bandwidth of the swing-foot tasks, >= 1, for this step time."""
    return max(_SWING_S / step_s, 1.0)
