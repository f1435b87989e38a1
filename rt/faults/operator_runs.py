"""Loses the operator of a walking robot: who streams its velocity, or what passes the stream on."""

from __future__ import annotations

import math

import numpy as np

from kilohertz.controller.streams.stream_row import StreamRow
from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.period import PERIOD_NS, PERIOD_S
from kilohertz.rt.faults.body_bench import BodyBench
from kilohertz.rt.faults.link_runs import Outcome
from kilohertz.rt.live import control_messages as wire
from kilohertz.rt.live.agent.control_side import ControlSide
from kilohertz.rt.live.command_mailbox import STATUS_NUMBERS, CommandMailbox
from kilohertz.rt.live.stream_targets import StreamTargets
from kilohertz.rt.loop.trace import STATES

BIPED = "g1"
NOTICED_S, ZERO_S, STANDS_S = 0.1, 0.4, 2.5
STANDING_TICKS, AFTER_TICKS = 400, 2800
STILL_M_S = 0.05
LOADED = 0.1
"""Force on a sole from which it counts as loaded, relative to the weight."""
KILLED, SILENT, AGENT_KILLED = range(3)
"""Ways to lose an operator: its process is killed, or stopped or unplugged, or the agent is killed."""
_PEER = b"operator"
_ACTIVE = STATES.index("active")


def f33_operator_lost(n: int) -> Outcome:
    """Ends the stream of a walking robot: operator killed, operator silent, and agent killed, in turn.

    The robot walks in a random direction. What is measured is the reference of its walk, from the loss until
    it begins to fall and until it is zero, and then the simulated robot, until both soles are loaded and its
    centre of mass stays slower than 0.05 m/s over the ground.
    """
    operated = _Operated()
    noticed_s = zero_s = stands_s = 0.0
    falls = late = 0
    for i in range(n):
        lost = operated.lose(i)
        noticed_s, zero_s, stands_s = map(max, zip((noticed_s, zero_s, stands_s), lost, strict=True))
        falls += operated.fell
        late += lost[0] > NOTICED_S + 1e-9 or lost[1] > ZERO_S + 1e-9 or lost[2] > STANDS_S
    text = (
        f"silence noticed within {noticed_s:.3f} s, velocity reference zero within {zero_s:.3f} s, robot "
        f"stands within {stands_s:.2f} s; {falls} falls"
    )
    return Outcome(n, text, falls == late == 0, falls == late == 0)


class _Operated:
    """A biped, its controller, and both ends of its command channel, on one simulated clock.

    Attributes:
        fell: whether the robot fell, or its controller went to damping.
    """

    def __init__(self) -> None:
        self._bench = bench = BodyBench(BIPED, streamed=True)
        assert bench.streams is not None
        self._row: StreamRow = bench.streams
        self._mailbox = CommandMailbox(bench.robot)
        self._loop = CommandMailbox(bench.robot, self._mailbox.fd)
        self.fell = False

    def lose(self, number: int) -> tuple[float, float, float]:
        """Walks and loses the operator.

        Args:
            number: number of the run, which is its random seed and determines the way.

        Returns:
            Time until the velocity reference falls, until it is zero, and until the robot stands [s].
        """
        bench, rng, way = self._bench, np.random.default_rng(number), number % 3
        bench.place(seed=number)
        self._row.clear()
        self._side = side = ControlSide(bench.robot, self._mailbox, lambda *_: None)
        targets = StreamTargets(
            velocity_m_s=(rng.uniform(0.2, 0.5), rng.uniform(-0.08, 0.08)),
            yaw_rate_rad_s=rng.uniform(-0.3, 0.3),
        )
        period = int(rng.integers(10, 50))
        lost = STANDING_TICKS + int(rng.integers(2600, 3600))
        before, noticed, zero, moved = 0.0, -1, -1, lost
        for tick in range(lost + AFTER_TICKS):
            if tick == STANDING_TICKS:
                self._send("hello", "operator", wire.PERSON)
            if STANDING_TICKS <= tick < lost and tick % period == 0:
                self._send("stream", *targets.packed(math.nan, ()))
            if tick == lost and way == KILLED:
                side.gone(_PEER)
            self._tick(runs=way != AGENT_KILLED or tick < lost)
            speed = sum(map(abs, bench.brain.motion.velocity_des))
            if tick < lost:
                before = speed
                continue
            noticed = tick if noticed < 0 and speed < before else noticed
            zero = tick if zero < 0 and speed == 0.0 else zero
            moved = tick if self._moves() else moved
        self.fell = bench.simulated.fell or not bench.active
        never = lost + AFTER_TICKS
        noticed, zero = (at if at >= 0 else never for at in (noticed, zero))
        return (noticed - lost) * PERIOD_S, (zero - lost) * PERIOD_S, (moved - lost) * PERIOD_S

    def _send(self, kind: str, *values: object) -> None:
        self._side.handle(_PEER, wire.pack(kind, *values), self._now_ns)

    @property
    def _now_ns(self) -> int:
        return round(self._bench.t_s / PERIOD_S) * PERIOD_NS

    def _tick(self, *, runs: bool) -> None:
        """Runs a tick of the loop and, if it runs, of the agent."""
        bench = self._bench
        bench.tick()
        numbers = dict.fromkeys(STATUS_NUMBERS, 0.0) | {"t_s": bench.t_s, "state": float(_ACTIVE)}
        self._loop.publish_status(self._now_ns, tuple(numbers.values()), None)
        if runs:
            self._side.advance(self._now_ns)
        self._loop.collect_streams(self._row)

    def _moves(self) -> bool:
        truth, robot = self._bench.simulated.truth, self._bench.robot
        loaded = truth.normal_force_N > LOADED * GRAVITY_M_S2 * robot.mass_kg
        return not loaded.all() or float(np.hypot(*truth.v_WC[:2])) >= STILL_M_S
