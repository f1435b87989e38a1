"""One run: robot, simulated robot, estimator, brain and loop put together; the only place that knows all."""

from __future__ import annotations

import hashlib
import platform
import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import llvmlite.binding as llvm

from kilohertz.controller.behaviours.registry import behaviour_schemas
from kilohertz.controller.brain import Brain
from kilohertz.controller.gains.live import GainsRow
from kilohertz.controller.gains.overrides import with_overrides
from kilohertz.controller.gains.schema import Gains, load_gains
from kilohertz.controller.motion.behaviour_error import BehaviourError
from kilohertz.controller.request import RequestRow, make_request, soft_stop
from kilohertz.estimators.fixed_base import FixedBaseEstimator
from kilohertz.estimators.floating_base import FloatingBaseEstimator
from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.config.yaml_file import Positions
from kilohertz.robots.model.period import PERIOD_NS, PERIOD_S
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import SensorRow
from kilohertz.rt.doctor.fitness import require_fit_host
from kilohertz.rt.host.realtime import HostState, default_core, prepare_realtime
from kilohertz.rt.live.gains_watch import watched, watched_file
from kilohertz.rt.live.live_run import LiveRun
from kilohertz.rt.log.header import LogHeader, libraries
from kilohertz.rt.log.recorder import LOSSY, NO_CORE, Recording, new_path, recorded, require_library
from kilohertz.rt.log.row import TickLog, row_type
from kilohertz.rt.log.schema import schema_text
from kilohertz.rt.loop.control_loop import ControlLoop, Pace
from kilohertz.rt.loop.fade import damping_command
from kilohertz.rt.loop.histogram import latency_us
from kilohertz.rt.loop.outcome import (
    EXIT_DONE,
    EXIT_INTERNAL_ERROR,
    EXIT_INTERRUPTED,
    EXIT_LINK_LOST,
    EXIT_SAFETY_STOP,
    LoopEvent,
    LoopResult,
)
from kilohertz.rt.loop.trace import ROWS_KEPT, Trace
from kilohertz.rt.run import summary
from kilohertz.rt.run.lockstep_link import SteppedLink
from kilohertz.rt.run.remote_robot import RemoteRobot
from kilohertz.sim.scenario import default_scenario_name, load_scenario_located
from kilohertz.sim.scenario_schema import Scenario
from kilohertz.sim.simulated_robot import SimulatedRobot
from kilohertz.sim.truth import TruthEstimator

WARM_UP_STEPS = 100
PROGRESS_TICKS = 250
TICKS_TO_LIE = 1500
SIGINT = signal.SIGINT.name

Progress = Callable[[float], None]
EachTick = Callable[[int], None]


@dataclass(frozen=True)
class RunPlan:
    """What is asked of a run.

    Attributes:
        robot: name of a robot that ships, or the path of a robot's folder.
        scenario: name or file; None for the robot's default.
        duration_s: instead of the scenario's [s].
        seed: of noise, biases, model error and ground.
        realtime: one tick a millisecond, instead of as fast as it goes.
        gains: file instead of the robot's own gains.yaml.
        solver: instead of the one the gains name.
        rows_kept: most ticks to keep for plots and tracking figures.
        endpoint: where the robot is; None simulates it in this process.
        lockstep: whether the robot at the endpoint waits for our commands.
        key, robot_key: names of our key pair and of the robot's public key, for a robot elsewhere.
        allow_no_rt: whether an unfit host may command hardware.
        slow_motion: how many times slower than real time the simulated robot at the endpoint is.
        watch_gains: whether changes of the gains file reach the running robot.
        log: folder to record the run into; None for no log.
        overrides: single gains to change, each as KEY=VALUE; not together with `watch_gains`.
    """

    robot: str
    scenario: str | None = None
    duration_s: float | None = None
    seed: int = 0
    realtime: bool = False
    gains: Path | None = None
    solver: Literal["osqp", "exact"] | None = None
    rows_kept: int = ROWS_KEPT
    endpoint: str | None = None
    lockstep: bool = False
    key: str | None = None
    robot_key: str | None = None
    allow_no_rt: bool = False
    slow_motion: int = 1
    watch_gains: bool = False
    log: Path | None = None
    overrides: tuple[str, ...] = ()

    @property
    def pace(self) -> Pace:
        """What starts a tick."""
        if self.endpoint is not None:
            return Pace.ROBOT
        return Pace.TIMER if self.realtime else Pace.LOCKSTEP

    @property
    def paced(self) -> bool:
        """Whether the loop sleeps in each period."""
        return self.realtime if self.endpoint is None else not self.lockstep


