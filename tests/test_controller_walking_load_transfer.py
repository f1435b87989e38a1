"""Load is shared as asked, the lighter foot's wrench costs more, and standing gets back what it had."""

import numpy as np
import pytest
from gaits import WalkingRun


def test_walking_hands_back_weights_and_limits_of_standing() -> None:
    run = WalkingRun("g1")
    body, names = run.brain.body, run.robot.contact_names
    before = [body.reference(f"{name}.force").copy() for name in names]
    load_transfer, weight_N = run.walking._load_transfer, run.robot.mass_kg * 9.81
    load_transfer.begin(5.0)
    load_transfer.share(0, 0.8)
    left, right = (body.reference(f"{name}.force") for name in names)
    assert left[2] == pytest.approx(0.8 * weight_N, rel=1e-3)
    assert right[2] == pytest.approx(0.2 * weight_N, rel=1e-3)
    assert np.all(right[6:] > 10.0 * left[6:])
    load_transfer.end()
    for name, reference in zip(names, before, strict=True):
        np.testing.assert_allclose(body.reference(f"{name}.force"), reference, rtol=1e-9)


def test_a_foot_with_all_the_load_costs_what_it_does_in_standing() -> None:
    run = WalkingRun("g1")
    before = run.brain.body.reference("left_foot.force")[6:].copy()
    run.walking._load_transfer.begin(5.0)
    run.walking._load_transfer.share(0, 1.0)
    np.testing.assert_allclose(run.brain.body.reference("left_foot.force")[6:], before)
