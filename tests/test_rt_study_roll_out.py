"""One run of a study."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import mujoco
import pytest
from study_files import write_study

from kilohertz.rt.study.expression import TIMINGS
from kilohertz.rt.study.roll_out import DONE, FAILED, REFUSED, roll_out, warm
from kilohertz.rt.study.study import load_study

# Its first import starts a process.
assert mujoco.__version__


@pytest.mark.long
def test_a_run_gives_its_summary_without_what_depends_on_the_computer(tmp_path: Path) -> None:
    task = asdict(load_study(write_study(tmp_path)).task(2))
    found = [roll_out(task), roll_out(task)]
    assert found[0]["index"] == 2
    assert found[0]["status"] == DONE
    assert found[0]["summary"] == found[1]["summary"]
    assert not set(TIMINGS) & set(found[0]["summary"])
    assert found[0]["timing"]["wall_s"] > 0.0
    assert warm(task)["summary"]["duration_s"] < 0.05


def test_what_goes_wrong_is_a_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = asdict(load_study(write_study(tmp_path)).task(0))
    refused = roll_out({**task, "overrides": ["no.such.gain=1"]})
    assert (refused["status"], refused["summary"]) == (REFUSED, None)
    assert "no.such.gain" in refused["log"]

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr("kilohertz.rt.study.roll_out.Session", broken)
    failed = roll_out(task)
    assert failed["status"] == FAILED
    assert failed["log"].strip().endswith("RuntimeError: broken on purpose")
