"""Endpoints of a link, and the CURVE keys that a link to another computer needs.

A link without keys stays on this computer: it uses an ipc file in a folder of the user's own, or the loopback
address. Every other address needs CURVE keys at both ends: the controller has the robot's public key, and the
robot has a list of the controllers' public keys.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

import zmq

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.config.ownership import problem_of_entry, problem_of_folder
from kilohertz.robots.config.user_file import read_user_file
from kilohertz.robots.wire.own_peer import require_own_folder, require_own_peer

LONGEST_IPC_PATH = 100
LARGEST_KEY_BYTES = 1000
KEY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,40}")
_Z85 = re.compile(r"[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")
_TCP = re.compile(r"tcp://(\[[0-9a-fA-F:]+\]|[^\[\]:/]+):(\d{1,5})")


def default_endpoint(robot: str) -> str:
    """Returns the default ipc endpoint of a robot, in a folder that only this user can access.

    Args:
        robot: name of the robot.

    Raises:
        ConfigError: the folder cannot be created, or other users can access it.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    folder = (
        Path(runtime) / "kilohertz" if runtime else Path(tempfile.gettempdir()) / f"kilohertz-{os.getuid()}"
    )
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.lstat()
    except OSError as error:
        raise ConfigError(
            f"{folder} cannot hold the robot's endpoint ({error.strerror}); give an endpoint elsewhere"
        ) from None
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise ConfigError(f"{folder} is open to others: remove this folder, or give an endpoint elsewhere")
    problem = problem_of_folder(folder)
    if problem:
        raise ConfigError(f"{problem}, so {folder} cannot hold the robot's endpoint: give one elsewhere")
    return f"ipc://{folder}/{robot}"


def check_endpoint(endpoint: str, *, keys: bool, bind: bool) -> None:
    """Refuses an endpoint that is not valid, lets unknown peers connect, or may be that of a stranger.

    Args:
        endpoint: `ipc://PATH` or `tcp://HOST:PORT`.
        keys: whether both ends authenticate themselves with CURVE keys.
        bind: whether this process will bind the endpoint; False if it will connect to it.

    Raises:
        ConfigError: the endpoint is refused; the text is one sentence.
    """
    if endpoint.startswith("ipc://"):
        path = Path(endpoint[6:])
        if not path.name or len(str(path)) > LONGEST_IPC_PATH:
            raise ConfigError(f"{endpoint[:200]}: an ipc path must have 1 to {LONGEST_IPC_PATH} characters")
        if not path.parent.is_dir():
            raise ConfigError(f"{endpoint}: there is no folder {path.parent}")
        if bind and is_served(path):
            raise ConfigError(
                f"{endpoint}: another process serves a robot there; stop that process, "
                "or give another endpoint"
            )
        if not keys:
            _require_own(endpoint, bind)
        return
    match = _TCP.fullmatch(endpoint)
    if match is None or not 0 < int(match[2]) < 65536:
        raise ConfigError(f"'{endpoint}' is not an endpoint: write ipc://PATH or tcp://HOST:PORT")
    if not keys and not _is_loopback(match[1].strip("[]")):
        raise ConfigError(
            f"{endpoint} can be reached from other computers: make keys with `khz keys new` and give "
            "them with --key, or use tcp://127.0.0.1"
        )
    if not keys:
        _require_own(endpoint, bind)


def _require_own(endpoint: str, bind: bool) -> None:
    if bind:
        require_own_folder(endpoint)
    else:
        require_own_peer(endpoint)


def is_served(path: Path) -> bool:
    """Returns whether a process serves the ipc socket at a path; a socket may outlive its process."""
    # Binding an ipc path that is in use would silently take it over from the process that serves it.
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
        # Only this host name is sure to resolve to the loopback address.
        return host == "localhost"


@dataclass(frozen=True)
class KeyPair:
    """A CURVE key pair.

    Attributes:
        public: public key in Z85 (40 characters).
        secret: secret key in Z85 (40 characters).
    """

    public: str
    secret: str


def keys_folder() -> Path:
    """Returns the folder of the key files.

    This is `$KILOHERTZ_KEYS` if set, else `kilohertz/keys` in `$XDG_CONFIG_HOME` or `~/.config`.
    """
    named = os.environ.get("KILOHERTZ_KEYS")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "kilohertz" / "keys"


