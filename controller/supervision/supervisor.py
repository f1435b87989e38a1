"""State machine of a controller: its states, its events and the table of transitions."""

from __future__ import annotations

IDLE, ARMED, ACTIVE, SOFT_STOP, DAMPING = STATES = ("idle", "armed", "active", "soft_stop", "damping")
"""States of a controller.

idle: no robot is controlled. armed: control of the robot, which is at rest, has begun and no tick has run
yet. active: the controller moves the robot. soft_stop: the controller brings the robot to rest. damping:
every joint is damped; latched until the controller is armed again.
"""

ARM, TICK, STOP, REST, FAIL = EVENTS = ("arm", "tick", "stop", "rest", "fail")
"""Events.

arm: control of a robot at rest begins. tick: the first tick runs. stop: a request asks the robot to come to
rest. rest: the robot is at rest after such a request. fail: the joints are damped, on request or after an
error.
"""

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
"""Next state for each pair of state and event; an event without an entry is ignored."""

CONTROLLING = (ACTIVE, SOFT_STOP)
"""States in which the whole-body controller commands the joints."""


class Supervisor:
    """The state of a controller.

    Attributes:
        state: one of `STATES`.
        reason: why the joints are damped, one sentence; "" in every other state.
        controls: whether the state is one of `CONTROLLING`.
    """

    def __init__(self) -> None:
        self.state = IDLE
        self.reason = ""
        self.controls = False

    def handle(self, event: str, reason: str = "") -> bool:
        """Makes the transition for an event; hot path.

        Args:
            event: one of `EVENTS`.
            reason: reason of a FAIL event, one sentence; kept while the state is damping.

        Returns:
            Whether the table has a transition for the event, which may lead to the same state again.
        """
        after = TRANSITIONS.get((self.state, event))
        if after is None:
            return False
        self.state = after
        self.reason = reason if after is DAMPING else ""
        self.controls = after in CONTROLLING
        return True
