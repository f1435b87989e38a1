"""The states of a controller, and the one table of how they follow each other."""

from __future__ import annotations

IDLE, ARMED, ACTIVE, SOFT_STOP, DAMPING = STATES = ("idle", "armed", "active", "soft_stop", "damping")
"""idle: no robot is controlled. armed: the robot at rest has been taken over, no tick has run yet. active:
the controller moves the robot. soft_stop: the robot is being brought to rest. damping: every joint is damped;
latched until the controller is armed again."""

ARM, TICK, STOP, REST, FAIL = EVENTS = ("arm", "tick", "stop", "rest", "fail")
"""arm: a robot at rest is taken over. tick: the first tick. stop: a request to come to rest. rest: the robot
is at rest after such a request. fail: the controller lets go, on request or because something is wrong."""

TRANSITIONS = {
    (IDLE, ARM): ARMED,
    (ARMED, ARM): ARMED,
    (ARMED, TICK): ACTIVE,
    (ARMED, FAIL): DAMPING,
    (ACTIVE, ARM): ARMED,
    (ACTIVE, STOP): SOFT_STOP,
    (ACTIVE, FAIL): DAMPING,
    (SOFT_STOP, ARM): ARMED,
    (SOFT_STOP, REST): IDLE,
    (SOFT_STOP, FAIL): DAMPING,
    (IDLE, FAIL): DAMPING,
    (DAMPING, ARM): ARMED,
}
"""Next state by state and event; what is not in the table changes nothing."""

CONTROLLING = (ACTIVE, SOFT_STOP)
"""States in which the whole-body controller commands the joints."""


class Supervisor:
    """The state of a controller.

    Attributes:
        state: one of `STATES`.
        reason: why it damps, one sentence; "" in every other state.
        controls: whether the state is one of `CONTROLLING`.
    """

    def __init__(self) -> None:
        self.state = IDLE
        self.reason = ""
        self.controls = False

    def handle(self, event: str, reason: str = "") -> bool:
        """Takes an event; hot path.

        Args:
            event: one of `EVENTS`.
            reason: for FAIL, why; kept while the state is damping.

        Returns:
            Whether the state has changed or was entered anew.
        """
        after = TRANSITIONS.get((self.state, event))
        if after is None:
            return False
        self.state = after
        self.reason = reason if after is DAMPING else ""
        self.controls = after in CONTROLLING
        return True
