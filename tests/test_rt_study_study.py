"""Studies: their runs, and what is refused with file, line and the number of runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from study_files import TEXT, write_study

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.study.study import load_study


def test_runs_differ_by_what_varies_and_can_be_repeated(tmp_path: Path) -> None:
    study = load_study(write_study(tmp_path))
    values = [study.values(run) for run in range(study.runs)]
    assert len({value["seed"] for value in values}) == 3
    task = study.task(1)
    assert task.seed == values[1]["seed"]
    assert task.scenario["plant"]["joint_friction_Nm"] == values[1]["plant.joint_friction_Nm"]
    assert task.command(Path("run.yaml")) == f"khz sim ur5 --scenario run.yaml --seed {task.seed}"
    assert load_study(write_study(tmp_path)).identity() == study.identity()
    other = load_study(write_study(tmp_path, ("outcome: not fell", "outcome: not fell\nsampler_seed: 1")))
    assert other.identity() != study.identity()
    assert other.values(0) != values[0]


def test_a_grid_takes_every_combination_once(tmp_path: Path) -> None:
    path = write_study(
        tmp_path,
        ("runs: 3", "grid: true"),
        ("{range: [0, 100]}", "{range: [0, 4]}"),
        ("{uniform: [0, 0.5]}", "[0.1, 0.2, 0.3]"),
    )
    study = load_study(path)
    assert study.runs == 12
    cells = {(v["seed"], v["plant.joint_friction_Nm"]) for v in map(study.values, range(12))}
    assert len(cells) == 12


@pytest.mark.parametrize(
    ("change", "line", "why"),
    [
        (("  plant.joint_friction_Nm: {uniform: [0, 0.5]}", "  gains.hand.kp_per_s: [1]"), 11, "gains"),
        (("{uniform: [0, 0.5]}", "{uniform: [0.5, 0]}"), 11, "is empty"),
        (("{uniform: [0, 0.5]}", "{uniform: [0, .nan]}"), 11, "finite"),
        (("{uniform: [0, 0.5]}", "{uniform: [-1, 0.5]}"), 11, "at least 0"),
        (("  plant.joint_friction_Nm", "  plant.joint_frction_Nm"), 11, "is not a known key"),
        (("  plant.joint_friction_Nm", "  events[0].at_s"), 11, "list"),
        (("runs: 3", "runs: 3000000000"), 8, "3000000000"),
        (("outcome: not fell", "outcome: not"), 12, "is not"),
        (("robot: ur5", "robot: ur55"), None, "ur5"),
        (("runs: 3", "run: 3"), 8, "runs"),
    ],
)
def test_a_bad_study_is_refused_with_its_line(
    tmp_path: Path, change: tuple[str, str], line: int | None, why: str
) -> None:
    path = write_study(tmp_path, change)
    with pytest.raises(ConfigError) as refused:
        load_study(path)
    text = str(refused.value)
    assert why in text
    if line is not None:
        assert f"study.yaml:{line}" in text


def test_a_grid_of_a_billion_is_refused_with_its_number_of_runs(tmp_path: Path) -> None:
    path = write_study(
        tmp_path,
        ("runs: 3", "grid: true"),
        ("[0, 100]", "[0, 1000000]"),
        ("[0, 0.5]}", "[0, 0.5], steps: 1000}"),
    )
    with pytest.raises(ConfigError, match="1000000000 runs"):
        load_study(path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_study_with_any_bytes_changed_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    text = TEXT.encode()
    at = data.draw(st.integers(0, len(text) - 1))
    size = data.draw(st.integers(0, 12))
    path = tmp_path / "study.yaml"
    path.write_bytes(text[:at] + data.draw(st.binary(max_size=8)) + text[at + size :])
    try:
        runs, told = load_study(path).runs, ""
    except ConfigError as error:
        runs, told = 0, str(error)
    assert runs > 0 or "study.yaml" in told or "ur" in told
