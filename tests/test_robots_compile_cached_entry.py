import errno
import fcntl
import os
import pickle
import py_compile
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numba
import numpy as np
import pytest

from kilohertz.robots.compile import cached_entry as compiled
from kilohertz.robots.compile.cached_entry import Entry, cache_folder, load_entry
from kilohertz.robots.config.config_error import ConfigError

ROOT = Path(compiled.__file__).parents[1]
ENTRY = "import numba\n\n@numba.njit('float64(float64)', cache=True)\ndef twice(x):\n    return {} * x\n"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KILOHERTZ_CACHE", str(tmp_path / "cache"))


def forget_loaded(name: str) -> None:
    for module in [key for key in sys.modules if key.startswith(f"kilohertz_{name}")]:
        del sys.modules[module]


def in_another_process(code: str, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        **options,  # type: ignore[call-overload]
    )


def test_the_same_sources_give_the_same_module(tmp_path: Path) -> None:
    source = tmp_path / "callee.py"
    source.write_text("a = 1")
    first = load_entry("test_same", ENTRY.format(2), [source])
    assert first.twice(3.0) == 6.0
    assert load_entry("test_same", ENTRY.format(2), [source]) is first


def test_threads_that_load_together_all_get_the_whole_module() -> None:
    entry = Entry.write("test_threads", "import time\n\ntime.sleep(0.3)\nrun = 5\n", [])
    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(lambda _: entry.load().run, range(3))) == [5, 5, 5]


def test_an_edit_of_any_source_gives_a_new_module(tmp_path: Path) -> None:
    source = tmp_path / "callee.py"
    source.write_text("a = 1")
    first = load_entry("test_edit", ENTRY.format(2), [source])
    source.write_text("a = 2")
    assert load_entry("test_edit", ENTRY.format(2), [source]) is not first
    assert load_entry("test_edit", ENTRY.format(3), [source]).twice(1.0) == 3.0


def test_another_compiler_gives_a_new_module(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {Entry.write("test_key", ENTRY, []).path}
    for package in (numba, np, compiled.llvmlite):
        with monkeypatch.context() as changed:
            changed.setattr(package, "__version__", "0.0")
            seen.add(Entry.write("test_key", ENTRY, []).path)
    with monkeypatch.context() as changed:
        changed.setattr(compiled.llvm, "get_host_cpu_name", lambda: "z80")
        seen.add(Entry.write("test_key", ENTRY, []).path)
    monkeypatch.setenv("NUMBA_BOUNDSCHECK", "1")
    seen.add(Entry.write("test_key", ENTRY, []).path)
    assert len(seen) == 6


def test_code_for_a_named_processor_serves_every_computer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CPU_NAME", "generic")
    monkeypatch.setenv("NUMBA_CPU_FEATURES", "")
    here = Entry.write("test_named", ENTRY, []).path
    monkeypatch.setattr(compiled.llvm, "get_host_cpu_name", lambda: "z80")
    monkeypatch.setattr(compiled.llvm, "get_host_cpu_features", lambda: compiled.llvm.FeatureMap())
    assert Entry.write("test_named", ENTRY, []).path == here


def test_machine_code_is_kept_also_in_a_copied_cache() -> None:
    entry = Entry.write("test_kept", ENTRY.format(2), [])
    assert not entry.ready
    entry.load()
    forget_loaded("test_kept")
    os.utime(entry.path)  # as a copy does
    again = Entry.write("test_kept", ENTRY.format(2), [])
    assert again.ready
    assert sum(again.load().twice.stats.cache_hits.values()) == 1


def told_by_the_progress_line(monkeypatch: pytest.MonkeyPatch, entry: Entry) -> float | None:
    told: list[float | None] = []

    class Told(compiled.CompileProgress):
        def __init__(self, name: str, expected_s: float, last_time_s: float | None) -> None:
            told.append(last_time_s)
            super().__init__(name, expected_s, last_time_s)

    with monkeypatch.context() as changed:
        changed.setattr(compiled, "CompileProgress", Told)
        entry.load()
    return told[0]


def test_the_time_that_it_took_last_is_told_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told_by_the_progress_line(monkeypatch, Entry.write("test_took", ENTRY.format(2), [])) is None
    (took,) = cache_folder().glob("kilohertz_test_took.seconds")
    assert 0.0 <= float(took.read_text()) < 600.0
    took.write_text("12.5\n")
    assert told_by_the_progress_line(monkeypatch, Entry.write("test_took", ENTRY.format(3), [])) == 12.5
    took.write_text("nonsense")
    assert told_by_the_progress_line(monkeypatch, Entry.write("test_took", ENTRY.format(4), [])) is None


def test_loading_what_another_process_has_compiled_is_not_taken_for_compiling() -> None:
    entry = Entry.write("test_not_taken", ENTRY.format(2), [])
    entry.load()
    took = entry.path.with_name("kilohertz_test_not_taken.seconds")
    took.write_text("12.5\n")
    forget_loaded("test_not_taken")
    entry.load()
    assert took.read_text() == "12.5\n"


def test_damaged_machine_code_is_compiled_anew() -> None:
    entry = Entry.write("test_damaged", ENTRY.format(2), [])
    entry.load()
    for file in (entry.path.parent / "__pycache__").glob(f"{entry.path.stem}.*.nb?"):
        file.write_bytes(file.read_bytes()[:20])
    forget_loaded("test_damaged")
    assert entry.load().twice(2.0) == 4.0
    forget_loaded("test_damaged")
    assert sum(entry.load().twice.stats.cache_hits.values()) == 1


@pytest.mark.host
def test_programs_that_start_together_compile_once() -> None:
    code = (
        "from kilohertz.robots.compile.cached_entry import load_entry\n"
        f"twice = load_entry('test_together', {ENTRY.format(2)!r}, []).twice\n"
        "print(twice(2.0), sum(twice.stats.cache_misses.values()))"
    )
    both = [in_another_process(code) for _ in range(2)]
    said = sorted(process.communicate()[0].split() for process in both)
    assert said == [["4.0", "0"], ["4.0", "1"]]


@pytest.mark.host
def test_a_program_that_dies_compiling_leaves_the_rest_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        "import os\nif 'DIE_HERE' in os.environ:\n    print('in', flush=True)\n    input()\n"
        + ENTRY.format(2)
    )
    code = (
        f"from kilohertz.robots.compile.cached_entry import load_entry\nload_entry('test_dies', {text!r}, [])"
    )
    first = in_another_process(code, stdin=subprocess.PIPE, env={**os.environ, "DIE_HERE": "1"})
    assert first.stdout is not None
    assert first.stdout.readline() == "in\n"
    entry = Entry.write("test_dies", text, [])
    with entry.path.open("rb") as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    first.kill()
    first.communicate()
    assert not entry.ready
    assert entry.load().twice(2.0) == 4.0


