"""The choice of gains: it finds a minimum, and depends on the costs alone."""

from __future__ import annotations

import math
import sys

import pytest

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.study.tuning import Knob

pytest.importorskip("optuna")
from kilohertz.rt.study.candidates import Candidates, require_optuna

KNOBS = (Knob("com.weight", 0.1, 1000.0, 0.5), Knob("base.ki_per_s3", 0.0, 2000.0, None))


def cost(gains: dict[str, float]) -> float:
    return abs(math.log10(gains["com.weight"] / 50.0)) + abs(gains["base.ki_per_s3"] - 500.0) / 1000.0


def search(count: int, seed: int = 0) -> list[dict[str, float]]:
    candidates = Candidates(KNOBS, seed)
    candidates.start(3.0)
    tried = []
    for number in range(1, count + 1):
        tried.append(candidates.ask(number))
        candidates.tell(number, cost(tried[-1]))
    return tried


def test_a_search_comes_near_the_minimum_and_stays_within_the_ranges() -> None:
    tried = search(60)
    assert min(map(cost, tried)) < 0.3
    for gains in tried:
        for knob in KNOBS:
            assert knob.low <= gains[knob.key] <= knob.high
            assert gains[knob.key] == knob.rounded(gains[knob.key])


def test_the_same_costs_give_the_same_choice_and_another_seed_another_one() -> None:
    assert search(15) == search(15)
    assert search(15, seed=1) != search(15)


def test_without_optuna_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigError, match=r"needs optuna.*pip install 'kilohertz\[study\]'"):
        require_optuna()
