"""The one error of the public functions for what cannot be done as asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kilohertz.robots.config.config_error import ConfigError


class Refused(ValueError):  # noqa: N818 - part of the public interface
    """An argument, a file or a command that cannot be used; `str()` is one readable line per problem."""


@contextmanager
def refusing() -> Iterator[None]:
    """Raises `Refused` where what is inside finds a configuration that cannot be used."""
    try:
        yield
    except ConfigError as error:
        raise Refused(str(error)) from None
