from pathlib import Path

import numpy as np
import pytest

from robots.compiled import cache_folder, kernel, load_entry

ENTRY = "import numba\n\n@numba.njit('float64(float64)', cache=True)\ndef twice(x):\n    return {} * x\n"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KILOHERTZ_CACHE", str(tmp_path / "cache"))


def test_a_kernel_keeps_what_nan_and_infinity_mean() -> None:
    @kernel
    def is_bad(x: float) -> bool:
        return not np.isfinite(x)

    assert is_bad(np.nan)
    assert is_bad(np.inf)
    assert not is_bad(1.0)


def test_the_same_sources_give_the_same_module(tmp_path: Path) -> None:
    source = tmp_path / "callee.py"
    source.write_text("a = 1")
    first = load_entry("test_same", ENTRY.format(2), [source])
    assert first.twice(3.0) == 6.0
    assert load_entry("test_same", ENTRY.format(2), [source]) is first


def test_an_edit_of_any_source_gives_a_new_module(tmp_path: Path) -> None:
    source = tmp_path / "callee.py"
    source.write_text("a = 1")
    first = load_entry("test_edit", ENTRY.format(2), [source])
    source.write_text("a = 2")
    assert load_entry("test_edit", ENTRY.format(2), [source]) is not first
    assert load_entry("test_edit", ENTRY.format(3), [source]).twice(1.0) == 3.0


def test_the_cache_is_where_the_user_wants_it(tmp_path: Path) -> None:
    assert cache_folder() == tmp_path / "cache"
