"""References of a robot that is bolted to the ground: its posture, and the behaviour that moves its hands."""

from __future__ import annotations

import math

import numpy as np

from kilohertz.controller.behaviours.base import Context, Legs
from kilohertz.controller.behaviours.registry import behaviour_tasks, behaviours_of
from kilohertz.controller.gains.comparison import RESTING, TRANSITION
from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.joint_motion.joint_lead import JointLead
from kilohertz.controller.joint_motion.plan_row import MOST_JOINTS, JointState
from kilohertz.controller.motion.posture_reference import PostureReference
from kilohertz.controller.motion.remarks import Remarks
from kilohertz.controller.safety.falling import Falling
from kilohertz.controller.soft.collision_reaction import CollisionReaction
from kilohertz.controller.soft.internal_force import PAIR, InternalForce
from kilohertz.controller.soft.soft_arm import SoftArm, soft_tasks
from kilohertz.controller.streams.joint_stream import JointStream
from kilohertz.controller.streams.stream_row import StreamRow
from kilohertz.controller.supervision.motion import DONE, RUNNING
from kilohertz.controller.supervision.request import RequestRow
from kilohertz.controller.supervision.rest import RestDetector
from kilohertz.controller.upper_body.hand_targets import FREE, TARGET_FRAME
from kilohertz.controller.upper_body.hands import Hands, hand_tasks
from kilohertz.controller.whole_body.whole_body import Task, WholeBody
from kilohertz.estimators.arm_disturbance import ArmDisturbance
from kilohertz.estimators.collision_watch import CollisionWatch
from kilohertz.estimators.hand_load import HandLoad
from kilohertz.estimators.joint_friction import JointFriction
from kilohertz.estimators.wrist_wrench import FROZEN, LIVE, WristWrench
from kilohertz.robots.model.hand_model import WRENCH
from kilohertz.robots.model.period import PERIOD_S
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector

_HELD_POSTURE_WEIGHT = 0.01
"""Relative weight of the posture for a robot with hands; the posture then only acts in their null space."""
_NOWHERE = np.full(3, math.nan)
_KEEP_A_LOAD = ("dual", "stand")
"""Behaviours in which two hands go on pressing on a load: one that is not moved on is not dropped either."""
_INSTEAD = "the disturbance observer tells the wrench on the hand from now on"
_SILENT = f"sends no values: {_INSTEAD}"
_FROZEN = f"sends values that do not change: {_INSTEAD}"


def arm_tasks(robot: RobotModel, gains: Gains) -> list[Task]:
    """Returns every task that an arm may enable."""
    posture = Task("posture", "posture", 1.0, [gains.hand.kp_per_s2, gains.hand.kd_per_s])
    return [posture, *hand_tasks(robot, gains), *behaviour_tasks(robot, gains), *soft_tasks(robot)]


def _has_target(request: RequestRow) -> bool:
    return bool((request.hand_targets[:, TARGET_FRAME] != FREE).any())


