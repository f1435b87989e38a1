from __future__ import annotations

import numpy as np
from toy_log import ROW, toy_rows

from kilohertz.rt.log.durations import TICK, stage_durations_ns


def test_durations_follow_the_order_of_the_stages_and_add_up_to_the_tick():
    rows = toy_rows(3).view(ROW)[:, 0]
    names = ("read", "estimate", "kinematics", "assemble", "solve", "guard", "write")
    for i, name in enumerate(names):
        rows["stamps_ns"][name] = rows["stamps_ns"]["start"] + 100 * (i + 1) ** 2
    durations = stage_durations_ns(rows["stamps_ns"])
    assert list(durations) == [*names, TICK]
    for i, name in enumerate(names):
        assert (durations[name][0] == 100 * (2 * i + 1)).all()
    assert (sum(durations[name][0] for name in names) == durations[TICK][0]).all()
    assert all(ran.all() for _, ran in durations.values())


def test_a_stage_that_keeps_an_older_stamp_did_not_run_and_takes_nothing_from_the_next():
    rows = toy_rows(2).view(ROW)[:, 0]
    before = stage_durations_ns(rows["stamps_ns"])
    rows["stamps_ns"]["solve"][1] = 0
    durations = stage_durations_ns(rows["stamps_ns"])
    np.testing.assert_array_equal(durations["solve"][1], [True, False])
    assert durations["guard"][0][1] == before["guard"][0][1] + before["solve"][0][1]
    assert durations[TICK][0][1] == before[TICK][0][1]