def test_a_full_disk_is_told_before_anything_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = Entry.write("test_full", ENTRY.format(2), [])

    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as changed:
        changed.setattr(compiled.tempfile, "TemporaryFile", full)
        changed.setattr(Entry, "_run", lambda _: pytest.fail("it was compiled"))
        with pytest.raises(ConfigError, match=r"no space left on device.*KILOHERTZ_CACHE"):
            entry.load()
    assert entry.load().twice(2.0) == 4.0


def test_the_cache_is_where_the_user_wants_it(tmp_path: Path) -> None:
    assert cache_folder() == tmp_path / "cache"


def test_a_cache_that_cannot_be_written_costs_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("KILOHERTZ_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    assert cache_folder() == cache_folder() == tmp_path / "other" / "kilohertz"
    sentences = capsys.readouterr().err.splitlines()
    assert len(sentences) == 1
    assert f"{tmp_path}/file/cache cannot be written" in sentences[0]

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert load_entry("test_nowhere", ENTRY.format(2), []).twice(2.0) == 4.0
    load_entry("test_nowhere", ENTRY.format(3), [])
    # On a busy computer the progress of the compilation is shown too.
    lines = capsys.readouterr().err.splitlines()
    sentences = [line for line in lines if ": compiling " not in line]
    assert len(sentences) == 1
    assert "set KILOHERTZ_CACHE" in sentences[0]


@pytest.mark.parametrize("ending", [".py", ".nbi", ".nbc", ".done"])
def test_any_flipped_bit_costs_a_compilation_and_nothing_else(ending: str) -> None:
    name = f"test_flip{ending[1:]}"
    entry = Entry.write(name, ENTRY.format(2), [])
    entry.load()
    (file,) = (
        path
        for path in [entry.path.with_suffix(ending), *(entry.path.parent / "__pycache__").iterdir()]
        if path.name.endswith(ending) and path.exists()
    )
    good = file.read_bytes()
    for at in range(0, len(good), max(1, len(good) // 12)):
        bad = bytearray(good)
        bad[at] ^= 1 << (at % 8)
        file.write_bytes(bad)
        forget_loaded(name)
        assert not entry.ready
        again = Entry.write(name, ENTRY.format(2), [])
        assert again.load().twice(2.0) == 4.0
        assert again.ready
        good = file.read_bytes()


def test_planted_code_is_not_run(tmp_path: Path) -> None:
    entry = Entry.write("test_planted", ENTRY.format(2), [])
    entry.load()
    forget_loaded("test_planted")
    # In place of the source, and as Python's own compiled file, which is loaded without a look at the source.
    planted = f"import pathlib\npathlib.Path({str(tmp_path / 'ran')!r}).touch()\n"
    entry.path.write_text(planted)
    os.utime(entry.path, (compiled.WRITTEN_S, compiled.WRITTEN_S))
    py_compile.compile(str(entry.path), doraise=True)
    assert Entry.write("test_planted", ENTRY.format(2), []).load().twice(2.0) == 4.0
    # Machine code without a seal.
    forget_loaded("test_planted")
    (file,) = (entry.path.parent / "__pycache__").glob(f"{entry.path.stem}.*.nbi")

    class Plant:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "ran"),)

    file.write_bytes(pickle.dumps(Plant()))
    assert entry.load().twice(2.0) == 4.0
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o772])
def test_a_cache_that_others_can_write_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], mode: int
) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    cache.chmod(mode)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    assert cache_folder() == tmp_path / "other" / "kilohertz"
    assert f"{cache} can be written by every user, and code" in capsys.readouterr().err
    assert (tmp_path / "other" / "kilohertz").stat().st_mode & 0o077 == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_cache_of_another_user_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cache" / "__pycache__").mkdir(parents=True)
    os.chown(tmp_path / "cache" / "__pycache__", 1234, 1234)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    assert cache_folder() == tmp_path / "other" / "kilohertz"
    assert "__pycache__ belongs to user 1234" in capsys.readouterr().err


def test_machine_code_stays_in_the_checked_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "elsewhere"))
    entry = Entry.write("test_stays", ENTRY.format(2), [])
    entry.load()
    assert not (tmp_path / "elsewhere").exists()
    assert str(tmp_path / "elsewhere") == numba.config.CACHE_DIR
    assert len(list((entry.path.parent / "__pycache__").glob(f"{entry.path.stem}.*.nb?"))) == 2
