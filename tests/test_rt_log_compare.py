from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.run.session import RunPlan, Session

pytestmark = pytest.mark.closed_loop

log_file = pytest.importorskip("kilohertz.rt.log.file")
compare = pytest.importorskip("kilohertz.rt.log.compare")


def blocks(rng, mean, n=20, spread=0.1, figure="effort"):
    found = defaultdict(lambda: defaultdict(list))
    found["stand"][figure] = list(mean * (1.0 + spread * rng.normal(size=n)))
    return found


def only(before, after):
    (difference,) = compare.differences_of(before, after)
    return difference


def test_runs_that_differ_by_chance_only_are_the_same():
    rng = np.random.default_rng(1)
    verdicts = [only(blocks(rng, 0.04), blocks(rng, 0.04)).verdict for _ in range(300)]
    assert verdicts.count("same") >= 296


@pytest.mark.parametrize(
    ("figure", "factor", "verdict"),
    [
        ("effort", 1.5, "worse"),
        ("effort", 0.7, "better"),
        ("torque_margin", 1.5, "better"),
        ("torque_margin", 0.7, "worse"),
    ],
)
def test_a_change_beyond_its_noise_is_better_or_worse(figure, factor, verdict):
    rng = np.random.default_rng(2)
    difference = only(blocks(rng, 0.04, figure=figure), blocks(rng, 0.04 * factor, figure=figure))
    assert difference.verdict == verdict


def test_a_root_mean_square_is_shown_as_a_root():
    rng = np.random.default_rng(3)
    difference = only(blocks(rng, 0.04, n=400), blocks(rng, 0.09, n=400))
    assert (difference.a, difference.b) == (pytest.approx(0.2, rel=0.01), pytest.approx(0.3, rel=0.01))
    # d sqrt(x) = dx / (2 sqrt(x)), at the mean of both roots.
    expected = 0.1 * np.sqrt((0.04**2 + 0.09**2) / 400) / 0.5
    assert difference.noise == pytest.approx(expected, rel=0.2)


def test_values_that_drift_have_more_noise_than_independent_ones():
    rng = np.random.default_rng(4)
    drift = np.cumsum(rng.normal(size=50))
    drifting, mixed = defaultdict(dict), defaultdict(dict)
    drifting["stand"]["power_W"], mixed["stand"]["power_W"] = drift.tolist(), rng.permutation(drift).tolist()
    assert only(drifting, drifting).noise > 2.0 * only(mixed, mixed).noise


def test_a_small_difference_is_the_same_however_sure_it_is():
    rng = np.random.default_rng(5)
    assert only(blocks(rng, 1.0, spread=1e-6), blocks(rng, 1.01, spread=1e-6)).verdict == "same"


def test_requests_that_only_one_run_followed_do_not_count():
    rng = np.random.default_rng(6)
    before, after = blocks(rng, 0.04), blocks(rng, 0.04)
    after["walk"]["effort"] = [100.0] * 20
    assert only(before, after).verdict == "same"
    after["stand"]["effort"] = after["stand"]["effort"][:2]
    assert list(compare.differences_of(before, after)) == []


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    """Logs of an arm with its own gains, of a short run, and of one whose hand is held with less weight."""
    folder = tmp_path_factory.mktemp("logs")
    plans = [("own", {}), ("soft", {"overrides": ("hand.kp_per_s2=20", "hand.kd_per_s=9")})]
    found = {
        name: Session(RunPlan("panda", "stand", 6.0, log=folder / name, **more)).run().log
        for name, more in plans
    }
    found["short"] = Session(RunPlan("panda", "stand", 1.0, log=folder / "short")).run().log
    return found


def compared(a, b):
    with log_file.LogReader(a) as first, log_file.LogReader(b) as second:
        return compare.compare(first, second)


@pytest.mark.long
def test_logs_are_compared_in_all_figures(logs):
    same, other = compared(logs["own"], logs["own"]), compared(logs["own"], logs["soft"])
    names = [each.figure for each in same.differences]
    assert names[:2] == ["hand_tracking_m", "effort"]
    assert {each.verdict for each in same.differences} == {"same"}
    assert same.seconds == (4.0, 4.0)
    assert "the gains at the start are the same" in same.notes
    figures = other.figures()
    assert "chatter_Nm" in figures["better"]
    chatter = figures["figures"]["chatter_Nm"]
    assert chatter["b"] < 0.7 * chatter["a"]


@pytest.mark.long
def test_logs_without_motion_in_common_are_refused(logs):
    with pytest.raises(ConfigError, match="in common"):
        compared(logs["own"], logs["short"])