class Arm:
    """References of a robot that is fixed to the ground.

    Args:
        robot: the robot.
        gains: gains of the robot.
        body: the whole-body controller, with `arm_tasks` declared.
        streams: row of streamed targets; None without streams.
        dt_s: nominal control period [s].

    Attributes:
        hands: references of the hands, which hold their present poses from the start.
        remarks: sentences to the operator about requests that could not be met.
        soft: the soft hand of the arm; None without hands.
        w_H: (nh, 6) wrench on each hand in its axes [N, Nm]; NaN for one whose wrench is not estimated.
        felt: (nh,) whether the wrench on each hand is that of a force-torque sensor.
        wrists: estimates of the force-torque sensors.
        planned, calm, falling, friction: see `Motion`.
    """

    p_WC_des = v_WC_des = p_WS = _NOWHERE
    footsteps = np.zeros((0, 5))
    velocity_des = (0.0, 0.0, 0.0)
    falling: Falling | None = None
    friction: JointFriction | None = None

    def __init__(
        self,
        robot: RobotModel,
        gains: Gains,
        body: WholeBody,
        streams: StreamRow | None = None,
        dt_s: float = PERIOD_S,
    ) -> None:
        self.robot = robot
        self._body = body
        self.calm = True
        self.planned = np.ones(len(robot.contacts), dtype=bool)
        self.remarks = Remarks()
        self.hands = Hands(robot, gains, body, self.remarks, streams, dt_s)
        self._joints = None if streams is None else JointStream(robot, gains, streams, range(robot.na), dt_s)
        self.soft = SoftArm(robot, gains, body, self.hands) if robot.hands else None
        self._posture, self._posture_gain = body.reference("posture"), body.gain("posture")
        self._posture[: robot.na] = robot.q_nominal
        self._reference = PostureReference()
        self._heading = np.eye(3)
        self._t_s = 0.0
        self._posture_part = self._held_part = _HELD_POSTURE_WEIGHT if robot.hands else 1.0
        self._rest = RestDetector(body, dt_s)
        self.disturbance = ArmDisturbance(robot, body.arrays.kin, body.solution.vdot, gains.estimator.arm)
        self.collision: CollisionReaction | None = None
        if self.soft is not None:
            kin = body.arrays.kin
            watch = CollisionWatch(robot, kin, body.solution.vdot, self.disturbance.unknown_Nm)
            self.collision = CollisionReaction(self.soft, watch, kin, robot.joint_names, self.remarks)
        body.prepare((), ("posture",))
        self._lead: JointLead | None = None
        if robot.na <= MOST_JOINTS:
            self._lead = JointLead(robot, body, self.hands, self.remarks)
        self.hand_load: HandLoad | None = None
        if len(robot.hands) == 1:
            self.hand_load = HandLoad(
                robot, body.arrays.kin, body.data, body.solution.vdot, self.disturbance, self.hands.frames[0]
            )
        self._calibrates = False
        self._feel_hands()
        context = Context(
            robot,
            gains,
            body,
            self.hands,
            self.remarks,
            None,
            begin_walk=lambda footsteps: None,
            soft=self.soft,
            w_H=self.w_H[0] if len(robot.hands) == 1 else None,
            joints=self._lead,
            calibration=None if self.hand_load is None else self,
            wrist=self.wrists[0] if len(robot.hands) == 1 and self.wrists else None,
            internal=self._internal,
        )
        self._behaviours = {kind: kind(context) for kind in behaviours_of(robot).values() if kind.fixed_base}
        self._stand = next(each for kind, each in self._behaviours.items() if kind.name == "stand")
        self._behaviour = self._stand
        self.retune(gains)

    def _feel_hands(self) -> None:
        """Makes the arrays of the wrenches on the hands, the estimates of their sensors, their control."""
        robot, kin = self.robot, self._body.arrays.kin
        own = self.hand_load.w_H if self.hand_load is not None else None
        self.w_H = np.full((len(robot.hands), WRENCH), math.nan)
        self.felt = np.zeros(len(robot.hands), dtype=bool)
        self.wrists = tuple(
            WristWrench(sensor, kin, self.hands.frames[sensor.hand], own, self.w_H[sensor.hand])
            for sensor in robot.wrists
        )
        if own is not None and not self.wrists:
            self.w_H = own.reshape(1, WRENCH)
        self._internal: InternalForce | None = None
        if len(robot.hands) == PAIR:
            self._internal = InternalForce(kin, self.hands.frames, self.disturbance.unknown_Nm)

    @property
    def behaviour(self) -> str:
        """Name of the active behaviour."""
        return self._behaviour.name

    @property
    def behaviour_state(self) -> str:
        """State of the active behaviour: RUNNING or DONE."""
        return DONE if self._behaviour.done else RUNNING

    @property
    def disturbed(self) -> bool:
        """Whether the hand is soft: then it is off its reference because it is pushed."""
        return self.soft is not None and self.soft.active

    @property
    def payload_kg(self) -> float:
        """Estimated mass in the hand [kg]; NaN before a calibration."""
        return math.nan if self.hand_load is None else self.hand_load.mass_kg

    def motion_kind(self) -> int:
        """Returns the kind of the motion, see `Motion`."""
        streamed = self._joints is not None and self._joints.busy
        moving = self._lead is not None and not self._lead.at_rest
        return RESTING if self.hands.steady and not streamed and not moving else TRANSITION

    def joint_state(self) -> JointState | None:
        """Returns the state of the joints in which a motion that is requested now would begin."""
        return None if self._lead is None else self._lead.state()

    def update_rest(self) -> bool:
        """Returns whether the arm is at rest; called in each tick of a soft stop."""
        return self._rest.update()

    def retune(self, gains: Gains) -> None:
        """Applies the values of these gains."""
        self._gains, self._full = gains, gains.posture.weight
        self._weigh_posture(self._posture_part)
        self.hands.retune(gains)
        self.disturbance.retune(gains.estimator.arm)
        if self.collision is not None:
            self.collision.retune(gains.collision)

    def observe(self, dt_s: float) -> None:
        """Estimates and compensates what the model leaves out; the kinematics must be up to date.

        Args:
            dt_s: time since the last tick [s].
        """
        if self.soft is not None and self.soft.active:
            self.disturbance.soften()
        elif self._behaviour.yields or (self._internal is not None and self._internal.active):
            self.disturbance.chain()
        else:
            self.disturbance.hold(self.hands.exerts)
        self.disturbance.update(dt_s)
        if self.hand_load is not None:
            self.hand_load.update(dt_s)
        if self.collision is not None and self.collision.enabled and self.collision.watch(dt_s):
            self._interrupt()

    def feel(self, measured: Vector, dt_s: float) -> None:
        """Updates the wrenches on the hands with the values of their sensors, after `observe`.

        Args:
            measured: (6 nw,) values of the force-torque sensors, as in a sensor row.
            dt_s: time since the last tick [s].
        """
        for i, wrist in enumerate(self.wrists):
            hand = self.robot.wrists[i].hand
            wrist.raw[:] = measured[WRENCH * i : WRENCH * (i + 1)]
            was = wrist.state
            wrist.update(dt_s)
            self.felt[hand] = wrist.live
            if wrist.state > max(was, LIVE):
                what = _FROZEN if wrist.state == FROZEN else _SILENT
                self.remarks.last = f"the wrist sensor of '{self.robot.hands[hand].name}' {what}"

    def _interrupt(self) -> None:
        """Ends what the arm does, because it has collided and reacts to that."""
        if self._calibrates and self.hand_load is not None:
            self._calibrates = False
            self.hand_load.end(completed=False)
        if self._joints is not None:
            self._joints.put_aside()
        self._release_joints()
        self.hands.put_down()
        if self._internal is not None:
            self._internal.stop()
        self._weigh_posture(0.0)
        self._behaviour.done = True

    def start(self) -> None:
        """Holds the robot at its present posture."""
        self._posture[: self.robot.na] = self._body.arrays.kin.q
        if self.soft is not None:
            self.soft.stop()
        self.hands.start(stay=True)
        self._behaviour, self._t_s = self._stand, 0.0
        if self._joints is not None:
            self._joints.reset()
        if self._lead is not None:
            self._lead.reset()
        self._weigh_posture(self._held_part)
        self._rest.reset()
        self.disturbance.forget()
        if self.collision is not None:
            self.collision.reset()
        if self.hand_load is not None:
            self.hand_load.reset()
        for wrist in self.wrists:
            wrist.reset()
        self.felt[:] = False
        if self._internal is not None:
            self._internal.reset()
        self._calibrates = False
        self._body.set_mode((), ("posture",))

    def take(self, request: RequestRow) -> None:
        """Switches to a new request."""
        if request.kind.legs is Legs.RELEASE:
            return
        if self._calibrates:
            self.end(completed=False)
        if self.collision is not None:
            self.collision.reacts = False
        if self._joints is not None and self._joints.busy:
            self._joints.put_aside()
            self._hold_with_hands()
        softens = request.kind.softens
        if self.soft is not None and self.soft.active and not softens:
            self.soft.stop()
            self._hold_with_hands()
        elif softens:
            self._release_joints()
            self._weigh_posture(0.0)
        if self._internal is not None and (_has_target(request) or request.kind.name not in _KEEP_A_LOAD):
            self._internal.stop()
        self._behaviour, self._t_s = self._behaviours[request.kind], 0.0
        self._behaviour.done = False
        lead = self._lead
        stands = self._behaviour is self._stand and not _has_target(request)
        if lead is not None and lead.active and stands:
            lead.brake()
            return
        if _has_target(request):
            self._release_joints()
        if lead is None or not lead.active:
            self.hands.take(request.hand_targets, False, self._heading)
        if lead is not None:
            lead.taken = False
        self._behaviour.start(request.payload)
        if lead is not None and lead.taken:
            self._weigh_posture(1.0)
        elif not stands:
            self._release_joints()

    def _release_joints(self) -> None:
        """Ends the lead of the joints, if they lead: the hands lead again."""
        if self._lead is None:
            return
        if self._lead.active:
            self._weigh_posture(self._held_part)
        self._lead.release()

    # Streams

    def follow_streams(self, t_s: float, dt_s: float) -> None:
        """Reads the streamed targets of this tick; the kinematics must be up to date.

        Args:
            t_s: time of the tick's sensor sample [s].
            dt_s: time since the last tick [s].
        """
        joints = self._joints
        if joints is None or (self.collision is not None and self.collision.reacts):
            return
        self.hands.follow_streams(t_s, dt_s, self._heading)
        if self.soft is not None and self.soft.active and self.hands.busy:
            # A stream leads a hand now: the arm follows it as stiffly as any other target.
            self.soft.stop()
            self._weigh_posture(self._held_part)
            self._posture[: self.robot.na] = self._body.arrays.kin.q
        if self.hands.streamed:
            self._release_joints()
        kin = self._body.arrays.kin
        if joints.advance(t_s, dt_s, kin.q, kin.v):
            if self._calibrates:
                self.end(completed=False)
            # The posture holds all joints now; the hands follow it.
            self._release_joints()
            self._posture[: self.robot.na] = kin.q
            self.hands.release()
            if self.soft is not None:
                self.soft.stop()
            self._weigh_posture(1.0)
        if joints.busy:
            self._posture[joints.joints[joints.leads]] = joints.q[joints.leads]

    def _hold_with_hands(self) -> None:
        """Ends softness or a motion of the joints one by one: the hands hold their present poses again."""
        self._posture[: self.robot.na] = self._body.arrays.kin.q
        self._weigh_posture(self._held_part)
        for i in range(len(self.robot.hands)):
            self.hands.lead(i).move(None, None)

    def _weigh_posture(self, part: float) -> None:
        """Sets the weight of the posture, and its gains: soft beside a hand, stiff where it leads the joints.

        A posture as stiff as the hand would pull the hand off its reference by the ratio of their weights:
        0.07 mm on a circle of 20 cm.
        """
        self._posture_part = part
        self._posture[self.robot.na :] = self._full * part
        gains = self._gains.hand if part == 1.0 else self._gains.posture
        self._posture_gain[:2] = gains.kp_per_s2, gains.kd_per_s

    # Calibration

    def begin(self) -> Vector:
        """Begins a calibration of the load of the hand, in which a behaviour moves the joints one by one.

        Returns:
            (n,) reference of the joint positions [rad], initially the present ones.
        """
        assert self.hand_load is not None
        self._release_joints()
        self._calibrates = True
        self._posture[: self.robot.na] = self._body.arrays.kin.q
        self.hands.release()
        self._weigh_posture(1.0)
        self.hand_load.begin()
        return self._posture[: self.robot.na]

    def end(self, completed: bool) -> None:
        """Ends a calibration; the hand holds its present pose again.

        Args:
            completed: whether the motion was completed; if not, nothing is learnt from it.
        """
        assert self.hand_load is not None
        self._calibrates = False
        self.hand_load.end(completed)
        self._hold_with_hands()

    # The tick

    def advance(self, dt_s: float) -> None:
        """Writes the references for this tick."""
        self._t_s += dt_s
        if self.collision is None or not self.collision.reacts:
            self._behaviour.advance(self._t_s, self._reference)
        if self._lead is not None and self._lead.active:
            self._lead.advance(dt_s)
        if self._internal is not None:
            self._internal.advance(dt_s)
        self.hands.advance(dt_s, self._heading)
        if self.soft is not None:
            self.soft.advance(dt_s)

    def fall_reason(self, q: Vector) -> str:
        """Returns "", because an arm does not fall."""
        return ""

    def fold(self) -> None:
        """Does nothing, because an arm does not fall."""
