"""The footsteps that are shown to people are those on which the robot then walks."""

from __future__ import annotations

import numpy as np
import pytest
from telemetry_runs import robot

from kilohertz.controller.walking.route import STEPS_SHOWN
from kilohertz.rt.log.file import LogReader, read_rows
from kilohertz.rt.run.session import RunPlan, Session

pytest.importorskip("mcap")
pytest.importorskip("trimesh")

from kilohertz.rt.view.robot_figure import RobotFigure

pytestmark = pytest.mark.closed_loop

WALK = [{"at_s": 0.0, "walk": {"velocity_m_s": [0.3, 0.0]}}]
STEPS = [
    {"foot": "left_foot", "p_SF_m": [0.15, 0.1, 0.0]},
    {"foot": "right_foot", "p_SF_m": [0.3, -0.1, 0.0]},
    {"foot": "left_foot", "p_SF_m": [0.45, 0.1, 0.0]},
    {"foot": "right_foot", "p_SF_m": [0.45, -0.1, 0.0]},
]


def rows_of(folder, commands, duration_s):
    scenario = {"name": "shown", "duration_s": duration_s, "commands": commands}
    with LogReader(Session(RunPlan("g1", scenario, log=folder)).run().log) as reader:
        rows = read_rows(reader, ["tick", "estimate", "steps"])
    return rows[rows["tick"] >= 0]


def landings(rows):
    """Contacts that close, where they are then, and the footsteps that were shown just before."""
    figure = RobotFigure(robot("g1"))
    closed = rows["estimate"]["contact"] > 0.5
    found = []
    for tick, foot in zip(*np.nonzero(closed[1:] & ~closed[:-1]), strict=True):
        # The sole has come to rest a little later.
        figure.pose(rows["estimate"]["q"][min(tick + 60, len(rows) - 1)])
        shown = rows["steps"]["footsteps"][tick].reshape(STEPS_SHOWN, 5)
        found.append((int(foot), figure.p_WF[foot].copy(), shown))
    return found


@pytest.mark.long
def test_a_walk_shows_its_next_footstep(tmp_path):
    rows = rows_of(tmp_path, WALK, 3.0)
    found = [landing for landing in landings(rows) if np.isfinite(landing[2][0, 0])]
    assert len(found) >= 3
    for foot, p_WF, shown in found:
        assert shown[0, 0] == foot
        # The foothold is adapted to the DCM after lift-off.
        np.testing.assert_allclose(shown[0, 1:3], p_WF[:2], atol=0.06)
        assert np.isnan(shown[1:]).all()
    assert np.isnan(rows["steps"]["footsteps"][0]).all()


@pytest.mark.long
def test_given_footsteps_are_shown_ahead(tmp_path):
    rows = rows_of(tmp_path, [{"at_s": 0.3, "footsteps": {"steps": STEPS}}], 6.0)
    found = [landing for landing in landings(rows) if np.isfinite(landing[2][0, 0])]
    counts = [int(np.isfinite(shown[:, 0]).sum()) for _, _, shown in found]
    assert counts[:4] == [4, 3, 2, 1]
    ahead = found[0][2]
    for step in range(4):
        foot, p_WF, _ = found[step]
        assert ahead[step, 0] == foot
        np.testing.assert_allclose(ahead[step, 1:3], p_WF[:2], atol=0.03)
    # At rest again.
    assert np.isnan(rows["steps"]["footsteps"][-1]).all()


def test_an_arm_has_none():
    from kilohertz.rt.log.row import row_type

    assert "steps" not in row_type(robot("panda"), live=False).names
