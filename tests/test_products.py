"""Products in use: how long they last, what returns, and that nothing is lost on the way."""

from __future__ import annotations

import numpy as np
import pytest

from rare_market.inputs import InputError
from rare_market.model import RareEarthMarket
from rare_market.products import AGES, Products, returned_t
from rare_market.scenario import Scenario
from tests.conftest import edited_data, run


def lives_months(lifetime_years: float, months: int = 1200) -> np.ndarray:
    """Tonnes returned in each month after one tonne was built in."""
    in_use_t, years = np.zeros((AGES, 1)), np.array([lifetime_years])
    returned_t(in_use_t, np.ones(1), years)
    return np.array([returned_t(in_use_t, np.zeros(1), years)[0] for _ in range(months)])


@pytest.mark.parametrize("lifetime_years", [4.0, 14.0])
def test_a_product_lasts_its_lifetime_on_average_and_half_of_it_is_the_spread(lifetime_years):
    returned = lives_months(lifetime_years)
    months = 1.0 + np.arange(len(returned))
    mean = (months * returned).sum()
    spread = np.sqrt(((months - mean) ** 2 * returned).sum())
    assert returned.sum() == pytest.approx(1.0)
    assert mean == pytest.approx(12.0 * lifetime_years)
    assert spread / mean == pytest.approx(0.5, abs=0.03)


def test_what_is_built_in_is_in_use_or_returned():
    """Whatever is built in and however long it lasts."""
    rng = np.random.default_rng(1)
    in_use_t, years = rng.random((AGES, 5)), rng.uniform(0.1, 25.0, 5)
    before_t, added_t = in_use_t.sum(axis=0), rng.random(5)
    gone_t = returned_t(in_use_t, added_t, years)
    assert in_use_t.sum(axis=0) + gone_t == pytest.approx(before_t + added_t)
    assert (in_use_t >= 0.0).all()


def test_a_long_level_past_returns_what_is_built_in():
    products = Products(
        buyer=np.array([0]),
        good=np.array([1]),
        place=np.array([0]),
        lifetime_years=np.array([10.0]),
        scrap=np.array([2]),
        scrap_t_per_t=np.array([0.7]),
        past_t=np.full((720, 1), 5.0),
    )
    assert products.returned_t[0] == pytest.approx(5.0, rel=1e-6)
    assert products.scrap_t(3, 1).ravel().tolist() == pytest.approx([0.0, 0.0, 3.5])


def test_collection_follows_products_of_past_years_not_sales_of_this_one():
    """Demand that stands still and demand that triples return the same for the first years."""
    slow, fast = (run(years=2, demand_growth_multiplier=growth) for growth in (0.0, 3.0))
    used = [r.used_t[12:].sum() for r in (slow, fast)]
    back = [r.thrown_away_t[12:].sum() for r in (slow, fast)]
    assert used[1] > 1.05 * used[0]
    assert back[1] == pytest.approx(back[0], rel=0.02)


def test_more_returns_each_year_because_more_was_sold(short_run):
    yearly = short_run.thrown_away_t.reshape(3, 12, -1).sum(axis=(1, 2))
    assert (np.diff(yearly) > 0.0).all()


def test_products_balance_by_good_and_place_and_collectors_take_no_more_than_there_is(short_run):
    """In use grows by what is built in less what is thrown away, in the records of every month."""
    r = short_run
    c = r.catalogue
    kept = r.in_use_t[0] > 0.0
    change = np.diff(r.in_use_t, axis=0)[:, kept]
    assert change == pytest.approx((r.used_t - r.thrown_away_t)[1:, kept], abs=1e-9)
    market = RareEarthMarket(Scenario(years=1))
    p = market.producers
    assert (p.collected_share <= 1.0).all()
    assert set(c.stage[p.good[p.collected_share > 0.0]]) == {c.stage[c.of_stage("scrap")][0]}


def test_a_collector_of_more_than_is_thrown_away_is_refused(tmp_path):
    def overdo(rows: list[dict[str, str]]) -> None:
        rows[1]["collection_t_per_year"] = "1e6"

    folder = str(edited_data(tmp_path, "scrap_collection", overdo))
    with pytest.raises(InputError, match=r"row USA, standard_magnet_scrap: .* more than the"):
        RareEarthMarket(Scenario(years=1, data_folder=folder))


def test_a_sector_without_activity_is_refused_where_it_has_demand(tmp_path):
    def drop(rows: list[dict[str, str]]) -> None:
        rows[:] = [row for row in rows if row["sector"] != "wind"]

    folder = str(edited_data(tmp_path, "activity", drop))
    with pytest.raises(InputError, match=r"activity.csv: sector 'wind' has demand in .* no row"):
        RareEarthMarket(Scenario(years=1, data_folder=folder))