def new_key(name: str) -> Path:
    """Makes a key pair of two files: NAME.public, to be copied to the other computer, and NAME.secret.

    Args:
        name: name of the key pair.

    Returns:
        The path of the secret key file, which must stay on this computer.

    Raises:
        ConfigError: the name is not valid or exists already, or the folder cannot be written.
    """
    if not KEY_NAME.fullmatch(name):
        raise ConfigError(f"'{name}' cannot name a key: use at most 41 letters, digits, '-', '_' and '.'")
    folder = keys_folder()
    public, secret = (key.decode() for key in zmq.curve_keypair())
    path = folder / f"{name}.secret"
    # A new file: none that exists, and no symbolic link, is written through.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _require_own_keys(folder)
        if os.path.lexists(folder / f"{name}.public"):
            raise FileExistsError
        with os.fdopen(os.open(path, flags, 0o600), "w") as file:
            file.write(f"{public}\n{secret}\n")
        with os.fdopen(os.open(folder / f"{name}.public", flags, 0o644), "w") as file:
            file.write(f"{public}\n")
    except FileExistsError:
        raise ConfigError(f"there is already a key '{name}' in {folder}; use another name") from None
    except OSError as error:
        raise ConfigError(f"the key could not be written into {folder}: {error.strerror}") from None
    return path


def load_key(name: str) -> KeyPair:
    """Loads this computer's own key pair of a given name.

    Raises:
        ConfigError: there is no key of this name, other users can read it, or the file holds no key pair.
    """
    path = keys_folder() / f"{name}.secret"
    lines = _key_lines(path, "make it with `khz keys new`")
    if path.stat().st_mode & 0o077:
        raise ConfigError(f"{path} can be read by others: run `chmod 600 {path}`, or make a new key")
    if len(lines) != 2:
        raise ConfigError(f"{path} holds no key pair: make one with `khz keys new`")
    return KeyPair(lines[0], lines[1])


def load_public(name: str) -> str:
    """Loads the public key of the other end of a link.

    Args:
        name: name of the key file, without the ending `.public`.

    Returns:
        The key in Z85.

    Raises:
        ConfigError: there is no key of this name, or the file holds no public key.
    """
    path = keys_folder() / f"{name}.public"
    lines = _key_lines(path, f"copy {name}.public from the other computer into this folder")
    if len(lines) != 1:
        raise ConfigError(f"{path} holds no public key: copy the file from the other computer again")
    return lines[0]


def _key_lines(path: Path, remedy: str) -> list[str]:
    if not os.path.lexists(path):
        raise ConfigError(f"there is no key {path}: {remedy}")
    _require_own_keys(path.parent)
    content = read_user_file(path, LARGEST_KEY_BYTES, "a key", follow_links=False)
    problem = problem_of_entry(path)
    if problem:
        raise ConfigError(
            f"{problem}, so the key may be another user's: run `chmod go-w {path}`, or {remedy}"
        )
    lines = content.decode("ascii", "replace").split()
    if not all(_Z85.fullmatch(line) for line in lines):
        raise ConfigError(f"{path} holds no key: {remedy}")
    return lines


def _require_own_keys(folder: Path) -> None:
    problem = problem_of_folder(folder)
    if problem:
        raise ConfigError(
            f"{problem}, so that other users could add keys to {folder}: take the permission away "
            "(chmod go-w), or set KILOHERTZ_KEYS to a folder of your own"
        )


def list_keys() -> list[tuple[str, str, bool]]:
    """Lists all keys in the folder: name, public key, and whether the secret key is there too.

    Raises:
        ConfigError: a key cannot be read, or other users can write the folder or a key in it.
    """
    folder = keys_folder()
    names = sorted(path.stem for path in folder.glob("*.public"))
    return [(name, load_public(name), (folder / f"{name}.secret").exists()) for name in names]


def trusted_keys() -> frozenset[str]:
    """Returns the public keys of all peers that may connect: every public key in the folder.

    Raises:
        ConfigError: as for `list_keys`.
    """
    return frozenset(public for _, public, _ in list_keys())
