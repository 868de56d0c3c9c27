"""The first year without any policy is near the record of 2024, and prices return to it."""

from __future__ import annotations

import numpy as np
import pytest

from rare_market.dataset import START_BASIS, Data
from rare_market.goods import OPEN
from rare_market.measures import china_share, mine_output_t
from rare_market.records import Records
from tests.conftest import edited_data, run

OXIDES = ("ndpr_oxide", "dy_oxide", "tb_oxide", "la_oxide", "ce_oxide")
STAGES = {"mining": "mine", "separation": "separation", "magnet": "magnet"}


@pytest.fixture(scope="module")
def first_year() -> list[Records]:
    return [run(years=1, replication=i) for i in range(4)]


def benchmark(data: Data, quantity: str, scope: str) -> float:
    rows = data.tables.benchmarks
    chosen = (rows["quantity"] == quantity) & (rows["scope"] == scope)
    return float(rows["value"][chosen].item())


def recorded_fob(data: Data, good: str) -> float:
    rows = data.tables.prices
    chosen = (rows["good"] == good) & (rows["basis"] == "fob_china") & (rows["period"] == "2024")
    return float(rows["price_usd_per_kg"][chosen].item())


@pytest.mark.parametrize("good", OXIDES)
def test_export_prices_of_2024_are_within_a_quarter_of_the_record(good, data, first_year):
    """FOB is the price in China and the value-added tax that is not refunded."""
    c = data.catalogue
    at = (slice(None), c.good(good), c.china)
    home = np.mean([r.netback_usd_per_kg[at].mean() for r in first_year])
    fob = home * (1.0 + data.law.export_tax_share[c.good(good), c.china])
    assert fob == pytest.approx(recorded_fob(data, good), rel=0.25)


def test_the_world_mines_within_a_twentieth_of_the_record(data, first_year):
    """Tonnes of oxide in 2024."""
    mined = np.mean([mine_output_t(r, 2024) for r in first_year])
    assert mined == pytest.approx(benchmark(data, "mine_output", "world"), rel=0.05)


@pytest.mark.parametrize("scope", list(STAGES))
def test_chinas_share_of_each_stage_is_within_five_points_of_the_record(scope, data, first_year):
    """Mining, separation and magnets in 2024."""
    share = np.mean([china_share(r, STAGES[scope], 2024) for r in first_year])
    assert share == pytest.approx(benchmark(data, "china_share", scope), abs=0.05)


def test_nothing_is_short_in_the_first_year(first_year):
    """Stocks cover what chance takes away."""
    short = sum(r.shortage_t.sum() for r in first_year)
    used = sum(r.used_t.sum() for r in first_year)
    assert short < 0.01 * used


@pytest.mark.parametrize("factor", [1.2, 0.8])
def test_a_start_away_from_the_record_is_forgotten_within_five_years(factor, tmp_path):
    """NdPr oxide a fifth off: half of that is gone in years four and five, over twelve draws.

    A single run goes its own way after any push, since traders extrapolate; the mean does not.
    """

    def scale(rows: list[dict[str, str]]) -> None:
        for row in rows:
            if (row["good"], row["place"], row["basis"], row["period"]) == (
                "ndpr_oxide",
                "CHN",
                START_BASIS,
                "2024",
            ):
                row["price_usd_per_kg"] = str(factor * float(row["price_usd_per_kg"]))

    folder = str(edited_data(tmp_path, "prices", scale))
    moved_by = []
    for replication in range(12):
        calm, moved = (
            run(years=5, replication=replication, **f) for f in ({}, {"data_folder": folder})
        )
        at = (slice(36, 60), calm.catalogue.good("ndpr_oxide"), calm.catalogue.china, OPEN)
        moved_by.append(np.log(moved.price_usd_per_kg[at] / calm.price_usd_per_kg[at]).mean())
    assert abs(np.mean(moved_by)) < 0.5 * abs(np.log(factor))
