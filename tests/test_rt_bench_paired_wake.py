from __future__ import annotations

import json

import pytest

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.bench import paired_wake
from kilohertz.rt.bench.paired_wake import BARS, as_json, compare, run_paired_wake, wake_table
from kilohertz.rt.doctor.measure import WakeUps

pytestmark = [pytest.mark.host, pytest.mark.quiet]


def wake_ups(ours_us: int, reference_us: int, n: int = 1000) -> WakeUps:
    both = WakeUps()
    for _ in range(n):
        both.ours.record(1000 * ours_us)
        both.reference.record(1000 * reference_us)
    return both


@pytest.mark.parametrize(("ours_us", "holds"), [(20, True), (26, True), (28, False)])
def test_the_ratio_is_ours_by_cyclictests_and_judged_by_its_bar(ours_us: int, holds: bool) -> None:
    result = compare("idle", wake_ups(ours_us, 20), 0.0)
    assert all(ratio == pytest.approx(ours_us / 20, rel=2e-3) for ratio in result.ratio.values())
    assert set(result.ratio) == set(BARS)
    assert result.holds is holds
    assert result.conclusive


@pytest.mark.parametrize(("reference_us", "stolen"), [(600, 0.0), (20, 0.05)])
def test_a_host_that_is_late_itself_proves_nothing(reference_us: int, stolen: float) -> None:
    assert not compare("idle", wake_ups(20, reference_us), stolen).conclusive


def test_without_its_figures_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="needs FIFO priority"):
        compare("idle", WakeUps(), None)
    monkeypatch.setattr(paired_wake.shutil, "which", lambda name: None)
    with pytest.raises(ConfigError, match="apt install rt-tests"):
        run_paired_wake(1, print)


def test_every_load_is_in_the_table_and_in_the_json() -> None:
    results = [compare(load, wake_ups(20, 20), None) for load in ("idle", "stress-ng")]
    assert wake_table(results).row_count == 7
    written = json.loads(json.dumps(as_json(results)))["against_cyclictest"]
    assert [entry["load"] for entry in written] == ["idle", "stress-ng"]
    assert written[0]["stolen_share"] is None
