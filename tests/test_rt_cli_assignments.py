from __future__ import annotations

import pytest
import typer

from kilohertz.rt.cli.assignments import check_assignments, repeated


@pytest.mark.parametrize(
    ("given", "expanded"),
    [
        (["g1", "--set", "a=1", "b.c=2"], ["g1", "--set", "a=1", "--set", "b.c=2"]),
        (["--set", "a=1", "g1"], ["--set", "a=1", "g1"]),
        (["--set", "a=1", "--seed", "3", "b=2"], ["--set", "a=1", "--seed", "3", "b=2"]),
        (["--set", "a=1", "--set", "b=2", "c=[0, 1]"], ["--set", "a=1", "--set", "b=2", "--set", "c=[0, 1]"]),
        (["--set", "a", "b=2"], ["--set", "a", "--set", "b=2"]),
        (["g1", "b=2"], ["g1", "b=2"]),
        (["--set"], ["--set"]),
    ],
)
def test_one_option_takes_several_assignments(given, expanded):
    assert repeated(given) == expanded


def test_assignments_do_not_go_together_with_a_file_that_may_change():
    assert check_assignments(["a=1"], False) == ("a=1",)
    assert check_assignments(None, True) == ()
    with pytest.raises(typer.BadParameter, match="--watch-gains"):
        check_assignments(["a=1"], True)
