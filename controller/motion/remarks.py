"""Messages to the operator, such as that a request could not be carried out as commanded."""

from __future__ import annotations


class Remarks:
    """The most recent message to the operator.

    Attributes:
        last: one sentence, or "" if there is none yet. Each assignment of a new string object is a new
            message.
    """

    def __init__(self) -> None:
        self.last = ""
