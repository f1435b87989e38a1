"""Chooses the gains that a search tries next, from the costs of those that it has tried (optuna, TPE).

The choice depends only on the study and on the costs so far. So a search that is interrupted chooses the same
gains again when it goes on, whoever does its runs.
"""

from __future__ import annotations

import hashlib
import warnings
from typing import TYPE_CHECKING, Any

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.study.tuning import Knob

if TYPE_CHECKING:
    import optuna


def require_optuna() -> Any:
    """Returns the module optuna.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise ConfigError(f"`khz tune` needs optuna ({error}): pip install 'kilohertz[study]'") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


class Candidates:
    """Gains to try, one set after the other.

    Args:
        knobs: the gains with their ranges.
        sampler_seed: random seed of the study.

    Attributes:
        search: name and version of what chooses.

    Raises:
        ConfigError: optuna is not installed.
    """

    def __init__(self, knobs: tuple[Knob, ...], sampler_seed: int) -> None:
        self._optuna = require_optuna()
        self.search = f"optuna {self._optuna.__version__} TPE"
        self._knobs = knobs
        self._seed = sampler_seed
        self._study: optuna.Study = self._optuna.create_study(sampler=self._sampler(0))
        self._trials: dict[int, Any] = {}
        self._distributions = {
            knob.key: self._optuna.distributions.FloatDistribution(knob.low, knob.high, log=knob.log)
            for knob in knobs
        }

    def _sampler(self, number: int) -> Any:
        # A sampler of its own for each choice: its random numbers do not depend on how often it was resumed.
        digest = hashlib.sha256(f"{self._seed} {number}".encode()).digest()
        return self._optuna.samplers.TPESampler(seed=int.from_bytes(digest[:4], "little"))

    def start(self, cost: float) -> None:
        """Tells the cost of the gains at the start, if they lie within the ranges."""
        if all(knob.start_inside for knob in self._knobs):
            params = {knob.key: knob.start for knob in self._knobs}
            trial = self._optuna.trial.create_trial(
                params=params, distributions=self._distributions, value=cost
            )
            self._study.add_trial(trial)

    def ask(self, number: int) -> dict[str, float]:
        """Returns the gains of the candidate with a number; others may still be in work."""
        self._study.sampler = self._sampler(number)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trial = self._study.ask(self._distributions)
        self._trials[number] = trial
        return {knob.key: knob.rounded(trial.params[knob.key]) for knob in self._knobs}

    def tell(self, number: int, cost: float) -> None:
        """Tells the cost of a candidate, or an estimate of it."""
        self._study.tell(self._trials.pop(number), cost)
