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
from controller.walking.course import Course
from controller.walking.dcm_plan import STEPS_AHEAD, Point
from controller.walking.footsteps import Foothold, next_foothold
from controller.walking.gait import gait_of, gait_on_footsteps, planned_step_s
from controller.walking.grip import Grip
from controller.walking.ground import Ground, Slope, sole_tilt
from controller.walking.joint_friction import JointFriction, learns_friction
from controller.walking.loading import Loading
from controller.walking.pendulum import dcm_before_hold
from controller.walking.priorities import Priorities
from controller.walking.references import UPRIGHT, References
from controller.walking.route import Route
from controller.walking.single_support import SingleSupport
from controller.walking.support import inside_both
from controller.walking.swing import State, quintic
from controller.whole_body import Task, WholeBody
from robots.gravity import GRAVITY_M_S2
from robots.model import RobotModel
from robots.rows import Vector

READY, TRANSFER, SWING, SETTLE = range(4)
PHASES = ("ready", "transfer", "swing", "settle")

_SWING_S = 0.39
"""The gains of the swing foot are those of a step of this time, or a longer one. In a shorter one the foot
has less time to come to where it should be, and friction and errors of the model are no less."""
_READY_S, _READY_ON_POINTS_S = 0.8, 0.02
"""Time in which the centre of mass sinks to the height of walking before the first step."""
_FIRST_TRANSFER_S, _FIRST_TRANSFER_ON_POINTS_S = 0.4, 0.1
_SETTLE_S = 0.8
_SETTLED_M = 0.02
_CAPTURED_M = 0.05
"""A last step that leaves the DCM further than this from between the feet is not the last one."""
_EAGER_ON_POINTS = 3.5
"""Steps on points are hurried more often than not, and hurried steps go slower than they were planned to."""
_LIFT_STEP_M = 1e-3
"""The plan is made anew for a load that lifts the centre of mass by this much more or less."""
_ROUGH_CLEARANCE, _ROUGH_DEPTH = 3.0, 3.0
"""What a foot clears besides, and looks for the ground deeper, over the roughness that was felt."""
_REFERENCE_HEIGHT_M = 0.6
_SETTLED_SOLE_S = 0.05
"""A sole has come to rest this long after the other one has left."""
_PUSHED_M = 0.025
_GRIP_STEP = 0.02
_CALM = 0.95
"""A step of at least this part of its planned time was not hurried."""
_LEEWAY_M = 0.03
"""A foothold that is given may be off by this, and no more: a tread ends somewhere."""
_HIP_RAD_M, _MOST_HIP_RAD = 1.2, 0.2
"""Roll of the pelvis per height of a step: the hip goes with the foot, and the legs need not bend as far."""
_LEAST_WAY_M = 0.05
"""Feet that are less than this apart ahead are side by side."""
_RESTING_M_S = 0.15
"""A foot that moves faster along its normal is not on the ground."""
_LONGEST_HOLD_S = 0.15
"""A foot that has landed early waits no longer than this."""
_NORMAL = 2
_ANNOUNCE_S = 0.01
"""The contact is planned closed this long before touch-down."""


def walking_tasks(robot: RobotModel, gains: Gains) -> list[Task]:
    """The tasks of the swing feet; the rest are those of standing."""
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


