from __future__ import annotations

import numpy as np
import pytest
from telemetry_runs import robot

from kilohertz.rt.view.sole_polygon import fan, sole_polygon


@pytest.mark.parametrize("name", ["g1", "bolt"])
def test_the_polygon_of_a_sole_goes_around_its_middle(name):
    for contact in robot(name).contacts:
        corners = sole_polygon(contact.corners_F)
        assert len(corners) >= 4
        assert len(fan(len(corners))) == len(corners) - 2
        turns = np.cross(
            np.roll(corners, -1, axis=0) - corners,
            np.roll(corners, -2, axis=0) - np.roll(corners, -1, axis=0),
        )
        assert (turns[:, 2] >= -1e-12).all()
        if len(contact.corners_F) >= 4:
            assert {tuple(corner) for corner in corners} == {tuple(corner) for corner in contact.corners_F}
