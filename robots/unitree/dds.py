"""Readers and writers of Unitree's topics, through the library `cyclonedds` (extra `unitree`).

Messages pass as the bytes that are on the wire, so that reading and writing do not build a Python object for
every motor. The types that are declared to DDS have the same names, members and XTypes identifiers as those
of the maker's library; DDS programs of both therefore match each other.
"""

from __future__ import annotations

import socket
import threading
from typing import Any
from xml.sax.saxutils import quoteattr

from kilohertz.robots.config.config_error import ConfigError, did_you_mean
from kilohertz.robots.unitree.messages import Struct
from kilohertz.robots.wire.maker_arm import vendor_module

EXTRA = "unitree"
MOST_TAKEN = 8
"""Messages that one `take` takes in at most, so that a flood cannot hold up a loop."""
LARGEST_DOMAIN = 232
LOOPBACK = "lo"
"""The network interface of this computer with itself."""

_domains: dict[int, tuple[str, Any]] = {}
_types: dict[str, Any] = {}
_lock = threading.Lock()


def _as_bytes(kind: Any) -> Any:
    """Lets the samples of a type be their bytes on the wire, in an attribute `payload`.

    The library would take a base class with these methods for a part of the declared type.
    """

    def serialize(sample: Any, **_options: Any) -> bytes:
        payload: bytes = sample.payload
        return payload

    def deserialize(data: bytes, **_options: Any) -> Any:
        sample = kind()
        sample.payload = data
        return sample

    kind.serialize, kind.deserialize = serialize, staticmethod(deserialize)
    return kind


def declared_type(struct: Struct) -> Any:
    """Returns the DDS type of a struct, with its members as the maker's IDL declares them.

    Raises:
        ConfigError: the library is not installed.
    """
    if struct.name in _types:
        return _types[struct.name]
    idl = vendor_module("cyclonedds.idl", EXTRA)
    annotations = vendor_module("cyclonedds.idl.annotations", EXTRA)
    types = vendor_module("cyclonedds.idl.types", EXTRA)
    # The maker's IDL has `octet`, which is another type than uint8 although it has the same byte.
    kinds = {
        "u1": types.byte,
        "u2": types.uint16,
        "u4": types.uint32,
        "i2": types.int16,
        "i4": types.int32,
        "f4": types.float32,
    }
    fields = {}
    for name, kind, number in struct.members:
        part = declared_type(kind) if isinstance(kind, Struct) else kinds[kind]
        fields[name] = types.array[part, number] if number > 1 else part
    found = idl.make_idl_struct(struct.name.rpartition(".")[2], struct.name, fields, dataclassify=False)
    _types[struct.name] = _as_bytes(annotations.autoid("sequential")(annotations.final(found)))
    return _types[struct.name]


class Dds:
    """This program's part in a DDS domain, on one network interface.

    Args:
        domain: id of the domain; 0 on a robot.
        network: name of the network interface, such as `eth0`; `lo` for this computer only.

    Raises:
        ConfigError: the library is missing, or the domain or the network cannot be used.
    """

    def __init__(self, domain: int, network: str) -> None:
        if not 0 <= domain <= LARGEST_DOMAIN:
            raise ConfigError(f"a DDS domain is a number from 0 to {LARGEST_DOMAIN}, not {domain}")
        known = [name for _, name in socket.if_nameindex()]
        if network not in known:
            raise ConfigError(
                f"this computer has no network interface '{network}'{did_you_mean(network, known)}: "
                f"it has {', '.join(known)}"
            )
        self.domain, self.network = domain, network
        self._pub = vendor_module("cyclonedds.pub", EXTRA)
        self._sub = vendor_module("cyclonedds.sub", EXTRA)
        self._core = vendor_module("cyclonedds.core", EXTRA)
        self._topic = vendor_module("cyclonedds.topic", EXTRA)
        domains = vendor_module("cyclonedds.domain", EXTRA)
        with _lock:
            used, _ = _domains.get(domain, (network, None))
            if used != network:
                raise ConfigError(f"this process already uses DDS domain {domain} on the network {used!r}")
            try:
                if domain not in _domains:
                    _domains[domain] = network, domains.Domain(domain, _configuration(network))
                self._participant: Any = domains.DomainParticipant(domain)
            except self._core.DDSException as error:
                raise ConfigError(f"DDS cannot be used on the network '{network}': {error}") from None

    def writer(self, topic: str, struct: Struct) -> DdsWriter:
        """Returns a writer of a topic."""
        kind = declared_type(struct)
        return DdsWriter(
            self._pub.DataWriter(self._participant, self._topic.Topic(self._participant, topic, kind)), kind()
        )

    def reader(self, topic: str, struct: Struct, *, of_others: bool = False) -> DdsReader:
        """Returns a reader of a topic.

        Args:
            topic: name of the topic.
            struct: type of its messages.
            of_others: whether to read only what other programs write.
        """
        qos = None
        if of_others:
            policies = vendor_module("cyclonedds.qos", EXTRA)
            qos = policies.Qos(policies.Policy.IgnoreLocal.Participant)
        made = self._topic.Topic(self._participant, topic, declared_type(struct))
        reader = self._sub.DataReader(self._participant, made, qos=qos)
        core = self._core
        mask = core.SampleState.NotRead | core.ViewState.Any | core.InstanceState.Alive
        waits = core.WaitSet(self._participant)
        condition = core.ReadCondition(reader, mask)
        waits.attach(condition)
        return DdsReader(reader, waits, condition)

    def plain(self, topic: str, kind: Any) -> tuple[Any, Any]:
        """Returns the participant, and a topic of a type that is not a struct of fixed size."""
        return self._participant, self._topic.Topic(self._participant, topic, kind)

    def close(self) -> None:
        """Leaves the domain, with all readers and writers."""
        self._participant = None


class DdsWriter:
    """Writes messages of one topic, as their bytes on the wire."""

    def __init__(self, writer: Any, sample: Any) -> None:
        self._writer, self._sample = writer, sample

    @property
    def readers(self) -> int:
        """Number of readers in the domain that this writer has found."""
        return len(self._writer.get_matched_subscriptions())

    def write(self, payload: bytes) -> None:
        """Writes one message. Hot path.

        Args:
            payload: its bytes on the wire, with the encapsulation header.
        """
        self._sample.payload = payload
        self._writer.write(self._sample)


class DdsReader:
    """Reads messages of one topic, as their bytes on the wire."""

    def __init__(self, reader: Any, waits: Any, condition: Any) -> None:
        self._reader, self._waits, self._condition = reader, waits, condition

    @property
    def writers(self) -> int:
        """Number of writers in the domain that this reader has found."""
        return len(self._reader.get_matched_publications())

    def wait(self, timeout_ns: int) -> bool:
        """Waits for a message; returns whether there is one."""
        return bool(self._waits.wait(max(timeout_ns, 0)))

    def take(self) -> list[bytes]:
        """Takes what has been received, oldest first, and at most `MOST_TAKEN` messages. Hot path."""
        # Without the condition, the library raises an error on the notice that a writer has left.
        return [sample.payload for sample in self._reader.take(MOST_TAKEN, condition=self._condition)]


def _configuration(network: str) -> str:
    # The loopback interface does not say that it can multicast, but it can, and discovery needs it.
    multicast = ' multicast="true"' if network == LOOPBACK else ""
    return (
        '<CycloneDDS><Domain Id="any"><General><Interfaces>'
        f"<NetworkInterface name={quoteattr(network)}{multicast}/>"
        "</Interfaces></General></Domain></CycloneDDS>"
    )
