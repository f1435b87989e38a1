"""How the simulated robot differs from its model: friction, damping, and links that weigh otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.sim.scenario_schema import Plant

Vector = NDArray[np.float64]

# The default friction is that of a human-sized joint. A joint too weak for it gets this part of its torque
# limit (and, for damping, of the limit per rad/s), or a 1 kg robot could not move at all.
MAX_FRICTION_OF_LIMIT = 0.04
MAX_DAMPING_OF_LIMIT_S = 0.01

LINK_ERROR_STREAM = 11


def joint_friction_Nm(robot: RobotModel, plant: Plant) -> Vector:
    """(na,) dry friction of each joint [Nm].

    The default plant takes robot.yaml's own figure where it has one, and otherwise caps its 0.2 Nm at 4 %
    of the joint's torque limit; an explicit plant is taken at its word.
    """
    return _per_joint(
        robot, plant, plant.joint_friction_Nm, robot.description.joint_friction_Nm, MAX_FRICTION_OF_LIMIT
    )


def joint_damping_Nms(robot: RobotModel, plant: Plant) -> Vector:
    """(na,) viscous friction of each joint [Nms]; the default plant's cap is 1 % of the limit per rad/s."""
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
    """Puts the plant's model error on each link; `mj_setConst` must follow.

    Mass and inertia are scaled apart from each other, each by a uniform draw from 1 +- model_error (a
    scaled inertia about the centre of mass stays physical); the centre of mass moves by a uniform draw
    from +- com_error_m per axis.

    Args:
        model: the MuJoCo model, changed in place.
        bodies: the robot's bodies, in a fixed order.
        plant: what to apply.
        seed: the run's seed; every error of +-1 % is a tenth of the same seed's +-10 %.
    """
    rng = np.random.default_rng([seed, LINK_ERROR_STREAM])
    for body in bodies:
        mass_draw, inertia_draw, *com_draw = rng.uniform(-1.0, 1.0, 5)
        if model.body_mass[body] <= 0.0:
            continue
        model.body_mass[body] *= 1.0 + plant.model_error * mass_draw
        model.body_inertia[body] *= 1.0 + plant.model_error * inertia_draw
        model.body_ipos[body] += plant.com_error_m * np.array(com_draw)
