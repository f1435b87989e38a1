from __future__ import annotations

import pytest

pytest.importorskip("viser")

from kilohertz.controller.gains.live import live_paths
from kilohertz.rt.view.gains_panel import STEPS, description_of, step_of


def test_every_live_gain_is_described_by_its_schema():
    assert all(description_of(path) for path in live_paths())
    assert description_of(("com", "dcm_gain_per_s")) == "horizontal: rate at which the DCM error decays"


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (2.0, 30.0), (1e-4, 4e-3), (0.0, 1e4), (5.0, 5.0)])
def test_steps_are_round_and_fine_enough(low, high):
    step = step_of(low, high)
    assert step > 0.0
    assert f"{step:.0e}".startswith("1")
    if high > low:
        assert (high - low) / step >= STEPS
