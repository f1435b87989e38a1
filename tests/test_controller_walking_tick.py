"""The compiled tick of a walk plans and lands as the plain Python of the steps does."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
from gaits import GAIT
from plain_python import plain

from kilohertz.controller.motion.profile import minimum_jerk
from kilohertz.controller.walking import tick as kernels
from kilohertz.controller.walking.adaptation import Adaptation
from kilohertz.controller.walking.dcm_controller import (
    HEIGHT_FROM_M,
    LIFT_M,
    LOWERING_TIME_S,
    ON_POINTS,
    SINCE_S,
    DcmArrays,
)
from kilohertz.controller.walking.dcm_plan import DcmPlan
from kilohertz.controller.walking.free_steps import FreeSteps
from kilohertz.controller.walking.gait_state import DOUBLE_SUPPORT, LAST, READY, SWING, GaitState
from kilohertz.controller.walking.swing import Swing, X, Y, Z
from kilohertz.controller.walking.tick import (
    BEAR,
    EARLY,
    LATE_S,
    LEAN,
    LEANS,
    OBSERVES,
    PUSHED,
    SINKS,
    SLIP,
    STEP_S,
    SWITCH,
)
from kilohertz.controller.walking.velocity_reference import VelocityReference
from kilohertz.estimators.friction_estimate import FrictionEstimate

DT = 1e-3
sense = plain(kernels.sense)


class Walker:
    """A walk on the left foot, with the arrays that `sense` takes."""

    def __init__(self, phase: int = SWING) -> None:
        self.gait_state, self.velocity_reference = GaitState(left=0), VelocityReference()
        self.gait_state.begin(phase, 0)
        self.adaptation, self.swing = Adaptation(GAIT), Swing(GAIT.clearance_m, GAIT.step_s, 0.25)
        self.friction = FrictionEstimate(0.6, 1.0)
        self.control, self.p_RC, self.pace_s = np.zeros(ON_POINTS + 1), np.zeros(3), np.zeros(1)
        self.conditions = np.zeros(LEANS + 1)
        self.conditions[[OBSERVES, EARLY, LATE_S, STEP_S]] = 1.0, 0.8, 0.1, GAIT.step_s
        self.kin = SimpleNamespace(
            p=np.zeros((2, 3)), R=np.stack([np.eye(3)] * 2), vel=np.zeros((2, 6)), p_WC=np.zeros(3),
            v_WC=np.zeros(3),
        )  # fmt: skip
        self.walk = SimpleNamespace(
            seen=np.zeros(13),
            slide=np.zeros((2, 2)),
            heading=np.zeros(1),
            xi_des=np.zeros(2),
            p_WS=np.zeros(3),
        )

    def sense(self, *, touches: bool = False) -> int:
        event: int = sense(
            DT,
            np.array([True, touches]),
            self.kin,
            self.walk,
            self.gait_state.arrays,
            self.adaptation.arrays,
            self.swing.arrays,
            DcmPlan(GAIT).arrays,
            self.velocity_reference.arrays,
            self.friction.arrays,
            DcmArrays(self.control, self.p_RC),
            SimpleNamespace(conditions=self.conditions, pace_s=self.pace_s),
        )
        return event


@pytest.mark.parametrize("last", [False, True])
def test_a_free_step_is_planned_as_in_python_to_the_bit(last: bool) -> None:
    rng = np.random.default_rng(0)
    velocity_reference, gait_state = VelocityReference(), GaitState(left=0)
    steps = FreeSteps(SimpleNamespace(gait=GAIT, plan=DcmPlan(GAIT)), velocity_reference)
    for _ in range(200):
        gait_state.feet[:] = rng.normal(size=(2, 3))
        gait_state.begin(SWING, int(rng.integers(2)))
        gait_state.arrays.now[LAST] = last
        velocity_reference.steps = tuple((0.5 * rng.normal(size=3)).tolist())
        steps.plan.set_height(float(rng.uniform(0.4, 0.9)))
        foothold = steps.foothold(gait_state, last)
        end, follow = steps.touchdown(gait_state, foothold, last)
        planned = kernels.plan_free_step(gait_state.arrays, velocity_reference.arrays, steps.plan.arrays)
        assert planned == (foothold, end, follow)


@pytest.mark.parametrize("since_s", [0.0, 0.1, 0.5, 0.8, 2.0])
def test_the_centre_of_mass_is_lowered_from_where_it_was_and_raised_by_a_load(since_s: float) -> None:
    control, plan = np.zeros(ON_POINTS + 1), DcmPlan(GAIT).arrays
    control[[SINCE_S, LOWERING_TIME_S, HEIGHT_FROM_M, LIFT_M]] = since_s, 0.8, 0.7, 0.02
    height = kernels.lowered_height(plan, DcmArrays(control, np.zeros(3)))
    assert height == 0.7 + minimum_jerk(since_s / 0.8)[0] * (GAIT.height_m - 0.7) + 0.02


def test_a_changed_load_is_reported_before_anything_else_happens() -> None:
    walker = Walker()
    walker.p_RC[Z] = 0.01
    assert walker.sense() == BEAR
    assert walker.gait_state.t_s == 0.0
    walker.control[LIFT_M] = 0.01
    assert walker.sense() == 0
    assert walker.gait_state.t_s == DT


def test_only_a_step_has_ticks_without_a_look_at_the_phase() -> None:
    assert [Walker(phase).sense() for phase in (READY, DOUBLE_SUPPORT, SWING)] == [SWITCH, SWITCH, 0]


def test_the_velocity_is_ramped_unless_the_robot_waits_for_its_first_step() -> None:
    for phase, moves in ((READY, False), (DOUBLE_SUPPORT, True), (SWING, True)):
        walker = Walker(phase)
        walker.velocity_reference.ask(0.3, 0.0, 0.0)
        walker.sense()
        assert (walker.velocity_reference.velocity[X] > 0.0, walker.pace_s[0] > 0.0) == (moves, moves)


@pytest.mark.parametrize(
    ("t_s", "touches", "speed_m_s", "lands"),
    [
        (0.30, True, 0.0, False),  # too early: under 0.8 of the step
        (0.42, True, 0.0, True),
        (0.42, False, 0.0, False),
        (0.42, True, 0.3, False),  # the foot still moves: the contact force is not to be relied on
        (0.51, False, 0.3, True),  # no ground found
    ],
)
def test_a_foot_lands_late_in_its_step_and_at_rest(
    t_s: float, touches: bool, speed_m_s: float, lands: bool
) -> None:
    walker = Walker()
    walker.gait_state.t_s, walker.kin.vel[1, Z] = t_s, speed_m_s
    assert walker.sense(touches=touches) == (SWITCH if lands else 0)


def test_a_foot_that_sinks_lands_early_only_where_the_ground_has_stopped_it() -> None:
    for z, lands in ((0.0, 0), (0.02, SWITCH)):
        walker = Walker()
        walker.gait_state.t_s, walker.swing.axes[Z, 1], walker.kin.p[1, Z] = 0.37, -0.1, z
        assert walker.sense(touches=True) == lands


def test_a_sliding_stance_sole_is_felt_late_in_a_step_unless_the_robot_was_pushed() -> None:
    for t_s, pushed, observes, expected in (
        (0.1, 0, 1, SLIP),
        (0.02, 0, 1, 0),
        (0.1, 1, 1, 0),
        (0.1, 0, 0, 0),
    ):
        walker = Walker()
        walker.conditions[[PUSHED, OBSERVES]] = pushed, observes
        walker.kin.vel[0, Y] = 5.0
        events = []
        for _ in range(4):
            walker.gait_state.t_s = t_s
            events.append(walker.sense())
        assert max(events) == expected
        slower = walker.velocity_reference.fastest_m_s
        assert slower < 0.6 * 2.7 if expected else slower == math.inf


def test_after_a_shortened_step_the_stance_sole_sinks_for_a_while_and_never_rises() -> None:
    for sinks in (False, True):
        walker = Walker()
        walker.conditions[SINKS] = sinks
        walker.gait_state.arrays.now[kernels.STANDING_Z] = 0.02
        for z, standing_z in ((0.01, 0.01), (0.015, 0.01), (-0.002, -0.002)):
            walker.kin.p[0, Z] = z
            walker.sense()
            assert walker.gait_state.standing_z == (standing_z if sinks else 0.02)
        walker.gait_state.t_s = 0.2
        walker.kin.p[0, Z] = -0.01
        walker.sense()
        assert walker.gait_state.standing_z == (-0.002 if sinks else 0.02)


@pytest.mark.parametrize(
    ("phase", "duration", "pushed", "points", "leans"),
    [
        (SWING, 0.5, False, False, True),
        (DOUBLE_SUPPORT, 0.5, False, False, True),
        (SWING, 0.9, False, False, False),
        (SWING, 0.5, True, False, False),
        (SWING, 0.5, False, True, False),
        (READY, 0.5, False, False, False),
    ],
)
def test_the_robot_leans_while_a_shortened_step_catches_it(
    phase: int, duration: float, pushed: bool, points: bool, leans: bool
) -> None:
    walker = Walker(phase)
    walker.adaptation.adapted[kernels.DURATION_S] = duration * GAIT.step_s
    walker.conditions[PUSHED], walker.control[ON_POINTS] = pushed, points
    assert bool(walker.sense() & LEAN) == leans
    walker.conditions[LEANS] = 1.0
    assert bool(walker.sense() & LEAN) == (not leans)
