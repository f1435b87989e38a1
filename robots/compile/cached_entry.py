"""Cache on disk of the generated entry points of the tick, which are compiled once and never out of date.

A tick calls a few generated entry points. Each has its own file, whose name contains a hash of every source
that it depends on. Machine code is loaded only from a folder that nobody else can write, and only if the
digests that were written after its compilation are those of its files: a flipped bit would crash the process.
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
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import llvmlite
import llvmlite.binding as llvm
import numba
import numpy as np

from kilohertz.robots.compile.progress import CompileProgress
from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.config.ownership import problem_of_folder

# Default of the expected compile time [s]. Most entry points take less; those that take more state their own.
COMPILE_S = 2.0
# Free space that is required on the disk before compilation; more than any single entry point takes.
LEAST_FREE_BYTES = 4_000_000
# Modification time of every generated file, since the epoch [s].
WRITTEN_S = 1_000_000_000.0
# Compile times beyond this are not believed [s].
LONGEST_S = 3600.0
# Number of characters of the hash in a file's name.
DIGEST_LENGTH = 16


def cache_folder() -> Path:
    """Returns the folder of the generated entry points and their machine code.

    This is `$KILOHERTZ_CACHE`, or else `$XDG_CACHE_HOME/kilohertz`, or else `~/.cache/kilohertz`. If a folder
    cannot be written, or others can write it too, the next one is used, and finally a temporary folder, with
    a warning on standard error.
    """
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    wanted = os.environ.get("KILOHERTZ_CACHE")
    return _first_writable((*([wanted] if wanted else []), os.path.join(base, "kilohertz")))


@functools.cache
def _first_writable(candidates: tuple[str, ...]) -> Path:
    reason = ""
    for candidate in candidates:
        folder = Path(candidate)
        problem = _problem_of_cache(folder)
        if not problem:
            if reason:
                print(f"kilohertz: {reason}; {folder} is used instead", file=sys.stderr)
            return folder
        reason = reason or problem
    temporary = Path(tempfile.mkdtemp(prefix="kilohertz-"))
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    print(
        f"kilohertz: {reason}, so the next start compiles anew; set KILOHERTZ_CACHE to a folder of your own",
        file=sys.stderr,
    )
    return temporary


def _problem_of_cache(folder: Path) -> str:
    """Creates a folder; returns why it cannot hold machine code, or ""."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Write a file to find out: root passes every check of permissions, even on a read-only disk.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError:
        return f"{folder} cannot be written"
    problem = problem_of_folder(folder)
    inside = folder / "__pycache__"
    if not problem and inside.exists():
        problem = problem_of_folder(inside)
    return f"{problem}, and code from there could be another user's" if problem else ""


_LOADING = threading.RLock()
"""Held by the thread that loads a module."""


