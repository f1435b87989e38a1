"""The worst ticks and one tick fit on a terminal."""

import io

from rich.console import Console
from why_runs import calm

from kilohertz.rt.show.why_screen import MOST_ROWS, print_tick, print_worst
from kilohertz.rt.why.worst import worst_ticks

TICK = {
    "tick": 7,
    "t_s": 0.007,
    "command_as_recorded": True,
    "state": "active",
    "reason": None,
    "remark": "too far",
    "behaviour": "walk",
    "behaviour_state": "running",
    "rung": "solved",
    "iterations": 4,
    "contacts": {
        "foot": {"closed": True, "planned": False, "normal_force_N": None, "wrench_in_solution": [1.0]}
    },
    "balance": {"p_WC": [0.0, 0.0, 0.6]},
    "joints": {
        "knee_joint": {
            "q_rad": 0.7,
            "v_rad_s": 0.1,
            "tau_measured_Nm": 12.0,
            "tau_command_Nm": 12.5,
            "limit_Nm": 139.0,
            "q_des_rad": 0.7,
            "kp_Nm_rad": 0.0,
            "kd_Nms_rad": 0.0,
        }
    },
    "tasks": {"com": {"reference": [0.1], "weights": [50.0]}},
    "rows": [{"task": "com", "wanted": 1.0, "reached": None, "weight": 50.0}] * (MOST_ROWS + 3),
    "active_constraints": [{"name": "knee_joint.torque_limit", "multiplier": 2.5}],
    "residuals": {"base_N": 1e-9},
}


def printed(what, *arguments):
    console = Console(file=io.StringIO(), width=110)
    what(console, *arguments)
    return console.file.getvalue()


def test_the_worst_ticks_have_a_line_of_margins_each():
    m = calm(100)
    m.rows["rung"][50] = 1
    text = printed(print_worst, worst_ticks(m, 2))
    assert "ladder 100 %" in text
    assert "tick 50, used: torque" in text


def test_a_tick_is_printed_with_what_is_left_out():
    text = printed(print_tick, TICK)
    assert "remark: too far" in text
    assert "knee " in text
    assert "3 more rows: see --json" in text
    assert "knee_joint.torque_limit (2.5)" in text
    assert "normal force - N" in text
