from pathlib import Path

import pytest

from kilohertz.robots.config.config_error import ConfigError, Problem, did_you_mean


def test_a_problem_reads_as_file_line_column_key_sentence() -> None:
    problem = Problem("is missing", Path("robot.yaml"), 3, 5, "imu.link")
    assert str(problem) == "robot.yaml:3:5: imu.link: is missing"
    assert str(Problem("is empty", Path("robot.yaml"))) == "robot.yaml: is empty"
    assert str(Problem("no robot")) == "no robot"


def test_a_problem_stays_one_line_whatever_the_file_holds() -> None:
    assert str(Problem("is not known", Path("a.yaml"), 1, 1, "a\nb\x00")) == "a.yaml:1:1: a?b?: is not known"


def test_problems_are_told_in_the_order_of_the_file() -> None:
    late = Problem("second", Path("a.yaml"), 20, 1)
    early = Problem("first", Path("a.yaml"), 3, 9)
    error = ConfigError(late, early)
    assert error.problems == (early, late)
    assert str(error).splitlines() == [str(early), str(late)]


def test_nothing_is_raised_without_a_problem() -> None:
    ConfigError.raise_if_any([])
    with pytest.raises(ConfigError, match="one"):
        ConfigError.raise_if_any([Problem("one")])


@pytest.mark.parametrize(
    ("wrong", "candidates", "meant"),
    [
        ("frction", ["friction", "link"], " (did you mean 'friction'?)"),
        ("LINK", ["link"], " (did you mean 'link'?)"),
        ("g2", ["g1", "talos"], " (did you mean 'g1'?)"),
        ("zebra", ["friction", "link"], ""),
        ("x", [], ""),
    ],
)
def test_a_misspelt_word_finds_its_neighbour_and_no_other(
    wrong: str, candidates: list[str], meant: str
) -> None:
    assert did_you_mean(wrong, candidates) == meant
