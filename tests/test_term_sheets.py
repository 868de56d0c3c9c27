"""Worked term sheets, to the cent and to the month; loans are in test_finance.py."""

from __future__ import annotations

import numpy as np
import pytest

from rare_market import settlement
from rare_market.agents.processor import Processors
from rare_market.agents.producer import Producers
from rare_market.agents.state import States
from rare_market.agents.trader import ASK_STEPS
from rare_market.book import Book
from rare_market.clearing import Quotas
from rare_market.contracts import Offtake, PriceFloor, Scheme
from rare_market.goods import BUYER_CLASSES
from rare_market.ledger import KIND, REASON, Ledger, trade_cost_usd_per_kg
from rare_market.regime import ExportQuota, Regime
from rare_market.scenario import Scenario
from tests.conftest import (
    BY_OXIDE,
    CATALOGUE,
    CHN,
    ORE,
    OXIDE,
    USA,
    mines,
    nobody_refuses,
    plants,
    regime,
    sectors,
)

OXIDES, AMERICA = np.array([0, 0, 1, 0, 0], bool), np.array([False, True])
CENT = 0.005


def floor(covers_stockpiled: bool) -> PriceFloor:
    return PriceFloor(
        payer=USA, goods=OXIDES, places=AMERICA, strike_usd_per_kg=110.0, upside_share=0.3,
        covers_stockpiled=covers_stockpiled, years_left=10.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("market_usd_per_kg", "covers_stockpiled", "from_state_usd"),
    [
        (60.0, True, 35_000_000.00),  # 50 on 500 t sold and 200 t stockpiled
        (60.0, False, 25_000_000.00),  # 50 on 500 t sold
        (130.0, True, -4_200_000.00),  # 30 % of 20 on 700 t
        (130.0, False, -3_000_000.00),  # 30 % of 20 on 500 t
        (110.0, True, 0.00),
    ],
)
def test_a_floor_of_110_on_500_t_sold_and_200_t_stockpiled(
    market_usd_per_kg, covers_stockpiled, from_state_usd
):
    """The difference to the strike below it, and 30 % of the excess above it to the state."""
    plant = plants()
    leg = plant.product.good == OXIDE
    plant.sold_t = np.where(leg, 500.0, 70.0)
    plant.stock_change_t = np.where(leg, 200.0, 30.0)
    ledger = Ledger(2, 1)
    rules = regime(price_floors=(floor(covers_stockpiled),))
    price = np.full((5, 2), market_usd_per_kg)
    settlement.pay_price_floors(plant, price, np.zeros(2), rules, ledger)
    paid = ledger.balance_usd[KIND["processor"], USA, REASON["price_floor"]]
    assert paid == pytest.approx(from_state_usd, abs=CENT)
    assert ledger.balance_usd[KIND["state"], USA, REASON["price_floor"]] == -paid
    assert ledger.spent_usd[0] == pytest.approx(from_state_usd, abs=CENT)
    assert plant.cash_usd[0] == pytest.approx(from_state_usd, abs=CENT)


def offtake(**changed) -> Offtake:
    terms = Offtake(
        buyer=CHN, goods=OXIDES, places=AMERICA, volume_t=500.0, floor_usd_per_kg=110.0,
        rebate_above_usd_per_kg=150.0, rebate_share=0.3, years_left=12.0, rebate_cap_usd=10e6,
    )  # fmt: skip
    return terms._replace(**changed)


def deliver(
    terms: Offtake, market_usd_per_kg: float, months: int, plant: Processors | None = None
) -> tuple[np.ndarray, np.ndarray, Ledger]:
    """Deliver 500 t a month; returns what the seller got, what was taken, and the ledger."""
    plant = plant or plants()
    states = States(
        names=("CHN", "USA"),
        stockpile_t=np.zeros((2, 5)),
        quota_good=OXIDE,
        quota_place=CHN,
        scenario=Scenario(),
    )
    rules: Regime = regime(offtakes=(terms,))
    netback = np.full((5, 2), market_usd_per_kg)
    cost = trade_cost_usd_per_kg(rules, netback, 0.0)
    ledger = Ledger(2, 1)
    got, taken = [], []
    for month in range(months):
        ledger.open_month(month)
        plant.made_t = np.where(plant.product.good == OXIDE, 500.0, 0.0)
        plant.product_stock_t = plant.made_t.copy()
        plant.netback_usd_per_kg = np.zeros(len(plant.feed.row))
        held = mines(good=BY_OXIDE)
        ties = settlement.find_ties(held, plant)
        month_ = settlement.deliver(held, plant, states, ties, netback, cost, rules, ledger)
        got.append(ledger.balance_usd[KIND["processor"], USA, REASON["offtake"]])
        taken.append(month_.offtake_t.sum())
    return np.array(got), np.array(taken), ledger


