"""Paths to which nothing can be written are refused in one sentence, and none makes a command wait."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.cli.output import RefusedError, check_file, check_folder, write_json
from kilohertz.sim.scenario import find_scenario

TOO_LONG = "a" * 5000


@pytest.mark.parametrize("check", [check_file, check_folder])
def test_a_path_that_is_too_long_is_refused(check) -> None:
    with pytest.raises(RefusedError, match="File name too long") as refused:
        check(Path(TOO_LONG))
    assert len(str(refused.value)) < 300


def test_a_scenario_whose_name_is_too_long_is_refused() -> None:
    with pytest.raises(ConfigError, match="there is no scenario") as refused:
        find_scenario(TOO_LONG)
    assert len(str(refused.value)) < 1500


def test_a_pipe_from_which_nothing_reads_does_not_hold_up_the_end(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(RefusedError, match="nothing reads from this pipe"):
        write_json(path, {"a": 1})
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    write_json(path, {"a": 1})
    assert os.read(reader, 100) == b'{\n  "a": 1\n}\n'
    os.close(reader)
