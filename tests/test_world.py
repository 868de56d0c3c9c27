"""From data rows to traders: parity prices, ties between mine and plant, rivals' cost."""

from __future__ import annotations

import numpy as np
import pytest

from rare_market.agents.producer import NO_PLANT
from rare_market.dataset import read_data
from rare_market.goods import BOUND, OPEN
from rare_market.model import RareEarthMarket
from rare_market.scenario import Scenario
from rare_market.world import build_world


@pytest.fixture(scope="module")
def data():
    return read_data()


@pytest.fixture(scope="module")
def world(data):
    return build_world(data, Scenario())


def test_first_prices_stand_at_parity_with_china(data, world):
    """A buyer abroad pays the Chinese price plus tax, freight, insurance and duty."""
    c, start = data.catalogue, world.start
    oxide, usa = c.good("ndpr_oxide"), c.place("USA")
    china = start.netback_usd_per_kg[oxide, c.china]
    freight = data.law.freight_usd_per_kg[oxide, c.china, usa]
    expected = china * (1.0 + 0.13 + Scenario().insurance_share) + freight
    assert start.price_usd_per_kg[oxide, usa, OPEN] == pytest.approx(expected)


def test_bound_buyers_start_with_a_premium_on_magnets_only(data, world):
    c, price = data.catalogue, world.start.price_usd_per_kg
    premium = price[:, c.place("JPN"), BOUND] - price[:, c.place("JPN"), OPEN]
    magnet = c.of_stage("magnet")
    np.testing.assert_allclose(premium[magnet], Scenario().bound_premium_usd_per_kg)
    np.testing.assert_array_equal(premium[~magnet], 0.0)


def test_a_tied_mine_feeds_a_plant_that_takes_its_ore(world):
    p, m = world.producers, world.processors
    tied = np.nonzero(p.plant != NO_PLANT)[0]
    assert len(tied) > 3
    for row in tied:
        feeds = m.feed.good[m.feed.row == p.plant[row]]
        assert feeds.tolist() == [p.good[row]]


def test_first_output_is_the_output_of_2024(data, world):
    rows = data.tables.facilities
    mined = rows["output_t_per_year"][rows["stage"] == "mine"].sum()
    output = world.producers.output_t[~world.collector].sum() * 12
    assert output == pytest.approx(mined)


def test_cover_is_read_for_the_place_and_for_the_good(data, world):
    """Bayan Obo holds six months of ore; the other Chinese mines what any mine holds."""
    c, p = data.catalogue, world.producers
    bayan = p.good == c.good("bayan_obo_concentrate")
    clay = (p.good == c.good("ionic_clay_concentrate")) & (p.place == c.china)
    assert set(p.cover_months[bayan]) == {6.0}
    assert set(p.cover_months[clay]) == {1.0}


def test_rivals_need_more_than_the_price_of_2024(data, world):
    """No planned project outside China earned its return at 2024 prices."""
    c = data.catalogue
    cost = world.rival_cost_usd_per_kg[c.good("ndpr_oxide")]
    assert 70.0 < cost < 130.0
    assert np.isnan(world.rival_cost_usd_per_kg[c.good("ndpr_metal")])


def test_only_quota_mines_of_growing_quotas_move_with_the_quota(data, world):
    c, p = data.catalogue, world.producers
    moving = set(p.good[p.quota_bound])
    assert c.good("bayan_obo_concentrate") in moving
    assert c.good("ionic_clay_concentrate") not in moving
    assert (p.place[p.quota_bound] == c.china).all()


def test_states_start_with_the_reserves_of_the_table_and_keep_them():
    """Japan: three months of the NdPr oxide used there, still held and unsold after a quarter."""
    market = RareEarthMarket(Scenario(years=1))
    c, m, b = market.catalogue, market.processors, market.buyers
    good, japan = c.good("ndpr_oxide"), c.place("JPN")
    fed_t = m.feed.coefficient * m.activity_t[m.feed.row]
    used_t = fed_t[(m.feed.good == good) & (m.feed.place == japan)].sum()
    used_t += b.demand_t[(b.good == good) & (b.place == japan)].sum()
    held_t = market.states.stockpile_t[japan, good]
    assert used_t > 0.0
    assert held_t == pytest.approx(3.0 * used_t)
    for _ in range(3):
        market.step()
    assert market.states.stockpile_t[japan, good] == held_t
    assert market.states.reserve_t[japan, good] == held_t


def test_no_state_held_rare_earths_in_2007():
    """China bought from 2012 on, Japan after 2014."""
    assert RareEarthMarket(Scenario(start_year=2007, years=1)).states.stockpile_t.sum() == 0.0
