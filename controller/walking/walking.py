"""Walking: what a robot on two feet does when, and what it is told meanwhile."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.walking.adaptation import DURATION_S
from kilohertz.controller.walking.dcm_controller import LOWERING_S, DcmController
from kilohertz.controller.walking.dcm_plan import Point
from kilohertz.controller.walking.double_support import DoubleSupport
from kilohertz.controller.walking.foot_tasks import foot_rate_per_s, foot_references
from kilohertz.controller.walking.footsteps import Foothold
from kilohertz.controller.walking.free_steps import FreeSteps
from kilohertz.controller.walking.gait import Gait, gait_of, gait_on_footsteps
from kilohertz.controller.walking.gait_state import DOUBLE_SUPPORT, READY, SETTLE, SETTLE_S, SWING, GaitState
from kilohertz.controller.walking.given_steps import GivenSteps
from kilohertz.controller.walking.load_transfer import LoadTransfer
from kilohertz.controller.walking.modes import Modes
from kilohertz.controller.walking.priorities import Priorities
from kilohertz.controller.walking.references import References
from kilohertz.controller.walking.single_support import SingleSupport
from kilohertz.controller.walking.steps import Steps
from kilohertz.controller.walking.velocity_reference import VelocityReference
from kilohertz.controller.whole_body.whole_body import WholeBody
from kilohertz.estimators.friction_estimate import FrictionEstimate
from kilohertz.estimators.ground import sole_tilt
from kilohertz.estimators.joint_friction import JointFriction, learns_friction
from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.kin import X, Y, Z
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector

_READY_ON_POINTS_S = 0.02
"""Robots on points do not wait for their centre of mass to sink before they step."""
_FIRST_DOUBLE_SUPPORT_S, _FIRST_DOUBLE_SUPPORT_ON_POINTS_S = 0.4, 0.1
_HURRIED_DOUBLE_SUPPORT, _HURRIED_LOWERING = 0.5, 0.75
"""Of a robot that is pushed as it stands: time before its first step over the double support of a walk, and
time in which it sinks over that of a step. A leg from high up reaches no far foothold, and a knee that is
straight at its end stays so: pushed aside by 20 Ns the G1 then walked on and on, stiff-legged."""
_SETTLED_M = 0.02
_CAPTURED_M = 0.05
"""A last step that leaves the DCM further than this from between the feet is not the last one."""
_EAGER_ON_POINTS = 3.5
"""Steps on points are hurried more often than not, and hurried steps go slower than they were planned to."""
_ROUGH_CLEARANCE, _ROUGH_DEPTH = 3.0, 3.0
"""What a foot clears besides, and looks for the ground deeper, over the roughness that was felt."""
_REFERENCE_HEIGHT_M = 0.6
_SETTLED_SOLE_S = 0.05
"""A sole has come to rest this long after the other one has left."""
_PUSHED_M = 0.025
_CALM = 0.95
"""A step of at least this part of its planned time was not hurried."""
_LEEWAY_M = 0.03
"""A foothold that is given may be off by this, and no more: a tread ends somewhere."""
_RESTING_M_S = 0.15
"""A foot that moves faster along its normal is not on the ground."""
_LONGEST_HOLD_S = 0.15
"""A foot that has landed early waits no longer than this."""
_ANNOUNCE_S = 0.01
"""The contact is planned closed this long before touch-down."""


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
        friction: of the joints of swinging legs, as learned; None for a robot that does not learn it.
        done: whether the robot stands again.
    """

    def __init__(
        self,
        robot: RobotModel,
        gains: Gains,
        body: WholeBody,
        standing: list[str],
        contact: NDArray[np.bool_],
    ) -> None:
        gait = gait_of(robot, gains)
        self._gains = gains.walk
        self._body, self._contact = body, contact
        self._refs = refs = References(body, robot.contact_names)
        self._on_points = points = gait.half_length_m == 0.0
        self.velocity_reference = VelocityReference(_EAGER_ON_POINTS if points else 1.0)
        kin = body.arrays.kin
        descent, on_given = gains.walk.descent_m_s, gait_on_footsteps(gait)
        self._free = FreeSteps(SingleSupport(gait, refs, kin, descent), self.velocity_reference)
        self._given = GivenSteps(SingleSupport(on_given, refs, kin, descent, _LEEWAY_M), kin.p_WC)
        self._steps: Steps = self._free
        self._gait_state, self._double_support = GaitState(gait.left), DoubleSupport()
        friction = min(contact.friction for contact in robot.contacts)
        self._friction_part = 1.0
        self._friction_estimate = FrictionEstimate(friction, math.sqrt(gait.height_m / _REFERENCE_HEIGHT_M))
        self._load_transfer = LoadTransfer(body, gains.contact.largest_load)
        self.friction: JointFriction | None = None
        if learns_friction(robot, kin):
            rate_per_s = foot_rate_per_s(gains.walk.swing, gait.step_s)
            self.friction = JointFriction(robot, kin, foot_references(body), rate_per_s)
        self._ready_s = _READY_ON_POINTS_S if points else LOWERING_S
        self._first_transfer_s = _FIRST_DOUBLE_SUPPORT_ON_POINTS_S if points else _FIRST_DOUBLE_SUPPORT_S
        self._dcm_controller = DcmController(
            body,
            refs,
            self._gait_state,
            self._double_support,
            self._load_transfer,
            self.velocity_reference,
            gains,
            points,
        )
        self._priorities = Priorities(body, gains, gait.half_length_m)
        self._least_N = gains.contact.least_load * body.robot.mass_kg * GRAVITY_M_S2
        self.p_WC_des, self.v_WC_des, self.p_WS = refs.p_WC_des, refs.v_WC_des, refs.p_WS
        self.R_des, self.xi_des = refs.R_des, refs.xi_des
        self.half_support_m = np.array([gait.longest_m, gait.widest_m])
        self.planned = np.ones(len(robot.contacts), dtype=bool)
        self._modes = Modes(body, standing)
        self.xi: Point = (0.0, 0.0)
        self._off_m = 0.0
        self._slides_m_s = [0.0, 0.0]
        self._stop = self._last = self._pushed = False
        self.done = True

    @property
    def gait(self) -> Gait:
        """The gait that it walks."""
        return self._steps.gait

    @property
    def phase(self) -> int:
        """READY, DOUBLE_SUPPORT, SWING or SETTLE."""
        return self._gait_state.phase

    @property
    def target(self) -> Foothold:
        """Foothold of the present step, as adapted."""
        return self._steps.single.adaptation.target

    @property
    def step_s(self) -> float:
        """Duration of the present step, as adapted [s]."""
        return self._steps.single.adaptation.duration_s

    @property
    def omega(self) -> float:
        """Natural frequency of the pendulum that it walks with [1/s]."""
        return self._steps.plan.omega

    @property
    def rests(self) -> bool:
        """Whether both feet stay where they are for now, and are free to go anywhere then."""
        return (
            self._gait_state.phase == READY or self._gait_state.phase == SETTLE
        ) and self._steps is self._free

    @property
    def stopping(self) -> bool:
        """Whether it is to come to rest."""
        return self._stop

    @property
    def calm(self) -> bool:
        """Whether a step has ended that nothing had hurried, with the DCM where it was to be."""
        if self._gait_state.phase != DOUBLE_SUPPORT or self.step_s < _CALM * self.gait.step_s:
            return False
        return self._off_m < _PUSHED_M

    @property
    def swung_s(self) -> float:
        """Time since a foot was lifted, 0 while both are down [s]."""
        return self._gait_state.t_s if self._gait_state.phase == SWING else 0.0

    @property
    def on_footsteps(self) -> bool:
        """Whether it walks on given footsteps."""
        return self._steps is self._given

    def retune(self, gains: Gains) -> None:
        """Takes these gains, which give the same gait, after the weights of standing have been written."""
        self._gains = gains.walk
        self._dcm_controller.retune(gains)
        self._priorities.retune(gains)
        if self.friction is not None:
            self.friction.lambda_per_s[0] = foot_rate_per_s(gains.walk.swing, self._free.gait.step_s)

    # Requests

    def begin(self, footsteps: Vector | None = None) -> None:
        """Takes over from standing, both soles down.

        Args:
            footsteps: those to walk on, (n, 5) as for `Route.begin`; else steps follow `ask`.
        """
        kin, gait_state = self._body.arrays.kin, self._gait_state
        self._steps = self._free if footsteps is None else self._given
        self._refs.heading[0] = math.atan2(kin.R[0, Y, X] + kin.R[1, Y, X], kin.R[0, X, X] + kin.R[1, X, X])
        self._see(0.0)
        self.velocity_reference.begin(*gait_state.middle)
        if footsteps is not None:
            self._given.begin(footsteps, gait_state)
        self._free.ground.begin()
        for foot in (0, 1):
            self._feel(foot)
        self._body.gain("com")[:] = 0.0
        self._dcm_controller.begin(self._steps)
        self._priorities.walk()
        self._load_transfer.begin(self._least_N)
        self._load_transfer.rest()
        self._stop = self._last = self._pushed = self.done = False
        gait_state.begin(READY, gait_state.stance)
        self._modes.on_both()

    def hurry(self, stance: int) -> None:
        """Steps at once, both soles down as yet, with the other foot than this one."""
        gait, (x, y, _) = self.gait, self._gait_state.middle
        self._pushed = True
        # There was no step before, and what came in its place was no calm one.
        self._steps.single.adaptation.adapted[DURATION_S] = gait.shortest_step_s
        self._dcm_controller.sink(_HURRIED_LOWERING * gait.step_s)
        self._begin_double_support(stance, (x, y), _HURRIED_DOUBLE_SUPPORT * gait.double_support_s)

    def ask(self, forward_m_s: float, left_m_s: float, turn_rad_s: float) -> None:
        """Asks for a velocity in the robot's heading."""
        self.velocity_reference.ask(forward_m_s, left_m_s, turn_rad_s)
        self._stop = False

    def stop(self) -> None:
        """Asks to come to rest, feet side by side; `done` tells when.

        Given footsteps are walked to their end.
        """
        self.velocity_reference.ask(0.0, 0.0, 0.0)
        self._stop = True

    def forget(self) -> None:
        """Counts on all of the floor's friction again, and on none in the joints: another run."""
        self._friction_estimate.forget()
        self._count_on_friction()
        if self.friction is not None:
            self.friction.forget()

    # What is felt

    def _see(self, dt_s: float) -> None:
        """Feet, in the unwrapped heading of the robot, and the DCM."""
        refs, gait_state = self._refs, self._gait_state
        refs.see(dt_s, self._steps.plan.omega)
        x0, y0, yaw0, x1, y1, yaw1, z0, z1, xi_x, xi_y, off, slides0, slides1 = refs.seen.tolist()
        gait_state.feet[0], gait_state.feet[1] = (x0, y0, yaw0), (x1, y1, yaw1)
        gait_state.soles_z[0], gait_state.soles_z[1] = z0, z1
        self.xi, self._off_m = (xi_x, xi_y), off
        self._slides_m_s[0], self._slides_m_s[1] = slides0, slides1

    def _feel(self, foot: int) -> None:
        gait_state = self._gait_state
        nx, ny, nz = self._body.arrays.kin.R[foot, :, Z].tolist()
        self._free.feel(gait_state.feet[foot], gait_state.soles_z[foot], (nx, ny, nz))

    def _count_on_friction(self) -> None:
        """Lets contact forces and speed count on the friction that is felt."""
        estimate = self._friction_estimate
        self.velocity_reference.fastest_m_s = estimate.fastest_m_s if estimate.felt < 1.0 else math.inf
        if estimate.part != self._friction_part:
            self._friction_part = estimate.part
            self._body.set_friction(estimate.part)

    def _friction_observable(self) -> bool:
        """Whether a stance sole that slides says something of the floor.

        Points always slide a little, soles that a push has torn off and those on stairs, where ankles come to
        their limits, for other reasons.
        """
        if self._pushed or self._on_points:
            return False
        return self._off_m < _PUSHED_M and self._steps is self._free

    # Phases

    def _switch(self) -> None:
        gait_state, steps = self._gait_state, self._steps
        phase, t = gait_state.phase, gait_state.t_s
        if phase == READY:
            if self._stop and steps is self._free:
                self._settle()
            elif t >= self._ready_s:
                x, y, _ = gait_state.middle
                self._begin_double_support(steps.first_stance(), (x, y), self._first_transfer_s)
        elif phase == DOUBLE_SUPPORT:
            if t >= self._double_support.whole_s:
                self._lift()
        elif phase == SWING:
            swing, duration = gait_state.swing, self.step_s
            # The faster a leg swings, the less is its contact force known: a hurried step has to end on plan.
            hurry = duration / steps.gait.step_s
            early = duration * (1.0 - (1.0 - self._gains.early) * hurry * hurry)
            down = bool(self._contact[swing]) and t > early and self._rests(swing)
            down = down and (t > duration or steps.single.swing.stopped(gait_state.soles_z[swing]))
            late = self._gains.late_s + _ROUGH_DEPTH * steps.roughness_m / self._gains.descent_m_s
            if down or t > duration + late:
                self._land()
        elif t >= SETTLE_S and self._off_middle() < _SETTLED_M:
            self.hand_back()

    def _rests(self, foot: int) -> bool:
        """Whether the ground has stopped a foot, as its own joints tell.

        A contact force that follows from joint torques is a guess while a leg swings fast. A step that is
        ended on it with the foot still in the air puts the robot's weight on nothing.
        """
        return abs(float(self._body.arrays.kin.vel[foot, Z])) < _RESTING_M_S

    def _off_middle(self) -> float:
        """Distance of the DCM from between the feet [m]."""
        x, y, _ = self._gait_state.middle
        return math.hypot(self.xi[0] - x, self.xi[1] - y)

    def _begin_double_support(
        self, stance: int, z_from: Point, duration_s: float, hold_s: float = 0.0
    ) -> None:
        self._gait_state.begin(DOUBLE_SUPPORT, stance)
        self._double_support.begin(z_from, duration_s, hold_s)
        self.planned[:] = True
        self._modes.on_both()

    def _lift(self) -> None:
        gait_state, steps, single = self._gait_state, self._steps, self._steps.single
        gait_state.begin(SWING, gait_state.stance)
        # A foot that was put down in a hurry has not come to rest on the ground.
        if self.step_s > _CALM * steps.gait.step_s:
            self._feel(gait_state.stance)
            self._pushed = False
        x, y, yaw = gait_state.leaving
        higher = min(_ROUGH_CLEARANCE * steps.roughness_m, steps.gait.clearance_m)
        _, *slope = steps.landing(gait_state)
        tilt = sole_tilt(slope[0], slope[1], yaw)
        single.swing.begin(x, y, gait_state.leaving_z, yaw, gait_state.standing_z, tilt, higher)
        self._last = steps.is_last(self._stop)
        single.adaptation.begin(
            gait_state.standing, gait_state.side, (x, y), steps.foothold(gait_state, self._last)
        )
        self.planned[gait_state.swing] = False
        self._load_transfer.share(gait_state.stance, 1.0)
        self._modes.on(gait_state.stance)

    def _land(self) -> None:
        gait_state, steps = self._gait_state, self._steps
        self.velocity_reference.correct(*gait_state.middle)
        steps.landed()
        if self._last and self._off_middle() < _CAPTURED_M:
            self._settle()
            return
        x, y, _ = gait_state.standing
        # After a hurried step the DCM is out of both soles: the next foot is to leave as soon as it can.
        duration, gait = self.step_s, steps.gait
        hurry = min(duration / gait.step_s, 1.0)
        # A foot that meets the ground before its time waits for the DCM: it comes when it was to come.
        hold_s = min(max(duration - gait_state.t_s, 0.0), _LONGEST_HOLD_S)
        self._begin_double_support(gait_state.swing, (x, y), hurry**3 * gait.double_support_s, hold_s)

    def _settle(self) -> None:
        self._gait_state.begin(SETTLE, self._gait_state.stance)
        self.planned[:] = True
        self._load_transfer.rest()
        self._modes.on_both()

    def hand_back(self) -> None:
        """Gives everything back to standing, be the robot at rest or in the middle of a step."""
        self._priorities.stand()
        self._load_transfer.end()
        self._dcm_controller.end()
        self.done = True

    # The tick

    def advance(self, dt_s: float) -> None:
        """Writes this tick's references; the kinematics must be those of this tick."""
        gait_state = self._gait_state
        self._dcm_controller.bear_load(self._steps)
        self._see(dt_s)
        if gait_state.phase != READY:
            self.velocity_reference.advance(dt_s)
        if gait_state.phase == SWING and gait_state.t_s > _SETTLED_SOLE_S and self._friction_observable():
            self._friction_estimate.feel(self._slides_m_s[gait_state.stance], dt_s)
            self._count_on_friction()
        gait_state.t_s += dt_s
        self._switch()
        self._dcm_controller.advance(self._steps, self.xi, self._last, dt_s)
        if gait_state.phase == SWING:
            self.planned[gait_state.swing] = gait_state.t_s > self.step_s - _ANNOUNCE_S
        if self.friction is not None:
            if gait_state.phase == SWING:
                self.friction.swing(gait_state.swing, dt_s)
            else:
                self.friction.rest()