@dataclass(frozen=True)
class Entry:
    """A generated module of cached entry points.

    Attributes:
        name: name of the compiled code, for the progress line.
        path: path of its file, whose name contains a hash of everything that the machine code depends on.
        expected_s: expected compile time on an idle machine [s].
    """

    name: str
    path: Path
    expected_s: float

    @classmethod
    def write(cls, name: str, text: str, sources: Iterable[Path], expected_s: float = COMPILE_S) -> Entry:
        """Returns the entry with this source, written to the cache folder if it is new; see `load_entry`."""
        digest = hashlib.sha256(f"{_compiler()}\n{text}".encode())
        for source in sorted(set(sources)):
            digest.update(hashlib.sha256(source.read_bytes()).digest())
        path = cache_folder() / f"kilohertz_{name}_{digest.hexdigest()[:DIGEST_LENGTH]}.py"
        if not _holds(path, text.encode()):
            # Written to a temporary file and renamed, so that a program that starts at the same time never
            # reads half a file.
            partial = path.with_suffix(f".{os.getpid()}.part")
            with _room_for_code(path.parent):
                partial.write_text(text)
            partial.replace(path)
        # numba discards machine code if the modification time of its source differs, as in a copied cache.
        # The hash in the name already ensures that the content is the same.
        if path.stat().st_mtime != WRITTEN_S:
            os.utime(path, (WRITTEN_S, WRITTEN_S))
        return cls(name, path, expected_s)

    @property
    def ready(self) -> bool:
        """Whether the module is loaded, or its machine code is in the cache completely and without damage."""
        return self.path.stem in sys.modules or self._is_sealed()

    def load(self) -> ModuleType:
        """Returns the module and compiles it first if it is not ready, under a lock between processes.

        Threads load one after the other: a module is in `sys.modules` before its content is, and the
        settings of numba that hold meanwhile are those of the process.
        """
        with _LOADING:
            return self._loaded()

    def _loaded(self) -> ModuleType:
        if self.ready:
            try:
                return self._run()
            except Exception:  # machine code of another build of numba can raise any exception
                self._done.unlink(missing_ok=True)
        progress = CompileProgress(self.name, self.expected_s, self._last_time_s())
        with progress, _alone(self.path), _room_for_code(self.path.parent):
            compiled_elsewhere = self._is_sealed()
            if not compiled_elsewhere:
                for unsealed in self._machine_code():
                    unsealed.unlink(missing_ok=True)
            started_s = time.monotonic()
            module = self._run()
            if not compiled_elsewhere:
                self._done.write_text(self._seal())
                self._took.write_text(f"{time.monotonic() - started_s:.1f}\n")
        return module

    def _machine_code(self) -> list[Path]:
        return sorted((self.path.parent / "__pycache__").glob(f"{self.path.stem}.*"))

    def _seal(self) -> str:
        """Returns the digest of each file of this module, in the format of sha256sum."""
        digests = ((hashlib.sha256(file.read_bytes()), file) for file in (self.path, *self._machine_code()))
        return "".join(f"{digest.hexdigest()}  {file.name}\n" for digest, file in digests)

    def _is_sealed(self) -> bool:
        try:
            return self._done.read_text() == self._seal()
        except (OSError, ValueError):
            return False

    def _last_time_s(self) -> float | None:
        """Returns how long the last compilation of this name took on this machine [s]; None if unknown."""
        try:
            took_s = float(self._took.read_text())
        except (OSError, ValueError):
            return None
        return took_s if 0.0 <= took_s < LONGEST_S else None

    @property
    def _took(self) -> Path:
        return self.path.with_name(f"{self.path.stem[: -1 - DIGEST_LENGTH]}.seconds")

    @property
    def _done(self) -> Path:
        return self.path.with_suffix(".done")

    def _run(self) -> ModuleType:
        module_name = self.path.stem
        if module_name in sys.modules:
            return sys.modules[module_name]
        spec = importlib.util.spec_from_file_location(module_name, self.path)
        assert spec is not None
        module = importlib.util.module_from_spec(spec)
        # Not by the loader, which would run Python's own compiled file without a check of its content.
        code = compile(self.path.read_bytes(), str(self.path), "exec")
        sys.modules[module_name] = module
        try:
            with _beside_the_source():
                exec(code, module.__dict__)
        except BaseException:
            del sys.modules[module_name]
            raise
        return module


def load_entry(name: str, text: str, sources: Iterable[Path], expected_s: float = COMPILE_S) -> ModuleType:
    """Imports a generated module of cached entry points, which is written and compiled first if it is new.

    Args:
        name: name of the compiled code, for the file name and the progress line.
        text: Python source of the module; its entry points use `numba.njit(cache=True, ...)` with
            explicit signatures, so that importing it compiles or loads them.
        sources: all files that the entry points depend on; an edit of any of them results in a new module.
        expected_s: expected compile time on an idle machine, for the progress line [s].

    Returns:
        The imported module.
    """
    return Entry.write(name, text, sources, expected_s).load()


def _compiler() -> str:
    """Returns what machine code depends on besides its sources: versions, processor, settings of numba."""
    switches = sorted(f"{key}={value}" for key, value in os.environ.items() if key.startswith("NUMBA_"))
    # NUMBA_CPU_NAME and NUMBA_CPU_FEATURES may name another processor than that of this computer.
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


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except OSError:
        return False


@contextmanager
def _beside_the_source() -> Iterator[None]:
    """Context manager in which numba keeps machine code in our folder, whatever its settings name."""
    settings = numba.config
    before = settings.CACHE_DIR, settings.CACHE_LOCATOR_CLASSES
    settings.CACHE_DIR = settings.CACHE_LOCATOR_CLASSES = ""
    try:
        yield
    finally:
        settings.CACHE_DIR, settings.CACHE_LOCATOR_CLASSES = before


@contextmanager
def _room_for_code(folder: Path) -> Iterator[None]:
    """Context manager that raises ConfigError if compiled code cannot be written.

    A full disk is detected before compilation, which may take a minute.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(LEAST_FREE_BYTES))
        yield
    except OSError as error:
        raise ConfigError(
            f"{folder}: compiled code cannot be kept there ({(error.strerror or str(error)).lower()}); "
            "make room for 20 MB, or set KILOHERTZ_CACHE to another folder"
        ) from None


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Context manager that holds a file lock; the system releases it if the process ends.

    On a file system without locks it holds none.
    """
    with path.open("rb") as file:
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
