"""Walking: phases, the DCM law, and the references of a tick.

The law is that of the divergent component of motion: xi follows its plan with z = z_ref + (1 + k / omega)
(xi - xi_ref), kept inside the soles, and cdd = omega^2 (c - z) is what the task of the centre of mass is
asked for (Englsberger, Ott, Albu-Schaeffer, T-RO 2015, eq. 25).
"""

from __future__ import annotations

import math

import numpy as np

from controller.behaviours.profile import minimum_jerk
from controller.gains import Gains
from controller.qp.tables import GRAVITY_M_S2
from controller.walking.adaptation import Adaptation
from controller.walking.course import Course
from controller.walking.dcm_plan import DcmPlan, Point
from controller.walking.footsteps import Foothold, next_foothold
from controller.walking.gait import gait_of
from controller.walking.loading import Loading
from controller.walking.priorities import Priorities
from controller.walking.support import inside_both, inside_sole
from controller.walking.swing import Swing
from controller.whole_body import Task, WholeBody
from robots.model import RobotModel
from robots.rows import Vector

READY, TRANSFER, SWING, SETTLE = range(4)
PHASES = ("ready", "transfer", "swing", "settle")

_READY_S, _READY_ON_POINTS_S = 0.8, 0.02
"""Time in which the centre of mass sinks to the height of walking before the first step."""
_FIRST_TRANSFER_S, _FIRST_TRANSFER_ON_POINTS_S = 0.4, 0.1
_SETTLE_S = 0.8
_SETTLED_M = 0.02
_CAPTURED_M = 0.05
"""A last step that leaves the DCM further than this from between the feet is not the last one."""
_HEADING_RATE_PER_S = 4.0
_SOLE_RATE_M_S = 0.3
"""The height reference follows a step up or down at this speed."""
_LOWEST_M_S2, _HIGHEST_M_S2 = -6.0, 8.0
_RESTING_M_S = 0.15
"""A foot that moves faster along its normal is not on the ground."""
_NORMAL = 2
_ANNOUNCE_S = 0.01
"""The contact is planned closed this long before touch-down."""


def walking_tasks(robot: RobotModel, gains: Gains) -> list[Task]:
    """The tasks of the swing feet; the rest are those of standing."""
    swing, model = gains.walk.swing, robot.pin_model
    pair, turn = [swing.kp_per_s2, swing.kd_per_s], [swing.orientation_kp_per_s2, swing.orientation_kd_per_s]
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


