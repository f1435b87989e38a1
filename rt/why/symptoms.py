"""Signs of trouble in the ticks of a recorded run: what each looks like, when it began and how strong it was.

Each function looks for one sign in `Margins` and returns it with the time of its onset; None if it is not
there. None of them reads the scenario or the events of a simulation. Which of the signs was the cause is
decided in `kilohertz.rt.why.causes`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.kin import FX, FZ, MX, MY
from kilohertz.robots.model.rows import Vector
from kilohertz.rt.offline.drive_delay import commanded_torque, delay_in_ticks
from kilohertz.rt.why.margins import Margins

Mask = NDArray[np.bool_]

SMOOTHING_TICKS = 25
"""Window of the averages that are compared with a threshold [ticks]."""
RECENT_TICKS, LOST_PERIODS = 500, 3.0
"""Periods without a tick that count, within so many ticks."""
FROZEN_TICKS, FROZEN_OF_USUAL = 20.0, 5.0
"""Ticks for which a frozen channel repeats its value, also as a multiple of the longest time before."""
PUSH_OF_WEIGHT, PUSH_TICKS, PUSH_OF_MASS = 0.35, 20, 0.25
"""Force of a push relative to the weight, its shortest duration [ticks], and its
impulse over the mass [m/s]."""
LOAD_OF_MASS, LOAD_TICKS = 0.2, 100
"""Additional load relative to the mass of the robot, and the time for which it stays [ticks]."""
STEP_M, EARLY_TICKS, LIFT_TICKS = 0.02, 40, 1000
"""Least height of an obstacle under a swinging foot [m], least time by which it is met early, and longest
swing [ticks]."""
PUSH_AFTER_TICKS = 60
"""Time after the stop in which a push that began before it is still looked at [ticks]."""
SLIDE_LOAD, SLIDE_M_S, SLIDE_TICKS, SLIDE_FRICTION = 0.15, 0.08, 15, 0.6
"""Least load of a foot over the weight, speed [m/s] and time [ticks] from which it slides, and largest
ratio of the tangential to the normal force, relative to the assumed friction."""
WEAK_OF_LIMIT, WEAK_TICKS, WEAK_SPEED, LONGEST_DELAY = 0.06, 15, 0.7, 12
"""Lack of torque relative to the limit, its duration [ticks], largest joint speed relative to its limit, and
longest delay of the drives [ticks]."""
CHATTER_OF_LIMIT, CHATTER_TICKS = 0.011, 200
"""Mean second difference of the torques from tick to tick, relative to their limits, and its
duration [ticks]."""
STRIKE_OF_WEIGHT, STRIKE_TICKS, CLEAR_TICKS = 0.14, 8, 60
"""Force on a swinging foot relative to the weight, its duration [ticks], and the time after lift-off from
which it counts [ticks]; a foot that swings freely feels a twentieth of the weight."""
ON_ITS_OWN = "the robot damps on its own"
"""Beginning of the text of a link that ended because the robot stopped itself, which is a consequence."""


@dataclass(frozen=True)
class Sign:
    """A sign of trouble.

    Attributes:
        kind: name of the sign.
        at_s: time of its onset [s].
        value: its size, in the unit of `limit`.
        limit: the size from which it counts.
        unit: unit of both.
        text: the sign in one sentence.
        joint: name of the joint or contact that shows it; "" if it is the whole robot.
        figures: other figures, for JSON.
    """

    kind: str
    at_s: float
    value: float
    limit: float
    unit: str
    text: str
    joint: str = ""
    figures: dict[str, float] = field(default_factory=dict)

    @property
    def strength(self) -> float:
        """Size relative to the threshold."""
        return self.value / self.limit


def smooth(values: Vector, ticks: int = SMOOTHING_TICKS) -> Vector:
    """Returns the centred moving average of (n,) or (n, k) values over a number of ticks."""
    sums = np.cumsum(np.concatenate((np.zeros((1, *values.shape[1:])), values)), axis=0)
    n = len(values)
    first = np.clip(np.arange(n) - ticks // 2, 0, n)
    last = np.clip(np.arange(n) - ticks // 2 + ticks, 0, n)
    mean: Vector = (sums[last] - sums[first]) / (last - first).reshape(-1, *(1,) * (values.ndim - 1))
    return mean


def lasting(mask: Mask, ticks: int) -> Mask:
    """Returns whether each tick belongs to a run of at least this many ticks for which the mask holds."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], mask.astype(np.int8), [0]))))
    out = np.zeros(len(mask), dtype=bool)
    for start, end in edges.reshape(-1, 2):
        if end - start >= ticks:
            out[start:end] = True
    return out


