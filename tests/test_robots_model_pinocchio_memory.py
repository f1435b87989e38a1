"""What pinocchio has computed lies where compiled code reads it; a version where it does not is refused."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pinocchio as pin
import pytest

from kilohertz.robots.model import pinocchio_memory
from kilohertz.robots.model.pinocchio_memory import memory_problem, require_known_memory


class Copies:
    """Gives a fresh copy of an array each time, as a binding without views does."""

    def __init__(self, original: Any, name: str) -> None:
        self._original, self._name = original, name
        self._given: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._original, name)
        if name == self._name:
            self._given.append(value.copy())
            return self._given[-1]
        return value


@pytest.fixture
def data() -> Any:
    model = pin.buildSampleModelManipulator()
    data = model.createData()
    pin.crba(model, data, pin.neutral(model), pin.Convention.WORLD)
    pin.nonLinearEffects(model, data, pin.neutral(model), np.ones(model.nv))
    return data


def changed(data: Any, **fields: Any) -> Any:
    names = ("oMi", "v", "a_gf", "M", "J", "nle", "tau")
    return SimpleNamespace(**{name: getattr(data, name) for name in names} | fields)


def test_the_installed_version_is_known(data: Any) -> None:
    require_known_memory()
    assert memory_problem(data) == ""


@pytest.mark.parametrize("name", ["M", "J", "nle", "tau"])
def test_a_copy_is_found(data: Any, name: str) -> None:
    assert "are copies" in memory_problem(Copies(data, name))


@pytest.mark.parametrize(
    ("field", "part"),
    [
        ("oMi", "rotation"),
        ("oMi", "translation"),
        ("v", "linear"),
        ("v", "angular"),
        ("a_gf", "linear"),
        ("a_gf", "angular"),
    ],
)
def test_a_copy_of_a_joints_motion_is_found(data: Any, field: str, part: str) -> None:
    copies = [Copies(each, part) for each in getattr(data, field)]
    assert "are copies" in memory_problem(changed(data, **{field: copies}))


def test_a_matrix_stored_row_by_row_is_found(data: Any) -> None:
    assert "column by column" in memory_problem(changed(data, J=np.ascontiguousarray(data.J)))


def test_a_position_that_lies_elsewhere_is_found(data: Any) -> None:
    apart = [SimpleNamespace(rotation=pose.rotation, translation=np.zeros(3)) for pose in data.oMi]
    assert "does not follow" in memory_problem(changed(data, oMi=apart))


def test_an_unknown_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pinocchio_memory, "memory_problem", lambda data: "it is written backwards")
    require_known_memory.cache_clear()
    with pytest.raises(RuntimeError, match=f"pinocchio {pin.__version__} cannot be used: it is written"):
        require_known_memory()
    require_known_memory.cache_clear()
