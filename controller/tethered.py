"""The ticks of a controller whose robot a tether carries, wholly or in part.

A controller has three ways to run a tick: the ordinary one, that of a robot that hangs, and that of a robot
that stands while a tether may still pull, from the request to hang until another request is begun. They
differ in how the state is estimated, what is decided, how the torques are found and how the tick ends; these
four functions are exchanged, so that an ordinary tick does not know of them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from kilohertz.controller.behaviours.base import Legs
from kilohertz.controller.brain_output import NO_RESIDUAL, BrainOutput
from kilohertz.controller.hanging.hanging import Hanging
from kilohertz.controller.safety.guard import Guard
from kilohertz.controller.safety.ladder import GRAVITY, SOLVED, Ladder
from kilohertz.controller.supervision.legged import Legged
from kilohertz.controller.supervision.motion import Motion
from kilohertz.controller.supervision.request import RequestRow
from kilohertz.controller.supervision.supervisor import DAMPING, REST, SOFT_STOP, STOP, Supervisor
from kilohertz.controller.whole_body.whole_body import WholeBody
from kilohertz.estimators.interface import Estimator, HangingEstimator
from kilohertz.estimators.payload_watch import PayloadWatch
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import SensorRow, Vector

_NEVER = -1
"""Rung of the ladder on which the payload is weighed while a tether carries a part of the robot."""


class Tethered:
    """Base of a controller with the ticks of a robot on a tether.

    Its attributes are those of `kilohertz.controller.brain.Brain`.
    """

    robot: RobotModel
    estimator: Estimator
    body: WholeBody
    motion: Motion
    supervisor: Supervisor
    output: BrainOutput
    _ladder: Ladder
    _guard: Guard
    _payload: PayloadWatch | None
    _request: RequestRow | None
    _hold_q: Vector
    _period: float
    _update_estimate: Callable[[SensorRow, NDArray[np.bool_], float], None]
    _decide_tick: Callable[[RequestRow, float], None]
    _solve_tick: Callable[[], None]
    _finish: Callable[[], None]
    _weighs_on: int = SOLVED
    _hanging: Hanging | None

    def _decide(self, request: RequestRow, dt: float) -> None:
        raise NotImplementedError

    def _solve(self) -> None:
        raise NotImplementedError

    def _damp(self, reason: str) -> None:
        raise NotImplementedError

    def _show_state(self) -> None:
        raise NotImplementedError

    def _report(self) -> None:
        raise NotImplementedError

    def _last_stage(self) -> Callable[[], None]:
        raise NotImplementedError

    def _hanging_of(self, estimator: Estimator) -> Hanging | None:
        """Returns the posture of this robot on a tether; None if its estimator cannot do without contacts."""
        if not self.robot.floating or not isinstance(estimator, HangingEstimator):
            return None
        return Hanging(self.robot, self.body, estimator)

    def _stand_alone(self) -> None:
        """Runs ordinary ticks from now on."""
        if self._weighs_on == _NEVER:
            self.motion.calm = True
        self._update_estimate = self.estimator.update
        self._decide_tick, self._solve_tick, self._finish = self._decide, self._solve, self._last_stage()
        self._weighs_on = SOLVED

    def _decide_first(self, request: RequestRow, dt: float) -> None:
        """Decides the first tick after arming: a robot that is asked to hang hangs already."""
        self._decide_tick = self._decide
        if not request.kind.hangs:
            self._decide(request, dt)
            return
        assert self._hanging is not None
        self._request = self._hanging.request = request
        self.motion.take(request)
        self._hang()
        self._decide_hanging(request, dt)

    def _hang(self) -> None:
        """Hangs from now on, in the present posture and with the present torques."""
        hanging = self._hanging
        assert hanging is not None
        hanging.start(self.output.tau)
        hanging.estimator.begin_hanging()
        self._guard.reset()
        self._update_estimate = hanging.estimator.update_hanging
        self._decide_tick, self._solve_tick = self._decide_hanging, self._solve_hanging
        self._finish = self._finish_hanging
        self._weighs_on = _NEVER
        # Gains are not judged by a robot that hangs.
        self.motion.calm = False

    def _decide_hanging(self, request: RequestRow, dt: float) -> None:
        hanging = self._hanging
        assert hanging is not None
        if request is not self._request:
            self._request = request
            if request.kind.legs is Legs.RELEASE:
                self._damp("damping was asked for")
            elif request.stop[0] and self.supervisor.handle(STOP):
                self._show_state()
            else:
                hanging.request = request
        hanging.advance(dt)
        if not self.supervisor.controls:
            return
        x, y = self.estimator.q[3:5].tolist()
        assert isinstance(self.motion, Legged)
        if self.motion.tilts_too_far(1.0 - 2.0 * (x * x + y * y)):
            self._damp("the body has tilted too far while the robot hangs")
        elif self.supervisor.state == SOFT_STOP:
            if hanging.settled:
                self.supervisor.handle(REST)
                self._show_state()
        elif hanging.carried:
            self._land(dt)

    def _solve_hanging(self) -> None:
        """Compensates the weight of the limbs instead of solving the whole-body problem."""
        output, hanging = self.output, self._hanging
        assert hanging is not None
        if output.state == DAMPING:
            self._solve()
            return
        self._ladder.tau[:] = self.body.arrays.kin.h[self.robot.n_base :]
        self._hold_q[:] = hanging.q_des
        output.rung, output.qp_iterations, output.residual = GRAVITY, 0, NO_RESIDUAL

    def _finish_hanging(self) -> None:
        assert self._hanging is not None
        if self.output.state != DAMPING:
            self._hanging.hold(self.output.command, self.output.tau)
        self._report()

    def _land(self, dt: float) -> None:
        """Stands from now on, on the soles that carry the robot, while the tether may still pull."""
        hanging, motion = self._hanging, self.motion
        assert hanging is not None
        assert isinstance(motion, Legged)
        hanging.estimator.land()
        self.body.reset()
        self.body.update(self.estimator.q_O, self.estimator.v)
        self._ladder.reset()
        self._guard.reset()
        motion.calm = True
        motion.land()
        hanging.land()
        self._solve_tick = self._solve
        self.output.residual = self.body.solution.residual
        self._be_tethered()
        self._finish = self._finish_landing
        motion.advance(dt)

    def _finish_landing(self) -> None:
        hanging, output = self._hanging, self.output
        assert hanging is not None
        if output.state == DAMPING or hanging.fade(output.command, output.tau, self._period):
            self._finish = self._last_stage()
        self._report()

    def _tether(self) -> None:
        """Stands while a tether may pull, from the request to hang on."""
        if self._hanging is not None:
            self._hanging.tether()
            self._be_tethered()

    def _be_tethered(self) -> None:
        assert self._hanging is not None
        self._update_estimate = self._hanging.estimator.update_tethered
        self._decide_tick = self._decide_tethered
        self._weighs_on = _NEVER

    def _decide_tethered(self, request: RequestRow, dt: float) -> None:
        """Decides a tick of a robot that stands: a request waits until the tether does not carry it any more.

        Requests to damp and to come to rest do not wait.
        """
        hanging, motion = self._hanging, self.motion
        assert hanging is not None
        assert isinstance(motion, Legged)
        if motion.stands:
            motion.hold_steps(True)
            hanging.weigh(dt)
        if request is not self._request and request.kind.legs is not Legs.RELEASE and not request.stop[0]:
            self._request = hanging.request = request
        due = hanging.due
        if due is not None:
            hanging.request = None
            motion.take(due)
            if not due.kind.hangs:
                self._slip_the_tether()
        elif hanging.lost and self.supervisor.controls and motion.stands:
            self._hang()
            self._decide_hanging(request, dt)
            return
        self._decide(request, dt)

    def _slip_the_tether(self) -> None:
        """Runs ordinary ticks from now on; the torques of hanging have faded out."""
        assert isinstance(self.motion, Legged)
        self.motion.hold_steps(False)
        if self._payload is not None:
            self._payload.reset()
        self._stand_alone()
