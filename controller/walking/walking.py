"""Walking of a robot on two feet: the phases of the gait, and the task references in each of them."""

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
from kilohertz.controller.walking.gait_state import (
    DOUBLE_SUPPORT,
    LAST,
    READY,
    SETTLE,
    SETTLE_S,
    SLOPE_X,
    SLOPE_Y,
    SWING,
    GaitState,
)
from kilohertz.controller.walking.given_steps import GivenSteps
from kilohertz.controller.walking.load_transfer import LoadTransfer
from kilohertz.controller.walking.modes import Modes
from kilohertz.controller.walking.pace import Pace
from kilohertz.controller.walking.priorities import Priorities
from kilohertz.controller.walking.references import FOOT, SEEN_OFF, SEEN_XI, SEEN_Z, References
from kilohertz.controller.walking.route import STEPS_SHOWN
from kilohertz.controller.walking.single_support import SingleSupport
from kilohertz.controller.walking.steps import Steps
from kilohertz.controller.walking.tick import (
    ANNOUNCE_S,
    BEAR,
    LEAN,
    PUSHED_M,
    SLIP,
    SWITCH,
    Tick,
)
from kilohertz.controller.walking.velocity_reference import FASTEST_M_S, VelocityReference
from kilohertz.controller.whole_body.whole_body import WholeBody
from kilohertz.estimators.friction_estimate import FrictionEstimate
from kilohertz.estimators.ground import sole_tilt
from kilohertz.estimators.joint_friction import JointFriction, learns_friction
from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.kin import X, Y, Z
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector

_READY_ON_POINTS_S = 0.02
"""Time before the first step on point feet [s]: it does not wait until the centre of mass is lowered."""
_FIRST_DOUBLE_SUPPORT_S, _FIRST_DOUBLE_SUPPORT_ON_POINTS_S = 0.4, 0.1
"""Duration of the first double support, on soles and on point feet [s]."""
_HURRIED_DOUBLE_SUPPORT, _HURRIED_LOWERING = 0.5, 0.75
"""For a robot that is pushed while it stands: duration of the double support before its first step, relative
to that of a walk, and time in which the centre of mass is lowered, relative to the step time. With the hips
high, a leg cannot reach a far foothold, and a knee that is straight at the end of its reach stays straight:
pushed sideways by 20 Ns, the G1 then kept walking with stiff legs."""
_SETTLED_M = 0.02
"""Walking ends when the DCM is closer than this to the middle of the feet [m]."""
_CAPTURED_M = 0.05
"""Another step follows if the DCM at the last landing is over this far from the middle of the feet [m]."""
_EAGER_ON_POINTS = 3.5
"""Factor on the velocity corrections on point feet. Steps on point feet are shortened more often than not,
and the robot then moves more slowly than planned."""
_ROUGH_CLEARANCE = 3.0
"""Additional clearance of the swing foot, relative to the estimated roughness of the ground."""
_REFERENCE_HEIGHT_M = 0.6
"""Walking height of the centre of mass for which the friction estimate has its parameters [m]."""
_CALM = 0.95
"""A step that lasts at least this fraction of its planned time does not count as shortened."""
_LEEWAY_M = 0.03
"""Largest deviation from a given foothold [m]: a stair tread has limited space."""
_LONGEST_HOLD_S = 0.15
"""Longest time for which the load transfer waits after an early landing [s]."""