def test_an_indexed_offtake_rebates_above_150_to_ten_million_a_year():
    """At 180: 9 USD/kg on 500 t are 4.5 million a month; two months, the rest in March, then none.

    From January the cap is open again.
    """
    got, taken, _ = deliver(offtake(), 180.0, 13)
    full = 500_000 * 180.0
    expected = [full - 4.5e6, full - 4.5e6, full - 1.0e6, *[full] * 9, full - 4.5e6]
    assert got == pytest.approx(expected, abs=CENT)
    assert (taken == 500.0).all()


@pytest.mark.parametrize(
    ("market", "price"), [(60.0, 110.0), (110.0, 110.0), (120.0, 120.0), (150.0, 150.0)]
)
def test_between_floor_and_rebate_it_pays_the_index(market, price):
    """At least 110; the market price above it."""
    got, _, _ = deliver(offtake(), market, 1)
    assert got[0] == pytest.approx(500_000 * price, abs=CENT)


def test_an_index_of_nine_tenths_is_that_part_of_the_price():
    """130 times 0.9 is 117."""
    got, _, _ = deliver(offtake(index_share=0.9), 130.0, 1)
    assert got[0] == pytest.approx(500_000 * 117.0, abs=CENT)


def test_a_buyer_in_breach_takes_nothing_and_pays_the_penalty():
    """The floor is 83 % above 60: refused at a limit of 50 %; half of 50 USD/kg on 500 t."""
    got, taken, _ = deliver(offtake(breach_above_share=0.5, penalty_share=0.5), 60.0, 1)
    assert taken[0] == 0.0
    assert got[0] == pytest.approx(12_500_000.0, abs=CENT)


def test_a_budget_cuts_the_delivery_it_can_no_longer_pay():
    """33 million buy 300 t at 110."""
    got, taken, ledger = deliver(offtake(scheme=Scheme(budget_left_usd=33e6)), 60.0, 1)
    assert taken[0] == pytest.approx(300.0)
    assert got[0] == pytest.approx(33e6, abs=CENT)
    assert ledger.spent_usd[0] == pytest.approx(33e6, abs=CENT)


def test_firms_take_what_they_want_as_feed_and_pay_the_contract_price():
    """A smelter in China that wants 120 t takes 120 of 500 t at 110, and its freight."""
    pair = plants(
        2,
        place=[USA, CHN],
        input_t=[[1.0, 0, 0, 0, 0], [0, 0, 1.25, 0, 0]],
        output_t=[[0, 0, 0.25, 0.6, 0], [0, 0, 0, 0, 1.0]],
    )
    smelter = pair.feed.good == OXIDE
    pair.feed_want_t = np.where(smelter, 120.0, 0.0)
    stock = pair.feed_stock_t.copy()
    _, taken, ledger = deliver(offtake(buyer_is_firm=True), 60.0, 1, pair)
    assert taken[0] == pytest.approx(120.0)
    assert (pair.feed_stock_t - stock)[smelter][0] == pytest.approx(120.0)
    buyer = ledger.balance_usd[KIND["processor"], CHN]
    assert buyer[REASON["offtake"]] == pytest.approx(-120_000 * 110.0, abs=CENT)
    assert buyer[REASON["freight"]] == pytest.approx(-120_000 * 1.0, abs=CENT)
    assert not ledger.balance_usd[KIND["state"]].any()


