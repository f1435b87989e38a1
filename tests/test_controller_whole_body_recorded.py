"""The problems that TSID 1.7.1 was given, rebuilt with the controller's own tasks, have TSID's solutions.

The recordings are not part of the project. They hold 40 ticks of each robot: the G1 and Talos on both feet,
moving their centre of mass along a sine; Panda and UR5 following a point with their hand. TSID's unknowns are
accelerations and forces at the corners of the soles, each inside its own friction pyramid and weighed by
1e-8; here they are accelerations and forces. As long as no single corner reaches its pyramid the two
problems are the same (see `recorded_robots.solve` for the cost of the forces, which TSID has about the
ankle); where one does, TSID's weight on corner forces tells them apart by some hundredths of a newton metre.
"""

import numpy as np
import pytest
import recorded_robots

pytestmark = pytest.mark.skipif(
    not recorded_robots.FOLDER.exists(), reason=f"recorded programs are not here: {recorded_robots.FOLDER}"
)

BIPEDS, ARMS = ("g1", "talos"), ("panda", "ur5")


@pytest.fixture(scope="module", params=[*BIPEDS, *ARMS])
def replayed(request, tmp_path_factory):
    """Every recorded tick solved again: accelerations, torques, corner forces, corners at their pyramid."""
    name = request.param
    model = recorded_robots.load(name, tmp_path_factory.mktemp(name))
    data, body = recorded_robots.recording(name), recorded_robots.whole_body(model)
    vdot, tau, forces = (np.zeros_like(data[key]) for key in ("dv", "tau", "f"))
    for i in range(len(data["t"])):
        body.update(np.ascontiguousarray(data["q"][i]), np.ascontiguousarray(data["v"][i]))
        recorded_robots.ask(body, data, i)
        assert recorded_robots.solve(body)
        vdot[i], tau[i] = body.solution.vdot, body.solution.tau
        if name in BIPEDS:
            spread = np.linalg.pinv(recorded_robots.corner_map(model))
            forces[i] = np.hstack([spread @ wrench for wrench in body.solution.wrench])
    corners = (np.einsum("kij,kj->ki", data["CI"], data["x"]) + data["ci0"] < 1e-7).sum(axis=1)
    return name, data, vdot, tau, forces, corners


def test_torques_are_tsids(replayed):
    name, data, _, tau, _, corners = replayed
    errors = np.abs(tau - data["tau"]).max(axis=1)
    assert errors[corners == 0].max() < (1e-3 if name in BIPEDS else 1e-10)
    assert errors.max() < 0.1
    assert (corners == 0).sum() >= 13


def test_accelerations_are_tsids(replayed):
    name, data, vdot, _, _, corners = replayed
    errors = np.abs(vdot - data["dv"]).max(axis=1)
    assert errors[corners == 0].max() < (1e-4 if name in BIPEDS else 1e-10)
    assert errors.max() < 5e-3


def test_the_cost_is_tsids(replayed):
    """TSID's own objective and equalities, at the solution found here."""
    name, data, vdot, _, forces, corners = replayed
    for i in np.flatnonzero(corners == 0):
        x = np.r_[vdot[i], forces[i]]
        cost = 0.5 * x @ data["H"][i] @ x + data["g"][i] @ x
        if name in BIPEDS:  # which also pull their soles back by what they have slipped, some 1e-4 m/s^2
            assert np.abs(data["CE"][i] @ x + data["ce0"][i]).max() < 1e-3
        assert cost == pytest.approx(data["obj"][i], abs=1e-5 if name in BIPEDS else 1e-12)


@pytest.mark.parametrize("name", [*BIPEDS, *ARMS])
def test_osqp_finds_the_recorded_solutions_too(name, tmp_path):
    """To its own tolerance: a hundredth of the largest torque."""
    model, data = recorded_robots.load(name, tmp_path), recorded_robots.recording(name)
    body, errors = recorded_robots.whole_body(model, "osqp"), []
    for i in range(0, len(data["t"]), 4):
        body.update(np.ascontiguousarray(data["q"][i]), np.ascontiguousarray(data["v"][i]))
        recorded_robots.ask(body, data, i)
        recorded_robots.solve(body)
        errors.append(np.abs(body.solution.tau - data["tau"][i]).max())
    assert max(errors) < 0.01 * model.torque_limit_Nm.max()
