"""Reads the result of the trial of new gains from the loop's shared memory."""

from __future__ import annotations

import os
import re
from contextlib import suppress

from kilohertz.rt.live.gains_mailbox import GainsMailbox
from kilohertz.rt.live.gains_watch import result_text

_ADDRESS = re.compile(r"/proc/\d+/fd/\d+")
ON_TRIAL_TEXT = "gains {} on trial …"


class TrialResults:
    """The results of one run.

    Args:
        address: address of the run's mailbox of gains; None for a run whose gains cannot change.
    """

    def __init__(self, address: str | None) -> None:
        self._mailbox: GainsMailbox | None = None
        self._fd = -1
        self._known = 0
        self._text = ""
        if address is None or not _ADDRESS.fullmatch(address):
            return
        # The run may have ended, or the address may be that of something else.
        with suppress(OSError, ValueError):
            self._fd = os.open(address, os.O_RDWR | os.O_CLOEXEC)
            self._mailbox = GainsMailbox(self._fd)

    def text(self) -> str:
        """Returns the newest result in words, with the figures before and after; "" before the first."""
        if self._mailbox is not None:
            self._known, answer = self._mailbox.read_answer(self._known)
            if answer is not None:
                self._text = result_text(answer) or ON_TRIAL_TEXT.format(answer.generation)
        return self._text

    def close(self) -> None:
        """Closes the memory."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
