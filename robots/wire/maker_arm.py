"""What a bridge needs of a bought arm: torques in, joint states out; gravity is the arm's own business."""

from __future__ import annotations

from typing import Any, Protocol

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.rows import Vector


class ArmStoppedError(Exception):
    """The arm has stopped by itself, or does not do what it is told; one sentence."""


class Arm(Protocol):
    """An arm that adds gravity torques itself and holds its position while nobody controls it.

    Attributes:
        maker: for the sentences.
        joints: how many.
        periods: milliseconds from one of its states to the next.
        measures_torque: whether `tau` is measured; else the bridge fills in what it has asked for.
        q, v, tau: of the newest state [rad, rad/s, Nm]; tau with gravity.
        t_s: its time, on the arm's clock [s].
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
        """Waits for the next state.

        Raises:
            ArmStoppedError: it has stopped by itself.
            LinkLostError: it does not answer any more.
        """
        ...

    def problem(self) -> str | None:
        """Why torque control must not begin, as of the newest state; None where it may."""
        ...

    def engage(self) -> None:
        """Begins torque control: from now on each `read` is followed by one `write`, or by `release`.

        Raises:
            ArmStoppedError: it refuses.
        """
        ...

    def write(self, tau: Vector) -> None:
        """Sends torques without gravity, for the state read last [Nm].

        Raises:
            ArmStoppedError: it has stopped by itself.
        """
        ...

    def release(self) -> None:
        """Ends torque control of an arm at rest, which holds its position from now on."""
        ...

    def close(self) -> None:
        """Frees the connection."""
        ...


def vendor_module(name: str, extra: str) -> Any:
    """A maker's own library.

    Raises:
        ConfigError: it is not installed.
    """
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigError(f"{name} cannot be used ({error}): pip install 'kilohertz[{extra}]'") from None
