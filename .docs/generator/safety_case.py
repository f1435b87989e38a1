"""The safety case as a page, and the check that what it names exists and has passed.

    python .docs/generator/safety_case.py --results JUNIT.xml...

exits with an error and one line per requirement whose tests were not run, were skipped or failed. A test of
times that a busy host could not decide is named, but is no error: it says so itself.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import sys
import xml.etree.ElementTree as ET
from collections import defaultdict
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
CASE = ROOT / ".docs" / "safety-case.yaml"
FAULTS = ROOT / "robots" / "FAULTS.md"
STOPS = ROOT / ".docs" / "stop-figures.json"
UNDECIDED = "this host cannot tell"
"""Part of the reason with which a test of times skips itself on a busy host."""
MAD = ROOT / ".docs" / "mad-figures.json"


def requirements(path: Path = CASE) -> list[dict[str, Any]]:
    """The requirements of the safety case, each with its hazard."""
    hazards = YAML(typ="safe").load(path)
    return [{"hazard": h["hazard"], **requirement} for h in hazards for requirement in h["requirements"]]


def fault_results() -> dict[str, tuple[str, str]]:
    """Measured result and verdict of each injected fault, by its number."""
    rows = re.findall(
        r"^\| (F\d+) \|[^|]*\|[^|]*\|(.*)\|([^|]*)\|$", FAULTS.read_text(encoding="utf-8"), re.MULTILINE
    )
    return {name: (result.strip(), verdict.strip()) for name, result, verdict in rows}


def problems(cases: list[dict[str, Any]], root: Path = ROOT) -> list[str]:
    """One sentence for each part of the case that does not exist or has not passed."""
    found, faults = [], fault_results()
    for case in cases:
        for file in case["code"]:
            if not (root / file).exists():
                found.append(f"{case['id']}: there is no file {file}")
        if not case["tests"]:
            found.append(f"{case['id']}: no test shows this requirement")
        for test in case["tests"]:
            file, name = test.split("::")
            path = root / "tests" / file
            tree = ast.parse(path.read_text(encoding="utf-8")) if path.exists() else ast.Module([], [])
            if name not in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}:
                found.append(f"{case['id']}: there is no test {test}")
        fault = case.get("fault")
        if fault and faults.get(fault, ("", ""))[1] != "passed":
            found.append(f"{case['id']}: robots/FAULTS.md does not say that {fault} passed")
    return found


def failures(cases: list[dict[str, Any]], *results: Path) -> tuple[list[str], list[str]]:
    """One sentence for each test of the case that did not pass in runs of pytest.

    Args:
        cases: the requirements.
        *results: files that `pytest --junitxml` wrote.

    Returns:
        The tests that failed, were skipped or not run; and those that this host could not decide.
    """
    outcome: dict[str, set[str]] = defaultdict(set)
    for test in (test for path in results for test in ET.parse(path).iter("testcase")):
        file = test.get("classname", "").rsplit(".", 1)[-1]
        name = test.get("name", "")
        bad = [kind for kind in ("failure", "error", "skipped") if test.find(kind) is not None]
        skipped = test.find("skipped")
        if skipped is not None and UNDECIDED in skipped.get("message", ""):
            bad = ["undecided"]
        for key in (f"{file}.py::{name.split('[')[0]}", f"{file}.py::{name}"):
            outcome[key].add(bad[0] if bad else "passed")
    found: list[str] = []
    undecided: list[str] = []
    for case in cases:
        for test in case["tests"]:
            # A requirement about a fault is shown by the injection of this fault alone.
            key = f"{test}[{case['fault']}]" if case.get("fault") and "a_fault_has" in test else test
            if outcome[key] != {"passed"}:
                told = f"{case['id']}: {key}: {', '.join(sorted(outcome[key])) or 'not run'}"
                (undecided if outcome[key] and outcome[key] <= {"passed", "undecided"} else found).append(
                    told
                )
    return found, undecided


def _figure(case: dict[str, Any]) -> str:
    if case.get("fault"):
        return f"{case['fault']}: {fault_results()[case['fault']][0]}"
    words = str(case.get("figure", "")).split()
    if words[:1] == ["mad"]:
        table = json.loads(MAD.read_text(encoding="utf-8"))
        unit = {"speed": "of the speed limit", "step": "of the torque limit"}.get(words[1], "rad")
        places = ("g1 standing", "g1 walking", "panda")
        worst = ", ".join(f"{place} {table['table'][place][words[1]]['max']:.3f}" for place in places)
        return f"{table['commands']} commands of mad controllers, at most: {worst} {unit}"
    return " ".join(words)


def safety_case_page() -> str:
    """The safety case as Markdown."""
    lines = ["| | hazard | requirement | code | tests | figure |", "|---|---|---|---|---|---|"]
    for case in requirements():
        code = ", ".join(f"`{file}`" for file in case["code"])
        tests = ", ".join(f"`{test.split('::')[1]}`" for test in case["tests"])
        cells = (case["id"], case["hazard"], case["text"], code, tests, _figure(case))
        lines.append("| " + " | ".join(cells) + " |")
    head = (
        "# Safety case\n\nFrom each hazard to the requirement against it, the code, the tests and a figure. "
        "The table is generated from `.docs/safety-case.yaml`; a requirement whose tests do not exist or did "
        "not pass stops the continuous integration. The figures are simulated: no robot has been measured "
        "yet.\n\n"
    )
    return head + "\n".join(lines) + "\n" + _stops()


def _stops() -> str:
    found = json.loads(STOPS.read_text(encoding="utf-8"))
    lines = [
        "\n## Stopping and falling\n",
        f"G1 in simulation, worst of {found['seeds']} runs (`tests/stop_figures.py`). A soft stop lasts "
        "until the centre of mass is slower than 5 cm/s; damping is a fall, and lasts until it rests.\n",
        "| walking at | soft stop | distance | damping: rests after | its centre of mass has moved |",
        "|---|---|---|---|---|",
    ]
    for row in found["walking"]:
        lines.append(
            f"| {row['speed_m_s']:g} m/s | {row['soft_s']:.2f} s | {row['soft_m']:.2f} m "
            f"| {row['damped_s']:.2f} s | {row['damped_m']:.2f} m |"
        )
    lines += [
        "\nWhere the centre of mass rests after a push of 60 Ns, from where it stood (x forward, y left):\n",
        "| push | falls | x | y | fastest |",
        "|---|---|---|---|---|",
    ]
    for row in found["falling"]:
        (x0, x1), (y0, y1) = row["x_m"], row["y_m"]
        lines.append(
            f"| {row['push']} | {row['falls']} | {x0:.2f} to {x1:.2f} m | {y0:.2f} to {y1:.2f} m "
            f"| {row['fastest_m_s']:.1f} m/s |"
        )
    lines += [
        "\nThe first joint of panda, about a vertical axis, from the beginning of damping to 5 % of its "
        "speed limit; joints that carry weight sink while they damp:\n",
        "| speed | time | angle |",
        "|---|---|---|",
    ]
    lines += [
        f"| {row['of_speed_limit']:.0%} | {row['s']:.2f} s | {row['rad']:.2f} rad |" for row in found["arm"]
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Checks the case against the results of a run of pytest; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, nargs="+", required=True, help="files of pytest --junitxml")
    cases = requirements()
    failed, undecided = failures(cases, *parser.parse_args().results)
    found = problems(cases) + failed
    print("\n".join(found + undecided) or f"{len(cases)} requirements: their tests exist and passed")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
