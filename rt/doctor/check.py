"""The words of the doctor: a check, its status, and the files of a host as it reads them."""

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
    """What a check found; `unknown` is where the host does not say, and is never taken for good."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Check:
    """One thing looked at.

    Attributes:
        group: key of `GROUPS`.
        name: what was looked at.
        status: what was found.
        figure: the value behind it.
        remedy: exactly what to change; empty where nothing needs to.
        fix: the same for a script, as far as a script can do it.
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
    """A check that is ok, unknown (None), or bad: a warning, or a failure where it is fatal."""
    if good:
        return Check(group, name, Status.OK, figure)
    if good is None:
        return Check(group, name, Status.UNKNOWN, figure, remedy)
    return Check(group, name, Status.FAIL if fatal else Status.WARN, figure, remedy, fix)


class HostFiles:
    """The files through which a kernel tells about itself.

    Args:
        root: where the host's tree starts; another one in tests.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root

    def path(self, path: str) -> Path:
        """A path of the host in this tree."""
        return self.root / path.lstrip("/")

    def text(self, path: str) -> str | None:
        """What the file says, stripped; None where it is absent or may not be read."""
        try:
            return self.path(path).read_text(errors="replace").strip()
        except OSError:
            return None

    def number(self, path: str) -> int | None:
        """The whole number in a file; None where there is none."""
        try:
            return int(self.text(path) or "")
        except ValueError:
            return None

    def names(self, path: str) -> list[str]:
        """The names in a folder, numbers in their order; empty where there is none."""
        try:
            names = [entry.name for entry in self.path(path).iterdir()]
        except OSError:
            return []
        return sorted(names, key=lambda name: (int(name) if name.isdigit() else -1, name))

    def cores(self, path: str) -> set[int] | None:
        """The cores of a list such as `0,2-3`; None where there is no file."""
        text = self.text(path)
        return None if text is None else parse_cpu_list(text)

    def mask(self, path: str) -> set[int] | None:
        """The cores of a hexadecimal mask such as `ff,00000003`; None where there is none."""
        try:
            bits = int((self.text(path) or "").replace(",", ""), 16)
        except ValueError:
            return None
        return {core for core in range(bits.bit_length()) if bits >> core & 1}

    def command_line(self) -> dict[str, str]:
        """The kernel's boot parameters by name."""
        words = (self.text("/proc/cmdline") or "").split()
        return {name: value for name, _, value in (word.partition("=") for word in words)}


def cpu_list(cores: set[int]) -> str:
    """Cores as the kernel writes them: `0,2-3`."""
    parts: list[str] = []
    ordered = sorted(cores)
    for core in ordered:
        if core - 1 in cores:
            continue
        last = next(end for end in range(core, ordered[-1] + 1) if end + 1 not in cores)
        parts.append(str(core) if last == core else f"{core}-{last}")
    return ",".join(parts)


def cpu_mask(cores: set[int]) -> str:
    """Cores as a hexadecimal mask in groups of 32 bits, as the kernel takes it."""
    digits = f"{sum(1 << core for core in cores):x}"
    groups = [digits[max(0, end - 8) : end] for end in range(len(digits), 0, -8)]
    return ",".join(reversed(groups))


def online_cores(files: HostFiles) -> set[int]:
    """All cores in use."""
    return files.cores("/sys/devices/system/cpu/online") or {0}


def other_cores(files: HostFiles, core: int) -> set[int]:
    """Where everything else should go: all cores in use but this one; core 0 where there is no other."""
    return (online_cores(files) - {core}) or {0}
