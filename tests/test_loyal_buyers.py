"""Buyers who would rather not buy in China, and what that is worth to them."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from rare_market.goods import BOUND, LOYAL
from rare_market.ledger import KIND, REASON
from rare_market.model import RareEarthMarket
from rare_market.policies import Embargo, OriginRule
from rare_market.scenario import Scenario

PREMIUM = 30.0
# no oxide and metal for magnet makers abroad, while Chinese magnets go on leaving
STOP = Embargo(start_year=2024.5, duration_years=1.5, destinations="any", leak_share=0.0)


@cache
def stopped(premium_usd_per_kg: float) -> RareEarthMarket:
    """Two years in which others than China run out of magnets."""
    market = RareEarthMarket(Scenario(years=2, loyal_premium_usd_per_kg=premium_usd_per_kg), [STOP])
    market.gap_usd_per_kg, market.taken_t = [], []
    c = market.catalogue
    magnets, abroad = c.of_stage("magnet"), np.arange(len(c.places)) != c.china
    for _ in range(24):
        market.step()
        lane = (
            market.cost.total[magnets, c.china]
            + market.clearing.netback_usd_per_kg[magnets, c.china, None]
        )
        paid = market.board.price_usd_per_kg[magnets, :, LOYAL]
        market.gap_usd_per_kg.append((paid - lane)[:, abroad])
        flow_t = market.clearing.flow_t.reshape(len(c.goods), len(c.places), len(c.places), -1)
        market.taken_t.append(float(flow_t[magnets, c.china][..., LOYAL].sum()))
    return market


def test_loyal_buyers_never_pay_more_than_their_premium_above_landed_chinese_goods():
    """Each month, each magnet, each place; while others are short it is just that."""
    gap = np.array(stopped(PREMIUM).gap_usd_per_kg)
    assert gap.max() == pytest.approx(PREMIUM, abs=1e-4)


def test_they_stay_where_they_are_while_others_cost_little_more():
    """Nothing from China before others run short, much then; later where a premium hurts less."""
    taken_t = np.array(stopped(PREMIUM).taken_t)
    assert taken_t[:3].sum() == 0.0
    assert taken_t[12:].sum() > 1000.0
    devoted = stopped(10.0 * PREMIUM)
    assert np.argmax(taken_t > 0.0) < np.argmax(np.array(devoted.taken_t) > 0.0)
    assert np.max(devoted.gap_usd_per_kg) > 2.0 * PREMIUM


def test_what_they_bear_is_spent_at_their_place_and_nobody_in_china_gets_it():
    """The tonnes taken in the last month at the premium."""
    market = stopped(PREMIUM)
    spent_usd = market.ledger.balance_usd[KIND["economy"], :, REASON["requalification"]]
    assert spent_usd[market.catalogue.china] == 0.0
    assert spent_usd.sum() == pytest.approx(market.taken_t[-1] * PREMIUM * 1000.0)


def test_a_rule_of_origin_binds_them_as_long_as_it_lasts():
    """In the places and for the goods of the rule."""
    rule = OriginRule(start_year=2024.25, duration_years=0.5, members="USA")
    market = RareEarthMarket(Scenario(years=1), [rule])
    b, c = market.buyers, market.catalogue
    civil = np.array([name.endswith("_loyal") for name in b.name])
    under = civil & (b.place == c.place("USA")) & c.of_stage("magnet")[b.good]
    seen = []
    for _ in range(12):
        market.step()
        assert (b.buyer_class[civil & ~under] == LOYAL).all()
        seen.append(set(b.buyer_class[under].tolist()))
    assert seen[0] == seen[-1] == {LOYAL}
    assert seen[4] == {BOUND}
