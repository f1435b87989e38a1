"""Fuzzes the readers of files and of the network: no input may crash or hang them, or be wrongly accepted.

    python tests/fuzz.py PARSER [SECONDS] [SEED] [INPUTS]

PARSER is gains, scenario, columns, robot, urdf, mjcf, log, csv, wire, commands, or all of them, each for
SECONDS (60).
Inputs are mutations of valid files; those that bring a refusal that was not seen before are mutated further.
Each is read by another process with limits of memory and time, which is started anew if it dies. The inputs
found are written to the folder fuzz-found, and make the exit status 1.
"""

from __future__ import annotations

import json
import os
import random
import re
import resource
import select
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1])]

LONGEST_CPU_S = 5.0
LONGEST_WALL_S = 60.0
START_S = 300.0
MOST_MEMORY_BYTES = 4 << 30
LONGEST_REFUSAL = 20_000
MOST_KEPT = 500
MOST_FOUND = 20
MOST_BYTES = 2_000_000
NAMES = ("gains", "scenario", "columns", "robot", "urdf", "mjcf", "log", "csv", "wire", "commands")

VALUES = (
    "nan",
    "inf",
    "-inf",
    ".nan",
    ".inf",
    "-.inf",
    "-1",
    "0",
    "-0.0",
    "1",
    "2",
    "1e308",
    "-1e308",
    "1e-320",
    "1e400",
    "true",
    "false",
    "null",
    "~",
    "[]",
    "{}",
    "[1,2]",
    "{a:1}",
    "0x7fffffffffffffff",
    "1_000",
    "1,5",
    "99999999999999999999",
    "-9223372036854775808",
    "!!int",
    "''",
    '"\\ud800"',
    '"\\0"',
    "&a",
    "*a",
    "<<:",
    "|",
    ">",
    "#",
    "---",
    "free",
    "ball",
    "slide",
    "floating",
    "planar",
    "continuous",
    "fixed",
    "world",
    "base",
    "/dev/zero",
    "../model.xml",
    "9" * 5000,
    "0." + "9" * 400,
    "x" * 3000,
    "ä\u2028",
    "",
)
XML_PARTS = (
    '<include file="model.xml"/>',
    '<include file="/dev/zero"/>',
    '<!DOCTYPE a [<!ENTITY b "c">]>',
    "<![CDATA[<a>]]>",
    "<!-- -- -->",
    '<replicate count="100000000"><geom size="1"/></replicate>',
    '<replicate count="-3"><geom size="1"/></replicate>',
    '<body name="z"><freejoint/></body>',
    '<body><joint type="ball"/><geom size="0.1"/></body>',
    '<flexcomp name="q" type="grid" count="3 3 3" spacing=".1 .1 .1" radius=".01"/>',
    '<composite type="cable" count="9 1 1" size="1"/>',
    '<asset><mesh name="e" vertex="0 0 0 1 0 0 0 1 0 0 0 1"/></asset>',
    '<asset><hfield name="h" nrow="3" ncol="3" size="1 1 1 1"/></asset>',
    '<asset><model name="s" file="model.xml"/></asset>',
    '<equality><weld body1="lower" body2="base"/></equality>',
    '<equality><connect body1="lower" anchor="0 0 0"/></equality>',
    '<contact><pair geom1="floor" geom2="floor"/></contact>',
    '<joint name="w" type="floating"><parent link="tool"/><child link="base"/></joint>',
    '<link name="base"/>',
    '<mimic joint="elbow"/>',
)
NUMBER = re.compile(rb"-?\d+\.?\d*(?:[eE][-+]?\d+)?")
WORD = re.compile(rb"[A-Za-z_][A-Za-z0-9_]+")
QUOTED = re.compile(rb'"[^"\n]*"')


def mutate(data: bytes, corpus: list[bytes], parser: str, rng: random.Random) -> bytes:
    """Returns a random modification of a file."""
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        data = _mutated(data, corpus, parser, rng)
    return data[:MOST_BYTES]


def _mutated(data: bytes, corpus: list[bytes], parser: str, rng: random.Random) -> bytes:
    # Most other changes of XML only make it ill-formed.
    how = (
        rng.randrange(12)
        if parser not in ("urdf", "mjcf") or rng.random() < 0.3
        else rng.choice((0, 1, 2, 3, 8))
    )
    if how < 4:
        return _replaced(data, (NUMBER, WORD, QUOTED, NUMBER)[how], rng)
    if how < 8:
        return _rearranged(data, how, rng)
    if how == 8 and parser in ("urdf", "mjcf"):
        at = rng.choice([match.end() for match in re.finditer(rb">", data)] or [0])
        return data[:at] + rng.choice(XML_PARTS).encode() + data[at:]
    if how == 9:
        other = rng.choice(corpus)
        return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]
    return _bent(data, rng)


