"""A gantry: a winch over the robot, and a tether from it to the upper body, which pulls but never pushes.

A run with a gantry starts with a robot that hangs limp, as it is brought to the gantry: no drive holds a
joint, and the legs dangle. The winch then follows the times of the scenario, and what it does ends by events:
it lowers until the tether is slack, and raises until the soles are off the ground.
"""

from __future__ import annotations

import math

import mujoco
import numpy as np
from numpy.typing import NDArray

from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.sim.hook import HOOK
from kilohertz.sim.surroundings_schema import GantryPlan
from kilohertz.sim.world import STEP_S, World

Vector = NDArray[np.float64]

_DAMPING_RATIO = 0.4
"""Damping of the robot on its tether, relative to the critical one."""
_LIMP_S = 6.0
"""Time in which the limp robot comes to rest before the run [s]."""
_LIMP_DAMPING, _SWING_DAMPING = 0.03, 2.0
"""Damping in this time: of every joint relative to its torque limit [s/rad], and of the base relative to the
mass [1/s] and, for its rotation, to half of it [m^2/s]."""
_LIFT_M = 3.0
"""Height at which it comes to rest, clear of the ground [m]."""


class Gantry:
    """The winch and its tether.

    Attributes:
        force_N: tension of the tether in the last step [N].
        length_m: length of the tether without tension, from the winch to the hook [m].

    Args:
        robot: the robot.
        world: the world of the run, which has a hook.
        plan: when and how fast the winch moves.
    """

    def __init__(self, robot: RobotModel, world: World, plan: GantryPlan) -> None:
        self._robot, self._world, self._plan = robot, world, plan
        self._hook = world.model.body(HOOK).id
        mass_kg = float(world.model.body_mass[1:].sum())
        self._stiffness = mass_kg * GRAVITY_M_S2 / plan.stretch_m
        self._damping = 2.0 * _DAMPING_RATIO * math.sqrt(self._stiffness * mass_kg)
        self._p_WA = np.zeros(3)
        self._rope, self._twist = np.zeros(3), np.zeros(6)
        self.length_m = plan.rope_m
        self.force_N = 0.0
        self._lowers, self._raises = False, False
        self._lowered, self._raised = False, False

    def hang(self) -> Vector:
        """Hangs the limp robot on the tether, at rest, with its lowest sole at the height of the plan.

        Returns:
            (na,) joint torques that hold this state [Nm]: none.
        """
        world, robot = self._world, self._robot
        model, data = world.model, world.data
        mujoco.mj_resetData(model, data)
        data.qpos[world.joint_qpos] = robot.q_nominal[robot.nq_base :]
        data.qpos[:7] = robot.q_nominal[[0, 1, 2, 6, 3, 4, 5]]
        data.qpos[2] += _LIFT_M
        self._come_to_rest()
        mujoco.mj_kinematics(model, data)
        data.qpos[2] += self._plan.height_m - self._lowest_m()
        qpos = data.qpos.copy()
        p_WP = data.xpos[self._hook].copy()
        mujoco.mj_resetData(model, data)
        data.qpos[:] = qpos
        mujoco.mj_kinematics(model, data)
        self._p_WA[2] += data.xpos[self._hook, 2] - p_WP[2]
        self._pull()
        mujoco.mj_forward(model, data)
        return np.zeros(robot.na)

    def _come_to_rest(self) -> None:
        """Simulates the limp robot, without friction and with more damping, until it is still."""
        model, data = self._world.model, self._world.data
        damping, friction = model.dof_damping.copy(), model.dof_frictionloss.copy()
        model.dof_damping[:3] = _SWING_DAMPING * float(model.body_mass.sum())
        model.dof_damping[3:6] = 0.5 * model.dof_damping[:3]
        model.dof_damping[self._world.joint_dof] = _LIMP_DAMPING * self._robot.torque_limit_Nm
        model.dof_frictionloss[:] = 0.0
        mujoco.mj_forward(model, data)
        self._p_WA[:] = data.xpos[self._hook] + [0.0, 0.0, self._plan.rope_m + self._plan.stretch_m]
        for _ in range(round(_LIMP_S / STEP_S)):
            self._pull()
            mujoco.mj_step(model, data)
        model.dof_damping[:], model.dof_frictionloss[:] = damping, friction

    def _lowest_m(self) -> float:
        """Returns the height of the lowest corner of all soles over the ground [m]."""
        world = self._world
        lowest = math.inf
        for contact, site in zip(self._robot.contacts, world.contact_sites, strict=True):
            R = world.data.site_xmat[site].reshape(3, 3)
            lowest = min(lowest, float((world.data.site_xpos[site] + contact.corners_F @ R.T)[:, 2].min()))
        return lowest

    def _pull(self) -> float:
        """Applies the tension that belongs to the present positions and velocities.

        Returns:
            How much longer the tether is than the distance that it spans [m]; negative while it is taut.
        """
        data, rope = self._world.data, self._rope
        np.subtract(self._p_WA, data.xpos[self._hook], out=rope)
        distance = math.sqrt(float(rope @ rope))
        rope /= distance
        mujoco.mj_objectVelocity(
            self._world.model, data, mujoco.mjtObj.mjOBJ_BODY, self._hook, self._twist, 0
        )
        stretch = distance - self.length_m
        self.force_N = 0.0
        if stretch > 0.0:
            opening = -float(rope @ self._twist[3:])
            self.force_N = max(0.0, self._stiffness * stretch + self._damping * opening)
        np.multiply(rope, self.force_N, out=data.xfrc_applied[self._hook, :3])
        return -stretch

    def update(self, t_s: float) -> str:
        """Moves the winch by one step, and applies the tension for the next one.

        Args:
            t_s: time since the start of the run [s].

        Returns:
            What the winch begins or ends now, as text for the event; "" if nothing.
        """
        plan = self._plan
        slack_m = self._pull()
        if self._lowers:
            self.length_m += plan.lower_m_s * STEP_S
            if slack_m >= plan.slack_m:
                self._lowers, self._lowered = False, True
                return "the tether is slack, and the winch stops"
        elif self._raises:
            self.length_m -= plan.raise_m_s * STEP_S
            if self._lowest_m() >= plan.height_m:
                self._raises, self._raised = False, True
                return f"the soles are {plan.height_m:g} m over the ground, and the winch stops"
        elif not self._lowered and t_s >= plan.lower_at_s:
            self._lowers = True
            return f"the winch lowers the robot by {plan.lower_m_s:g} m/s"
        elif self._lowered and not self._raised and plan.raise_at_s is not None and t_s >= plan.raise_at_s:
            self._raises = True
            return f"the winch raises the robot by {plan.raise_m_s:g} m/s"
        return ""