def external_force(m: Margins) -> Vector:
    """Returns the (n, 3) force on the robot besides gravity and the contacts, in world axes [N].

    It is the rate of the momentum minus weight and contact forces, which follow from the torques of the legs.
    """
    force = np.einsum("ncij,ncj->ni", m.R_WF, m.leg_wrench_F[..., FX : FZ + 1])
    t_s = m.t_s
    step = np.maximum(np.gradient(t_s), 1e-4)[:, None]
    rate = np.gradient(m.rows["balance"]["v_WC"], axis=0) / step
    weight = np.array([0.0, 0.0, m.robot.mass_kg * GRAVITY_M_S2])
    external: Vector = m.robot.mass_kg * rate + weight - force
    return external


def missed(m: Margins, end: int) -> Sign | None:
    """Periods without a tick: gaps between the samples, or in the count of the ticks."""
    period_s = m.header.period_ns * 1e-9
    late = np.rint(np.diff(m.t_s[:end], prepend=0.0) / period_s) - 1.0
    skipped = np.diff(m.rows["tick"][:end], prepend=-1) - 1
    lost = np.maximum(np.maximum(late, skipped), 0.0)
    lost[0] = 0.0
    recent = np.cumsum(lost) - np.concatenate((np.zeros(RECENT_TICKS), np.cumsum(lost)))[: len(lost)]
    if not (recent >= LOST_PERIODS).any():
        return None
    window = int(np.argmax(recent >= LOST_PERIODS))
    first = max(0, window - RECENT_TICKS + 1) + int(np.argmax(lost[max(0, window - RECENT_TICKS + 1) :] > 0))
    total, most = int(lost[first:].sum()), int(lost[first:].max())
    text = f"{total} periods had no tick, up to {most} in a row"
    figures = {"periods": float(total), "in_a_row": float(most)}
    return Sign("periods", float(m.t_s[first]), float(total), LOST_PERIODS, "periods", text, "", figures)


def frozen(m: Margins, end: int) -> Sign | None:
    """A channel of a sensor that repeats its value for much longer than it used to, while others change."""
    sensors, joints = m.rows["sensors"][:end], m.robot.joint_names
    channels = [(f"the encoder of {name}", name, sensors["q"][:, j]) for j, name in enumerate(joints)]
    channels += [(f"the velocity of {name}", name, sensors["v"][:, j]) for j, name in enumerate(joints)]
    if m.robot.floating:
        channels += [(f"the {n}", "", sensors[n][:, i]) for n in ("gyro", "accel") for i in range(3)]
    moving = (np.diff(sensors["q"], axis=0) != 0.0).mean(axis=1) > 0.5
    found: Sign | None = None
    for name, joint, values in channels:
        same = (np.diff(values) == 0.0) & moving
        edges = np.flatnonzero(np.diff(np.concatenate(([0], same.astype(np.int8), [0])))).reshape(-1, 2)
        lengths = edges[:, 1] - edges[:, 0]
        for i in np.flatnonzero(lengths >= FROZEN_TICKS):
            usual = int(lengths[:i].max(initial=0))
            at_s = float(m.t_s[edges[i, 0]])
            if lengths[i] < FROZEN_OF_USUAL * usual or (found is not None and found.at_s <= at_s):
                continue
            text = f"{name} repeats the same value for {lengths[i]} ticks; before, for {usual} at most"
            found = Sign("frozen", at_s, float(lengths[i]), FROZEN_TICKS, "ticks", text, joint)
    return found


