"""Collects the host settings that the checks request, and writes a shell script that makes them permanent.

Each check that is not ok carries a `Fix`. Several checks may request the same setting, and all boot
parameters must go into one line; therefore fixes are data, and the script is put together at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

SYSCTL_FILE = "/etc/sysctl.d/99-realtime.conf"
TMPFILES_FILE = "/etc/tmpfiles.d/99-realtime.conf"
GRUB_FILE = "/etc/default/grub.d/99-realtime.cfg"

# Package names differ by distribution; only these two ship a real-time kernel in their own archive.
INSTALL_REALTIME_KERNEL = (
    ". /etc/os-release",
    'case "$ID" in',
    'debian) apt-get install -y "linux-image-rt-$(dpkg --print-architecture)" ;;',
    "ubuntu) apt-get install -y ubuntu-realtime || pro enable realtime-kernel ;;",
    '*) echo "install a kernel with CONFIG_PREEMPT_RT by hand" >&2 ;;',
    "esac",
)

GRANT_RIGHTS = (
    "groupadd -f realtime",
    'usermod -aG realtime "${SUDO_USER:-$(id -un)}"',
    "printf '%s\\n' '@realtime - rtprio 95' '@realtime - memlock unlimited' "
    "> /etc/security/limits.d/99-realtime.conf",
)
GRANT_DMA_LATENCY = (
    "groupadd -f realtime",
    'usermod -aG realtime "${SUDO_USER:-$(id -un)}"',
    'echo \'KERNEL=="cpu_dma_latency", MODE="0660", GROUP="realtime"\' > /etc/udev/rules.d/99-realtime.rules',
    "udevadm control --reload && udevadm trigger --sysname-match=cpu_dma_latency",
)


@dataclass(frozen=True)
class Fix:
    """Settings and commands that resolve one check.

    Attributes:
        boot: kernel boot parameters, by name; an empty value means a parameter without a value.
        sysctl: settings below /proc/sys, by name.
        files: values to write to files in /sys and /proc, by path; the last path part may hold a wildcard.
        commands: shell lines for everything that is not a setting.
    """

    boot: Mapping[str, str] = field(default_factory=dict)
    sysctl: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    commands: tuple[str, ...] = ()


NO_FIX = Fix()


def script(complaints: Iterable[tuple[str, str, Fix]], host: str) -> str:
    """Returns a shell script that makes all settings; remedies that no command can apply become comments.

    Args:
        complaints: for each check that is not ok: the result, the remedy in words, and the fix.
        host: one line that says for which host the script was written.
    """
    # A figure may contain the name of a foreign process, which must not become a command.
    complaints = [(_one_line(found), _one_line(remedy), fix) for found, remedy, fix in complaints]
    fixes = [fix for _, _, fix in complaints]
    boot: dict[str, str] = {}
    sysctl: dict[str, str] = {}
    files: dict[str, str] = {}
    for fix in fixes:
        boot |= fix.boot
        sysctl |= fix.sysctl
        files |= fix.files
    lines = [
        "#!/bin/sh",
        f"# {_one_line(host)}",
        "# Read this script, run it as root, restart the computer, then run `khz doctor` again.",
        "set -eu",
    ]
    lines += _commands(complaints)
    if sysctl:
        settings = [f"{name} = {value}" for name, value in sysctl.items()]
        lines += ["", *_written(SYSCTL_FILE, settings), f"sysctl --quiet --load={SYSCTL_FILE}"]
    if files:
        settings = [f"w {path} - - - - {value}" for path, value in files.items()]
        lines += ["", "# These values are set at every start, and now.", *_written(TMPFILES_FILE, settings)]
        lines.append(f"systemd-tmpfiles --create {TMPFILES_FILE}")
    if boot:
        words = " ".join(f"{name}={value}" if value else name for name, value in boot.items())
        setting = f'GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT {words}"'
        lines += ["", "mkdir -p /etc/default/grub.d"]
        lines += [*_written(GRUB_FILE, [setting]), "update-grub"]
    by_hand = [(found, remedy) for found, remedy, fix in complaints if fix == NO_FIX]
    if by_hand:
        lines += ["", "# To be done by hand, where it matters:"]
        lines += [f"# {found}: {remedy}" for found, remedy in by_hand]
    return "\n".join([*lines, ""])


def _commands(complaints: Iterable[tuple[str, str, Fix]]) -> Iterator[str]:
    done: set[tuple[str, ...]] = set()
    for found, _, fix in complaints:
        if fix.commands and fix.commands not in done:
            done.add(fix.commands)
            yield from ("", f"# {found}", *fix.commands)


def _one_line(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _written(path: str, lines: Iterable[str]) -> list[str]:
    """Returns shell lines that write a file; the shell expands nothing in its content."""
    return [f"cat > {path} <<'END'", *lines, "END"]
