"""Folders import each other one way round, modules and functions are short, only `kilohertz` is installed.

Imports are read from the sources, those inside functions and under TYPE_CHECKING included.
"""

from __future__ import annotations

import ast
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
FOLDERS = {name: ROOT / folder for name, folder in SETUPTOOLS["package-dir"].items()}

# What a top-level folder may import besides itself; the public interface (`kilohertz` itself) is part of rt.
ARROWS = {
    "rt": {"sim", "controller", "estimators", "robots"},
    "sim": {"robots"},
    "controller": {"estimators", "robots"},
    "estimators": {"robots"},
    "robots": set(),
}
# Only the command line may import these: what a run needs is elsewhere.
NOT_FOR_RUNS = ("kilohertz.rt.bench", "kilohertz.rt.faults")
COMMAND_LINE = "kilohertz.rt.cli"
START = ("kilohertz", "kilohertz.rt.cli.main", "kilohertz.rt.run.session")

MOST_PARAMETERS = 12
MOST_FUNCTION_LINES = 60
MOST_MODULE_LINES = 500


def short(name: str) -> str:
    return name.removeprefix("kilohertz.")


@cache
def modules() -> dict[str, tuple[Path, ast.Module]]:
    """Every module of the distribution by its name once installed: its file and its syntax tree."""
    found = {}
    for package, folder in FOLDERS.items():
        for path in sorted(folder.rglob("*.py")):
            inside = path.relative_to(folder).with_suffix("").parts
            if path.is_relative_to(FOLDERS["kilohertz"]) != (package == "kilohertz"):
                continue
            name = ".".join((package, *(inside[:-1] if inside[-1] == "__init__" else inside)))
            found[name] = (path, ast.parse(path.read_text()))
    return found


def package_of(module: str) -> str:
    return module if modules()[module][0].name == "__init__.py" else module.rpartition(".")[0]


def top_folder(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and f"kilohertz.{parts[1]}" in FOLDERS else "rt"


def imported(node: ast.stmt, module: str) -> Iterator[str]:
    """Modules of the distribution that an import statement names."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name in modules())
    elif isinstance(node, ast.ImportFrom):
        origin = node.module or ""
        if node.level:
            parents = package_of(module).split(".")
            above = parents[: len(parents) - node.level + 1]
            origin = ".".join([*above, origin] if origin else above)
        for alias in node.names:
            inner = f"{origin}.{alias.name}"
            if inner in modules():
                yield inner
            elif origin in modules():
                yield origin


@cache
def imports() -> list[tuple[str, str]]:
    """Pairs of a module and one that it imports anywhere."""
    return [
        (module, target)
        for module, (_, tree) in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt)
        for target in imported(node, module)
    ]


def loaded_by(start: str) -> set[str]:
    """Modules that importing `start` loads; not those imported in functions or for the type checker."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        parents = module.split(".")[:-1]
        waiting += [".".join(parents[: n + 1]) for n in range(len(parents))]
        waiting += [target for node in at_import(modules()[module][1]) for target in imported(node, module)]
    return seen


def at_import(tree: ast.AST) -> Iterator[ast.stmt]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.stmt):
            yield node
        yield from at_import(node)


def circles(edges: set[tuple[str, str]]) -> set[frozenset[str]]:
    """Sets of nodes of which each leads to each other."""
    leads_to: dict[str, set[str]] = defaultdict(set)
    for origin, target in edges:
        leads_to[origin].add(target)

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            for target in leads_to[waiting.pop()] - seen:
                seen.add(target)
                waiting.append(target)
        return seen

    nodes = {node for edge in edges for node in edge}
    reach = {node: reached(node) for node in nodes}
    return {
        frozenset(other for other in reach[node] if node in reach[other])
        for node in nodes
        if node in reach[node]
    }


def functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    def inside(node: ast.AST, name: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield f"{name}.{child.name}", child
                yield from inside(child, f"{name}.{child.name}")
            elif isinstance(child, ast.ClassDef):
                yield from inside(child, f"{name}.{child.name}")

    for module, (_, tree) in modules().items():
        yield from inside(tree, module)


def n_parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    given = function.args
    named = len(given.posonlyargs) + len(given.args) + len(given.kwonlyargs)
    return named + (given.vararg is not None) + (given.kwarg is not None)


def n_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function, its docstring included, a table that it writes out left out.

    A table is a dictionary, list, set, tuple or call with named arguments only that is assigned or returned.
    """

    def lines(node: ast.stmt | ast.FunctionDef | ast.AsyncFunctionDef) -> int:
        return (node.end_lineno or node.lineno) - node.lineno + 1

    tables = 0
    for node in function.body:
        if isinstance(node, (ast.Return, ast.Assign, ast.AnnAssign)):
            value = node.value
            named_only = isinstance(value, ast.Call) and not value.args
            if named_only or isinstance(value, (ast.Dict, ast.List, ast.Set, ast.Tuple)):
                tables += lines(node)
    return lines(function) - tables


def check(rule: str, offenders: set[str]) -> None:
    assert not offenders, f"{rule}: {sorted(offenders)}"


def test_no_package_imports_itself_through_another() -> None:
    edges = {(package_of(a), package_of(b)) for a, b in imports()}
    found = circles({(a, b) for a, b in edges if a != b})
    check("circles", {" ".join(sorted(map(short, circle))) for circle in found})


def test_folders_import_along_the_arrows() -> None:
    against = {
        f"{short(a)} -> {short(b)}"
        for a, b in imports()
        if top_folder(a) != top_folder(b) and top_folder(b) not in ARROWS[top_folder(a)]
    }
    check("arrows", against)


def test_nothing_imports_the_command_line() -> None:
    users = {a for a, b in imports() if package_of(b) == COMMAND_LINE and package_of(a) != COMMAND_LINE}
    check("command line", {short(user) for user in users})


def test_a_run_needs_neither_benchmarks_nor_faults() -> None:
    users = {
        f"{short(a)} -> {short(b)}"
        for a, b in imports()
        if b.startswith(NOT_FOR_RUNS) and not a.startswith((*NOT_FOR_RUNS, COMMAND_LINE))
    }
    check("not for runs", users)


@pytest.mark.parametrize("start", START)
def test_starting_loads_neither_benchmarks_nor_faults(start: str) -> None:
    loaded = {name for name in loaded_by(start) if name.startswith(NOT_FOR_RUNS)}
    check(f"start of {start}", {short(name) for name in loaded})


def test_every_package_is_installed() -> None:
    assert {package_of(module) for module in modules()} == set(SETUPTOOLS["packages"])
    assert len(SETUPTOOLS["packages"]) == len(set(SETUPTOOLS["packages"]))
    for path, _ in modules().values():
        assert (path.parent / "__init__.py").exists(), f"{path.parent} is not a package"


def test_nothing_but_kilohertz_is_installed() -> None:
    assert all(name.split(".")[0] == "kilohertz" for name in SETUPTOOLS["packages"])
    assert "py-modules" not in SETUPTOOLS
    installed = next(found for found in metadata.distributions(name="kilohertz") if found.read_text("RECORD"))
    # An installed command lies above site-packages; an editable install has a file that finds the checkout.
    top = {file.parts[0] for file in installed.files or () if file.parts[0] not in ("..", "__pycache__")}
    assert top
    names = {name.removeprefix("__editable__").lstrip("._") for name in top}
    assert {name for name in names if not name.startswith("kilohertz")} == set()


def test_functions_take_few_parameters() -> None:
    many = {
        short(name)
        for name, function in functions()
        if n_parameters(function) > MOST_PARAMETERS and top_folder(name) in ("controller", "estimators")
    }
    check("parameters", many)


def test_functions_are_short() -> None:
    check(
        "function lines", {short(name) for name, node in functions() if n_lines(node) > MOST_FUNCTION_LINES}
    )


def test_modules_are_short() -> None:
    long = {
        short(name)
        for name, (path, _) in modules().items()
        if len(path.read_text().splitlines()) > MOST_MODULE_LINES
    }
    check("module lines", long)


def test_circles_are_found() -> None:
    edges = {("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("d", "e"), ("e", "d"), ("e", "f")}
    assert circles(edges) == {frozenset("abc"), frozenset("de")}
    assert circles({("a", "b"), ("a", "c"), ("b", "c")}) == set()


def test_sources_are_read_right() -> None:
    assert ("kilohertz.robots.model.robot_model", "kilohertz.robots.model.description") in imports()
    assert package_of("kilohertz.robots.model.robot_model") == "kilohertz.robots.model"
    assert "kilohertz.robots.model.description" in loaded_by("kilohertz.robots.model.robot_model")
    tree = ast.parse(
        "import a\nif TYPE_CHECKING:\n    import b\ntry:\n    import c\nexcept ImportError:\n    pass\n"
        "def f():\n    import d\nclass K:\n    import e\n"
    )
    names = [node.names[0].name for node in at_import(tree) if isinstance(node, ast.Import)]
    assert names == ["a", "c", "e"]
    function = ast.parse("def f(a, /, b, *c, d, **e):\n    x = {\n        1: 2,\n    }\n    return x\n").body[
        0
    ]
    assert isinstance(function, ast.FunctionDef)
    assert (n_parameters(function), n_lines(function)) == (5, 2)
