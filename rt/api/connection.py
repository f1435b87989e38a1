"""Connection to a running controller, simulated or real: requests, streams and stops."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Literal

from numpy.typing import ArrayLike

from kilohertz.refused import Refused, refusing
from kilohertz.robots.wire.endpoint import load_key, load_public
from kilohertz.rt.live.client import ControlClient
from kilohertz.rt.live.control_status import ControlEvent, ControlStatus
from kilohertz.rt.live.stream_targets import StreamTargets, Targets


def connect(
    endpoint: str,
    timeout_s: float = 30.0,
    *,
    name: str = "",
    role: Literal["person", "program"] = "program",
    key: str | None = None,
    controller_key: str | None = None,
) -> Connection:
    """Connects to the controller that runs at a control endpoint.

    Example::

        import kilohertz as khz

        with khz.connect("ipc:///tmp/kilohertz-0/g1-control") as robot:
            robot.command("walk", velocity_m_s=[0.3, 0.0])

    Args:
        endpoint: control endpoint, as `khz run` or `khz sim` prints it.
        timeout_s: time to wait for the controller to answer [s].
        name: name of this client, which other clients are told; by default the process id.
        role: a `person` takes over from a `program`, and a program does not from a person.
        key: name of the key pair of this computer, for a controller on another one; see `khz keys`.
        controller_key: name of the controller's public key.

    Raises:
        Refused: the endpoint or a key cannot be used, or the controller refuses this client.
        LinkLostError: no controller answers.
    """
    with refusing():
        client = ControlClient(
            endpoint,
            name=name,
            role=role,
            key=load_key(key) if key is not None else None,
            controller_key=load_public(controller_key) if controller_key is not None else None,
            timeout_s=timeout_s,
        )
    return Connection(client)


class Connection:
    """A connection to a running controller, from `connect`; as a context manager it is closed at the end.

    The first request or sample takes the lease, if nobody holds it, or if a program holds it and this client
    is a person. The lease ends after 0.5 s in which this client sends nothing: a stream keeps it,
    `wait_done` keeps it, and `keep_alive` does. Behaviours go on without a lease, streams end as documented
    (a walk comes to a stand, hands stay where they are). Every method raises `LinkLostError` if the
    controller does not answer any more.

    Attributes:
        robot: name of the robot.
        joint_names, hand_names, contact_names: names of its joints, hands and contacts.
        behaviours: names of the behaviours that can be requested.
    """

    def __init__(self, client: ControlClient) -> None:
        self.robot = client.robot
        self.joint_names, self.hand_names = client.joints, client.hands
        self.contact_names = client.contacts
        self.behaviours = client.behaviours
        self._client = client
        self._request = 0

    @property
    def t_s(self) -> float:
        """Present time on the controller's clock [s]."""
        return self._client.now_s()

    def command(self, behaviour: str, **parameters: Any) -> None:
        """Requests a behaviour, and waits until the controller has accepted it.

        Args:
            behaviour: name of the behaviour, such as `walk`.
            parameters: its parameters, named as in a scenario.

        Raises:
            Refused: the request is refused; one sentence.
        """
        with refusing():
            self._request = self._client.command(behaviour, parameters)

    def wait_done(self, timeout_s: float | None = None) -> None:
        """Waits until the behaviour of the last `command` is done.

        Most behaviours go on until another one is requested; `bow` and `footsteps` end by themselves.

        Args:
            timeout_s: longest time to wait [s]; None for any time.

        Raises:
            Refused: nothing was requested, or the behaviour ended before it was done; one sentence.
            TimeoutError: it is not done in this time.
        """
        number, self._request = self._request, 0
        if not number:
            raise Refused("there is no behaviour to wait for: request one with `command`")
        try:
            why = self._client.wait_done(number, float("inf") if timeout_s is None else timeout_s)
        except TimeoutError:
            self._request = number
            raise
        if why:
            raise Refused(why)

    def stream(
        self,
        *,
        velocity_m_s: ArrayLike | None = None,
        yaw_rate_rad_s: float | None = None,
        hands: Targets | None = None,
        gaze: Mapping[str, float] | None = None,
        com_offset_m: ArrayLike | None = None,
        lean_rad: float | None = None,
        posture_rad: Mapping[str, float] | None = None,
        wrench: Mapping[str, ArrayLike] | None = None,
        t_s: float | None = None,
    ) -> None:
        """Sends one sample of any of the streams, without waiting; call it at 1 Hz to 1 kHz.

        The controller follows the samples within its limits. What it drops, such as values that are not
        finite, or all samples while a person holds the lease, is counted in `status`, and told in `events`
        at most once per second.

        Args:
            velocity_m_s: velocity of the walk forward and to the left [m/s]; a robot that stands begins to
                walk.
            yaw_rate_rad_s: turning rate, positive to the left [rad/s].
            hands: target of each named hand, with F = B (level frame at the base) or W (world): `p_FH_m`, and
                optionally the orientation as `rpy_FH_rad` or `quaternion_FH` (w, x, y, z), and the velocities
                `v_FH_m_s` and `w_FH_rad_s`, which are estimated from successive samples if left out.
            gaze: `yaw_rad` and `pitch_rad` of the gaze, from the heading and from the horizontal.
            com_offset_m: (3,) offset of the centre of mass in heading axes [m].
            lean_rad: pitch of the trunk, positive forward [rad].
            posture_rad: angle of each named joint [rad].
            wrench: force [N] and moment [Nm] that each named hand exerts on what it touches, as 6 numbers in
                world axes.
            t_s: time of the sample on the controller's clock [s], see `t_s`; by default the present time.

        Raises:
            Refused: a name is unknown or a value has the wrong length.
        """
        targets = StreamTargets(
            velocity_m_s, yaw_rate_rad_s, hands, gaze, com_offset_m, lean_rad, posture_rad, wrench
        )
        with refusing():
            self._client.stream(targets, t_s)

    def release(self, *streams: str) -> None:
        """Takes streams out of use: the behaviour alone moves the robot again.

        Args:
            streams: `velocity`, `hands`, `gaze`, `com`, `lean`, `posture`, `wrench`; all if left out.

        Raises:
            Refused: there is no such stream.
        """
        with refusing():
            self._client.release(*streams)

    def stop(self, how: Literal["soft", "damp"] = "soft", reason: str = "") -> None:
        """Stops the robot, whoever holds the lease.

        Args:
            how: `soft`: the robot comes to rest and is damped then; `damp`: its joints are damped at once.
            reason: reason, for people.

        Raises:
            Refused: `how` is something else.
        """
        with refusing():
            self._client.stop(how, reason)

    def status(self) -> ControlStatus:
        """Returns what the controller reports of itself, and of the lease and the streams."""
        return self._client.status()

    def take_lease(self) -> None:
        """Takes the lease; needed after another client took it over, before the next stream.

        Raises:
            Refused: another client holds it; one sentence.
        """
        with refusing():
            self._client.take()

    def give_lease(self) -> None:
        """Gives the lease back; the streams end as if this client were silent."""
        self._client.give()

    def keep_alive(self) -> None:
        """Keeps the lease; call it at least every 0.4 s while nothing else is sent."""
        self._client.keep_alive()

    def describe(self, behaviour: str) -> dict[str, Any]:
        """Returns the JSON schema of the parameters of a behaviour; of `streams`, the limits of all streams.

        Raises:
            Refused: there is no such behaviour.
        """
        with refusing():
            return self._client.describe(behaviour)

    def events(self) -> list[ControlEvent]:
        """Returns what the controller told since the last call: remarks, lease changes, dropped samples."""
        self._client.poll()
        told = list(self._client.events)
        self._client.events.clear()
        return told

    def close(self) -> None:
        """Ends the connection, and with it the lease."""
        self._client.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
