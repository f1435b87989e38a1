"""Defines a check of the host, its status, and access to the host's files in /proc and /sys."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path

from kilohertz.rt.doctor.fix import NO_FIX, Fix
from kilohertz.rt.host.realtime import parse_cpu_list

GROUPS = {
    1: "kernel",
    2: "rights",
    3: "throttling",
    4: "isolation",
    5: "interrupts",
    6: "kernel workers",
    7: "frequency and idle states",
    8: "siblings and clock",
    9: "memory and housekeeping",
    10: "competing tasks",
    11: "this process",
    12: "virtualisation",
    13: "measured",
}


class Status(enum.StrEnum):
    """Result of a check; `unknown` means that the host does not report it, and never counts as ok."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Check:
    """One check of the host and its result.

    Attributes:
        group: key of `GROUPS`.
        name: the property that was checked.
        status: the result.
        figure: the value that led to the result.
        remedy: what to change; empty where nothing needs to change.
        fix: the remedy as data for a script; `NO_FIX` where a script cannot do it.
    """

    group: int
    name: str
    status: Status
    figure: str
    remedy: str = ""
    fix: Fix = NO_FIX


def judge(
    group: int,
    name: str,
    good: bool | None,
    figure: str,
    remedy: str,
    *,
    fix: Fix = NO_FIX,
    fatal: bool = False,
) -> Check:
    """Makes a check from its result.

    Args:
        group: key of `GROUPS`.
        name: the property that was checked.
        good: True for ok, None for unknown, False for a warning or a failure.
        figure: the value that led to the result.
        remedy: what to change; dropped where the check is ok.
        fix: the remedy as data for a script.
        fatal: whether False is a failure instead of a warning.
    """
    if good:
        return Check(group, name, Status.OK, figure)
    if good is None:
        return Check(group, name, Status.UNKNOWN, figure, remedy)
    return Check(group, name, Status.FAIL if fatal else Status.WARN, figure, remedy, fix)


class HostFiles:
    """Reads the files in which a kernel reports its state and settings.

    Args:
        root: root of the file tree; tests pass another one.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root

    def path(self, path: str) -> Path:
        """Returns the location of an absolute path of the host in this tree."""
        return self.root / path.lstrip("/")

    def text(self, path: str) -> str | None:
        """Returns the stripped content of a file; None if it is absent or may not be read."""
        try:
            return self.path(path).read_text(errors="replace").strip()
        except OSError:
            return None

    def number(self, path: str) -> int | None:
        """Returns the integer in a file; None if there is none."""
        try:
            return int(self.text(path) or "")
        except ValueError:
            return None

    def names(self, path: str) -> list[str]:
        """Returns the names in a folder, with numbers in numerical order; empty if there is no folder."""
        try:
            names = [entry.name for entry in self.path(path).iterdir()]
        except OSError:
            return []
        return sorted(names, key=lambda name: (int(name) if name.isdigit() else -1, name))

    def cores(self, path: str) -> set[int] | None:
        """Returns the cores of a list such as `0,2-3`; None if there is no file."""
        text = self.text(path)
        return None if text is None else parse_cpu_list(text)

    def mask(self, path: str) -> set[int] | None:
        """Returns the cores of a hexadecimal mask such as `ff,00000003`; None if there is none."""
        try:
            bits = int((self.text(path) or "").replace(",", ""), 16)
        except ValueError:
            return None
        return {core for core in range(bits.bit_length()) if bits >> core & 1}

    def command_line(self) -> dict[str, str]:
        """Returns the kernel's boot parameters by name."""
        words = (self.text("/proc/cmdline") or "").split()
        return {name: value for name, _, value in (word.partition("=") for word in words)}


def cpu_list(cores: set[int]) -> str:
    """Returns cores in the kernel's list format, such as `0,2-3`."""
    parts: list[str] = []
    ordered = sorted(cores)
    for core in ordered:
        if core - 1 in cores:
            continue
        last = next(end for end in range(core, ordered[-1] + 1) if end + 1 not in cores)
        parts.append(str(core) if last == core else f"{core}-{last}")
    return ",".join(parts)


def cpu_mask(cores: set[int]) -> str:
    """Returns cores as a hexadecimal mask in groups of 32 bits, the format that the kernel reads."""
    digits = f"{sum(1 << core for core in cores):x}"
    groups = [digits[max(0, end - 8) : end] for end in range(len(digits), 0, -8)]
    return ",".join(reversed(groups))


def online_cores(files: HostFiles) -> set[int]:
    """Returns all cores that are online."""
    return files.cores("/sys/devices/system/cpu/online") or {0}


def other_cores(files: HostFiles, core: int) -> set[int]:
    """Returns all online cores except the loop's, for all other work; core 0 if there is no other."""
    return (online_cores(files) - {core}) or {0}
