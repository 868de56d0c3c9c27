"""Price undercutting by state producers."""

from __future__ import annotations

import numpy as np
import pytest

from rare_market.contracts import feared_usd_per_kg, floor_payment_usd_per_kg
from rare_market.goods import FACILITY_STAGES
from rare_market.ledger import KIND, REASON
from rare_market.model import RareEarthMarket
from rare_market.policies import Undercutting
from rare_market.scenario import Scenario
from tests.conftest import first_difference, run

GOOD = "ndpr_oxide"


@pytest.fixture(scope="module")
def market() -> RareEarthMarket:
    return RareEarthMarket(Scenario(years=1))


def test_the_ceiling_puts_the_export_price_its_depth_below_rivals_cost(market):
    """(1 - d) C = ceiling x (1 + t)."""
    c, law, told = market.catalogue, market.data.law, market.bulletin
    ruled = Undercutting(depth_share=0.4).amend(law, told)
    good = c.good(GOOD)
    ceiling = ruled.state_ask_ceiling_usd_per_kg[good, c.china]
    export_price = ceiling * (1.0 + law.export_tax_share[good, c.china])
    assert export_price == pytest.approx(0.6 * told.rival_cost_usd_per_kg[good])
    elsewhere = ruled.state_ask_ceiling_usd_per_kg.copy()
    elsewhere[good, c.china] = np.inf
    assert np.isinf(elsewhere).all()


def test_of_two_ceilings_the_lower_holds(market):
    """In either order."""
    law, told = market.data.law, market.bulletin
    mild, deep = Undercutting(depth_share=0.2), Undercutting(depth_share=0.5)
    alone = deep.amend(law, told).state_ask_ceiling_usd_per_kg
    for first, second in ((mild, deep), (deep, mild)):
        both = second.amend(first.amend(law, told), told)
        np.testing.assert_array_equal(both.state_ask_ceiling_usd_per_kg, alone)


def test_no_state_producer_asks_more_than_the_ceiling():
    """Every ask of a Chinese state plant for the good, after it has come into force."""
    market = RareEarthMarket(Scenario(years=2), [Undercutting(start_year=2025.0, depth_share=0.6)])
    for _ in range(13):
        market.step()
    c, plants = market.catalogue, market.processors
    good = c.good(GOOD)
    part = market.book.ask_part["processor"]
    asks = market.book.asks
    bound = (
        (asks.good[part] == good)
        & (asks.place[part] == c.china)
        & plants.life.state_owned[plants.ask_row]
    )
    ceiling = market.regime.state_ask_ceiling_usd_per_kg[good, c.china]
    assert bound.any()
    assert asks.limit_usd_per_kg[part][bound].max() == pytest.approx(ceiling)


def test_below_its_entry_trigger_it_only_threatens(market):
    """No rule of trade moves; entrants abroad know what they would get."""
    c, law, told = market.catalogue, market.data.law, market.bulletin
    calm = told._replace(entry_share=0.29)
    busy = told._replace(entry_share=0.31)
    policy = Undercutting(entry_trigger_share=0.3, depth_share=0.4)
    ruled = policy.amend(law, calm)
    (threat,) = ruled.threats
    assert all(a is b for a, b in zip(ruled._replace(threats=()), law, strict=True))
    good = c.good(GOOD)
    assert threat.price_usd_per_kg[good] == pytest.approx(0.6 * told.rival_cost_usd_per_kg[good])
    assert not threat.places[c.china]
    assert threat.places.sum() == len(c.places) - 1
    acts = policy.amend(law, busy)
    assert np.isfinite(acts.state_ask_ceiling_usd_per_kg).any()
    assert len(acts.threats) == 1


def test_entrants_count_on_the_threatened_price_as_far_as_they_believe_it():
    """80 at 40 threatened with a chance of a quarter is 70; what is cheaper already is not."""
    price, share = np.array([80.0, 30.0]), np.array([0.25, 0.25])
    assert feared_usd_per_kg(price, np.full(2, 40.0), share).tolist() == [70.0, 30.0]


NEVER = {"start_year": 2024.0, "duration_years": 30.0, "entry_trigger_share": 5.0}


