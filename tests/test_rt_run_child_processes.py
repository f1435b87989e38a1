"""A helper process that ends by itself during a run is a failure of Kilohertz, and the run goes on."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from kilohertz.rt.run.session import RunPlan, Session

pytestmark = pytest.mark.host

SHORT = {"name": "short", "duration_s": 0.2, "commands": [{"at_s": 0, "stand": {}}]}


@pytest.mark.long
@pytest.mark.parametrize("module", ["log.recorder", "live.gains_watch"])
def test_a_helper_process_that_ends_by_itself_is_an_internal_failure(module, tmp_path):
    pytest.importorskip("mcap")
    gains = tmp_path / "gains.yaml"
    gains.write_text("solver: exact\n")
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(json.dumps(SHORT))
    plan = RunPlan("panda", str(scenario), log=tmp_path / "logs", gains=gains, watch_gains=True)
    session = Session(plan)

    def kill(tick):
        if tick == 50:
            for line in Path("/proc").glob("[0-9]*/cmdline"):
                with suppress(OSError):
                    parent = int((line.parent / "stat").read_text().rpartition(")")[2].split()[1])
                    if parent == os.getpid() and f"kilohertz.rt.{module}" in line.read_text():
                        os.kill(int(line.parent.name), signal.SIGKILL)
            time.sleep(0.2)

    result = session.run(each_tick=kill)
    assert result.exit_code == 5
    told = " ".join(event["text"] for event in result.events)
    assert ("the recorder process ended" if module == "log.recorder" else "watches the gains file") in told
    assert result.summary["ticks"] == 200
