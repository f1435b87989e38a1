"""The soles are loaded as gains.yaml says, in the simulator, with either solver."""

import numpy as np
import pytest
from bodies import robot
from control_runs import run

from kilohertz.controller.gains.schema import Gains, load_gains

pytestmark = pytest.mark.closed_loop


def stand(solver, seconds=2.5, **stance):
    given = load_gains(robot("g1")).model_dump()
    gains = Gains.model_validate({**given, "solver": solver, "stance": stance})
    result = run("g1", seconds, gains=gains)
    assert set(result.state) == {"active"}
    assert (result.rung == 0).all()
    return result


@pytest.mark.parametrize("solver", ["osqp", "exact"])
def test_a_share_of_seventy_to_thirty_is_reached(solver):
    normal = stand(solver, left_foot={"share": 0.7}).normal_N[-300:].mean(axis=0)
    np.testing.assert_allclose(normal / normal.sum(), [0.7, 0.3], atol=0.005)


@pytest.mark.parametrize("solver", ["osqp", "exact"])
def test_the_centre_of_pressure_is_moved(solver):
    """As MuJoCo measures it: where the ground's force on each sole acts."""
    ahead = {"cop_m": [0.03, 0.0]}
    truth = stand(solver, 3.5, left_foot=ahead, right_foot=ahead).sim.truth
    np.testing.assert_allclose((truth.cop_W - truth.p_WF)[:, 0], 0.03, atol=0.002)