def test_a_threat_that_nobody_believes_changes_nothing():
    """To the bit, with a trigger that entry never reaches."""
    threatened = run([Undercutting(belief_share=0.0, **NEVER)])
    assert not first_difference(threatened, run([]))


def test_a_believed_threat_deters_without_being_carried_out():
    """Less separation is decided outside China, and the treasury pays nothing."""
    free, feared = (
        run([Undercutting(belief_share=b, depth_share=0.9, **NEVER)], years=6) for b in (0.0, 1.0)
    )
    abroad = np.arange(len(free.catalogue.places)) != free.catalogue.china
    stage = FACILITY_STAGES.index("separation")
    started = [
        (r.building_t + r.operating_t)[:, stage][:, abroad].sum(axis=1)[-1] for r in (free, feared)
    ]
    assert started[1] < started[0]
    assert (feared.balance_usd[:, :, :, REASON["undercutting"]] == 0.0).all()


def test_a_floor_takes_the_fear_away():
    """At the strike a threatened plant expects what an unthreatened one does."""
    price, threatened = np.array([80.0]), np.array([40.0])
    free = price + floor_payment_usd_per_kg(price, 110.0, 0.0)
    feared = feared_usd_per_kg(price, threatened, np.array([0.6]))
    assert feared + floor_payment_usd_per_kg(feared, 110.0, 0.0) == pytest.approx(free)


def test_the_treasury_of_china_covers_the_losses_of_its_own_producers_only():
    """Nobody else pays or is paid for undercutting."""
    records = run([Undercutting(start_year=2025.0, depth_share=0.7)])
    c = records.catalogue
    paid = records.balance_usd[:, :, :, REASON["undercutting"]].sum(axis=0)
    assert paid[KIND["state"], c.china] < 0.0
    assert paid[KIND["processor"], c.china] > 0.0
    paid[:, c.china] = 0.0
    assert (paid == 0.0).all()


def test_undercutting_lowers_the_price_in_and_outside_china(short_run):
    """Of NdPr oxide, over two years, at a depth that binds."""
    records = run([Undercutting(start_year=2025.0, depth_share=0.7)])
    c = records.catalogue
    good = c.good(GOOD)
    for place in ("CHN", "JPN"):
        low, free = (
            r.price_usd_per_kg[12:, good, c.place(place), 0].mean() for r in (records, short_run)
        )
        assert low < free


def test_recoupment_holds_the_price_near_rivals_cost_after_the_attack():
    """A year below rivals' cost, then every ask in China at 95 % of it, export tax taken off."""
    policy = Undercutting(start_year=2024.0, attack_years=1.0, recoup_share=0.95)
    market = RareEarthMarket(Scenario(years=3), [policy])
    c = market.catalogue
    good = c.good("ndpr_oxide")
    for _ in range(12):
        market.step()
    assert np.isfinite(market.regime.state_ask_ceiling_usd_per_kg[good, c.china])
    assert not market.regime.ask_floor_usd_per_kg.any()
    attack = market.records.netback_usd_per_kg[11, good, c.china]
    for _ in range(24):
        market.step()
    rules, told = market.regime, market.bulletin
    held = 0.95 * told.rival_cost_usd_per_kg[good] / (1.0 + rules.export_tax_share[good, c.china])
    assert rules.ask_floor_usd_per_kg[good, c.china] == pytest.approx(held)
    assert np.isinf(rules.state_ask_ceiling_usd_per_kg[good, c.china])
    assert market.records.netback_usd_per_kg[35, good, c.china] > 1.2 * attack


def test_a_budget_ends_the_attack():
    """The treasury covers forty million of losses and no more."""
    policy = Undercutting(start_year=2024.0, depth_share=0.7, budget_musd=40.0)
    market = RareEarthMarket(Scenario(years=2), [policy])
    for _ in range(24):
        market.step()
    column = REASON["undercutting"]
    paid = -market.records.balance_usd[:, KIND["state"], market.catalogue.china, column]
    assert paid.sum() == pytest.approx(40e6, abs=0.005)
    assert paid[-1] == 0.0
    assert market.regime is market.data.law
