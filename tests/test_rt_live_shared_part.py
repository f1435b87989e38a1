"""Tests of a part of a shared memory that one side writes and the other one reads."""

from __future__ import annotations

import mmap

from kilohertz.rt.live.shared_part import SharedPart


def test_content_is_taken_only_when_it_is_whole() -> None:
    memory = mmap.mmap(-1, 2 * SharedPart.HEAD_BYTES + 24)
    writer, reader = (SharedPart(memory, SharedPart.HEAD_BYTES, 24) for _ in range(2))
    assert reader.number == 0
    writer.body[:] = 5
    writer.publish(3)
    assert reader.number == 3
    assert reader.take() == bytes([5] * 24)
    for byte in range(24):
        writer.body[byte] ^= 1
        assert reader.take() is None
        writer.body[byte] ^= 1
    assert reader.take() == bytes([5] * 24)
    # The head of the memory belongs to another part.
    assert bytes(memory[: SharedPart.HEAD_BYTES]) == bytes(SharedPart.HEAD_BYTES)
