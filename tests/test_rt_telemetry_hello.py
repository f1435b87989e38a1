from __future__ import annotations

import json
import re
from importlib.resources import files

from telemetry_runs import hello_for

from kilohertz.controller.supervision.request import behaviour_id

PAGE = (files("kilohertz.rt") / "TELEMETRY.md").read_text(encoding="utf-8")


def keys_of_section(title: str) -> set[str]:
    """Keys in the first column of a section's table."""
    section = PAGE.split(f"## {title}\n")[1].split("\n## ")[0]
    columns = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {key for column in columns for key in re.findall(r"`(\w+)`", column)}


def test_the_page_names_every_key_and_no_other():
    hello = hello_for("g1")
    assert keys_of_section("hello") == set(hello)
    assert keys_of_section("state") == set(hello["units"])


def test_it_survives_json_and_names_what_numbers_mean():
    hello = json.loads(json.dumps(hello_for("g1")))
    assert hello == hello_for("g1")
    assert hello["behaviours"][str(behaviour_id("walk"))] == "walk"
    assert hello["states"][2] == "active"
    assert hello["floating"]
    assert hello["gains_file"].startswith("/")
    assert len(hello["torque_limit_Nm"]) == len(hello["joint_names"]) == 29


def test_an_arm_says_that_its_base_is_fixed():
    assert not hello_for("panda")["floating"]
    assert hello_for("panda")["contact_names"] == []
