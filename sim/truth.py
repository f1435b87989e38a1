"""The true state of the simulation in pinocchio's convention, and an estimator that returns this state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import SensorRow

if TYPE_CHECKING:
    from kilohertz.sim.world import World

Vector = NDArray[np.float64]

# A sole with a smaller normal force than this counts as off the ground.
CONTACT_FORCE_N = 1.0
TOUCH = "touch"
"""Prefix of the name of the sensor of a hand's contact force; the name of the hand follows a slash."""


class Truth:
    """The true state of the simulated robot, updated in place in each step; arrays keep their addresses.

    Positions and velocities are those at `t_s`; forces and torques are those of the step that ended at `t_s`.

    Attributes:
        t_s: time since the start of the run [s].
        q, v: (nq,), (nv,) state in pinocchio's convention, with the base velocity in base axes.
        p_WC, v_WC: (3,) centre of mass of all moving bodies, with payloads [m], and its velocity [m/s].
        p_WR: (3,) centre of mass of the robot alone [m], as in a controller's model without payloads.
        mass_kg: mass of all moving bodies, with payloads [kg].
        p_WF: (nc, 3) origins of the contact frames in the world [m].
        contact_force_W: (nc, 3) force of the ground on each sole, in world axes [N].
        normal_force_N: (nc,) component of this force along the ground's normal [N].
        cop_W: (nc, 3) centre of pressure of each sole in the world [m]; NaN for a sole off the ground.
        tau: (na,) torque of the drives [Nm].
        p_WH, R_WH: (nh, 3), (nh, 3, 3) positions [m] and rotations of the hands in the world.
        f_WH: (nh, 3) force of obstacles, people and shared loads on each hand, in world axes [N].
        push_W: (nh, 3) force of people on each hand, which the simulated robot writes [N].
        load_W: (nh, 3) force of shared loads on each hand, which these write [N]; None without.
    """

    known = True
    """A simulator knows the true state."""

    def __init__(self, robot: RobotModel, world: World) -> None:
        self.t_s = 0.0
        self.q = np.array(robot.q_nominal)
        self.v = np.zeros(robot.nv)
        self.p_WC = np.zeros(3)
        self.v_WC = np.zeros(3)
        self.p_WR = np.zeros(3)
        self.mass_kg = 0.0
        n_contacts, n_hands = len(robot.contacts), len(robot.hands)
        self.p_WF = np.zeros((n_contacts, 3))
        self.contact_force_W = np.zeros((n_contacts, 3))
        self.normal_force_N = np.zeros(n_contacts)
        self.cop_W = np.full((n_contacts, 3), np.nan)
        self.tau = np.zeros(robot.na)
        self.p_WH = np.zeros((n_hands, 3))
        self.R_WH = np.zeros((n_hands, 3, 3))
        self.f_WH, self.push_W = np.zeros((n_hands, 3)), np.zeros((n_hands, 3))
        self.load_W: Vector | None = None

        data, model = world.data, world.model
        self._world = world
        self._floating = robot.floating
        self._normal_W = np.array(world.terrain.normal_W)
        # MuJoCo's arrays keep their addresses too, so that views of them are made only once.
        self._qpos, self._qvel = data.qpos, data.qvel
        self._joint_q, self._joint_v = self.q[robot.nq_base :], self.v[robot.n_base :]
        self._R_WB = data.xmat[world.root].reshape(3, 3)
        self._R_BW = self._R_WB.T
        self._xipos = data.xipos
        self._weights = np.zeros(model.nbody)
        self._robot_weights = np.zeros(model.nbody)
        self._payload_bodies = [b for b in range(model.nbody) if model.body(b).name.startswith("payload/")]
        self._of_subtree = 1.0
        start = world.sensor["com_velocity"]
        self._com_velocity = data.sensordata[start : start + 3]
        starts = [world.sensor[f"contact/{name}"] for name in robot.contact_names]
        self._force_index = np.array([[s + 1, s + 2, s + 3] for s in starts], np.intp).reshape(n_contacts, 3)
        self._cop_index = np.array([[s + 4, s + 5, s + 6] for s in starts], np.intp).reshape(n_contacts, 3)
        self._sensordata = data.sensordata
        touch = [world.sensor.get(f"{TOUCH}/{name}", -1) for name in robot.hand_names]
        self._touched = bool(touch) and min(touch) >= 0
        self._touch_index = np.array([[s, s + 1, s + 2] for s in touch], np.intp).reshape(n_hands, 3)
        self._site_xpos, self._site_xmat = data.site_xpos, data.site_xmat
        self._R_WH_flat = self.R_WH.reshape(n_hands, 9)
        self._actuator_force = data.actuator_force
        self._masses = model.body_mass
        self._moving = model.body_weldid != 0

    def update(self, t_s: float) -> None:
        """Updates the true state from MuJoCo's data, in which positions and velocities must be up to date.

        Args:
            t_s: time since the start of the run [s].
        """
        world = self._world
        self.t_s = t_s
        q, v = self.q, self.v
        if self._floating:
            q[:3] = self._qpos[:3]
            q[3:6] = self._qpos[4:7]
            q[6] = self._qpos[3]
            np.dot(self._R_BW, self._qvel[:3], out=v[:3])
            v[3:6] = self._qvel[3:6]
        np.take(self._qpos, world.joint_qpos, out=self._joint_q, mode="clip")
        np.take(self._qvel, world.joint_dof, out=self._joint_v, mode="clip")
        np.dot(self._weights, self._xipos, out=self.p_WC)
        np.dot(self._robot_weights, self._xipos, out=self.p_WR)
        np.multiply(self._com_velocity, self._of_subtree, out=self.v_WC)
        self.tau[:] = self._actuator_force
        if len(self.p_WF):
            np.take(self._site_xpos, world.contact_sites, axis=0, out=self.p_WF, mode="clip")
            np.take(self._sensordata, self._force_index, out=self.contact_force_W, mode="clip")
            # MuJoCo reports the force of the sole on the ground.
            np.negative(self.contact_force_W, out=self.contact_force_W)
            np.take(self._sensordata, self._cop_index, out=self.cop_W, mode="clip")
            np.dot(self.contact_force_W, self._normal_W, out=self.normal_force_N)
            self.cop_W[self.normal_force_N < CONTACT_FORCE_N] = np.nan
        if len(self.p_WH):
            np.take(self._site_xpos, world.hand_sites, axis=0, out=self.p_WH, mode="clip")
            np.take(self._site_xmat, world.hand_sites, axis=0, out=self._R_WH_flat, mode="clip")
        if self._touched:
            np.take(self._sensordata, self._touch_index, out=self.f_WH, mode="clip")
            np.subtract(self.push_W, self.f_WH, out=self.f_WH)
        elif len(self.p_WH):
            self.f_WH[:] = self.push_W
        if self.load_W is not None:
            self.f_WH += self.load_W

    def update_mass(self) -> None:
        """Updates the masses; must be called after a payload has been added."""
        moving = np.where(self._moving, self._masses, 0.0)
        self.mass_kg = float(moving.sum())
        self._weights[:] = moving / self.mass_kg
        moving[self._payload_bodies] = 0.0
        self._robot_weights[:] = moving / moving.sum()
        # MuJoCo's sensor includes the fixed base of an arm, which pinocchio does not include.
        self._of_subtree = float(self._masses[1:].sum()) / self.mass_kg


