"""Worlds side by side: the same luck, paired differences, independence from workers."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from rare_market.compare import (
    NO_POLICY_WORLD,
    NULL_WORLD,
    World,
    compare,
    default_worlds,
    first_policy_year,
    outcomes,
    policy_years,
    save_records,
    slug,
)
from rare_market.measures import public_cost_usd
from rare_market.model import simulate
from rare_market.policies import PriceFloor, Tariff, Undercutting
from rare_market.scenario import Scenario

SCENARIO = Scenario(years=3)
WORLDS = (World(NULL_WORLD, ()), World(NO_POLICY_WORLD, (Undercutting(),)))


@pytest.fixture(scope="module")
def comparison():
    return compare(SCENARIO, WORLDS, 3, processes=1)


def test_every_world_meets_the_same_luck(comparison):
    """Until undercutting starts in 2026 the paths of both worlds are equal to the bit."""
    paths = comparison.series["price_inside_usd_per_kg"]
    np.testing.assert_array_equal(paths[NULL_WORLD][:, :24], paths[NO_POLICY_WORLD][:, :24])
    assert not np.array_equal(paths[NULL_WORLD], paths[NO_POLICY_WORLD])


def test_the_number_of_workers_does_not_matter(comparison):
    again = compare(SCENARIO, WORLDS, 3, processes=2)
    pd.testing.assert_frame_equal(comparison.runs(), again.runs())


def test_progress_counts_every_run():
    counted = []
    compare(Scenario(years=1), (World(NULL_WORLD, ()),), 7, processes=1, progress=counted.append)
    assert sum(counted) == 7


def test_no_policy_secures_nothing_against_itself(comparison):
    runs = comparison.runs().set_index("world")
    assert (runs.loc[NO_POLICY_WORLD, "secured_t"] == 0.0).all()
    assert runs.loc[NO_POLICY_WORLD, "public_cost_usd_per_kg_secured"].isna().all()


def test_the_table_holds_the_median_and_the_outer_tenths(comparison):
    table = comparison.table().set_index(["world", "measure"])
    runs = comparison.runs()
    own = runs[runs["world"] == NULL_WORLD]["ndpr_inside_usd_per_kg"]
    row = table.loc[(NULL_WORLD, "ndpr_inside_usd_per_kg")]
    assert row["median"] == own.median()
    assert row["low"] <= row["median"] <= row["high"]


def test_what_each_side_got_for_a_reason_sums_to_zero(comparison):
    for world in comparison.worlds:
        table = comparison.received_musd(world.name)
        assert table.sum(axis=1).abs().max() <= 1e-9 * table.abs().to_numpy().sum()


def test_years_are_counted_from_the_first_policy_on():
    """The standard ones start in 2026; what an earlier one costs from its start counts as well."""
    early = World("floor", (PriceFloor(start_year=2024.5),))
    found = compare(Scenario(years=3), (World(NULL_WORLD, ()), early), 1, processes=1)
    assert found.counted_years == (2024, 2026)
    for world in found.worlds:
        expected = simulate(found.scenario, world.policies)
        own = found.runs().set_index("world").loc[world.name]
        assert own["public_cost_musd"] == public_cost_usd(expected, 2024, 2026) / 1e6
    assert found.runs().set_index("world").loc["floor", "public_cost_musd"] != 0.0
    late = (World("late", (PriceFloor(start_year=2030.0),)),)
    assert policy_years(2024, 12, first_policy_year(late)) == (2026, 2035)


def test_the_standard_worlds_are_six_and_a_package_makes_three():
    assert [world.name for world in default_worlds()] == [
        NULL_WORLD,
        NO_POLICY_WORLD,
        "offtake",
        "price floor",
        "tariff",
        "floor + offtake",
    ]
    package = default_worlds([Tariff(), PriceFloor()])
    assert [world.name for world in package] == [NULL_WORLD, NO_POLICY_WORLD, "package"]
    own = Undercutting(depth_share=0.2)
    assert default_worlds([own])[1].policies == (own,)
    assert len(default_worlds([own])) == 2


def test_saved_records_are_the_frames_with_their_provenance(tmp_path):
    records = simulate(Scenario(years=1), [Tariff(start_year=2024.5)])
    save_records(records, tmp_path)
    prices = pq.read_table(tmp_path / "prices.parquet")
    assert prices.num_rows == len(records.frame("prices"))
    stamp = json.loads(prices.schema.metadata[b"rare_market"])
    assert stamp["policies"][0]["name"] == "tariff"
    saved = prices.to_pandas()["price_usd_per_kg"].to_numpy()
    np.testing.assert_array_equal(saved, records.frame("prices")["price_usd_per_kg"].to_numpy())


def test_outcomes_are_finite_numbers():
    values = outcomes(simulate(Scenario(years=3)))
    assert all(np.isfinite(value) for value in values.values())


def test_names_of_worlds_become_plain_file_names():
    assert slug("floor + offtake") == "floor_offtake"


def test_what_a_policy_costs_per_what_it_bought_is_paired_with_the_same_luck():
    """Per kilogram secured, capacity kept and point of dependence; discounted is less."""
    worlds = (*WORLDS, World("floor", (Undercutting(), PriceFloor(start_year=2026.0))))
    found = compare(Scenario(years=6), worlds, 1, processes=1)
    runs = found.runs().set_index("world")
    base, floor = runs.loc[NO_POLICY_WORLD], runs.loc["floor"]
    kept = (
        floor["separation_capacity_outside_t_per_year"]
        - base["separation_capacity_outside_t_per_year"]
    )
    points = 100.0 * (base["china_separation_share"] - floor["china_separation_share"])
    for amount, name, scale in (
        (floor["oxide_outside_t"] - base["oxide_outside_t"], "usd_per_kg_secured", 1e3),
        (kept, "usd_per_kg_per_year_kept", 1e3),
        (points, "musd_per_point", 1.0),
    ):
        per = floor[f"public_cost_{name}"]
        assert amount > 0.0 or np.isnan(per)
        if amount > 0.0:
            assert per == pytest.approx(scale * floor["public_cost_musd"] / amount)
            assert 0.0 < floor[f"public_cost_discounted_{name}"] < per
    assert floor["public_cost_musd"] > 0.0


def test_welfare_by_place_adds_up(comparison):
    """Consumers, firms, treasury and external cost are its parts, in every place and world."""
    welfare = comparison.welfare_musd()
    places = len(simulate(Scenario(years=1)).catalogue.places)
    assert len(welfare) == places * len(WORLDS)
    parts = welfare[["consumers", "firms", "treasury", "external_cost"]].sum(axis=1)
    np.testing.assert_allclose(parts, welfare["welfare"], rtol=1e-9, atol=1e-6)
