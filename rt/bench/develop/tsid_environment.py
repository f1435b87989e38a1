"""A Python environment for TSID, which needs another version of pinocchio than Kilohertz.

TSID 1.10.0 is built against pinocchio 4.0.0. Its C++ library is published only in the wheel for Python 3.14
but does not depend on Python: it is unpacked next to the bindings for this Python version.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from kilohertz.robots.compile.cached_entry import cache_folder


class TsidMissingError(RuntimeError):
    """TSID is not available on this computer; the text is the end of a sentence that says so."""


_PACKAGES = ("pin==4.0.0", "libpinocchio==4.0.0")
_BINDINGS = ("tsid==1.10.0", "eiquadprog<2")
_LIBRARY = ("libtsid==1.10.0", "3.14", "cp314", "manylinux_2_28_x86_64")


def tsid_python() -> Path:
    """Path of the interpreter of the TSID environment, which is created on first use.

    Raises:
        TsidMissingError: the environment cannot be created.
    """
    folder = cache_folder() / "tsid-1.10.0"
    done = folder / "complete"
    if not done.exists():
        print(
            "kilohertz: installing TSID into an environment of its own (once, a minute) ...",
            file=sys.stderr,
            flush=True,
        )
        try:
            _make(folder)
        except (OSError, subprocess.CalledProcessError) as error:
            raise TsidMissingError("its packages could not be installed") from error
        done.touch()
    return folder / "bin" / "python"


def _make(folder: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    # Constraints for the caller's own environment do not concern this one.
    environment = {name: value for name, value in os.environ.items() if name != "PIP_CONSTRAINT"}
    subprocess.run([*pip, "install", *_PACKAGES], check=True, env=environment)
    subprocess.run([*pip, "install", "--no-deps", *_BINDINGS], check=True, env=environment)
    package, version, abi, platform = _LIBRARY
    wheels = folder / "wheels"
    for_python = ["--implementation", "cp", "--python-version", version, "--abi", abi, "--platform", platform]
    download = ["download", "--no-deps", "--only-binary", ":all:", "--dest", str(wheels)]
    subprocess.run([*pip, *download, *for_python, package], check=True, env=environment)
    site = next((folder / "lib").glob("python3*/site-packages"))
    with zipfile.ZipFile(next(wheels.glob("*.whl"))) as wheel:
        wheel.extract("cmeel.prefix/lib/libtsid.so", site)
