"""Searches for gains: what they start from, and what is refused with file, line and the number of runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from study_files import SEARCH, write_search, write_study

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.study.tuning import DOWN, Knob, load_tuning


def test_a_search_takes_the_ranges_of_the_schema_or_narrower_ones(tmp_path: Path) -> None:
    tuning = load_tuning(write_search(tmp_path))
    kp, kd = tuning.knobs
    # The schema allows any stiffness above 0 up to 10000; its default is 400 and that of arms 1600.
    assert (kp.key, kp.low, kp.high, kp.start, kp.log) == ("hand.kp_per_s2", 400.0 / DOWN, 1e4, 1600.0, True)
    assert (kd.key, kd.low, kd.high, kd.start) == ("hand.kd_per_s", 5.0, 400.0, 80.0)
    assert tuning.search_runs == 48
    task = tuning.task(1, {"hand.kp_per_s2": 900.0})
    assert task.overrides == ("hand.kp_per_s2=900.0",)
    assert task.seed == tuning.study.task(1).seed


def test_a_search_starts_from_the_file_that_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("hand: {kp_per_s2: 2.0, kd_per_s: 6.0}  # soft\n")
    given = load_tuning(write_search(tmp_path), tmp_path / "mine.yaml")
    path = write_search(tmp_path, ("runs: 3", "runs: 3\ngains: mine.yaml"))
    named, same = load_tuning(path), load_tuning(path)
    for tuning in (named, given):
        assert [knob.start for knob in tuning.knobs] == [2.0, 6.0]
        assert tuning.knobs[0].low == 2.0 / DOWN
        assert "# soft" in tuning.start_text
    assert named.identity("a") != named.identity("b")
    assert named.identity("a") == same.identity("a")


def test_a_gain_is_written_with_few_digits_and_stays_within_its_range() -> None:
    knob = Knob("com.weight", 0.100004, 123.456, None)
    assert knob.rounded(12.34567) == 12.35
    assert knob.rounded(0.100004) == 0.100004
    assert knob.rounded(123.4599) == 123.456
    assert not knob.start_inside


@pytest.mark.parametrize(
    ("change", "line", "why"),
    [
        (("    hand.kp_per_s2:\n", "    hand.kp_per_s:\n"), 15, "did you mean 'hand.kp_per_s2'"),
        (("[5, 400]", "[400, 5]"), 16, "is an empty range"),
        (("[5, 400]", "[5, 4000]"), 16, "within the range of the schema"),
        (("cost: tracking", "cost: +"), 17, "is not a formula"),
        (("cost: tracking.hand_rms_m.hand", "cost: open('x')"), 17, "unknown function"),
        (("roll_outs: 60", "roll_outs: 17"), 19, "should be at least 18"),
        (("  seed: {range: [0, 100]}\n", ""), 9, "needs a seed"),
        (("{range: [0, 100]}", "{range: [0, 8]}"), 10, "at least 9 different numbers"),
        (("  seed: {range: [0, 100]}\n", "  seed: [1, 1, 1, 1, 1, 1, 1, 1, 1]\n"), 10, "different numbers"),
        (("runs: 3", "grid: true"), 8, "is not for a search"),
        (("  plant.joint_friction_Nm: {", "  gains.hand.kd_per_s: {"), 11, "it cannot vary as well"),
        (("outcome: not fell", "outcome: not"), 12, "is not a formula"),
        (("{uniform: [0, 0.5]}", "{uniform: [-1, 0.5]}"), 11, "at least 0"),
    ],
)
def test_a_bad_search_is_refused_with_its_line_and_the_number_of_its_runs(
    tmp_path: Path, change: tuple[str, str], line: int, why: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        load_tuning(write_search(tmp_path, change))
    text = str(refused.value)
    assert f"study.yaml:{line}" in text
    assert why in text
    runs = 17 if change[1] == "roll_outs: 17" else 60
    assert f"(the study would take {runs} runs)" in text


def test_a_study_without_the_section_is_refused_and_one_with_it_can_be_swept(tmp_path: Path) -> None:
    plain = write_study(tmp_path)
    with pytest.raises(ConfigError, match=r"tune: is missing.*would take 3 runs"):
        load_tuning(plain)
    from kilohertz.rt.study.study import load_study

    before = load_study(plain).identity()
    assert SEARCH in write_search(tmp_path).read_text()
    assert load_study(plain).identity() == before
