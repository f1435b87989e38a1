"""The hook of a gantry: over the centre of mass of the nominal posture, or where the scenario says."""

import numpy as np
import pinocchio as pin
import pytest
from sim_runs import SURFACE_FEET, robot, simulate

from kilohertz.sim.hook import HOOK, hook_in_link
from kilohertz.sim.surroundings_schema import GantryPlan


@pytest.mark.parametrize("name", SURFACE_FEET)
def test_the_hook_is_over_the_centre_of_mass(name):
    model = robot(name)
    link, point = hook_in_link(model, GantryPlan(lower_at_s=1.0))
    data = model.pin_model.createData()
    com = pin.centerOfMass(model.pin_model, data, model.q_nominal).copy()
    pin.updateFramePlacements(model.pin_model, data)
    hook = data.oMf[model.pin_model.getFrameId(link, pin.FrameType.BODY)].act(point)
    np.testing.assert_allclose(hook[:2], com[:2], atol=1e-12)
    assert hook[2] > 1.3 * com[2]


def test_it_is_where_the_scenario_says_and_weighs_nothing():
    gantry = {"lower_at_s": 1.0, "link": "left_hand", "p_LP_m": [0.0, 0.0, 0.1]}
    world = simulate("g1", gantry=gantry).world
    hook = world.model.body(HOOK)
    assert hook.mass == 0.0
    assert HOOK not in world.bodies
    hand = world.data.site_xpos[world.hand_sites[robot("g1").hand_names.index("left_hand")]]
    assert np.linalg.norm(world.data.xpos[hook.id] - hand) == pytest.approx(0.1)
