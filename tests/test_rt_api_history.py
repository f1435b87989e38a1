"""Named arrays with units: what is in them, and that nobody can change them."""

from __future__ import annotations

import numpy as np
import pytest
from toy_run import toy_robot, toy_tick

from kilohertz.history import History
from kilohertz.rt.loop.trace import Trace


@pytest.fixture
def history() -> History:
    trace = Trace(toy_robot(), ticks=5)
    for tick in range(3):
        trace.record(*toy_tick(t_s=tick * 1e-3, tau=(tick, 0.0)))
    return History(trace, toy_robot())


def test_an_array_holds_the_ticks_so_far(history: History) -> None:
    np.testing.assert_array_equal(history["t_s"], [0.0, 1e-3, 2e-3])
    np.testing.assert_array_equal(history["tau_true"][:, 0], [0.0, 1.0, 2.0])


def test_every_array_has_a_row_a_tick_a_unit_and_a_line(history: History) -> None:
    assert len(history) == len(list(history)) == len(history.units) > 20
    lines = history.describe().split("\n")
    for line, (name, values) in zip(lines, history.items(), strict=True):
        assert line.startswith(f"{name} ")
        assert str(values.shape) in line
        assert f"[{history.units[name]}]" in line or name == "state"
        assert len(values) == 3
    assert "3 ticks" in repr(history)


def test_nobody_can_change_it(history: History) -> None:
    for values in history.values():
        assert not values.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        history["t_s"][0] = 1.0


def test_an_unknown_name_is_told_with_those_there_are(history: History) -> None:
    with pytest.raises(KeyError, match="the history has no 'p_CW'; it has t_s, q, v"):
        history["p_CW"]
    assert "p_CW" not in history


def test_without_a_floating_base_there_is_no_balance_to_look_at() -> None:
    trace = Trace(toy_robot(), ticks=1)
    trace.record(*toy_tick())
    history = History(trace, toy_robot(floating=False, n_base=0))
    assert "p_WC" not in history
    assert "q_true" in history
