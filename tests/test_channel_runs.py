"""A robot that several clients drive through the command channel keeps its balance, and its log replays."""

from __future__ import annotations

from pathlib import Path

import pytest
from channel_runs import channel_run

pytestmark = pytest.mark.closed_loop


@pytest.mark.long
def test_clients_that_send_anything_do_no_harm_and_the_run_replays(tmp_path: Path) -> None:
    run = channel_run("g1", 5, 8.0, tmp_path)
    assert run.problem == ""
    assert run.malformed > 50
    assert min(run.received - run.dropped, run.limited, run.dropped) > 50
    assert {"accepted", "refused", "abandoned", "event"} <= set(run.answers)
