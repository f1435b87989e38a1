"""Code for any processor is compiled, and runs here: the tests on an emulated computer then find it."""

from __future__ import annotations

from pathlib import Path

import pytest
from portable_code import compile_portable
from realtime_machine import NotHereError, find_kernel, find_programs


@pytest.mark.host
@pytest.mark.long
def test_code_for_any_processor_runs_on_this_one(tmp_path: Path) -> None:
    try:
        find_programs()
        find_kernel(tmp_path)
    except NotHereError as missing:
        pytest.skip(f"nothing would use it: {missing}")
    ended = compile_portable()
    assert ended.returncode == 0, ended.stderr
