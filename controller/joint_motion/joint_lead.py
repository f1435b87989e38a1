"""Leads an arm along a planned motion: writes the references of its joints and hands in each tick.

The joints follow the motion with feed-forward of velocity and acceleration. The reference of each hand is its
pose in that motion, so that the tasks of hands and joints agree, also at a singularity.
"""

from __future__ import annotations

import numpy as np
import pinocchio as pin

from kilohertz.controller.joint_motion.plan_row import MOST_JOINTS, JointState, PlanRow
from kilohertz.controller.joint_motion.trajectory import Trajectory
from kilohertz.controller.motion.motion_limits import MotionLimits
from kilohertz.controller.motion.remarks import Remarks
from kilohertz.controller.tasks.posture import KD, KP
from kilohertz.controller.upper_body.hands import Hands
from kilohertz.controller.whole_body.whole_body import WholeBody
from kilohertz.robots.model.robot_model import RobotModel

_ELSEWHERE_RAD = 0.3
"""Largest distance of a joint from where its motion was planned to begin."""
_LOCAL = pin.ReferenceFrame.LOCAL_WORLD_ALIGNED


class JointLead:
    """The motion of an arm's joints that a request plans.

    Args:
        robot: robot with a fixed base and at most MOST_JOINTS joints.
        body: the whole-body controller with the task `posture`.
        hands: references of the hands.
        remarks: receives a sentence if the arm is not where the motion begins.

    Attributes:
        active: whether the motion leads the arm; at its end it holds the arm until another behaviour leads.
        taken: whether a motion has begun since the caller has set it to False.
        holds: whether the arm is held at known joint positions, by a motion or since the controller began.
    """

    def __init__(self, robot: RobotModel, body: WholeBody, hands: Hands, remarks: Remarks) -> None:
        assert robot.na <= MOST_JOINTS
        self._robot, self._body, self._hands, self._remarks = robot, body, hands, remarks
        self._trajectory = Trajectory(MotionLimits.of(robot))
        self._posture, self._gain = body.reference("posture")[: robot.na], body.gain("posture")
        self._data = robot.pin_model.createData()
        self._t_s = 0.0
        self.active = self.taken = self.holds = False

    @property
    def at_rest(self) -> bool:
        """Whether no motion is under way."""
        return not self.active or self._trajectory.done

    def state(self) -> JointState:
        """Returns the state in which a motion would begin now: the reference, or else the measured state."""
        if self.holds:
            motion = self._trajectory
            return JointState(motion.q.copy(), motion.v.copy(), motion.a.copy())
        kin = self._body.arrays.kin
        state = JointState.at_rest(kin.q)
        if not self._hands.steady or self._hands.circling:
            state.v[:], state.a[:] = kin.v, self._body.solution.vdot
        return state

    def follow(self, plan: PlanRow) -> None:
        """Begins a motion, from the present motion on; called in the tick of the request.

        If the arm is not where the motion was planned to begin, it comes to rest, because the way from here
        was not checked.
        """
        now, motion = self.state(), self._trajectory
        self.taken = True
        off = float(np.abs(now.q - plan.start[0]).max())
        if off > _ELSEWHERE_RAD or not motion.begin(plan, now.q, now.v, now.a):
            self._remarks.last = "the arm is not where its motion was planned to begin: ask again"
            motion.stop(now.q, now.v, now.a)
        self._lead()

    def brake(self) -> None:
        """Brings every joint to rest as fast as its limits allow; the arm then holds still."""
        now = self.state()
        self._trajectory.stop(now.q, now.v, now.a)
        self._lead()

    def release(self) -> None:
        """Ends the lead, as something else moves the hands; hands that it moved stop where they are."""
        self.holds = False
        self._body.keep_apart(True)
        if self.active:
            self.active = False
            self._hands.stop_led()
            self._posture[:] = self._trajectory.q

    def reset(self) -> None:
        """Ends the lead without a further motion: the arm is held at rest where it is."""
        self.active, self.holds = False, True
        self._body.keep_apart(True)
        self._trajectory.rest(self._body.arrays.kin.q)

    def _lead(self) -> None:
        self._t_s, self.active, self.holds = 0.0, True, True
        # The plan keeps the links apart by their exact shapes, and may lead through the capsules around them.
        self._body.keep_apart(False)
        for i in range(len(self._robot.hands)):
            self._hands.lead(i).follow_row()

    def advance(self, dt_s: float) -> None:
        """Writes the references of one tick of dt_s [s]; called before those of the hands. Hot path."""
        motion = self._trajectory
        if not motion.done:
            self._t_s += dt_s
            motion.at(self._t_s)
        # The task asks for kp (reference - q) - kd v; this reference adds kd v_des + vdot_des.
        kp, kd = self._gain[KP], self._gain[KD]
        self._posture[:] = motion.q + (kd * motion.v + motion.a) / kp
        model, data = self._robot.pin_model, self._data
        pin.forwardKinematics(model, data, motion.q, motion.v, motion.a)
        for i, hand in enumerate(self._robot.hands):
            des = self._hands.motion(i)
            frame = hand.frame_id
            pose = pin.updateFramePlacement(model, data, frame)
            velocity = pin.getFrameVelocity(model, data, frame, _LOCAL)
            accel = pin.getFrameClassicalAcceleration(model, data, frame, _LOCAL)
            des.R[:], des.p[:] = pose.rotation, pose.translation
            des.v[:], des.w[:] = velocity.linear, velocity.angular
            des.a[:], des.wdot[:] = accel.linear, accel.angular