def _replaced(data: bytes, pattern: re.Pattern[bytes], rng: random.Random) -> bytes:
    """Replaces a number, word or quoted text by another value, or by another one of the file."""
    found = list(pattern.finditer(data))
    if not found:
        return data
    match = rng.choice(found)
    new = rng.choice(found).group() if rng.random() < 0.3 else rng.choice(VALUES).encode("utf-8", "replace")
    if pattern is QUOTED and not new.startswith(b'"'):
        new = b'"' + new.replace(b'"', b"") + b'"'
    return data[: match.start()] + new + data[match.end() :]


def _rearranged(data: bytes, how: int, rng: random.Random) -> bytes:
    """Leaves out, repeats, or moves lines."""
    lines = data.split(b"\n")
    at = rng.randrange(len(lines))
    to = min(len(lines), at + rng.choice((1, 1, 2, 5)))
    block = lines[at:to]
    if how == 4:
        del lines[at:to]
    elif how == 5:
        lines[at:at] = block * rng.choice((1, 1, 1, 2, 50, 3000))
    elif how == 6:
        del lines[at:to]
        place = rng.randrange(len(lines) + 1)
        lines[place:place] = block
    else:
        lines[at] = b" " * rng.choice((1, 2, 4)) + lines[at]
    return b"\n".join(lines)


def _bent(data: bytes, rng: random.Random) -> bytes:
    """Changes, leaves out, repeats or adds bytes."""
    raw = bytearray(data or b"x")
    at, how = rng.randrange(len(raw)), rng.randrange(5)
    if how == 0:
        raw[at] ^= 1 << rng.randrange(8)
    elif how == 1:
        raw[at] = rng.choice(b"\x00\x01\x7f\x80\xff\n\t\"'<>&[]{}:,;-#%!|")
    elif how == 2:
        del raw[at : at + rng.choice((1, 2, 8, 100, 5000))]
    elif how == 3:
        raw[at:at] = raw[at : at + rng.choice((1, 8, 200))] * rng.choice((1, 2, 500))
    else:
        raw[at:at] = rng.choice((rng.randbytes(8), b"\xed\xa0\x80", b"\xff\xfe", b"[" * 3000, b"<a>" * 3000))
    return bytes(raw)


