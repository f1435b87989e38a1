"""Who does the runs of a study."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from study_files import write_study
from typer.testing import CliRunner

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.cli.main import app
from kilohertz.rt.study.crew import crew_of, local_crew, warm_up
from kilohertz.rt.study.journal import NAME
from kilohertz.rt.study.supervised import CRASHED
from kilohertz.rt.study.table import RUNS, TIMING, Rows

pytestmark = pytest.mark.host
MANY = 12


def test_a_local_crew_says_how_many_it_is() -> None:
    with local_crew(1) as crew:
        assert (crew.workers, crew.where, len(crew.per_host)) == (1, "1 process of this computer", 1)
        assert crew.executor.submit(int, "3").result() == 3
    with local_crew(3) as crew:
        assert crew.where == "3 processes of this computer"


def test_what_cannot_be_warmed_up_is_told() -> None:
    with local_crew(1) as crew:
        [(status, log)] = warm_up(crew, None)
    assert status == CRASHED
    assert "TypeError" in log


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense"])
def test_a_cluster_that_does_not_answer_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("kilohertz.rt.study.crew.CONNECT_S", 0.5)
    with pytest.raises(ConfigError, match="no dask scheduler answers"), crew_of(address, None):
        pass


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a dask cluster of two workers, each a process with one thread."""
    distributed = pytest.importorskip("distributed")
    pytest.importorskip("pyarrow")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
    ) as found:
        yield found.scheduler_address


def sweep(study: Path, out: Path, *words: str) -> dict[str, Any]:
    ran = CliRunner().invoke(app, ["sweep", "run", str(study), "-o", str(out), *words, "--json", "-"])
    assert ran.exit_code == 0, ran.output
    report: dict[str, Any] = json.loads(ran.stdout)
    return report


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of which no run counts as hung, however busy this computer is."""
    return write_study(tmp_path_factory.mktemp("study"), ("runs: 3", f"runs: {MANY}\ntimeout_s: 3000"))


@pytest.fixture(scope="module")
def expected(study: Path) -> bytes:
    """The runs by processes of this computer."""
    out = study.parent / "here"
    sweep(study, out, "--workers", "2")
    return (out / RUNS).read_bytes()


@pytest.mark.long
def test_a_cluster_gives_the_bytes_of_this_computer(
    tmp_path: Path, study: Path, expected: bytes, cluster: str
) -> None:
    report = sweep(study, tmp_path, "--cluster", cluster)
    assert report["where"] == "2 threads of 2 workers on 1 host"
    assert (report["done"], report["resumed"], report["status"]) == (MANY, 0, {"done": MANY})
    assert (tmp_path / RUNS).read_bytes() == expected
    # Each worker did some of the runs, in a process of its own.
    assert len({row["pid"] for row in Rows(tmp_path / TIMING).rows}) == 2


@pytest.mark.long
def test_a_cluster_gives_the_same_bytes_after_a_kill_and_a_resume(
    tmp_path: Path, study: Path, expected: bytes, cluster: str
) -> None:
    khz = str(Path(sys.executable).with_name("khz"))
    command = [khz, "sweep", "run", str(study), "-o", str(tmp_path), "--cluster", cluster]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        while process.poll() is None and done(tmp_path / NAME) < 2:
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.01)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / RUNS).exists()
    before = done(tmp_path / NAME)
    assert 2 <= before < MANY
    report = sweep(study, tmp_path, "--cluster", cluster)
    assert (report["done"], report["resumed"]) == (MANY, before)
    assert (tmp_path / RUNS).read_bytes() == expected


def done(journal: Path) -> int:
    """Number of runs in a journal, whose first line is no run; a line without its end does not count."""
    return max(0, journal.read_bytes().count(b"\n") - 1) if journal.is_file() else 0
