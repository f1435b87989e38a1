from __future__ import annotations

import pytest

from kilohertz.rt.bench.develop.kernel_baseline import as_json, floor_table, run_floor

pytestmark = pytest.mark.host


@pytest.mark.long
def test_every_mode_has_a_floor_of_both_parts():
    floors = run_floor(["g1", "ur5"], 20)
    assert [(f.robot, f.mode) for f in floors] == [("g1", "both feet"), ("g1", "one foot"), ("ur5", "hand")]
    for f in floors:
        assert min(f.pinocchio_us, f.kernel_us) > 0.0
        assert f.ratio == pytest.approx(f.tick_us / (f.pinocchio_us + f.kernel_us))
    assert floor_table(floors).row_count == 3
    assert as_json(floors)["floor"][0]["robot"] == "g1"
