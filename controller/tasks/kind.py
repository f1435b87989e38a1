"""What a task kind is, and the registry that collects them.

A kind is one file in this folder: a compiled `fill` that writes rows and right-hand side, and its plain NumPy
twin `spec`, which is the specification the tests hold `fill` against. Importing the file registers it.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kilohertz.robots.compile.kernels import inner_kernel


@dataclass(frozen=True)
class Kind:
    """A registered kind of task.

    Attributes:
        name: as used in declarations.
        space: MOTION, MOMENTUM, JOINT_DIAGONAL, WRENCH_DIAGONAL or WRENCH of
            `kilohertz.controller.problem.tables`.
        dim: rows; 0 means one per joint.
        n_ref: reference numbers; negative means -n_ref numbers per joint.
        components: of wrench rows: the component of the contact's wrench that each row is about; the row is
            left out where the contact does not transmit it.
        closed: of wrench rows: contacts that must be closed for the task to make sense, its own among them.
        fill: compiled (k, f, ref, gain, T, b) -> None, writes rows T and right-hand side b in place.
        module: where it lives.
    """

    name: str
    space: int
    dim: int
    n_ref: int
    fill: Callable[..., None]
    module: str
    components: tuple[int, ...] = ()
    closed: int = 0

    def ref_length(self, na: int) -> int:
        """Reference numbers of one task of this kind on a robot of na joints."""
        return self.n_ref if self.n_ref >= 0 else -self.n_ref * na


KINDS: dict[str, Kind] = {}


def task_kind(
    name: str, *, space: int, dim: int, n_ref: int, components: tuple[int, ...] = (), closed: int = 0
) -> Callable[[Callable[..., None]], Any]:
    """Registers the decorated function as the `fill` of a new task kind."""

    def register(fill: Callable[..., None]) -> Any:
        compiled = inner_kernel(fill, may_copy=True)
        KINDS[name] = Kind(name, space, dim, n_ref, compiled, fill.__module__, components, closed)
        return compiled

    return register


def load_kinds() -> dict[str, Kind]:
    """Imports every file of this folder and returns the kinds found, by name and in their order."""
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        importlib.import_module(f"{__package__}.{module.name}")
    # Who was imported first must not matter: compiled code tells the kinds apart by their place.
    for name in sorted(KINDS):
        KINDS[name] = KINDS.pop(name)
    return KINDS
