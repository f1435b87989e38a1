"""Work between two ticks of a run: recording, simulation, new gains and progress."""

from __future__ import annotations

from collections.abc import Callable

from kilohertz.controller.brain import Brain
from kilohertz.controller.brain_output import BrainOutput
from kilohertz.controller.gains.live import GainsRow
from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.supervision.request import RequestRow
from kilohertz.robots.model.period import PERIOD_S, ticks_of
from kilohertz.robots.model.rows import SensorRow
from kilohertz.robots.wire.link import RobotLink
from kilohertz.rt.live.live_commands import LiveCommands
from kilohertz.rt.live.live_run import LiveRun
from kilohertz.rt.log.row import TickLog
from kilohertz.rt.loop.control_loop import ControlLoop
from kilohertz.rt.loop.trace import Trace, TracedEstimator
from kilohertz.rt.run.torque_shape import TorqueShape

PROGRESS_TICKS = 250
LIE_S = 1.5
"""Time after a fall at which the run ends [s]."""

Progress = Callable[[float], None]
EachTick = Callable[[int], None]
RunLoop = ControlLoop[RequestRow, GainsRow | Gains, BrainOutput]


class RunObserver:
    """Observer of the loop: after each tick, it records the tick and then advances the simulation.

    It also ends the run LIE_S after a fall.

    Args:
        loop: the loop that is observed.
        link: link to the robot.
        estimator: estimator of the controller.
        trace: history of the run, written.
        log: log of the run; None if the run is not recorded.
        live: source of new gains between ticks; None if the gains do not change.
        wait_for_log: whether a tick may wait for the recorder; must be False for a run in real time.
        progress: called every PROGRESS_TICKS ticks with the time of the run [s].
        each_tick: called with the number of each tick before the simulation advances.
        shape: judge of the torques at rest; None for a robot that is known to have the right ones.
        measured: the controller, if its base is measured from outside; else None.
        commands: commands that arrive during the run, and the controller that they are for; None without.
        dt_s: control period [s].
    """

    def __init__(
        self,
        loop: RunLoop,
        link: RobotLink,
        estimator: TracedEstimator,
        trace: Trace,
        *,
        log: TickLog | None = None,
        live: LiveRun | None = None,
        wait_for_log: bool = True,
        progress: Progress | None = None,
        each_tick: EachTick | None = None,
        shape: TorqueShape | None = None,
        measured: Brain | None = None,
        commands: tuple[LiveCommands, Brain] | None = None,
        dt_s: float = PERIOD_S,
    ) -> None:
        self._dt_s = dt_s
        self._commands = commands
        self._shape = shape
        self._record = trace.record
        self._log = log
        self._loop = loop
        self._wait_for_log = wait_for_log
        self._estimator = estimator
        self._link = link
        self._truth = link.truth
        self._live = live
        self._progress = progress
        self._each_tick = each_tick
        self._measured = measured
        self._ticks_to_lie = ticks_of(LIE_S, dt_s)

    def __call__(self, tick: int, sensors: SensorRow, request: RequestRow, output: BrainOutput) -> None:
        """Records a tick whose command was sent, and advances the simulation."""
        if self._log is not None:
            if self._wait_for_log:
                self._log.ring.wait_for_room()
            self._log.tick(tick, request, self._loop.stages)
        self._record(output, self._estimator, self._truth)
        if self._shape is not None:
            self._shape.add(sensors, output.tau, output.state == "active", tick * self._dt_s)
        if self._each_tick is not None:
            self._each_tick(tick)
        if self._measured is not None:
            self._measured.tell_ignored_poses()
        self._link.advance()
        if self._live is not None:
            self._live.between_ticks(tick * self._dt_s)
        if self._commands is not None:
            commands, brain = self._commands
            commands.between_ticks(self._loop, brain, float(sensors.t_s[0]))
        if self._link.fell:
            self._ticks_to_lie -= 1
            if self._ticks_to_lie == 0:
                self._loop.stop()
        if self._progress is not None and tick % PROGRESS_TICKS == 0:
            self._progress(tick * self._dt_s)
