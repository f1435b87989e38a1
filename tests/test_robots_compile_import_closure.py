"""What a module is made of, from its imports."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kilohertz.robots.compile.cached_entry import Entry
from kilohertz.robots.compile.import_closure import sources_of, sources_of_text

FILES = {
    "__init__.py": "",
    "top.py": "import numpy\nfrom closure_house.rooms import kitchen\nfrom closure_house.roof import tiles\n",
    "roof.py": """
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from closure_house import shed
tiles = 1
""",
    "shed.py": "",
    "rooms/__init__.py": "",
    "rooms/kitchen.py": """
import closure_house.pantry

def cook():
    from closure_house import shed
""",
    "pantry.py": "from closure_house import top\n",
}
PARTS = {"top.py", "roof.py", "rooms/__init__.py", "rooms/kitchen.py", "pantry.py", "__init__.py"}


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package whose modules import each other, in a circle too."""
    folder = tmp_path / "closure_house"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield folder
    for name in [name for name in sys.modules if name.startswith("closure_house")]:
        del sys.modules[name]


def test_a_module_is_made_of_what_it_imports_to_run(house: Path) -> None:
    assert sources_of("closure_house.top") == {house / name for name in PARTS}


def test_an_import_that_is_added_counts(house: Path) -> None:
    assert house / "shed.py" not in sources_of("closure_house.roof")
    (house / "roof.py").write_text("from closure_house import shed\n")
    assert house / "shed.py" in sources_of("closure_house.roof")


@pytest.mark.parametrize("name", sorted(FILES))
def test_an_edit_compiles_anew_what_depends_on_the_file_and_nothing_else(
    house: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KILOHERTZ_CACHE", str(house.parent / "cache"))
    before = Entry.write("test_closure", "", sources_of("closure_house.top"))
    (house / name).write_text(FILES[name] + "# edited\n")
    after = Entry.write("test_closure", "", sources_of("closure_house.top"))
    assert (after.path != before.path) == (name in PARTS)


def test_kernels_are_made_of_kernels_and_not_of_what_sets_them_up() -> None:
    text = "import numpy\nfrom kilohertz.estimators.floating_base_tick import run_filter\n"
    names = {path.name for path in sources_of_text(text)}
    assert {"floating_base_tick.py", "so3.py", "inekf_layout.py", "kernels.py"} <= names
    assert not {"robot_model.py", "config.py", "floating_base.py"} & names
