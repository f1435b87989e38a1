"""The C compiler of this computer."""

from __future__ import annotations

import shutil

import pytest


def c_compiler() -> str:
    """Returns its path; the test is skipped without one."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler: apt-get install gcc")
    return compiler
