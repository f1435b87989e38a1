import math

import numpy as np
import pytest
from arm_precision import circle, payload, run

import kilohertz as khz

CALIBRATED = [
    {"at_s": 0, "calibrate": {"duration_s": 8.0}},
    {"at_s": 8.2, "circle": {"radius_m": 0.1, "period_s": 4}},
]


def test_an_arm_that_is_not_calibrated_tells_neither_payload_nor_wrench():
    result = khz.simulate("ur5", scenario=circle(duration_s=0.5))
    assert result.summary["payload"] == {"mass_kg": None, "p_BP_m": None}
    assert result.summary["hand_wrench"] == {"hand": None}


@pytest.mark.long
@pytest.mark.closed_loop
@pytest.mark.parametrize("name", ["panda", "ur5"])
def test_a_payload_is_weighed_within_2_percent_in_2_s_and_the_wrench_is_that_of_its_weight(name):
    scenario = circle(duration_s=11.0, commands=CALIBRATED, events=[payload(name, 3.0, at_s=9.0)])
    _, _, result = run(name, scenario, seed=31)
    mass_kg = result.summary["payload"]["mass_kg"]
    assert mass_kg == pytest.approx(3.0, rel=0.02)
    force_N = np.array(result.summary["hand_wrench"]["hand"]["force_N"])
    # The payload is also accelerated, with 0.25 m/s2.
    assert abs(math.hypot(*force_N) - 3.0 * 9.81) < 1.0 + 3.0 * 0.25


@pytest.mark.long
@pytest.mark.closed_loop
def test_an_empty_hand_feels_no_wrench_after_a_calibration():
    _, _, result = run("ur5", circle(duration_s=10.0, commands=CALIBRATED), seed=32)
    assert result.summary["payload"]["mass_kg"] == 0.0
    wrench = result.summary["hand_wrench"]["hand"]
    assert math.hypot(*wrench["force_N"]) < 1.0
    assert math.hypot(*wrench["moment_Nm"]) < 0.1
