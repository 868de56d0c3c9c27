"""One for all: a cut of supplies to one member is answered by every member."""

from __future__ import annotations

import numpy as np
import pytest

from rare_market.ledger import KIND, REASON
from rare_market.model import RareEarthMarket
from rare_market.policies import CollectiveResponse, Embargo, Subsidy
from rare_market.scenario import Scenario
from tests.conftest import run


@pytest.fixture(scope="module")
def market() -> RareEarthMarket:
    return RareEarthMarket(Scenario(years=1))


@pytest.mark.parametrize(("flow_t", "answered"), [(100.0, False), (51.0, False), (49.0, True)])
def test_the_trigger_is_a_fall_below_the_mean_of_the_year_before(market, flow_t, answered):
    """Half of the usual flow to one member."""
    c = market.catalogue
    jpn = c.place("JPN")
    moved_t = np.zeros((13, len(c.goods), len(c.places), len(c.places)))
    moved_t[:, c.good("dy_oxide"), c.china, jpn] = 100.0
    moved_t[-1, c.good("dy_oxide"), c.china, jpn] = flow_t
    told = market.bulletin._replace(period=13, moved_t=moved_t)
    members = c.allied.copy()
    assert CollectiveResponse().is_set_off(told, c.china, members) is answered


def test_every_member_answers_while_the_shock_is_recent():
    """Japan is cut off for three months of 2025; both members charge until half a year after."""
    policies = [
        CollectiveResponse(start_year=2025.0, lasts_months=6, members="JPN+USA", trigger_share=0.9),
        Embargo(start_year=2025.5, duration_years=0.25, leak_share=0.0),
    ]
    market = RareEarthMarket(Scenario(years=3), policies)
    c = market.catalogue
    magnet, lane = c.good("ndfeb_standard_magnet"), (c.china, c.place("USA"))
    extra = []
    for _ in range(36):
        market.step()
        law = market.data.law_at(market.bulletin.year)
        extra.append((market.regime.import_duty_share - law.import_duty_share)[magnet, *lane])
    assert max(extra[:18]) == 0.0  # a shock shows in the month after it
    assert extra[19:26] == [pytest.approx(0.5)] * 7
    assert extra[35] == 0.0


def test_a_shock_to_one_sets_off_the_instruments_of_others_that_wait_for_it():
    """Japan is cut off; the American subsidy is paid from the month after, and only then."""
    embargo = Embargo(start_year=2025.5, duration_years=0.25, leak_share=0.0)
    together = CollectiveResponse(
        start_year=2025.0, lasts_months=6, members="JPN+USA", trigger_share=0.9, rate_share=0.0
    )
    help_ = Subsidy(start_year=2025.0, producers="allied", only_in_shock=True)
    paid = []
    for policies in ([help_, embargo, together], [help_, embargo]):
        balance = run(policies).balance_usd[:, KIND["state"], :, REASON["subsidy"]]
        paid.append(-balance.sum(axis=1) > 0.0)
    answered, alone = paid
    assert answered.tolist() == [False] * 19 + [True] * 8 + [False] * 9
    assert not alone.any()