class Walking:
    """Writes the task references of a robot that walks.

    Args:
        robot: model of a robot on two feet.
        gains: gains of the robot.
        body: whole-body controller, with `standing_tasks` and `walking_tasks` declared.
        standing: names of the tasks that are enabled while standing.
        contact: (2,) contact flags of the estimator; the array is updated in place each tick.

    Attributes:
        p_WC_des, v_WC_des: (3,) planned position and velocity of the centre of mass in the world [m], [m/s].
        p_WS: (3,) mean of the estimated sole positions in the world [m].
        R_des: (3, 3) heading: rotation about the vertical.
        half_support_m: (2,) reach of the steps ahead and sideways [m].
        xi, xi_des: (2,) estimated and planned DCM in the world [m].
        planned: (2,) flags of the contacts that are planned as closed.
        footsteps: (STEPS_SHOWN, 5) coming footsteps as planned at lift-off: index of the contact, x, y, z of
            the sole in the world [m] and yaw [rad]; NaN for none.
        velocity_reference: commanded velocity, as ramped and corrected.
        pace: comparison of the walked distance with the command.
        friction: estimate of the joint friction of swinging legs; None for a robot without this estimate.
        done: True once standing can take over.
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
        points = gait.half_length_m == 0.0
        self.velocity_reference = VelocityReference(_EAGER_ON_POINTS if points else 1.0)
        self.pace = Pace()
        kin = body.arrays.kin
        descent, on_given = gains.walk.descent_m_s, gait_on_footsteps(gait)
        self._free = FreeSteps(SingleSupport(gait, refs, kin, descent), self.velocity_reference)
        self._given = GivenSteps(SingleSupport(on_given, refs, kin, descent, _LEEWAY_M), kin.p_WC)
        self._steps: Steps = self._free
        self._gait_state = GaitState(
            gait.left, refs.seen[:SEEN_Z].reshape(2, FOOT), refs.seen[SEEN_Z:SEEN_XI]
        )
        self._double_support = DoubleSupport()
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
        self.footsteps = np.full((STEPS_SHOWN, 5), np.nan)
        self._modes = Modes(body, standing)
        self._stop = self._last = False
        self.done = True
        self._ticks: dict[Steps, Tick] = {
            self._free: self._new_tick(self._free, observes=not points),
            self._given: self._new_tick(self._given, observes=False),
        }
        self._use(self._free)

    def _new_tick(self, steps: Steps, observes: bool) -> Tick:
        return Tick(
            self._body.arrays.kin,
            self._refs,
            self._gait_state,
            steps,
            self.velocity_reference,
            self.pace,
            self._friction_estimate,
            self._dcm_controller,
            observes,
        )

    def _use(self, steps: Steps) -> None:
        """Makes these the steps that the robot takes."""
        self._steps, self._tick = steps, self._ticks[steps]
        self._sense, self._advance_free_step = self._tick.sense, self._tick.advance
        self._tick.begin(self._gains, steps.roughness_m)

    @property
    def xi(self) -> Point:
        """Estimated DCM in the world [m]."""
        x, y = self._refs.seen[SEEN_XI:SEEN_OFF].tolist()
        return x, y

    @property
    def gait(self) -> Gait:
        """Gait of the present steps."""
        return self._steps.gait

    @property
    def phase(self) -> int:
        """Phase of the gait: READY, DOUBLE_SUPPORT, SWING or SETTLE."""
        return self._gait_state.phase

    @property
    def target(self) -> Foothold:
        """Adapted foothold of the present step."""
        return self._steps.single.adaptation.target

    @property
    def step_s(self) -> float:
        """Adapted duration of the present step [s]."""
        return self._steps.single.adaptation.duration_s

    @property
    def omega(self) -> float:
        """Natural frequency of the pendulum in the DCM plan [1/s]."""
        return self._steps.plan.omega

    @property
    def rests(self) -> bool:
        """True if both feet are at rest and the next step is not on given footsteps."""
        return (
            self._gait_state.phase == READY or self._gait_state.phase == SETTLE
        ) and self._steps is self._free

    @property
    def stopping(self) -> bool:
        """True if the robot has been commanded to stop."""
        return self._stop

    @property
    def calm(self) -> bool:
        """True in double support after a step that was not shortened, with a small DCM error."""
        if self._gait_state.phase != DOUBLE_SUPPORT or self.step_s < _CALM * self.gait.step_s:
            return False
        return float(self._refs.seen[SEEN_OFF]) < PUSHED_M

    @property
    def swung_s(self) -> float:
        """Time since lift-off, 0 while both feet are on the ground [s]."""
        return self._gait_state.t_s if self._gait_state.phase == SWING else 0.0

    def steps_steadily(self) -> bool:
        """Returns whether the robot makes one step after another, without starting, stopping or ramping."""
        steps = self._gait_state.phase in (DOUBLE_SUPPORT, SWING)
        return steps and not self._stop and self.velocity_reference.follows_steadily()

    @property
    def stance(self) -> int:
        """Index of the contact that carries the robot, or that will after the load transfer."""
        return self._gait_state.stance

    @property
    def on_footsteps(self) -> bool:
        """True if the robot walks on given footsteps."""
        return self._steps is self._given

    def retune(self, gains: Gains) -> None:
        """Applies new gains, after the weights of standing have been updated from them.

        The gains must give the same gait as before.
        """
        self._gains = gains.walk
        self._tick.expect(gains.walk, self._steps.roughness_m)
        self._dcm_controller.retune(gains)
        self._priorities.retune(gains)
        self._tick.leans = False
        if self.friction is not None:
            self.friction.lambda_per_s[0] = foot_rate_per_s(gains.walk.swing, self._free.gait.step_s)

    # Requests

    def begin(self, footsteps: Vector | None = None) -> None:
        """Takes over from standing, with both soles on the ground.

        Args:
            footsteps: (n, 5) footsteps as for `Route.begin`, or None to follow the velocity of `ask`.
        """
        kin, gait_state = self._body.arrays.kin, self._gait_state
        self._use(self._free if footsteps is None else self._given)
        self._refs.heading[0] = math.atan2(kin.R[0, Y, X] + kin.R[1, Y, X], kin.R[0, X, X] + kin.R[1, X, X])
        self._refs.slide[:] = 0.0
        self._refs.see(0.0, self._steps.plan.omega)
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
        self._stop = self._last = self.done = False
        gait_state.begin(READY, gait_state.stance)
        self._modes.on_both()

    def hurry(self, stance: int) -> None:
        """Starts a step at once, while both soles are still on the ground.

        Args:
            stance: index of the contact that stays; the other foot steps.
        """
        gait, (x, y, _) = self.gait, self._gait_state.middle
        self._tick.pushed = True
        # There was no step before: the shortest duration stands for it, so that `calm` is false.
        self._steps.single.adaptation.adapted[DURATION_S] = gait.shortest_step_s
        self._dcm_controller.sink(_HURRIED_LOWERING * gait.step_s)
        self._begin_double_support(stance, (x, y), _HURRIED_DOUBLE_SUPPORT * gait.double_support_s)

    def ask(self, forward_m_s: float, left_m_s: float, turn_rad_s: float) -> None:
        """Sets the commanded velocity, expressed in the robot's heading."""
        self.velocity_reference.ask(forward_m_s, left_m_s, turn_rad_s)
        self.pace.ask(forward_m_s, left_m_s)
        self._stop = False

    def stop(self) -> None:
        """Commands the robot to stop with its feet side by side; `done` is True when it has stopped.

        Given footsteps are walked to their end.
        """
        self.velocity_reference.ask(0.0, 0.0, 0.0)
        self.pace.ask(0.0, 0.0)
        self._stop = True

    def forget(self) -> None:
        """Resets the estimates of ground and joint friction for a new run.

        The ground friction returns to that of robot.yaml, and the joint friction to zero.
        """
        self._friction_estimate.forget()
        self._count_on_friction()
        if self.friction is not None:
            self.friction.forget()

    # Measurements

    def _feel(self, foot: int) -> None:
        gait_state = self._gait_state
        nx, ny, nz = self._body.arrays.kin.R[foot, :, Z].tolist()
        self._free.feel(gait_state.foot(foot), float(gait_state.soles_z[foot]), (nx, ny, nz))

    def _count_on_friction(self) -> None:
        """Limits contact forces and walking speed to the estimated friction."""
        estimate = self._friction_estimate
        fastest_m_s = estimate.fastest_m_s if estimate.felt < 1.0 else math.inf
        self.velocity_reference.arrays.speed[FASTEST_M_S] = fastest_m_s
        if estimate.part != self._friction_part:
            self._friction_part = estimate.part
            self._body.set_friction(estimate.part)

    # Phases

    def _react(self, event: int, dt_s: float) -> bool:
        """Reacts to the events that `sense` has reported; returns what `advance` returns."""
        if event == BEAR:
            self._dcm_controller.bear_load(self._steps)
            event = self._sense(dt_s, self._contact)
        if event & SLIP:
            self._count_on_friction()
        if event & SWITCH:
            self._switch()
        if event & LEAN:
            self._tick.leans = leans = not self._tick.leans
            self._priorities.lean(leans)
        return self.done or bool(self.pace.remark)

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
            self._land()
        elif t >= SETTLE_S and self._off_middle() < _SETTLED_M:
            self.hand_back()

    def _off_middle(self) -> float:
        """Returns the distance of the DCM from the middle of the feet [m]."""
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
        # After a shortened step the foot has not come to rest on the ground yet.
        regular = self.step_s > _CALM * steps.gait.step_s
        if regular:
            self._feel(gait_state.stance)
        self._tick.lift(regular)
        self._tick.expect(self._gains, steps.roughness_m)
        x, y, yaw = gait_state.leaving
        higher = min(_ROUGH_CLEARANCE * steps.roughness_m, steps.gait.clearance_m)
        _, *slope = steps.landing(gait_state)
        tilt = sole_tilt(slope[0], slope[1], yaw)
        single.swing.begin(x, y, gait_state.leaving_z, yaw, gait_state.standing_z, tilt, higher)
        self._last = steps.is_last(self._stop)
        gait_state.arrays.now[SLOPE_X], gait_state.arrays.now[SLOPE_Y] = slope
        gait_state.arrays.now[LAST] = self._last
        target = steps.foothold(gait_state, self._last)
        single.adaptation.begin(gait_state.standing, gait_state.side, (x, y), target)
        self._show(target)
        self.planned[gait_state.swing] = False
        self._load_transfer.share(gait_state.stance, 1.0)
        self._modes.on(gait_state.stance)

    def _show(self, target: Foothold) -> None:
        """Writes the coming footsteps at lift-off, for people to see."""
        gait_state, steps, shown = self._gait_state, self._steps, self.footsteps
        z, *_ = steps.landing(gait_state)
        shown[:] = np.nan
        shown[0] = gait_state.swing, target[0], target[1], z, target[2]
        for row, ((x, y, yaw), rise_m) in enumerate(steps.after(STEPS_SHOWN - 1), start=1):
            foot = gait_state.stance if row % 2 else gait_state.swing
            shown[row] = foot, x, y, gait_state.standing_z + rise_m, yaw

    def _land(self) -> None:
        gait_state, steps = self._gait_state, self._steps
        self.velocity_reference.correct(*gait_state.middle)
        self.pace.landed(*gait_state.middle)
        steps.landed()
        if self._last and self._off_middle() < _CAPTURED_M:
            self._settle()
            return
        x, y, _ = gait_state.standing
        # After a shortened step the DCM is outside both soles: the next foot lifts off as soon as possible.
        duration, gait = self.step_s, steps.gait
        hurry = min(duration / gait.step_s, 1.0)
        # After an early landing the load transfer waits until the planned time, at which the DCM arrives.
        hold_s = min(max(duration - gait_state.t_s, 0.0), _LONGEST_HOLD_S)
        self._begin_double_support(gait_state.swing, (x, y), hurry**3 * gait.double_support_s, hold_s)

    def _settle(self) -> None:
        self._gait_state.begin(SETTLE, self._gait_state.stance)
        self.planned[:] = True
        self.footsteps[:] = np.nan
        self._load_transfer.rest()
        self._modes.on_both()

    def hand_back(self) -> None:
        """Restores the weights, limits and references of standing, at rest or in the middle of a step."""
        self._priorities.stand()
        self._load_transfer.end()
        self._dcm_controller.end()
        self.footsteps[:] = np.nan
        self.done = True

    # The tick

    def advance(self, dt_s: float) -> bool:
        """Writes this tick's references; the kinematics must be up to date for this tick.

        Returns:
            Whether the walk is done, or `pace` has a new remark.
        """
        gait_state, event, news = self._gait_state, self._sense(dt_s, self._contact), False
        if event:
            news = self._react(event, dt_s)
        if gait_state.phase == SWING and self._steps is self._free:
            self._advance_free_step(dt_s, self.planned)
        else:
            self._advance_other(dt_s)
        if self.friction is not None:
            if gait_state.phase == SWING:
                self.friction.swing(gait_state.swing, dt_s)
            else:
                self.friction.rest()
        return news

    def _advance_other(self, dt_s: float) -> None:
        """Writes the references of a tick with both feet on the ground, or of a step on given footsteps."""
        gait_state = self._gait_state
        self._dcm_controller.advance(self._steps, self.xi, self._last, dt_s)
        if gait_state.phase == SWING:
            self.planned[gait_state.swing] = gait_state.t_s > self.step_s - ANNOUNCE_S