class Worker:
    """A process that reads one file after another.

    Args:
        arguments: arguments of the Python that runs `work`.
        folder: folder for what the process prints.
    """

    def __init__(self, arguments: list[str], folder: Path) -> None:
        self._errors = (folder / "errors.txt").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        if not select.select([self._process.stdout], [], [], START_S)[0] or not self._line():
            raise RuntimeError((folder / "errors.txt").read_text())

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def read(self, path: Path) -> dict[str, str]:
        """Returns what came of a file and a text: refused, accepted, wrong, failed, crashed or hung."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()
        began_s, began_cpu_s = time.monotonic(), self._cpu_s()
        while not select.select([self._process.stdout], [], [], 0.5)[0]:
            # The processor time of the reader counts first: other programs may keep the computer busy.
            cpu_s, wall_s = self._cpu_s() - began_cpu_s, time.monotonic() - began_s
            if cpu_s > LONGEST_CPU_S or wall_s > LONGEST_WALL_S:
                self.close()
                return {"kind": "hung", "text": f"{cpu_s:.1f} s of processor time, {wall_s:.0f} s in all"}
        line = self._line()
        if not line:
            return {"kind": "crashed", "text": f"exit status {self._process.wait()}"}
        answer: dict[str, str] = json.loads(line)
        return answer

    def _cpu_s(self) -> float:
        try:
            text = Path(f"/proc/{self._process.pid}/stat").read_text()
        except OSError:
            return 0.0
        user, system = text.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.communicate()
        self._errors.close()


def work(parser: str) -> None:
    """Reads the files named on standard input, and answers with one line of JSON each."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    import fuzz_parsers

    from kilohertz.robots.config.config_error import ConfigError

    read = fuzz_parsers.PARSERS[parser]
    fuzz_parsers.seeds(parser)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY_BYTES, MOST_MEMORY_BYTES))
    answers.write("ready\n")
    answers.flush()
    for line in sys.stdin:
        answer = {"kind": "accepted", "text": ""}
        try:
            read(Path(line.rstrip("\n")))
        except ConfigError as error:
            text = str(error)
            answer = {
                "kind": "refused" if text and len(text) < LONGEST_REFUSAL else "failed",
                "text": text[:2000],
            }
        except fuzz_parsers.WrongError as error:
            answer = {"kind": "wrong", "text": str(error)}
        except BaseException:
            answer = {"kind": "failed", "text": traceback.format_exc()[-3000:]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


@dataclass
class Found:
    """What a fuzzer has found.

    Attributes:
        runs: number of inputs.
        accepted: number of inputs that were accepted.
        shapes: number of different refusals, numbers and names left out.
        faults: kind and text of each different fault.
    """

    runs: int = 0
    accepted: int = 0
    shapes: int = 0
    faults: list[tuple[str, str]] = field(default_factory=list)


def _shape(answer: dict[str, str]) -> str:
    text = answer["text"]
    if answer["kind"] == "failed" and "Traceback" in text:
        frames = re.findall(r'File "([^"]+)", line (\d+)', text)
        return f"{frames[-1] if frames else ''} {text.strip().splitlines()[-1].partition(':')[0]}"
    return re.sub(r"'[^']*'|/\S+|[\d.]+", "_", text)[:300]


def fuzz(
    parser: str, seconds: float, seed: int = 0, keep: Path | None = None, inputs: int | None = None
) -> Found:
    """Fuzzes one reader of files.

    Args:
        parser: name of the reader.
        seconds: duration after the start of the first worker [s].
        seed: random seed.
        keep: folder for the inputs with faults; None to keep none.
        inputs: number of inputs after which to end; None for no such limit.
    """
    import fuzz_parsers

    rng, found = random.Random(seed), Found()
    corpus = fuzz_parsers.seeds(parser)
    valid, start = tuple(corpus), list(corpus)
    seen, faults = set(), set()
    with tempfile.TemporaryDirectory(prefix="kilohertz-fuzz-") as name:
        folder = Path(name)
        command = [str(HERE), "--work", parser]
        path, worker = folder / f"input.{parser}", Worker(command, folder)
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s and len(found.faults) < MOST_FOUND:
            if inputs is not None and found.runs >= inputs:
                break
            # Half from valid files: what is refused already hides what a further change would do.
            base = rng.choice(valid if rng.random() < 0.5 else corpus)
            data = start.pop() if start else mutate(base, corpus, parser, rng)
            path.write_bytes(data)
            answer = worker.read(path)
            found.runs += 1
            found.accepted += answer["kind"] == "accepted"
            shape = answer["kind"] + _shape(answer)
            if shape not in seen and answer["kind"] in ("refused", "accepted"):
                seen.add(shape)
                if len(corpus) < MOST_KEPT and len(data) < 100_000:
                    corpus.append(data)
            if answer["kind"] not in ("refused", "accepted") and shape not in faults:
                faults.add(shape)
                found.faults.append((answer["kind"], answer["text"]))
                if keep is not None:
                    keep.mkdir(exist_ok=True)
                    (keep / f"{parser}-{len(faults)}").write_bytes(data)
            if answer["kind"] in ("crashed", "hung"):
                worker.close()
                worker = Worker(command, folder)
        worker.close()
    found.shapes = len(seen)
    return found


def main(arguments: list[str]) -> int:
    """Runs the command; returns its exit status."""
    if arguments[:1] == ["--work"]:
        work(arguments[1])
        return 0
    parser = arguments[0] if arguments else ""
    if parser not in (*NAMES, "all"):
        print(__doc__)
        return 2
    seconds = float(arguments[1]) if len(arguments) > 1 else 60.0
    seed = int(arguments[2]) if len(arguments) > 2 else 0
    inputs = int(arguments[3]) if len(arguments) > 3 else None
    status = 0
    for name in NAMES if parser == "all" else (parser,):
        if name == "wire":
            import fuzz_wire

            print(f"wire: {fuzz_wire.fuzz(seconds, seed)}", flush=True)
            continue
        if name == "commands":
            import fuzz_commands

            print(f"commands: {fuzz_commands.fuzz(seconds, seed)}", flush=True)
            continue
        found = fuzz(name, seconds, seed, Path("fuzz-found"), inputs)
        print(
            f"{name}: {found.runs} inputs, {found.accepted} accepted, {found.shapes} kinds of refusals",
            flush=True,
        )
        for kind, text in found.faults:
            status = 1
            print(f"  {kind}: {text}", flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
