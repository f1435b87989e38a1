"""The exception of the public functions for arguments, files and commands that cannot be used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kilohertz.robots.config.config_error import ConfigError


class Refused(ValueError):  # noqa: N818 - part of the public interface
    """Raised if an argument, a file or a command cannot be used; `str()` gives one line per problem."""


@contextmanager
def refusing() -> Iterator[None]:
    """Converts a `ConfigError` that is raised in the `with` block to `Refused`."""
    try:
        yield
    except ConfigError as error:
        raise Refused(str(error)) from None
