"""Boots a virtual machine with a PREEMPT_RT kernel on this computer's file system, for tests.

QEMU emulates the processor, so that no rights and no hardware support are needed. The guest mounts the host's
root read-only, with a memory file system above it for writing: all programs and virtual environments of the
host are available, and nothing has to be installed. The initial RAM disk contains busybox and the kernel
modules for these mounts.
"""

from __future__ import annotations

import contextlib
import dataclasses
import lzma
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

KERNEL_VARIABLE = "KILOHERTZ_RT_KERNEL"
MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay")
CORES = 2
MEMORY_MB = 2048
# The emulated timer is slow to read and drifts against the time-stamp counter, which the emulator keeps well.
COMMAND_LINE = "console=ttyS0 panic=-1 quiet tsc=reliable clocksource=tsc"

INIT = r"""#!/busybox sh
/busybox mkdir -p /bin /proc /sys /dev /host /written /new
/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in /modules/*; do insmod $module; done
mount -t 9p -o ro,cache=loose,trans=virtio,version=9p2000.L,msize=524288 host /host || poweroff -f
mount -t tmpfs -o size=75% tmpfs /written
mkdir /written/upper /written/work
mount -t overlay -o lowerdir=/host,upperdir=/written/upper,workdir=/written/work overlay /new
cd /new
mkdir -p proc sys dev run tmp mnt
mount --move /proc proc
mount --move /sys sys
mount --move /dev dev
mkdir -p dev/shm dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t tmpfs tmpfs run
mount -t debugfs debugfs sys/kernel/debug
mount -t tracefs tracefs sys/kernel/tracing
mount -t 9p -o cache=none,trans=virtio,version=9p2000.L,msize=524288 results mnt
ip link set lo up
chroot . /bin/sh /mnt/command >mnt/stdout 2>mnt/stderr
echo $? >mnt/status
sync
poweroff -f
"""


class NotHereError(Exception):
    """Something needed for the virtual machine is missing; the message is one sentence."""


@dataclasses.dataclass(frozen=True)
class Kernel:
    """A bootable kernel and its modules."""

    image: Path
    modules: Path


@dataclasses.dataclass(frozen=True)
class Ended:
    """Result of a command in the machine; the files that it wrote are in `results`."""

    status: int
    stdout: str
    stderr: str
    results: Path


def find_kernel(folder: Path) -> Kernel:
    """Finds a PREEMPT_RT kernel: the package named in the environment (unpacked here), else an installed one.

    Raises:
        NotHereError: there is no such kernel.
    """
    named = os.environ.get(KERNEL_VARIABLE)
    if named:
        root = folder / "kernel"
        subprocess.run(["dpkg-deb", "-x", named, root], check=True)
    else:
        root = Path("/")
    images = sorted(root.glob("boot/vmlinuz-*-rt-*"))
    for image in reversed(images):
        modules = root / "lib/modules" / image.name.removeprefix("vmlinuz-")
        if not modules.is_dir():
            modules = root / "usr/lib/modules" / modules.name
        if modules.is_dir():
            return Kernel(image, modules)
    raise NotHereError(
        "no PREEMPT_RT kernel: apt-get download linux-image-VERSION-rt-amd64, "
        f"and give its path in {KERNEL_VARIABLE}"
    )


def find_programs() -> tuple[str, str]:
    """Returns the paths of QEMU and of a statically linked busybox.

    Raises:
        NotHereError: one of them is missing.
    """
    emulator = shutil.which("qemu-system-x86_64")
    if emulator is None:
        raise NotHereError("no QEMU: apt-get install qemu-system-x86")
    busybox = shutil.which("busybox")
    if busybox is None or b"ld-linux" in Path(busybox).read_bytes()[:4096]:
        raise NotHereError("no static busybox: apt-get install busybox-static")
    return emulator, busybox


def _module(modules: Path, name: str) -> tuple[str, bytes]:
    """Returns file name and content of a kernel module; the content of a built-in module is empty."""
    pattern = re.sub("[-_]", "[-_]", name)
    for path in modules.rglob(f"{pattern}.ko*"):
        data = path.read_bytes()
        return f"{name}.ko", lzma.decompress(data) if path.suffix == ".xz" else data
    return f"{name}.ko", b""


