from __future__ import annotations

import pytest
from bodies import robot

from kilohertz.controller.gains.schema import load_gains
from kilohertz.controller.standing.standing import standing_tasks
from kilohertz.controller.whole_body.from_gains import whole_body


@pytest.mark.parametrize("solver", ["osqp", "exact"])
def test_contacts_barriers_and_solver_are_those_of_the_gains(solver):
    model = robot("g1")
    gains = load_gains(model)
    body = whole_body(model, gains, standing_tasks(model, gains), solver)
    contacts, weight = body.arrays.contacts, model.mass_kg * 9.81
    last = int(contacts.n_rows[0]) - 1
    assert contacts.lower[0, last] == pytest.approx(gains.contact.least_load * weight)
    assert contacts.upper[0, last] == pytest.approx(gains.contact.largest_load * weight)
    assert contacts.damping_per_s[0] == gains.contact.damping_per_s
    limits = gains.limits
    assert body.arrays.limits.gain.tolist() == [
        limits.position_per_s2,
        limits.damping_per_s,
        limits.velocity_per_s,
        limits.largest_rad_s2,
    ]
    assert body.solver.name == solver
