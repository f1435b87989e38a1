"""Import closure of a module: its own file and those of the modules that it imports, directly or indirectly.

Machine code depends on the source of every function that was compiled into it. These functions are in the
files of the import closure, so a cache key from these files changes if one of them is edited, and only then.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
from collections.abc import Iterable
from pathlib import Path

PROJECT = __name__.partition(".")[0]


def sources_of(module: str) -> set[Path]:
    """Returns the files of a module and of the modules that it imports.

    Args:
        module: full name, such as `kilohertz.estimators.so3`. The module itself is not imported, but its
            parent packages are.

    Returns:
        The file of the module, and those of all modules of this project or of its own top-level package that
        it imports at run time, directly or indirectly. Imports inside functions and imports for type checkers
        only are left out.
    """
    return _closure([module], frozenset((PROJECT, module.partition(".")[0])))


def sources_of_text(text: str) -> set[Path]:
    """Returns the files of this project that a Python source imports; see `sources_of`."""
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
    """Returns the modules of these top-level packages that a source imports at its top level."""
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
    # A name that is imported from a package may be a module; one that is imported from a module is not.
    spec = importlib.util.find_spec(name.rpartition(".")[0])
    is_package = spec is not None and spec.submodule_search_locations is not None
    return is_package and importlib.util.find_spec(name) is not None
