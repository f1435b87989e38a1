"""The memory of the flight recorder: all rows of a short run, the end and the worst ticks of a long one."""

from __future__ import annotations

import errno

import numpy as np
from toy_log import CELLS, ROW, SCHEMA, toy_header, toy_rows

from kilohertz.rt.log.file import LogReader, read_rows
from kilohertz.rt.log.flight import BLOCK_ROWS, WORST_KEPT, FlightBuffer

N = 8 * BLOCK_ROWS + 40
BLOCK_BYTES = 8 * CELLS * BLOCK_ROWS


def rows_of_a_run():
    rows = toy_rows(N)
    named = rows.view(ROW)[:, 0]
    named["rung"] = 0
    named["qp_iterations"] = 5
    return rows, named


def written(path, buffer):
    assert buffer.write(path, toy_header(), SCHEMA, {"events": []}) == 0
    with LogReader(path) as reader:
        rows = read_rows(reader)
        assert (reader.lost, reader.damage) == (0, "")
        return reader, rows


def test_a_short_run_is_kept_bit_by_bit(tmp_path):
    rows, _ = rows_of_a_run()
    buffer = FlightBuffer(SCHEMA, 100 * BLOCK_BYTES)
    for at in range(0, N, 70):
        buffer.add(rows[at : at + 70])
    buffer.events.append((0.5, "push", "x"))
    reader, found = written(tmp_path / "a.mcap", buffer)
    assert found.tobytes() == rows.tobytes()
    assert reader.header.first_tick == 0
    assert reader.events == [{"t_s": 0.5, "kind": "push", "text": "x"}]


def test_of_a_long_run_the_end_and_the_worst_ticks_are_kept(tmp_path):
    rows, named = rows_of_a_run()
    named["rung"][[10, 30]] = 2
    named["qp_iterations"][300] = 90
    named["stamps_ns"]["write"][400] += 900_000
    buffer = FlightBuffer(SCHEMA, 3 * BLOCK_BYTES)
    buffer.add(rows)
    assert buffer.n_bytes <= 3 * BLOCK_BYTES
    reader, found = written(tmp_path / "a.mcap", buffer)
    first = reader.header.first_tick
    assert first == buffer.dropped >= 4 * BLOCK_ROWS
    whole = found[found["tick"] >= first]
    assert whole["tick"].tolist() == list(range(first, N))
    dropped = found[found["tick"] < first]["tick"]
    assert {10, 30, 300, 400} <= set(dropped.tolist())
    assert len(dropped) <= 3 * WORST_KEPT
    assert np.all(np.diff(dropped) > 0)


def test_nothing_is_written_without_a_row_or_over_a_file(tmp_path):
    buffer = FlightBuffer(SCHEMA, BLOCK_BYTES)
    assert buffer.write(tmp_path / "a.mcap", toy_header(), SCHEMA, None) == 0
    assert not (tmp_path / "a.mcap").exists()
    buffer.add(toy_rows(3))
    (tmp_path / "a.mcap").write_text("")
    assert buffer.write(tmp_path / "a.mcap", toy_header(), SCHEMA, None) == errno.EEXIST
