from __future__ import annotations

import subprocess

import pytest

from kilohertz.rt.bench.develop import tsid_environment
from kilohertz.rt.bench.develop.tsid_environment import TsidMissingError, tsid_python


def test_a_complete_environment_is_taken_as_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("KILOHERTZ_CACHE", str(tmp_path))
    monkeypatch.setattr(tsid_environment, "_make", lambda folder: pytest.fail("it was made again"))
    (tmp_path / "tsid-1.10.0").mkdir()
    (tmp_path / "tsid-1.10.0" / "complete").touch()
    assert tsid_python() == tmp_path / "tsid-1.10.0" / "bin" / "python"


@pytest.mark.parametrize("failure", [OSError("no space"), subprocess.CalledProcessError(1, "pip")])
def test_one_that_cannot_be_made_is_told_and_tried_again_next_time(failure, tmp_path, monkeypatch):
    monkeypatch.setenv("KILOHERTZ_CACHE", str(tmp_path))
    tried = []

    def make(folder):
        folder.mkdir(exist_ok=True)
        tried.append(folder)
        raise failure

    monkeypatch.setattr(tsid_environment, "_make", make)
    for _ in range(2):
        with pytest.raises(TsidMissingError, match="could not be installed"):
            tsid_python()
    assert len(tried) == 2
