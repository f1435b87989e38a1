from pathlib import Path
from types import ModuleType

import pytest

from kilohertz.robots.compile import ahead as compile_ahead
from kilohertz.robots.compile.ahead import load_later, load_pending

pytestmark = pytest.mark.host

TEXT = "import numba\n\n@numba.njit('float64(float64)', cache=True)\ndef twice(x):\n    return {} * x\n"


@pytest.fixture
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[ModuleType]:
    """What was loaded so far; on two cores, with a cache of its own."""
    load_pending()
    monkeypatch.setenv("KILOHERTZ_CACHE", str(tmp_path))
    monkeypatch.setattr(compile_ahead.os, "sched_getaffinity", lambda _: {0, 1})
    return []


def test_another_process_compiles_what_can_wait(loaded: list[ModuleType]) -> None:
    load_later("test_ahead", TEXT.format(2), [], 1.0, loaded.append)
    assert loaded == []
    helper = compile_ahead._helper
    assert helper is not None
    assert helper.stdin is not None
    helper.stdin.close()  # it ends with its work
    assert helper.wait() == 0
    load_pending()
    assert loaded[0].twice(2.0) == 4.0
    assert sum(loaded[0].twice.stats.cache_hits.values()) == 1


def test_what_is_compiled_is_loaded_at_once(loaded: list[ModuleType]) -> None:
    load_later("test_at_once", TEXT.format(2), [], 1.0, loaded.append)
    load_pending()
    load_later("test_at_once", TEXT.format(2), [], 1.0, loaded.append)
    assert len(loaded) == 2


def test_a_helper_process_that_dies_does_no_harm(loaded: list[ModuleType]) -> None:
    for factor in (2, 3):
        load_later("test_dies", TEXT.format(factor), [], 1.0, loaded.append)
        helper = compile_ahead._helper
        assert helper is not None
        helper.kill()
        helper.wait()
    load_pending()
    assert sorted(module.twice(1.0) for module in loaded) == [2.0, 3.0]


def test_where_no_helper_starts_one_process_does_it_all(
    loaded: list[ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no more processes")

    monkeypatch.setattr(compile_ahead.subprocess, "Popen", refuse)
    load_later("test_alone", TEXT.format(2), [], 1.0, loaded.append)
    load_pending()
    assert loaded[0].twice(2.0) == 4.0
