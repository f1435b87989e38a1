"""Test bench of a simulated robot, a controller's link and a fault proxy, stepped from one thread."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import CommandRow
from kilohertz.robots.wire import messages as wire
from kilohertz.robots.wire.link import LinkLostError
from kilohertz.robots.wire.zmq_link import ZmqLink
from kilohertz.rt.faults.proxy import FaultProxy, forward
from kilohertz.rt.host.realtime import DEFAULT_PRIORITY, LinuxKernel
from kilohertz.rt.loop.clock import GridClock
from kilohertz.rt.run.serve import Serving
from kilohertz.sim.scenario import load_scenario
from kilohertz.sim.scenario_schema import Sensors
from kilohertz.sim.server import SimulatedServer

ROBOT = "ur5"
MOST_TICKS = 200
ARRIVAL_MS = 200
ATTEMPTS = 10


@contextmanager
def loop_priority() -> Iterator[None]:
    """Gives this thread, and threads started meanwhile, a control loop's priority, if the host grants it.

    While other programs run, an ordinary thread sometimes waits 5 to 10 ms for its core; its reaction time
    would not represent that of a control loop.
    """
    kernel = LinuxKernel()
    before = kernel.scheduler()
    try:
        kernel.set_scheduler(os.SCHED_FIFO, DEFAULT_PRIORITY)
    except OSError:
        yield
        return
    try:
        yield
    finally:
        kernel.set_scheduler(*before)


def waited_for_core_ms() -> float:
    """Returns how long this thread has waited for a core since it started [ms]; 0 if it is not reported."""
    try:
        return 1e-6 * int(Path("/proc/thread-self/schedstat").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0.0


class LinkBench:
    """Steps a robot and a controller's link through a fault proxy; use it as a context manager.

    The robot's side is the loop of `khz serve`. Simulated time advances only in `period` and `tick`, so
    figures in periods do not depend on the host.

    Args:
        robot: name of the robot.
        patient: whether the controller waits for the host; False where its own deadline is under test.

    Attributes:
        controller_us: processor time that the controller's side used to send the last command [us].
    """

    def __init__(self, robot: str = ROBOT, *, patient: bool = True) -> None:
        self.robot = RobotModel.load(robot)
        self._patient = patient
        self.controller_us = 0.0
        self._now_ns = 0
        self._stack = ExitStack()
        self.rng = np.random.default_rng(0)
        self.command: CommandRow = self.robot.new_command_row()
        self.sensors = self.robot.new_sensor_row()

    def __enter__(self) -> LinkBench:
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="kilohertz-")))
        self.endpoint = f"ipc://{folder / 'robot'}"
        front = f"ipc://{folder / 'proxy'}"
        scenario = load_scenario("stand", self.robot)
        # Velocity noise would cause steps of the damping torque, which are not faults.
        scenario = scenario.model_copy(update={"sensors": Sensors.model_validate({"noise": "none"})})
        self._scenario = scenario
        self._serve()
        self._stack.callback(lambda: self.server.close())
        self.proxy = self._stack.enter_context(FaultProxy(front, self.endpoint))
        self.link = self.new_link()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def replace_robot(self) -> None:
        """Ends the robot's server without a message, and starts a new one at the same endpoint."""
        self.server.abandon()
        self._serve()

    def _serve(self) -> None:
        self.server = SimulatedServer(self.robot, self._scenario, self.endpoint)
        # The loop of `khz serve` itself, with a clock that moves on when the loop waits for it.
        clock = GridClock(now=lambda: self._now_ns, sleep_until=self._move_on)
        self._serving = Serving(self.server, clock)

    def _move_on(self, due_ns: int) -> None:
        self._now_ns = due_ns

    def period(self) -> None:
        """Runs one period of the loop of `khz serve`, in simulated time."""
        self._serving.period()

    def new_link(self, *, through_proxy: bool = True) -> ZmqLink:
        """Returns the link of one more controller."""
        endpoint = self.proxy.front if through_proxy else self.endpoint
        silent_ms = ARRIVAL_MS if self._patient else None
        link = ZmqLink(self.robot, endpoint, truth=False, lockstep=self._patient, silent_ms=silent_ms)
        self._stack.callback(link.abandon)
        return link

    def arm(self) -> None:
        """Places the robot at its start, removes the fault, arms, and runs a few periods.

        This is retried: a busy host may delay a state, or fill a queue because simulated time runs faster
        than real time. Neither is the fault under test.

        Raises:
            LinkLostError: arming failed in all attempts.
        """
        for attempt in range(ATTEMPTS):
            try:
                self._arm()
                return
            except LinkLostError:
                if attempt == ATTEMPTS - 1:
                    raise

    def _arm(self) -> None:
        self.proxy.up = self.proxy.down = forward
        self.server.hang_up()
        self.link.arm(between=self.period)
        # On a busy host states may still be in transit, and a command based on an old state would be late.
        while self.link.newest_state < self.server.side.state_seq:
            self.link.peek(self.sensors)
        self.command.copy_from(self.server.simulated.drives.commanded)
        for _ in range(5 + int(self.rng.integers(10))):
            if not self.tick():
                raise LinkLostError(self.link.lost_because)

    def tick(self) -> bool:
        """Runs one period of both sides, until the command has arrived; returns False if the link is lost."""
        if not self._receive_state():
            return False
        counts = self.server.side.counts
        accepted = counts.accepted
        start_ns = time.thread_time_ns()
        self.link.write(self.command)
        self.controller_us = 1e-3 * (time.thread_time_ns() - start_ns)
        for _ in range(ARRIVAL_MS):
            self.server.wait_for_packet(1)
            self.server.take_in()
            if counts.accepted != accepted:
                break
        return True

    def _receive_state(self) -> bool:
        """Runs one period of the robot and reads its state; repeats if a queue has dropped the state."""
        for _ in range(ATTEMPTS if self._patient else 1):
            self.period()
            if self.link.read(self.sensors):
                return True
            if "no state" not in self.link.lost_because:
                return False
        return False

    def ticks_to_damping(self) -> int:
        """Returns the periods of the robot alone until it is in damping; MOST_TICKS if it never is."""
        for ticks in range(1, MOST_TICKS):
            self.period()
            if self.server.side.mode == wire.DAMPING:
                return ticks
        return MOST_TICKS

    @property
    def tau_fraction(self) -> np.ndarray:
        """(na,) torque of each drive divided by its limit."""
        return self.server.simulated.drives.tau / self.robot.torque_limit_Nm
