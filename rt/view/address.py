"""The address of the cockpit's page: where it is bound, and the secret token in it."""

from __future__ import annotations

import ipaddress
import secrets
import urllib.parse

from kilohertz.robots.config.config_error import ConfigError

LOOPBACK = "127.0.0.1"
DEFAULT_PORT = 8080
LEAST_TOKEN = 16


def new_token() -> str:
    """Returns a random token."""
    return secrets.token_urlsafe(24)


def check_binding(host: str, token: str | None) -> None:
    """Refuses an address that other computers can reach without a token of the user's own.

    Raises:
        ConfigError: the address is refused, or the token is too short to be a secret.
    """
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        raise ConfigError(f"'{host}' is not an IP address to bind, such as {LOOPBACK}") from None
    if token is None and not loopback:
        raise ConfigError(
            f"{host} can be reached from other computers: set a token with --token, or use {LOOPBACK}"
        )
    if token is not None and (len(token) < LEAST_TOKEN or urllib.parse.quote(token, safe="") != token):
        raise ConfigError(f"a token has at least {LEAST_TOKEN} letters, digits, '-', '_', '.' and '~'")


def page_address(host: str, port: int, token: str) -> str:
    """Returns the address of the page, for a browser."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/?token={token}"