def pushed(m: Margins, end: int) -> Sign | None:
    """A horizontal force from outside that begins suddenly and carries momentum."""
    # A strong push stops the robot before it ends: the ticks after the stop still show its force.
    force = external_force(m)[: end + PUSH_AFTER_TICKS]
    fast = smooth(force[:, :2])
    size = np.hypot(fast[:, 0], fast[:, 1])
    weight_N = m.robot.mass_kg * GRAVITY_M_S2
    strong = lasting(size > PUSH_OF_WEIGHT * weight_N, PUSH_TICKS)
    if not strong.any():
        return None
    k = int(np.argmax(strong))
    if k >= end:
        return None
    over = np.flatnonzero(~strong[k:])
    last = k + (int(over[0]) if len(over) else len(strong) - k)
    impulse = force[k:last].sum(axis=0) * m.header.period_ns * 1e-9
    size_Ns, peak_N = float(np.hypot(*impulse[:2])), float(size[k:last].max())
    if size_Ns < PUSH_OF_MASS * m.robot.mass_kg:
        return None
    heading = float(np.degrees(np.arctan2(impulse[1], impulse[0])))
    text = (
        f"a force from outside of up to {peak_N:.0f} N for {last - k} ms, an impulse of {size_Ns:.0f} Ns, "
        f"{way_of(heading)}"
    )
    figures = {"impulse_Ns": size_Ns, "direction_deg": heading, "duration_s": (last - k) * 1e-3}
    limit = PUSH_OF_WEIGHT * weight_N
    return Sign("force", float(m.t_s[k]), peak_N, limit, "N", text, "", figures)


def way_of(heading_deg: float) -> str:
    """Returns a horizontal direction of the world in words."""
    words = ("forward", "to the left", "backward", "to the right")
    return words[round(heading_deg / 90.0) % 4]


