"""No log unpacks to more than its share, whatever it states of itself."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
import zstandard
from mcap.exceptions import EndOfFile, RecordLengthLimitExceeded
from mcap.writer import CompressionType, Writer
from toy_log import SCHEMA, toy_header

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.log.file import LogReader
from kilohertz.rt.log.records import records_of

MAGIC = b"\x89MCAP0\r\n"


def record(opcode: int, content: bytes) -> bytes:
    return bytes([opcode]) + struct.pack("<Q", len(content)) + content


def chunk(data: bytes, stated: int, compression: bytes = b"zstd", crc: int = 0) -> bytes:
    head = struct.pack("<QQQI", 0, 0, stated, crc) + struct.pack("<I", len(compression)) + compression
    return record(6, head + struct.pack("<Q", len(data)) + data)


def log_with(*records: bytes) -> bytes:
    """Returns a log whose beginning is right, and then has these records."""
    out = io.BytesIO()
    writer = Writer(out, compression=CompressionType.NONE)
    writer.start(profile="", library="toy")
    writer.add_metadata("kilohertz", toy_header().as_text())
    writer.register_schema("kilohertz/Tick", "ros2msg", SCHEMA.encode())
    writer.flush()
    return out.getvalue() + b"".join(records)


def bomb(n_bytes: int) -> bytes:
    packing = zstandard.ZstdCompressor().compressobj(size=n_bytes)
    zeros = bytes(1_000_000)
    return b"".join([*(packing.compress(zeros) for _ in range(n_bytes // len(zeros))), packing.flush()])


@pytest.mark.parametrize("stated", [3_000_000_000, 40_000_000, 1_000])
def test_a_chunk_that_unpacks_to_gigabytes_is_refused_before_it_is_unpacked(tmp_path, stated):
    data = bomb(300_000_000)
    assert len(data) < 30_000
    path = tmp_path / "bomb.mcap"
    path.write_bytes(log_with(chunk(data, stated)))
    tracemalloc.start()
    try:
        with pytest.raises(ConfigError, match=r"would unpack to|does not unpack to"):
            LogReader(path)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_a_chunk_of_constant_rows_is_read():
    rows = record(0x7F, np.random.default_rng(0).bytes(3000) * 250)
    data = zstandard.compress(rows)
    assert len(rows) / len(data) > 200
    with pytest.raises(EndOfFile):
        list(records_of(io.BytesIO(MAGIC + chunk(data, len(rows), crc=zlib.crc32(rows)))))


def test_a_wrong_checksum_and_another_compression_are_refused():
    plain = record(0x7F, b"abc")
    for data, sentence in (
        (chunk(plain, len(plain), b"", crc=1), "crc validation failed"),
        (chunk(plain, len(plain), b"lz4"), "compressed with 'lz4'"),
        (chunk(b"\x7f" + struct.pack("<Q", 1 << 60), 9, b""), "longer than the chunk"),
    ):
        with pytest.raises(ValueError, match=sentence):
            list(records_of(io.BytesIO(MAGIC + data)))


def test_a_record_longer_than_the_file_allocates_nothing():
    tracemalloc.start()
    try:
        with pytest.raises(RecordLengthLimitExceeded):
            list(records_of(io.BytesIO(MAGIC + bytes([6]) + struct.pack("<Q", 1 << 60))))
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
