"""Compilation of the tick: jitted kernels, and entry points whose machine code is cached on disk.

numba's own cache checks only the file of the cached function: after an edit of a callee in another file it
silently keeps the old machine code (measured). Therefore no kernel is cached by itself. A tick calls a few
generated entry points. Each has a file of its own, whose name contains a hash of all sources that the entry
point depends on.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import functools
import hashlib
import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import llvmlite
import llvmlite.binding as llvm
import numba
import numpy as np
from llvmlite import ir
from numba.core import types as numba_types
from numba.extending import intrinsic

from kilohertz.robots.compile.kernel_compiler import Kernel
from kilohertz.robots.compile.progress import CompileProgress
from kilohertz.robots.config.config_error import ConfigError

types: Any = numba_types  # type checkers do not see its pointer types, which are made at run time

F = TypeVar("F", bound=Callable[..., Any])

# NaN and infinity keep their meaning (no nnan, ninf): the checks after a solve rely on it.
FASTMATH = {"reassoc", "nsz", "arcp", "contract"}
KERNEL_OPTIONS: dict[str, Any] = {"fastmath": FASTMATH, "error_model": "numpy"}

# Default for the expected compile time of an entry point [s]; most entry points take less.
COMPILE_S = 2.0
# Free space that is required before compiling: more than the machine code of any entry point takes.
LEAST_FREE_BYTES = 4_000_000
# Modification time of every generated file [s since 1970].
WRITTEN_S = 1_000_000_000.0


def kernel(function: F) -> F:
    """Jits a function that compiled code calls, and that tests and set-up may also call from Python.

    A call from Python compiles the function again in every process, so that the tick must not call it from
    Python.
    """
    compiled: F = Kernel(function, KERNEL_OPTIONS, from_python=numba.njit(**KERNEL_OPTIONS)(function))
    return compiled


def inner_kernel(function: F, *, may_copy: bool = False) -> F:
    """Jits a function that only compiled code calls.

    The function is compiled without reference counting, so that a function that allocates does not compile.

    Args:
        function: function to compile.
        may_copy: allows assignments of one array to another, such as `T[r] = J[r]`, which numba compiles as a
            possible copy.
    """
    compiled: F = Kernel(function, {**KERNEL_OPTIONS, "_nrt": may_copy}, from_python=None)
    return compiled


@intrinsic
def float_pointer(typing_context, address):  # type: ignore[no-untyped-def]
    """Converts an integer address to a float64 pointer, for `numba.carray` in compiled code."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.inttoptr(arguments[0], ir.DoubleType().as_pointer())

    return types.CPointer(types.float64)(types.intp), generate


