import numpy as np
import pytest
from bodies import ROBOTS, robot

from kilohertz.controller.brain_output import BrainOutput


@pytest.mark.parametrize("name", ROBOTS)
def test_nothing_is_known_of_a_payload_or_of_a_wrench_before_the_first_tick(name):
    output = BrainOutput(robot(name))
    assert np.isnan(output.payload_kg)
    assert output.w_H.shape == (len(robot(name).hands), 6)
    assert np.isnan(output.w_H).all()
    assert output.state == "idle"
