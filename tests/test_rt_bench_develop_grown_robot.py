from __future__ import annotations

import numpy as np
import pinocchio as pin
import pytest
from bodies import robot

from kilohertz.rt.bench.develop.grown_robot import grown_robot

pytestmark = pytest.mark.host

CONTACTS = {6: 1, 12: 2, 15: 2, 22: 3, 29: 4, 40: 4, 100: 4}


@pytest.mark.parametrize("joints", CONTACTS)
def test_it_has_the_joints_that_were_asked_for_and_the_contacts_that_they_can_close(joints, tmp_path):
    grown = grown_robot(joints, tmp_path)
    assert grown.na == joints
    assert grown.floating
    assert len(grown.contacts) == CONTACTS[joints]
    for contact in grown.contacts:
        assert len(grown.pin_model.supports[grown.pin_model.frames[contact.frame_id].parentJoint]) >= 6


def test_locking_joints_moves_no_mass(tmp_path):
    g1, grown = robot("g1"), grown_robot(12, tmp_path)
    assert grown.mass_kg == pytest.approx(g1.mass_kg)
    com = [pin.centerOfMass(r.pin_model, r.pin_model.createData(), r.q_nominal) for r in (g1, grown)]
    np.testing.assert_allclose(com[1], com[0], atol=1e-6)


def test_soles_and_palms_are_level_in_the_nominal_posture(tmp_path):
    grown = grown_robot(29, tmp_path)
    data = grown.pin_model.createData()
    pin.framesForwardKinematics(grown.pin_model, data, grown.q_nominal)
    for contact in grown.contacts:
        np.testing.assert_allclose(data.oMf[contact.frame_id].rotation[:, 2], [0, 0, 1], atol=0.02)


def test_fewer_joints_than_a_leg_are_refused(tmp_path):
    with pytest.raises(ValueError, match="6 joints of a leg"):
        grown_robot(5, tmp_path)
