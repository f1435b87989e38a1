"""The checksum, against the shift register that its definition describes, bit by bit."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kilohertz.robots.unitree.checksum import checksum

POLYNOMIAL = 0x04C11DB7


def shifted(words: list[int]) -> int:
    register = 0xFFFFFFFF
    for word in words:
        for bit in range(31, -1, -1):
            carry = register >> 31
            register = (register << 1) & 0xFFFFFFFF
            # The two taps are separate: the message's bit is not fed into the carry.
            register ^= POLYNOMIAL * carry
            register ^= POLYNOMIAL * (word >> bit & 1)
    return register


@given(words=st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=20))
def test_it_is_the_shift_register(words: list[int]) -> None:
    memory = np.frombuffer(np.array([*words, 0], dtype="<u4").tobytes(), dtype=np.uint8)
    assert checksum(memory) == shifted(words)


def test_a_known_value() -> None:
    # CRC-32/MPEG-2 of the digits 1 to 8, of which each word holds four with the first one highest.
    words = [int.from_bytes(b"1234", "big"), int.from_bytes(b"5678", "big")]
    memory = np.frombuffer(np.array([*words, 0], dtype="<u4").tobytes(), dtype=np.uint8)
    assert checksum(memory) == shifted(words) != 0


def test_every_single_wrong_bit_is_found() -> None:
    memory = np.random.default_rng(0).integers(0, 256, 84, dtype=np.uint8)
    right = checksum(memory)
    for bit in range(8 * 80):
        wrong = memory.copy()
        wrong[bit // 8] ^= 1 << bit % 8
        assert checksum(wrong) != right
