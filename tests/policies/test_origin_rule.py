"""Bound buyers without Chinese content, stage by stage."""

from __future__ import annotations

import numpy as np
import pytest

from rare_market.content import OFFERED
from rare_market.goods import BOUND, OPEN
from rare_market.ledger import KIND, REASON
from rare_market.model import RareEarthMarket
from rare_market.policies import OriginRule
from rare_market.scenario import Scenario
from tests.conftest import run

RULE = OriginRule(start_year=2025.0, members="allied")


def test_bound_buyers_get_no_more_than_the_untouched_part_of_what_is_on_offer():
    """Month by month, over every origin; none from one that is touched throughout."""
    market = RareEarthMarket(Scenario(years=2), [RULE])
    c = market.catalogue
    magnets, sold = c.of_stage("magnet"), 0.0
    for _ in range(24):
        clean = 1.0 - market.content.share[0, OFFERED]
        market.step()
        if market.period <= 12:
            continue
        flow_t = market.clearing.flow_t.reshape(len(c.goods), len(c.places), len(c.places), -1)
        under_t = flow_t[magnets][:, :, c.allied, BOUND].sum(axis=2)
        most_t = (clean * market.book.asked_t())[magnets]
        assert (under_t <= most_t + 1e-6).all()
        sold += under_t.sum()
    assert sold > 0.0


def test_a_rule_on_metal_too_leaves_less_to_buy_and_one_on_separation_little_changes_that():
    """Metal is the narrow place: who melts outside China finds oxide separated there as well."""
    bought_t = []
    for stages in ("magnet", "metal+magnet", "separation+metal+magnet"):
        records = run([OriginRule(start_year=2025.0, members="allied", stages=stages)])
        c = records.catalogue
        magnets = records.bought_t[12:, c.of_stage("magnet")][:, :, c.allied, BOUND]
        bought_t.append(magnets.sum())
    assert bought_t[0] > 2.0 * bought_t[1] > 0.0
    assert bought_t[2] == pytest.approx(bought_t[1], rel=0.1)


@pytest.fixture(scope="module")
def american() -> tuple[RareEarthMarket, RareEarthMarket]:
    """Three years of the American rule of 2025, and of one in which plants do not mind origin."""
    markets = [RareEarthMarket(Scenario(years=3), [OriginRule(start_year=2025.0)]) for _ in "ab"]
    markets[1]._clean_demand = lambda: None
    for market in markets:
        for _ in range(36):
            market.step()
    return markets[0], markets[1]


def test_a_premium_on_clean_magnets_makes_a_premium_on_clean_metal(american):
    """In Japan, whose magnet makers live on Chinese metal, untouched metal is the dearer."""
    market, careless = american
    c, gap = market.catalogue, []
    metal, japan = c.good("ndpr_metal"), c.place("JPN")
    for records in (market.records, careless.records):
        price = records.price_usd_per_kg[14:, metal, japan]
        gap.append((price[:, BOUND] - price[:, OPEN]).mean())
    assert gap[0] > gap[1]
    assert gap[0] > 0.0
    bought_t = market.records.bought_t[14:, metal, japan]
    assert bought_t[:, BOUND].sum() > 0.0
    assert careless.records.bought_t[14:, metal, :, BOUND].sum() == 0.0


def test_clean_feed_flows_to_plants_abroad_and_their_magnets_hold_less_of_the_state(american):
    """Japanese magnets for sale, after two years; the wish has reached the oxide, too."""
    market = american[0]
    c = market.catalogue
    for name in ("ndfeb_standard_magnet", "ndfeb_ht_magnet"):
        held = [m.content.share[0, OFFERED, c.good(name), c.place("JPN")] for m in american]
        assert held[0] < held[1] - 0.02
    assert market.records.bought_t[14:, c.good("ndpr_oxide"), :, BOUND].sum() > 0.0


def test_the_choice_of_feed_starves_nobody(american):
    """Bound Americans buy as many NdFeB magnets, and the plants abroad make as many."""
    market, careless = american
    c = market.catalogue
    magnets = [c.good("ndfeb_standard_magnet"), c.good("ndfeb_ht_magnet")]
    abroad = np.arange(len(c.places)) != c.china
    bought_t, made_t = [], []
    for records in (market.records, careless.records):
        bought_t.append(records.bought_t[12:, magnets, c.place("USA"), BOUND].sum())
        made_t.append(records.made_t[12:, magnets][:, :, abroad].sum())
    assert bought_t[0] > 0.97 * bought_t[1]
    assert made_t[0] > 0.97 * made_t[1]


def test_where_only_the_making_counts_plants_take_any_feed():
    """Metal that is touched at no stage that counts needs no second market."""
    records = run([OriginRule(start_year=2025.0, members="allied", stages="magnet")], years=2)
    c = records.catalogue
    assert records.bought_t[:, ~c.of_stage("magnet"), :, BOUND].sum() == 0.0


def test_the_premium_goes_to_the_sellers_of_the_place():
    """Treasuries of allies keep nothing of it: what trade pays them as rent they pass on."""
    rent = run([RULE]).balance_usd[12:, :, :, REASON["scarcity_rent"]]
    firms = rent[:, KIND["producer"]] + rent[:, KIND["processor"]] + rent[:, KIND["merchant"]]
    assert firms.sum() > 1e6
    assert np.abs(rent[:, KIND["state"]]).sum() < 1e-6 * firms.sum()


def test_open_buyers_are_free_to_buy_what_is_touched():
    """Chinese magnets go on reaching the United States."""
    records = run([RULE])
    c = records.catalogue
    assert records.flow_t[12:, c.good("ndfeb_standard_magnet"), c.china, c.place("USA")].sum() > 0
