"""The controller's end of the wire protocol: a RobotLink over ZeroMQ."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import zmq

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.period import PERIOD_S
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import CommandRow, SensorRow, Vector
from kilohertz.robots.wire import messages as wire
from kilohertz.robots.wire.arming import SAMPLES, SelfTest
from kilohertz.robots.wire.companions import Companions
from kilohertz.robots.wire.driver import Driver
from kilohertz.robots.wire.endpoint import KeyPair, check_endpoint
from kilohertz.robots.wire.link import LinkLostError
from kilohertz.robots.wire.own_peer import require_own_peer
from kilohertz.robots.wire.refusals import RefusedStates
from kilohertz.robots.wire.row_messages import CommandCodec, StateCodec, TruthRow, identity
from kilohertz.robots.wire.silence import PREDICT_AFTER_POLLS, Patience, Silence
from kilohertz.robots.wire.sockets import POLL_MS, ask, controller_socket, new_context, receive, send

Between = Callable[[], None]

ANSWER_S = 5.0
HEARTBEAT_S = 0.5
POLL_S = 1e-3 * POLL_MS
SILENT_MS = 9
LOCKSTEP_SILENT_MS = 5000
BAD_STATES = 3
DEADLINE_US = 4000
PREDICTED_DEADLINE_US = 15_000
LATEST_S = 0.02
LOCKSTEP_DEADLINE_US = 1_000_000
STALL = "stall"
"""Kind of the event that reports a stall of this computer."""
MOST_EVENTS, MOST_STALLS = 1000, 20
STANDING_TIMES = 15
STANDING_TIMES_LIMIT = 1000
SAME_TIMES = 5
LOCKSTEP_SAME_TIMES = 30
GOODBYE_S = 0.3
GOODBYE_MS = 200
STOP_RETRY_MS = 1


class ZmqLink:
    """Commands a robot over ZeroMQ: call `connect`, then `arm`, then `read` and `write` in each tick.

    Args:
        robot: model of the robot that must be at the other end.
        endpoint: address of the robot, `ipc://PATH` or `tcp://HOST:PORT`.
        dt_s: control period that the robot must agree with [s].
        truth: whether to request the true state of a simulated robot.
        lockstep: whether the simulated robot waits for each command, so that a command may be late.
        silent_ms: time without a state after which the link is lost [ms]; None for 9 ms, or 5 s in lockstep.
        slow_motion: factor by which each period of a simulated robot is longer than `dt_s`.
        core: CPU core on which `read` and `write` will be called; None for any core.
        driver: conversion between the model's joints and the driver's; None if the driver uses the model's.
        key, robot_key: the controller's key pair and the robot's public key; needed for a robot on another
            computer.

    Attributes:
        epoch: epoch of the controller's lease; 0 without a lease.
        lost_because: why `read` returned False, in one sentence.
        events: events that the robot has reported, and stalls of this computer: dicts of t_s on the robot's
            clock, kind and text.
        refused: states that were not accepted, with their reason.
        predicted: number of samples that were overdue and were predicted.
        unsent: number of commands that could not be handed to the network.
        farewell: the robot's last report: numbers of commands accepted, refused and late, and p50, p99 and
            p99.9 of the round trip state -> command [us]; None before the lease is given back.

    Raises:
        ConfigError: the endpoint is refused or cannot be used.
    """

    _queue = 64

    def __init__(
        self,
        robot: RobotModel,
        endpoint: str,
        *,
        dt_s: float = PERIOD_S,
        truth: bool = True,
        lockstep: bool = False,
        silent_ms: int | None = None,
        slow_motion: int = 1,
        core: int | None = None,
        driver: Driver | None = None,
        key: KeyPair | None = None,
        robot_key: str | None = None,
    ) -> None:
        self._has_keys = key is not None and robot_key is not None
        check_endpoint(endpoint, keys=self._has_keys, bind=False)
        self.endpoint = endpoint
        self.epoch = 0
        self.lost_because = ""
        self.events: list[dict[str, Any]] = []
        self.predicted = 0
        self.unsent = 0
        self.farewell: tuple[int, int, int, Vector] | None = None
        self.robot = robot
        self._driver = driver
        self._identity = identity(robot, dt_s, driver)
        self._companions = Companions(robot, truth)
        self._options = self._companions.options
        periods = slow_motion * max(1, round(dt_s / PERIOD_S))  # of one millisecond
        usual_ms = LOCKSTEP_SILENT_MS if lockstep else max(slow_motion * SILENT_MS, 4 * periods)
        self._silence = Silence(
            silent_ms if silent_ms is not None else usual_ms, periods * PREDICT_AFTER_POLLS
        )
        # A robot that waits for each command does not advance, so that its state cannot be predicted.
        self._predicts = not lockstep
        self._ahead = False
        self._dt_s = dt_s
        self._deadline_us = LOCKSTEP_DEADLINE_US if lockstep else DEADLINE_US
        self._most_same_times = LOCKSTEP_SAME_TIMES if lockstep else SAME_TIMES
        self._same_times = 0
        self._states = StateCodec(robot, driver)
        self.refused = RefusedStates(robot, self._states)
        self._stalls_told = 0
        self._standing_times = 0
        self._row = robot.new_sensor_row()
        self._self_test = SelfTest(robot, dt_s)
        self._state_seq = self._epoch_seen = self._taken_seq = 0
        self._taken_t_s = np.nan
        self._mode = wire.STANDBY
        self._seq = 0
        self._last = robot.new_command_row()
        self._work = np.zeros(robot.na)
        self._context = new_context(realtime=not lockstep, core=core)
        try:
            self._socket = controller_socket(self._context, endpoint, key, robot_key, received=self._queue)
        except ConfigError:
            self._context.term()
            raise

    def connect(self, timeout_s: float = ANSWER_S, between: Between | None = None) -> None:
        """Performs the handshake, in which both ends compare their identities.

        Args:
            timeout_s: time to wait for the answer [s].
            between: called repeatedly while waiting, as in `arm`.

        Raises:
            ConfigError: it is another robot, or uses another protocol version; the text names the field.
            LinkLostError: no robot answers.
        """
        client = f"{platform.node()}:{os.getpid()}"[: wire.MAX_NAME]
        hello = wire.pack("hello", client, *self._identity.packed(), self._options)
        values = self._ask(hello, "welcome", timeout_s, between)
        if not self._has_keys:
            require_own_peer(self.endpoint)
        theirs = wire.identity_at(values, 0)
        difference = theirs.difference(self._identity)
        if difference is not None:
            raise ConfigError(f"{self.endpoint}: wrong robot: {difference[0]}: {difference[1]}")
        self._companions.granted(values[7])

    @property
    def truth(self) -> TruthRow | None:
        """True state of the simulated robot at the last sample read; None if the robot does not send it."""
        return self._companions.truth

    def arm(self, timeout_s: float = ANSWER_S, between: Between | None = None) -> None:
        """Acquires the lease of a robot that passes the self-test; the robot then awaits the first command.

        Args:
            timeout_s: time to wait for each answer [s].
            between: called repeatedly while waiting; it advances a robot that is simulated in this thread.

        Raises:
            ConfigError: the self-test fails, the robot's states are refused, or another controller commands
                the robot.
            LinkLostError: no robot answers.
        """
        # A robot forgets a peer that is silent for 2 s, and compiling since `connect` may have taken longer.
        self.connect(timeout_s, between)
        self._watch(SAMPLES, timeout_s, between)
        problem = self._self_test.problem()
        if problem is not None:
            raise ConfigError(f"{self.endpoint}: not armed: {problem}")
        self.epoch = int(self._ask(wire.pack("arm"), "armed", timeout_s, between)[0])
        self._seq = self.unsent = 0
        self.lost_because = ""
        self._taken_t_s, self._ahead = np.nan, False
        # States that were sent before the grant may still be in transit.
        armed = "the robot grants no lease"
        self._wait(lambda: self._mode_of_lease() == wire.ARMED, timeout_s, armed, between)

    def check_units(self, timeout_s: float = ANSWER_S) -> None:
        """Refuses a robot whose states are in wrong units; for use before `arm`, also while the robot moves.

        Raises:
            ConfigError: values are in a wrong unit, or all states received within `timeout_s` are refused.
            LinkLostError: no robot answers, or no state is received within `timeout_s`.
        """
        # A robot forgets a peer that is silent for 2 s, and set-up may have taken longer.
        self.connect(timeout_s)
        self._watch(SAMPLES, timeout_s)
        problem = self._self_test.unit_problem()
        if problem is not None:
            raise ConfigError(f"{self.endpoint}: not armed: {problem}")

    def peek(self, sensors: SensorRow, timeout_s: float = ANSWER_S) -> None:
        """Fills a sensor row with the next state of the robot; for use before `arm`.

        Raises:
            ConfigError: states are received within `timeout_s`, but all of them are refused.
            LinkLostError: no state is received within `timeout_s`.
        """
        self._watch(1, timeout_s)
        sensors.data[:] = self._row.data

    def _mode_of_lease(self) -> int:
        return self._mode if self._epoch_seen == self.epoch else wire.STANDBY

    def _watch(self, samples: int, timeout_s: float, between: Between | None = None) -> None:
        seen = 0
        last = self._state_seq

        def enough() -> bool:
            nonlocal seen, last
            if self._state_seq != last:
                last = self._state_seq
                seen += 1
                self._self_test.add(self._row)
            return seen >= samples

        self._wait(enough, timeout_s, "the robot sends no states", between)

    def _wait(
        self, done: Callable[[], bool], timeout_s: float, failure: str, between: Between | None
    ) -> None:
        patience = Patience(timeout_s)
        heartbeat_s = 0.0
        while not done():
            now_s = time.monotonic()
            if patience.is_over():
                refused = self.refused.since_accepted(self._state_seq)
                if refused:
                    raise ConfigError(f"{self.endpoint}: not armed: {refused}")
                raise LinkLostError(f"{self.endpoint}: {failure} within {timeout_s:g} s")
            if now_s > heartbeat_s:
                self._send(wire.pack("heartbeat"))
                heartbeat_s = now_s + HEARTBEAT_S
            if between is not None:
                between()
            payload = self._receive()
            if payload is not None:
                self.take_in(payload)

    def _ask(
        self, question: bytes, answer: str, timeout_s: float, between: Between | None
    ) -> tuple[Any, ...]:
        return ask(self._socket, self.endpoint, question, answer, timeout_s, between)

    def _send(self, payload: bytes) -> bool:
        return send(self._socket, payload)

    def _receive(self, flags: int = 0) -> bytes | None:
        return receive(self._socket, flags)

    def read(self, sensors: SensorRow) -> bool:
        """Waits for a new state and fills the row with the newest one received. Hot path.

        If a state is overdue, the sample is predicted from the last one with constant joint velocities and
        constant IMU values. A few lost states therefore do no harm, and a lost link ends smoothly.

        Returns:
            False if no state was received for 9 ms (`silent_ms`), three states in a row were refused, the
            robot's time stamps stand still, or the lease is lost; the attribute `lost_because` says which.
        """
        if not self._seq:
            # Stalls count from the first command on: the preparations before it may take any time.
            self._silence.start()
        state_follows = False
        while True:
            self._take_in_all()
            if self.refused.in_a_row >= BAD_STATES:
                return self._lost("")
            if self._state_seq > self._taken_seq:
                self._silence.broken()
                if self._mode_of_lease() not in (wire.ARMED, wire.ACTIVE):
                    return self._lost(
                        "the robot has revoked the lease: it damps, or another controller commands it"
                    )
                self._taken_seq = self._state_seq
                if self._silence.stalls > self._stalls_told:
                    self._tell_stall()
                if self._is_news(float(self._row.t_s[0])):
                    self._same_times = self._standing_times = 0
                    sensors.data[:] = self._row.data
                    sensors.seq[0] = self._state_seq
                    return True
                # A simulated robot's time stands still until its first command, so that its states repeat the
                # same sample. If that command was late and dropped, it is sent again to answer this state.
                if self._mode == wire.ARMED and self._seq:
                    self._same_times += 1
                    if self._same_times % self._most_same_times == 0:
                        self.write(self._last)
                elif self._mode == wire.ACTIVE:
                    self._standing_times += 1
                    if self._standing_times >= STANDING_TIMES_LIMIT:
                        return self._lost("")
                continue
            if not state_follows and self._companions.is_ahead(self._state_seq):
                # Companions are sent right before the state that they belong to: poll once more before this
                # state counts as overdue.
                state_follows = True
                continue
            if self._silence.goes_on():
                return self._lost(f"no state was received from the robot for {self._silence.limit_ms} ms")
            if self._predicts and self._mode_of_lease() == wire.ACTIVE and self._silence.worth_predicting:
                self._predict(sensors)
                return True

    def _take_in_all(self) -> None:
        """Waits for a payload, and handles all that were received, in at most one poll's time. Hot path."""
        payload = self._receive()
        if payload is None:
            return
        until_s = time.monotonic() + POLL_S
        while payload is not None:
            self.take_in(payload)
            # A robot that floods the link with events or with anything else must not hold up the tick.
            if time.monotonic() >= until_s:
                return
            payload = self._receive(zmq.NOBLOCK)

    def _lost(self, what: str) -> bool:
        """Stores why the link is lost: what the robot did, stalls of this computer, and refused states.

        Args:
            what: what was seen, in one sentence; empty if the refused states are the reason.

        Returns:
            False, the result of `read`.
        """
        refused = self.refused.since_accepted(self._state_seq)
        if self._standing_times >= STANDING_TIMES:
            refused = (
                f"the last {self._standing_times} states of the robot are not new: "
                f"`t_robot_s` stands still at {self._taken_t_s:.9g}"
            )
        stall_s = self._silence.recent_stall_s
        if stall_s and what:
            what = f"this computer stalled for {1e3 * stall_s:.0f} ms, in which it sent no command; {what}"
        self.lost_because = "; ".join(part for part in (what, refused) if part)
        return False

    def _tell_stall(self) -> None:
        """Adds an event for a stall of this computer while the robot moves by itself."""
        self._stalls_told = self._silence.stalls
        if self._predicts and self._stalls_told <= MOST_STALLS:
            text = (
                f"this computer stalled for {1e3 * self._silence.stalled_s:.0f} ms: "
                "the robot got no command for so long"
            )
            self.events.append({"t_s": float(self._row.t_s[0]), "kind": STALL, "text": text})

    @property
    def stalls(self) -> tuple[int, float]:
        """Number and longest duration [s] of stalls of this computer; none for a robot that waits."""
        return (self._silence.stalls, self._silence.longest_stall_s) if self._predicts else (0, 0.0)

    def _is_news(self, t_s: float) -> bool:
        """Checks whether a state of this time is new; False if its sample was already read or predicted."""
        behind_s = self._taken_t_s - t_s
        if behind_s == 0.0 or (self._ahead and -0.5 * self._dt_s < behind_s < LATEST_S):
            return False
        self._taken_t_s, self._ahead = t_s, False
        return True

    def _predict(self, sensors: SensorRow) -> None:
        self._taken_t_s += self._dt_s
        self._ahead = True
        self.predicted += 1
        np.multiply(sensors.v, self._dt_s, out=self._work)
        sensors.q += self._work
        sensors.t_s[0] = self._taken_t_s

    def take_in(self, payload: bytes) -> None:
        """Handles one received payload; `read` calls this for every payload received. Hot path."""
        message = wire.unpack(payload)
        if message is None:
            self.refused.not_valid(payload)
            return
        kind, values = message
        if kind == "state":
            # Late, duplicated and replayed states have numbers that are not above the last one.
            if values[1] <= self._state_seq:
                self.refused.old(values[1])
                return
            if not self._states.read(values, self._row):
                self.refused.not_plausible(values)
                return
            self.refused.accepted()
            self._epoch_seen, self._state_seq, self._mode = values[0], values[1], values[4]
            self._companions.complete(values[1], self._row)
        elif self._companions.take_in(kind, values):
            return
        elif kind == "event" and len(self.events) < MOST_EVENTS:
            self.events.append({"t_s": values[0], "kind": values[1], "text": values[2]})
        elif kind == "disarmed":
            self.farewell = (values[0], values[1], values[2], np.frombuffer(values[3]))

    @property
    def mode(self) -> str:
        """Mode of the robot in its newest state: one of `wire.MODES`."""
        return wire.MODES[self._mode]

    @property
    def newest_state(self) -> int:
        """Number of the newest state received."""
        return self._state_seq

    @property
    def commands_sent(self) -> int:
        """Number of commands of this lease that were handed to the network."""
        return self._seq - self.unsent

    def write(self, command: CommandRow) -> None:
        """Sends a command as the answer to the last state read. Hot path; never blocks."""
        self._seq += 1
        self._last.data[:] = command.data
        # Commands for predicted samples, and the last ones after a lost link, answer an old state: they need
        # a longer deadline.
        late = self._predicts and (self._ahead or self.lost_because)
        deadline_us = PREDICTED_DEADLINE_US if late else self._deadline_us
        payload = CommandCodec.pack(
            self.epoch, self._seq, self._taken_seq, deadline_us, command, self._driver
        )
        if not self._send(payload):
            self.unsent += 1

    def close(self) -> None:
        """Gives the lease back, which leaves the robot damping, and closes the link."""
        if self._socket.closed:
            return
        if self.epoch:
            until_s = time.monotonic() + GOODBYE_S
            self._send(wire.pack("disarm", self.epoch))
            while self.farewell is None and time.monotonic() < until_s:
                payload = self._receive()
                if payload is not None:
                    self.take_in(payload)
        self._socket.close(GOODBYE_MS)
        self._context.term()

    def abandon(self) -> None:
        """Closes the link at once and sends nothing, as if the process had been killed."""
        if not self._socket.closed:
            self._socket.close(0)
            self._context.term()


def stop_robot(
    endpoint: str,
    reason: str,
    *,
    key: KeyPair | None = None,
    robot_key: str | None = None,
    timeout_s: float = ANSWER_S,
) -> None:
    """Makes a robot damp at once; this needs neither lease nor handshake.

    Args:
        endpoint: address of the robot.
        reason: reason for the stop, as text for people.
        key: the controller's key pair; needed for a robot on another computer.
        robot_key: the robot's public key; needed for a robot on another computer.
        timeout_s: time to wait for the answer [s].

    Raises:
        ConfigError: the endpoint is refused or cannot be used.
        LinkLostError: no robot answers.
    """
    has_keys = key is not None and robot_key is not None
    check_endpoint(endpoint, keys=has_keys, bind=False)
    context = new_context(realtime=False)
    try:
        socket = controller_socket(context, endpoint, key, robot_key, retry_ms=STOP_RETRY_MS)
        try:
            ask(socket, endpoint, wire.pack("stop", reason), "stopped", timeout_s)
            if not has_keys:
                require_own_peer(endpoint)
        finally:
            socket.close(0)
    finally:
        context.term()
