"""A tick on one foot is compiled as one; what it does is what its plain Python does."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from gaits import gait
from kin_arrays import kin_arrays
from plain_python import plain

from kilohertz.controller.walking.references import FOOT, SEEN, SEEN_XI, WalkingArrays
from kilohertz.controller.walking.single_support import SingleSupport, advance_step
from kilohertz.controller.walking.swing import OVER_S, X, Y
from kilohertz.robots.model.kin import Kin

DT = 1.03e-3
STANCE, LIFT_OFF, PLANNED = (0.02, 0.09, 0.1), (-0.2, -0.09), (0.24, -0.1, 0.15)
in_plain_python = plain(advance_step)


def robot_arrays() -> tuple[Kin, WalkingArrays]:
    """All that is written to or read from a robot's tables, of a robot in the middle of a step."""
    com = {"p_WC": np.array([0.0, 0.0, 0.62]), "v_WC": np.array([0.4, 0.1, 0.02])}
    walk = WalkingArrays(
        seen=np.zeros(SEEN),
        slide=np.zeros((2, 2)),
        heading=np.zeros(1),
        p_WS=np.zeros(3),
        references=np.zeros(80),
        place=np.array([0, 9]),
        turn=np.array([18, -1]),
        com=np.array([40]),
        upright=np.array([50, 65]),
        height_gain=np.array([100.0, 20.0]),
        sole_z=np.zeros(1),
        xi_des=np.zeros(2),
        p_WC_des=np.zeros(3),
        v_WC_des=np.zeros(3),
        R_des=np.eye(3),
    )
    return kin_arrays(vel=np.zeros((2, 6)), **com), walk


class Stepping:
    """A robot in the middle of a step: what makes the step, and every struct that a tick takes."""

    def __init__(self, leeway_m: float, seed: int) -> None:
        self.kin, self.walk = robot_arrays()
        a_gait = gait(step_s=0.4 + 0.1 * np.random.default_rng(seed).random())
        refs = SimpleNamespace(arrays=self.walk)
        self.single = SingleSupport(a_gait, refs, self.kin, 0.4, leeway_m)  # type: ignore[arg-type]
        self.single.swing.begin(*LIFT_OFF, 0.01, 0.05, 0.0, (0.02, -0.03), 0.02)
        self.single.adaptation.begin(STANCE, 1.0, LIFT_OFF, PLANNED)
        self.structs = self.kin, self.walk, self.single.adaptation.arrays, self.single.swing.arrays

    def see(self, foot: int, place: Any, speed: Any, xi: Any) -> None:
        self.walk.seen[SEEN_XI : SEEN_XI + 2] = xi
        self.walk.seen[FOOT * foot : FOOT * (foot + 1)] = *place, 0.1
        self.kin.vel[foot, :2] = speed


@pytest.mark.long
@pytest.mark.parametrize("leeway_m", [math.inf, 0.03])
@pytest.mark.closed_loop
def test_the_compiled_tick_equals_its_plain_python(leeway_m: float) -> None:
    shortest, over = math.inf, 0.0
    for seed in range(4):
        rng, foot = np.random.default_rng(seed), seed % 2
        compiled, twin = Stepping(leeway_m, seed), Stepping(leeway_m, seed)
        single = twin.single
        error, held = 0.08 * rng.normal(size=2), rng.integers(40, 150)
        for i in range(480):
            t = i * DT
            planned = np.array(PLANNED) + 0.01 * np.sin(t)
            end = 0.5 * (planned[:2] + STANCE[:2]) + [0.02, 0.03]
            # The DCM is off by what a push leaves, and an edge holds the foot back for a while.
            xi = end - [0.1, 0.0] + error * math.exp(2.0 * t) + 0.002 * rng.normal(size=2)
            behind = 0.1 if held < i < held + 60 else 0.0
            speed = np.zeros(2) if behind else rng.normal(size=2)
            for each in (compiled, twin):
                each.see(foot, single.swing.axes[[X, Y], 0] - [behind, 0.0], speed, xi)
            step = (foot, t, tuple(planned), tuple(end), 0.7, (0.02, 0.05, -0.08), 5.0)
            leading = (4.0, *STANCE[:2], 0.01, 0.05, -0.08, 0.6, 0.1, 0.2, DT)
            compiled.single.advance(*step, leading)
            in_plain_python(*step, leading, *twin.structs)
            for found, expected in zip(compiled.structs, twin.structs, strict=True):
                for name in found._fields:
                    np.testing.assert_allclose(
                        getattr(found, name), getattr(expected, name), rtol=1e-9, atol=1e-11, err_msg=name
                    )
        shortest = min(shortest, single.adaptation.duration_s / single.gait.step_s)
        over = max(over, single.swing.flight[OVER_S])
    # Steps have been hurried, and feet have come over edges.
    assert shortest < 0.9
    assert over > 0.0
