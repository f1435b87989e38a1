"""Interface between a bridge and a manufacturer's arm: torques in, joint states out.

The arm compensates gravity itself.
"""

from __future__ import annotations

from typing import Any, Protocol

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.rows import Vector


class ArmStoppedError(Exception):
    """The arm has stopped by itself, or does not accept torque commands. The text is one sentence."""


class Arm(Protocol):
    """An arm that adds gravity torques itself and holds its position while it is not controlled.

    Attributes:
        maker: short name of the manufacturer, for messages.
        joints: number of joints, n.
        periods: control periods of 1 ms from one state of the arm to the next.
        measures_torque: whether the arm measures `tau`; if not, the bridge reports the commanded torque.
        q, v: (n,) joint positions and velocities of the newest state [rad, rad/s].
        tau: (n,) joint torques of the newest state, gravity included [Nm].
        t_s: time of the newest state on the arm's clock [s].
    """

    maker: str
    joints: int
    periods: int
    measures_torque: bool
    q: Vector
    v: Vector
    tau: Vector
    t_s: float

    def read(self) -> None:
        """Waits for the next state of the arm and stores it in the attributes.

        Raises:
            ArmStoppedError: the arm has stopped by itself.
            LinkLostError: the arm does not answer any more.
        """
        ...

    def problem(self) -> str | None:
        """Returns why the newest state does not allow torque control; None if it does."""
        ...

    def engage(self) -> None:
        """Begins torque control; from now on each `read` must be followed by one `write` or by `release`.

        Raises:
            ArmStoppedError: the arm refuses torque control.
        """
        ...

    def write(self, tau: Vector) -> None:
        """Sends the torques that answer the last state read.

        Args:
            tau: (n,) joint torques without gravity [Nm].

        Raises:
            ArmStoppedError: the arm has stopped by itself.
        """
        ...

    def release(self) -> None:
        """Ends torque control of an arm at rest; the arm then holds its position."""
        ...

    def close(self) -> None:
        """Closes the connection to the arm."""
        ...


def vendor_module(name: str, extra: str) -> Any:
    """Imports a manufacturer's Python library.

    Args:
        name: name of the module.
        extra: extra of the kilohertz package that installs the library.

    Raises:
        ConfigError: the library is not installed or cannot be imported.
    """
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigError(
            f"the library {name} cannot be imported ({error}): run pip install 'kilohertz[{extra}]'"
        ) from None