def _faster(step_s: float) -> float:
    """How much faster the swing foot has to answer than in the step that its gains are meant for."""
    return max(_SWING_S / step_s, 1.0)


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
        friction: of the joints of swinging legs, as learned; None for a robot that does not learn it.
        done: whether the robot stands again.
    """

    def __init__(
        self, robot: RobotModel, gains: Gains, body: WholeBody, standing: list[str], contact: Vector
    ) -> None:
        self.gait = gait = gait_of(robot, gains)
        self._gains = gains.walk
        self._body, self._contact = body, contact
        self._refs = refs = References(body, robot.contact_names)
        refs.retune(gains.com)
        descent = gains.walk.descent_m_s
        self._free = SingleSupport(gait, refs, descent)
        self._given = SingleSupport(gait_on_footsteps(gait), refs, descent, _LEEWAY_M)
        self._use(self._free)
        self._route: Route | None = None
        self._routes = Route()
        self._ahead: list[Foothold] = [(0.0, 0.0, 0.0)] * (STEPS_AHEAD + 2)
        friction = min(contact.friction for contact in robot.contacts)
        self._grip = Grip(friction, math.sqrt(gait.height_m / _REFERENCE_HEIGHT_M))
        self._counted_on = 1.0
        self._ground = Ground(gait.half_length_m, gait.half_width_m)
        self._loading = Loading(body, gains.contact.largest_load)
        self.friction: JointFriction | None = None
        if learns_friction(body):
            self.friction = JointFriction(body, self._foot_rate_per_s)
        self._on_points = points = gait.half_length_m == 0.0
        self._ready_s = _READY_ON_POINTS_S if points else _READY_S
        self._first_transfer_s = _FIRST_TRANSFER_ON_POINTS_S if points else _FIRST_TRANSFER_S
        self._priorities = Priorities(body, gains, gait.half_length_m)
        self._least_N = gains.contact.least_load * body.robot.mass_kg * GRAVITY_M_S2
        self.course = Course(_EAGER_ON_POINTS if points else 1.0)
        self._lift_m = 0.0
        self.p_WC_des, self.v_WC_des, self.p_WS = refs.p_WC_des, refs.v_WC_des, refs.p_WS
        self.R_des, self.xi_des = refs.R_des, refs.xi_des
        self.half_support_m = np.array([gait.longest_m, gait.widest_m])
        self.planned = np.ones(len(robot.contacts), dtype=bool)
        self.phase, self.done = READY, True
        self._side = [0.0, 0.0]
        self._side[gait.left], self._side[gait.right] = 1.0, -1.0
        self._upright = [body.reference(name) for name in UPRIGHT if name in body.task_index]
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
        # Only where a trunk above it can stay upright may the pelvis roll.
        self._pelvis = body.reference("base") if "trunk" in body.task_index else None
        self._hips: State = (0.0, 0.0, 0.0)
        self.xi: Point = (0.0, 0.0)
        self._off_m = 0.0
        self._slides_m_s = [0.0, 0.0]
        self._stance = gait.left
        self._lift_off: Point = (0.0, 0.0)
        self._z_from: Point = (0.0, 0.0)
        self._t = self._transfer_s = self._hold_s = 0.0
        self._height_from = self._lowering_s = 0.0
        self._stance_z = self._lift_off_z = 0.0
        self._stop = self._last = False
        self._asked: tuple[Foothold, float, tuple[float, float, float]] | None = None
        self._planned: Foothold = (0.0, 0.0, 0.0)

    @property
    def target(self) -> Foothold:
        """Foothold of the present step, as adapted."""
        return self._adaptation.target

    @property
    def step_s(self) -> float:
        """Duration of the present step, as adapted [s]."""
        return self._adaptation.duration_s

    def _use(self, stepping: SingleSupport) -> None:
        self.gait, self._plan, self._stepping = stepping.gait, stepping.plan, stepping
        self._adaptation, self._swing = stepping.adaptation, stepping.swing

    @property
    def on_footsteps(self) -> bool:
        """Whether it walks on given footsteps."""
        return self._route is not None

    def retune(self, gains: Gains) -> None:
        """Takes these gains, which give the same gait, after the weights of standing have been written."""
        self._gains = gains.walk
        self._refs.retune(gains.com)
        self._priorities.retune(gains)
        if self.friction is not None:
            self.friction.lambda_per_s[0] = self._foot_rate_per_s

    @property
    def _foot_rate_per_s(self) -> float:
        """Rate at which the task of the swing foot brings it to its reference."""
        foot = self._gains.swing
        return _faster(self._free.gait.step_s) * foot.kp_per_s2 / foot.kd_per_s

    # Requests

    def begin(self, footsteps: Vector | None = None) -> None:
        """Takes over from standing, both soles down.

        Args:
            footsteps: those to walk on, (n, 5) as for `Route.begin`; else steps follow `ask`.
        """
        kin = self._body.arrays.kin
        self._use(self._free if footsteps is None else self._given)
        self._refs.heading[0] = math.atan2(kin.R[0, 1, 0] + kin.R[1, 1, 0], kin.R[0, 0, 0] + kin.R[1, 0, 0])
        self._see(0.0)
        x, y, yaw = self._middle()
        self.course.begin(x, y, yaw)
        self._route = None
        if footsteps is not None:
            self._route = self._routes
            self._route.begin(footsteps, (x, y, yaw), self._feet)
        self._ground.begin()
        for foot in (0, 1):
            self._feel(foot)
        self._body.gain("com")[:6] = 0.0
        self._priorities.walk()
        self._loading.begin(self._least_N)
        self._loading.rest()
        sole_z = 0.5 * (self._soles_z[0] + self._soles_z[1])
        self._refs.sole_z[0] = sole_z
        self._bear_load()
        self._height_from, self._lowering_s = float(kin.p_WC[2]) - sole_z - self._lift_m, 0.0
        self.p_WC_des[:], self.v_WC_des[:] = kin.p_WC, 0.0
        self.phase, self._t, self._stop, self._last, self.done = READY, 0.0, False, False, False
        self._body.set_mode(*self._both)

    def ask(self, forward_m_s: float, left_m_s: float, turn_rad_s: float) -> None:
        """Asks for a velocity in the robot's heading."""
        self.course.ask(forward_m_s, left_m_s, turn_rad_s)
        self._stop = False

    def stop(self) -> None:
        """Asks to come to rest, feet side by side; `done` tells when.

        Given footsteps are walked to their end.
        """
        self.course.ask(0.0, 0.0, 0.0)
        self._stop = True

    # The tick

    def advance(self, dt_s: float) -> None:
        """Writes this tick's references; the kinematics must be those of this tick."""
        self._bear_load()
        self._see(dt_s)
        if self.phase != READY:
            self.course.advance(dt_s)
        if self.phase == SWING and self._t > _SETTLED_SOLE_S and self._tells_grip():
            self._grip.feel(self._slides_m_s[self._stance], dt_s)
            self._count_on_grip()
        self._t += dt_s
        self._lowering_s += dt_s
        self._switch()
        if self.phase == SWING:
            self._advance_swing(dt_s)
        else:
            self._advance_on_both(dt_s)
        if self._pelvis is not None and self._route is not None:
            self._write_hips(self._pelvis, dt_s)
        if self.friction is not None:
            if self.phase == SWING:
                self.friction.swing(1 - self._stance, dt_s)
            else:
                self.friction.rest()

    def _bear_load(self) -> None:
        """A load lifts the centre of mass: the pendulum grows with it, the robot stays as high as it was."""
        carried = self._body.carried
        lift = float(carried.p_RC[2])
        if abs(lift - self._lift_m) > _LIFT_STEP_M:
            self._lift_m = lift
            self._plan.set_height(self.gait.height_m + lift)
            self._loading.weigh(carried.total_kg)

    def _see(self, dt_s: float) -> None:
        """Feet, in the unwrapped heading of the robot, and the DCM."""
        refs, feet = self._refs, self._feet
        refs.see(dt_s, self._plan.omega)
        x0, y0, yaw0, x1, y1, yaw1, z0, z1, xi_x, xi_y, off, slides0, slides1 = refs.seen.tolist()
        feet[0], feet[1] = (x0, y0, yaw0), (x1, y1, yaw1)
        self._soles_z[0], self._soles_z[1] = z0, z1
        self.xi, self._off_m = (xi_x, xi_y), off
        self._slides_m_s[0], self._slides_m_s[1] = slides0, slides1

    def _feel(self, foot: int) -> None:
        if self.gait.half_length_m == 0.0:
            return  # points have no tilt, and are too close together to tell a slope without
        x, y, _ = self._feet[foot]
        nx, ny, nz = self._body.arrays.kin.R[foot, :, 2].tolist()
        self._ground.feel(x, y, self._soles_z[foot], (-nx / nz, -ny / nz))

    def forget(self) -> None:
        """Counts on all of the floor's friction again, and on none in the joints: another run."""
        self._grip.part = 1.0
        self._count_on_grip()
        if self.friction is not None:
            self.friction.forget()

    def _tells_grip(self) -> bool:
        """Whether a stance sole that slides says something of the floor.

        Points always slide a little, soles that a push has torn off and those on stairs, where ankles come to
        their limits, for other reasons.
        """
        return self._off_m < _PUSHED_M and self._route is None and self.gait.half_length_m > 0.0

    def _count_on_grip(self) -> None:
        part = self._grip.part
        self.course.fastest_m_s = self._grip.fastest_m_s if part < 1.0 else math.inf
        if abs(part - self._counted_on) > _GRIP_STEP or (part == 1.0 != self._counted_on):
            self._body.set_friction(part)
            self._counted_on = part

    def _middle(self) -> Foothold:
        a, b = self._feet
        return 0.5 * (a[0] + b[0]), 0.5 * (a[1] + b[1]), 0.5 * (a[2] + b[2])

    def _switch(self) -> None:
        if self.phase == READY:
            if self._stop and self._route is None:
                self._settle()
            elif self._t >= self._ready_s:
                x, y, _ = self._middle()
                first = self.gait.left if self.course.asked[1] >= 0.0 else self.gait.right
                if self._route is not None:
                    first = self._route.first
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
            down = down and (self._t > duration or self._swing.stopped(self._soles_z[swing]))
            late = self._gains.late_s + _ROUGH_DEPTH * self._roughness_m / self._gains.descent_m_s
            if down or self._t > duration + late:
                self._land()
        elif self._t >= _SETTLE_S:
            x, y, _ = self._middle()
            if math.hypot(self.xi[0] - x, self.xi[1] - y) < _SETTLED_M:
                self.hand_back()

    def _rests(self, foot: int) -> bool:
        """Whether the ground has stopped a foot, as its own joints tell.

        A contact force that follows from joint torques is a guess while a leg swings fast. A step that is
        ended on it with the foot still in the air puts the robot's weight on nothing.
        """
        return abs(float(self._body.arrays.kin.vel[foot, _NORMAL])) < _RESTING_M_S

    def _begin_transfer(self, stance: int, z_from: Point, duration_s: float, hold_s: float = 0.0) -> None:
        """Both feet down: after hold_s the zero-moment point moves to a foot, within duration_s."""
        self.phase, self._t = TRANSFER, 0.0
        self._stance, self._z_from = stance, z_from
        self._hold_s, self._transfer_s = hold_s, hold_s + duration_s
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
        self._lift_off, self._lift_off_z = (x, y), self._soles_z[swing]
        # A foot that was put down in a hurry has not come to rest on the ground.
        if self._adaptation.duration_s > _CALM * self.gait.step_s:
            self._feel(stance)
        higher = min(_ROUGH_CLEARANCE * self._roughness_m, self.gait.clearance_m)
        tilt = sole_tilt(*self._landing_slope, yaw)
        self._swing.begin(x, y, self._lift_off_z, yaw, self._stance_z, tilt, higher)
        self._last = self._stop and self.course.resting if self._route is None else self._route.last
        foothold = self._next_foothold(self._standing_foot, self._velocity())
        self._adaptation.begin(self._standing_foot, self._side[stance], (x, y), foothold)
        self.planned[swing] = False
        self._loading.share(stance, 1.0)
        self._body.set_mode(*self._single[swing])

    def _land(self) -> None:
        swing = 1 - self._stance
        x, y, yaw = self._middle()
        self.course.correct(x, y, yaw)
        if self._route is not None:
            self._route.index += 1
        if self._last and math.hypot(self.xi[0] - x, self.xi[1] - y) < _CAPTURED_M:
            self._settle()
            return
        stance = self._standing_foot
        # After a hurried step the DCM is out of both soles: the next foot is to leave as soon as it can.
        duration = self._adaptation.duration_s
        hurry = min(duration / self.gait.step_s, 1.0)
        # A foot that meets the ground before its time waits for the DCM: it comes when it was to come.
        hold_s = min(max(duration - self._t, 0.0), _LONGEST_HOLD_S)
        self._begin_transfer(swing, (stance[0], stance[1]), hurry**3 * self.gait.double_support_s, hold_s)

    def _settle(self) -> None:
        self.phase, self._t = SETTLE, 0.0
        self.planned[:] = True
        self._loading.rest()
        self._body.set_mode(*self._both)

    def hand_back(self) -> None:
        """Gives everything back to standing, be the robot at rest or in the middle of a step."""
        self._priorities.stand()
        self._loading.end()
        self._hips = (0.0, 0.0, 0.0)
        for ref in self._upright:
            ref[9:12] = 0.0
        self.done = True

    def _velocity(self) -> tuple[float, float, float]:
        return (0.0, 0.0, 0.0) if self._last else self.course.steps

    def _next_foothold(self, stance: Foothold, velocity: tuple[float, float, float]) -> Foothold:
        if self._route is not None:
            return self._route.foothold()
        # Within a phase the same is asked tick after tick.
        asked = (stance, self._side[self._stance], velocity)
        if asked != self._asked:
            gait = self.gait
            self._asked = asked
            self._planned = next_foothold(*asked, gait.step_s + gait.double_support_s, gait.width_m)
        return self._planned

    @property
    def _roughness_m(self) -> float:
        """Of ground that nobody has told of: footsteps that are given are no plane and no surprise."""
        return 0.0 if self._route is not None else self._ground.roughness_m

    @property
    def _landing_slope(self) -> Slope:
        """Of the ground where the swing foot is to land."""
        return (0.0, 0.0) if self._route is not None else self._ground.slope

    def _advance_swing(self, dt_s: float) -> None:
        """Single support."""
        plan, stance, velocity = self._plan, self._standing_foot, self._velocity()
        planned = self._next_foothold(stance, velocity)
        landing_z = self._stance_z
        if self._route is not None:
            landing_z += self._route.rise_m()
            end = plan.along(self._ahead, self._route.lay_out(stance, self._ahead))
            follow = 0.5 if self._last else plan.follow_alone
        elif self._last:
            end = (0.5 * (stance[0] + planned[0]), 0.5 * (stance[1] + planned[1]))
            follow = 0.5
        else:
            end = plan.at_touchdown(stance, planned, -self._side[self._stance], velocity)
            follow = plan.follow
        foot, gain, leading = 1 - self._stance, self._gains.dcm_gain_per_s, self._leading(dt_s)
        landing = landing_z, *self._landing_slope
        self._stepping.advance(foot, self._t, *planned, *end, follow, *landing, gain, *leading)
        self.planned[foot] = self._t > self._adaptation.duration_s - _ANNOUNCE_S

    def _advance_on_both(self, dt_s: float) -> None:
        """Double support."""
        if self.phase != TRANSFER:
            x, y, _ = self._middle()
            xi_ref = z_ref = (x, y)
        else:
            xi_ref, z_ref = self._transfer()
        k = 1.0 + self._gains.dcm_gain_per_s / self._plan.omega
        z = z_ref[0] + k * (self.xi[0] - xi_ref[0]), z_ref[1] + k * (self.xi[1] - xi_ref[1])
        z = inside_both(z, self._feet[0], self._feet[1], self.gait)
        self._refs.lead(*xi_ref, *z, *self._leading(dt_s))

    def _transfer(self) -> tuple[Point, Point]:
        plan, landed = self._plan, self._landed
        side, velocity = self._side[self._stance], self.course.steps
        held, whole = self._hold_s - self._t, self._transfer_s - self._hold_s
        left = min(self._transfer_s - self._t, whole)
        part = min(max(-held / whole, 0.0), 1.0)
        a = self._z_from
        z = (a[0] + part * (landed[0] - a[0]), a[1] + part * (landed[1] - a[1]))
        target = self._next_foothold(landed, velocity)
        if self._route is not None:
            end = plan.along(self._ahead, self._route.lay_out(landed, self._ahead))
        else:
            end = plan.at_touchdown(landed, target, -side, velocity)
        end = plan.after_landing(self._left, landed, target, end)
        self._loading.share(self._stance, part)
        xi_ref = plan.in_transfer(z, (landed[0], landed[1]), left, end)
        if held > 0.0:
            decay = math.exp(-plan.omega * held)
            xi_ref = dcm_before_hold(xi_ref[0], a[0], decay), dcm_before_hold(xi_ref[1], a[1], decay)
        return xi_ref, z

    # References

    def _leading(self, dt_s: float) -> tuple[float, ...]:
        """What leads the body besides the DCM; see `lead_body`."""
        part = minimum_jerk(self._lowering_s / _READY_S)[0]
        height = self._height_from + part * (self.gait.height_m - self._height_from) + self._lift_m
        # Feet that cannot turn have no heading of their own: the base has to hold the course's itself.
        heading = self.course.yaw if self._on_points else float(self._refs.heading[0])
        return self._plan.omega, *self._under(), height, heading, self.course.velocity[2], dt_s

    def _under(self) -> tuple[float, float, float, float, float]:
        """Ground that the centre of mass goes by: a point and the slope there.

        Between given footsteps that is a line from foot to foot: over stairs it rises evenly. On the way down
        it is a parabola that starts level: the ankle of the upper foot is what limits a step down, and it
        bends the less the longer the leg stays.
        """
        slope, soles_z = self._landing_slope, self._soles_z
        if self.phase not in (SWING, TRANSFER):
            x, y, _ = self._middle()
            return x, y, 0.5 * (soles_z[0] + soles_z[1]), *slope
        swinging = self.phase == SWING
        foot = self._standing_foot if swinging else self._landed
        z = self._stance_z if swinging else soles_z[self._stance]
        if self._route is None:
            if not swinging:
                z = 0.5 * (soles_z[0] + soles_z[1]) - 0.5 * self._ground.rise(foot, *self._left[:2])
            return foot[0], foot[1], z, *slope
        x, y, _ = self._body.arrays.kin.p_WC.tolist()
        c, s = math.cos(foot[2]), math.sin(foot[2])
        ahead = c * (x - foot[0]) + s * (y - foot[1])
        if ahead > 0.0:
            other, rise = self._route.foothold(), self._route.rise_m()
        elif swinging:
            other, rise = (*self._lift_off, 0.0), self._lift_off_z - z
        else:
            other, rise = self._left, soles_z[1 - self._stance] - z
        way = c * (other[0] - foot[0]) + s * (other[1] - foot[1])
        if way * ahead <= 0.0 or abs(way) < _LEAST_WAY_M or abs(ahead) > abs(way):
            part = 1.0 if way * ahead > 0.0 and abs(way) >= _LEAST_WAY_M else 0.0
            return x, y, z + part * rise, 0.0, 0.0
        part = ahead / way
        if rise * way > 0.0:
            steepness = rise / way
        elif way > 0.0:
            steepness, rise = 2.0 * part * rise / way, part * rise
        else:
            steepness, rise = 2.0 * (1.0 - part) * rise / way, (2.0 - part) * rise
        return x, y, z + part * rise, c * steepness, s * steepness

    def _write_hips(self, ref: Vector, dt_s: float) -> None:
        if self.phase == SWING:
            assert self._route is not None
            roll = -self._side[self._stance] * _HIP_RAD_M * self._route.rise_m()
            roll = min(max(roll, -_MOST_HIP_RAD), _MOST_HIP_RAD)
            left_s = max(self._adaptation.duration_s - self._t, dt_s)
        else:
            roll, left_s = self._hips[0], dt_s
            if self.phase == SETTLE:
                roll, left_s = 0.0, max(_SETTLE_S - self._t, dt_s)
        self._hips = quintic(self._hips, roll, left_s, dt_s)
        roll, rate, _ = self._hips
        heading = float(self._refs.heading[0])
        c, s = math.cos(heading), math.sin(heading)
        cr, sr = math.cos(roll), math.sin(roll)
        ref[1], ref[2] = -s * cr, s * sr
        ref[4], ref[5] = c * cr, -c * sr
        ref[7], ref[8] = sr, cr
        ref[9], ref[10] = c * rate, s * rate