@dataclass(frozen=True)
class RunResult:
    """What came of a run.

    Attributes:
        plan, robot, scenario: what was run.
        trace: its history.
        loop: how the loop went: latency, overruns, footprint.
        host: what the host granted.
        fell, fell_at_s: whether and when the robot fell [s]; fell is None where nobody knows.
        events: of loop and simulation, in order of time: dicts of t_s [s], kind, text.
        wall_s: how long it took [s].
        exit_code: exit status of the command: 0 done, 1 the robot fell or a safety stop ended the run, 4 the
            link was lost, 5 an exception in the tick ended it, 130 stopped by SIGINT (Ctrl-C).
        summary: the figures as `--json` writes them.
        log: where it was recorded; None if it was not.
    """

    plan: RunPlan
    robot: RobotModel
    scenario: Scenario
    trace: Trace
    loop: LoopResult
    host: HostState
    fell: bool | None
    fell_at_s: float | None
    events: list[dict[str, Any]]
    wall_s: float
    exit_code: int
    summary: dict[str, Any]
    log: Path | None


class Session:
    """Everything of one run, built and warm, waiting for `run`.

    Args:
        plan: what is asked.

    Attributes:
        recording: the recorder's process, while the run is recorded.
        warning: why this host should not command the robot, one sentence; None where it may.

    Raises:
        ConfigError: robot, scenario or gains cannot be used, the robot cannot do what is asked, the robot
            at the endpoint is another one or must not be armed, it is hardware and this host not fit, or the
            run cannot be recorded.
        LinkLostError: no robot answers at the endpoint.
        ValueError: the plan's duration is none.
    """

    def __init__(self, plan: RunPlan) -> None:
        self.plan = plan
        if plan.log is not None:
            require_library()
        self.robot = RobotModel.load(plan.robot)
        scenario, positions = load_scenario_located(
            plan.scenario or default_scenario_name(self.robot), self.robot, behaviour_schemas(self.robot)
        )
        if plan.duration_s is not None:
            scenario = scenario.with_duration(plan.duration_s)
        self.scenario = scenario
        self.gains_file = watched_file(self.robot, plan.gains) if plan.watch_gains else plan.gains
        self.gains = with_overrides(self.robot, load_gains(self.robot, self.gains_file), plan.overrides)
        if plan.solver is not None:
            self.gains = self.gains.model_copy(update={"solver": plan.solver})
        self.schedule = _schedule(self.robot, scenario, positions)
        self.simulated, self.link = _meet(plan, self.robot, scenario)
        self.warning = _judge_host(plan, self.link)
        self.estimator = _estimator(self.robot, scenario, self.gains, self.simulated)
        self.brain = Brain(self.robot, self.gains, self.estimator, dt_s=PERIOD_S)
        self.ticks = max(1, round(scenario.duration_s / PERIOD_S))
        self.trace = Trace(self.robot, self.ticks, plan.rows_kept)
        self.sensors = self.robot.new_sensor_row()
        damping_Nms = self.robot.torque_limit_Nm / self.gains.guard.damping_speed_rad_s
        damping = damping_command(self.robot.na, damping_Nms)
        self.live = LiveRun(self.gains, self.brain.tuning) if plan.watch_gains else None
        self._row = self.live.row if self.live is not None else self.gains
        self.loop = ControlLoop(self.link, self.brain, self.sensors, damping, self._row)
        self._stop_request = soft_stop(self.robot) if plan.endpoint is not None else None
        self.row_type = row_type(self.robot, live=plan.watch_gains)
        self.log = (
            TickLog(self.row_type, self.sensors, self.brain, self._row, self._requests())
            if plan.log is not None
            else None
        )
        self.recording: Recording | None = None
        self._warm_up()

    def _warm_up(self) -> None:
        """Ticks on the first sample, unseen by the robot, so that the first real tick is like all others.

        Once when all is built, for what is compiled or allocated at first use; once more when the host is
        prepared, which goes over all memory and leaves the caches cold.
        """
        self.link.first_sample(self.sensors)
        request = self.schedule[0][1]
        warm_up(self.brain, self.sensors, request, self._row)
        if self.log is not None:
            self.log.warmed_up(request)

    def _requests(self) -> list[RequestRow]:
        """All that may be asked of the brain in this run."""
        last = [self._stop_request] if self._stop_request is not None else []
        return [*(request for _, request in self.schedule), *last]

    def run(self, progress: Progress | None = None, each_tick: EachTick | None = None) -> RunResult:
        """Runs to the scenario's end, to a fall, or until it is stopped; once only.

        Args:
            progress: called now and then with the simulated time [s]; not while ticks are paced.
            each_tick: called with the tick's number after it was noted, before the world moves on.
        """
        plan = self.plan
        observer = _Observer(self, None if plan.paced else progress, each_tick)
        started_s = time.monotonic()
        with self.recorded() as recording:
            self.recording = recording
            with self._watched(), prepare_realtime(paced=plan.paced) as host:
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
                    # Before the host is undone, which lasts longer than a robot waits for its next command.
                    self.link.close()
            result = self._conclude(loop, host, time.monotonic() - started_s, recording)
            if recording is not None:
                recording.finish(result.summary)
        return result

    def recorded(self) -> AbstractContextManager[Recording | None]:
        """The recorder of the run, where there is to be one.

        Raises:
            ConfigError: the log cannot be written.
        """
        plan, log = self.plan, self.log
        if plan.log is None or log is None:
            return nullcontext()
        try:
            plan.log.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"{plan.log} cannot be made: {error.strerror}") from None
        now = datetime.now()
        path = new_path(plan.log, f"{self.robot.name}-{self.scenario.name}", now)
        core = default_core() if plan.paced else NO_CORE
        return recorded(log.ring, path, self.header(now), schema_text(self.row_type), core)

    def header(self, now: datetime) -> LogHeader:
        """What the log of this run says of it.

        Args:
            now: when it begins.
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
            requests=[request.data.tolist() for request in self._requests()],
            version=summary.version(),
            libraries=libraries(),
            config_sha256=config_sha256(robot, self.gains),
            model_sha256=robot.model_sha256,
            machine={
                "processor": llvm.get_host_cpu_name(),
                "kernel": f"{platform.system()} {platform.release()}",
            },
            started_ns=int(now.timestamp() * 1e9),
            clock_ns=time.monotonic_ns(),
            period_ns=PERIOD_NS,
        )

    def _watched(self) -> AbstractContextManager[None]:
        """The watcher of the gains, where there is to be one."""
        if self.live is None or self.gains_file is None:
            return nullcontext()
        return watched(self.plan.robot, self.gains_file, self.gains, self.live.mailbox)

    def _conclude(
        self, loop: LoopResult, host: HostState, wall_s: float, recording: Recording | None
    ) -> RunResult:
        simulated = self.simulated
        events = [self._told(event) for event in loop.events]
        live = self.live.events if self.live is not None else ()
        lost = recording.catch_up() if recording is not None else ""
        missing = [{"t_s": loop.ticks * PERIOD_S, "kind": LOSSY, "text": f"log: {lost}"}] if lost else []
        events = sorted([*events, *simulated.events, *live, *missing], key=lambda event: float(event["t_s"]))
        return RunResult(
            plan=self.plan,
            robot=self.robot,
            scenario=self.scenario,
            trace=self.trace,
            loop=loop,
            host=host,
            fell=simulated.fell,
            fell_at_s=simulated.fell_at_s,
            events=events,
            wall_s=wall_s,
            exit_code=_exit_code(loop, bool(simulated.fell), self.link.robot_stopped, self.scenario),
            summary=self._summary(loop, events),
            log=recording.path if recording is not None else None,
        )

    def _told(self, event: LoopEvent) -> dict[str, Any]:
        reason = self.brain.output.reason
        text = f"{event.text}: {reason}" if reason and event.text.endswith("to damping") else event.text
        return {"t_s": event.t_s, "kind": event.kind, "text": text}

    def _summary(self, loop: LoopResult, events: list[dict[str, Any]]) -> dict[str, Any]:
        trace, robot = self.trace, self.robot
        return {
            "robot": robot.name,
            "scenario": self.scenario.name,
            "duration_s": round(loop.ticks * PERIOD_S, 9),
            "ticks": loop.ticks,
            "fell": self.simulated.fell,
            "fell_at_s": self.simulated.fell_at_s,
            "exit_state": loop.exit_state,
            "overruns": loop.overruns,
            "latency_us": latency_us(loop.latency),
            "qp": summary.qp_figures(trace, self.gains.solver),
            "estimation": summary.estimation_figures(trace, robot.floating),
            "tracking": summary.tracking_figures(trace, robot, self.scenario),
            "torque": summary.torque_figures(trace, robot.joint_names),
            "payload": summary.payload_figures(self.brain.output),
            "events": events,
            "provenance": summary.provenance(robot, config_sha256(robot, self.gains)),
            **({"gains": self.live.figures()} if self.live is not None else {}),
            **({"link": self.link.figures()} if isinstance(self.link, RemoteRobot) else {}),
        }


class _Observer:
    """After each tick: note it, then let the world move on; end the run when a fall has come to rest."""

    def __init__(self, session: Session, progress: Progress | None, each_tick: EachTick | None) -> None:
        self._record = session.trace.record
        self._log = session.log
        self._loop = session.loop
        self._paced = session.plan.paced
        self._estimator = session.estimator
        self._simulated = session.simulated
        self._advance = session.link.advance
        self._stop = session.loop.stop
        self._live = session.live
        self._progress = progress
        self._each_tick = each_tick
        self._ticks_to_lie = TICKS_TO_LIE

    def __call__(self, tick: int, sensors: SensorRow, request: Any, output: Any) -> None:
        if self._log is not None:
            if not self._paced:
                self._log.ring.wait_for_room()
            self._log.tick(tick, request, self._loop.stages)
        self._record(output, self._estimator, self._simulated.truth)
        if self._each_tick is not None:
            self._each_tick(tick)
        self._advance()
        if self._live is not None:
            self._live.between_ticks(tick * PERIOD_S)
        if self._simulated.fell:
            self._ticks_to_lie -= 1
            if self._ticks_to_lie == 0:
                self._stop()
        if self._progress is not None and tick % PROGRESS_TICKS == 0:
            self._progress(tick * PERIOD_S)


def _meet(
    plan: RunPlan, robot: RobotModel, scenario: Scenario
) -> tuple[SimulatedRobot | RemoteRobot, SteppedLink | RemoteRobot]:
    """The robot, and the link to it."""
    if plan.endpoint is None:
        simulated = SimulatedRobot(robot, scenario, plan.seed)
        return simulated, SteppedLink(simulated, robot.na)
    remote = RemoteRobot(
        robot,
        plan.endpoint,
        lockstep=plan.lockstep,
        key=plan.key,
        robot_key=plan.robot_key,
        slow_motion=plan.slow_motion,
        core=default_core(),
    )
    return remote, remote


def _judge_host(plan: RunPlan, link: SteppedLink | RemoteRobot) -> str | None:
    """Hardware keeps its own time and does not know where it truly is: the host must be fit for it."""
    if not isinstance(link, RemoteRobot) or link.truth.known or plan.lockstep:
        return None
    try:
        return require_fit_host(plan.allow_no_rt)
    except ConfigError:
        link.close()
        raise


def _schedule(robot: RobotModel, scenario: Scenario, positions: Positions) -> list[tuple[int, RequestRow]]:
    schedule = []
    problems = []
    lines = {command["at_s"]: i for i, command in enumerate(positions.value(("commands",)) or ())}
    for command in scenario.commands:
        try:
            request = make_request(robot, command.kind, command.params, command.at_s)
        except BehaviourError as error:
            loc = ("commands", lines.get(command.at_s, 0), command.kind, *error.loc)
            problems.append(positions.problem(loc, str(error)))
            continue
        schedule.append((round(command.at_s / PERIOD_S), request))
    if problems:
        raise ConfigError(*problems)
    return schedule


def _estimator(
    robot: RobotModel, scenario: Scenario, gains: Gains, simulated: SimulatedRobot | RemoteRobot
) -> Any:
    if scenario.estimator == "truth":
        if isinstance(simulated, RemoteRobot) and not simulated.truth.known:
            raise ConfigError(
                f"scenario '{scenario.name}' asks for the truth, which this robot does not know"
            )
        return TruthEstimator(simulated.truth)
    return estimator_of(robot, gains)


def estimator_of(robot: RobotModel, gains: Gains) -> FloatingBaseEstimator | FixedBaseEstimator:
    """The estimator that knows what the sensors say, and no more."""
    kind = FloatingBaseEstimator if robot.floating else FixedBaseEstimator
    return kind(robot, gains.estimator)


def warm_up(brain: Brain, sensors: SensorRow, request: RequestRow, gains: GainsRow | Gains) -> None:
    """Ticks on one sample, after which the brain is as if it had not seen it."""
    brain.reset(sensors)
    for _ in range(WARM_UP_STEPS):
        brain.step(sensors, request, gains, no_mark)
    brain.reset(sensors)


def config_sha256(robot: RobotModel, gains: Gains) -> str:
    """Of all that robot.yaml and gains say."""
    configuration = f"{robot.config_sha256}\n{gains.model_dump_json()}"
    return hashlib.sha256(configuration.encode()).hexdigest()


def _exit_code(loop: LoopResult, fell: bool, robot_stopped: bool, scenario: Scenario) -> int:
    if loop.error is not None:
        return EXIT_INTERNAL_ERROR
    if loop.exit_code == EXIT_LINK_LOST:
        return EXIT_SAFETY_STOP if robot_stopped else EXIT_LINK_LOST
    told_to_damp = scenario.commands[-1].kind == "damp"
    if loop.stopped_by == SIGINT and not fell and (told_to_damp or loop.exit_state != "damping"):
        return EXIT_INTERRUPTED
    if loop.stopped_softly and not fell and loop.exit_state in ("active", "soft_stop", "idle"):
        return EXIT_DONE
    stopped = loop.exit_state in ("damping", "soft_stop") and not told_to_damp
    return EXIT_SAFETY_STOP if fell or stopped or loop.stopped_by is not None else loop.exit_code


def no_mark(stage: int) -> None:
    """For stages that are not timed."""
