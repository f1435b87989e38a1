"""Runs each fuzzer of a reader for 2 s, or as long as KILOHERTZ_FUZZ_S says [s]."""

from __future__ import annotations

import os
import random
from pathlib import Path

import fuzz
import fuzz_parsers
import pytest

from kilohertz.robots.config.config_error import ConfigError

pytestmark = pytest.mark.host

SECONDS = float(os.environ.get("KILOHERTZ_FUZZ_S", "2"))
# Answers that it is ready, and then does with each path what its name says.
STAND_IN = """
import json, os, sys, time
print("ready", flush=True)
for line in sys.stdin:
    what = line.strip()
    if what == "crash": os.kill(os.getpid(), 11)
    if what == "spin":
        while True: pass
    if what == "sleep": time.sleep(3600)
    print(json.dumps({"kind": what, "text": ""}), flush=True)
"""


@pytest.mark.parametrize("parser", fuzz_parsers.PARSERS)
def test_no_file_crashes_or_hangs_a_reader_or_is_wrongly_accepted(parser: str) -> None:
    found = fuzz.fuzz(parser, SECONDS)
    assert found.faults == []
    assert found.runs > 5
    assert found.shapes > 1


@pytest.mark.parametrize("parser", fuzz_parsers.PARSERS)
def test_what_a_fuzzer_starts_from_is_accepted(parser: str, tmp_path: Path) -> None:
    seeds = fuzz_parsers.seeds(parser)
    accepted = 0
    for content in seeds:
        (tmp_path / "input").write_bytes(content)
        try:
            fuzz_parsers.PARSERS[parser](tmp_path / "input")
            accepted += 1
        except ConfigError:
            # A scenario or robot.yaml of another robot.
            assert parser in ("scenario", "robot")
    assert accepted > 0


@pytest.mark.parametrize(
    ("what", "kind"), [("crash", "crashed"), ("spin", "hung"), ("sleep", "hung"), ("wrong", "wrong")]
)
def test_crashes_and_hangs_are_noticed(
    what: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fuzz, "LONGEST_CPU_S", 0.5)
    monkeypatch.setattr(fuzz, "LONGEST_WALL_S", 3.0)
    worker = fuzz.Worker(["-c", STAND_IN], tmp_path)
    assert worker.read(Path("refused"))["kind"] == "refused"
    assert worker.read(Path(what))["kind"] == kind
    worker.close()


def test_nothing_wrong_passes_for_right() -> None:
    for value in (float("nan"), [1.0, float("inf")], {"a": {"b": float("-inf")}}):
        with pytest.raises(fuzz_parsers.WrongError):
            fuzz_parsers._require_finite(value)
    with pytest.raises(fuzz_parsers.WrongError, match=r"\.a\.x is not known"):
        fuzz_parsers._require_known({"a": {"x": 1}}, {"a": {"y": 1}})


def test_a_seed_gives_the_same_inputs() -> None:
    corpus = [b"a: 1\nb: [2, 3]\n", b"c: x\n"]

    def inputs(seed: int) -> list[bytes]:
        rng = random.Random(seed)
        return [fuzz.mutate(corpus[0], corpus, "gains", rng) for _ in range(200)]

    assert inputs(1) == inputs(1) != inputs(2)
    assert len(set(inputs(1))) > 100