class Walking:
    """References of a robot that walks.

    Args:
        robot: the robot, on two feet.
        gains: its gains.
        body: the whole-body controller, with the tasks of standing and `walking_tasks` declared.
        standing: names of the tasks that are enabled while standing.
        contact: (2,) contact flags of the estimator, which keep their address.

    Attributes:
        p_WC_des, v_WC_des: (3,) the plan's centre of mass [m], [m/s].
        p_WS: (3,) mean of the soles as estimated [m].
        R_des: (3, 3) heading.
        half_support_m: (2,) reach of the steps ahead and sideways [m].
        xi, xi_des: the DCM, as estimated and as planned [m].
        planned: (2,) contacts that should be closed.
        phase: one of PHASES.
        done: whether the robot stands again.
    """

    def __init__(
        self, robot: RobotModel, gains: Gains, body: WholeBody, standing: list[str], contact: Vector
    ) -> None:
        self.gait = gait = gait_of(robot, gains)
        self._gains = gains.walk
        self._body, self._contact = body, contact
        self._plan = DcmPlan(gait)
        self._adaptation = Adaptation(gait, self._plan)
        self._swing = Swing(gait.clearance_m, gait.step_s, gains.walk.descent_m_s)
        self._loading = Loading(body, gains.contact.largest_load)
        points = gait.half_length_m == 0.0
        self._ready_s = _READY_ON_POINTS_S if points else _READY_S
        self._first_transfer_s = _FIRST_TRANSFER_ON_POINTS_S if points else _FIRST_TRANSFER_S
        self._priorities = Priorities(body, gains, gait.half_length_m)
        self._least_N = gains.contact.least_load * body.robot.mass_kg * GRAVITY_M_S2
        self.course = Course()
        self._feedback = 1.0 + gains.walk.dcm_gain_per_s / gait.omega
        self._kp_height, self._kd_height = gains.com.height_kp_per_s2, gains.com.height_kd_per_s
        self.p_WC_des, self.v_WC_des, self.p_WS = np.zeros(3), np.zeros(3), np.zeros(3)
        self.R_des = np.eye(3)
        self.half_support_m = np.array([gait.longest_m, gait.widest_m])
        self.planned = np.ones(len(robot.contacts), dtype=bool)
        self.phase, self.done = READY, True
        self._side = [0.0, 0.0]
        self._side[gait.left], self._side[gait.right] = 1.0, -1.0
        self._com_ref = body.reference("com")
        self._upright = [body.reference(name) for name in ("base", "trunk") if name in body.task_index]
        self._position = [body.reference(f"{name}.position") for name in robot.contact_names]
        self._orientation = [
            body.reference(f"{name}.orientation") if f"{name}.orientation" in body.task_index else None
            for name in robot.contact_names
        ]
        self._both = (list(robot.contact_names), list(standing))
        self._single = []
        for swing, stance in ((0, 1), (1, 0)):
            name = robot.contact_names[swing]
            enabled = [task for task in standing if task != f"{name}.force"]
            enabled += [
                task for task in (f"{name}.position", f"{name}.orientation") if task in body.task_index
            ]
            self._single.append(([robot.contact_names[stance]], enabled))
            body.prepare(*self._single[swing])
        body.prepare(*self._both)
        self._feet: list[Foothold] = [(0.0, 0.0, 0.0), (0.0, 0.0, 0.0)]
        self._soles_z = [0.0, 0.0]
        self.xi: Point = (0.0, 0.0)
        self.xi_des: Point = (0.0, 0.0)
        self._stance = gait.left
        self._lift_off: Point = (0.0, 0.0)
        self._z_from: Point = (0.0, 0.0)
        self._heading = self._t = self._transfer_s = 0.0
        self._sole_z = self._height_from = self._lowering_s = 0.0
        self._stance_z = 0.0
        self._stop = self._last = False

    @property
    def target(self) -> Foothold:
        """Foothold of the present step, as adapted."""
        return self._adaptation.target

    @property
    def step_s(self) -> float:
        """Duration of the present step, as adapted [s]."""
        return self._adaptation.duration_s

    # Requests

    def begin(self) -> None:
        """Takes over from standing, both soles down."""
        kin = self._body.arrays.kin
        self._heading = math.atan2(kin.R[0, 1, 0] + kin.R[1, 1, 0], kin.R[0, 0, 0] + kin.R[1, 0, 0])
        self._see()
        x, y, yaw = self._middle()
        self.course.begin(x, y, yaw)
        self._body.gain("com")[:6] = 0.0
        self._priorities.walk()
        self._loading.begin(self._least_N)
        self._loading.share(0, 0.5)
        self._sole_z = 0.5 * (self._soles_z[0] + self._soles_z[1])
        self._height_from, self._lowering_s = float(kin.p_WC[2]) - self._sole_z, 0.0
        self.p_WC_des[:], self.v_WC_des[:] = kin.p_WC, 0.0
        self.phase, self._t, self._stop, self._last, self.done = READY, 0.0, False, False, False
        self._body.set_mode(*self._both)

    def ask(self, forward_m_s: float, left_m_s: float, turn_rad_s: float) -> None:
        """Asks for a velocity in the robot's heading."""
        self.course.ask(forward_m_s, left_m_s, turn_rad_s)
        self._stop = False

    def stop(self) -> None:
        """Asks to come to rest, feet side by side; `done` tells when."""
        self.course.ask(0.0, 0.0, 0.0)
        self._stop = True

    # The tick

    def advance(self, dt_s: float) -> None:
        """Writes this tick's references; the kinematics must be those of this tick."""
        self._see()
        if self.phase != READY:
            self.course.advance(dt_s)
        self._t += dt_s
        self._lowering_s += dt_s
        self._switch()
        if self.phase == SWING:
            xi_ref, z = self._advance_swing(dt_s)
        else:
            xi_ref, z = self._advance_on_both(dt_s)
        self.xi_des = xi_ref
        self._write_com(xi_ref, z, dt_s)
        self._write_upright(dt_s)

    def _see(self) -> None:
        """Feet, in the unwrapped heading of the robot, and the DCM."""
        kin, heading = self._body.arrays.kin, self._heading
        for f in (0, 1):
            x, y, z = kin.p[f].tolist()
            R = kin.R[f]
            yaw = math.atan2(R[1, 0], R[0, 0]) - heading
            self._feet[f] = (x, y, heading + math.remainder(yaw, 2.0 * math.pi))
            self._soles_z[f] = z
        cx, cy, _ = kin.p_WC.tolist()
        vx, vy, _ = kin.v_WC.tolist()
        self.xi = (cx + vx / self.gait.omega, cy + vy / self.gait.omega)
        np.add(kin.p[0], kin.p[1], out=self.p_WS)
        self.p_WS *= 0.5

    def _middle(self) -> Foothold:
        a, b = self._feet
        return 0.5 * (a[0] + b[0]), 0.5 * (a[1] + b[1]), 0.5 * (a[2] + b[2])

    def _switch(self) -> None:
        if self.phase == READY:
            if self._stop:
                self._settle()
            elif self._t >= self._ready_s:
                x, y, _ = self._middle()
                first = self.gait.left if self.course.asked[1] >= 0.0 else self.gait.right
                self._begin_transfer(1 - first, (x, y), self._first_transfer_s)
        elif self.phase == TRANSFER:
            if self._t >= self._transfer_s:
                self._lift()
        elif self.phase == SWING:
            swing, duration = 1 - self._stance, self._adaptation.duration_s
            # The faster a leg swings, the less is its contact force known: a hurried step has to end on plan.
            hurry = duration / self.gait.step_s
            early = duration * (1.0 - (1.0 - self._gains.early) * hurry * hurry)
            down = bool(self._contact[swing]) and self._t > early and self._rests(swing)
            if down or self._t > duration + self._gains.late_s:
                self._land()
        elif self._t >= _SETTLE_S:
            x, y, _ = self._middle()
            if math.hypot(self.xi[0] - x, self.xi[1] - y) < _SETTLED_M:
                self._finish()

    def _rests(self, foot: int) -> bool:
        """Whether the ground has stopped a foot, as its own joints tell.

        A contact force that follows from joint torques is a guess while a leg swings fast. A step that is
        ended on it with the foot still in the air puts the robot's weight on nothing.
        """
        return abs(float(self._body.arrays.kin.vel[foot, _NORMAL])) < _RESTING_M_S

    def _begin_transfer(self, stance: int, z_from: Point, duration_s: float) -> None:
        self.phase, self._t = TRANSFER, 0.0
        self._stance, self._z_from, self._transfer_s = stance, z_from, duration_s
        self._landed = self._feet[stance]
        self._left = self._feet[1 - stance]
        self.planned[:] = True
        self._body.set_mode(*self._both)

    def _lift(self) -> None:
        stance, swing = self._stance, 1 - self._stance
        self.phase, self._t = SWING, 0.0
        self._standing_foot = self._feet[stance]
        self._stance_z = self._soles_z[stance]
        x, y, yaw = self._feet[swing]
        self._lift_off = (x, y)
        self._swing.begin(x, y, self._soles_z[swing], yaw, self._stance_z)
        self._last = self._stop and self.course.resting
        self._adaptation.begin(self._next_foothold())
        self.planned[swing] = False
        self._loading.share(stance, 1.0)
        self._body.set_mode(*self._single[swing])

    def _land(self) -> None:
        swing = 1 - self._stance
        x, y, yaw = self._middle()
        self.course.correct(x, y, yaw)
        if self._last and math.hypot(self.xi[0] - x, self.xi[1] - y) < _CAPTURED_M:
            self._settle()
            return
        stance = self._standing_foot
        # After a hurried step the DCM is out of both soles: the next foot is to leave as soon as it can.
        hurry = min(self._adaptation.duration_s / self.gait.step_s, 1.0)
        self._begin_transfer(swing, (stance[0], stance[1]), hurry * self.gait.double_support_s)

    def _settle(self) -> None:
        self.phase, self._t = SETTLE, 0.0
        self.planned[:] = True
        self._loading.share(0, 0.5)
        self._body.set_mode(*self._both)

    def _finish(self) -> None:
        self._priorities.stand()
        self._loading.end()
        for ref in self._upright:
            ref[9:12] = 0.0
        self.done = True

    def _velocity(self) -> tuple[float, float, float]:
        return (0.0, 0.0, 0.0) if self._last else self.course.steps

    def _next_foothold(self) -> Foothold:
        gait, stance = self.gait, self._stance
        period = gait.step_s + gait.double_support_s
        return next_foothold(self._standing_foot, self._side[stance], self._velocity(), period, gait.width_m)

    def _advance_swing(self, dt_s: float) -> tuple[Point, Point]:
        """Single support: the DCM as planned, and the zero-moment point that takes it there."""
        plan, adaptation, stance = self._plan, self._adaptation, self._standing_foot
        side, xi = self._side[self._stance], self.xi
        planned = self._next_foothold()
        if self._last:
            end = (0.5 * (stance[0] + planned[0]), 0.5 * (stance[1] + planned[1]))
            follow = 0.5
        else:
            end = plan.at_touchdown(stance, planned, -side, self._velocity())
            follow = plan.follow
        foot = (self._swing.x[0], self._swing.y[0])
        adaptation.advance(xi, stance, side, self._lift_off, foot, planned, end, self._t, dt_s)
        target, duration = adaptation.target, adaptation.duration_s
        end = (end[0] + follow * (target[0] - planned[0]), end[1] + follow * (target[1] - planned[1]))
        way = (target[0] - self._lift_off[0], target[1] - self._lift_off[1])
        xi_ref = plan.in_swing(stance, way, self._t, duration, end)
        shift = plan.leg_shift(way, self._t, duration)
        z_ref = (stance[0] + shift[0], stance[1] + shift[1])
        z = self._law(xi_ref, z_ref)
        zx, zy = inside_sole((z[0] - shift[0], z[1] - shift[1]), stance, self.gait)
        self._write_swing(target, duration, dt_s)
        return xi_ref, (zx + shift[0], zy + shift[1])

    def _advance_on_both(self, dt_s: float) -> tuple[Point, Point]:
        """Double support; as `_advance_swing`."""
        if self.phase != TRANSFER:
            x, y, _ = self._middle()
            xi_ref = z_ref = (x, y)
        else:
            xi_ref, z_ref = self._transfer()
        z = self._law(xi_ref, z_ref)
        return xi_ref, inside_both(z, self._feet[0], self._feet[1], self.gait)

    def _transfer(self) -> tuple[Point, Point]:
        gait, plan, landed = self.gait, self._plan, self._landed
        side, velocity = self._side[self._stance], self.course.steps
        left = self._transfer_s - self._t
        part = min(max(self._t / self._transfer_s, 0.0), 1.0)
        a = self._z_from
        z = (a[0] + part * (landed[0] - a[0]), a[1] + part * (landed[1] - a[1]))
        period = gait.step_s + gait.double_support_s
        target = next_foothold(landed, side, velocity, period, gait.width_m)
        end = plan.at_touchdown(landed, target, -side, velocity)
        end = plan.after_landing(self._left, landed, target, end)
        self._loading.share(self._stance, part)
        return plan.in_transfer(z, (landed[0], landed[1]), left, end), z

    def _law(self, xi_ref: Point, z_ref: Point) -> Point:
        k = self._feedback
        return z_ref[0] + k * (self.xi[0] - xi_ref[0]), z_ref[1] + k * (self.xi[1] - xi_ref[1])

    # References

    def _write_swing(self, target: Foothold, duration_s: float, dt_s: float) -> None:
        swing, foot = self._swing, 1 - self._stance
        swing.advance(target, self._stance_z, self._t, duration_s, dt_s)
        self.planned[foot] = self._t > duration_s - _ANNOUNCE_S
        (px, vx, ax), (py, vy, ay), (pz, vz, az) = swing.x, swing.y, swing.z
        ref = self._position[foot]
        ref[0], ref[1], ref[2] = px, py, pz
        ref[3], ref[4], ref[5] = vx, vy, vz
        ref[6], ref[7], ref[8] = ax, ay, az
        turn = self._orientation[foot]
        if turn is not None:
            c, s = math.cos(swing.yaw[0]), math.sin(swing.yaw[0])
            ahead = c * (target[0] - self._lift_off[0]) + s * (target[1] - self._lift_off[1])
            swing.tiptoe(ahead, self._t, duration_s)
            pitch, rate, accel = swing.pitch
            cp, sp = math.cos(pitch), math.sin(pitch)
            turn[0], turn[1], turn[2] = c * cp, -s, c * sp
            turn[3], turn[4], turn[5] = s * cp, c, s * sp
            turn[6], turn[7], turn[8] = -sp, 0.0, cp
            turn[9], turn[10], turn[11] = -s * rate, c * rate, swing.yaw[1]
            turn[12], turn[13], turn[14] = -s * accel, c * accel, swing.yaw[2]

    def _write_com(self, xi_ref: Point, z: Point, dt_s: float) -> None:
        kin, gait, ref = self._body.arrays.kin, self.gait, self._com_ref
        sole = self._stance_z if self.phase == SWING else 0.5 * (self._soles_z[0] + self._soles_z[1])
        most = _SOLE_RATE_M_S * dt_s
        self._sole_z += min(max(sole - self._sole_z, -most), most)
        part = minimum_jerk(self._lowering_s / _READY_S)[0]
        height = self._height_from + part * (gait.height_m - self._height_from)
        cx, cy, cz = kin.p_WC.tolist()
        up = self._kp_height * (self._sole_z + height - cz) - self._kd_height * float(kin.v_WC[2])
        w2 = gait.omega * gait.omega
        ref[6], ref[7] = w2 * (cx - z[0]), w2 * (cy - z[1])
        ref[8] = min(max(up, _LOWEST_M_S2), _HIGHEST_M_S2)
        p, v, w = self.p_WC_des, self.v_WC_des, gait.omega
        v[0], v[1] = w * (xi_ref[0] - float(p[0])), w * (xi_ref[1] - float(p[1]))
        p[0] += v[0] * dt_s
        p[1] += v[1] * dt_s
        p[2] = self._sole_z + height

    def _write_upright(self, dt_s: float) -> None:
        self._heading += (0.5 * (self._feet[0][2] + self._feet[1][2]) - self._heading) * min(
            _HEADING_RATE_PER_S * dt_s, 1.0
        )
        c, s = math.cos(self._heading), math.sin(self._heading)
        turn = self.course.velocity[2]
        R = self.R_des
        R[0, 0] = R[1, 1] = c
        R[0, 1], R[1, 0] = -s, s
        for ref in self._upright:
            ref[0], ref[1], ref[3], ref[4] = c, -s, s, c
            ref[2] = ref[5] = ref[6] = ref[7] = 0.0
            ref[8], ref[11] = 1.0, turn
