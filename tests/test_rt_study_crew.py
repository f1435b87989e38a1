"""Who does the runs of a study."""

from __future__ import annotations

import pytest

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.study.crew import crew_of, local_crew, warm_up
from kilohertz.rt.study.supervised import CRASHED

pytestmark = pytest.mark.host


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
