"""Grant, loan, guarantee and equity as offers; their payments are in tests/test_finance.py."""

from __future__ import annotations

import numpy as np
import pytest

from rare_market.ledger import KIND, REASON
from rare_market.model import RareEarthMarket
from rare_market.policies import Equity, Grant, Guarantee, Loan
from rare_market.policies.project_finance import ProjectFinance
from rare_market.scenario import Scenario

TERMS = {"start_year": 2024.0, "capital_share": 0.9, "producers": "allied", "stages": "separation"}
every_kind = pytest.mark.parametrize(
    "instrument", [Grant, Loan, Guarantee, Equity], ids=lambda kind: kind.name
)


@every_kind
def test_only_projects_it_covers_sign_and_pay_or_are_paid(instrument: type[ProjectFinance]):
    """Allied separation, decided while the offer stands; the state is on one side of it."""
    market = RareEarthMarket(Scenario(years=6), [instrument(**TERMS)])
    for _ in range(72):
        market.step()
    p, m, c = market.producers, market.processors, market.catalogue
    signed = market.commitments[0].signed
    assert not signed[: p.rows].any()
    assert set(m.stage[signed[p.rows :]]) <= {1}
    assert c.allied[m.place[signed[p.rows :]]].all()
    balance = market.records.balance_usd[..., REASON[instrument.name]]
    np.testing.assert_allclose(balance.sum(axis=(1, 2)), 0.0, atol=1e-3)
    payer = balance[:, KIND["state"]].sum(axis=0)
    assert np.count_nonzero(payer) <= 1
    assert market.ledger.spent_usd[0] == -payer[c.place("USA")]


@every_kind
def test_an_unknown_project_is_refused(instrument: type[ProjectFinance]):
    """Names are those of the table of facilities."""
    with pytest.raises(ValueError, match="is no mine or plant"):
        RareEarthMarket(Scenario(years=1), [instrument(facilities="el_dorado")])