@intrinsic
def int_pointer(typing_context, address):  # type: ignore[no-untyped-def]
    """Converts an integer address to an int64 pointer, for `numba.carray` in compiled code."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())

    return types.CPointer(types.int64)(types.intp), generate


def cache_folder() -> Path:
    """Returns the folder of the generated entry points and their machine code.

    This is `$KILOHERTZ_CACHE` if set and writable, else `kilohertz` in `$XDG_CACHE_HOME` or `~/.cache`, else
    a temporary folder. If the first choice is not writable, one sentence on standard error says so.
    """
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    wanted = os.environ.get("KILOHERTZ_CACHE")
    return _first_writable((*([wanted] if wanted else []), os.path.join(base, "kilohertz")))


@functools.cache
def _first_writable(candidates: tuple[str, ...]) -> Path:
    for candidate in candidates:
        folder = Path(candidate)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # Write permission is tested by writing: for root a check of permissions always succeeds, even on
            # a read-only file system.
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError:
            continue
        if candidate != candidates[0]:
            print(
                f"kilohertz: the folder {candidates[0]} cannot be written; {folder} is used instead",
                file=sys.stderr,
            )
        return folder
    temporary = Path(tempfile.mkdtemp(prefix="kilohertz-"))
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    print(
        f"kilohertz: the folder {candidates[0]} cannot be written, so the next start will compile again; "
        "set KILOHERTZ_CACHE to a folder that can be written",
        file=sys.stderr,
    )
    return temporary


@dataclass(frozen=True)
class Entry:
    """A generated module of cached entry points.

    Attributes:
        name: name of the module, for the progress line.
        path: file of the module; its name contains a hash of everything that the machine code depends on.
        expected_s: expected compile time [s].
    """

    name: str
    path: Path
    expected_s: float

    @classmethod
    def write(cls, name: str, text: str, sources: Iterable[Path], expected_s: float = COMPILE_S) -> Entry:
        """Returns the entry for a source text; writes its file to the cache if new. See `load_entry`."""
        digest = hashlib.sha256(f"{_compiler()}\n{text}".encode())
        for source in sorted(set(sources)):
            digest.update(hashlib.sha256(source.read_bytes()).digest())
        path = cache_folder() / f"kilohertz_{name}_{digest.hexdigest()[:16]}.py"
        if not path.exists():
            # The file is written under another name and renamed, so that no other process reads half a file.
            partial = path.with_suffix(f".{os.getpid()}.part")
            with _room_for_code(path.parent):
                partial.write_text(text)
            partial.replace(path)
        # numba discards machine code if the date of the source file has changed, as in a copied cache. The
        # date is therefore fixed; the hash in the file name already identifies the content.
        if path.stat().st_mtime != WRITTEN_S:
            os.utime(path, (WRITTEN_S, WRITTEN_S))
        return cls(name, path, expected_s)

    @property
    def ready(self) -> bool:
        """Whether the module is loaded, or its machine code is completely in the cache."""
        return self.path.stem in sys.modules or self._done.exists()

    def load(self) -> ModuleType:
        """Imports the module and compiles it first if necessary, under a lock against other processes."""
        if self.ready:
            try:
                return self._run()
            except Exception:  # a damaged file of machine code can raise any exception
                self._done.unlink(missing_ok=True)
                for damaged in (self.path.parent / "__pycache__").glob(f"{self.path.stem}.*"):
                    damaged.unlink(missing_ok=True)
        with CompileProgress(self.name, self.expected_s), _alone(self.path), _room_for_code(self.path.parent):
            module = self._run()
            self._done.touch()
        return module

    @property
    def _done(self) -> Path:
        return self.path.with_suffix(".done")

    def _run(self) -> ModuleType:
        module_name = self.path.stem
        if module_name in sys.modules:
            return sys.modules[module_name]
        spec = importlib.util.spec_from_file_location(module_name, self.path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[module_name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[module_name]
            raise
        return module


def load_entry(name: str, text: str, sources: Iterable[Path], expected_s: float = COMPILE_S) -> ModuleType:
    """Imports a generated module of cached entry points; writes and compiles it first if it is new.

    Args:
        name: name of the module, for its file name and the progress line.
        text: Python source of the module; its entry points use `numba.njit(cache=True, ...)` with explicit
            signatures, so that the import compiles or loads them.
        sources: all files that the entry points depend on; an edit of any of them gives a new module.
        expected_s: expected compile time, for the progress line [s].

    Returns:
        The imported module.
    """
    return Entry.write(name, text, sources, expected_s).load()


def _compiler() -> str:
    """Returns what machine code depends on besides the sources: versions, CPU, numba's switches."""
    switches = sorted(f"{key}={value}" for key, value in os.environ.items() if key.startswith("NUMBA_"))
    # NUMBA_CPU_NAME selects a target CPU, so that code can be compiled for it on another computer.
    name, features = os.environ.get("NUMBA_CPU_NAME"), os.environ.get("NUMBA_CPU_FEATURES")
    return "\n".join(
        [
            sys.version,
            *(f"{package.__name__} {package.__version__}" for package in (numba, llvmlite, np)),
            name or llvm.get_host_cpu_name(),
            features if name and features is not None else llvm.get_host_cpu_features().flatten(),
            *switches,
        ]
    )


@contextmanager
def _room_for_code(folder: Path) -> Iterator[None]:
    """Raises an error if the cache cannot be written; checked before compiling, which may take a minute."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(LEAST_FREE_BYTES))
        yield
    except OSError as error:
        raise ConfigError(
            f"{folder}: compiled code cannot be stored in this folder "
            f"({(error.strerror or str(error)).lower()}); "
            "free 20 MB of disk space, or set KILOHERTZ_CACHE to another folder"
        ) from None


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Holds a file lock, which the system releases if the process dies; without lock support does nothing."""
    with path.open("rb") as file:
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
