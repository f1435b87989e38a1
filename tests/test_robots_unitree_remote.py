"""Buttons of the remote control."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilohertz.robots.unitree.remote import BUTTONS, BYTES, buttons, emergency, present


def pressed(*names: str) -> bytes:
    return b"\x55\x51" + buttons(*names).to_bytes(2, "little") + bytes(BYTES - 4)


def test_the_layout_of_the_buttons() -> None:
    # In the third byte R1 is the lowest bit; in the fourth A is.
    assert buttons("R1") == 0x0001
    assert buttons("L2") == 0x0020
    assert buttons("A", "left") == 0x8100


@pytest.mark.parametrize(("names", "told"), [(("L1", "A"), "L1+A"), (("L2", "B", "up"), "L2+B")])
def test_emergency_combinations_are_named(names: tuple[str, ...], told: str) -> None:
    assert emergency(pressed(*names)) == told


@given(names=st.sets(st.sampled_from(BUTTONS)))
def test_nothing_else_is_an_emergency(names: set[str]) -> None:
    wanted = {"L1", "A"} <= names or {"L2", "B"} <= names
    assert bool(emergency(pressed(*names))) == wanted


def test_a_remote_that_is_off_sends_zeros() -> None:
    assert not present(bytes(BYTES))
    assert present(pressed())
