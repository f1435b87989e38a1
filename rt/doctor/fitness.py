"""Whether this host may command hardware: only one that the doctor finds nothing fatal on."""

from __future__ import annotations

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.doctor.report import examine

MOST_NAMED = 3


def unfit_because() -> str | None:
    """What speaks against commanding hardware from here, in words; None where nothing does.

    It takes the word of the host's files and of what it grants: measuring would take seconds.
    """
    failures = examine(measure_s=0.0).failures
    if not failures:
        return None
    named = [f"{check.name} ({check.figure})" for check in failures[:MOST_NAMED]]
    more = len(failures) - len(named)
    return ", ".join([*named, f"and {more} more"] if more else named)


def require_fit_host(allow_unfit: bool) -> str | None:
    """Refuses to command hardware from an unfit host, unless that is allowed.

    Returns:
        A warning where the host is unfit and was allowed all the same; None where it is fit.

    Raises:
        ConfigError: the host is unfit.
    """
    reason = unfit_because()
    if reason is None:
        return None
    if allow_unfit:
        return f"not a real-time host, as --allow-no-rt allows: {reason}"
    raise ConfigError(
        f"this host is not fit to command hardware: {reason}; `khz doctor --fix-hints` says what to change, "
        "--allow-no-rt goes on all the same"
    )
