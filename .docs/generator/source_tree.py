"""The packages of this checkout under the import name that they are installed with."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def packages() -> dict[str, Path]:
    """Folder of each installed package, by its import name, as pyproject.toml lists them."""
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders: dict[str, str] = setuptools["package-dir"]
    found = {}
    for name in setuptools["packages"]:
        above = next(
            name[: len(known)]
            for known in sorted(folders, key=len, reverse=True)
            if name == known or name.startswith(f"{known}.")
        )
        rest = name[len(above) :].strip(".").replace(".", "/")
        found[name] = ROOT / folders[above] / rest
    return found


def modules(package: str) -> list[str]:
    """Import names of a package and of the modules in it, the package first; private ones left out."""
    names = sorted(path.stem for path in packages()[package].glob("*.py") if not path.stem.startswith("_"))
    return [package, *(f"{package}.{name}" for name in names)]


def link_sources(folder: Path) -> None:
    """Lays the packages out as `folder/kilohertz/...` with symbolic links, for readers of source code."""
    top = folder / "kilohertz"
    top.mkdir()
    found = packages()
    for path in found["kilohertz"].iterdir():
        if path.suffix == ".py":
            (top / path.name).symlink_to(path)
    for name, path in found.items():
        if name.count(".") == 1:
            (top / name.partition(".")[2]).symlink_to(path)