class KnownState(Protocol):
    """The part of the true state that an estimator estimates; the attributes are those of `Truth`."""

    q: Vector
    v: Vector
    normal_force_N: Vector


class TruthEstimator:
    """An estimator that returns the true state, to separate controller faults from estimation errors.

    Args:
        truth: true state of the simulated robot, updated in place.
    """

    name = "truth"

    def __init__(self, truth: KnownState) -> None:
        self._truth = truth
        self.q = np.array(self._truth.q)
        self.q_O = self.q
        self.v = np.array(self._truth.v)
        self.normal_force_N = np.zeros(len(self._truth.normal_force_N))
        self.contact = np.zeros(len(self._truth.normal_force_N), dtype=bool)
        self.doubt = np.zeros(1)
        self.sole_load_N = self.normal_force_N
        self.update_hanging = self.update_tethered = self.update
        self.reset(None)

    def reset(self, sensors: SensorRow | None) -> None:
        """Copies the true state; the sensors are not used."""
        self._take()

    def update(self, sensors: SensorRow, planned_contact: NDArray[np.bool_], dt_s: float) -> None:
        """Copies the true state; sensors, planned contacts and period are not used."""
        self._take()

    def begin_hanging(self) -> None:
        """Changes nothing: the true state does not depend on who carries the robot."""

    def land(self) -> None:
        """Changes nothing, as `begin_hanging`."""

    def _take(self) -> None:
        truth = self._truth
        self.q[:] = truth.q
        self.v[:] = truth.v
        self.normal_force_N[:] = truth.normal_force_N
        np.greater(truth.normal_force_N, CONTACT_FORCE_N, out=self.contact)