def licensed_month(*, to_exporters: bool) -> tuple[Ledger, Producers]:
    """Clear and settle a month in which 100 of 150 t wanted abroad may leave China.

    Two mines ask 50 USD/kg for 150 and 50 t; America bids 80 for 150 t; freight is 1.
    """
    held, users = mines(2, place=CHN), sectors(good=ORE)
    cohorts = {"producer": held, "buyer": users}
    book = Book(cohorts, CATALOGUE)
    quantity_t, limit = book.ask_columns["producer"]
    quantity_t[::ASK_STEPS], limit[:] = (150.0, 50.0), 50.0
    wanted_t, most = book.bid_columns["buyer"]
    wanted_t[0], most[:] = 150.0, 80.0
    goods = np.arange(5) == ORE
    quota = ExportQuota(origin=CHN, goods=goods, quota_t=100.0, to_exporters=to_exporters)
    rules = regime(export_quotas=(quota,))
    cost = trade_cost_usd_per_kg(rules, np.full((5, 2), 50.0), 0.0)
    classes = len(BUYER_CLASSES)
    result = book.posted(
        np.repeat(cost.total, classes, axis=2),
        np.full((5, 2, 2 * classes), np.inf),
        Quotas(goods[None, :], np.array([CHN]), np.array([-1]), np.array([100.0])),
        np.full((5, 2 + 2 * classes), 50.0),
    ).clear(book.layout)
    ledger = Ledger(2)
    ledger.settle_trade(
        result.flow_t, result.price_usd_per_kg, result.netback_usd_per_kg, cost,
        *nobody_refuses(classes),
    )  # fmt: skip
    settlement.pass_rents_to_exporters(cohorts, book, result, rules, ledger)
    return ledger, held


def test_the_rent_of_a_licence_goes_to_the_sellers_who_hold_it():
    """80 less 50 less 1 are 29 USD/kg on 100 t: 2,900,000.00, shared three to one by sales."""
    ledger, held = licensed_month(to_exporters=True)
    rent = ledger.balance_usd[..., REASON["scarcity_rent"]]
    assert rent[KIND["producer"], CHN] == pytest.approx(2_900_000.00, abs=CENT)
    assert rent[KIND["state"], CHN] == pytest.approx(0.0, abs=CENT)
    assert rent[KIND["carrier"], CHN] == pytest.approx(-2_900_000.00, abs=CENT)
    assert held.cash_usd.tolist() == pytest.approx([2_175_000.00, 725_000.00], abs=CENT)


def test_the_rent_of_a_licence_that_is_sold_goes_to_the_treasury():
    """The same 2,900,000.00."""
    ledger, held = licensed_month(to_exporters=False)
    rent = ledger.balance_usd[..., REASON["scarcity_rent"]]
    assert rent[KIND["state"], CHN] == pytest.approx(2_900_000.00, abs=CENT)
    assert not rent[KIND["producer"]].any()
    assert not held.cash_usd.any()


def test_a_variable_levy_lifts_imports_to_the_minimum_and_goes_to_the_importer():
    """66 at the border and 110 at least: 44 USD/kg on 100 t, 4,400,000.00; at 120 nothing."""
    minimum = np.zeros((5, 2, 2))
    minimum[OXIDE, CHN, USA] = 110.0
    rules = regime(minimum_import_price_usd_per_kg=minimum)
    for at_origin, levy_usd in ((65.0, 4_400_000.00), (120.0, 0.0)):
        netback = np.full((5, 2), at_origin)
        cost = trade_cost_usd_per_kg(rules, netback, 0.0)
        flow_t, price = np.zeros((5, 2, 2)), np.zeros((5, 2))
        flow_t[OXIDE, CHN, USA] = 100.0
        price[OXIDE, USA] = at_origin + cost.total[OXIDE, CHN, USA]
        ledger = Ledger(2)
        ledger.settle_trade(flow_t, price, netback, cost, *nobody_refuses())
        duty = ledger.balance_usd[..., REASON["import_duty"]]
        assert duty[KIND["state"], USA] == pytest.approx(levy_usd, abs=CENT)
        assert price[OXIDE, USA] == max(at_origin + 1.0, 110.0)
        assert abs(ledger.balance_usd[KIND["state"], :, REASON["scarcity_rent"]]).max() < CENT
