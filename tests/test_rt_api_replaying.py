"""`replay`: a recorded run gives the same commands again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import kilohertz as khz

pytest.importorskip("mcap")


@pytest.mark.long
@pytest.mark.host
def test_a_recorded_run_gives_the_same_bits_again(tmp_path: Path) -> None:
    run = khz.simulate("panda", "stand", duration_s=0.2, log=tmp_path)
    assert run.log is not None
    result = khz.replay(run.log)
    assert (result.ticks, result.differ, result.bits, result.first) == (200, 0, 0, "")
    assert result.identical


def test_a_file_that_is_no_log_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.mcap").write_text("hello")
    with pytest.raises(khz.Refused, match=r"notes\.mcap"):
        khz.replay(tmp_path / "notes.mcap")
    with pytest.raises(khz.Refused, match=r"gone\.mcap: does not exist"):
        khz.replay(str(tmp_path / "gone.mcap"))
    nothing: Any = None
    with pytest.raises(khz.Refused, match="file should be the path of a file, not None"):
        khz.replay(nothing)
