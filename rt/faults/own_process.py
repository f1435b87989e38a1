"""Calls functions in a process of their own, as a controller has one: nothing of the caller's delays it."""

from __future__ import annotations

import os
import subprocess
import sys


def environment() -> dict[str, str]:
    """Returns the environment of a process that is to find the modules that this one finds."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def start_call(module: str, call: str) -> subprocess.Popen[str]:
    """Starts a process that calls a function of a module.

    Args:
        module: full name of the module.
        call: name of the function and its arguments, such as `"measure(3)"`.

    Returns:
        The process; what the function prints can be read from its standard output.
    """
    name = call.partition("(")[0]
    command = [sys.executable, "-c", f"from {module} import {name}; {call}"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment())
