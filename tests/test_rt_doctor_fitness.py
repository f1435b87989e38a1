"""An unfit host commands no hardware, unless the user allows it."""

from __future__ import annotations

import pytest

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.doctor import fitness
from kilohertz.rt.doctor.check import Check, Status
from kilohertz.rt.doctor.fitness import require_fit_host
from kilohertz.rt.doctor.report import Report


def look(monkeypatch: pytest.MonkeyPatch, *found: Status) -> None:
    checks = tuple(Check(1, f"check {at}", status, f"figure {at}") for at, status in enumerate(found))
    monkeypatch.setattr(fitness, "examine", lambda measure_s: Report(1, 80, checks))


@pytest.mark.parametrize("allowed", [False, True])
def test_a_fit_host_needs_no_permission(monkeypatch: pytest.MonkeyPatch, allowed: bool) -> None:
    look(monkeypatch, Status.OK, Status.WARN, Status.UNKNOWN)
    assert require_fit_host(allowed) is None


def test_an_unfit_host_is_refused_in_one_sentence_that_names_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    look(monkeypatch, Status.OK, Status.FAIL)
    with pytest.raises(ConfigError) as refusal:
        require_fit_host(False)
    sentence = str(refusal.value)
    assert len(sentence.splitlines()) == 1
    for part in ("check 1 (figure 1)", "khz doctor --fix-hints", "--allow-no-rt"):
        assert part in sentence
    assert "check 0" not in sentence


def test_with_permission_it_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    look(monkeypatch, *[Status.FAIL] * 5)
    warning = require_fit_host(True)
    assert warning is not None
    assert "check 2 (figure 2), and 2 more" in warning
