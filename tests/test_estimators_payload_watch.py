"""An unknown load is weighed and found, on the estimator, with noise, delay and friction."""

import pytest

from kilohertz.rt.run.session import RunPlan, Session

pytestmark = pytest.mark.closed_loop


def run(tmp_path, load: str, seconds: float = 5.0) -> dict:
    scenario = tmp_path / "load.yaml"
    scenario.write_text(f"name: load\nduration_s: {seconds}\ncommands:\n  - {{at_s: 0, stand: {{}}}}\n{load}")
    return Session(RunPlan("g1", str(scenario), seed=3)).run().summary["payload"]


def test_without_a_payload_none_is_detected(tmp_path):
    assert run(tmp_path, "") == {"mass_kg": 0.0, "p_BP_m": None}


@pytest.mark.long
@pytest.mark.parametrize(
    ("link", "kg", "place", "left_m"),
    [
        ("trunk", 10.0, [0.05, 0, 0.1], 0.0),
        ("hands", 5.0, [0.02, 0, 0], 0.0),
        ("left_hand", 3.0, [0.02, 0, 0], 0.2),
    ],
)
def test_a_load_is_weighed_within_a_tenth(tmp_path, link, kg, place, left_m):
    payload = run(
        tmp_path,
        f"events:\n  - {{at_s: 0, payload: {{link: {link}, mass_kg: {kg}, p_LP_m: {place}}}}}\n",
    )
    assert payload["mass_kg"] == pytest.approx(kg, rel=0.1)
    assert payload["p_BP_m"][1] == pytest.approx(left_m, abs=0.06)
    assert payload["p_BP_m"][2] is None
