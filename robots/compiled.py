"""How the tick is compiled: jitted kernels, and entry points cached on disk that never go stale.

numba's own cache looks only at the file of the cached function: an edit of a callee in another file
silently keeps the old machine code (measured). So no kernel is cached by itself. A tick calls a few
generated entry points; each lives in a file of its own whose name hashes every source it depends on.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import numba
from llvmlite import ir
from numba.core import types as numba_types
from numba.extending import intrinsic

from robots.kernel_compiler import Kernel

types: Any = numba_types  # its pointer types are made at run time, unseen by type checkers

F = TypeVar("F", bound=Callable[..., Any])

# NaN and infinity keep their meaning (no nnan, ninf): the checks after a solve rely on it.
FASTMATH = {"reassoc", "nsz", "arcp", "contract"}
KERNEL_OPTIONS: dict[str, Any] = {"fastmath": FASTMATH, "error_model": "numpy"}


def kernel(function: F) -> F:
    """Jits a function that compiled code calls, and now and then (tests, set-up) Python.

    A call from Python compiles it anew in every process: nothing of the tick may do that.
    """
    compiled: F = Kernel(function, KERNEL_OPTIONS, from_python=numba.njit(**KERNEL_OPTIONS)(function))
    return compiled


def inner_kernel(function: F, *, may_copy: bool = False) -> F:
    """Jits a function that only compiled code calls.

    References are not counted, so one that allocated would not compile.

    Args:
        function: to compile.
        may_copy: lets it assign one array to another, `T[r] = J[r]`, which is compiled as a possible copy.
    """
    compiled: F = Kernel(function, {**KERNEL_OPTIONS, "_nrt": may_copy}, from_python=None)
    return compiled


@intrinsic
def float_pointer(typing_context, address):  # type: ignore[no-untyped-def]
    """The float64 pointer at an integer address, for `numba.carray` in compiled code."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.inttoptr(arguments[0], ir.DoubleType().as_pointer())

    return types.CPointer(types.float64)(types.intp), generate


@intrinsic
def int_pointer(typing_context, address):  # type: ignore[no-untyped-def]
    """The int64 pointer at an integer address, for `numba.carray` in compiled code."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())

    return types.CPointer(types.int64)(types.intp), generate


def cache_folder() -> Path:
    """Where generated entry points and their machine code live.

    `$KILOHERTZ_CACHE`, else `$XDG_CACHE_HOME/kilohertz`, else `~/.cache/kilohertz`; a temporary folder
    where none of them can be written.
    """
    candidates = [
        os.environ.get("KILOHERTZ_CACHE"),
        os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "kilohertz"),
    ]
    for candidate in candidates:
        if not candidate:
            continue
        folder = Path(candidate)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
    return Path(tempfile.mkdtemp(prefix="kilohertz-"))


def load_entry(name: str, text: str, sources: Iterable[Path]) -> ModuleType:
    """Imports a generated module of cached entry points, writing it first where it is new.

    Args:
        name: what the module compiles, for its file name and the progress line.
        text: Python source of the module; its entry points use `numba.njit(cache=True, ...)` with
            explicit signatures, so that importing it compiles or loads them.
        sources: every file the entry points depend on; an edit of any gives a new module.

    Returns:
        The imported module.
    """
    digest = hashlib.sha256(f"{numba.__version__}\n{text}".encode())
    for path in sorted(set(sources)):
        digest.update(path.read_bytes())
    module_name = f"kilohertz_{name}_{digest.hexdigest()[:16]}"
    if module_name in sys.modules:
        return sys.modules[module_name]
    path = cache_folder() / f"{module_name}.py"
    if not path.exists():
        # Written beside and renamed: two programs that start together never read half a file.
        partial = path.with_suffix(f".{os.getpid()}.part")
        partial.write_text(text)
        partial.replace(path)
    if not any((path.parent / "__pycache__").glob(f"{module_name}.*.nbi")):
        print(
            f"kilohertz: compiling {name} (once; seconds to half a minute) ...", file=sys.stderr, flush=True
        )
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    spec.loader.exec_module(module)
    return module
