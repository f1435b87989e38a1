"""Exception with which a behaviour refuses a request."""

from __future__ import annotations


class BehaviourError(ValueError):
    """Raised for a request that the robot cannot carry out; the message is one sentence.

    Args:
        loc: path of the parameter that is at fault, such as `("hands", "left_hand", "p_BH_m")`; empty if the
            request as a whole cannot be carried out.
        sentence: message that says what cannot be done, and what can.

    Attributes:
        loc: path of the parameter, as in the argument.
    """

    def __init__(self, loc: tuple[str | int, ...], sentence: str) -> None:
        super().__init__(sentence)
        self.loc = loc
