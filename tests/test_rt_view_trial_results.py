from __future__ import annotations

import os
from types import SimpleNamespace

import numpy as np
import pytest

from kilohertz.controller.gains.comparison import SIZE
from kilohertz.controller.gains.tuning import GOOD, ON_TRIAL, ROLLED_BACK
from kilohertz.rt.live.gains_mailbox import GainsMailbox
from kilohertz.rt.view.trial_results import TrialResults


def tuning(state, reason="", known=True):
    figures = np.full((2, SIZE), 0.01) if known else np.full((2, SIZE), np.nan)
    return SimpleNamespace(generation=3, in_force=2, state=state, reason=reason, figures=figures)


def test_the_verdict_is_told_with_its_numbers():
    mailbox = GainsMailbox()
    results = TrialResults(mailbox.address)
    assert results.text() == ""
    mailbox.answer(tuning(ON_TRIAL, known=False))
    assert results.text() == "gains 3 on trial …"
    mailbox.answer(tuning(GOOD))
    assert results.text().startswith("gains 3 accepted: tracking 10 -> 10 mm")
    mailbox.answer(tuning(ROLLED_BACK, "the knee oscillates"))
    assert results.text().startswith("gains 3 rolled back to 2: the knee oscillates; tracking")
    # It stays until there is another one.
    assert results.text().startswith("gains 3 rolled back")
    # The watcher, the other reader, still gets it.
    assert mailbox.read_answer(0)[1] is not None
    results.close()


@pytest.mark.parametrize(
    "address", [None, "/etc/passwd", f"/proc/{os.getpid()}/fd/99999"], ids=["none", "file", "closed"]
)
def test_without_a_run_whose_gains_can_change_there_is_no_result(address):
    results = TrialResults(address)
    assert results.text() == ""
    results.close()
