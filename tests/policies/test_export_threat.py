"""Word that exports may stop."""

from __future__ import annotations

from rare_market.goods import OPEN
from rare_market.policies import ExportThreat
from tests.conftest import run


def test_fear_alone_raises_prices_and_is_paid_back():
    """A quarter of alarm: dearer with no rule changed, and cheaper when the stock is let go."""
    policy = ExportThreat(start_year=2024.5, duration_years=0.25, alarm_share=1.0)
    calm, afraid = run([], years=2), run([policy], years=2)
    c = calm.catalogue
    at = c.good("ndpr_oxide"), c.china, OPEN
    ratio = afraid.price_usd_per_kg[:, *at] / calm.price_usd_per_kg[:, *at]
    assert (ratio[:6] == 1.0).all()
    assert ratio[6:12].max() > 1.01
    assert ratio[12:].min() < 1.0
