"""The maker's motion service, which must have released the motors before another program commands them.

Source of the requests: unitreerobotics/unitree_sdk2_python, unitree_sdk2py/comm/motion_switcher and rpc.
"""

from __future__ import annotations

import json
import time
from typing import Any

from kilohertz.robots.unitree.dds import EXTRA, Dds
from kilohertz.robots.wire.maker_arm import vendor_module

REQUESTS, RESPONSES = "rt/api/motion_switcher/request", "rt/api/motion_switcher/response"
CHECK, RELEASE = 1001, 1003
"""Requests: which mode controls the robot, and release of the motors."""
POLL_S = 0.02
MOST_TAKEN = 8

_types: dict[str, Any] = {}


def api_types() -> tuple[Any, Any]:
    """Returns the DDS types of a request and of a response.

    Raises:
        ConfigError: the library is not installed.
    """
    if not _types:
        idl = vendor_module("cyclonedds.idl", EXTRA)
        annotations = vendor_module("cyclonedds.idl.annotations", EXTRA)
        types = vendor_module("cyclonedds.idl.types", EXTRA)

        def struct(name: str, **fields: Any) -> Any:
            made = idl.make_idl_struct(name, f"unitree_api.msg.dds_.{name}", fields)
            return annotations.autoid("sequential")(annotations.final(made))

        identity = struct("RequestIdentity_", id=types.int64, api_id=types.int64)
        lease = struct("RequestLease_", id=types.int64)
        policy = struct("RequestPolicy_", priority=types.int32, noreply=bool)
        status = struct("ResponseStatus_", code=types.int32)
        binary = types.sequence[types.byte]
        _types["request"] = struct(
            "Request_",
            header=struct("RequestHeader_", identity=identity, lease=lease, policy=policy),
            parameter=str,
            binary=binary,
        )
        _types["response"] = struct(
            "Response_",
            header=struct("ResponseHeader_", identity=identity, status=status),
            data=str,
            binary=binary,
        )
    return _types["request"], _types["response"]


def part(kind: Any, name: str) -> Any:
    """Returns the type of a member of a struct."""
    return kind.__annotations__[name]


class MotionService:
    """Asks the motion service of a robot which mode controls it, and releases it.

    Args:
        dds: this program's part in the domain.

    Attributes:
        mode: name of the mode that controls the robot; "" once released; None while it has not answered.
    """

    def __init__(self, dds: Dds) -> None:
        self.mode: str | None = None
        self._request, response = api_types()
        publisher, subscriber = vendor_module("cyclonedds.pub", EXTRA), vendor_module("cyclonedds.sub", EXTRA)
        self._writer = publisher.DataWriter(*dds.plain(REQUESTS, self._request))
        self._reader = subscriber.DataReader(*dds.plain(RESPONSES, response))
        self._asked: dict[int, int] = {}

    def ask(self, api: int = CHECK) -> None:
        """Sends a request; `poll` takes in the answer."""
        header = part(self._request, "header")
        identity = part(header, "identity")(id=time.monotonic_ns(), api_id=api)
        self._asked = {identity.id: api}
        self._writer.write(
            self._request(
                header=header(
                    identity=identity,
                    lease=part(header, "lease")(id=0),
                    policy=part(header, "policy")(priority=0, noreply=False),
                ),
                parameter="{}",
                binary=[],
            )
        )

    def poll(self) -> bool:
        """Takes in answers; returns whether the last request was answered. Never blocks."""
        for response in self._reader.take(MOST_TAKEN):
            header = getattr(response, "header", None)
            if header is None or self._asked.pop(header.identity.id, None) != CHECK:
                continue
            name = _mode_name(response.data) if header.status.code == 0 else None
            self.mode = name if name is not None else self.mode
        return not self._asked

    def wait(self, api: int, timeout_s: float) -> bool:
        """Sends a request until it is answered; returns False if it is not within the time.

        Args:
            api: `CHECK` or `RELEASE`.
            timeout_s: time limit [s].
        """
        until_s = time.monotonic() + timeout_s
        repeat_s = 0.0
        while time.monotonic() < until_s:
            if time.monotonic() >= repeat_s:
                # The service may not have been discovered when the first request was sent.
                self.ask(api)
                repeat_s = time.monotonic() + 0.5
            time.sleep(POLL_S)
            if self.poll():
                return True
        return False

    def release(self, timeout_s: float) -> bool:
        """Releases the motors, which makes the robot limp; returns whether no mode controls it any more.

        Args:
            timeout_s: time limit [s].
        """
        until_s = time.monotonic() + timeout_s
        while time.monotonic() < until_s:
            left_s = until_s - time.monotonic()
            if self.wait(CHECK, left_s) and self.mode == "":
                return True
            self.wait(RELEASE, left_s)
        return False


def _mode_name(data: str) -> str | None:
    """Returns the mode that an answer names; None for an answer that cannot be read."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return None
    name = content.get("name") if isinstance(content, dict) else None
    return name if isinstance(name, str) else None
