"""Reads the records of an MCAP file one after another; no file can make it unpack more than its own share.

A few bytes of a compressed chunk can stand for gigabytes. A chunk that unpacks to more than a log of ours
ever does is refused before it is unpacked, and its messages are read one by one.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, BinaryIO

import zstandard
from mcap.data_stream import ReadDataStream
from mcap.exceptions import EndOfFile
from mcap.opcode import Opcode
from mcap.records import Channel, Chunk, Message, Schema
from mcap.stream_reader import StreamReader, get_chunk_data_stream

MOST_RECORD_BYTES = 64_000_000
"""Largest record, and largest unpacked chunk [bytes]; ours have 250 ticks and less than 10 MB."""
MOST_RATIO = 1000
"""Largest ratio of a chunk's size after and before unpacking; constant rows reach 100."""
FREE_BYTES = 64_000
"""Size up to which the ratio of a chunk is not judged [bytes]."""


class _WholeReads:
    """File wrapper whose `read` returns exactly the requested length, or raises EndOfFile."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, length: int) -> bytes:
        data = self._file.read(length)
        if len(data) < length:
            raise EndOfFile
        return data


def records_of(file: BinaryIO) -> Iterator[Any]:
    """Yields the records of an MCAP file, those inside chunks included.

    Raises:
        EndOfFile: the file ends within a record.
        ValueError: a chunk unpacks to too much.
        Exception: on damaged bytes the library may raise any exception.
    """
    stream: Any = _WholeReads(file)
    reader = StreamReader(stream, validate_crcs=True, emit_chunks=True, record_size_limit=MOST_RECORD_BYTES)
    for record in reader.records:
        if isinstance(record, Chunk):
            yield from _inside(record)
        else:
            yield record


def _inside(chunk: Chunk) -> Iterator[Any]:
    """Yields the schemas, channels and messages of a chunk."""
    plain = Chunk(**(vars(chunk) | {"compression": "", "data": _unpacked(chunk)}))
    stream, length = get_chunk_data_stream(plain, validate_crc=True)
    while stream.count < length:
        opcode, size = stream.read1(), stream.read8()
        if size > length - stream.count:
            raise ValueError("a record in a chunk is longer than the chunk")
        yield from _record(stream, opcode, size)


def _record(stream: ReadDataStream, opcode: int, size: int) -> Iterator[Any]:
    if opcode == Opcode.MESSAGE:
        yield Message.read(stream, size)
    elif opcode == Opcode.CHANNEL:
        yield Channel.read(stream)
    elif opcode == Opcode.SCHEMA:
        yield Schema.read(stream)
    else:
        stream.read(size)


def _unpacked(chunk: Chunk) -> bytes:
    size = chunk.uncompressed_size
    if chunk.compression == "":
        plain: bytes = chunk.data
        return plain
    if chunk.compression != "zstd":
        raise ValueError(f"a chunk is compressed with {chunk.compression[:20]!r}, not with zstd")
    if size > MOST_RECORD_BYTES or size > FREE_BYTES + MOST_RATIO * len(chunk.data):
        raise ValueError(
            f"a chunk of {len(chunk.data)} bytes would unpack to {size} bytes, which no log of ours does"
        )
    # The stream reader unpacks no more than it is asked for, whatever size the data claims for itself.
    with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(chunk.data)) as unpacking:
        data: bytes = unpacking.read(size + 1)
    if len(data) != size:
        raise ValueError(f"a chunk does not unpack to the {size} bytes that it states")
    return data
