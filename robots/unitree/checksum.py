"""The checksum of Unitree's low-level messages.

It is the CRC-32 with polynomial 0x04C11DB7, initial value 0xFFFFFFFF, neither reflected nor inverted, over
the 32-bit words of the message in memory except the last, which holds the checksum; of each word the highest
bit comes first. Source: `crc32_core` in unitreerobotics/unitree_sdk2,
include/unitree/dds_wrapper/common/crc.h.
"""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

_REVERSED_BITS = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_ALL = 0xFFFFFFFF


def checksum(memory: NDArray[np.uint8]) -> int:
    """Returns the checksum of a message. Hot path.

    zlib computes the reflected CRC with the same polynomial, so that the bits of its input and of its result
    are reversed here.

    Args:
        memory: (4 n,) bytes of the message in memory; the last four, the checksum itself, do not count.
    """
    highest_first = memory[:-4].view("<u4").byteswap().tobytes()
    reflected = zlib.crc32(highest_first.translate(_REVERSED_BITS)) ^ _ALL
    return int.from_bytes(reflected.to_bytes(4, "little").translate(_REVERSED_BITS), "big")
