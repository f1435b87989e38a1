"""Result of a run: its events, its exit code and its figures."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from kilohertz.controller.brain import Brain
from kilohertz.controller.brain_output import BrainOutput
from kilohertz.controller.gains.schema import Gains
from kilohertz.robots.clearance.clearance import clearance_of
from kilohertz.robots.model.period import period_s
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.wire.link import RobotLink
from kilohertz.robots.wire.silence import RECENT_S
from kilohertz.robots.wire.zmq_link import STALL
from kilohertz.rt.host.realtime import HostState
from kilohertz.rt.live.live_run import LiveRun
from kilohertz.rt.log.recorder import LOSSY, Recording
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
from kilohertz.rt.loop.trace import Trace
from kilohertz.rt.run import summary
from kilohertz.rt.run.against_estimate import against_estimate
from kilohertz.rt.run.energy import energy_figures
from kilohertz.rt.run.gains_sets import gains_sets
from kilohertz.rt.run.plan import RunPlan
from kilohertz.rt.run.shadow import shadow_figures
from kilohertz.rt.run.shadow_robot import ShadowRobot
from kilohertz.rt.run.torque_shape import TorqueShape
from kilohertz.sim.scenario_schema import Scenario

Event = Mapping[str, Any]
SIGINT = signal.SIGINT.name


@dataclass(frozen=True)
class SessionResult:
    """Result of a run.

    Attributes:
        plan, robot, scenario: plan, robot and scenario of the run.
        trace: history of the run.
        judged: history on which figures and plots are based: `trace`, or, if the true state of the robot is
            not known, one with the estimate in its place.
        loop: outcome of the loop: latency, overruns, footprint.
        host: real-time settings that the host granted.
        fell, fell_at_s: whether the robot fell, and the time of the fall [s]; `fell` is None if it is not
            known.
        events: events of loop, robot and gains, in the order of time: dicts of t_s [s], kind, text.
        wall_s: wall-clock duration of the run [s].
        exit_code: exit status of the command: 0 done, 1 the robot fell or a safety stop ended the run, 4 the
            link was lost, 5 an exception in the tick ended it, or the recorder or the watcher of the gains
            file ended by itself, 130 stopped by SIGINT (Ctrl-C).
        summary: the figures of the run, as `--json` writes them.
        log: file that the run was recorded into; None if it was not recorded.
        trouble: whether the run ended badly: with a fall, a stop by guard, watchdog or link, or an error.
    """

    plan: RunPlan
    robot: RobotModel
    scenario: Scenario
    trace: Trace
    judged: Trace
    loop: LoopResult
    host: HostState
    fell: bool | None
    fell_at_s: float | None
    events: list[Event]
    wall_s: float
    exit_code: int
    summary: dict[str, Any]
    log: Path | None
    trouble: bool


class RunParts(Protocol):
    """The parts of a run from which its result is built; see `kilohertz.rt.run.session.Session`."""

    plan: RunPlan
    robot: RobotModel
    scenario: Scenario
    gains: Gains
    link: RobotLink
    brain: Brain
    trace: Trace
    live: LiveRun | None
    shape: TorqueShape | None
    watcher_died: bool
    agent_died: bool


def conclude(
    run: RunParts, loop: LoopResult, host: HostState, wall_s: float, recording: Recording | None
) -> SessionResult:
    """Builds the result of a run.

    Args:
        run: parts of the run; its link is closed.
        loop: outcome of the loop.
        host: real-time settings that the host granted.
        wall_s: wall-clock duration of the run [s].
        recording: recording of the run; None if it was not recorded.
    """
    link, dt_s = run.link, period_s(run.robot)
    judged = run.trace if link.truth.known else against_estimate(run.trace, run.robot)
    live = run.live.events if run.live is not None else ()
    of_link = link.events
    shaped = run.shape.events if run.shape is not None else ()
    events: list[Event] = [*_loop_events(loop, run.brain.output, of_link), *of_link, *live, *shaped]
    events = [
        *events,
        *_lost_rows(loop, dt_s, recording),
        *_lost_watcher(loop, dt_s, run.watcher_died),
        *_lost_agent(loop, dt_s, run.agent_died),
    ]
    events = sorted(events, key=lambda event: float(event["t_s"]))
    # Nobody asked for the log that a run leaves by itself.
    log_died = recording is not None and recording.died and run.plan.log is not None
    failed = run.watcher_died or run.agent_died or log_died
    exit_code = _exit_code(loop, bool(link.fell), link.robot_stopped, run.scenario)
    if isinstance(link, ShadowRobot) and exit_code == EXIT_SAFETY_STOP:
        # Whatever a controller that only watches decides, nothing happens to the robot.
        exit_code = EXIT_DONE
    trouble = exit_code not in (EXIT_DONE, EXIT_INTERRUPTED)
    kept = recording is not None and (trouble or not recording.only_trouble)
    return SessionResult(
        plan=run.plan,
        robot=run.robot,
        scenario=run.scenario,
        trace=run.trace,
        judged=judged,
        loop=loop,
        host=host,
        fell=link.fell,
        fell_at_s=link.fell_at_s,
        events=events,
        wall_s=wall_s,
        exit_code=EXIT_INTERNAL_ERROR if failed and exit_code == EXIT_DONE else exit_code,
        summary=_summary(run, judged, loop, events),
        log=recording.path if recording is not None and kept else None,
        trouble=trouble,
    )


def _loop_events(loop: LoopResult, output: BrainOutput, of_link: Sequence[Event]) -> list[Event]:
    return [
        {"t_s": event.t_s, "kind": event.kind, "text": _text(event, output, of_link)} for event in loop.events
    ]


def _text(event: LoopEvent, output: BrainOutput, of_link: Sequence[Event]) -> str:
    """Returns the text of an event; a change to damping also has its reason.

    The reason is still in the last output, because damping is latched. A stall of this computer shortly
    before is named too: the controller then saw a robot that had moved without it.
    """
    if not (output.reason and event.text.endswith("to damping")):
        return event.text
    stalls = [e for e in of_link if e["kind"] == STALL and 0.0 <= event.t_s - e["t_s"] < RECENT_S]
    return "; shortly before, ".join([f"{event.text}: {output.reason}", *(e["text"] for e in stalls[-1:])])


def _lost_rows(loop: LoopResult, dt_s: float, recording: Recording | None) -> list[Event]:
    """Returns an event if rows of the log were lost."""
    lost = recording.catch_up() if recording is not None else ""
    return [{"t_s": loop.ticks * dt_s, "kind": LOSSY, "text": f"log: {lost}"}] if lost else []


def _lost_watcher(loop: LoopResult, dt_s: float, died: bool) -> list[Event]:
    """Returns an event if changes of the gains file had no effect any more."""
    text = "the process that watches the gains file ended by itself: its last changes had no effect"
    return [{"t_s": loop.ticks * dt_s, "kind": "fault", "text": text}] if died else []


def _lost_agent(loop: LoopResult, dt_s: float, died: bool) -> list[Event]:
    """Returns an event if commands were not taken any more."""
    text = "the process that takes commands ended by itself: later commands had no effect"
    return [{"t_s": loop.ticks * dt_s, "kind": "fault", "text": text}] if died else []


def _summary(run: RunParts, trace: Trace, loop: LoopResult, events: list[Event]) -> dict[str, Any]:
    robot, link, dt_s = run.robot, run.link.figures(), period_s(run.robot)
    return {
        "robot": robot.name,
        "scenario": run.scenario.name,
        "seed": _seed(run),
        "duration_s": round(loop.ticks * dt_s, 9),
        "ticks": loop.ticks,
        "fell": run.link.fell,
        "fell_at_s": run.link.fell_at_s,
        "exit_state": loop.exit_state,
        "measured_against": trace.against,
        "notes": [*run.robot.notes, *clearance_of(robot).notes],
        "overruns": loop.overruns,
        "latency_us": latency_us(loop.latency),
        "qp": summary.qp_figures(trace, run.gains.solver),
        "estimation": summary.estimation_figures(trace, robot.floating),
        "tracking": summary.tracking_figures(trace, robot, run.scenario),
        "torque": summary.torque_figures(trace, robot.joint_names),
        "energy": energy_figures(trace, robot, run.scenario),
        "payload": summary.payload_figures(run.brain.output),
        "hand_wrench": summary.hand_wrench_figures(run.brain.output, robot.hand_names),
        "events": events,
        "provenance": summary.provenance(robot, summary.config_sha256(robot, run.gains)),
        **({"gains": run.live.figures()} if run.live is not None else {}),
        "gains_sets": _gains_sets(run, trace),
        **({"link": link} if link is not None else {}),
        **_shadow(run, trace, loop),
    }


def _shadow(run: RunParts, trace: Trace, loop: LoopResult) -> dict[str, Any]:
    link = run.link
    if not isinstance(link, ShadowRobot):
        return {}
    latency = latency_us(loop.latency) if run.plan.paced else None
    return {"shadow": shadow_figures(link.comparison, trace, run.robot, latency, link.missed)}


def _gains_sets(run: RunParts, trace: Trace) -> list[dict[str, Any]]:
    """Returns the figures by set of gains of a run whose gains could change; else an empty list."""
    if run.live is None:
        return []
    return gains_sets(trace, run.robot, run.scenario, run.live.sets, _seed(run))


def _seed(run: RunParts) -> int | None:
    """Returns the random seed of a simulation; None for a robot that has none, or does not say it."""
    return run.plan.seed if run.link.truth.known else None


def _exit_code(loop: LoopResult, fell: bool, robot_stopped: bool, scenario: Scenario) -> int:
    if loop.error is not None:
        return EXIT_INTERNAL_ERROR
    if loop.exit_code == EXIT_LINK_LOST:
        return EXIT_SAFETY_STOP if robot_stopped else EXIT_LINK_LOST
    damping_asked = scenario.commands[-1].kind == "damp"
    if loop.stopped_by == SIGINT and not fell and (damping_asked or loop.exit_state != "damping"):
        return EXIT_INTERRUPTED
    if loop.stopped_softly and not fell and loop.exit_state in ("active", "soft_stop", "idle"):
        return EXIT_DONE
    stopped = loop.exit_state in ("damping", "soft_stop") and not damping_asked
    return EXIT_SAFETY_STOP if fell or stopped or loop.stopped_by is not None else loop.exit_code
