"""What all traders share: views of rows, expectations, ask curves, stock targets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rare_market.agents.trader import (
    ASK_FACTOR_RANGE,
    ASK_STEPS,
    alarmed_share,
    ask_curve,
    expected_gain_share,
    expected_price_usd_per_kg,
    news_share,
    smooth,
    state_ask_usd_per_kg,
    storage_target_t,
    wanted_cover_months,
)
from rare_market.model import RareEarthMarket
from rare_market.scenario import Scenario
from tests.conftest import NO_USERS, Sheet, bulletin, mines, regime

positive = st.floats(0.01, 1e4)
seller = st.tuples(st.floats(0, 1e4), positive, st.floats(0, 1e4), positive, st.floats(0, 1e4))
slope = st.floats(0, 2)


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=float)


def test_every_mesa_agent_is_a_view_of_its_row():
    """An agent's number is the entry of its cohort's column, also after a month."""
    market = RareEarthMarket(Scenario(years=1))
    market.step()
    cohorts = tuple(market.cohorts.values())
    assert len(market.agents) == sum(cohort.rows for cohort in cohorts)
    for agent in market.agents:
        assert agent.name == agent.cohort.name[agent.row]
        assert agent.place == agent.cohort.place[agent.row]
    shown = {(id(agent.cohort), agent.row) for agent in market.agents}
    assert len(shown) == len(market.agents)
    mine = next(a for a in market.agents if a.cohort is market.producers)
    assert mine.inventory_t == market.producers.inventory_t[mine.row]
    market.producers.inventory_t = market.producers.inventory_t + 1.0
    assert mine.inventory_t == market.producers.inventory_t[mine.row]


def test_a_price_without_trend_is_expected_to_stay():
    """Expectations carry on only a trend."""
    price = column(10.0, 50.0)
    np.testing.assert_array_equal(
        expected_price_usd_per_kg(price, column(0.0, 0.0), column(0.2, 1.0)), price
    )


def test_an_expected_price_carries_on_its_part_of_the_trend():
    """50 USD/kg rising 10 % a month, of which a fifth is believed."""
    expected = expected_price_usd_per_kg(column(50.0), column(0.1), column(0.2))
    assert expected[0] == pytest.approx(51.0)


def test_an_expected_price_stays_within_half_and_double_the_last():
    """However steep the trend."""
    price = column(10.0, 10.0)
    expected = expected_price_usd_per_kg(price, column(-5.0, 5.0), column(1.0, 1.0))
    assert expected.tolist() == [5.0, 20.0]


def test_a_month_of_normal_sales_at_target_stock_is_offered_at_the_expected_price():
    """The step that holds the hundredth tonne of a hundred is read at factor one."""
    quantity, limit = ask_curve(
        column(200.0), column(200.0), column(100.0), column(50.0), column(0.0), 0.35, 0.15
    )
    assert quantity[0].tolist() == pytest.approx([50.0, 35.0, 30.0, 85.0])
    assert quantity[0, :2].sum() < 100.0 < quantity[0, :3].sum()
    assert limit[0, 2] == pytest.approx(50.0)
    assert limit[0].tolist() == pytest.approx([41.25, 46.5, 50.0, 58.75])


def test_excess_stock_lowers_the_whole_ask_curve():
    """At twice the target each limit is 15 % of the expected price lower."""
    normal = ask_curve(
        column(200.0), column(200.0), column(100.0), column(50.0), column(0.0), 0.2, 0.15
    )
    glut = ask_curve(
        column(200.0), column(100.0), column(100.0), column(50.0), column(0.0), 0.2, 0.15
    )
    np.testing.assert_allclose(normal[1] - glut[1], 0.15 * 50.0)


@given(seller, slope, slope)
def test_an_ask_curve_offers_the_stock_rises_and_respects_the_floor(row, flow, stock):
    """For any seller and any slopes."""
    held, _, _, expected, floor = row
    quantity, limit = ask_curve(*(column(value) for value in row), flow, stock)
    assert (quantity >= 0).all()
    assert quantity.sum() == pytest.approx(held, rel=1e-12, abs=1e-12)
    assert (np.diff(limit[0]) >= 0).all()
    assert (limit >= floor).all()
    assert (limit <= max(expected * ASK_FACTOR_RANGE[1], floor) * (1 + 1e-12)).all()


@given(st.lists(seller, min_size=2, max_size=5), slope, slope)
def test_a_row_of_an_ask_curve_is_the_curve_of_that_seller_alone(rows, flow, stock):
    """Sellers do not see each other."""
    many = [np.array(values) for values in zip(*rows, strict=True)]
    quantity, limit = ask_curve(*many, flow, stock)
    assert quantity.shape == limit.shape == (len(rows), ASK_STEPS)
    for i, row in enumerate(rows):
        one = ask_curve(*(column(value) for value in row), flow, stock)
        np.testing.assert_array_equal(quantity[i], one[0][0])
        np.testing.assert_array_equal(limit[i], one[1][0])


def test_a_seller_holds_its_normal_stock_at_the_long_run_price():
    """Neither cheap nor dear."""
    assert storage_target_t(column(100.0), column(50.0), column(50.0), 0.5)[0] == 100.0


def test_a_seller_holds_more_while_the_price_is_low_but_no_more_than_double():
    """The elasticity is one half and the price ratio is bounded at four."""
    target = storage_target_t(
        np.full(4, 100.0), column(12.5, 1.0, 200.0, 1e4), np.full(4, 50.0), 0.5
    )
    assert target.tolist() == pytest.approx([200.0, 200.0, 50.0, 50.0])


def test_smoothing_moves_by_one_part_in_its_memory():
    """From 100 towards 140 with a memory of four months."""
    assert smooth(column(100.0), column(140.0), 4.0)[0] == 110.0


def test_a_memory_of_one_month_forgets_at_once():
    """The last value is then all there is."""
    assert smooth(column(100.0), column(140.0), 1.0)[0] == 140.0


AIMS = Scenario(state_downstream_share=0.5)


@pytest.mark.parametrize(
    ("ask", "price", "downstream", "aimed"),
    [
        (50.0, 50.0, np.inf, 50.0),  # nobody at home uses it
        (50.0, 50.0, 60.0, 50.0),  # they can pay it
        (50.0, 50.0, 40.0, 45.0),  # half of a gap of a fifth
    ],
)
def test_a_state_producer_is_kind_at_home(ask, price, downstream, aimed):
    """Half of the gap of users at home."""
    asked = state_ask_usd_per_kg(ask, price, downstream, AIMS.numbers()[0])
    assert asked == pytest.approx(aimed)


def test_without_aims_a_state_producer_asks_as_anyone():
    free = Scenario(state_downstream_share=0.0)
    for ask in (40.0, 50.0, 60.0, 70.0):
        assert state_ask_usd_per_kg(ask, 50.0, 1.0, free.numbers()[0]) == ask


def test_orders_are_posted_on_what_was_published_only():
    """Posting twice on one bulletin gives the same asks, so activation order cannot matter."""
    cohort = mines(2)
    first, second = Sheet(cohort), Sheet(cohort)
    cohort.post(first, bulletin(), regime(), NO_USERS)
    cohort.post(second, bulletin(), regime(), NO_USERS)
    np.testing.assert_array_equal(first.asks["producer"][1], second.asks["producer"][1])


def test_the_gain_expected_of_holding_is_trend_and_return_to_the_mean_less_carrying_cost():
    """1 % a month, half price, half of the distance back in a year, 12 % cost."""
    s = Scenario(reversion_share_per_year=0.5, carrying_cost_share_per_year=0.12)
    gain = expected_gain_share(column(0.01), column(25.0), column(50.0), s.numbers()[0])
    assert gain[0] == pytest.approx(0.12 + 0.5 * np.log(2.0) - 0.12)


def test_cover_is_usual_in_a_quiet_market_rises_with_gain_and_alarm_and_falls_with_prices():
    """Two months of cover and a response of one to each."""
    s = Scenario(
        hoarding_response=1.0,
        alarm_response=1.0,
        carrying_cost_share_per_year=0.1,
        least_cover_share=0.5,
        most_cover_share=3.0,
    )
    gain = column(-0.1, 0.4, -0.1, -0.3, -5.0, 9.0)
    alarm = column(0.0, 0.0, 0.5, 0.0, 0.0, 0.0)
    cover = wanted_cover_months(np.full(6, 2.0), gain, alarm, s.numbers()[0])
    assert cover.tolist() == pytest.approx([2.0, 2.8, 3.0, 1.6, 1.0, 6.0])


def test_alarm_rises_at_once_and_is_forgotten_slowly():
    assert alarmed_share(column(0.0), column(0.6), 10.0)[0] == 0.6
    assert alarmed_share(column(0.6), column(0.0), 10.0)[0] == pytest.approx(0.54)


def test_only_a_worsening_is_news():
    """A loss of 0.3 announced last month and 0.5 now alarms by 0.2; one that stays, not again."""
    announced, known = column(0.5, 0.5, 0.2), column(0.3, 0.5, 0.5)
    assert news_share(announced, known).tolist() == pytest.approx([0.2, 0.0, 0.0])
