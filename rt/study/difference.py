"""Compares two studies run by run: is the second one better?"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.study.statistics import SIGNIFICANT, mcnemar, wilson
from kilohertz.rt.study.table import RUNS, Rows

WORSE, NO_DIFFERENCE, BETTER = "worse", "no significant difference", "better"
_VARIED = "vary."


def difference(first: Path, second: Path) -> dict[str, Any]:
    """Compares the outcomes of two studies in the runs that they have in common.

    Runs are the same if they have the same number and the same values of all parameters that both studies
    vary. A run without an outcome is no success.

    Args:
        first: folder of a study.
        second: folder of the other study.

    Returns:
        Plain data: the runs in common, the success rates of both, in how many runs only one of them was a
        success, the exact p-value of McNemar's test, and the verdict on the second study.

    Raises:
        ConfigError: a folder holds no study, or the studies have no run in common.
    """
    a, b = ({row["index"]: row for row in Rows(folder / RUNS).rows} for folder in (first, second))
    both = [index for index in a if index in b and _same(a[index], b[index])]
    if not both:
        raise ConfigError(
            f"{first} and {second} have no run in common: run them with the same sampler_seed and `vary`"
        )
    won = [(a[index].get("outcome") is True, b[index].get("outcome") is True) for index in both]
    only_first = sum(x and not y for x, y in won)
    only_second = sum(y and not x for x, y in won)
    p = mcnemar(only_first, only_second)
    verdict = NO_DIFFERENCE
    if p < SIGNIFICANT:
        verdict = BETTER if only_second > only_first else WORSE
    return {
        "first": str(first),
        "second": str(second),
        "runs": len(both),
        "not_in_common": len(a) + len(b) - 2 * len(both),
        "success_rate": [asdict(wilson(sum(side), len(both))) for side in zip(*won, strict=True)],
        "only_first": only_first,
        "only_second": only_second,
        "p": p,
        "verdict": verdict,
    }


def _same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """Returns whether two rows have the same values of the parameters that both have."""
    names = [name for name in a if name.startswith(_VARIED) and name in b]
    return bool(names) and all(a[name] == b[name] for name in names)
