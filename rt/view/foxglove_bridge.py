"""Shows a running controller in Foxglove or Lichtblick, with the topics that they expect.

The topics are those of `kilohertz.rt.view.foxglove_messages`. The server takes no commands.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import foxglove
from foxglove.channels import (
    FrameTransformsChannel,
    JointStatesChannel,
    LogChannel,
    SceneUpdateChannel,
)

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.telemetry.subscriber import Subscriber
from kilohertz.rt.view.foxglove_messages import JOINTS, LOG, NUMBERS, ROBOT, SCENE, TF, FoxgloveMessages

RECEIVE_S = 0.2
SCENE_EVERY_S = 0.04
BACKLOG = 64


class FoxgloveBridge:
    """Publishes the messages of one telemetry endpoint to all viewers that are connected.

    Args:
        subscriber: receiver of the telemetry.
        host: IP address to bind.
        port: port; 0 lets the system choose.

    Attributes:
        port: port of the server.
    """

    def __init__(self, subscriber: Subscriber, host: str, port: int) -> None:
        self._subscriber = subscriber
        self._context = context = foxglove.Context()
        self._channels = {
            TF: FrameTransformsChannel(TF, context=context),
            JOINTS: JointStatesChannel(JOINTS, context=context),
            ROBOT: SceneUpdateChannel(ROBOT, context=context),
            SCENE: SceneUpdateChannel(SCENE, context=context),
            LOG: LogChannel(LOG, context=context),
            NUMBERS: foxglove.Channel(NUMBERS, message_encoding="json", context=context),
        }
        self._newcomers = True
        self._server = foxglove.start_server(
            name="Kilohertz",
            host=host,
            port=port,
            server_listener=self,
            context=context,
            message_backlog_size=BACKLOG,
        )
        self.port: int = self._server.port
        self._run_ns = -1
        self._told = ("", "", "")
        self._scene_s = -math.inf
        self._config = ""

    def on_subscribe(self, client: Any, channel: Any) -> None:
        """Called by the server, from a thread of its own, for each new subscription."""
        self._newcomers = True

    def run(self) -> None:
        """Publishes what arrives until an exception, such as that of Ctrl-C, ends it."""
        try:
            while True:
                self.step()
        finally:
            self.close()

    def step(self) -> None:
        """Publishes the next message, if one arrives in time."""
        message = self._subscriber.receive(RECEIVE_S)
        if message is None:
            return
        hello = self._subscriber.hello
        if hello["clock_ns"] != self._run_ns:
            self._begin(hello)
        time_ns = self._started_ns + message["stamp_ns"] - self._run_ns
        scene = not 0.0 <= message["t_s"] - self._scene_s < SCENE_EVERY_S
        if scene:
            self._scene_s = message["t_s"]
        for topic, content in self._messages.of_state(message, time_ns, scene=scene).items():
            self._channels[topic].log(content, log_time=time_ns)
        self._tell(message, time_ns)
        if self._newcomers:
            # A viewer that has just come has no meshes yet.
            self._newcomers = False
            self._channels[ROBOT].log(self._messages.meshes(time_ns), log_time=time_ns)

    def _begin(self, hello: Mapping[str, Any]) -> None:
        self._run_ns, self._started_ns = hello["clock_ns"], hello["started_ns"]
        if self._config != hello["config_sha256"]:
            self._messages = FoxgloveMessages(RobotModel.load(hello["robot"]))
            self._config = hello["config_sha256"]
        self._newcomers = True
        self._told = ("", "", "")

    def _tell(self, message: Mapping[str, Any], time_ns: int) -> None:
        now = (message["state"], message["behaviour"], message["behaviour_state"])
        if now == self._told:
            return
        self._told = now
        text = " ".join(part for part in now if part)
        self._channels[LOG].log(self._messages.log(now[0], text, time_ns), log_time=time_ns)

    def close(self) -> None:
        """Ends the server and the connection."""
        self._server.stop()
        self._subscriber.close()
