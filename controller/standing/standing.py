"""Standing of a floating-base robot on its soles: centre of mass, upright base and trunk, posture.

The horizontal control law is that of the divergent component of motion (Englsberger, Ott, Albu-Schaeffer,
"Three-dimensional bipedal walking control based on divergent component of motion", T-RO 2015). With
xi = c + v / omega, the commands cdd = omega^2 (c - z) and z = z_ref + (1 + k / omega) (xi - xi_ref) are equal
to a spring and damper on c with kp = omega k and kd = omega + k. These are the gains of the centre-of-mass
task.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pinocchio as pin

from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.motion.posture_reference import PostureReference
from kilohertz.controller.problem.soles import can_rest, com_height, sole_corners
from kilohertz.controller.problem.tables import REF
from kilohertz.controller.standing.stance import Stance, stance_tasks
from kilohertz.controller.standing.standing_kernels import (
    CarriedLoad,
    ComIntegral,
    ComOffset,
    StandingArrays,
    bear_load,
    find_soles,
    hold_upright,
    integrate_com,
    place_com,
)
from kilohertz.controller.tasks.contact_force import WEIGHT, WRENCH
from kilohertz.controller.upper_body.hands import hand_tasks
from kilohertz.controller.walking.speed import walks
from kilohertz.controller.whole_body.whole_body import Task, WholeBody
from kilohertz.robots.compile.bound_kernel import bind
from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.kin import FZ, MOMENT, Z
from kilohertz.robots.model.robot_model import RobotModel

_LARGEST_OFFSET_M = 0.06
"""Largest horizontal shift of the zero-moment point by the integral [m]."""
_OFF_THE_STOP_RAD = 0.02
"""A joint whose nominal position is at its stop is held this far from the stop [rad]. At the stop its limit
would be active about half of the time (Talos' grippers, in 46 % of all ticks), and a tick with an active
limit is solved twice."""
_LARGEST_LIFT_G = 0.5
"""Largest vertical acceleration that the integral may add, in units of gravity."""


def standing_tasks(robot: RobotModel, gains: Gains) -> list[Task]:
    """Returns every task that standing may enable, with its gains and weights."""
    base_link = robot.base_link
    tasks = [
        Task("com", "com", gains.com.weight),
        Task("base", "frame_orientation", gains.base.weight, _pair(gains.base), base_link),
        Task("posture", "posture", 1.0, _pair(gains.posture)),
        Task(
            "angular_momentum",
            "angular_momentum",
            _momentum_weight(robot, gains),
            [gains.angular_momentum.kp_per_s],
        ),
    ]
    trunk = robot.trunk_frame
    if trunk is not None and robot.description.trunk != base_link:
        tasks.append(Task("trunk", "frame_orientation", gains.trunk.weight, _pair(gains.trunk), trunk))
    tasks += [Task(f"{c.name}.force", "contact_force", 1.0, (), c.name) for c in robot.contacts]
    return tasks + stance_tasks(robot, gains) + hand_tasks(robot, gains)


def _pair(gains: object) -> list[float]:
    return [gains.kp_per_s2, gains.kd_per_s]  # type: ignore[attr-defined]


def _momentum_weight(robot: RobotModel, gains: Gains) -> float:
    """Returns the weight on [Nm]^2 equivalent to the given one on accelerations at the height of the CoM."""
    return gains.angular_momentum.weight / (robot.mass_kg * com_height(robot)) ** 2


class Standing:
    """Writes the task references of a robot that stands on its soles with all contacts closed.

    Args:
        robot: model of the robot.
        gains: gains of the robot.
        body: whole-body controller, with `standing_tasks` declared.

    Raises:
        ConfigError: if the robot can neither stand still nor walk.

    Attributes:
        p_WC_des, v_WC_des: (3,) reference of the centre of mass in the world [m], [m/s].
        p_WS: (3,) mean of the estimated sole positions in the world [m].
        R_des: (3, 3) heading of the soles: rotation about the vertical.
        half_support_m: (2,) half extents of the support at the nominal posture, heading axes [m].
        height_m: height of the centre of mass over the ground at the nominal posture [m].
        posture: offset of the centre of mass and lean of the trunk, as the active behaviour sets them.
        tasks: names of the tasks that stay enabled while walking.
    """

    def __init__(self, robot: RobotModel, gains: Gains, body: WholeBody) -> None:
        if not (can_rest(robot) or walks(robot)):
            raise ConfigError(
                f"'{robot.name}' stands on points: its soles span no area, so it cannot stand still, and "
                "without two feet it cannot walk either"
            )
        self.half_support_m = np.asarray(np.ptp(sole_corners(robot), axis=0) / 2.0)
        self.height_m = com_height(robot)
        self.robot = robot
        self._body = body
        self.posture = PostureReference()
        self.p_WC_des, self.v_WC_des, self.p_WS = np.zeros(3), np.zeros(3), np.zeros(3)
        self._closed = robot.contact_names
        self._n_contacts = len(robot.contacts)
        self._stance = Stance(body, gains)
        others = (*robot.hand_names, *self._stance.tasks)
        self.tasks = [task.name for task in standing_tasks(robot, gains) if task.name not in others]
        self._nominal_offset = np.zeros(3)
        self._own_height_m = np.zeros(1)
        self._integral = np.zeros(3)
        self.R_des = np.eye(3)
        self._set_up(gains)
        self._write_references = self._bind_references()
        body.prepare(*self._mode)

    def _set_up(self, gains: Gains) -> None:
        robot, body = self.robot, self._body
        omega = self._omega = math.sqrt(GRAVITY_M_S2 / self.height_m)
        # Horizontally the DCM error is integrated, into an offset of the zero-moment point.
        self._lead_s = np.array([1.0 / omega, 1.0 / omega, 0.0])
        self._ki = np.zeros(3)
        self._largest = np.array([omega**2 * _LARGEST_OFFSET_M] * 2 + [_LARGEST_LIFT_G * GRAVITY_M_S2])
        posture = body.reference("posture")
        low, high = robot.position_lower_rad + _OFF_THE_STOP_RAD, robot.position_upper_rad - _OFF_THE_STOP_RAD
        nominal = robot.q_nominal[robot.nq_base :]
        posture[: robot.na] = np.where(low < high, np.clip(nominal, low, high), nominal)
        self._posture_weight, self._legs = posture[robot.na :], self.leg_joints()
        self.retune(gains)
        self.write_gains()
        soles = np.array([c.corners_F for c in robot.contacts], dtype=object)
        half = max(float(np.abs(np.vstack(list(soles))).max()), 0.03)
        normals, points = [], []
        contacts = zip(robot.contacts, body.geometry, self._stance.share, strict=True)
        for c, (contact, geometry, share) in enumerate(contacts):
            name = f"{contact.name}.force"
            ref, start = body.reference(name), int(body.arrays.tasks.table[body.task_index[name], REF])
            if geometry.kind == "point":
                points.append((start + WRENCH, c, share))
            else:
                normals.append((start + WRENCH + geometry.select.index(FZ), share))
            force = gains.contact.force_weight / robot.mass_kg**2
            moment = gains.contact.moment_weight / (robot.mass_kg * half) ** 2
            for t, component in enumerate(geometry.select):
                ref[WRENCH + t] = float(share) * robot.mass_kg * GRAVITY_M_S2 if component == FZ else 0.0
                ref[WEIGHT + t] = force if component < MOMENT else moment
        self._load = CarriedLoad(
            p_RC=body.carried.p_RC,
            own_height_m=self._own_height_m,
            normal=np.array([index for index, _ in normals], np.int64),
            normal_share=np.array([share for _, share in normals]),
            point=np.array([point[:2] for point in points], np.int64).reshape(-1, 2),
            point_share=np.array([share for *_, share in points]),
        )

    def retune(self, gains: Gains) -> None:
        """Applies new gains; those of the centre of mass take effect with the next `write_gains`."""
        omega, com = self._omega, gains.com
        k = com.dcm_gain_per_s
        self._com_gain = [
            omega * k,
            omega * k,
            com.height_kp_per_s2,
            omega + k,
            omega + k,
            com.height_kd_per_s,
        ]
        self._ki[:Z], self._ki[Z] = omega**2 * com.dcm_integral_per_s, com.height_ki_per_s3
        self._posture_weight[:] = gains.posture.weight
        self._posture_weight[self._legs] = gains.posture.leg_weight

    def write_gains(self) -> None:
        """Sets the gains of the centre-of-mass task, which another behaviour may have overwritten."""
        self._body.gain("com")[: len(self._com_gain)] = self._com_gain

    def _bind_references(self) -> Callable[[float], None]:
        body, com = self._body, self.posture
        tasks, index = body.arrays.tasks, body.task_index
        upright = [int(tasks.table[index[name], REF]) for name in ("base", "trunk") if name in index]
        standing = StandingArrays(
            p_WS=self.p_WS,
            R_des=self.R_des,
            nominal_offset=self._nominal_offset,
            p_WC_des=self.p_WC_des,
            v_WC_des=self.v_WC_des,
            com_ref=body.reference("com"),
            references=tasks.ref,
            upright=np.array(upright, np.int64),
        )
        return bind(
            "standing_kernels",
            [bear_load, find_soles, place_com, integrate_com, hold_upright],
            call={"dt_s": "f8"},
            structs={
                "k": body.arrays.kin,
                "com": ComOffset(com.p, com.v, com.a),
                "standing": standing,
                "load": self._load,
                "integral": ComIntegral(self._lead_s, self._ki, self._largest, self._integral),
            },
        )

    def leg_joints(self) -> list[int]:
        """Returns the indices of the joints between the base and any contact."""
        kin = self._body.arrays.kin
        columns = {int(j) for f in range(self._n_contacts) for j in kin.columns[f, : kin.n_columns[f]]}
        return sorted(j - self.robot.n_base for j in columns if j >= self.robot.n_base)

    @property
    def _mode(self) -> tuple[tuple[str, ...], list[str]]:
        return self._closed, [*self.tasks, *self._stance.tasks]

    def start(self) -> None:
        """Starts standing; the centre-of-mass reference moves from the present to the nominal position."""
        kin = self._body.arrays.kin
        self.posture.reset()
        self.write_gains()
        self._write_references(0.0)
        data = self.robot.pin_model.createData()
        nominal = pin.centerOfMass(self.robot.pin_model, data, self.robot.q_nominal).copy()
        pin.updateFramePlacements(self.robot.pin_model, data)
        soles = np.mean([data.oMf[c.frame_id].translation for c in self.robot.contacts], axis=0)
        # The CoM is above the middle of the soles, unless gains.yaml loads them otherwise, at nominal height.
        self._own_height_m[0] = nominal[Z] - soles[Z]
        self._nominal_offset[:] = 0.0
        self._stance.offset(self.R_des, self._nominal_offset)
        self._write_references(0.0)
        self.posture.start_from(self.R_des.T @ (kin.p_WC - self.p_WS) - self._nominal_offset)
        self._integral[:] = 0.0
        self._body.set_mode(*self._mode)

    def land(self) -> None:
        """Takes over from hanging: as `resume`, with the integral at zero."""
        self._integral[:] = 0.0
        self.resume()

    def resume(self) -> None:
        """Takes over from another motion, which ends at rest with both soles on the ground."""
        self._write_references(0.0)
        self._stance.offset(self.R_des, self._nominal_offset)
        self.posture.start_from(
            self.R_des.T @ (self._body.arrays.kin.p_WC - self.p_WS) - self._nominal_offset
        )
        self.write_gains()
        self._body.set_mode(*self._mode)

    def advance(self, dt_s: float) -> bool:
        """Writes this tick's references; the kinematics must be up to date for this tick.

        Returns:
            False: standing does not end by itself.
        """
        self.posture.advance(dt_s)
        self._write_references(dt_s)
        return False
