"""The cockpit itself: receives telemetry, draws it, and shows what the user may do."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import viser

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.telemetry.subscriber import Subscriber
from kilohertz.rt.view.drive_panel import DrivePanel
from kilohertz.rt.view.gains_panel import GainsPanel
from kilohertz.rt.view.history import KEPT_S, History
from kilohertz.rt.view.operator import Operator
from kilohertz.rt.view.plots import Plots
from kilohertz.rt.view.push_panel import PushPanel
from kilohertz.rt.view.scene import Scene
from kilohertz.rt.view.trial_results import TrialResults

DRAW_S, PLOT_S, PANEL_S, FILE_S = 0.06, 0.5, 0.1, 0.5
RECEIVE_S = 0.02
SILENT_S = 1.0
SCRUB_STEP_S = 0.05
PANEL_PX = 320
_ROBOT = ("robot", "config_sha256", "model_sha256")
WAITING = "Waiting for a run with telemetry at {endpoint} …"


class Cockpit:
    """Shows the runs of one telemetry endpoint, one after another.

    Args:
        server: web server.
        subscriber: receiver of the telemetry.
        operator_of: makes the connection for commands, given the control endpoint that the telemetry names.
        now_s: monotonic clock [s].
    """

    def __init__(
        self,
        server: viser.ViserServer,
        subscriber: Subscriber,
        operator_of: Callable[[str | None], Operator],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._server, self._subscriber, self._operator_of, self._now_s = (
            server,
            subscriber,
            operator_of,
            now_s,
        )
        self._operator: Operator | None = None
        self._history: History | None = None
        self._scene: Scene | None = None
        self._pushes: PushPanel | None = None
        self._trials = TrialResults(None)
        self._frozen_s: float | None = None
        self._arrived_s = now_s()
        self._drew_s = self._plotted_s = self._panels_s = self._file_s = 0.0
        self._lay_out()
        self._status = server.gui.add_markdown(WAITING.format(endpoint=subscriber.endpoint))

    def _lay_out(self) -> None:
        gui = self._server.gui
        gui.configure_theme(show_logo=False, show_share_button=False)
        gui.main_panel.dock_right()
        gui.main_panel.set_width(PANEL_PX)

    def run(self) -> None:
        """Shows what arrives until an exception, such as that of Ctrl-C, ends it."""
        try:
            while True:
                self.step()
        finally:
            self.close()

    def step(self) -> None:
        """Receives and draws what is due."""
        message = self._subscriber.receive(RECEIVE_S)
        now_s = self._now_s()
        if message is not None:
            self._arrived_s = now_s
            self._take(message)
        if self._history is None or self._scene is None or not len(self._history):
            return
        if now_s - self._drew_s >= DRAW_S:
            self._drew_s = now_s
            self._draw(self._history, self._scene)
        if now_s - self._plotted_s >= PLOT_S:
            self._plotted_s = now_s
            self._plots.update(self._history, self._shown_s(self._history))
        if now_s - self._panels_s >= PANEL_S:
            self._panels_s = now_s
            # Hands are where the robot is now, also while the past is shown.
            self._scene.figure.pose(self._history.at()["q"])
            self._drive.update(self._scene.figure)
            if self._pushes is not None:
                self._pushes.update(self._history.at()["q"])
            self._gains.show_result(self._trials.text())
        if now_s - self._file_s >= FILE_S:
            self._file_s = now_s
            self._gains.look()

    def _take(self, message: dict[str, Any]) -> None:
        hello = self._subscriber.hello
        if self._history is None or self._history.hello["clock_ns"] != hello["clock_ns"]:
            self._begin(hello)
        assert self._history is not None
        assert self._scene is not None
        self._history.append(message)
        self._scene.track_steps(message)

    def _begin(self, hello: dict[str, Any]) -> None:
        """Prepares for the messages of another run."""
        before = self._history.hello if self._history is not None else None
        if (
            self._scene is not None
            and before is not None
            and all(before[key] == hello[key] for key in _ROBOT)
        ):
            self._scene.begin_run()
        else:
            if self._scene is not None:
                self._scene.remove()
            self._robot = RobotModel.load(hello["robot"])
            self._scene = Scene(self._server, self._robot)
        if before is not None:
            self._plots.remove()
        self._history = History(hello)
        self._frozen_s = None
        self._end_connections()
        self._operator = self._operator_of(hello["control"])
        self._build(hello, self._operator, self._scene)

    def _build(self, hello: dict[str, Any], operator: Operator, scene: Scene) -> None:
        assert self._history is not None
        gui = self._server.gui
        gui.reset()
        self._lay_out()
        self._status = gui.add_markdown("")
        self._drive = DrivePanel(self._server, operator)
        self._ago = gui.add_slider(
            "Seconds ago", 0.0, KEPT_S, SCRUB_STEP_S, 0.0, hint="0 is live; the last minute is kept."
        )
        self._ago.on_update(self._scrub)
        tabs = gui.add_tab_group()
        with tabs.add_tab("Drive"):
            self._drive.add_tab(tuple(hello["hand_names"]), walks=bool(hello["floating"]))
            self._pushes = PushPanel(self._server, self._robot, hello["pushes"])
        self._trials = TrialResults(hello["gains_results"])
        with tabs.add_tab("Gains"):
            watched = hello["gains_file"] if hello["live"] else None
            self._gains = GainsPanel(self._server, self._robot, Path(watched) if watched else None)
        with tabs.add_tab("View"):
            self._add_view(scene)
        self._plots = Plots(self._server, self._history)

    def _add_view(self, scene: Scene) -> None:
        follow = self._server.gui.add_checkbox("Follow the robot", scene.follows)
        through = self._server.gui.add_checkbox("See through", scene.see_through)

        def changed(_: Any) -> None:
            scene.follows = follow.value
            if scene.see_through != through.value:
                scene.see_through = through.value

        follow.on_update(changed)
        through.on_update(changed)
        self._server.gui.add_markdown(scene.legend)

    def _scrub(self, _: Any) -> None:
        history = self._history
        if history is None:
            return
        ago_s = float(self._ago.value)
        self._frozen_s = max(history.oldest_s, history.newest_s - ago_s) if ago_s > 0.0 else None

    def _shown_s(self, history: History) -> float:
        frozen_s = self._frozen_s
        return history.newest_s if frozen_s is None else frozen_s

    def _draw(self, history: History, scene: Scene) -> None:
        frozen_s = self._frozen_s
        values = history.at(frozen_s)
        scene.draw(values)
        text = status_text(values, frozen=frozen_s is not None)
        silent_s = self._now_s() - self._arrived_s
        if silent_s > SILENT_S:
            text += f"\n\n**No telemetry for {silent_s:.0f} s: the run has ended.**"
        if self._status.content != text:
            self._status.content = text

    def _end_connections(self) -> None:
        """Ends what belongs to one run."""
        if self._operator is not None:
            self._operator.close()
        if self._pushes is not None:
            self._pushes.close()
        self._trials.close()

    def close(self) -> None:
        """Ends the connections and the server."""
        self._end_connections()
        self._subscriber.close()
        self._server.stop()


def status_text(values: dict[str, Any], *, frozen: bool) -> str:
    """Returns the line about what is shown.

    Args:
        values: values of the history at one time.
        frozen: whether this is a moment of the past.
    """
    what = " ".join(text for text in (values["behaviour"], values["behaviour_state"]) if text)
    when = "past" if frozen else "live"
    return f"**{values['state']}** · {what or 'no behaviour'} · t = {values['t_s']:.2f} s · {when}"
