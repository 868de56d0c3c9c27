"""Faster permits."""

from __future__ import annotations

import numpy as np
import pytest

from rare_market.model import RareEarthMarket
from rare_market.policies import Grant, PermitFastTrack
from rare_market.scenario import Scenario
from tests.conftest import lifecycle


def test_the_outlay_is_the_same_in_fewer_months():
    """Forty percent of 24 months saved."""
    life = lifecycle(2, status="planned", lead_time_years=2.0)
    whole = life.outlay_usd_per_month * life.left_months
    life.reschedule(np.array([0.6, 1.0]), np.ones(2))
    assert life.left_months.tolist() == pytest.approx([14.4, 24.0])
    np.testing.assert_allclose(life.outlay_usd_per_month * life.left_months, whole)


def test_projects_come_sooner_with_the_probability():
    """None at probability 0, all at 1, and the same luck in between."""

    def operating(success_share: float) -> np.ndarray:
        fast = PermitFastTrack(start_year=2024.0, cut_share=0.8, success_share=success_share)
        market = RareEarthMarket(
            Scenario(years=6), [Grant(start_year=2024.0, capital_share=0.9), fast]
        )
        for _ in range(72):
            market.step()
        return market.records.facility_status[36:48] == 0

    none, some, all_ = (operating(share).sum() for share in (0.0, 0.5, 1.0))
    assert none <= some <= all_
    assert none < all_
