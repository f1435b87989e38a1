"""The controls that move the robot: stop, behaviours, a stick and hands to drag."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any

import viser
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.view.operator import DAMP, NO_CHANNEL, SOFT, Operator
from kilohertz.rt.view.robot_figure import RobotFigure

HOLD_HZ = 20.0
SPEED_M_S, FASTEST_M_S = 0.3, 0.8
TURN_RAD_S, FASTEST_RAD_S = 0.3, 0.8
LONGEST_REQUEST = 2000
STICK = (
    ("Forward", (1.0, 0.0, 0.0), "ARROW_UP"),
    ("Backward", (-1.0, 0.0, 0.0), "ARROW_DOWN"),
    ("Left", (0.0, 1.0, 0.0), "ARROW_LEFT"),
    ("Right", (0.0, -1.0, 0.0), "ARROW_RIGHT"),
    ("Turn left", (0.0, 0.0, 1.0), "ROTATE_2"),
    ("Turn right", (0.0, 0.0, -1.0), "ROTATE_CLOCKWISE_2"),
)
"""Name, direction (forward, left, turn) and icon of each button of the stick."""


def request_of(text: str) -> tuple[str, dict[str, Any]]:
    """Returns behaviour and parameters of a request such as `walk: {velocity_m_s: [0.3, 0]}`.

    Raises:
        ConfigError: the text is no such request.
    """
    problem = ConfigError("write a behaviour and its parameters, such as `walk: {velocity_m_s: [0.3, 0]}`")
    if len(text) > LONGEST_REQUEST:
        raise problem
    try:
        content = YAML(typ="safe").load(io.StringIO(text))
    except YAMLError:
        raise problem from None
    if isinstance(content, str) and content.isidentifier():
        return content, {}
    if not isinstance(content, Mapping) or len(content) != 1:
        raise problem
    ((behaviour, parameters),) = content.items()
    if not isinstance(behaviour, str) or not isinstance(parameters or {}, Mapping):
        raise problem
    return behaviour, dict(parameters or {})


class DrivePanel:
    """Stop buttons above all else, and the tab that drives the robot.

    Args:
        server: web server of the cockpit.
        operator: the user's connection to the controller.
    """

    def __init__(self, server: viser.ViserServer, operator: Operator) -> None:
        self._server, self._operator = server, operator
        self._gizmos: dict[str, Any] = {}
        self._dragged: set[str] = set()
        self._hands: tuple[str, ...] = ()
        gui = server.gui
        stop = gui.add_button(
            "Stop", color="red", icon=viser.Icon.HAND_STOP, hint="Come to rest, then be idle."
        )
        damp = gui.add_button(
            "Damp now", color="orange", hint="Damp all joints at once: the robot sinks to the ground."
        )
        stop.on_click(_at_once(lambda: operator.stop(SOFT)))
        damp.on_click(_at_once(lambda: operator.stop(DAMP)))

    def add_tab(self, hands: tuple[str, ...], *, walks: bool) -> None:
        """Adds the controls to the tab that is open.

        Args:
            hands: names of the robot's hands.
            walks: whether the robot can walk.
        """
        gui = self._server.gui
        self._link = gui.add_markdown(NO_CHANNEL)
        if walks:
            self._add_stick(gui)
        stand = gui.add_button("Stand" if walks else "Hold", icon=viser.Icon.PLAYER_PAUSE)
        stand.on_click(_at_once(lambda: self._operator.request("stand", {})))
        self._text = gui.add_text("Request", "walk: {velocity_m_s: [0.3, 0]}" if walks else "stand: {}")
        gui.add_button("Send", icon=viser.Icon.SEND).on_click(_at_once(self._send))
        if hands:
            self._drag = gui.add_checkbox(
                "Drag hands",
                False,
                hint="Moves each hand to its gizmo; afterwards it stays there.",
            )
            self._hands = hands

        self._log = gui.add_markdown("")

    def _add_stick(self, gui: Any) -> None:
        with gui.add_folder("Walk while a button is held"):
            self._speed = gui.add_slider("m/s", 0.05, FASTEST_M_S, 0.05, SPEED_M_S)
            self._turn = gui.add_slider("rad/s", 0.05, FASTEST_RAD_S, 0.05, TURN_RAD_S)
            for name, direction, icon in STICK:
                button = gui.add_button(name, icon=getattr(viser.Icon, icon))
                button.on_hold(self._holder(direction), callback_hz=HOLD_HZ)

    def _holder(self, direction: tuple[float, float, float]) -> Callable[[Any], Any]:
        forward, left, turn = direction

        async def hold(_: Any) -> None:
            speed, rate = float(self._speed.value), float(self._turn.value)
            self._operator.hold(forward * speed, left * speed, turn * rate)

        return hold

    def _send(self) -> None:
        try:
            self._operator.request(*request_of(self._text.value))
        except ConfigError as error:
            self._log.content = str(error)

    def update(self, figure: RobotFigure) -> None:
        """Shows the state of the connection, and gizmos at the hands while they are wanted.

        Args:
            figure: figure of the robot as it stands now.
        """
        operator = self._operator
        link = "commands reach the controller" if operator.connected else NO_CHANNEL
        if self._link.content != link:
            self._link.content = link
        log = "\n\n".join(reversed(operator.messages))
        if log and self._log.content != log:
            self._log.content = log
        if self._hands:
            self._show_gizmos(figure)

    def _show_gizmos(self, figure: RobotFigure) -> None:
        wanted = bool(self._drag.value)
        if not wanted and self._gizmos:
            for gizmo in self._gizmos.values():
                gizmo.remove()
            self._gizmos.clear()
            self._dragged.clear()
            self._operator.release_hands()
        for i, name in enumerate(self._hands if wanted else ()):
            wxyz = viser.transforms.SO3.from_matrix(figure.R_WH[i]).wxyz
            if name not in self._gizmos:
                self._add_gizmo(name, figure.p_WH[i], wxyz)
            elif name not in self._dragged:
                gizmo = self._gizmos[name]
                gizmo.position, gizmo.wxyz = figure.p_WH[i], wxyz

    def _add_gizmo(self, name: str, p_WH: Any, wxyz: Any) -> None:
        gizmo = self._server.scene.add_transform_controls(
            f"/world/drag-{name}",
            scale=0.18,
            position=p_WH,
            wxyz=wxyz,
            depth_test=False,
        )
        self._gizmos[name] = gizmo

        async def moved(event: Any) -> None:
            self._dragged.add(name)
            place = [float(value) for value in event.target.position]
            turn = [float(value) for value in event.target.wxyz]
            self._operator.hold_hand(name, {"p_WH_m": place, "quaternion_WH": turn})

        gizmo.on_update(moved)


def _at_once(act: Callable[[], None]) -> Callable[[Any], Any]:
    """Returns a callback that runs in the server's event loop, so that no other one is before it."""

    async def callback(_: Any) -> None:
        act()

    return callback
