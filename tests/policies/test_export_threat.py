"""Word that exports may stop."""

from __future__ import annotations

import numpy as np

from rare_market.goods import OPEN
from rare_market.policies import ExportThreat
from tests.conftest import run


def test_fear_alone_raises_prices_the_more_the_greater_and_is_paid_back():
    """A quarter of alarm: dearer with no rule changed, and cheaper when the stock is let go."""
    calm = run([], years=3)
    c = calm.catalogue
    at = c.good("ndpr_oxide"), c.china, OPEN
    peak = [1.0]
    for alarm_share in (0.25, 0.5, 1.0):
        threat = ExportThreat(start_year=2024.5, duration_years=0.25, alarm_share=alarm_share)
        ratio = run([threat], years=3).price_usd_per_kg[:, *at] / calm.price_usd_per_kg[:, *at]
        assert (ratio[:6] == 1.0).all()
        assert ratio[12:].min() < 1.0
        peak.append(ratio[6:12].max())
    assert (np.diff(peak) > 0.0).all()
