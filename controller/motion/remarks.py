"""What could not be done as asked, for whoever watches."""

from __future__ import annotations


class Remarks:
    """The last remark.

    Attributes:
        last: one sentence, "" while there is none; a new object is a new remark.
    """

    def __init__(self) -> None:
        self.last = ""
