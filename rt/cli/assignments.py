"""The option `--set KEY=VALUE ...` of `khz sim` and `khz run`."""

from __future__ import annotations

import re
from typing import Any

import typer
from typer.core import TyperCommand

OPTION = "--set"
_ASSIGNMENT = re.compile(r"[A-Za-z_][\w.]*=")


class WithAssignments(TyperCommand):
    """A command whose option `--set` takes several assignments: `--set a=1 b=2` is `--set a=1 --set b=2`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parses the arguments of the command."""
        return super().parse_args(ctx, repeated(args))


def repeated(args: list[str]) -> list[str]:
    """The arguments with `--set` before each of its assignments."""
    expanded: list[str] = []
    assigning = False
    for position, argument in enumerate(args):
        first = position > 0 and args[position - 1] == OPTION
        if assigning and not first and _ASSIGNMENT.match(argument):
            expanded.append(OPTION)
        elif not first:
            assigning = argument == OPTION
        expanded.append(argument)
    return expanded


def check_assignments(assignments: list[str] | None, watch_gains: bool) -> tuple[str, ...]:
    """The assignments, which cannot be combined with a gains file that may change during the run.

    Raises:
        BadParameter: both are asked for.
    """
    if assignments and watch_gains:
        raise typer.BadParameter("--set cannot be combined with --watch-gains: change the gains file instead")
    return tuple(assignments or ())
