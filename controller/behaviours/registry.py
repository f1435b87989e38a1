"""Registry of a robot's behaviours: of this package, of other distributions and of the robot's own folder."""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
import inspect
import pkgutil
import sys
import traceback
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from kilohertz.controller.behaviours.base import Behaviour, BehaviourParameters, Legs
from kilohertz.robots.config.config_error import ConfigError, did_you_mean
from kilohertz.robots.model.robot_model import RobotModel

if TYPE_CHECKING:
    from kilohertz.controller.gains.schema import Gains
    from kilohertz.controller.problem.declarations import Task

ENTRY_POINT_GROUP = "kilohertz.behaviours"
"""Group of entry points, each of which names a module that defines behaviours."""
FOLDER = "behaviours"
"""Name of the folder beside robot.yaml whose files define behaviours of that robot."""

Behaviours = dict[str, type[Behaviour]]

_HEADER_FIELDS = ("behaviour", "at_s", "stop", "hands", "gaze")
_SIGNATURES = {
    "check": ("robot", "parameters"),
    "write": ("robot", "parameters", "payload"),
    "tasks": ("robot", "gains"),
    "start": ("payload",),
    "advance": ("t_s", "reference"),
}


def behaviours_of(robot: RobotModel) -> Behaviours:
    """Returns every behaviour of a robot by name, in alphabetical order.

    Raises:
        ConfigError: a file or an entry point does not define a valid behaviour; the message gives file and
            line.
    """
    return load_behaviours(robot.folder / FOLDER)


def behaviour_schemas(robot: RobotModel) -> dict[str, type[BehaviourParameters]]:
    """Returns the schema of the parameters of each behaviour of a robot, by name, for scenarios."""
    return {name: kind.Parameters for name, kind in behaviours_of(robot).items()}


def behaviour_tasks(robot: RobotModel, gains: Gains) -> list[Task]:
    """Returns the tasks that the behaviours of a robot declare in addition to those of the controller."""
    kinds = behaviours_of(robot).values()
    return [task for kind in kinds if robot.floating or kind.fixed_base for task in kind.tasks(robot, gains)]


@functools.cache
def load_behaviours(folder: Path | None = None) -> Behaviours:
    """Loads every behaviour of this package and of installed distributions, and those in a folder.

    Args:
        folder: folder whose files `*.py` define further behaviours; it need not exist.

    Raises:
        ConfigError: a file or an entry point does not define a valid behaviour; the message gives file and
            line.
    """
    found: Behaviours = {}
    if folder is not None:
        found.update(load_behaviours())
        for path in sorted(folder.glob("*.py")):
            _add(found, _import_file(path), str(path))
    else:
        package = importlib.import_module(__package__)
        for info in pkgutil.iter_modules(package.__path__):
            _add(found, importlib.import_module(f"{__package__}.{info.name}"))
        for entry in sorted(metadata.entry_points(group=ENTRY_POINT_GROUP), key=lambda each: each.name):
            _add(found, _import_entry(entry), f"entry point '{entry.name}' ({entry.value})")
    return dict(sorted(found.items()))


def _add(found: Behaviours, module: ModuleType, source: str = "") -> None:
    """Adds the behaviours that a module defines.

    Args:
        found: behaviours by name, to which those of the module are added.
        module: the module.
        source: origin of a module that must define at least one behaviour, for the message; "" for a module
            that need not define any.
    """
    kinds = list(_defined_in(module))
    if source and not kinds:
        raise ConfigError(f"{source}: defines no behaviour: a subclass of Behaviour that has a name")
    for kind in kinds:
        problem = next(_problems(kind), None)
        if problem is None and kind.name in found:
            other = inspect.getfile(found[kind.name])
            problem = f"'{kind.name}' is already the name of a behaviour in {other}"
        if problem is not None:
            raise ConfigError(f"{_place(kind)}: {kind.__name__}: {problem}")
        found[kind.name] = kind


def _defined_in(module: ModuleType) -> Iterator[type[Behaviour]]:
    for value in vars(module).values():
        if not (inspect.isclass(value) and issubclass(value, Behaviour) and value is not Behaviour):
            continue
        if value.__module__ == module.__name__ and not value.__name__.startswith("_"):
            yield value


def _place(kind: type[Behaviour]) -> str:
    line = inspect.getsourcelines(kind)[1]
    return f"{inspect.getfile(kind)}:{line}"


def _problems(kind: type[Behaviour]) -> Iterator[str]:
    """Yields each error in the class of a behaviour, the most basic ones first."""
    name = getattr(kind, "name", None)
    if not (isinstance(name, str) and name.isidentifier() and name.islower()):
        yield f"its name should be text of lower-case letters, digits and '_', not {name!r}"
    for attribute, value in vars(kind).items():
        unknown = not attribute.startswith("_") and not hasattr(Behaviour, attribute) and attribute != "name"
        hint = did_you_mean(attribute, (*vars(Behaviour), "name")) if unknown else ""
        if hint and not isinstance(value, (property, type)):
            yield f"a behaviour has no '{attribute}'{hint}"
    if not kind.__doc__:
        yield "has no docstring; its first sentence is shown wherever behaviours are listed"
    if not (inspect.isclass(kind.Parameters) and issubclass(kind.Parameters, BehaviourParameters)):
        yield "Parameters should be a subclass of BehaviourParameters"
    if not isinstance(kind.legs, Legs):
        yield f"legs should be one of {', '.join(map(str, Legs))}, not {kind.legs!r}"
    yield from _field_problems(kind.fields)
    for method, expected in _SIGNATURES.items():
        parameters = tuple(inspect.signature(getattr(kind, method)).parameters)
        parameters = parameters[1:] if method in ("start", "advance") else parameters
        if len(parameters) != len(expected):
            yield f"{method} should take ({', '.join(expected)}), not ({', '.join(parameters)})"


def _field_problems(fields: object) -> Iterator[str]:
    rule = "fields should be a tuple of (name, length) pairs"
    if not isinstance(fields, tuple):
        yield f"{rule}, not {fields!r}"
        return
    names = set(_HEADER_FIELDS)
    for field in fields:
        match field:
            case (str(name), int(length)) if length > 0:
                if name in names:
                    yield f"field '{name}' is there twice, or is a name that every request uses"
                names.add(name)
            case _:
                yield f"{rule} with lengths above 0, not {field!r}"


def _import_file(path: Path) -> ModuleType:
    digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]
    name = f"kilohertz_behaviours_{digest}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ConfigError(f"{_line_of(error, path)}: cannot be imported: {_sentence(error)}") from None
    return module


def _import_entry(entry: metadata.EntryPoint) -> ModuleType:
    try:
        module = entry.load()
    except Exception as error:
        raise ConfigError(
            f"entry point '{entry.name}' ({entry.value}) of the group {ENTRY_POINT_GROUP} cannot be "
            f"imported: {_sentence(error)}; mend or remove that distribution"
        ) from None
    if not isinstance(module, ModuleType):
        raise ConfigError(f"entry point '{entry.name}' ({entry.value}) should name a module")
    return module


def _line_of(error: Exception, path: Path) -> str:
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"{path}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    return f"{path}:{lines[-1]}" if lines else str(path)


def _sentence(error: Exception) -> str:
    message = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {message}"
