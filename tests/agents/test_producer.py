"""Mines: which of their tonnes a price brings out, and what they do with them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rare_market.agents.lifecycle import Status
from rare_market.agents.producer import informal_capacity_t, used_share
from rare_market.agents.trader import ASK_STEPS
from rare_market.scenario import Scenario
from tests.conftest import CHN, NO_USERS, ORE, PRICE_USD_PER_KG, USA, Sheet, bulletin, mines, regime

NO_GROWTH = np.ones(2)
ALONE = np.zeros(0, dtype=np.int64)  # no plants
rows_of_mines = st.lists(
    st.fixed_dictionaries(
        {
            "place": st.sampled_from([CHN, USA]),
            "good": st.sampled_from([0, 1]),
            "cost_usd_per_kg": st.floats(0.5, 30.0),
            "output_t": st.floats(0.0, 500.0),
            "cover_months": st.floats(0.0, 6.0),
            "quota_bound": st.booleans(),
            "growth_per_year": st.floats(-0.1, 0.3),
            "extrapolation_share": st.floats(-1.0, 2.0),
            "ownership": st.sampled_from(["private", "state", "informal"]),
            "status": st.sampled_from(["operating", "ramping", "mothballed", "planned"]),
            "capacity_t_per_year": st.floats(1.0, 9000.0),
            "in_china": st.booleans(),
        }
    ),
    min_size=2,
    max_size=4,
)


def priced(ore_usd_per_kg: float) -> np.ndarray:
    price = PRICE_USD_PER_KG.copy()
    price[ORE] = ore_usd_per_kg
    return price


def test_a_price_at_mean_cost_brings_out_half_a_mine():
    """Marginal cost is uniform around its mean."""
    assert used_share(np.array([4.0]), np.array([4.0]), 0.25)[0] == 0.5


@pytest.mark.parametrize(("price", "share"), [(2.9, 0.0), (3.0, 0.0), (5.0, 1.0), (9.0, 1.0)])
def test_a_mine_is_idle_below_its_cheapest_tonne_and_full_above_its_dearest(price, share):
    """A cost of 4 USD/kg spread by a quarter runs from 3 to 5."""
    assert used_share(np.array([price]), np.array([4.0]), 0.25)[0] == pytest.approx(share)


def test_informal_digging_grows_with_a_margin_above_normal():
    """Half a year's growth of 0.6 per unit of margin, at 0.2 above normal, is 1 % a month."""
    grown = informal_capacity_t(np.array([100.0]), np.array([0.5]), 0.3, 0.6)
    assert grown[0] == pytest.approx(101.0)


def test_informal_digging_stays_at_the_normal_margin_and_shrinks_below_it():
    """It leaves where it does not pay."""
    same, less = informal_capacity_t(np.array([100.0, 100.0]), np.array([0.3, 0.0]), 0.3, 0.6)
    assert same == 100.0
    assert less == pytest.approx(98.5)


def test_a_mine_offers_its_stock_at_no_less_than_its_cheapest_tonne():
    """At a price of nothing the ask stays at 3 USD/kg."""
    cohort = mines()
    sheet = Sheet(cohort)
    cohort.post(sheet, bulletin(priced(0.01)), regime(), NO_USERS)
    quantity, limit = sheet.asks["producer"]
    assert quantity.sum() == pytest.approx(cohort.inventory_t[0])
    assert limit.tolist() == [[3.0] * ASK_STEPS]


def test_a_ceiling_binds_state_mines_of_its_place_only():
    """A private mine and a mine elsewhere keep their asks."""
    ceiling = np.full((5, 2), np.inf)
    ceiling[ORE, CHN] = 5.0
    cohort = mines(3, place=[CHN, CHN, USA], ownership=["state", "private", "state"], in_china=True)
    sheet, free = Sheet(cohort), Sheet(cohort)
    cohort.post(sheet, bulletin(), regime(state_ask_ceiling_usd_per_kg=ceiling), NO_USERS)
    cohort.post(free, bulletin(), regime(), NO_USERS)
    limit, as_before = sheet.asks["producer"][1], free.asks["producer"][1]
    assert limit[0].max() == 5.0
    np.testing.assert_array_equal(limit[1:], as_before[1:])


def test_settling_takes_sold_tonnes_out_of_stock_and_books_the_money():
    """60 t on the market and 10 t to the tied plant, which left the stock on delivery."""
    cohort = mines()
    before_t = cohort.inventory_t[0]
    cohort.settle(np.array([30.0, 20.0, 10.0, 0.0]), np.array([10.0]), np.array([420_000.0]))
    assert cohort.inventory_t[0] == before_t - 60.0
    assert cohort.sold_t[0] == 70.0
    assert cohort.cash_usd[0] == 420_000.0


def test_a_private_mine_makes_what_the_price_covers():
    """100 t a month of capacity at a price equal to mean cost makes 50 t."""
    cohort = mines()
    cost_usd, capex_usd = cohort.plan(0, bulletin(priced(4.0)), regime(), NO_GROWTH, ALONE)
    assert cohort.output_t[0] == pytest.approx(50.0)
    assert cost_usd[0] == pytest.approx(50.0 * 3.5 * 1000.0)
    assert capex_usd[0] == 0.0
    assert cohort.cash_usd[0] == pytest.approx(-cost_usd[0])


