"""Definition of a task kind, and the registry of all kinds.

A kind is one file in this folder. It has a compiled function `fill`, which writes rows and right-hand side,
and a plain NumPy version `spec`, which is the specification that tests compare `fill` with. Importing the
file registers the kind.
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
        name: name of the kind in declarations.
        space: one of MOTION, MOMENTUM, JOINT_DIAGONAL, WRENCH_DIAGONAL or WRENCH of
            `kilohertz.controller.problem.tables`.
        dim: number of rows; 0 means one per joint.
        n_ref: length of the reference; a negative value means -n_ref numbers per joint.
        gains: possible numbers of gains; empty if any is. A declaration may also give none, and set them
            later.
        fill: compiled (k, f, ref, gain, T, b) -> None, writes rows T and right-hand side b in place.
        module: name of the module that defines the kind.
        components: for wrench rows, the component of the contact's wrench that each row depends on; the row
            is left out if the contact does not transmit this component.
        closed: for wrench rows, the number of contacts that must be closed for the task to apply, including
            its own contact.
    """

    name: str
    space: int
    dim: int
    n_ref: int
    gains: tuple[int, ...]
    fill: Callable[..., None]
    module: str
    components: tuple[int, ...] = ()
    closed: int = 0

    def ref_length(self, na: int) -> int:
        """Returns the length of the reference of a task of this kind on a robot with na joints."""
        return self.n_ref if self.n_ref >= 0 else -self.n_ref * na


KINDS: dict[str, Kind] = {}
"""All registered kinds by name."""


def task_kind(
    name: str,
    *,
    space: int,
    dim: int,
    n_ref: int,
    gains: tuple[int, ...] = (),
    components: tuple[int, ...] = (),
    closed: int = 0,
) -> Callable[[Callable[..., None]], Any]:
    """Registers the decorated function as the `fill` of a new task kind; arguments as for `Kind`."""

    def register(fill: Callable[..., None]) -> Any:
        compiled = inner_kernel(fill, may_copy=True)
        KINDS[name] = Kind(name, space, dim, n_ref, gains, compiled, fill.__module__, components, closed)
        return compiled

    return register


def load_kinds() -> dict[str, Kind]:
    """Imports every file of this folder and returns all kinds by name, sorted by name."""
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        importlib.import_module(f"{__package__}.{module.name}")
    # Sorted, so that the order of imports does not matter: compiled code identifies a kind by its index.
    for name in sorted(KINDS):
        KINDS[name] = KINDS.pop(name)
    return KINDS
