"""Implementation of `khz bridge`: connects a maker's machine to the wire protocol until it is stopped."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Protocol

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.wire.endpoint import load_key, trusted_keys
from kilohertz.robots.wire.franka import FrankaArm
from kilohertz.robots.wire.link import LinkLostError
from kilohertz.robots.wire.maker_arm import Arm
from kilohertz.robots.wire.maker_bridge import ArmBridge
from kilohertz.robots.wire.universal_robots import UniversalRobotsArm
from kilohertz.rt.host.realtime import prepare_realtime
from kilohertz.rt.loop.clock import absolute_sleeper
from kilohertz.rt.loop.signals import UntilStopped
from kilohertz.rt.run.serve import server_core

MAKERS = (UniversalRobotsArm.maker, FrankaArm.maker)


def connect_arm(maker: str, address: str, *, enforce_realtime: bool) -> Arm:
    """Connects to the arm at an address.

    Args:
        maker: manufacturer of the arm, one of `MAKERS`.
        address: network address of its control box.
        enforce_realtime: whether the library of the manufacturer may refuse a kernel that is not real-time.

    Raises:
        ConfigError: the manufacturer is unknown, its library is missing, or the arm cannot be used.
        LinkLostError: no arm answers.
    """
    if maker == UniversalRobotsArm.maker:
        return UniversalRobotsArm(address)
    if maker == FrankaArm.maker:
        return FrankaArm(address, enforce_realtime=enforce_realtime)
    raise ConfigError(f"there is no bridge for '{maker}'; there are {', '.join(MAKERS)}")


def build_bridge(robot: RobotModel, arm: Arm, endpoint: str, *, key: str | None = None) -> ArmBridge:
    """Builds a bridge and opens its endpoint; the bridge is not running yet.

    Args:
        robot: model of the arm.
        arm: the connected arm.
        endpoint: endpoint to open.
        key: name of the key pair of the bridge; None for a link without keys.

    Raises:
        ConfigError: robot, endpoint or key cannot be used; the connection to the arm is then closed.
    """
    try:
        return ArmBridge(
            robot,
            arm,
            endpoint,
            key=load_key(key) if key is not None else None,
            trusted=trusted_keys() if key is not None else frozenset(),
            sleep=absolute_sleeper(),
        )
    except ConfigError:
        arm.close()
        raise


class Bridge(Protocol):
    """A bridge to a maker's machine."""

    @property
    def cut_off(self) -> tuple[int, str]:
        """Number of connections that were cut off, and a sentence about the last one; empty if none was."""
        ...

    def cycle(self) -> None:
        """Runs one cycle of the machine."""
        ...

    def close(self) -> None:
        """Brings the machine to rest and closes both connections."""
        ...

    def abandon(self) -> None:
        """Closes both connections at once, for a machine that does not answer any more."""
        ...


class Bridging(UntilStopped):
    """Runs a bridge until it is stopped by a signal, or by a call of `stop`.

    Args:
        bridge: the bridge to run.
    """

    def __init__(self, bridge: Bridge) -> None:
        super().__init__()
        self.bridge = bridge

    def run(self) -> None:
        """Runs the bridge; at the end the machine is brought to rest: see the bridge's `close`.

        Raises:
            LinkLostError: the machine no longer answers.
        """
        with ExitStack() as stack:
            stack.enter_context(self.told())
            stack.enter_context(prepare_realtime(core=server_core()))
            try:
                while not self.stopped:
                    self.bridge.cycle()
            except LinkLostError:
                self.bridge.abandon()
                raise
            except BaseException:
                self.bridge.close()
                raise
            self.bridge.close()
