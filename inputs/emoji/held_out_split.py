"""Which rows of its data `scoreact pretrain` holds out: those with the smallest random numbers of a fixed key.

The numbers are Philox 4x32-10 (Salmon et al., SC11), as in kernels/philox.hpp and src/data/split.cpp.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

SPLIT_SEED = 0x5C02EAC7
PURPOSE_OF_LABELS = 4 << 24
LOW = np.uint64(0xFFFFFFFF)


def philox(counter: list[NDArray[np.uint64]], key: tuple[int, int]) -> list[NDArray[np.uint64]]:
    """Ten rounds on four counter words [n] below 2^32; four words of the same form."""
    words = list(counter)
    for number in range(10):
        keys = [(key[0] + number * 0x9E3779B9) % 2**32, (key[1] + number * 0xBB67AE85) % 2**32]
        first, second = np.uint64(0xD2511F53) * words[0], np.uint64(0xCD9E8D57) * words[2]
        words = [
            (second >> np.uint64(32)) ^ words[1] ^ np.uint64(keys[0]),
            second & LOW,
            (first >> np.uint64(32)) ^ words[3] ^ np.uint64(keys[1]),
            first & LOW,
        ]
    return words


def split_rows(count: int, test_fraction: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows for training and rows held out, both ascending; `test_fraction` is the deck's `data.test_fraction`."""
    rows = np.arange(count, dtype=np.uint64)
    zeros = np.zeros_like(rows)
    numbers = philox([zeros, rows, zeros + np.uint64(PURPOSE_OF_LABELS), zeros], (SPLIT_SEED, 0))[0]
    order = np.argsort(numbers, kind="stable").astype(np.int64)
    held_out = math.floor(test_fraction * count + 0.5)
    return np.sort(order[held_out:]), np.sort(order[:held_out])
