"""BLAS is limited to one thread before numpy is imported, and other settings are reported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kilohertz.rt.host.threads import MATH_THREAD_VARIABLES, limit_math_threads, math_thread_problems

pytestmark = pytest.mark.host


def test_one_thread_is_asked_for_where_nothing_is_set() -> None:
    environment: dict[str, str] = {}
    limit_math_threads(environment)
    assert environment == dict.fromkeys(MATH_THREAD_VARIABLES, "1")
    assert math_thread_problems(environment) == []


def test_a_value_set_by_the_user_is_kept_and_reported() -> None:
    environment = {"OMP_NUM_THREADS": "8"}
    limit_math_threads(environment)
    assert environment["OMP_NUM_THREADS"] == "8"
    assert math_thread_problems(environment) == ["OMP_NUM_THREADS=8"]


def test_unset_variables_are_reported() -> None:
    assert math_thread_problems({}) == [f"{name} is not set" for name in MATH_THREAD_VARIABLES]


def test_the_command_asks_for_one_thread_before_numpy_is_imported() -> None:
    program = (
        "import sys, os; from kilohertz.rt.cli import main; assert 'numpy' not in sys.modules;"
        "assert 'OMP_NUM_THREADS' not in os.environ; main.app = lambda: None; main.main();"
        f"print(','.join(os.environ[name] for name in {MATH_THREAD_VARIABLES!r}))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        env={"PATH": ""},
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == ",".join("1" for _ in MATH_THREAD_VARIABLES)


@pytest.mark.parametrize("name", MATH_THREAD_VARIABLES)
def test_each_variable_is_checked(name: str) -> None:
    environment = dict.fromkeys(MATH_THREAD_VARIABLES, "1") | {name: "2"}
    assert math_thread_problems(environment) == [f"{name}=2"]


def test_loaded_libraries_are_held_on_one_thread_and_let_go_again() -> None:
    program = (
        "import numpy, threadpoolctl; from kilohertz.rt.host.threads import math_thread_limit;"
        "threads = lambda: [p['num_threads'] for p in threadpoolctl.threadpool_info()];"
        "threadpoolctl.threadpool_limits(2);"
        "before, limit = threads(), math_thread_limit();"
        "entered = limit(); inside = threads(); entered.__exit__(None, None, None);"
        "assert before and max(before) > 1, before; assert set(inside) == {1}; assert threads() == before"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
