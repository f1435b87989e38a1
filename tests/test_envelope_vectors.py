"""The shipped test vectors of the envelope are those that the envelope has, for each period and sentence."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from envelope_vectors import FILE, content, numbers_from, replay
from typer.testing import CliRunner

from kilohertz.robots.wire import envelope
from kilohertz.rt.cli.main import app

pytestmark = pytest.mark.unit

SHIPPED = json.loads(FILE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", SHIPPED["cases"], ids=lambda case: case["name"])
def test_the_envelope_reproduces_the_shipped_vectors(case):
    torques, reason = replay(numbers_from(SHIPPED["numbers"]), case["periods"])
    assert reason == case["reason"]
    for torque, period in zip(torques, case["periods"], strict=True):
        assert (torque is None) == (period["torque"] is None)
        if torque is not None:
            np.testing.assert_allclose(torque, period["torque"], rtol=1e-9, atol=1e-9)


def test_the_shipped_vectors_are_those_of_the_script():
    written = content()
    assert [case["name"] for case in written["cases"]] == [case["name"] for case in SHIPPED["cases"]]
    for name, values in written["numbers"].items():
        if name != "joints":
            np.testing.assert_allclose(values, SHIPPED["numbers"][name], rtol=1e-9)
    assert any(case["reason"] for case in SHIPPED["cases"])


def test_the_command_prints_the_numbers_of_a_robot():
    result = CliRunner().invoke(app, ["protocol", "--envelope", "panda"])
    numbers = json.loads(result.stdout)
    assert result.exit_code == 0
    assert numbers["torque_Nm"][0] == 87.0
    assert numbers_from(numbers).joints == tuple(numbers["joints"])


def test_the_page_states_the_numbers_of_the_code():
    page = re.sub(r"\s+", " ", FILE.with_name("PROTOCOL.md").read_text(encoding="utf-8"))
    e = envelope
    for text in (
        f"more than {e.OLDEST_STATE_TICKS} periods old",
        f"step = {e.RATE_PER_S:g}/s dt L",
        f"A = ({e.TOP_SPEED:g} V - s) / ({e.SPEED_MARGIN:g} V)",
        f"B = (room + {e.SOFT_RAD:g}) / stop_rad",
        f"room + {e.SOFT_RAD:g} - {e.DAMPING_MARGIN_RAD:g}",
        f"C = {e.BRAKING_FULL:g} - {e.BRAKING_SLOPE:g} r",
        f"max(0, {e.REACTION_S:g} + dt last / step)) + {e.SHORTEST_BRAKING_RAD:g})",
        f"`last` - {e.TURN_BACK:g} step",
        f"more than {e.JUMP:g} L in more than {e.JUMPS} periods",
        f"takes {e.FORGOTTEN:g} from the count",
        f"more than {e.LAG:g} L from f",
        f"more than {e.LAGS} end in damping",
        f"more than {e.LAG:g} L from `last`",
        f"more than {e.BRAKES} end in damping",
        f"for {e.OUT_TICKS} periods, v above {e.TOO_FAST:g} V or q more than {e.BEYOND_RAD:g} rad",
        f"above {e.DRIVEN:g} L in this direction",
        f"below {e.LIMP:g} L and a kd below {e.DAMPED_S:g} L s/rad",
        f"torque limit / {e.ERROR_RAD:g} rad",
        f"limit / {e.DAMPED_SPEED_RAD_S:g} rad/s",
    ):
        assert text in page, text
