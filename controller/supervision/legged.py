"""References of a robot on legs: its behaviour, standing or walking, and the change between the two."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kilohertz.controller.behaviours.base import Behaviour, Context, Legs
from kilohertz.controller.behaviours.registry import behaviour_tasks, behaviours_of
from kilohertz.controller.gains.comparison import RESTING, TRANSITION
from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.motion.remarks import Remarks
from kilohertz.controller.problem.soles import can_rest
from kilohertz.controller.safety.falling import REASONS, CentreOfMass, Falling
from kilohertz.controller.standing.recovery import Recovery
from kilohertz.controller.standing.standing import Standing, standing_tasks
from kilohertz.controller.standing.tilt_integral import TiltIntegral
from kilohertz.controller.streams.stream_row import StreamRow
from kilohertz.controller.supervision.legged_streams import LeggedStreams
from kilohertz.controller.supervision.motion import DONE, RUNNING, WAITING
from kilohertz.controller.supervision.request import RequestRow
from kilohertz.controller.supervision.rest import RestDetector
from kilohertz.controller.upper_body.gaze import Gaze
from kilohertz.controller.upper_body.hands import Hands
from kilohertz.controller.walking.foot_tasks import walking_tasks
from kilohertz.controller.walking.speed import walks
from kilohertz.controller.walking.velocity_stream import VelocityStream
from kilohertz.controller.walking.walking import Walking
from kilohertz.controller.whole_body.whole_body import Task, WholeBody
from kilohertz.estimators.joint_friction import JointFriction
from kilohertz.robots.model.period import PERIOD_S
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector

_COMPOSED_S = 2.0
"""Time after a disturbance in which the arms are needed for balance [s]; a few steps."""

_STILL = (0.0, 0.0, 0.0)


def legged_tasks(robot: RobotModel, gains: Gains) -> list[Task]:
    """Returns every task that a robot on legs may enable."""
    tasks = standing_tasks(robot, gains)
    tasks += walking_tasks(robot, gains) if walks(robot) else []
    return tasks + behaviour_tasks(robot, gains)


class Legged:
    """References of a robot with a floating base.

    Args:
        robot: the robot.
        gains: gains of the robot.
        body: the whole-body controller, with `legged_tasks` declared.
        contact: (nc,) contact flags of the estimator, an array that is updated in place.
        streams: row of streamed targets; None without streams.
        dt_s: nominal control period [s].

    Attributes:
        hands: references of the hands while standing and walking.
        remarks: sentences to the operator about requests that could not be met.
        planned: (nc,) whether each contact should be closed in this tick.
        footsteps: coming footsteps as in `Walking`.
        calm: whether no disturbance acts on the robot; set by the caller. During a disturbance the tilt,
            which is temporary, is not integrated, and the tasks of the hands have less weight.
        p_WC_des, v_WC_des: (3,) desired position and velocity of the centre of mass in the world [m], [m/s].
        p_WS: (3,) estimated middle of the soles in the world [m].
        R_des: (3, 3) desired heading of the robot in the world, a rotation about the vertical.
        falling: fall detection and the motion during a fall.
        friction: learnt friction of the joints of swinging legs; None for a robot that does not learn it.
    """

    def __init__(
        self,
        robot: RobotModel,
        gains: Gains,
        body: WholeBody,
        contact: NDArray[np.bool_],
        streams: StreamRow | None = None,
        dt_s: float = PERIOD_S,
    ) -> None:
        self.standing = Standing(robot, gains, body)
        self._tilt = TiltIntegral(body, gains)
        self.calm = True
        self.walking: Walking | None = None
        if walks(robot):
            self.walking = Walking(robot, gains, body, self.standing.tasks, contact)
        self.friction: JointFriction | None = self.walking.friction if self.walking is not None else None
        self._upset = 0.0
        self._restless = self.walking is not None and not can_rest(robot)
        self._move(self.standing)
        self._next: RequestRow | None = None
        self.planned = self.walking.planned if self.walking else np.ones(len(robot.contacts), dtype=bool)
        self.footsteps = self.walking.footsteps if self.walking else np.zeros((0, 5))
        self.remarks = Remarks()
        self.hands = Hands(robot, gains, body, self.remarks, streams, dt_s)
        self._recovery: Recovery | None = None
        if self.walking is not None and can_rest(robot) and gains.stand.steps:
            support_m = self.standing.half_support_m
            self._recovery = Recovery(robot, gains, body, self.walking, support_m, self.remarks)
        self._steps = self._recovery
        self._asked: RequestRow | None = None
        self._gaze = Gaze(body, self.remarks)
        self._kin, self._n_base = body.arrays.kin, robot.nq_base
        damping_Nms = robot.torque_limit_Nm / gains.guard.damping_speed_rad_s
        centre = CentreOfMass(self._kin.p_WC, self._kin.v_WC)
        falling = Falling(robot, gains.fall, self.standing.height_m, damping_Nms, centre)
        self.falling: Falling | None = falling
        self._lost = falling.lost
        self._rest = RestDetector(body, dt_s)
        self._streams: LeggedStreams | None = None
        self._streamed = False
        if streams is not None:
            self._streams = LeggedStreams(robot, gains, body, streams, self.standing, dt_s)
        context = Context(
            robot, gains, body, self.hands, self.remarks, self.walking, begin_walk=self._begin_walk
        )
        self._behaviours = {kind: kind(context) for kind in behaviours_of(robot).values()}
        named = {kind.name: behaviour for kind, behaviour in self._behaviours.items()}
        self._stand, self._walk_behaviour = named["stand"], named.get("walk")
        self._behaviour = self._stand

    def retune(self, gains: Gains) -> None:
        """Applies the values of these gains, during any behaviour."""
        self.standing.retune(gains)
        self._tilt.retune(gains)
        self.hands.retune(gains)
        if self.walking is not None:
            self.walking.retune(gains)
        if self._motion is self.standing:
            self.standing.write_gains()

    def _move(self, motion: Standing | Walking) -> None:
        """Makes this motion the present one, with its persistent arrays."""
        self._motion = motion
        self.p_WC_des, self.v_WC_des = motion.p_WC_des, motion.v_WC_des
        self.p_WS, self.R_des = motion.p_WS, motion.R_des

    @property
    def velocity_des(self) -> tuple[float, float, float]:
        """Velocity reference of the walk: forward, to the left [m/s] and turning [rad/s]."""
        walking = self.walking
        return walking.velocity_reference.velocity if walking is not None and not walking.done else _STILL

    @property
    def half_support_m(self) -> Vector:
        """Half extents of the area in which the robot may come to rest, (2,) in heading axes [m]."""
        if self._recovery is not None and self._recovery.catching:
            return self._recovery.half_support_m
        return self._motion.half_support_m

    @property
    def behaviour(self) -> str:
        """Name of the behaviour that was requested last."""
        return self._next.kind.name if self._next is not None else self._behaviour.name

    @property
    def behaviour_state(self) -> str:
        """State of that behaviour: "waiting" for the robot to come to rest, "running" or "done"."""
        if self._next is not None:
            return WAITING
        return DONE if self._behaviour.done else RUNNING

    def joint_state(self) -> None:
        """Returns None: the motions of a robot on legs are not planned."""

    def motion_kind(self) -> int:
        """Returns the kind of the motion, see `Motion`."""
        if not self.hands.steady or (self._streams is not None and self._streams.moves_posture):
            return TRANSITION
        if self.walking is not None and self._motion is self.walking:
            return 1 + self.walking.stance if self.walking.steps_steadily() else TRANSITION
        return RESTING if self.standing.posture.settled else TRANSITION

    @property
    def disturbed(self) -> bool:
        """Whether a disturbance acts on the robot, or it takes steps to recover from one."""
        recovery = self._recovery
        return not self.calm or (recovery is not None and (recovery.active or recovery.catching))

    def update_rest(self) -> bool:
        """Returns whether the robot is at rest on its soles; called in each tick of a soft stop."""
        rests = self._rest.update()
        return rests and self._motion is self.standing and self.standing.posture.settled

    def start(self) -> None:
        """Begins with the robot as it stands now; a robot on point feet begins to step in place."""
        self.planned[:] = True
        self._tilt.reset()
        self._move(self.standing)
        self._next, self._asked, self._upset = None, None, 0.0
        self.hold_steps(False)
        if self._recovery is not None:
            self._recovery.reset()
        if self.walking is not None:
            self.walking.forget()
            if not self.walking.done:
                self.walking.hand_back()
        self.hands.start()
        self._gaze.start()
        if self._streams is not None:
            self._streams.reset()
        self._behaviour = self._stand
        self.standing.start()
        self._rest.reset()
        if self.falling is not None:
            self.falling.reset()
        if self._restless and self.walking is not None:
            self._move(self.walking)
            self.walking.begin()

    @property
    def stands(self) -> bool:
        """Whether the robot neither walks nor takes steps."""
        return self._motion is self.standing

    def tilts_too_far(self, upright: float) -> bool:
        """Returns whether the base, whose tilt has this cosine, is tilted as by a fall."""
        assert self.falling is not None
        return upright < self.falling.cos_tilt

    def hold_steps(self, held: bool) -> None:
        """Takes no recovery steps while a tether may carry the robot, or takes them again."""
        self._recovery = None if held else self._steps

    def land(self) -> None:
        """Stands on the soles on which the robot was lowered, or hangs again; the request stays the same."""
        self._tilt.reset()
        self.hands.start()
        self._gaze.start()
        self.standing.land()
        self._rest.reset()

    # Requests

    def take(self, request: RequestRow) -> None:
        """Switches to a new request; a walking robot first comes to rest, unless the request is to walk.

        If the robot walks on given footsteps, it completes them first, because it cannot rest between them. A
        robot on point feet cannot rest; it steps in place for a request that is not to walk.
        """
        behaviour, kind = self._behaviours[request.kind], request.kind
        if kind.legs is Legs.RELEASE:
            return
        if self._streams is not None:
            self._streamed = False
            self._streams.put_aside(bool(request.gaze.size and request.gaze[0]))
        R_des = self.R_des
        if kind.legs is Legs.STEP and self._may_start_walk(kind):
            self._start(behaviour, request)
            self._take_targets(request, R_des)
        elif self._restless and self.walking is not None:
            self.walking.ask(0.0, 0.0, 0.0)
        elif self._motion is self.walking:
            self._next = request
            if not self._recovering and self.walking is not None:
                self.walking.stop()
        else:
            self._asked = request
            self._take_targets(request, R_des)
            self._start(behaviour, request)

    def _start(self, behaviour: Behaviour, request: RequestRow) -> None:
        behaviour.done = False
        behaviour.start(request.payload)
        if behaviour.legs is Legs.STAND:
            self.standing.posture.switch(behaviour)
        elif behaviour.legs is Legs.STEP:
            self.standing.posture.switch(None)
        self._behaviour = behaviour

    def _may_start_walk(self, kind: type[Behaviour]) -> bool:
        return self._motion is self.standing or (kind.joins_walk and not self._on_footsteps)

    def _take_targets(self, request: RequestRow, R_des: Vector) -> None:
        self.hands.take(request.hand_targets, request.kind.frees_hands, R_des)
        self._gaze.take(request.gaze, request.kind.frees_hands)

    @property
    def _on_footsteps(self) -> bool:
        return self.walking is not None and self._motion is self.walking and self.walking.on_footsteps

    @property
    def _recovering(self) -> bool:
        return self._recovery is not None and self._recovery.active

    def _begin_walk(self, footsteps: Vector | None) -> None:
        """Starts to walk for a behaviour, or continues a walk.

        Args:
            footsteps: (n, 5) footsteps, see `walking.route`; None for steps that the controller chooses.
        """
        self._next = None
        if footsteps is not None or self._motion is not self.walking:
            self._walk(footsteps)
        if footsteps is None and self._recovery is not None:
            self._recovery.active = False

    def _walk(self, footsteps: Vector | None) -> None:
        assert self.walking is not None
        self._next = self._asked = None
        self._move(self.walking)
        self.walking.begin(footsteps)

    def _keep_up(self, recovery: Recovery, walking: Walking, dt_s: float) -> None:
        """Starts or continues recovery steps when balance cannot be kept without a step.

        A behaviour that the steps interrupt waits until the robot stands again.
        """
        stands = self._motion is self.standing
        if stands or walking.rests:
            if recovery.needed(dt_s):
                asked = self._asked
                if stands:
                    self.hands.let_go()
                    self._walk(None)
                    self._next = asked
                recovery.begin(stands or walking.stopping)
        elif recovery.active or recovery.catching:
            recovery.follow(dt_s)

    # Streams

    def follow_streams(self, t_s: float, dt_s: float) -> None:
        """Reads the streamed targets of this tick; the kinematics must be up to date.

        Args:
            t_s: time of the tick's sensor sample [s].
            dt_s: time since the last tick [s].
        """
        streams = self._streams
        if streams is None:
            return
        self.hands.follow_streams(t_s, dt_s, self.R_des)
        streams.advance(t_s, dt_s, self._gaze)
        if self.walking is not None and streams.velocity is not None:
            self._follow_velocity(streams.velocity, self.walking, t_s)

    def _follow_velocity(self, stream: VelocityStream, walking: Walking, t_s: float) -> None:
        """Starts, leads or ends a walk as the stream of velocities demands."""
        stream.advance(t_s)
        walks = self._motion is walking
        if self._recovering or self._on_footsteps:
            return
        if not stream.leads:
            if self._streamed and walks:
                walking.velocity_reference.fade(stream.velocity, 0.0)
                self._stop_streamed(walking)
            self._streamed = False
        elif stream.fading:
            if walks:
                walking.velocity_reference.fade(stream.velocity, stream.fraction)
        elif not walks or walking.stopping or stream.velocity != walking.velocity_reference.asked:
            if not walks or self._next is not None or self._behaviour is not self._walk_behaviour:
                self._start_streamed()
            self._streamed = True
            walking.ask(*stream.velocity)

    def _start_streamed(self) -> None:
        assert self._walk_behaviour is not None
        self._behaviour = self._walk_behaviour
        self._behaviour.done = False
        self.standing.posture.switch(None)
        self.hands.let_go()
        self._begin_walk(None)

    def _stop_streamed(self, walking: Walking) -> None:
        if self._restless:
            walking.ask(0.0, 0.0, 0.0)
        else:
            walking.stop()

    # The tick

    def advance(self, dt_s: float) -> None:
        """Writes the references for this tick."""
        if self._recovery is not None and self.walking is not None:
            self._keep_up(self._recovery, self.walking, dt_s)
        if self._motion.advance(dt_s) and self.walking is not None:
            self._hear(self.walking, dt_s)
        posture = self.standing.posture
        if self._behaviour.done and self._behaviour.legs is Legs.STAND and posture.motion is not self._stand:
            posture.switch(self._stand)
        if self.hands.busy:
            self._upset = max(self._upset - dt_s / _COMPOSED_S, 0.0) if self.calm else 1.0
            self.hands.advance(dt_s, self.R_des, self._upset)
        if posture.leans and self._motion is self.walking:
            posture.advance(dt_s)
        gaze = self._gaze
        if gaze.busy or gaze.leans or posture.leans:
            gaze.advance(dt_s, self.R_des, posture)
        if self._streams is not None:
            self._streams.write_joints()
        if self.calm:
            self._tilt.advance(dt_s)

    def _hear(self, walking: Walking, dt_s: float) -> None:
        """Passes on the remark of a walk, and ends a walk that is done."""
        if walking.pace.remark:
            self.remarks.last, walking.pace.remark = walking.pace.remark, ""
        if walking.done:
            self._end_walk()
            self._motion.advance(dt_s)

    def _end_walk(self) -> None:
        """Changes from walking, at rest, to standing, and starts the waiting request."""
        self._move(self.standing)
        if self._recovery is not None:
            self._recovery.end()
        self.standing.resume()
        if self._behaviour.legs is Legs.STEP:
            self._behaviour.done = True
        if self._next is not None:
            request, self._next = self._next, None
            self.take(request)

    # Falls

    def fall_reason(self, q: Vector) -> str:
        """Returns why balance is lost, as one sentence; "" while it is not lost.

        Args:
            q: (nq,) estimated configuration.
        """
        return REASONS[self._lost(q, self.R_des, self.p_WS, self.half_support_m)]

    def fold(self) -> None:
        """Begins to fold the limbs, while the legs can still brake."""
        falling, q = self.falling, self._kin.q
        assert falling is not None
        self.fall_reason(q)
        falling.start(q[self._n_base :], falling.p_SC.tolist(), falling.v_SC.tolist())
