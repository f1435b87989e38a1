"""Files that a module is made of: its own, and those of what it imports, directly or not.

Machine code depends on the source of every function that was compiled into it. The imports of a module name
those files, so a cache key made of them changes with an edit of any of them, and with no other edit.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
from collections.abc import Iterable
from pathlib import Path

PROJECT = __name__.partition(".")[0]


def sources_of(module: str) -> set[Path]:
    """Files that a module is made of.

    Args:
        module: full name, `kilohertz.estimators.so3`; it is not imported, but the packages it is in are.

    Returns:
        Its file, and those of all modules of this project, or of its own top-level package, that it imports
        at run time. Imports inside of functions and for type checkers only do not count.
    """
    return _closure([module], frozenset((PROJECT, module.partition(".")[0])))


def sources_of_text(text: str) -> set[Path]:
    """Files of this project that a Python source imports, directly or not; see `sources_of`."""
    projects = frozenset((PROJECT,))
    return _closure(_imports(text, projects), projects)


def _closure(modules: Iterable[str], projects: frozenset[str]) -> set[Path]:
    found: dict[str, Path] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = _file(name)
            waiting += _imports(found[name].read_text(), projects)
    return set(found.values())


def _file(module: str) -> Path:
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin)


@functools.cache
def _imports(text: str, projects: frozenset[str]) -> tuple[str, ...]:
    """Modules of these top-level packages that a source imports at its top."""
    imported = []
    for statement in ast.parse(text).body:
        if isinstance(statement, ast.ImportFrom) and statement.module is not None:
            imported.append(statement.module)
            if statement.module.partition(".")[0] in projects:
                names = (f"{statement.module}.{name.name}" for name in statement.names)
                imported += [name for name in names if _is_module(name)]
        elif isinstance(statement, ast.Import):
            imported += [name.name for name in statement.names]
    return tuple(name for name in imported if name.partition(".")[0] in projects)


def _is_module(name: str) -> bool:
    # What is imported from a package may be a module of it; from a module it is something in it.
    spec = importlib.util.find_spec(name.rpartition(".")[0])
    is_package = spec is not None and spec.submodule_search_locations is not None
    return is_package and importlib.util.find_spec(name) is not None
