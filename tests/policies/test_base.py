"""What every instrument has: dates, announcement, belief, withdrawal and a budget."""

from __future__ import annotations

import numpy as np
import pytest

from rare_market.ledger import KIND, REASON
from rare_market.model import RareEarthMarket
from rare_market.policies import OfftakeGuarantee, PriceFloor, Subsidy, Tariff, Undercutting
from rare_market.scenario import Scenario
from tests.conftest import first_difference, lifecycle, run

FLOOR = REASON["price_floor"]


def amended(policy: PriceFloor | Tariff, year: float, spent_usd: float = 0.0) -> RareEarthMarket:
    market = RareEarthMarket(Scenario(years=1), [policy])
    market.bulletin = market.bulletin._replace(year=year)
    market.ledger.spent_usd[0] = spent_usd
    market.amend()
    return market


def test_an_announced_contract_is_a_promise_and_not_yet_a_rule():
    """Two years ahead investors know it; nobody is paid."""
    policy = PriceFloor(start_year=2028.0, duration_years=10.0, announced_years=2.0)
    assert amended(policy, 2025.9).regime.promised().price_floors == ()
    rules = amended(policy, 2026.5).regime
    assert rules.price_floors == ()
    (promise,) = rules.promised().price_floors
    assert promise.scheme.years_until == pytest.approx(1.5)
    assert promise.years_left == pytest.approx(11.5)
    in_force = amended(policy, 2028.0).regime
    assert in_force.announced == ()
    assert in_force.price_floors[0].scheme.years_until == 0.0


def test_announcing_a_tax_changes_no_rule():
    """Only contracts can be counted on ahead."""
    market = amended(Tariff(start_year=2026.0, announced_years=3.0), 2024.0)
    assert market.regime is market.data.law


def test_investors_count_on_a_contract_as_far_as_they_believe_it():
    """Half the belief is half the capital recovery covered, and a late start covers less."""
    life = lifecycle(status="planned", lead_time_years=2.0)
    (terms,) = amended(PriceFloor(start_year=2024.0, belief_share=0.5), 2024.0).regime.price_floors
    assert life.believed_share(terms) == pytest.approx(0.5 * life.covered_share(terms.years_left))
    whole = life.covered_share(22.0)
    assert whole == pytest.approx(1.0)
    assert life.covered_share(22.0, 2.0) == pytest.approx(whole)  # starts when the plant does
    late, never = life.covered_share(22.0, 7.0), life.covered_share(22.0, 22.0)
    r, n = 0.15, 20.0
    assert late == pytest.approx(((1 + r) ** -5 - (1 + r) ** -n) / (1 - (1 + r) ** -n))
    assert never == pytest.approx(0.0)


def test_a_floor_that_nobody_believes_builds_nothing_more():
    """Capacity decided under it is that of no floor; a believed one brings more."""

    def separation_t(**terms: float) -> float:
        floor = PriceFloor(start_year=2025.0, strike_usd_per_kg=130.0, **terms)
        records = run([Undercutting(start_year=2024.0), floor], years=8)
        outside = np.delete(records.building_t + records.operating_t, records.catalogue.china, 2)
        return float(outside[-1, 1].sum())

    doubted, half, believed = (separation_t(belief_share=b) for b in (0.0, 0.5, 1.0))
    assert doubted < believed
    assert doubted <= half <= believed


def test_a_withdrawn_instrument_ends_without_notice():
    """Until then its end is announced as before; from then on it is as if it had ended."""
    policy = PriceFloor(start_year=2024.0, duration_years=10.0, withdrawn_after_years=1.0)
    assert amended(policy, 2024.9).regime.price_floors[0].years_left == pytest.approx(9.1)
    gone = amended(policy, 2025.0)
    assert gone.regime is gone.data.law
    paid = run([policy], years=2).balance_usd[:, KIND["state"], :, FLOOR].sum(axis=1)
    assert (paid[:12] < 0.0).all()
    assert (paid[12:] == 0.0).all()


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        (PriceFloor(start_year=2024.0, budget_musd=10.0), "price_floor"),
        (Subsidy(start_year=2024.0, producers="allied", budget_musd=30.0), "subsidy"),
        (OfftakeGuarantee(start_year=2024.0, budget_musd=30.0), "offtake"),
    ],
)
def test_a_budget_is_paid_out_to_the_cent_and_no_further(policy, reason):
    """The last payment is cut to what is left; then the instrument is gone."""
    market = RareEarthMarket(Scenario(years=3), [policy])
    for _ in range(36):
        market.step()
    spent = -market.records.balance_usd[:, KIND["state"], :, REASON[reason]].sum(axis=1)
    assert spent.sum() == pytest.approx(policy.budget_musd * 1e6, abs=0.005)
    assert market.ledger.spent_usd[0] == pytest.approx(policy.budget_musd * 1e6, abs=0.005)
    assert spent[-1] == 0.0
    assert market.regime is market.data.law
    assert market.records.valid


def test_a_budget_that_is_not_spent_changes_nothing():
    """To the bit."""
    wide = run([PriceFloor(start_year=2024.0)], years=2)
    capped = run([PriceFloor(start_year=2024.0, budget_musd=9e5)], years=2)
    assert first_difference(wide, capped) == ""
