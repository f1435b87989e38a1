"""An IMU that is turned in its mount is found at rest, and when it begins to contradict the legs."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from why_runs import calm

from kilohertz.rt.why.imu_sign import TURN_DEG, turn_at_start_deg, turned


@pytest.mark.parametrize("angle_deg", [2.0, 10.0, 30.0])
def test_the_angle_at_rest_is_measured(angle_deg):
    m = calm()
    level = turn_at_start_deg(m)
    turn = Rotation.from_euler("y", angle_deg, degrees=True)
    m.rest["accel"] = turn.apply(m.rest["accel"])
    assert turn_at_start_deg(m) == pytest.approx(angle_deg, abs=level + 0.1)
    sign = turned(m, len(m.rows))
    assert (sign is not None) == (angle_deg > TURN_DEG)
    if sign is not None:
        assert sign.at_s == 0.0


def test_a_lasting_contradiction_begins_where_it_leaves_its_usual_level():
    m = calm()
    assert turned(m, len(m.rows)) is None
    m.doubts.contradiction_m_s2[:] = 0.04
    m.doubts.contradiction_m_s2[900:] = 0.04 + 1e-3 * np.arange(len(m.rows) - 900)
    sign = turned(m, len(m.rows))
    assert sign.at_s == pytest.approx(0.92, abs=0.003)


def test_a_short_jolt_is_no_turned_imu():
    m = calm()
    m.doubts.contradiction_m_s2[900:920] = 1.0
    assert turned(m, len(m.rows)) is None
