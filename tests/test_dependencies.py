"""What is declared can be installed beside other packages, and CI's versions are among what is declared."""

from __future__ import annotations

import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
# Pins that have a reason, given beside them in pyproject.toml.
EXACT = {"example-robot-data", "ruff", "mypy"}


def locked() -> dict[str, Version]:
    """CI's versions by normalised name."""
    lines = (ROOT / ".ci" / "constraints.txt").read_text().splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): Version(version) for name, version in pairs}


def declared(*extras: str) -> list[Requirement]:
    return [Requirement(text) for text in sum((EXTRAS[name] for name in extras), PROJECT["dependencies"])]


def needed(requirements: list[Requirement]) -> set[str]:
    """Normalised names of everything that is installed for some requirements, by what each package says."""
    found: set[str] = set()
    waiting = list(requirements)
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        waiting += [Requirement(text) for text in metadata.requires(name) or ()]
    return found


@pytest.mark.parametrize("requirement", declared(*EXTRAS), ids=str)
def test_only_what_has_a_reason_is_pinned(requirement: Requirement) -> None:
    operators = {specifier.operator for specifier in requirement.specifier}
    if requirement.name in EXACT:
        assert operators == {"=="}
    else:
        assert operators == {">=", "<"}, "a range has both ends: versions beyond were not tried"


@pytest.mark.parametrize("requirement", declared("test", "log"), ids=str)
def test_what_ci_installs_is_allowed(requirement: Requirement) -> None:
    assert locked()[canonicalize_name(requirement.name)] in requirement.specifier


def test_every_package_that_ci_installs_has_its_version_fixed() -> None:
    try:
        # A new environment brings a setuptools of its own.
        versions, names = locked(), needed(declared("test", "log")) - {"setuptools"}
    except metadata.PackageNotFoundError as error:
        pytest.skip(f"{error.name} is not installed, which CI installs")
    if any(Version(metadata.version(name)) != versions[name] for name in names & set(versions)):
        pytest.skip("other versions than CI's are installed; they may need other packages")
    assert names - set(versions) == set()


def test_no_extra_is_empty() -> None:
    assert all(EXTRAS.values())
