"""Subsidies per kg sold."""

from __future__ import annotations

import numpy as np
import pytest

from rare_market.ledger import KIND, REASON
from rare_market.policies import Subsidy
from tests.conftest import run


def test_every_kg_sold_is_paid_at_any_price():
    """20 USD on each kg of magnets that allied plants sell."""
    records = run([Subsidy(start_year=2025.0, producers="JPN", goods="magnet")], years=2)
    c, reason = records.catalogue, REASON["subsidy"]
    paid = records.balance_usd[12:, KIND["processor"], c.place("JPN"), reason]
    magnets = c.of_stage("magnet")
    sold_t = records.flow_t[12:, magnets][:, :, c.place("JPN")].sum(axis=(1, 2))
    np.testing.assert_allclose(paid, 20.0 * 1000.0 * sold_t, rtol=1e-9)
    assert paid.min() > 0.0
    usa = records.balance_usd[12:, KIND["state"], c.place("USA"), reason]
    np.testing.assert_allclose(usa, -paid)


def test_a_subsidy_on_ore_is_refused():
    """The scheme is offered to plants."""
    with pytest.raises(ValueError, match="must not contain a concentrate"):
        run([Subsidy(goods="concentrate")])
