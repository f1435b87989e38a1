"""Sliders for the live gains: a draft, which is applied, reverted or saved as a whole."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import viser
from pydantic import BaseModel

from kilohertz.controller.gains.schema import Gains
from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.live.gains_text import Keys
from kilohertz.rt.view.gains_draft import GainsDraft

NOT_WATCHED = "The gains of this run cannot change: start it with `--watch-gains`."
SEEN_AS_S = "Sliders are a draft. **Apply** writes it to {file}, from which the run takes it on trial."
STEPS = 200


def description_of(path: Keys) -> str:
    """Returns what a gain means, from the schema of gains.yaml."""
    model: type[BaseModel] = Gains
    for key in path[:-1]:
        model = model.model_fields[key].annotation  # type: ignore[assignment]
    return model.model_fields[path[-1]].description or ""


def step_of(low: float, high: float) -> float:
    """Returns a round step that divides a range into at least `STEPS` steps."""
    raw = (high - low) / STEPS
    return 10.0 ** math.floor(math.log10(raw)) if raw > 0.0 else 1.0


class GainsPanel:
    """The tab with the gains.

    Args:
        server: web server of the cockpit.
        robot: model of the robot.
        path: gains file that the run watches; None if it watches none.
    """

    def __init__(self, server: viser.ViserServer, robot: RobotModel, path: Path | None) -> None:
        gui = self._gui = server.gui
        self._sliders: dict[Keys, Any] = {}
        self._draft: GainsDraft | None = None
        self._result: Any = None
        if path is None:
            gui.add_markdown(NOT_WATCHED)
            return
        try:
            self._draft = GainsDraft(robot, path)
        except ConfigError as error:
            gui.add_markdown(str(error))
            return
        gui.add_markdown(SEEN_AS_S.format(file=self._draft.path.name))
        self._state = gui.add_markdown("")
        for label, act, hint in (
            ("Apply", self._draft.apply, "Write the draft to the gains file."),
            ("Revert", self._draft.revert, "Drop the draft; put the file back to what was saved last."),
            ("Save", self._draft.save, "Keep what is in the file: Revert will come back to it."),
        ):
            self._add_button(label, act, hint)
        self._result = gui.add_markdown("")
        self._add_sliders(self._draft)
        self._show_state()

    def _add_button(self, label: str, act: Any, hint: str) -> None:
        def clicked(_: Any) -> None:
            try:
                act()
            except ConfigError as error:
                self._state.content = f"**{label}:** {error}"
                return
            self._show_values()
            self._show_state()

        self._gui.add_button(label, hint=hint).on_click(clicked)

    def _add_sliders(self, draft: GainsDraft) -> None:
        values, folders = draft.values(), {}
        for path, (low, high) in draft.ranges().items():
            section = path[:-1]
            if section not in folders:
                folders[section] = self._gui.add_folder(
                    ".".join(section), expand_by_default=section == ("com",)
                )
            with folders[section]:
                slider = self._gui.add_slider(
                    path[-1], low, high, step_of(low, high), values[path], hint=description_of(path)
                )
            self._sliders[path] = slider
            slider.on_update(self._changer(draft, path))

    def _changer(self, draft: GainsDraft, path: Keys) -> Any:
        def changed(event: Any) -> None:
            # What this program sets itself is no change of the user's.
            if event.client is not None:
                draft.change(path, float(event.target.value))
                self._show_state()

        return changed

    def _show_values(self) -> None:
        assert self._draft is not None
        values, ranges = self._draft.values(), self._draft.ranges()
        for path, slider in self._sliders.items():
            low, high = ranges[path]
            slider.min, slider.max = min(low, slider.min), max(high, slider.max)
            slider.value = self._draft.draft.get(path, values[path])
            slider.min, slider.max = low, high

    def _show_state(self) -> None:
        draft = self._draft
        assert draft is not None
        values = draft.values()
        changes = [f"`{'.'.join(path)}` {values[path]:g} → {value:g}" for path, value in draft.draft.items()]
        text = ", ".join(changes) if changes else "No change in the draft."
        try:
            unsaved = draft.unsaved
        except ConfigError as error:
            text, unsaved = str(error), False
        self._state.content = text + (" Applied, not saved." if unsaved else "")

    def show_result(self, text: str) -> None:
        """Shows the result of the newest gains' trial, in words; "" before the first."""
        if self._result is not None and text and self._result.content != text:
            self._result.content = text

    def look(self) -> None:
        """Takes over what another program has written to the file."""
        if self._draft is None:
            return
        try:
            changed = self._draft.look()
        except ConfigError as error:
            self._state.content = str(error)
            return
        if changed:
            self._show_values()
            self._show_state()
