"""The one way in which a request is refused."""

from __future__ import annotations


class BehaviourError(ValueError):
    """A request that the robot cannot carry out, in one sentence.

    Args:
        loc: path of the parameter that asks for it, such as `("hands", "left_hand", "p_BH_m")`; empty for
            the request as a whole.
        sentence: what cannot be done, and what can.

    Attributes:
        loc: as given.
    """

    def __init__(self, loc: tuple[str | int, ...], sentence: str) -> None:
        super().__init__(sentence)
        self.loc = loc
