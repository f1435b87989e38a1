"""The lease: at most one client at a time commands the controller, a person before a program."""

from __future__ import annotations

from kilohertz.rt.live.control_messages import PERSON, PROGRAM

SILENCE_NS = 500_000_000
"""Time without a message of its holder after which a lease ends [ns]."""
_RANK = {PROGRAM: 1, PERSON: 2}


class Lease:
    """Who holds the right to command the controller.

    A client gets the lease if nobody holds it, or if a program holds it and the client is a person. The
    client whose lease another one took over gets it back only if it asks for it expressly.

    Attributes:
        holder: routing id of the client that holds the lease; None if no client does.
        name, role: name and role of this client; "" if no client holds the lease.
    """

    def __init__(self) -> None:
        self.holder: bytes | None = None
        self.name = self.role = ""
        self._heard_ns = 0
        self._displaced: set[bytes] = set()

    def take(self, peer: bytes, name: str, role: str, now_ns: int, *, expressly: bool) -> str:
        """Gives the lease to a client, if it may have it; keeps it with its holder.

        Args:
            peer: routing id of the client.
            name: name of the client.
            role: PERSON or PROGRAM.
            now_ns: time of the monotonic clock [ns].
            expressly: whether the client asks for the lease, or sends a request; False for a stream.

        Returns:
            Why the client does not get the lease, one sentence; "" if it has it now.
        """
        if peer == self.holder:
            return ""
        if self.holder is not None and _RANK[role] <= _RANK[self.role]:
            return f"the {self.role} '{self.name}' holds the lease"
        if peer in self._displaced and not expressly:
            return "another client took over the lease: take it again before the next stream"
        if self.holder is not None:
            self._displaced.add(self.holder)
        self._displaced.discard(peer)
        self.holder, self.name, self.role, self._heard_ns = peer, name, role, now_ns
        return ""

    def heard(self, peer: bytes, now_ns: int) -> None:
        """Notes that a client has sent a message."""
        if peer == self.holder:
            self._heard_ns = now_ns

    def end(self) -> None:
        """Ends the lease; nobody holds it then."""
        self.holder = None
        self.name = self.role = ""

    def gone(self, peer: bytes) -> bool:
        """Forgets a client that has left; returns whether it held the lease."""
        self._displaced.discard(peer)
        if peer != self.holder:
            return False
        self.end()
        return True

    def is_silent(self, now_ns: int) -> bool:
        """Returns whether the holder has been silent for so long that its lease ends."""
        return self.holder is not None and now_ns - self._heard_ns > SILENCE_NS
