"""Worst ticks and single ticks of a log that lacks the beginning of its run."""

import io

import numpy as np
import pytest
from rich.console import Console
from why_runs import calm, header

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.log.file import LogReader
from kilohertz.rt.log.row import STAMPS
from kilohertz.rt.log.schema import schema_text
from kilohertz.rt.log.writer import LogWriter
from kilohertz.rt.show.why_screen import print_tick, print_worst
from kilohertz.rt.why.recorded import recorded_tick, worst_recorded

FIRST = 5000


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    m = calm(300)
    rows = m.rows.copy()
    rows["tick"] += FIRST
    for name in STAMPS:
        rows["stamps_ns"][name] = 1_000_000 * rows["tick"]
    rows["stamps_ns"]["write"] += 200_000
    rows["stamps_ns"]["write"][40] += 700_000
    rows["rung"][100:103] = 2
    rows["qp_iterations"][200] = 45
    # The worst of the ticks that were dropped.
    rows["tick"][0] = 77
    head = header(m.robot)
    path = tmp_path_factory.mktemp("log") / "tail.mcap"
    writer = LogWriter(path, type(head)(**{**vars(head), "first_tick": FIRST + 1}), schema_text(rows.dtype))
    cells = rows.view(np.int64).reshape(len(rows), -1)
    writer.add(np.arange(len(cells)), cells[:, 0], cells)
    writer.close(None)
    return path


def test_each_measure_leads_in_turn(log):
    with LogReader(log) as reader:
        found = worst_recorded(reader, 4)
    assert {each["worst_of"]: each["tick"] for each in found if each["worst_of"] != "torque"} == {
        "time": FIRST + 40,
        "ladder": FIRST + 100,
        "iterations": FIRST + 200,
    }
    assert found[0]["tick_us"] == pytest.approx(900.0)
    print_worst(Console(file=io.StringIO()), found)
    with LogReader(log) as reader:
        assert [each["tick"] for each in worst_recorded(reader, 1, "ladder")] == [FIRST + 100]
    with LogReader(log) as reader, pytest.raises(ValueError, match="'doubt' is not one of"):
        worst_recorded(reader, 1, "doubt")


@pytest.mark.parametrize("tick", [77, FIRST + 100])
def test_a_tick_is_described_by_what_was_recorded(log, tick):
    with LogReader(log) as reader:
        found = recorded_tick(reader, tick)
    assert found["tick"] == tick
    assert found["contacts"]["left_foot"]["closed"]
    assert len(found["joints"]) == len(header_names(log))
    screen = Console(file=io.StringIO(), record=True, width=160)
    print_tick(screen, found)
    text = screen.export_text()
    assert f"tick {tick}, " in text
    assert "begins in the middle of its run" in text


def header_names(log):
    with LogReader(log) as reader:
        return reader.header.joint_names


def test_a_tick_that_was_dropped_is_refused(log):
    with LogReader(log) as reader, pytest.raises(ConfigError, match=f"from tick {FIRST + 1} on"):
        recorded_tick(reader, 80)
