"""A session: one run, which combines robot, link, estimator, controller, loop and recorder."""

from __future__ import annotations

import platform
import subprocess
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from datetime import datetime
from pathlib import Path

import llvmlite.binding as llvm

from kilohertz.controller.brain import Brain
from kilohertz.controller.gains.live import GainsRow
from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.streams.stream_row import StreamRow
from kilohertz.controller.supervision.request import RequestRow, soft_stop
from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.period import period_ns, period_s
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.host.other_cores import NO_CORE
from kilohertz.rt.host.realtime import default_core, prepare_realtime
from kilohertz.rt.live.agent.process import running_agent
from kilohertz.rt.live.gains_watch import watched
from kilohertz.rt.live.live_commands import LiveCommands
from kilohertz.rt.live.live_run import LiveRun
from kilohertz.rt.log.header import LogHeader, libraries
from kilohertz.rt.log.recorder import Recording, new_path, recorded
from kilohertz.rt.log.row import TickLog, row_type
from kilohertz.rt.log.schema import schema_text
from kilohertz.rt.loop.clock import GridClock
from kilohertz.rt.loop.control_loop import ControlLoop
from kilohertz.rt.loop.fade import last_command
from kilohertz.rt.loop.trace import Trace
from kilohertz.rt.run.brain_setup import estimator_for, warm_up
from kilohertz.rt.run.links import judge_host, link_to
from kilohertz.rt.run.log_place import NO_LOG, log_place
from kilohertz.rt.run.observer import EachTick, Progress, RunLoop, RunObserver
from kilohertz.rt.run.plan import RunPlan
from kilohertz.rt.run.preparation import Preparation, prepare
from kilohertz.rt.run.result import SessionResult, conclude
from kilohertz.rt.run.shadow_robot import ShadowRobot
from kilohertz.rt.run.summary import config_sha256, version
from kilohertz.rt.run.torque_shape import TorqueShape
from kilohertz.rt.telemetry.hello import hello_of
from kilohertz.rt.telemetry.publisher import published
from kilohertz.sim.push_mailbox import PushMailbox

__all__ = ["RunPlan", "Session", "SessionResult"]


