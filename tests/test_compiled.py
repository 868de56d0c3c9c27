"""Compiled rules take numbers and columns, and are kept no longer than they hold."""

from __future__ import annotations

import numpy as np

from rare_market.board import _bounded
from rare_market.compiled import STAMP, compiled


@compiled
def _capped_ratio(value, base):
    return np.minimum(value / base, 2.0)


def test_a_rule_takes_numbers_and_columns_alike():
    assert _capped_ratio(1.0, 2.0) == 0.5
    assert _capped_ratio(np.array([1.0, 9.0]), np.array([2.0, 1.0])).tolist() == [0.5, 2.0]


def test_dividing_by_zero_is_no_error():
    assert _capped_ratio(-1.0, 0.0) == -np.inf


def test_all_rules_are_kept_under_one_digest_of_their_files():
    """Else a rule would go on with what another file said before."""
    assert _bounded._cache._cache_file._source_stamp == STAMP
