"""The lease goes to one client, to a person before a program, and ends with its holder's silence."""

from __future__ import annotations

from kilohertz.rt.live.agent.lease import SILENCE_NS, Lease

PERSON, PROGRAM = "person", "program"


def test_the_first_client_gets_the_lease_and_others_of_its_role_do_not() -> None:
    for role in (PERSON, PROGRAM):
        lease = Lease()
        assert lease.take(b"a", "Ann", role, 0, expressly=False) == ""
        assert (lease.holder, lease.name, lease.role) == (b"a", "Ann", role)
        assert lease.take(b"b", "Ben", role, 0, expressly=True) == f"the {role} 'Ann' holds the lease"
        assert lease.take(b"a", "Ann", role, 0, expressly=False) == ""
        assert lease.holder == b"a"


def test_a_person_takes_over_from_a_program_and_not_the_other_way_round() -> None:
    lease = Lease()
    lease.take(b"p", "policy", PROGRAM, 0, expressly=False)
    assert lease.take(b"a", "Ann", PERSON, 0, expressly=False) == ""
    assert lease.holder == b"a"
    assert "'Ann'" in lease.take(b"p", "policy", PROGRAM, 0, expressly=True)


def test_a_program_that_streams_on_does_not_get_back_what_a_person_took() -> None:
    lease = Lease()
    lease.take(b"p", "policy", PROGRAM, 0, expressly=False)
    lease.take(b"a", "Ann", PERSON, 0, expressly=False)
    assert lease.gone(b"a")
    assert "take it again" in lease.take(b"p", "policy", PROGRAM, 0, expressly=False)
    assert lease.holder is None
    assert lease.take(b"p", "policy", PROGRAM, 0, expressly=True) == ""
    lease.end()
    assert lease.take(b"p", "policy", PROGRAM, 0, expressly=False) == ""


def test_only_the_holders_messages_keep_the_lease() -> None:
    lease = Lease()
    assert not lease.is_silent(10 * SILENCE_NS)
    lease.take(b"a", "Ann", PERSON, 0, expressly=True)
    lease.heard(b"b", SILENCE_NS)
    assert not lease.is_silent(SILENCE_NS)
    assert lease.is_silent(SILENCE_NS + 1)
    lease.heard(b"a", SILENCE_NS)
    assert not lease.is_silent(2 * SILENCE_NS)


def test_a_client_that_leaves_takes_only_its_own_lease_with_it() -> None:
    lease = Lease()
    lease.take(b"a", "Ann", PERSON, 0, expressly=True)
    assert not lease.gone(b"b")
    assert lease.holder == b"a"
    assert lease.gone(b"a")
    assert (lease.holder, lease.name, lease.role) == (None, "", "")