class Session:
    """All parts of one run, built and warmed up, ready for `run`.

    Args:
        plan: the plan of the run.
        handle_signals: whether SIGINT, SIGTERM and SIGHUP stop the run softly; this works in the main thread
            only.
        robot: the robot of the plan, if it is loaded already.

    Attributes:
        robot, scenario, gains, gains_file, schedule: see `kilohertz.rt.run.preparation.Preparation`.
        period_s: control period of the robot [s].
        pushes: pushes from other programs on a robot that is simulated in this process in real time; None
            without.
        link: link to the robot.
        shape: judge of the torques at rest, for a robot whose true state is not known; else None.
        recording: process of the recorder, while the run is recorded; else None.
        watcher_died: whether the process that watches the gains file ended by itself during the run.
        agent_died: whether the process that takes commands ended by itself during the run.
        log_problem: why the run leaves no log although it should, in one sentence; "" if it leaves one.
        warning: warning, in one sentence, if the host is not fit to control this robot; else None.

    Raises:
        ConfigError: robot, scenario or gains cannot be used, the robot cannot execute a command, the robot
            at the endpoint is a different one or must not be armed, the robot is hardware and this host is
            not fit for it, or the run cannot be recorded.
        LinkLostError: no robot answers at the endpoint.
        ValueError: the duration of the plan is not positive.
    """

    def __init__(
        self, plan: RunPlan, *, handle_signals: bool = True, robot: RobotModel | None = None
    ) -> None:
        self.plan = plan
        self._place = log_place(plan)
        self.log_problem = self._place.problem
        ready = prepare(plan, robot)
        self.robot, self.scenario, self.schedule = ready.robot, ready.scenario, ready.schedule
        self.gains, self.gains_file = ready.gains, ready.gains_file
        self.period_s = period_s(ready.robot)
        shown = plan.endpoint is None and plan.paced and plan.telemetry_hz > 0.0
        self.pushes = PushMailbox() if shown else None
        self.link = link_to(plan, ready.robot, ready.scenario, self.pushes)
        self.recording: Recording | None = None
        self.watcher_died = self.agent_died = False
        try:
            self.warning = judge_host(plan, self.link)
            self._build(ready, handle_signals)
            self._warm_up()
        except BaseException:
            self.link.close()
            raise

    def _build(self, ready: Preparation, handle_signals: bool) -> None:
        plan, robot, gains = self.plan, ready.robot, ready.gains
        self.estimator = estimator_for(ready.scenario, robot, gains, self.link.truth, self.link.outside)
        self.commands = LiveCommands(robot, StreamRow(robot)) if plan.control is not None else None
        streams = self.commands.streams if self.commands is not None else None
        self.brain = Brain(robot, gains, self.estimator, dt_s=self.period_s, streams=streams)
        self.ticks = max(1, round(ready.scenario.duration_s / self.period_s))
        self.trace = Trace(robot, self.ticks, plan.rows_kept)
        self.sensors = robot.new_sensor_row()
        damping_Nms = robot.torque_limit_Nm / gains.guard.damping_speed_rad_s
        damping = last_command(robot, damping_Nms)
        self.live = LiveRun(gains, self.brain.tuning) if plan.watch_gains else None
        self._row: GainsRow | Gains = self.live.row if self.live is not None else gains
        self.loop: RunLoop = ControlLoop(
            self.link,
            self.brain,
            self.sensors,
            damping,
            self._row,
            clock=GridClock(period_ns(robot)),
            handle_signals=handle_signals,
        )
        self.shape = (
            TorqueShape(robot, adds_gravity=self.link.adds_gravity) if not self.link.truth.known else None
        )
        real_or_driven = plan.endpoint is not None or plan.control is not None
        self._stop_request = soft_stop(robot) if real_or_driven and not plan.readonly else None
        outside = self.link.outside
        self.row_type = row_type(
            robot, live=plan.watch_gains, outside=outside is not None, commanded=plan.control is not None
        )
        self.log = (
            TickLog(
                self.row_type, self.sensors, self.brain, self._row, self._requests(), outside, self.commands
            )
            if self._place.folder is not None or plan.telemetry_hz
            else None
        )

    def _warm_up(self) -> None:
        """Runs ticks on the first sample without sending commands, so that the first tick is not slower.

        This is done twice: after all is built, for what is compiled or allocated at first use, and again
        after the host is prepared, because that touches all memory and leaves the caches cold.
        """
        self.link.first_sample(self.sensors)
        request = self.schedule[0][1]
        warm_up(self.brain, self.sensors, request, self._row)
        if self.log is not None:
            self.log.warmed_up(request)

    def _requests(self) -> list[RequestRow]:
        """Returns all requests that the controller may get in this run."""
        last = [self._stop_request] if self._stop_request is not None else []
        return [*(request for _, request in self.schedule), *last]

    def run(self, progress: Progress | None = None, each_tick: EachTick | None = None) -> SessionResult:
        """Runs until the end of the scenario, a fall or a stop; can be called once only.

        Args:
            progress: called at intervals with the simulated time [s]; not called in real time.
            each_tick: called with the number of each tick after it was recorded, before the simulation
                advances.

        Returns:
            Result of the run.
        """
        plan = self.plan
        started_s = time.monotonic()
        with self.recorded() as recording, self._published():
            self.recording = recording
            observer = self._observer(recording, progress, each_tick)
            with (
                self._watched() as watcher,
                self._taking_commands() as agent,
                prepare_realtime(paced=plan.paced) as host,
            ):
                try:
                    self._warm_up()
                    self.link.arm()
                    loop = self.loop.run(
                        self.ticks,
                        self.schedule,
                        pace=plan.pace,
                        observer=observer,
                        stop_request=self._stop_request,
                    )
                finally:
                    # Before the host settings are restored: this takes longer than the robot's time limit.
                    self.link.close()
                self.watcher_died = watcher is not None and watcher.poll() is not None
                self.agent_died = agent is not None and agent.poll() is not None
            result = conclude(self, loop, host, time.monotonic() - started_s, recording)
            if recording is not None:
                recording.finish(result.summary, trouble=result.trouble)
        return result

    def _observer(
        self, recording: Recording | None, progress: Progress | None, each_tick: EachTick | None
    ) -> RunObserver:
        plan = self.plan
        return RunObserver(
            self.loop,
            self.link,
            self.estimator,
            self.trace,
            log=self.log,
            live=self.live,
            wait_for_log=recording is not None and not plan.paced,
            progress=None if plan.paced else progress,
            each_tick=self._until_the_commander_leaves(each_tick),
            shape=self.shape,
            dt_s=self.period_s,
            measured=self.brain if self.link.outside is not None else None,
            commands=(self.commands, self.brain) if self.commands is not None else None,
        )

    def _until_the_commander_leaves(self, each_tick: EachTick | None) -> EachTick | None:
        """Returns `each_tick`; for a run that only watches, it also ends when nobody commands the robot."""
        link, loop = self.link, self.loop
        if not isinstance(link, ShadowRobot):
            return each_tick

        def each(tick: int) -> None:
            if each_tick is not None:
                each_tick(tick)
            if link.over:
                loop.stop()

        return each

    @contextmanager
    def recorded(self) -> Iterator[Recording | None]:
        """Runs the recorder of the run during a `with` block; yields None for a run without a log.

        Raises:
            ConfigError: the plan names a folder for the log, and it cannot be written.
        """
        with ExitStack() as stack:
            recording = None
            if self._place.folder is not None and self.log is not None:
                try:
                    recording = stack.enter_context(self._recorder(self._place.folder, self.log))
                except (ConfigError, RuntimeError, OSError) as error:
                    if self.plan.log is not None:
                        raise
                    self.log_problem = f"{NO_LOG}: {error}"
            yield recording

    def _recorder(self, folder: Path, log: TickLog) -> AbstractContextManager[Recording]:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"{folder} cannot be made: {error.strerror}") from None
        now = datetime.now()
        path = new_path(folder, f"{self.robot.name}-{self.scenario.name}", now)
        core = default_core() if self.plan.paced else NO_CORE
        return recorded(
            log.ring, path, self.header(now), schema_text(self.row_type), core, self._place.storage
        )

    def header(self, now: datetime) -> LogHeader:
        """Builds the header of the log of this run.

        Args:
            now: time at which the log begins.
        """
        robot, plan = self.robot, self.plan
        return LogHeader(
            robot=str(Path(plan.robot).absolute()) if Path(plan.robot).is_dir() else plan.robot,
            robot_name=robot.name,
            joint_names=list(robot.joint_names),
            contact_names=list(robot.contact_names),
            hand_names=list(robot.hand_names),
            torque_limit_Nm=robot.torque_limit_Nm.tolist(),
            scenario=self.scenario.model_dump(mode="json"),
            seed=plan.seed,
            pace=plan.pace.value,
            gains=self.gains.model_dump(mode="json"),
            live=self.live is not None,
            commanded=self.commands is not None,
            requests=[request.data.tolist() for request in self._requests()],
            version=version(),
            libraries=libraries(),
            config_sha256=config_sha256(robot, self.gains),
            model_sha256=robot.model_sha256,
            machine={
                "processor": llvm.get_host_cpu_name(),
                "kernel": f"{platform.system()} {platform.release()}",
            },
            started_ns=int(now.timestamp() * 1e9),
            clock_ns=time.monotonic_ns(),
            period_ns=period_ns(self.robot),
        )

    def _published(self) -> AbstractContextManager[subprocess.Popen[bytes] | None]:
        """Returns the telemetry process as a context manager; it yields None without telemetry."""
        plan, log = self.plan, self.log
        if not plan.telemetry_hz or log is None:
            return nullcontext()
        hello = hello_of(
            self.header(datetime.now()),
            self.robot,
            self.gains_file,
            plan.telemetry_hz,
            plan.control,
            self.pushes.address if self.pushes is not None else None,
            self.live.mailbox.address if self.live is not None else None,
        )
        core = default_core() if plan.paced else NO_CORE
        return published(log.ring, hello, schema_text(self.row_type), core)

    def _taking_commands(self) -> AbstractContextManager[subprocess.Popen[bytes] | None]:
        """Returns the agent that takes commands as a context manager; it yields None without commands."""
        plan = self.plan
        if self.commands is None or plan.control is None or not plan.paced:
            return nullcontext()
        return running_agent(
            plan.robot,
            self.commands.mailbox,
            plan.control,
            # An ipc endpoint is for this user only, whose programs need no keys.
            key=plan.key if not plan.control.startswith("ipc://") else None,
            slow_motion=plan.slow_motion,
            core=default_core(),
            gains=self.gains.stream,
        )

    def _watched(self) -> AbstractContextManager[subprocess.Popen[bytes] | None]:
        """Returns the watcher of the gains file as a context manager; it yields None without watching."""
        if self.live is None or self.gains_file is None:
            return nullcontext()
        return watched(self.plan.robot, self.gains_file, self.gains, self.live.mailbox)
