"""Contacts and enabled tasks in double support and in single support on either foot."""

from __future__ import annotations

from kilohertz.controller.whole_body.whole_body import WholeBody


class Modes:
    """Modes of the whole-body controller while the robot walks.

    Args:
        body: whole-body controller, in which the modes are prepared.
        standing: names of the tasks that are enabled while standing.
    """

    def __init__(self, body: WholeBody, standing: list[str]) -> None:
        self._body = body
        names = body.robot.contact_names
        self._both = (list(names), list(standing))
        self._on_one = []
        for foot, other in ((0, 1), (1, 0)):
            swing = (f"{names[other]}.position", f"{names[other]}.orientation")
            enabled = [task for task in standing if task != f"{names[other]}.force"]
            enabled += [task for task in swing if task in body.task_index]
            self._on_one.append(([names[foot]], enabled))
        for mode in (*self._on_one, self._both):
            body.prepare(*mode)

    def on_both(self) -> None:
        """Switches to double support."""
        self._body.set_mode(*self._both)

    def on(self, foot: int) -> None:
        """Switches to single support on the contact with this index; the other foot swings."""
        self._body.set_mode(*self._on_one[foot])