def loaded(m: Margins, end: int) -> Sign | None:
    """A downward force from outside that stays."""
    force = smooth(external_force(m)[:end], LOAD_TICKS)[:, 2] / GRAVITY_M_S2
    load_kg = -force
    limit = LOAD_OF_MASS * m.robot.mass_kg
    heavy = lasting(load_kg > limit, LOAD_TICKS)
    if not heavy.any():
        return None
    k = int(np.argmax(heavy))
    mass = float(np.median(load_kg[k : k + 500][heavy[k : k + 500]]))
    # The average rises before the load is there.
    at = min(end - 1, k + LOAD_TICKS // 4)
    text = f"{mass:.0f} kg more than the robot weighs ({m.robot.mass_kg:.0f} kg) rest on the soles"
    return Sign("load", float(m.t_s[at]), mass, limit, "kg", text, "", {"mass_kg": mass})


def struck(m: Margins, end: int) -> Sign | None:
    """A swinging foot on which a force acts: it strikes an obstacle, by its tip or its sole."""
    limit = STRIKE_OF_WEIGHT * m.robot.mass_kg * GRAVITY_M_S2
    found: Sign | None = None
    for c, name in enumerate(m.robot.contact_names):
        wrench = m.leg_wrench_F[:end, c, FX : FZ + 1]
        force = smooth(np.linalg.norm(wrench, axis=1), STRIKE_TICKS)
        planned = m.planned[:, c].astype(float)
        # Neither the lift-off before nor the touch-down after: the plan is open on both sides of the tick.
        swings = np.ones(end, dtype=bool)
        for shift in (-CLEAR_TICKS, 0, EARLY_TICKS):
            swings &= planned[np.clip(np.arange(end) + shift, 0, len(planned) - 1)] == 0.0
        hit = lasting(swings & (force > limit), STRIKE_TICKS)
        if not hit.any():
            continue
        k = int(np.argmax(hit))
        if found is not None and found.at_s <= m.t_s[k]:
            continue
        size = float(force[k : k + 50].max())
        until = np.flatnonzero(m.planned[k:, c])
        early_ms = int(until[0]) if len(until) else 0
        text = f"{name} strikes something with {size:.0f} N while it swings, {early_ms} ms before its plan"
        figures = {"early_s": early_ms * 1e-3, "force_N": size}
        found = Sign("touch", float(m.t_s[k]), size, limit, "N", text, name, figures)
    return found


def touched(m: Margins, end: int) -> Sign | None:
    """A swinging foot that meets something before its planned touch-down, higher than the standing foot."""
    closed = m.rows["estimate"]["contact"][:end] > 0
    planned, found = m.planned[:end], None
    nc = len(m.robot.contacts)
    for c in range(nc) if nc > 1 else ():
        landed = np.flatnonzero(closed[1:, c] & ~closed[:-1, c] & ~planned[1:, c]) + 1
        for k in landed.tolist():
            standing = [o for o in range(nc) if o != c and planned[k, o] and closed[k, o]]
            if not standing:
                continue
            height = float(m.p_WF[k, c, 2] - max(m.p_WF[k, o, 2] for o in standing))
            if height < STEP_M or not planned[max(0, k - LIFT_TICKS) : k, c].any():
                continue
            until = np.flatnonzero(m.planned[k:, c])
            early_ms = int(until[0]) if len(until) else 0
            if early_ms < EARLY_TICKS or (found is not None and found.at_s <= m.t_s[k]):
                continue
            name = m.robot.contact_names[c]
            text = f"{name} meets the ground {early_ms} ms before its plan, {height * 100:.0f} cm higher"
            figures = {"early_s": early_ms * 1e-3, "height_m": height}
            found = Sign("touch", float(m.t_s[k]), height, STEP_M, "m", text, name, figures)
    return found


def slid(m: Margins, end: int) -> Sign | None:
    """A loaded foot that slides although the ground should hold it: the friction is lower than assumed."""
    wrench = m.leg_wrench_F[:end]
    closed = (m.rows["estimate"]["contact"][:end] > 0) & m.planned[:end]
    load = wrench[..., FZ]
    found: Sign | None = None
    for c, contact in enumerate(m.robot.contacts):
        firm = closed[:, c] & (load[:, c] > SLIDE_LOAD * m.robot.mass_kg * GRAVITY_M_S2)
        safe = np.where(firm, load[:, c], 1.0)
        low, high = contact.corners_F[:, :2].min(axis=0), contact.corners_F[:, :2].max(axis=0)
        # The centre of pressure does not move while a sole rolls over its edge.
        x = np.clip(-wrench[:, c, MY] / safe, low[0], high[0])
        y = np.clip(wrench[:, c, MX] / safe, low[1], high[1])
        yaw = m.vel_F[:end, c, 5]
        speed = np.hypot(m.vel_F[:end, c, 0] - yaw * y, m.vel_F[:end, c, 1] + yaw * x)
        ratio = np.hypot(wrench[:, c, 0], wrench[:, c, 1]) / safe
        slides = lasting(firm & (smooth(np.where(firm, speed, 0.0), 15) > SLIDE_M_S), SLIDE_TICKS)
        if not slides.any():
            continue
        k = int(np.argmax(slides))
        friction = float(np.median(ratio[k : k + 200][slides[k : k + 200]]))
        if friction > SLIDE_FRICTION * contact.friction or (found is not None and found.at_s <= m.t_s[k]):
            continue
        fast = float(speed[k : k + 200][slides[k : k + 200]].max())
        name = m.robot.contact_names[c]
        text = (
            f"{name} slides at up to {fast:.2f} m/s under load; the ground holds {friction:.2f} of the "
            f"normal force, {contact.friction:g} is assumed"
        )
        figures = {"friction": friction, "speed_m_s": fast}
        found = Sign("slide", float(m.t_s[k]), fast, SLIDE_M_S, "m/s", text, name, figures)
    return found


def weak(m: Margins, end: int) -> Sign | None:
    """A drive that gives less torque than commanded, well below its limit and below its speed limit."""
    sensors, command, robot = m.rows["sensors"][:end], m.rows["command"][:end], m.robot
    given, limit = sensors["tau"], np.asarray(robot.torque_limit_Nm)
    if not np.isfinite(given).any():
        return None
    asked = commanded_torque(sensors, command, limit)
    delay, exact = delay_in_ticks(asked, given, LONGEST_DELAY)
    if not np.isfinite(exact):
        return None
    asked = np.concatenate((np.repeat(asked[:1], delay, axis=0), asked))[: len(given)]
    whole = ~near_gaps(m, end)
    lack = np.where(whole[:, None] & (asked * given >= 0.0), np.abs(asked) - np.abs(given), 0.0) / limit
    slow = np.abs(sensors["v"]) < WEAK_SPEED * np.asarray(robot.velocity_limit_rad_s)
    weak_here = np.where(slow, smooth(lack), 0.0) > WEAK_OF_LIMIT
    first, joint = end, -1
    for j in range(robot.na):
        run = lasting(weak_here[:, j], WEAK_TICKS)
        if run.any() and int(np.argmax(run)) < first:
            first, joint = int(np.argmax(run)), j
    if joint < 0:
        return None
    window = slice(first, first + 500)
    most = float(np.abs(given[window, joint]).max())
    lacking = float(smooth(lack[:, joint])[window].max() * limit[joint])
    name = robot.joint_names[joint]
    text = (
        f"{name} gives no more than {most:.1f} Nm, {lacking:.1f} Nm less than commanded; its limit is "
        f"{limit[joint]:.0f} Nm"
    )
    figures = {"largest_Nm": most, "limit_Nm": float(limit[joint]), "lack_Nm": lacking}
    allowed = WEAK_OF_LIMIT * float(limit[joint])
    return Sign("torque", float(m.t_s[first]), lacking, allowed, "Nm", text, name, figures)


def near_gaps(m: Margins, end: int) -> Mask:
    """Returns whether each tick is near a gap between two samples, where torques cannot be compared."""
    late = np.diff(m.t_s[:end], prepend=m.t_s[0]) > 1.5e-9 * m.header.period_ns
    near: Mask = smooth(late.astype(float), 2 * SMOOTHING_TICKS) > 0.0
    return near


def chattered(m: Margins, end: int) -> Sign | None:
    """Torques that alternate from tick to tick in most joints: the loop is near its limit of stability."""
    tau, limit = m.rows["command"]["tau_ff"][:end], np.asarray(m.robot.torque_limit_Nm)
    if end < 2 * CHATTER_TICKS:
        return None
    change = np.abs(np.diff(tau, n=2, axis=0)) / limit
    level = smooth(change.mean(axis=1), CHATTER_TICKS)
    rough = lasting(level > CHATTER_OF_LIMIT, CHATTER_TICKS)
    if not rough.any():
        return None
    k = int(np.argmax(rough))
    window = slice(k, k + 1000)
    joint = int(np.argmax(change[window].mean(axis=0)))
    most, name = float(level[window].max()), m.robot.joint_names[joint]
    text = (
        f"the torques alternate by {most * 100:.1f} % of their limits from tick to tick, that of {name} by "
        f"{change[window, joint].mean() * 100:.1f} %"
    )
    return Sign("chatter", float(m.t_s[k]), most, CHATTER_OF_LIMIT, "of limit", text, name)


def end_of(m: Margins) -> tuple[int, str]:
    """Returns the first tick in which the robot was not controlled any more, and why it was stopped.

    Returns:
        Index of the tick, and the sentence of the controller or the loop; the number of ticks and "" if the
        robot was controlled to the end.
    """
    if m.reasons:
        return m.reasons[0]
    for event in m.events:
        if event["kind"] in ("link_lost", "fault", "stopped"):
            return len(m.rows), str(event["text"])
    return len(m.rows), ""


def unlinked(m: Margins, end: int) -> Sign | None:
    """A link that delivers no state any more."""
    for event in m.events:
        if event["kind"] == "link_lost" and not event["text"].startswith(ON_ITS_OWN):
            return Sign("link", float(m.t_s[end - 1]), 1.0, 1.0, "times", str(event["text"]))
    return None
