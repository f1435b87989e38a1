"""Estimator and controller as one function of the tick: a sensor row in, a command row out.

After a reset, the same sequence of inputs gives bit-identical outputs: there is no clock, no I/O and no
randomness in this module, and time is read from the sensor row.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from kilohertz.controller.behaviours.base import Legs
from kilohertz.controller.behaviours.registry import behaviour_tasks
from kilohertz.controller.brain_output import NO_RESIDUAL, BrainOutput
from kilohertz.controller.gains.live import GainsRow, live_numbers, objections
from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.gains.tuning import Tuning
from kilohertz.controller.safety.drive_command import bind_drives
from kilohertz.controller.safety.guard import Guard
from kilohertz.controller.safety.ladder import DAMPING, GRAVITY, SOFTENED, SOLVED, Ladder
from kilohertz.controller.safety.servo_command import ServoCommand
from kilohertz.controller.soft.soft_arm import soft_tasks
from kilohertz.controller.streams.stream_row import StreamRow
from kilohertz.controller.supervision.arm import Arm, arm_tasks
from kilohertz.controller.supervision.legged import Legged, legged_tasks
from kilohertz.controller.supervision.motion import Motion
from kilohertz.controller.supervision.request import RequestRow, same_motion
from kilohertz.controller.supervision.sample_period import SamplePeriod
from kilohertz.controller.supervision.supervisor import ARM, FAIL, REST, SOFT_STOP, STOP, TICK, Supervisor
from kilohertz.controller.supervision.supervisor import DAMPING as DAMPED
from kilohertz.controller.tethered import Tethered
from kilohertz.controller.whole_body.explain import contradiction_in_words
from kilohertz.controller.whole_body.from_gains import barrier_settings, contact_settings, whole_body
from kilohertz.controller.whole_body.whole_body import Task
from kilohertz.estimators.interface import Estimator
from kilohertz.estimators.payload_kernels import Soles
from kilohertz.estimators.payload_watch import PayloadWatch
from kilohertz.estimators.sensor_watch import FROZEN, GOOD, NOT_FINITE, SensorWatch
from kilohertz.robots.compile.ahead import load_pending
from kilohertz.robots.model.hand_model import WRENCH
from kilohertz.robots.model.period import PERIOD_S
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import SensorRow, Vector

STAGES = ("estimate", "kinematics", "assemble", "solve", "guard")
"""Stages of a step, in order; `mark(i)` is called at the end of stage i."""
ESTIMATE, KINEMATICS, ASSEMBLE, SOLVE, GUARD = range(5)

IGNORED_POSE = "an outside pose contradicts the estimate, or is too old, and is ignored"
"""Remark about a pose of the base that was measured from outside."""
_NAMES_TOLD = 4
"""Largest number of constraints that are named when a whole-body problem has no solution."""
_BAD_SAMPLES = 3
"""Number of consecutive unusable samples after which the joints are damped."""
_FADE_S = 0.02
"""Number of ticks in which torque fades out and damping fades in, so that the drives get no step."""


class Brain(Tethered):
    """Estimator and controller of one robot.

    Args:
        robot: the robot.
        gains: gains of the robot.
        estimator: estimator of the robot's state.
        dt_s: nominal control period [s].
        streams: row of streamed targets, which its owner writes between steps; None without streams.
    """

    def __init__(
        self,
        robot: RobotModel,
        gains: Gains,
        estimator: Estimator,
        dt_s: float = PERIOD_S,
        streams: StreamRow | None = None,
    ) -> None:
        self.robot = robot
        self.estimator = estimator
        self._dt = dt_s
        own = [task.name for task in (*behaviour_tasks(robot, gains), *soft_tasks(robot))]
        self.body = whole_body(robot, gains, self._tasks(gains), gains.solver, own)
        self._arm = None if robot.floating else Arm(robot, gains, self.body, streams, dt_s)
        self.motion: Motion = self._arm or Legged(robot, gains, self.body, estimator.contact, streams, dt_s)
        self._update_model = self.body.update if self._arm is None else self._update_arm
        self._read = self._estimate
        if robot.wrists:
            self._update_model, self._read = self._update_feeling_arm, self._estimate_and_feel
            self._measured = np.zeros(WRENCH * len(robot.wrists))
        self._streams = streams
        self.supervisor = Supervisor()
        self._gains = gains
        self._gains_given: GainsRow | Gains | None = gains
        self._live: GainsRow | None = None
        self.tuning = Tuning(gains, self._retune, robot.joint_names, dt_s)
        self._ladder = Ladder(self.body, dt_s)
        friction = self.motion.friction
        self._friction_Nm = friction.torque_Nm if friction is not None else np.zeros(0)
        self._hanging = self._hanging_of(estimator)
        self._guard = Guard(robot, gains.guard, dt_s)
        self._damping_Nms = robot.torque_limit_Nm / gains.guard.damping_speed_rad_s
        self._servos = ServoCommand(robot, robot.servo) if robot.servo is not None else None
        self._falling = self.motion.falling
        self._payload = self._payload_watch() if robot.floating else None
        self.output = output = BrainOutput(robot)
        kin = self.body.arrays.kin
        self._drive = bind_drives(
            self._ladder.tau, self._friction_Nm, output.tau, output.command, kin, self._guard.arrays
        )
        self._show()
        self._planned = self.motion.planned
        self._request: RequestRow | None = None
        self._compared: RequestRow | None = None
        self._last_t = self._reset_t = 0.0
        self._bad_samples, self._period = 0, dt_s
        self._watch = SensorWatch(robot)
        self._stand_alone()
        self._doubt = estimator.doubt
        # A floating base may be measured from outside; such a pose is ignored if it contradicts the estimate.
        self._ignored = getattr(estimator, "outside_ignored", None)
        self._ignored_told = 0
        # The estimator of an arm knows the accelerations that were commanded, unless it tells the truth.
        self._sent = getattr(estimator, "sent", None)
        self._stamps = SamplePeriod(dt_s)
        self._hold_q, self._tau_before = np.zeros((2, robot.na))
        self._faded = 0.0
        load_pending()

    def _payload_watch(self) -> PayloadWatch:
        kin, contacts = self.body.arrays.kin, self.body.arrays.contacts
        soles = Soles(contacts.frame, contacts.offset, contacts.dim, contacts.select)
        return PayloadWatch(self.robot, kin, soles, self.body.carried, self._friction_Nm)

    def _show(self) -> None:
        """Makes the output refer to arrays of the controller, so that they need not be copied every tick."""
        self.output.p_WH_des, self.output.hand_active = self.motion.hands.p_WH_des, self.motion.hands.active
        self.output.footsteps = self.motion.footsteps
        if self.robot.floating:
            output, kin, solution = self.output, self.body.arrays.kin, self.body.solution
            output.p_WC, output.v_WC = kin.p_WC, kin.v_WC
            output.p_RC = self.body.carried.p_RC
            output.w_F, output.zmp_des = solution.wrench, solution.zmp
        if self._payload is not None:
            self.output.payload_p_BP_m = self._payload.p_BP_m
        elif self._arm is not None and self._arm.hand_load is not None:
            self.output.payload_p_BP_m = self._arm.hand_load.p_WL_m
        if self._arm is not None:
            self.output.w_H, self.output.felt = self._arm.w_H, self._arm.felt

    def _tasks(self, gains: Gains) -> list[Task]:
        return legged_tasks(self.robot, gains) if self.robot.floating else arm_tasks(self.robot, gains)

    def _retune(self, gains: Gains) -> None:
        self.body.retune(
            self._tasks(gains), contact_settings(self.robot, gains), barrier_settings(self.robot, gains)
        )
        self.motion.retune(gains)

    def reset(self, sensors: SensorRow) -> None:
        """Arms the controller for a robot at rest on its soles or on its fixed base.

        The controller is active from the next step on.

        Args:
            sensors: a sample of the robot at rest.
        """
        self.estimator.reset(sensors)
        self.body.reset()
        if self._payload is not None:
            self._payload.reset()
        self.body.update(self.estimator.q_O, self.estimator.v)
        self._ladder.reset()
        self._guard.reset()
        if self._servos is not None:
            self._servos.reset(sensors.q)
        self.tuning.reset()
        self.motion.start()
        self._stand_alone()
        if self._hanging is not None:
            self._decide_tick = self._decide_first
        self._request = self._compared = None
        self._last_t = self._reset_t = float(sensors.t_s[0])
        self._bad_samples = self._ignored_told = 0
        self._watch.reset()
        self._stamps.reset()
        self.supervisor.handle(ARM)
        self._show_state()
        self.output.residual = self.body.solution.residual
        self.output.tau[:] = 0.0

    def step(
        self,
        sensors: SensorRow,
        request: RequestRow,
        gains: GainsRow | Gains | None,
        mark: Callable[[int], None],
    ) -> BrainOutput:
        """Runs one tick.

        Args:
            sensors: the newest sample.
            request: the present request; a new object is a new request.
            gains: a row of live gains; or a `Gains` object, whose differences from the constructor's gains
                are applied like live gains; or None for the constructor's gains.
            mark: called with the index of each stage at its end; must not change any state.

        Returns:
            The output, always the same object.

        Raises:
            TypeError: `gains` has a wrong type.
            ValueError: a gain differs that cannot be changed while the robot runs.
        """
        if gains is not self._gains_given:
            self._live = self._live_row(gains)
            self._gains_given = gains
        if self._live is not None:
            self.tuning.take(self._live)
        if self.supervisor.state == "armed":
            self.supervisor.handle(TICK)
            self._show_state()
        dt = self._read(sensors)
        self._period = dt
        mark(ESTIMATE)
        self._update_model(self.estimator.q_O, self.estimator.v)
        mark(KINEMATICS)
        self._decide_tick(request, dt)
        self.body.assemble()
        mark(ASSEMBLE)
        self._solve_tick()
        mark(SOLVE)
        self._command()
        if self._live is not None:
            self._judge()
        mark(GUARD)
        return self.output

    def tell_ignored_poses(self) -> None:
        """Sets the remark if the estimator has ignored an outside pose since the last call.

        To be called between steps, and only where poses come from outside: the tick does not look for them.
        """
        if self._ignored is not None and self._ignored[0] != self._ignored_told:
            self._ignored_told = int(self._ignored[0])
            self.output.remark = self.motion.remarks.last = IGNORED_POSE

    def _live_row(self, gains: GainsRow | Gains | None) -> GainsRow | None:
        """Returns the row that brings these gains into force; None if there is nothing to change."""
        if isinstance(gains, GainsRow):
            return gains
        if gains is None:
            gains = self._gains
        if not isinstance(gains, Gains):
            raise TypeError(f"gains should be Gains or a GainsRow, not {type(gains).__name__}")
        problem = next(objections(self._gains, gains), None)
        if problem is not None:
            path, sentence = problem
            raise ValueError(f"{'.'.join(path)} {sentence}")
        if self._live is None and gains == self._gains:
            return None
        row = GainsRow(self._gains)
        row.generation = self._live.generation + 1 if self._live is not None else 1
        row.numbers[:] = live_numbers(gains)
        return row

    def _show_state(self) -> None:
        self.output.state, self.output.reason = self.supervisor.state, self.supervisor.reason

    def _estimate(self, sensors: SensorRow) -> float:
        t = float(sensors.t_s[0])
        elapsed = t - self._last_t
        verdict = self._watch.judge(sensors.data, elapsed)
        if verdict != GOOD and not self._may_use(verdict):
            return self._dt
        self._bad_samples = 0
        stamps = self._stamps
        if not stamps.earliest_s < elapsed < stamps.latest_s:
            elapsed = stamps.likely(elapsed, first=self._last_t == self._reset_t)
        self._last_t = t
        self._update_estimate(sensors, self._planned, elapsed)
        if not self._doubt[0] <= 1.0 and self.supervisor.controls:
            self._damp("the estimate has diverged: the IMU and the closed contacts contradict each other")
            # Without an estimate balance cannot be kept: fold the limbs while the legs can still brake.
            self.motion.fold()
        return elapsed

    def _may_use(self, verdict: int) -> bool:
        """Returns whether a sample with this verdict may be used, and damps the joints if that is due."""
        culprit = self._watch.culprit
        if verdict == FROZEN:
            if self.supervisor.controls:
                self._damp(f"{culprit} is frozen: its value has stopped changing")
            return True
        self._leave_out("are not finite" if verdict == NOT_FINITE else f"are implausible: {culprit} jumps")
        return False

    def _leave_out(self, why: str) -> None:
        """Skips an unusable sample: the estimate is kept for this tick; too many such samples end in damping.

        Args:
            why: why the sample is unusable, as the end of a sentence.
        """
        self._bad_samples += 1
        if self._bad_samples >= _BAD_SAMPLES:
            self._damp(f"{_BAD_SAMPLES} sensor samples in a row {why}")

    def _update_arm(self, q: Vector, v: Vector) -> None:
        """Computes kinematics and dynamics of an arm, which contain what its model leaves out."""
        assert self._arm is not None
        self.body.update(q, v)
        self._arm.observe(self._period)

    def _estimate_and_feel(self, sensors: SensorRow) -> float:
        """Estimates the state, and keeps the values of the force-torque sensors for this tick."""
        self._measured[:] = sensors.wrist
        return self._estimate(sensors)

    def _update_feeling_arm(self, q: Vector, v: Vector) -> None:
        """Like `_update_arm`, for an arm with force-torque sensors."""
        self._update_arm(q, v)
        assert self._arm is not None
        self._arm.feel(self._measured, self._period)

    def _decide(self, request: RequestRow, dt: float) -> None:
        if request is not self._request:
            self._request = request
            if self._live is not None and not same_motion(self._compared, request):
                self._compared = request
                self.tuning.new_request()
            if request.kind.legs is Legs.RELEASE:
                self._damp("damping was asked for")
            else:
                self.motion.take(request)
                if request.kind.hangs:
                    self._tether()
            if request.stop[0] and self.supervisor.handle(STOP):
                self._show_state()
        if self._streams is not None and self._streams.number[0] and self.supervisor.state == "active":
            self.motion.follow_streams(self._last_t, dt)
        self.motion.advance(dt)
        if self.supervisor.controls:
            reason = self.motion.fall_reason(self.estimator.q)
            if reason:
                self._damp(reason)
                self.motion.fold()
        if self.supervisor.state == SOFT_STOP and self.motion.update_rest():
            self.supervisor.handle(REST)
            self._show_state()

    def _damp(self, reason: str) -> None:
        if self.supervisor.handle(FAIL, reason):
            self._show_state()
            self._tau_before[:] = self.output.tau
            self._faded = 0.0

    def _solve(self) -> None:
        output = self.output
        if output.state == DAMPED:
            output.rung, output.qp_iterations, output.residual = DAMPING, 0, NO_RESIDUAL
            return
        before = self._ladder.rung
        rung = output.rung = self._ladder.step(self.body.solve())
        output.qp_iterations = self.body.iterations
        if rung != SOLVED:
            self._descend(before, rung)

    def _descend(self, before: int, rung: int) -> None:
        """Prepares what takes the place of a solution.

        Args:
            before: rung of the ladder in the last tick.
            rung: its rung now, not SOLVED.
        """
        output = self.output
        if rung == GRAVITY and before != GRAVITY:
            self._hold_q[:] = self.body.arrays.kin.q[self.robot.nq_base :]
        if rung == SOFTENED and before == SOLVED:
            # Names are collected only at the first softened tick, which is rare, to keep the tick short.
            output.missed = contradiction_in_words(self.body, _NAMES_TOLD)
        if rung == DAMPING:
            why = "; constraints that contradicted each other, and by how much: " if output.missed else ""
            self._damp(f"no solution of the whole-body problem{why}{', '.join(output.missed)}")

    def _command(self) -> None:
        output = self.output
        if output.rung >= GRAVITY:  # also where the joints are damped, see `_solve`
            self._brake()
        else:
            self._drive(output.rung, self._last_t)
        self._finish()

    def _brake(self) -> None:
        """Writes the command of a tick without a solution: gravity compensation and a spring, or damping."""
        output, kin, robot = self.output, self.body.arrays.kin, self.robot
        command = output.command
        output.tau[:] = self._ladder.tau
        q = kin.q[robot.nq_base :]
        if math.isfinite(q.sum()):
            command.q_des[:] = q
        command.v_des[:] = 0.0
        command.kp[:] = 0.0
        command.kd[:] = 0.0
        if output.state == DAMPED:
            self._fade_into_damping()
        elif output.rung == GRAVITY:
            command.q_des[:] = self._hold_q
            np.multiply(self._damping_Nms, 10.0, out=command.kp)
            command.kd[:] = self._damping_Nms
        self._guard.apply(output.tau, q)
        command.tau_ff[:] = output.tau
        command.seq[0] += 1.0
        command.t_s[0] = self._last_t

    def _fade_into_damping(self) -> None:
        output, command = self.output, self.output.command
        self._faded = min(1.0, self._faded + self._dt / _FADE_S)
        np.multiply(self._tau_before, 1.0 - self._faded, out=output.tau)
        command.kd[:] = self._damping_Nms
        if self._falling is not None and self._falling.active:
            self._falling.command(command, self._period)
        command.kp *= self._faded
        command.kd *= self._faded

    def _judge(self) -> None:
        """Passes this tick's joint velocities, torques and tracking errors to the judge of live gains."""
        output, kin, n_base = self.output, self.body.arrays.kin, self.robot.n_base
        off_m = math.dist(output.p_WC_des, kin.p_WC) if self.robot.floating else 0.0
        for i, frame in enumerate(self.motion.hands.frames):
            if output.hand_active[i]:
                off_m = max(off_m, math.dist(output.p_WH_des[i], kin.p[frame]))
        v, limit, solved = kin.v[n_base:], self.robot.torque_limit_Nm, output.rung == SOLVED
        kind, calm, active = self.motion.motion_kind(), not self.motion.disturbed, self.supervisor.controls
        self.tuning.judge(v, output.tau, limit, solved, off_m, kind=kind, calm=calm, active=active)

    def _last_stage(self) -> Callable[[], None]:
        return self._report if self._servos is None else self._command_servos

    def _command_servos(self) -> None:
        assert self._servos is not None
        output, moves = self.output, self.output.rung <= SOFTENED and self.output.state != DAMPED
        dt = self._period if moves else 0.0
        self._servos.command(output.command, output.tau, self.body.solution.vdot, self.body.arrays.kin.q, dt)
        self._report()

    def _report(self) -> None:
        output, motion = self.output, self.motion
        output.remark = motion.remarks.last
        output.behaviour, output.behaviour_state = motion.behaviour, motion.behaviour_state
        if self._payload is not None:
            output.show_centre(motion.p_WC_des, motion.v_WC_des, motion.p_WS)
            if output.rung == self._weighs_on:
                self._payload.update(output.tau, self._period)
                motion.calm = self._payload.calm
                output.payload_kg = self._payload.mass_kg
        elif self._arm is not None:
            followed = output.rung < GRAVITY and output.state != DAMPED
            self._arm.disturbance.sent(output.tau, followed)
            if self._sent is not None:
                self._sent(self.body.solution.vdot, followed and output.rung <= SOFTENED)
            output.payload_kg = self._arm.payload_kg
