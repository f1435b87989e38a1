"""`khz bridge`: a bought arm behind the wire protocol, until it is stopped."""

from __future__ import annotations

from contextlib import ExitStack

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
from kilohertz.rt.loop.signals import told_by_signals
from kilohertz.rt.run.serve import server_core

MAKERS = (UniversalRobotsArm.maker, FrankaArm.maker)


def connect_arm(maker: str, address: str, *, enforce_realtime: bool) -> Arm:
    """The arm at an address.

    Args:
        maker: one of `MAKERS`.
        address: of its control box.
        enforce_realtime: whether a maker's library may refuse a kernel that is not real-time.

    Raises:
        ConfigError: the maker is unknown, its library is missing, or the arm cannot be used.
        LinkLostError: no arm answers.
    """
    if maker == UniversalRobotsArm.maker:
        return UniversalRobotsArm(address)
    if maker == FrankaArm.maker:
        return FrankaArm(address, enforce_realtime=enforce_realtime)
    raise ConfigError(f"there is no bridge for '{maker}'; there are {', '.join(MAKERS)}")


def build_bridge(robot: RobotModel, arm: Arm, endpoint: str, *, key: str | None = None) -> ArmBridge:
    """A bridge that has opened its endpoint, and is not running yet.

    Raises:
        ConfigError: robot, endpoint or key cannot be used; the arm is free again.
    """
    try:
        return ArmBridge(
            robot,
            arm,
            endpoint,
            key=load_key(key) if key is not None else None,
            trusted=trusted_keys() if key is not None else frozenset(),
            core=server_core(),
            sleep=absolute_sleeper(),
        )
    except ConfigError:
        arm.close()
        raise


class Bridging:
    """Runs a bridge until it is told to stop: by a signal, or by `stop`.

    Args:
        bridge: what to run.

    Attributes:
        stopped_by: number of the signal that ended `run`; None where `stop` did.
    """

    def __init__(self, bridge: ArmBridge) -> None:
        self.bridge = bridge
        self.stopped_by: int | None = None
        self._stopped = False

    def stop(self) -> None:
        """Ends `run` after this cycle."""
        self._stopped = True

    def _on_signal(self, number: int) -> None:
        self.stopped_by = number
        self.stop()

    def run(self) -> None:
        """Serves the arm; at the end it is braked and handed back to its maker's controller.

        Raises:
            LinkLostError: the arm does not answer any more.
        """
        with ExitStack() as stack:
            stack.enter_context(told_by_signals(self._on_signal))
            stack.enter_context(prepare_realtime(core=server_core()))
            try:
                while not self._stopped:
                    self.bridge.cycle()
            except LinkLostError:
                self.bridge.abandon()
                raise
            except BaseException:
                self.bridge.close()
                raise
            self.bridge.close()
