"""Plants: what they can pay for feed, how much they make, what they offer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rare_market.agents.processor import (
    BID_STEPS,
    CleanDemand,
    Legs,
    Processors,
    netback_usd_per_kg,
    replaced_share,
    wanted_activity_t,
)
from rare_market.agents.trader import ASK_STEPS
from rare_market.contracts import Offtake, PriceFloor
from rare_market.scenario import Scenario
from tests.conftest import (
    BY_OXIDE,
    CHN,
    METAL,
    NO_USERS,
    ORE,
    OXIDE,
    PRICE_USD_PER_KG,
    SEPARATE_IN,
    SEPARATE_OUT,
    SMELT_IN,
    SMELT_OUT,
    USA,
    Sheet,
    bulletin,
    plants,
    regime,
)

NO_MINE = np.array([np.inf])
SMELTER = {"input_t": SMELT_IN, "output_t": SMELT_OUT, "finishing_share": 0.0, "stage": 2}
RECIPES = {
    "separate": (SEPARATE_IN, SEPARATE_OUT),
    "smelt": (SMELT_IN, SMELT_OUT),
    "both_ores": (np.array([0.5, 0.5, 0.0, 0.0, 0.0]), SEPARATE_OUT),
}
rows_of_plants = st.lists(
    st.fixed_dictionaries(
        {
            "recipe": st.sampled_from(list(RECIPES)),
            "place": st.sampled_from([CHN, USA]),
            "cost_usd_per_kg": st.floats(0.1, 30.0),
            "finishing_share": st.sampled_from([0.0, 0.3]),
            "activity_t": st.floats(0.1, 500.0),
            "feed_cover_months": st.floats(0.0, 6.0),
            "product_cover_months": st.floats(0.0, 6.0),
            "extrapolation_share": st.floats(-1.0, 2.0),
            "ownership": st.sampled_from(["private", "state"]),
            "status": st.sampled_from(["operating", "ramping", "mothballed", "planned"]),
            "capacity_t_per_year": st.floats(1.0, 9000.0),
            "in_china": st.booleans(),
        }
    ),
    min_size=2,
    max_size=4,
)


def mask(size: int, *chosen: int) -> np.ndarray:
    return np.isin(np.arange(size), chosen)


def floor(strike: float = 110.0, upside: float = 0.0, stockpiled: bool = False) -> PriceFloor:
    return PriceFloor(USA, mask(5, OXIDE), mask(2, USA), strike, upside, stockpiled, 10.0)


def test_the_netback_is_what_revenue_leaves_after_cost_and_other_feed_per_unit_of_feed():
    """(20 - 2 - 6) USD over half a kg of feed."""
    most = netback_usd_per_kg(np.array([20.0]), np.array([2.0]), np.array([6.0]), np.array([0.5]))
    assert most[0] == 24.0


def test_the_activity_asked_for_sells_on_and_closes_the_stock_gap():
    """Sales of 25 t and a gap of 12 t over six months, at 0.25 t per t."""
    wanted = wanted_activity_t(
        np.array([25.0]), np.array([38.0]), np.array([50.0]), np.array([0.25]), 6.0
    )
    assert wanted[0] == pytest.approx(108.0)


def test_a_product_in_glut_asks_for_no_activity_not_a_negative_one():
    """Stock beyond all reason brings the wish to zero."""
    wanted = wanted_activity_t(
        np.array([25.0]), np.array([9000.0]), np.array([50.0]), np.array([0.25]), 6.0
    )
    assert wanted[0] == 0.0


def test_legs_sum_by_plant():
    """Two products of the first plant and one of the second."""
    legs = Legs(np.stack([SEPARATE_OUT, SMELT_OUT]), np.array([USA, CHN]))
    assert legs.row.tolist() == [0, 0, 1]
    assert legs.good.tolist() == [OXIDE, BY_OXIDE, METAL]
    assert legs.total(np.array([1.0, 2.0, 4.0])).tolist() == [3.0, 4.0]


def test_revenue_leaves_out_a_product_not_worth_finishing():
    """The by-product at 0.1 USD/kg costs more to finish and is rejected."""
    plant = plants()
    finishing = plant.finishing_usd_per_kg[0]
    assert finishing == pytest.approx(2.0 * 0.3 / 0.85)
    assert plant.revenue_usd_per_kg(np.array([50.0, 0.1]))[0] == pytest.approx(
        0.25 * (50.0 - finishing)
    )


def test_a_separator_bids_up_to_its_netback_and_not_far_above_the_expected_price():
    """The urgent part at most 15 % above the last price, the patient part near it."""
    plant = plants(scenario=Scenario(bid_step_share=0.15))
    sheet = Sheet(plant)
    plant.expect(bulletin(), regime())
    plant.post(sheet, bulletin(), regime(), NO_USERS)
    quantity, limit = sheet.bids["processor"]
    assert quantity.tolist() == [pytest.approx([75.0, 25.0])]
    assert limit[0].tolist() == pytest.approx([8.0 * 1.15, 8.0 * 1.02])
    dear = PRICE_USD_PER_KG.copy()
    dear[ORE] = 20.0
    plant.expect(bulletin(dear), regime())
    plant.post(sheet, bulletin(dear), regime(), NO_USERS)
    revenue = 0.25 * 50.0 + 0.6 * 1.0 - 2.0 * 0.3
    np.testing.assert_allclose(sheet.bids["processor"][1], revenue - 2.0 * 0.7)


def test_a_single_product_is_asked_at_cost_or_above_and_joint_ones_at_their_finishing():
    """A smelter does not sell below feed and conversion; a separator does."""
    smelter, separator = plants(**SMELTER), plants()
    for plant in (smelter, separator):
        plant.expect(bulletin(), regime())
    assert smelter.ask_floor_usd_per_kg[0] == pytest.approx(1.25 * 50.0 + 2.0)
    np.testing.assert_allclose(separator.ask_floor_usd_per_kg, separator.finishing_usd_per_kg[0])


def test_a_floor_on_sold_tonnes_raises_what_a_plant_can_pay_for_feed():
    """A top-up of 60 USD/kg on a quarter kg is 15 USD per kg of ore."""
    free, topped = plants(), plants()
    free.expect(bulletin(), regime())
    topped.expect(bulletin(), regime(price_floors=(floor(),)))
    gain = topped.netback_usd_per_kg - free.netback_usd_per_kg
    assert gain[0] == pytest.approx(0.25 * 60.0)


def test_a_floor_paid_on_output_does_not_let_a_plant_undersell():
    """Only a floor on sold tonnes is lost by not selling."""
    plant, terms = plants(), floor(stockpiled=True)
    plant.expect(bulletin(), regime(price_floors=(terms,)))
    assert plant.sold_payment_usd_per_kg.tolist() == [0.0, 0.0]
    plant.expect(bulletin(), regime(price_floors=(floor(),)))
    assert plant.sold_payment_usd_per_kg.tolist() == [60.0, 0.0]


def test_a_floor_covers_its_goods_and_places_only():
    """Plants elsewhere and other products get nothing."""
    cohort = plants(2, place=[USA, CHN])
    payment, covered = cohort.contract_payment_usd_per_kg(
        np.array([50.0, 1.0, 50.0, 1.0]), regime(price_floors=(floor(),))
    )
    assert payment.tolist() == [60.0, 0.0, 0.0, 0.0]
    assert covered.tolist() == [1.0, 0.0, 0.0, 0.0]


def test_an_offtake_covers_the_share_of_output_it_takes():
    """10 t of 25 t at 110 rather than 50 USD/kg is 24 USD/kg on average."""
    terms = Offtake(USA, mask(5, OXIDE), mask(2, USA), 10.0, 110.0, 150.0, 0.3, 10.0)
    payment, covered = plants().contract_payment_usd_per_kg(
        np.array([50.0, 1.0]), regime(offtakes=(terms,))
    )
    assert payment.tolist() == pytest.approx([24.0, 0.0])
    assert covered.tolist() == pytest.approx([0.4, 0.0])


def test_a_plant_makes_products_from_feed_by_its_recipe():
    """Feed falls by what activity takes, products grow by what it gives."""
    plant = plants()
    feed_t, product_t = plant.feed_stock_t.copy(), plant.product_stock_t.copy()
    cost_usd, _ = plant.plan(0, bulletin(), regime(), NO_MINE)
    activity_t = plant.activity_t
    assert 0.0 < activity_t[0] <= 100.0
    np.testing.assert_allclose(plant.feed_stock_t, feed_t - activity_t)
    np.testing.assert_allclose(
        plant.product_stock_t, product_t + np.array([0.25, 0.6]) * activity_t
    )
    assert cost_usd[0] == pytest.approx(2.0 * 1000.0 * activity_t[0])


def test_a_plant_without_feed_makes_nothing_and_wants_feed():
    """The only lag of the model: what is bought now is made next month."""
    plant = plants()
    plant.feed_stock_t = np.zeros(1)
    cost_usd, _ = plant.plan(0, bulletin(), regime(), NO_MINE)
    activity_t = plant.activity_t
    assert activity_t[0] == cost_usd[0] == 0.0
    assert plant.feed_want_t[0] > 0.0


def test_a_plant_at_a_ruinous_margin_stops():
    """Ore at ten times what the products bring."""
    ruin = PRICE_USD_PER_KG.copy()
    ruin[ORE] = 100.0
    plant = plants()
    plant.plan(0, bulletin(ruin), regime(), NO_MINE)
    assert plant.activity_t[0] == 0.0


def test_who_holds_too_much_does_not_count_the_whole_cost_of_replacing_it():
    """At twice the target 15 % less; at the target the whole cost; never less than three fifths."""
    assert replaced_share(200.0, 200.0, 0.15) == 1.0
    assert replaced_share(50.0, 200.0, 0.15) == 1.0
    assert replaced_share(400.0, 200.0, 0.15) == pytest.approx(0.85)
    assert replaced_share(9000.0, 200.0, 0.15) == pytest.approx(0.7)
    assert replaced_share(9000.0, 200.0, 1.0) == 0.6


def test_a_smelter_with_too_much_metal_asks_less_than_its_cost():
    """One product, no other income: the least it asks is its cost, and less with a full store."""
    least = []
    for held in (1.0, 5.0):
        cohort = two_smelters()
        sheet = Sheet(cohort)
        cohort.product_stock_t[:] = held * cohort.stock_target_t(bulletin())
        cohort.expect(bulletin(), regime())
        cohort.ask_floor_usd_per_kg[:] = 1000.0
        cohort.post(sheet, bulletin(), regime(), NO_USERS)
        least.append(sheet.asks["processor"][1].min())
    slope = Scenario().ask_stock_slope
    assert least == pytest.approx([1000.0, 1000.0 * (1.0 - 2.0 * slope)])


def test_who_is_paid_on_top_asks_that_much_less():
    """A floor that pays 60 USD/kg on oxide at 50: all of it is offered for nothing."""
    plant = plants()
    sheet = Sheet(plant)
    rules = regime(price_floors=(floor(),))
    plant.expect(bulletin(), rules)
    assert plant.sold_payment_usd_per_kg[0] == pytest.approx(60.0)
    plant.post(sheet, bulletin(), rules, NO_USERS)
    assert sheet.asks["processor"][1][0].max() == 0.0


def test_what_carries_the_plant_is_stored_however_full_the_stock():
    """Oxide at 50 USD/kg is worth more than the average kilogram, 15.4; none is thrown away."""
    plant = plants(scenario=Scenario(stock_limit_months=2.0))
    plant.product_stock_t[:] = 1e4
    plant.plan(0, bulletin(), regime(), NO_MINE)
    assert plant.rejected_t[0] == 0.0
    assert plant.made_t[1] == 0.0


def test_a_by_product_nobody_buys_is_rejected_before_it_is_finished():
    """Stock at its limit leaves no room, and no finishing is paid."""
    plant = plants(scenario=Scenario(stock_limit_months=2.0))
    plant.product_stock_t[1] = 1e4
    cost_usd, _ = plant.plan(0, bulletin(), regime(), NO_MINE)
    activity_t = plant.activity_t
    assert activity_t[0] > 0.0
    assert plant.made_t[1] == 0.0
    assert plant.rejected_t[1] == pytest.approx(0.6 * activity_t[0])
    finishing = plant.finishing_usd_per_kg[0] * plant.made_t[0]
    assert cost_usd[0] == pytest.approx(1000.0 * (1.4 * activity_t[0] + finishing))


def test_settling_moves_stocks_by_the_fills_and_cash_by_the_money():
    """20 t of oxide sold, 30 t of ore bought."""
    plant = plants()
    stock_t, feed_t = plant.product_stock_t.copy(), plant.feed_stock_t.copy()
    sold = np.zeros((2, ASK_STEPS))
    sold[0] = 5.0
    plant.settle(
        sold.ravel(), np.full(BID_STEPS, 15.0), np.zeros(2), np.array([9.0]), np.array([4.0])
    )
    np.testing.assert_allclose(plant.product_stock_t, stock_t - [20.0, 0.0])
    np.testing.assert_allclose(plant.feed_stock_t, feed_t + 30.0)
    assert plant.sold_t.tolist() == [20.0, 0.0]
    assert plant.cash_usd[0] == 5.0


def test_the_change_of_stock_is_output_less_sales():
    """What a floor on stockpiled tonnes is paid on."""
    plant = plants()
    plant.settle(np.zeros(8), np.zeros(2), np.zeros(2), np.zeros(1), np.zeros(1))
    plant.plan(0, bulletin(), regime(), NO_MINE)
    made_t = plant.made_t.copy()
    sold = np.zeros((2, ASK_STEPS))
    sold[0, 0] = 3.0
    plant.settle(sold.ravel(), np.zeros(2), np.zeros(2), np.zeros(1), np.zeros(1))
    np.testing.assert_allclose(plant.stock_change_t, made_t - [3.0, 0.0])


def test_a_ceiling_binds_state_plants_of_its_place_only():
    """A private plant keeps its asks."""
    ceiling = np.full((5, 2), np.inf)
    ceiling[OXIDE, CHN] = 20.0
    cohort = plants(
        3, place=[CHN, CHN, USA], ownership=["state", "private", "state"], in_china=True
    )
    sheet, free = Sheet(cohort), Sheet(cohort)
    cohort.expect(bulletin(), regime())
    cohort.post(sheet, bulletin(), regime(state_ask_ceiling_usd_per_kg=ceiling), NO_USERS)
    cohort.post(free, bulletin(), regime(), NO_USERS)
    limit, as_before = sheet.asks["processor"][1], free.asks["processor"][1]
    assert limit[0].max() == 20.0
    np.testing.assert_array_equal(limit[1:], as_before[1:])


def test_a_plant_starts_with_the_stock_it_likes_to_hold():
    """A month of sales and its cover, of each product."""
    plant = plants(product_cover_months=2.0)
    np.testing.assert_allclose(plant.product_stock_t, 3.0 * plant.sales_t)
    np.testing.assert_allclose(plant.stock_target_t(bulletin()), plant.product_stock_t)


@settings(deadline=None, max_examples=40)
@given(rows_of_plants, st.floats(1.0, 300.0), st.floats(-0.5, 0.5), st.booleans())
def test_a_row_of_many_plants_behaves_as_that_plant_alone(rows, oxide_usd_per_kg, trend, scheme):
    """Asks, bids, settling and three months of planning give equal numbers."""
    price = PRICE_USD_PER_KG.copy()
    price[OXIDE] = oxide_usd_per_kg
    published = bulletin(price)._replace(trend_per_month=np.full((5, 2), trend))
    rules = regime(price_floors=(floor(),) if scheme else ())
    many = lived(built(rows), published, rules)
    for i, row in enumerate(rows):
        alone = lived(built([row]), published, rules)
        for name in many:
            np.testing.assert_allclose(
                np.array(many[name][i]),
                np.array(alone[name][0]),
                rtol=1e-12,
                atol=1e-300,
                err_msg=name,
            )


def built(rows: list[dict[str, Any]]) -> Any:
    recipes = [RECIPES[row["recipe"]] for row in rows]
    columns = {name: [row[name] for row in rows] for name in rows[0] if name != "recipe"}
    return plants(
        len(rows),
        input_t=np.stack([feed for feed, _ in recipes]),
        output_t=np.stack([product for _, product in recipes]),
        **columns,
    )


def lived(cohort: Any, published: Any, rules: Any) -> dict[str, list[list[float]]]:
    """Expect, post, trade half of every first step, and plan, three times; by plant."""
    seen: dict[str, list[list[float]]] = {
        name: [[] for _ in range(cohort.rows)] for name in ("asks", "bids", "plan", "stocks")
    }

    def keep(name: str, row: np.ndarray, values: np.ndarray) -> None:
        for plant, value in zip(
            np.repeat(row, values.size // len(row)), values.ravel(), strict=True
        ):
            seen[name][plant].append(float(value))

    for period in range(3):
        sheet = Sheet(cohort)
        cohort.expect(published, rules)
        cohort.post(sheet, published, rules, NO_USERS)
        asks, bids = np.stack(sheet.asks["processor"]), np.stack(sheet.bids["processor"])
        for part in asks:
            keep("asks", cohort.product.row, part)
        for part in bids:
            keep("bids", cohort.feed.row, part)
        sold, bought = np.zeros_like(asks[0]), np.zeros_like(bids[0])
        sold[:, 0], bought[:, 0] = 0.5 * asks[0][:, 0], 0.5 * bids[0][:, 0]
        money = np.ones(cohort.rows)
        cohort.settle(sold.ravel(), bought.ravel(), np.zeros(len(sold)), money, 2.0 * money)
        everyone = np.arange(cohort.rows)
        for values in cohort.plan(period, published, rules, np.full(cohort.rows, np.inf)):
            keep("plan", everyone, values)
        keep("plan", everyone, cohort.activity_t)
        keep("plan", everyone, cohort.life.status)
        keep("plan", everyone, cohort.cash_usd)
        keep("stocks", cohort.product.row, cohort.product_stock_t)
        keep("stocks", cohort.feed.row, cohort.feed_stock_t)
    return seen


def test_what_plants_at_home_can_pay_is_their_mean_netback():
    """Weighted by what they want of the good; infinite where no plant uses it."""
    cohort = plants(2, activity_t=[100.0, 300.0], cost_usd_per_kg=[2.0, 4.0], finishing_share=0.0)
    cohort.expect(bulletin(), regime())
    worth = cohort.netback_usd_per_kg
    home = cohort.downstream_usd_per_kg(5, 2)
    assert home[ORE, USA] == pytest.approx(0.25 * worth[0] + 0.75 * worth[1])
    assert np.isinf(home[ORE, CHN])
    assert np.isinf(home[METAL, USA])


def test_a_state_plant_keeps_its_workers_while_feed_lasts():
    """At prices that would stop it, it still makes 95 % of last month."""
    aims = Scenario(state_output_aim_share=0.0, state_layoff_share_per_month=0.05)
    cohort = plants(2, aims, ownership=["state", "private"], in_china=True)
    published = bulletin(np.array([8.0, 9.0, 0.1, 0.1, 65.0]))
    cohort.expect(published, regime())
    cohort.plan(0, published, regime(), np.full(2, np.inf))
    assert cohort.activity_t.tolist() == pytest.approx([95.0, 0.0])


def clean_demand(wanted_t: float, premium_usd_per_kg: float = 0.0) -> CleanDemand:
    """Return what bound buyers ask of metal makers, whose oxide may be touched."""
    wanted, premium, matters = np.zeros(5), np.zeros((5, 2)), np.zeros((5, 2), dtype=bool)
    wanted[METAL], premium[METAL], matters[OXIDE, USA] = wanted_t, premium_usd_per_kg, True
    return CleanDemand(wanted, premium, matters)


def two_smelters() -> Processors:
    """Return two makers of 100 t of metal a month each, who seek untouched oxide."""
    cohort = plants(2, input_t=SMELT_IN, output_t=SMELT_OUT, stage=2)
    cohort.open_clean_bids()
    cohort.expect(bulletin(), regime())
    return cohort


def test_plants_ask_for_untouched_feed_in_the_part_that_bound_buyers_ask_of_their_product():
    """Bound buyers bid for 50 t of the 200 t of metal made: a quarter of the oxide of each."""
    cohort = two_smelters()
    assert cohort.clean_share(clean_demand(50.0)) == pytest.approx([0.25, 0.25])
    assert cohort.clean_share(clean_demand(1e4)) == pytest.approx([1.0, 1.0])
    assert cohort.clean_share(None).tolist() == [0.0, 0.0]


def test_the_premium_on_its_product_is_what_a_plant_can_pay_more_for_untouched_feed():
    """Ten dollars on metal are eight on the oxide of which it takes a quarter more."""
    limits = []
    for premium in (0.0, 10.0):
        cohort = two_smelters()
        sheet = Sheet(cohort)
        cohort.netback_usd_per_kg[:] = 30.0  # far below the price of oxide
        cohort.post(sheet, bulletin(), regime(), NO_USERS, clean_demand(50.0, premium))
        quantity, limit = sheet.bids["processor"]
        assert quantity.shape == limit.shape == (4, 2)
        assert limit[:2].max() == pytest.approx(30.0)
        limits.append(limit[2:].max())
    assert limits == pytest.approx([30.0, 30.0 + 10.0 / 1.25])


def test_what_was_not_found_untouched_is_bid_for_as_any_other_feed():
    """The whole want in the open market at first; less what was found a month later."""
    cohort, want_t = two_smelters(), 125.0
    sheet = Sheet(cohort)
    cohort.feed_want_t[:] = want_t
    cohort.post(sheet, bulletin(), regime(), NO_USERS, clean_demand(50.0))
    quantity, _ = sheet.bids["processor"]
    assert quantity[:2].sum(axis=1) == pytest.approx([want_t] * 2)
    assert quantity[2:].sum(axis=1) == pytest.approx([0.25 * want_t] * 2)
    fill = np.concatenate([np.zeros(4), quantity[2:].ravel() * 0.4])
    cohort.settle(np.zeros(8), fill, np.zeros(2), np.zeros(2), np.zeros(2))
    cohort.feed_want_t[:] = want_t
    cohort.post(sheet, bulletin(), regime(), NO_USERS, clean_demand(50.0))
    quantity, _ = sheet.bids["processor"]
    assert quantity[:2].sum(axis=1) == pytest.approx([(1.0 - 0.4 * 0.25) * want_t] * 2)
