from __future__ import annotations

import os
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilohertz.rt.log.ring import PassiveReader, Ring

CELLS = 24


def ends(rows: int = 8) -> tuple[Ring, Ring]:
    """Returns a writer's and a reader's instance on the same memory."""
    mine = Ring(CELLS, rows=rows)
    return mine, Ring(CELLS, os.dup(mine.fd))


def push(ring: Ring, n: int) -> None:
    for _ in range(n):
        ring.row[:] = ring.pushed
        ring.push()


def test_rows_arrive_in_order_and_bit_identical():
    writer, reader = ends()
    bits = np.random.default_rng(0).integers(-(2**63), 2**63 - 1, (5, CELLS))
    for row in bits:
        writer.row[:] = row
        writer.push()
    numbers, rows = reader.take(100, last=True)
    np.testing.assert_array_equal(numbers, np.arange(5))
    np.testing.assert_array_equal(rows, bits)
    assert reader.take(100, last=True)[0].size == 0
    assert reader.lost == 0


def test_the_newest_row_is_left_until_the_writer_has_ended():
    writer, reader = ends()
    push(writer, 3)
    assert reader.take(100)[0].tolist() == [0, 1]
    assert reader.take(100)[0].size == 0
    writer.end()
    assert reader.take(100)[0].tolist() == [2]


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 6)), max_size=30), st.integers(2, 9))
def test_every_row_is_taken_once_or_counted_as_lost(steps, rows):
    writer, reader = ends(rows)
    seen: list[int] = []
    for pushed, most in steps:
        push(writer, pushed)
        numbers, content = reader.take(most)
        assert (content == numbers[:, None]).all()
        seen += numbers.tolist()
        assert len(seen) + reader.lost + reader.behind == writer.pushed
    while reader.behind:
        seen += reader.take(3, last=True)[0].tolist()
    assert seen == sorted(set(seen))
    assert len(seen) + reader.lost == writer.pushed
    assert reader.lost == writer.lost


@pytest.mark.parametrize("wiped", [True, False], ids=["being written", "written over"])
def test_a_row_that_the_writer_has_reached_is_lost_and_not_torn(wiped):
    writer, reader = ends()
    push(writer, 5)
    place = reader._places[2]
    place[0] = -1 if wiped else 10
    place[1:4] = 99
    numbers, rows = reader.take(100, last=True)
    assert numbers.tolist() == [0, 1, 3, 4]
    assert (rows == numbers[:, None]).all()
    assert reader.lost == 1


@pytest.mark.host
def test_no_row_is_torn_while_one_writes_as_fast_as_it_can():
    writer, reader = ends(rows=4)
    child = os.fork()
    if not child:
        push(writer, 50_000)
        writer.end()
        os._exit(0)
    taken = 0
    while taken + reader.lost < 50_000:
        numbers, rows = reader.take(100)
        assert (rows == numbers[:, None]).all()
        taken += len(numbers)
    assert os.waitpid(child, 0)[1] == 0
    assert reader.pushed == 50_000


def test_a_writer_without_a_deadline_waits_for_room_but_not_for_ever():
    writer, reader = ends()
    push(writer, 7)
    thread = threading.Timer(0.01, lambda: reader.take(3))
    thread.start()
    writer.wait_for_room()
    assert writer.behind <= 4
    thread.join()
    push(writer, 4)
    writer._patience_s = 0.005
    writer.wait_for_room()
    writer.wait_for_room()
    assert writer._patience_s <= 0.0


def test_pushing_allocates_nothing_that_stays():
    import sys

    writer, _ = ends(rows=64)
    push(writer, 200)
    before = sys.getallocatedblocks()
    push(writer, 2000)
    assert sys.getallocatedblocks() - before < 20


def watched(rows: int = 8) -> tuple[Ring, PassiveReader]:
    writer = Ring(CELLS, rows=rows)
    return writer, PassiveReader(CELLS, os.dup(writer.fd))


def test_a_passive_reader_sees_what_is_new_and_leaves_the_recorders_counts_alone():
    writer, reader = watched()
    assert reader.since()[0].size == 0
    push(writer, 3)
    before = bytes(writer._memory)
    numbers, rows = reader.since()
    assert numbers.tolist() == [0, 1]
    assert (rows == numbers[:, None]).all()
    push(writer, 2)
    assert reader.since()[0].tolist() == [2, 3]
    assert reader.since()[0].size == 0
    assert (writer.behind, writer.lost, reader.dropped) == (5, 0, 0)
    writer.end()
    assert reader.since()[0].tolist() == [4]
    assert writer.take(100, last=True)[0].tolist() == [0, 1, 2, 3, 4]
    assert before != bytes(writer._memory)


def test_a_passive_reader_cannot_write():
    writer, reader = watched()
    push(writer, 3)
    with pytest.raises(ValueError, match="read-only"):
        reader._places[0, 0] = 1
    with pytest.raises(TypeError):
        reader._memory[0] = 1


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 6)), max_size=30), st.integers(2, 9))
def test_a_passive_reader_gets_every_row_once_or_counts_it_as_dropped(steps, rows):
    writer, reader = watched(rows)
    seen: list[int] = []
    for pushed, most in steps:
        push(writer, pushed)
        numbers, content = reader.since(most)
        assert (content == numbers[:, None]).all()
        assert len(numbers) <= most
        # What is given is the newest there is, but for the row that may be unfinished.
        assert not len(numbers) or numbers[-1] == writer.pushed - 2
        seen += numbers.tolist()
    writer.end()
    seen += reader.since()[0].tolist()
    assert seen == sorted(set(seen))
    assert len(seen) + reader.dropped == writer.pushed


def test_a_passive_reader_drops_a_row_that_is_being_overwritten():
    writer, reader = watched()
    push(writer, 5)
    writer._places[2, 0] = -1
    assert reader.since()[0].tolist() == [0, 1, 3]
    assert reader.dropped == 1


@pytest.mark.host
def test_a_passive_reader_gets_no_torn_row_from_a_writer_as_fast_as_it_can():
    writer, reader = watched(rows=4)
    child = os.fork()
    if not child:
        push(writer, 50_000)
        writer.end()
        os._exit(0)
    seen = 0
    while not (reader.ended and seen + reader.dropped == 50_000):
        numbers, rows = reader.since()
        assert (rows == numbers[:, None]).all()
        seen += len(numbers)
    assert os.waitpid(child, 0)[1] == 0
    assert seen
