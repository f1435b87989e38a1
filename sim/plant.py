"""Differences between the simulated robot and its model: friction, damping and inertial errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.sim.scenario_schema import Plant

Vector = NDArray[np.float64]

# The default friction is that of a human-sized joint. Friction is limited to this fraction of the joint's
# torque limit (damping: of the torque limit per rad/s); otherwise a robot of 1 kg could not move.
MAX_FRICTION_OF_LIMIT = 0.04
MAX_DAMPING_OF_LIMIT_S = 0.01

LINK_ERROR_STREAM = 11


def joint_friction_Nm(robot: RobotModel, plant: Plant) -> Vector:
    """Returns the (na,) dry friction of each joint [Nm].

    The default plant uses the value in robot.yaml if there is one, and otherwise 0.2 Nm but at most 4 % of
    the joint's torque limit. The value of a plant that the scenario gives itself is used unchanged.
    """
    return _per_joint(
        robot, plant, plant.joint_friction_Nm, robot.description.joint_friction_Nm, MAX_FRICTION_OF_LIMIT
    )


def joint_damping_Nms(robot: RobotModel, plant: Plant) -> Vector:
    """Returns the (na,) viscous friction of each joint [Nms/rad].

    The default plant uses the value in robot.yaml if there is one, and otherwise its own value but at most
    1 % of the joint's torque limit per rad/s. The value of a plant that the scenario gives itself is used
    unchanged.
    """
    return _per_joint(
        robot, plant, plant.joint_damping_Nms, robot.description.joint_damping_Nms, MAX_DAMPING_OF_LIMIT_S
    )


def _per_joint(
    robot: RobotModel, plant: Plant, value: float, known: float | Mapping[str, float], of_limit: float
) -> Vector:
    result = np.full(robot.na, value)
    if not plant.follow_robot:
        return result
    np.minimum(result, of_limit * robot.torque_limit_Nm, out=result)
    for index, name in enumerate(robot.joint_names):
        if not isinstance(known, Mapping):
            result[index] = known
        elif name in known:
            result[index] = known[name]
    return result


def perturb_links(model: Any, bodies: list[int], plant: Plant, seed: int) -> None:
    """Applies the plant's model error to each link; the caller must call `mj_setConst` afterwards.

    Mass and inertia are scaled independently, each by a uniform random factor from 1 +- model_error; a scaled
    inertia about the centre of mass stays physical. The centre of mass moves by a uniform random distance
    from +- com_error_m per axis.

    Args:
        model: MuJoCo model, changed in place.
        bodies: ids of the robot's bodies, in a fixed order.
        plant: model errors to apply.
        seed: random seed of the run; with the same seed, the errors for a model_error of 1 % are one tenth of
            those for 10 %.
    """
    rng = np.random.default_rng([seed, LINK_ERROR_STREAM])
    for body in bodies:
        mass_draw, inertia_draw, *com_draw = rng.uniform(-1.0, 1.0, 5)
        if model.body_mass[body] <= 0.0:
            continue
        model.body_mass[body] *= 1.0 + plant.model_error * mass_draw
        model.body_inertia[body] *= 1.0 + plant.model_error * inertia_draw
        model.body_ipos[body] += plant.com_error_m * np.array(com_draw)
