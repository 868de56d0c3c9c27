"""The vectors of the kernel against numpy, number by number."""

from __future__ import annotations

import numpy as np
import pytest

from rare_market.clearing.eights import (
    bits,
    floats,
    load,
    load_some,
    nearest,
    ratio,
    store,
    total,
    whole,
)
from rare_market.clearing.jit import compiled


@compiled
def _divide(values, divisor, result):
    for i in range(0, values.shape[1], 8):
        store(result, 0, i, ratio(load(values, 0, i), divisor))


@compiled
def _to_whole(values, any_size, result):
    for i in range(0, values.shape[1], 8):
        store(result, 0, i, nearest(load(values, 0, i)))
        store(result, 1, i, whole(load(any_size, 0, i)))


@compiled
def _to_floats(values, result):
    for i in range(0, values.shape[1], 8):
        store(result, 0, i, floats(load(values, 0, i)))


@compiled
def _compare(a, b, first, count, found):
    below = load(a, 0, 0) < load(b, 0, 0)
    found[0], found[1] = bits(below), total(load(a, 0, 0))
    store(first, 0, 0, load_some(first, 1, 0, count, -1.0))


@pytest.mark.parametrize("divisor", [1e9, 2e6, 8e6])
def test_a_ratio_is_the_quotient_to_the_last_bit(divisor):
    rng = np.random.default_rng(1)
    values = np.floor(2.0 ** rng.uniform(0, 62, (1, 80_000))) * rng.choice([-1.0, 1.0], 80_000)
    values[0, :8] = 0.0
    result = np.empty_like(values)
    _divide(values, divisor, result)
    assert result.tobytes() == (values / divisor).tobytes()


def test_floats_become_whole_numbers_and_floats_again():
    """Ties go to the even number, as with numpy."""
    rng = np.random.default_rng(2)
    values = np.round(rng.uniform(-(2.0**49), 2.0**49, (1, 8_000)) * 4) / 4
    values[0, :8] = [0.5, 1.5, -0.5, -2.5, 2.0**50, 0.0, 1e12, -1e12]
    any_size = np.floor(2.0 ** rng.uniform(0, 61.9, (1, 8_000)))
    result, back = np.empty((2, 8_000), np.int64), np.empty((1, 8_000))
    _to_whole(values, any_size, result)
    assert np.array_equal(result[0], np.rint(values[0]).astype(np.int64))
    assert np.array_equal(result[1], any_size[0].astype(np.int64))
    _to_floats(result, back)
    assert np.array_equal(back[0], result[0].astype(np.float64))


def test_a_mask_has_a_bit_for_each_number():
    a, b = np.arange(8)[None] * 3, np.full((1, 8), 10)
    found, first = np.empty(2, np.int64), np.arange(16.0).reshape(2, 8)
    _compare(a, b, first, 3, found)
    assert found[0] == 0b1111
    assert found[1] == a.sum()
    assert first[0].tolist() == [8.0, 9.0, 10.0, -1.0, -1.0, -1.0, -1.0, -1.0]
