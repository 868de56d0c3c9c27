"""Value-added tax on exports."""

from __future__ import annotations

import pytest

from rare_market.model import RareEarthMarket
from rare_market.policies import VatRefund
from rare_market.scenario import Scenario


@pytest.mark.parametrize(("refund_share", "left"), [(1.0, 0.0), (0.5, 0.065), (0.0, 0.13)])
def test_what_is_not_refunded_stays_on_exports(refund_share, left):
    """Thirteen percent, half of it, or nothing; other places keep their law."""
    policy = VatRefund(start_year=2024.0, refund_share=refund_share, goods="oxide")
    market = RareEarthMarket(Scenario(years=1), [policy])
    market.publish()
    market.amend()
    c, rules = market.catalogue, market.regime
    assert rules.export_tax_share[c.good("dy_oxide"), c.china] == pytest.approx(left)
    assert rules.export_tax_share[c.good("ndpr_metal"), c.china] == 0.13
    assert rules.export_tax_share[c.good("dy_oxide"), c.place("USA")] == 0.0


def test_withdrawing_a_refund_taxes_what_was_free():
    """Magnets leave with the tax on them."""
    policy = VatRefund(start_year=2024.0, goods="magnet", refund_share=0.0)
    market = RareEarthMarket(Scenario(years=1), [policy])
    market.publish()
    market.amend()
    magnets = market.catalogue.of_stage("magnet")
    assert (market.regime.export_tax_share[magnets, market.catalogue.china] == 0.13).all()
