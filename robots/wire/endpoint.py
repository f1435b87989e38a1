"""Where a robot is reached: by whom without keys, and who has keys.

Without keys a link stays on this computer: an ipc file in a folder of the user's own, or the loopback
address.
Every other address takes CURVE keys on both ends: the controller knows the robot's public key, the robot a
list of the controllers' ones.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path

import zmq

from kilohertz.robots.config.config_error import ConfigError

LONGEST_IPC_PATH = 100
KEY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,40}")
_Z85 = re.compile(r"[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")
_TCP = re.compile(r"tcp://(\[[0-9a-fA-F:]+\]|[^\[\]:/]+):(\d{1,5})")


def default_endpoint(robot: str) -> str:
    """The ipc endpoint of a robot on this computer, in a folder that only this user may enter.

    Raises:
        ConfigError: the folder belongs to somebody else.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    folder = (
        Path(runtime) / "kilohertz" if runtime else Path(tempfile.gettempdir()) / f"kilohertz-{os.getuid()}"
    )
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except OSError as error:
        raise ConfigError(f"{folder} cannot hold the robot's endpoint: {error.strerror}; give one") from None
    if status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise ConfigError(f"{folder} is open to others: remove it, or give an endpoint elsewhere")
    return f"ipc://{folder}/{robot}"


def check_endpoint(endpoint: str, *, keys: bool, bind: bool) -> None:
    """Refuses an endpoint that cannot be, or that would let strangers at a robot.

    Args:
        endpoint: `ipc://PATH` or `tcp://HOST:PORT`.
        keys: whether both ends authenticate themselves.
        bind: whether we are to open it, and not another process.

    Raises:
        ConfigError: one sentence.
    """
    if endpoint.startswith("ipc://"):
        path = Path(endpoint[6:])
        if not path.name or len(str(path)) > LONGEST_IPC_PATH:
            raise ConfigError(f"{endpoint}: the path must have 1 to {LONGEST_IPC_PATH} characters")
        if not path.parent.is_dir():
            raise ConfigError(f"{endpoint}: there is no folder {path.parent}")
        if bind and _is_served(path):
            raise ConfigError(f"{endpoint}: another process serves a robot there")
        return
    match = _TCP.fullmatch(endpoint)
    if match is None or not 0 < int(match[2]) < 65536:
        raise ConfigError(f"'{endpoint}' is no endpoint: write ipc://PATH or tcp://HOST:PORT")
    if not keys and not _is_loopback(match[1].strip("[]")):
        raise ConfigError(
            f"{endpoint} can be reached by others: make keys with `khz keys new` and give them with --key, "
            "or stay on tcp://127.0.0.1"
        )


def _is_served(path: Path) -> bool:
    # Binding would silently take the file away from its owner.
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        # A name may be resolved to anything, but for this one.
        return host == "localhost"


@dataclass(frozen=True)
class KeyPair:
    """A CURVE key pair, both in Z85."""

    public: str
    secret: str


def keys_folder() -> Path:
    """`$KILOHERTZ_KEYS`, else `kilohertz/keys` in the user's folder of configuration."""
    named = os.environ.get("KILOHERTZ_KEYS")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "kilohertz" / "keys"


def new_key(name: str) -> Path:
    """Makes a key pair: NAME.public, to be copied to the other end, and NAME.secret, which stays.

    Raises:
        ConfigError: the name is no good or taken, or the folder cannot be written.
    """
    if not KEY_NAME.fullmatch(name):
        raise ConfigError(f"'{name}' cannot name a key: use letters, digits, '-', '_' and '.'")
    folder = keys_folder()
    public, secret = (key.decode() for key in zmq.curve_keypair())
    path = folder / f"{name}.secret"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"{public}\n{secret}\n")
        (folder / f"{name}.public").write_text(f"{public}\n")
    except FileExistsError:
        raise ConfigError(f"there is a key '{name}' already in {folder}") from None
    except OSError as error:
        raise ConfigError(f"no key could be written into {folder}: {error.strerror}") from None
    return path


def load_key(name: str) -> KeyPair:
    """Our own key pair.

    Raises:
        ConfigError: there is none of this name, others can read it, or it is none.
    """
    path = keys_folder() / f"{name}.secret"
    lines = _key_lines(path, "make it with `khz keys new`")
    if path.stat().st_mode & 0o077:
        raise ConfigError(f"{path} can be read by others: `chmod 600 {path}`, or make a new key")
    if len(lines) != 2:
        raise ConfigError(f"{path} holds no key pair")
    return KeyPair(lines[0], lines[1])


def load_public(name: str) -> str:
    """The public key of the other end.

    Raises:
        ConfigError: there is none of this name, or it is none.
    """
    path = keys_folder() / f"{name}.public"
    lines = _key_lines(path, f"copy {name}.public from the other computer into this folder")
    if len(lines) != 1:
        raise ConfigError(f"{path} holds no public key")
    return lines[0]


def _key_lines(path: Path, remedy: str) -> list[str]:
    try:
        lines = path.read_text().split()
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"there is no key {path}: {remedy}") from None
    if not all(_Z85.fullmatch(line) for line in lines):
        raise ConfigError(f"{path} holds no key")
    return lines


def list_keys() -> list[tuple[str, str, bool]]:
    """Name, public key, and whether the secret is here too, of every key in the folder."""
    folder = keys_folder()
    names = sorted(path.stem for path in folder.glob("*.public"))
    return [(name, load_public(name), (folder / f"{name}.secret").exists()) for name in names]


def trusted_keys() -> frozenset[str]:
    """Public keys of everybody who may connect: all in the folder."""
    return frozenset(public for _, public, _ in list_keys())
