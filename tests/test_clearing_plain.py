"""The kernel's text, run by Python with every index checked, against the compiled kernel."""

from __future__ import annotations

from types import FunctionType

import numpy as np
import pytest

from rare_market import clearing
from tests import strategies
from tests.check_clearing import KINDS, sample_hint, sample_market
from tests.reference.plain_kernel import Row, Table, plain_clearing


@pytest.fixture(scope="module")
def plain():
    return plain_clearing()


def check(plain, monkeypatch, seed, kind):
    """One market, with a hint and without, with so few pivots that the fallback is used too."""
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    market = sample_market(rng, kind)
    for hint, pivots in ((None, 10_000), (sample_hint(rng, market), 10_000), (None, 1)):
        answers = []
        for kernel in (clearing, plain):
            with monkeypatch.context() as patch, np.errstate(all="ignore"):
                patch.setattr(kernel, "PIVOT_LIMIT", pivots)
                patch.setattr(strategies, "book_layout", kernel.book_layout)
                patch.setattr(strategies, "clear", kernel.clear)
                answers.append(market.clear(hint))
        compiled, read = answers
        assert read.answer.tobytes() == compiled.answer.tobytes()
        assert read.quota_rent_usd_per_kg.tolist() == compiled.quota_rent_usd_per_kg.tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_read_by_python_it_stays_within_its_tables_and_has_the_same_bytes(kind, plain, monkeypatch):
    """Fresh memory is full of rubbish, which reaches no answer."""
    assert isinstance(plain.clear_goods, FunctionType)
    check(plain, monkeypatch, 0, kind)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_read_by_python_many_markets_have_the_same_bytes(kind, plain, monkeypatch):
    for seed in range(1, 20):
        check(plain, monkeypatch, seed, kind)


def test_the_check_finds_an_index_out_of_its_row():
    table = Table(np.zeros(20), 2, 6)
    with pytest.raises(AssertionError, match="beyond the row"):
        table[0, 6]
    with pytest.raises(AssertionError, match="before the row"):
        table[1, -1] = 0.0
    with pytest.raises(AssertionError, match="beyond the memory"):
        table[3, 0]
    with pytest.raises(AssertionError, match="beyond the memory"):
        Row(np.zeros(3), 1)[2]