def _in_order(modules: Path, name: str, seen: set[str]) -> Iterator[tuple[str, bytes]]:
    """Yields the modules that a module depends on, then the module itself."""
    if name in seen:
        return
    seen.add(name)
    file, data = _module(modules, name)
    depends = re.search(rb"\x00depends=([^\x00]*)\x00", data)
    for needed in depends[1].decode().split(",") if depends else []:
        if needed:
            yield from _in_order(modules, needed, seen)
    if data:
        yield file, data


def _archive(files: list[tuple[str, int, bytes]]) -> bytes:
    """Packs files of (name, mode, content) as an initial RAM disk: cpio, new ASCII format."""
    parts = []
    for number, (name, mode, content) in enumerate([*files, ("TRAILER!!!", 0, b"")], 1):
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
        header = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
        parts += [header, b"\0" * (-len(header) % 4), content, b"\0" * (-len(content) % 4)]
    return b"".join(parts)


def _hurry() -> None:
    """Raises the priority of the emulator, which would miss deadlines if it had to wait for a core."""
    # With autogroup scheduling only the priority of the session's group counts, not that of the process.
    os.setsid()
    with contextlib.suppress(OSError):
        os.nice(-19)
        Path("/proc/self/autogroup").write_text("-19")


class RealtimeMachine:
    """Runs commands in a virtual machine that is booted for each command.

    Args:
        folder: folder for temporary files and results.

    Raises:
        NotHereError: QEMU, busybox or a kernel is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._emulator, busybox = find_programs()
        self._kernel = find_kernel(folder)
        seen: set[str] = set()
        modules = [module for name in MODULES for module in _in_order(self._kernel.modules, name, seen)]
        files = [
            ("init", 0o100755, INIT.encode()),
            ("busybox", 0o100755, Path(busybox).read_bytes()),
            ("modules", 0o040755, b""),
            *((f"modules/{at:02}-{name}", 0o100644, data) for at, (name, data) in enumerate(modules)),
        ]
        self._memory_disk = folder / "initrd"
        self._memory_disk.write_bytes(_archive(files))

    def run(self, name: str, command: str, *, boot: str = "", timeout_s: float = 480.0) -> Ended:
        """Boots the machine and runs a shell script in it; there, /mnt is the folder `results`.

        Args:
            name: name of the run and of its results folder.
            command: the script.
            boot: additional kernel parameters.
            timeout_s: time limit for boot and script together [s].
        """
        results = self._folder / name
        results.mkdir()
        (results / "command").write_text(command)
        console = self._folder / f"{name}.console"
        arguments = [
            *("-M", "q35", "-accel", "tcg,thread=multi", "-cpu", "max"),
            *("-smp", str(CORES), "-m", str(MEMORY_MB)),
            *("-nodefaults", "-no-reboot", "-display", "none", "-serial", f"file:{console}"),
            *("-kernel", self._kernel.image, "-initrd", self._memory_disk),
            *("-append", f"{COMMAND_LINE} {boot}"),
        ]
        for tag, path, options in (
            ("host", "/", "readonly=on,multidevs=remap"),
            ("results", results, "multidevs=remap"),
        ):
            arguments += ["-fsdev", f"local,id={tag},path={path},security_model=none,{options}"]
            arguments += ["-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]
        try:
            emulated = subprocess.run(
                [self._emulator, *arguments],
                timeout=timeout_s,
                capture_output=True,
                text=True,
                check=False,
                preexec_fn=_hurry,
            )
            errors = emulated.stderr
        except subprocess.TimeoutExpired:
            errors = f"not done after {timeout_s:g} s"
        read = {
            part: (results / part).read_text() if (results / part).exists() else ""
            for part in ("stdout", "stderr", "status")
        }
        if not read["status"]:
            tail = (
                "\n".join(console.read_text(errors="replace").splitlines()[-5:]) if console.exists() else ""
            )
            raise AssertionError(f"the machine ended without a status: {errors}\n{tail}\n{read['stderr']}")
        return Ended(int(read["status"]), read["stdout"], read["stderr"], results)
