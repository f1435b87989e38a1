"""Bytes through DDS, and types that match those of the maker's library."""

from __future__ import annotations

import threading
import time

import pytest

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.unitree.dds import MOST_TAKEN, Dds, declared_type
from kilohertz.robots.unitree.messages import (
    GO_COMMAND,
    GO_STATE,
    HG_BATTERY,
    HG_COMMAND,
    HG_STATE,
    Message,
    Struct,
)

pytest.importorskip("cyclonedds")
pytestmark = pytest.mark.host

DOMAIN = 61
# Hashes of the XTypes type objects, minimal and complete, as the maker's library for C++ carries them: the
# blobs `type_info_blob` in unitreerobotics/unitree_sdk2, include/unitree/idl/hg and idl/go2. They cover the
# names, types and order of all members, and the extensibility.
IDENTIFIERS = {
    HG_COMMAND.name: ("6569fc15f0d47aa8600b9e91fbbc", "42b0283aa7e1bb592ec898a0dbed"),
    HG_STATE.name: ("2f38296b52aa0230b92d378b1e39", "2be9706c9587e8d8afd8bfc6de7b"),
    HG_BATTERY.name: ("4b98d809a63f63c7cb31a818506b", "0cdba6862498f554ba927ba18de0"),
    GO_COMMAND.name: ("832876ceec9737d69f6ed62a3f63", "52cc8eb0d427d692aa2b20a90540"),
    GO_STATE.name: ("853a99e23d0daa1610b65c526b40", "08f239c471d3a27e67e7c7723184"),
}


@pytest.mark.parametrize(
    "struct", [HG_COMMAND, HG_STATE, HG_BATTERY, GO_COMMAND, GO_STATE], ids=lambda s: s.name
)
def test_a_type_is_the_makers_type(struct: Struct) -> None:
    described = declared_type(struct).__idl__
    described.fill_type_data()
    information = described._xt_bytedata[0]
    assert described.idl_transformed_typename == struct.name.replace(".", "::")
    assert described.keyless
    minimal, complete = (bytes.fromhex(text) for text in IDENTIFIERS[struct.name])
    assert b"\xf1" + minimal in information
    assert b"\xf2" + complete in information


def test_bytes_arrive_as_they_were_written() -> None:
    dds, other = Dds(DOMAIN, "lo"), Dds(DOMAIN, "lo")
    writer, reader = dds.writer("bytes", HG_STATE), other.reader("bytes", HG_STATE)
    message = Message(HG_STATE)
    message.fields["tick"] = 77
    until_s = time.monotonic() + 20.0
    while not (writer.readers and reader.writers) and time.monotonic() < until_s:
        reader.wait(1_000_000)
    writer.write(message.pack())
    assert reader.wait(20_000_000_000)
    assert reader.take() == [message.pack()]
    assert reader.take() == []
    assert not reader.wait(0)


def test_a_reader_of_others_does_not_hear_its_own_program() -> None:
    dds, other = Dds(DOMAIN, "lo"), Dds(DOMAIN, "lo")
    own, theirs = dds.writer("others", HG_COMMAND), other.writer("others", HG_COMMAND)
    reader = dds.reader("others", HG_COMMAND, of_others=True)
    until_s = time.monotonic() + 20.0
    while not reader.writers and time.monotonic() < until_s:
        reader.wait(1_000_000)
    own.write(Message(HG_COMMAND).pack())
    assert reader.take() == []
    theirs.write(Message(HG_COMMAND).pack())
    assert reader.wait(20_000_000_000)
    assert 1 <= len(reader.take()) <= MOST_TAKEN


def test_a_writer_that_leaves_is_no_message() -> None:
    dds, other = Dds(DOMAIN, "lo"), Dds(DOMAIN, "lo")
    writer, reader = other.writer("left", HG_STATE), dds.reader("left", HG_STATE)
    until_s = time.monotonic() + 20.0
    while not (writer.readers and reader.writers) and time.monotonic() < until_s:
        reader.wait(1_000_000)
    writer.write(Message(HG_STATE).pack())
    assert reader.wait(20_000_000_000)
    assert len(reader.take()) == 1
    del writer
    other.close()
    while reader.writers and time.monotonic() < until_s:
        reader.wait(1_000_000)
    assert reader.writers == 0
    assert reader.take() == []


def test_what_cannot_be_used_is_told() -> None:
    with pytest.raises(ConfigError, match=r"no network interface 'lol' \(did you mean 'lo'\?\): it has "):
        Dds(DOMAIN, "lol")
    with pytest.raises(ConfigError, match="a number from 0 to 232, not 233"):
        Dds(233, "lo")


def test_domains_may_be_joined_from_several_threads() -> None:
    found: list[Dds] = []
    threads = [threading.Thread(target=lambda: found.append(Dds(DOMAIN, "lo"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
