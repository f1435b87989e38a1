"""Names the cause of a fall or a stop: the sign of trouble that came first, in a closed vocabulary.

A sign of `kilohertz.rt.why.symptoms` stands for one cause. The one with the earliest onset is named; those
that come after it are its consequences until shown otherwise, and are listed with their times.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kilohertz.rt.why import symptoms
from kilohertz.rt.why.imu_sign import turned
from kilohertz.rt.why.margins import Margins
from kilohertz.rt.why.symptoms import Sign

NOTHING, UNKNOWN = "nothing_wrong", "unknown"
CAUSES = {
    "push": "a push from outside",
    "slippery_floor": "a floor that is more slippery than assumed",
    "early_touch_down": "a foot that struck or landed on something early",
    "imu_turned": "an IMU that is turned in its mount",
    "encoder_frozen": "a joint sensor that repeats its value",
    "torque_limit": "a drive that is weaker than its torque limit",
    "payload": "a payload that is too heavy",
    "link_lost": "the link to the robot was lost",
    "gains": "gains that are too high: the torques chatter",
    "periods_missed": "periods without a tick",
    UNKNOWN: "no sign explains the stop",
    NOTHING: "nothing is wrong",
}
"""All causes that are ever named, and each in words."""
OF_SIGN = {
    "force": "push",
    "slide": "slippery_floor",
    "touch": "early_touch_down",
    "imu": "imu_turned",
    "frozen": "encoder_frozen",
    "torque": "torque_limit",
    "load": "payload",
    "link": "link_lost",
    "chatter": "gains",
    "periods": "periods_missed",
}
"""The cause for which each kind of sign stands."""

Look = Callable[[Margins, int], "Sign | None"]
LOOKS: tuple[Look, ...] = (
    symptoms.missed,
    symptoms.frozen,
    turned,
    symptoms.pushed,
    symptoms.loaded,
    symptoms.struck,
    symptoms.touched,
    symptoms.slid,
    symptoms.weak,
    symptoms.chattered,
    symptoms.unlinked,
)


@dataclass(frozen=True)
class Verdict:
    """What went wrong first.

    Attributes:
        cause: a key of CAUSES.
        at_s: time of its first sign [s]; None if nothing is wrong.
        signs: all signs of trouble, the first one first.
        stop: index of the first tick in which the robot was not controlled any more; the number of ticks
            if it was controlled to the end.
        stopped_because: why the run stopped, in the words of controller or loop; "" if it ended as planned.
    """

    cause: str
    at_s: float | None
    signs: tuple[Sign, ...]
    stop: int
    stopped_because: str


EARLY_S = 0.06
"""A touch-down or a lack of torque at most this long before a push is the push: the contact forces follow
from the torques of the legs, and the averages that show a push rise later [s]."""
TOGETHER_S = 0.15
"""A foot that slides and an IMU that contradicts the legs look alike if they begin within this time:
velocities come from both. The stronger of the two signs is then the cause [s]."""
_SUDDEN = ("force", "load", "frozen", "periods")


def in_order(found: list[Sign]) -> tuple[Sign, ...]:
    """Returns signs in the order of their onset; those that cannot be told apart by it, by their strength."""
    signs = sorted(found, key=lambda sign: sign.at_s - (EARLY_S if sign.kind in _SUDDEN else 0.0))
    if signs:
        first = signs[0]
        for sign in signs[1:]:
            alike = {first.kind, sign.kind} <= {"imu", "slide", "force"} and "imu" in (first.kind, sign.kind)
            if alike and abs(sign.at_s - first.at_s) < TOGETHER_S and sign.strength > first.strength:
                signs.remove(sign)
                return (sign, *signs)
    return tuple(signs)


def verdict_of(m: Margins) -> Verdict:
    """Finds out what went wrong first in a run."""
    stop, because = symptoms.end_of(m)
    end = min(stop + 1, len(m.rows))
    signs = in_order([sign for look in LOOKS if (sign := look(m, end)) is not None])
    # Two looks may find the same kind of sign: the later one says nothing new.
    signs = tuple(s for i, s in enumerate(signs) if s.kind not in {other.kind for other in signs[:i]})
    if signs:
        return Verdict(OF_SIGN[signs[0].kind], signs[0].at_s, signs, stop, because)
    return Verdict(UNKNOWN if because else NOTHING, None, (), stop, because)
