"""Refuses to command hardware from a host on which a check of `khz doctor` fails."""

from __future__ import annotations

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.doctor.report import examine

MOST_NAMED = 3


def unfit_because() -> str | None:
    """Returns the failed checks in words, or None if there are none.

    Only settings and granted rights are checked: measuring the wake-up latency would take seconds.
    """
    failures = examine(measure_s=0.0).failures
    if not failures:
        return None
    named = [f"{check.name} ({check.figure})" for check in failures[:MOST_NAMED]]
    more = len(failures) - len(named)
    return ", ".join([*named, f"and {more} more"] if more else named)


def require_fit_host(allow_unfit: bool) -> str | None:
    """Refuses to command hardware from an unfit host, unless the user allows it.

    Args:
        allow_unfit: whether an unfit host only gives a warning.

    Returns:
        A warning if the host is unfit and allowed; None if it is fit.

    Raises:
        ConfigError: the host is unfit and not allowed.
    """
    reason = unfit_because()
    if reason is None:
        return None
    if allow_unfit:
        return f"this host is not fit for real time, but --allow-no-rt is given: {reason}"
    raise ConfigError(
        f"this host is not fit to command hardware: {reason}; `khz doctor --fix-hints` says what to change; "
        "--allow-no-rt ignores these failures"
    )
