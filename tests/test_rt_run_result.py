"""The exit code of a run: 0 done, 1 fell or stopped for safety, 4 link lost, 5 internal error, 130 Ctrl-C."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from kilohertz.rt.run.result import _exit_code, _loop_events


def loop(**fields: Any) -> Any:
    normal = {"exit_code": 0, "exit_state": "active", "stopped_by": None, "stopped_softly": False}
    normal["error"] = None
    return SimpleNamespace(**(normal | fields))


def scenario(last: str = "stand") -> Any:
    return SimpleNamespace(commands=[SimpleNamespace(kind="stand"), SimpleNamespace(kind=last)])


@pytest.mark.parametrize(
    ("fields", "fell", "robot_stopped", "last", "code"),
    [
        ({}, False, False, "stand", 0),
        ({}, True, False, "stand", 1),
        ({"exit_state": "damping"}, False, False, "stand", 1),
        ({"exit_state": "damping"}, False, False, "damp", 0),
        ({"exit_state": "damping"}, True, False, "damp", 1),
        ({"exit_code": 4, "exit_state": "link_lost"}, False, False, "stand", 4),
        ({"exit_code": 4, "exit_state": "link_lost"}, False, True, "stand", 1),
        ({"stopped_by": "SIGINT"}, False, False, "stand", 130),
        ({"stopped_by": "SIGINT", "exit_state": "idle", "stopped_softly": True}, False, False, "stand", 130),
        ({"stopped_by": "SIGINT", "stopped_softly": True}, True, False, "stand", 1),
        ({"stopped_by": "SIGTERM", "exit_state": "idle", "stopped_softly": True}, False, False, "stand", 0),
        ({"stopped_by": "SIGTERM", "exit_state": "soft_stop"}, False, False, "stand", 1),
        ({"exit_code": 1, "exit_state": "fault", "error": ValueError()}, False, False, "stand", 5),
        ({"exit_code": 1, "exit_state": "fault"}, False, False, "stand", 1),
    ],
)
def test_the_exit_code_says_how_a_run_ended(
    fields: dict[str, Any], fell: bool, robot_stopped: bool, last: str, code: int
) -> None:
    assert _exit_code(loop(**fields), fell, robot_stopped, scenario(last)) == code


def test_damping_is_told_with_its_reason_and_nothing_else_is() -> None:
    events = [
        SimpleNamespace(t_s=0.0, kind="state", text="starts in active"),
        SimpleNamespace(t_s=0.5, kind="state", text="from active to damping"),
    ]
    output: Any = SimpleNamespace(reason="the robot is falling")
    texts = [event["text"] for event in _loop_events(loop(events=events), output, [])]
    assert texts == ["starts in active", "from active to damping: the robot is falling"]


def test_a_stall_of_this_computer_right_before_damping_is_told_with_it() -> None:
    events = [SimpleNamespace(t_s=2.0, kind="state", text="from active to damping")]
    output: Any = SimpleNamespace(reason="the estimate has diverged")

    def text(stalled_at_s: float) -> str:
        told = [{"t_s": stalled_at_s, "kind": "stall", "text": "this computer stalled for 15 ms"}]
        return str(_loop_events(loop(events=events), output, told)[0]["text"])

    alone = "from active to damping: the estimate has diverged"
    assert text(1.8) == f"{alone}; shortly before, this computer stalled for 15 ms"
    assert text(0.5) == text(2.1) == alone
