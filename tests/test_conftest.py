"""Each test is of one class, and a unit test that starts a process fails."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.host

THREE = """
import pytest, subprocess, sys

def test_without_a_marker():
    pass

@pytest.mark.closed_loop
def test_in_closed_loop():
    pass

@pytest.mark.host
def test_on_the_host():
    subprocess.run([sys.executable, "-c", ""], check=True)
"""
STARTS_A_PROCESS = """
import subprocess, sys

def test_that_is_not_marked():
    subprocess.run([sys.executable, "-c", ""], check=True)
"""
IN_TWO = """
import pytest

pytestmark = pytest.mark.closed_loop

@pytest.mark.host
def test_in_two_classes():
    pass
"""


MARKERS = ("unit", "closed_loop", "host", "quiet", "long")


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    # The run in the test is one of its own, also where the test runs in a worker.
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    pytester.makeconftest((Path(__file__).parent / "conftest.py").read_text())
    pytester.makeini("[pytest]\nmarkers =\n" + "".join(f"    {name}: it is {name}\n" for name in MARKERS))
    return pytester


@pytest.mark.parametrize("chosen", ["unit", "closed_loop", "host"])
def test_each_test_is_chosen_by_one_class(project: pytest.Pytester, chosen: str) -> None:
    project.makepyfile(THREE)
    project.runpytest_subprocess("-m", chosen).assert_outcomes(passed=1, deselected=2)


def test_a_unit_test_that_starts_a_process_fails(project: pytest.Pytester) -> None:
    project.makepyfile(STARTS_A_PROCESS)
    result = project.runpytest_subprocess()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*a test that starts a process is marked `host`*"])


def test_two_classes_are_refused(project: pytest.Pytester) -> None:
    project.makepyfile(IN_TWO)
    result = project.runpytest_subprocess()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*test_in_two_classes is of one class, not closed_loop and host*"])


LONG = """
import pytest

@pytest.mark.long
def test_that_takes_long():
    pass

def test_that_is_short():
    pass
"""


@pytest.mark.parametrize(
    ("arguments", "passed"),
    [
        ((), 1),
        (("-m", "long"), 1),
        (("-m", "long or not long"), 2),
        (("test_it.py::test_that_takes_long",), 1),
    ],
)
def test_a_long_test_runs_where_it_is_asked_for(
    project: pytest.Pytester, arguments: tuple[str, ...], passed: int
) -> None:
    project.makepyfile(test_it=LONG)
    result = project.runpytest_subprocess(*arguments)
    result.assert_outcomes(passed=passed, deselected=2 - passed if "::" not in "".join(arguments) else 0)


FAILS_AT_FIRST = """
import pytest
from pathlib import Path

@pytest.mark.{marker}
def test_that_fails_at_first():
    before = Path("before")
    if not before.exists():
        before.touch()
        assert before.name == "after"
"""


def test_a_host_test_that_fails_is_repeated_once_and_told(project: pytest.Pytester) -> None:
    project.makepyfile(FAILS_AT_FIRST.format(marker="host"))
    result = project.runpytest_subprocess()
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*REPEATED *::test_that_fails_at_first (call)", "*AssertionError*"])


@pytest.mark.parametrize("marker", ["unit", "closed_loop"])
def test_a_test_that_does_not_depend_on_the_host_is_not_repeated(
    project: pytest.Pytester, marker: str
) -> None:
    project.makepyfile(FAILS_AT_FIRST.format(marker=marker))
    project.runpytest_subprocess().assert_outcomes(failed=1)


TAKES_A_WHILE = """
import time
import pytest
from pathlib import Path

pytestmark = [{marks}]

@pytest.mark.parametrize("number", range(3))
def test_that_takes_a_while(number):
    begin = time.monotonic()
    time.sleep(0.1)
    Path(f"{{Path(__file__).stem}}-{{number}}").write_text(f"{{begin}} {{time.monotonic()}}")
"""


def test_nothing_runs_beside_a_quiet_test(project: pytest.Pytester) -> None:
    quiet = TAKES_A_WHILE.format(marks="pytest.mark.host, pytest.mark.quiet")
    other = TAKES_A_WHILE.format(marks="pytest.mark.host")
    project.makepyfile(test_a=quiet, test_b=other, test_c=quiet, test_d=other, test_e=other)
    project.runpytest_subprocess("-n", "2", "--dist", "loadscope").assert_outcomes(passed=15)
    written = sorted(project.path.glob("test_?-?"))
    spans = {path.stem: [float(word) for word in path.read_text().split()] for path in written}
    first_quiet = min(begin for name, (begin, _) in spans.items() if name[5] in "ac")
    last_other = max(end for name, (_, end) in spans.items() if name[5] in "bde")
    assert last_other < first_quiet
    in_order = sorted(span for name, span in spans.items() if name[5] in "ac")
    assert all(end < begin for (_, end), (begin, _) in itertools.pairwise(in_order))


def test_a_quiet_test_of_another_class_is_refused(project: pytest.Pytester) -> None:
    project.makepyfile(TAKES_A_WHILE.format(marks="pytest.mark.quiet"))
    result = project.runpytest_subprocess()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*is quiet, so it is of the class host*"])