def test_a_state_mine_ignores_most_of_a_bad_price():
    """With an aim of 90 %, a price that brings out nothing still brings out nine tenths."""
    aims = Scenario(state_output_aim_share=0.9, state_layoff_share_per_month=1.0)
    cohort = mines(scenario=aims, ownership="state", in_china=True)
    cohort.plan(0, bulletin(priced(0.1)), regime(), NO_GROWTH, ALONE)
    assert cohort.output_t[0] == pytest.approx(90.0)


def test_a_state_mine_lays_off_slowly_and_a_private_one_at_once():
    """Without any other aim, at a price that brings out nothing: 5 % a month, unless it cannot."""
    aims = Scenario(state_output_aim_share=0.0, state_layoff_share_per_month=0.05)
    cohort = mines(2, aims, ownership=["state", "private"], in_china=True)
    for expected_t in (95.0, 90.25):
        cohort.plan(0, bulletin(priced(0.1)), regime(), NO_GROWTH, ALONE)
        assert cohort.output_t.tolist() == pytest.approx([expected_t, 0.0])
    cohort.life.capacity_t[0] = 50.0
    cohort.plan(0, bulletin(priced(0.1)), regime(), NO_GROWTH, ALONE)
    assert cohort.output_t[0] == pytest.approx(50.0)


def test_a_full_store_brakes_a_mine():
    """Beyond two and a half times its target it makes nothing more."""
    cohort = mines()
    cohort.inventory_t = 2.5 * cohort.sales_t * (1.0 + cohort.cover_months)
    cohort.plan(0, bulletin(), regime(), NO_GROWTH, ALONE)
    assert cohort.output_t[0] == 0.0


def test_the_mining_quota_moves_mines_bound_by_it_only():
    """An index of 1.2 in China lifts its bound mine by a fifth."""
    cohort = mines(3, place=[CHN, CHN, USA], quota_bound=[True, False, True])
    cohort.plan(0, bulletin(), regime(), np.array([1.2, 1.0]), ALONE)
    assert cohort.output_t.tolist() == pytest.approx([120.0, 100.0, 100.0])


def test_stock_grows_by_output():
    """What is made is held until it is sold."""
    cohort = mines()
    before_t = cohort.inventory_t[0]
    cohort.plan(0, bulletin(), regime(), NO_GROWTH, ALONE)
    assert cohort.inventory_t[0] == pytest.approx(before_t + cohort.output_t[0])


def test_a_collector_reaches_its_share_of_what_is_thrown_away():
    """A fifth of 600 t and 5 t of slag; a mine's capacity does not depend on it."""
    cohort = mines(2, collected_share=[0.2, 0.0], other_scrap_t=5.0)
    mine_t = cohort.life.capacity_t[1]
    thrown_away_t = np.zeros((5, 2))
    thrown_away_t[ORE, USA] = 600.0
    cohort.reach(thrown_away_t, np.zeros_like(thrown_away_t))
    assert cohort.life.capacity_t.tolist() == pytest.approx([125.0, mine_t])


def test_a_planned_mine_is_built_with_its_plant():
    """Only the one tied to the plant whose building started."""
    cohort = mines(3, plant=[7, 8, 7], status=["planned", "planned", "operating"])
    cohort.build_with(np.arange(9) == 7)
    assert cohort.life.status.tolist() == [Status.BUILDING, Status.PLANNED, Status.OPERATING]


@settings(deadline=None, max_examples=40)
@given(rows_of_mines, st.floats(0.1, 60.0), st.floats(-0.5, 0.5))
def test_a_row_of_many_mines_behaves_as_that_mine_alone(rows, ore_usd_per_kg, trend):
    """Asks, settling and three months of planning give equal numbers."""
    published = bulletin(priced(ore_usd_per_kg))
    published = published._replace(trend_per_month=np.full((5, 2), trend))
    many = mines(len(rows), **{name: [row[name] for row in rows] for name in rows[0]})
    seen_of_many = lived(many, published)
    for i, row in enumerate(rows):
        alone = lived(mines(**row), published)
        for name, values in seen_of_many.items():
            np.testing.assert_allclose(
                values[..., i, :], alone[name][..., 0, :], rtol=1e-12, err_msg=name
            )


def lived(cohort: Any, published: Any) -> dict[str, np.ndarray]:
    """Post, sell half the first step, and plan, three times over."""
    asks, outputs, states = [], [], []
    for period in range(3):
        sheet = Sheet(cohort)
        cohort.post(sheet, published, regime(), NO_USERS)
        quantity, limit = sheet.asks["producer"]
        asks.append(np.concatenate([quantity, limit], axis=1))
        fill = np.zeros_like(quantity)
        fill[:, 0] = 0.5 * quantity[:, 0]
        cohort.settle(fill.ravel(), np.zeros(cohort.rows), fill.sum(axis=1) * 1000.0)
        spent = cohort.plan(period, published, regime(), np.array([1.1, 1.0]), ALONE)
        outputs.append(np.stack(spent, axis=1))
        columns = (
            cohort.output_t,
            cohort.inventory_t,
            cohort.sales_t,
            cohort.sold_t,
            cohort.cash_usd,
            cohort.life.status,
            cohort.life.capacity_t,
            cohort.life.age_months,
        )
        states.append(np.stack(columns, axis=1))
    return {"asks": np.array(asks), "outputs": np.array(outputs), "states": np.array(states)}
