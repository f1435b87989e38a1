from __future__ import annotations

import contextlib
import json

import pytest

from kilohertz.rt.bench import link as link_bench
from kilohertz.rt.bench.link import as_json, link_table, run_link_bench

pytestmark = [pytest.mark.host, pytest.mark.quiet]


@pytest.mark.long
def test_a_robot_is_timed_over_the_link_idle_and_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    loads = []

    @contextlib.contextmanager
    def no_stress(on: bool):  # type: ignore[no-untyped-def]
        loads.append(on)
        yield

    monkeypatch.setattr(link_bench, "stress", no_stress)
    said: list[str] = []
    results = run_link_bench("ur5", 0.2, said.append)
    assert loads == [False, True]
    assert [result.load for result in results] == ["idle", "stress-ng"]
    assert len(said) == 2
    assert all(result.robot == "ur5" and result.ticks > 0 for result in results)
    assert link_table(results).row_count == 3
    assert json.loads(json.dumps(as_json(results)))["link"][1]["load"] == "stress-ng"
