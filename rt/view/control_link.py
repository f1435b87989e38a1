"""Connects the cockpit to the command channel of a running controller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kilohertz.rt.live.client import ControlClient
from kilohertz.rt.live.control_messages import PERSON
from kilohertz.rt.live.stream_targets import StreamTargets
from kilohertz.rt.view.operator import Pose, Velocity

NAME = "cockpit"
CONNECT_S = 1.0


class ControlLink:
    """A connection to a controller, as `kilohertz.rt.view.operator.Control`.

    Args:
        endpoint: control endpoint of the controller.

    Raises:
        ConfigError: the endpoint cannot be used, or the controller refuses this client.
        LinkLostError: no controller answers.
    """

    def __init__(self, endpoint: str) -> None:
        self._client = ControlClient(endpoint, name=NAME, role=PERSON, timeout_s=CONNECT_S)

    def command(self, behaviour: str, parameters: Mapping[str, Any]) -> None:
        """Requests a behaviour.

        Raises:
            ConfigError: it is refused.
            LinkLostError: the controller does not answer.
        """
        self._client.command(behaviour, parameters)

    def stream(self, velocity: Velocity | None, hands: Mapping[str, Pose]) -> None:
        """Sends one sample.

        Args:
            velocity: velocity forward and to the left [m/s] and turning rate [rad/s]; None for no sample.
            hands: targets of hands.

        Raises:
            LinkLostError: the controller does not answer.
        """
        targets = StreamTargets(
            velocity_m_s=velocity[:2] if velocity is not None else None,
            yaw_rate_rad_s=velocity[2] if velocity is not None else None,
            hands=hands or None,
        )
        self._client.stream(targets)

    def stop(self, how: str) -> None:
        """Stops the robot: `soft`, or `damp` at once."""
        self._client.stop(how, NAME)

    def news(self) -> list[str]:
        """Handles what has arrived, and returns it as sentences."""
        self._client.poll()
        sentences = []
        while self._client.events:
            event = self._client.events.popleft()
            # That this client holds the lease while it does something goes without saying.
            if event.kind != "lease" or f"'{NAME}'" not in event.text:
                sentences.append(f"{event.kind}: {event.text}")
        return sentences

    def close(self) -> None:
        """Ends the connection."""
        self._client.close()
