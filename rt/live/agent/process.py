"""Runs the agent: the process that has the control endpoint of a running controller.

The loop's process opens no socket and checks no request. If the agent is stopped or killed, the tick is not
affected: the streams are silent then, and the robot comes to rest.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kilohertz.controller.gains.schema import StreamGains
from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.wire.endpoint import KeyPair, check_endpoint, load_key, trusted_keys
from kilohertz.robots.wire.robot_port import CUT_OFF, RobotPort
from kilohertz.rt.host.other_cores import NO_CORE, leave_core
from kilohertz.rt.live.agent.control_side import ControlSide
from kilohertz.rt.live.command_mailbox import CommandMailbox
from kilohertz.rt.live.loop_process import named_at

CYCLE_NS = 1_000_000
"""Shortest time from one cycle of the agent to the next [ns]."""
HOLDER_INTAKE_NS = 600_000
"""Time a cycle for the messages of the holder of the lease [ns]: several samples of all streams."""
IDLE_MS, BUSY_MS = 20.0, 2.0
"""Longest wait for a packet, without and with a request that the loop has to take [ms]."""
PATIENCE_S = 1.0
READY = "ready"


class Agent:
    """The control endpoint of a running controller.

    Args:
        robot: the robot.
        mailbox: shared memory to the loop.
        endpoint: address to bind.
        key: key pair of the controller; needed if other computers can reach the endpoint.
        trusted: public keys of the clients that may connect.
        slow_motion: factor by which the controller's clock is slower than that of the computer.
        gains: gains of the streams, which contain their limits.

    Attributes:
        side: state of the command channel.

    Raises:
        ConfigError: the endpoint cannot be used.
    """

    def __init__(
        self,
        robot: RobotModel,
        mailbox: CommandMailbox,
        endpoint: str,
        *,
        key: KeyPair | None = None,
        trusted: frozenset[str] = frozenset(),
        slow_motion: int = 1,
        gains: StreamGains | None = None,
    ) -> None:
        self.side = ControlSide(robot, mailbox, self._send, slow_motion, gains)
        self._port = RobotPort(
            self.side, endpoint, key=key, trusted=trusted, holder_intake_ns=HOLDER_INTAKE_NS
        )

    def _send(self, peer: bytes, payload: bytes) -> None:
        self._port.send(peer, payload)

    def cycle(self) -> None:
        """Waits for packets, handles a bounded number of them, and exchanges what is new with the loop."""
        port, side = self._port, self.side
        port.wait(BUSY_MS if side.is_busy else IDLE_MS)
        start_ns = time.monotonic_ns()
        port.take_in()
        side.advance(time.monotonic_ns())
        cut_off = port.news(start_ns)
        if cut_off:
            side.tell(CUT_OFF, cut_off)
        # A flood must not keep this process busy: the next packets wait in the kernel.
        rest_ns = start_ns + CYCLE_NS - time.monotonic_ns()
        if rest_ns > 0:
            time.sleep(rest_ns * 1e-9)

    def serve(self, is_over: Callable[[], bool]) -> None:
        """Runs cycles until `is_over` returns True."""
        while not is_over():
            self.cycle()

    def close(self) -> None:
        """Frees the endpoint."""
        self._port.close()


@contextmanager
def running_agent(
    robot: str,
    mailbox: CommandMailbox,
    endpoint: str,
    *,
    key: str | None = None,
    slow_motion: int = 1,
    core: int = NO_CORE,
    gains: StreamGains | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs the agent in another process, for the duration of a `with` block.

    Args:
        robot: name or folder of the robot.
        mailbox: shared memory to the loop.
        endpoint: address that the agent binds.
        key: name of the controller's key pair; needed if other computers can reach the endpoint.
        slow_motion: factor by which the controller's clock is slower than that of the computer.
        core: core of the loop, which the agent does not use.
        gains: gains of the streams, which contain their limits; None for the defaults.

    Yields:
        The process, which ends by itself only if it fails; its endpoint is open.

    Raises:
        ConfigError: the endpoint or the key cannot be used.
        RuntimeError: the process ended by itself before it was ready.
    """
    check_endpoint(endpoint, keys=key is not None, bind=True)
    code = "from kilohertz.rt.live.agent.process import main; main()"
    limits = (gains if gains is not None else StreamGains()).model_dump_json()
    numbers = [str(slow_motion), str(core), str(os.getpid())]
    arguments = [robot, str(mailbox.fd), endpoint, key or "", *numbers, limits]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        pass_fds=[mailbox.fd],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
        # Ctrl-C must reach the controller only.
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        answer = process.stdout.readline().decode().strip()
        if not answer:
            raise RuntimeError(f"the process of the endpoint {endpoint} ended by itself")
        if answer != READY:
            raise ConfigError(answer)
        with named_at(endpoint):
            yield process
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def main() -> None:
    """Runs the agent process until it is terminated, or the loop's process has ended."""
    folder, fd, endpoint, key, slow_motion, core, parent, limits = sys.argv[1:]
    leave_core(int(core))
    try:
        robot = RobotModel.load(folder)
        agent = Agent(
            robot,
            CommandMailbox(robot, int(fd)),
            endpoint,
            key=load_key(key) if key else None,
            trusted=trusted_keys() if key else frozenset(),
            slow_motion=int(slow_motion),
            gains=StreamGains.model_validate_json(limits),
        )
    except ConfigError as error:
        print(" ".join(str(error).split()), flush=True)
        return
    # A terminated agent leaves no socket behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(READY, flush=True)
    try:
        agent.serve(lambda: os.getppid() != int(parent))
    finally:
        agent.close()
