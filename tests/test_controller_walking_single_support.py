"""A tick on one foot is compiled as one; what it does is what its plain Python does."""

import inspect
import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from gaits import gait
from plain_python import plain

from kilohertz.controller.walking.gait import gait_row
from kilohertz.controller.walking.references import SEEN, SEEN_XI
from kilohertz.controller.walking.single_support import SingleSupport, advance_step
from kilohertz.controller.walking.swing import OVER_S, X, Y

DT = 1.03e-3
STANCE, LIFT_OFF, PLANNED = (0.02, 0.09, 0.1), (-0.2, -0.09), (0.24, -0.1, 0.15)
in_plain_python = plain(advance_step)


def arrays() -> dict[str, Any]:
    """All that is written to or read from a robot's tables, of a robot in the middle of a step."""
    return {
        "vel": np.zeros((2, 6)),
        "seen": np.zeros(SEEN),
        "task_refs": np.zeros(80),
        "place": np.array([0, 9]),
        "turn": np.array([18, -1]),
        "p_WC": np.array([0.0, 0.0, 0.62]),
        "v_WC": np.array([0.4, 0.1, 0.02]),
        "com": np.array([40]),
        "upright": np.array([50, 65]),
        "height_gain": np.array([100.0, 20.0]),
        "sole_z": np.zeros(1),
        "xi_des": np.zeros(2),
        "p_WC_des": np.zeros(3),
        "v_WC_des": np.zeros(3),
        "R_des": np.eye(3),
    }


def stepping(tables: dict[str, Any], leeway_m: float, seed: int) -> SingleSupport:
    rng = np.random.default_rng(seed)
    made = SingleSupport(gait(step_s=0.4 + 0.1 * rng.random()), SimpleNamespace(arrays=tables), 0.4, leeway_m)
    made.swing.begin(*LIFT_OFF, 0.01, 0.05, 0.0, (0.02, -0.03), 0.02)
    made.adaptation.begin(STANCE, 1.0, LIFT_OFF, PLANNED)
    return made


def arrays_of(single: SingleSupport) -> dict[str, Any]:
    return {
        "gait": gait_row(single.gait),
        "leeway_m": single.adaptation.leeway_m,
        "step": single.adaptation.step,
        "adapted": single.adaptation.adapted,
        "axes": single.swing.axes,
        "flight": single.swing.flight,
        "shape": single.swing.shape,
    }


@pytest.mark.parametrize("leeway_m", [math.inf, 0.03])
@pytest.mark.closed_loop
def test_the_compiled_tick_equals_its_plain_python(leeway_m: float) -> None:
    names = list(inspect.signature(advance_step.py_func).parameters)  # type: ignore[attr-defined]
    shortest, over = math.inf, 0.0
    for seed in range(4):
        rng, foot = np.random.default_rng(seed), seed % 2
        tables, twin = arrays(), arrays()
        compiled, single = stepping(tables, leeway_m, seed), stepping(twin, leeway_m, seed)
        found, expected = {**tables, **arrays_of(compiled)}, {**twin, **arrays_of(single)}
        error, held = 0.08 * rng.normal(size=2), rng.integers(40, 150)
        for i in range(480):
            t = i * DT
            planned = np.array(PLANNED) + 0.01 * np.sin(t)
            end = 0.5 * (planned[:2] + STANCE[:2]) + [0.02, 0.03]
            # The DCM is off by what a push leaves, and an edge holds the foot back for a while.
            xi = end - [0.1, 0.0] + error * math.exp(2.0 * t) + 0.002 * rng.normal(size=2)
            behind = 0.1 if held < i < held + 60 else 0.0
            speed = np.zeros(2) if behind else rng.normal(size=2)
            for each in (tables, twin):
                each["seen"][SEEN_XI : SEEN_XI + 2] = xi
                each["seen"][3 * foot : 3 * foot + 3] = *(single.swing.axes[[X, Y], 0] - [behind, 0.0]), 0.1
                each["vel"][foot, :2] = speed
            numbers = [foot, t, *planned, *end, 0.7, 0.02, 0.05, -0.08, 5.0]
            numbers += [4.0, *STANCE[:2], 0.01, 0.05, -0.08, 0.6, 0.1, 0.2, DT]
            compiled.advance(*numbers)
            in_plain_python(*numbers, *(expected[name] for name in names[len(numbers) :]))
            for name, array in found.items():
                np.testing.assert_allclose(array, expected[name], rtol=1e-9, atol=1e-11, err_msg=name)
        shortest = min(shortest, single.adaptation.duration_s / single.gait.step_s)
        over = max(over, single.swing.flight[OVER_S])
    # Steps have been hurried, and feet have come over edges.
    assert shortest < 0.9
    assert over > 0.0
