"""Which keys are held, from the events of a terminal; what cannot be told is a release."""

from __future__ import annotations

from kilohertz.rt.drive.key_decoder import FOCUS_OUT, PRESS, RELEASE, REPEAT, REPORTS_RELEASES, KeyEvent

FIRST_S = 0.7
"""Time for which a key counts as held after its first press, where releases are not reported [s]. A keyboard
begins to repeat a held key after 0.25 to 0.66 s."""
REPEAT_S = 0.25
"""Time for which a key counts as held after a repeat, where releases are not reported [s]. Keyboards repeat
every 30 to 100 ms; a connection over a network delays a repeat now and then."""
ASK_S = 0.1
"""Time between two questions whether a terminal that reports releases is alive [s]."""
ALIVE_S = 0.5
"""Time without any answer after which such a terminal is taken for lost, and all keys for released [s]."""


class HeldKeys:
    """The keys that are held.

    Where releases are not reported, a key is held until its repeats stay away. If several keys are held then,
    only the last one repeats: the others are released. Where they are reported, a key is held until its
    release, until the terminal loses the keyboard, or until it does not answer any more.

    Attributes:
        reports_releases: whether the terminal reports releases.
    """

    def __init__(self) -> None:
        self.reports_releases = False
        self._until_s: dict[str, float] = {}
        self._heard_s = 0.0

    def update(self, event: KeyEvent, now_s: float) -> bool:
        """Takes in an event; returns whether a key has just been pressed that was not held.

        Args:
            event: the event.
            now_s: time at which the event was read [s].
        """
        held = event.key in self.held(now_s)
        self._heard_s = now_s
        if event.kind == REPORTS_RELEASES:
            self.reports_releases = True
            self._until_s.clear()
        elif event.kind == FOCUS_OUT:
            self._until_s.clear()
        elif event.kind == RELEASE:
            self._until_s.pop(event.key, None)
        elif event.kind in (PRESS, REPEAT):
            # A repeated press while the key is held must not make it last as long as a first one.
            self._until_s[event.key] = now_s + (REPEAT_S if held else FIRST_S)
        return event.kind == PRESS and not held

    def held(self, now_s: float) -> frozenset[str]:
        """Returns the names of the keys that are held.

        Args:
            now_s: present time, of the same clock as in `update` [s].
        """
        if self.reports_releases:
            if now_s - self._heard_s > ALIVE_S:
                self._until_s.clear()
            return frozenset(self._until_s)
        return frozenset(key for key, until_s in self._until_s.items() if now_s < until_s)

    def clear(self) -> None:
        """Takes all keys for released; a key that is still held counts again from its next repeat."""
        self._until_s.clear()
