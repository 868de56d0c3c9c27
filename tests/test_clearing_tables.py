"""Rows and tables of the kernels against the arrays they lie in."""

from __future__ import annotations

import numpy as np
import pytest
from numba import TypingError

from rare_market.clearing.eights import load, store
from rare_market.clearing.jit import compiled
from rare_market.clearing.tables import hold, row, table

PAIR = np.dtype([("low", np.uint32), ("high", np.int64)], align=True)


@compiled
def _write(words, pairs, small):
    second = table(words, 8, 16)
    second[1, 3] = 7  # entry 8 + 16 + 3
    second[np.uint32(0), np.int64(2)] += 5
    store(second, 1, 8, load(second, 0, 0))
    later = row(row(words, 8), 40)
    later[1] = words[10]
    records = row(pairs, 1)
    records[2].low, records[2].high = 4, -4
    codes = row(small, 0)
    words[0] = codes[0] - codes[1]
    hold(words, pairs)
    return second[1, 3], records[2].high


def test_rows_and_tables_write_where_the_array_has_it():
    words, pairs = np.arange(64), np.zeros(4, PAIR)
    small = np.array([1, 2**32 - 1], np.uint32)
    expected = words.copy()
    assert _write(words, pairs, small) == (7, -4)
    expected[0], expected[27], expected[10] = 2 - 2**32, 7, 15
    expected[32:40] = expected[8:16]
    expected[49] = 15
    assert words.tolist() == expected.tolist()
    assert pairs[3]["low"] == 4
    assert pairs["high"].tolist() == [0, 0, 0, -4]


@compiled
def _second(entries):
    return row(entries, 1)[0]


@pytest.mark.parametrize("entries", [np.arange(9)[::3], np.ones((2, 2))])
def test_what_does_not_lie_in_line_is_refused(entries):
    with pytest.raises(TypingError):
        _second(entries)
