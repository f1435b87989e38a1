"""The report of a study is one page that tells its reader what was done and found."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from study_files import POLAR, PUSH, pushes, write_results

from kilohertz.rt.show.study_report import study_html
from kilohertz.rt.study.findings import failures, findings_of

pytest.importorskip("pyarrow")


def test_it_holds_question_answers_pictures_failures_and_provenance(tmp_path: Path) -> None:
    values = [{**value, "ground.friction": (0.3, 0.8)[i % 2]} for i, value in enumerate(pushes(60))]
    success = [value[f"{PUSH}.magnitude"] < 20.0 for value in values]
    vary = {PUSH: POLAR, "ground.friction": [0.3, 0.8]}
    found = findings_of(write_results(tmp_path, vary, values, success, planned=100))
    failed = [{**each, "cause": "a push from outside"} for each in failures(found)]
    text = study_html(found, failed)
    assert f"{sum(success)} of 60 runs were a success" in text
    assert "60 of 100 runs are done" in text
    assert "all directions together: success falls through 50 % at" in text
    for words in ("What was varied", "push impulse [Ns]", "fell: out of reach", "a push from outside"):
        assert words in text
    for words in ("Provenance", "1.2.3", "numpy 2.0.0", "00ff", "lab (Linux 6)", "tick"):
        assert words in text
    # Directions, a map, the axes, and ticks.
    assert text.count("data:image/png;base64,") == 4
    assert not re.search(r"(src|href)='(?!data:)", text)
    assert "http" not in text


def test_a_study_in_which_only_the_seed_varies_has_its_rate(tmp_path: Path) -> None:
    vary = {"seed": {"range": [0, 9]}}
    found = findings_of(write_results(tmp_path, vary, [{"seed": i} for i in range(5)], [True] * 5))
    text = study_html(found, [])
    assert "5 of 5 runs were a success: 100.0 % (95 % interval 56.6 to 100.0 %)" in text
    assert "<p>None.</p>" in text
    # Of the ticks alone.
    assert text.count("data:image/png;base64,") == 1


def test_runs_without_a_result_are_told_apart_from_falls(tmp_path: Path) -> None:
    values = pushes(20)
    found = findings_of(write_results(tmp_path, {PUSH: POLAR}, values, [True] * 20, hung=4))
    text = study_html(found, list(failures(found)))
    assert "16 of 20 runs were a success: 80.0 %" in text
    assert "4 runs ended without a result (4 hung)" in text
    assert "of the 16 runs with a result, 100.0 %" in text


def test_names_cannot_break_the_page(tmp_path: Path) -> None:
    vary = {"plant": ["<b>bold</b>", "exact"]}
    found = findings_of(write_results(tmp_path, vary, [{"plant": "<b>bold</b>"}], [False]))
    assert "<b>bold" not in study_html(found, list(failures(found)))
