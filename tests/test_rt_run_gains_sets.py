from __future__ import annotations

import json

import pytest

from kilohertz.controller.gains.live import live_numbers, live_paths
from kilohertz.rt.run.session import RunPlan, Session

pytestmark = pytest.mark.closed_loop

START, CHANGED = {"hand.kp_per_s2": 400.0}, {"hand.kp_per_s2": 480.0}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of an arm whose first new gains are good, and whose second ones make it oscillate."""
    folder = tmp_path_factory.mktemp("sets")
    gains, scenario = folder / "gains.yaml", folder / "scenario.yaml"
    gains.write_text("hand:\n  kp_per_s2: 400\n")
    scenario.write_text(
        json.dumps({"name": "hold", "duration_s": 7.0, "commands": [{"at_s": 0, "stand": {}}]})
    )
    session = Session(RunPlan("panda", str(scenario), seed=3, gains=gains, watch_gains=True))
    numbers = live_numbers(session.gains)
    kp, kd = (live_paths().index(("hand", name)) for name in ("kp_per_s2", "kd_per_s"))

    def change(tick):
        if tick == 2500:
            numbers[kp] *= 1.2
            session.live.mailbox.post(1, numbers)
        elif tick == 5500:
            numbers[kd] *= 4.0
            session.live.mailbox.post(2, numbers)

    return session.run(each_tick=change)


@pytest.mark.long
def test_each_set_of_gains_has_its_figures_with_seed_and_gains(run):
    sets = run.summary["gains_sets"]
    assert [each["generation"] for each in sets] == [0, 1, 2]
    assert {each["seed"] for each in sets} == {run.summary["seed"]} == {3}
    assert [each["gains"]["hand.kp_per_s2"] for each in sets] == [400.0, 480.0, 480.0]
    assert [each["gains"]["hand.kd_per_s"] for each in sets] == [80.0, 80.0, 320.0]
    assert sum(each["in_force_s"] for each in sets) == pytest.approx(7.0)
    for each in sets[:2]:
        assert 0.0 < each["tracking"]["hand_rms_m"]["hand"] < 1e-3
        assert 0.0 < each["torque"]["effort"] < 1.0 - each["torque"]["torque_margin"]


def test_the_verdict_has_the_figures_before_and_after(run):
    start, good, bad = (each["verdict"] for each in run.summary["gains_sets"])
    assert start is None
    assert (good["state"], bad["state"]) == ("accepted", "rolled back")
    assert good["after"]["effort"] == pytest.approx(good["before"]["effort"], rel=0.01)
    assert bad["after"]["chatter_Nm"] > 1.5 * bad["before"]["chatter_Nm"]
    assert bad["reason"]


def test_the_summary_is_json(run):
    assert json.loads(json.dumps(run.summary, allow_nan=False)) == run.summary


def test_a_run_whose_gains_do_not_change_has_no_sets():
    assert Session(RunPlan("panda", "default-arm", 0.1)).run().summary["gains_sets"] == []
