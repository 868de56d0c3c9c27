"""Records: tidy frames with months and units, and what is needed to run again."""

from __future__ import annotations

import copy
import json
import re

import numpy as np
import pandas as pd
import pytest

from rare_market.policies import OriginRule
from rare_market.records import FRAMES, GAP_LIMIT, MASS_COLUMNS
from tests.conftest import run

UNIT = re.compile(r"(_t|_t_per_year|_usd|_usd_per_kg|_share|_months|_relative)$")
CODES = {"status", "fallback"}  # of a market: a code or a mark, not a quantity


@pytest.fixture(scope="module")
def followed_run():
    """Return a run of three years in which Chinese content is followed."""
    return run([OriginRule(start_year=2090.0)])


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_is_tidy(name, followed_run):
    """A row per month and cell: the first day of a month, names, and numbers with their unit."""
    frame = followed_run.frame(name)
    assert len(frame) > 0
    assert frame.columns[0] == "month"
    month = frame["month"].dt
    assert (month.day == 1).all()
    assert month.year.min() >= 2024
    assert month.year.max() <= 2026
    assert frame["month"].is_monotonic_increasing or name == "trades"
    for column in frame.columns[1:]:
        if isinstance(frame[column].dtype, pd.CategoricalDtype):
            assert frame[column].notna().all()
        else:
            assert UNIT.search(column) or column in CODES, column


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_has_one_row_per_cell(name, followed_run):
    """The names of a row identify it, except for deliveries, which are single trades."""
    frame = followed_run.frame(name)
    keys = ["month", *frame.select_dtypes("category").columns]
    if name == "facilities":
        keys.remove("status")
        keys.remove("blocked_by")
    if name != "trades":
        assert not frame.duplicated(keys).any()


@pytest.mark.parametrize("name", FRAMES)
def test_a_table_for_writing_holds_what_the_frame_holds(name, short_run):
    """Arrow and pandas agree on columns and rows."""
    frame, table = short_run.frame(name), short_run.table(name)
    assert table.column_names == list(frame.columns)
    assert table.num_rows == len(frame)


def test_an_unknown_frame_is_refused_with_those_there_are(short_run):
    """A misspelled name is answered."""
    for get in (short_run.frame, short_run.table):
        with pytest.raises(KeyError, match="no frame 'price': there are prices, flows"):
            get("price")


def test_a_frame_gives_the_arrays(short_run):
    """Tonnes and dollars of a frame sum to those of the run."""
    flows = short_run.frame("flows")["flow_t"].sum()
    assert flows == pytest.approx(short_run.flow_t.sum())
    accounts = short_run.frame("accounts")["received_usd"].sum()
    assert accounts == pytest.approx(short_run.balance_usd.sum(), abs=1.0)
    prices = short_run.frame("prices")
    one = prices[
        (prices["month"] == "2025-03-01")
        & (prices["good"] == "ndpr_oxide")
        & (prices["place"] == "JPN")
        & (prices["buyer_class"] == "open")
    ]
    c = short_run.catalogue
    expected = short_run.price_usd_per_kg[14, c.good("ndpr_oxide"), c.place("JPN"), 0]
    assert one["price_usd_per_kg"].item() == expected


def test_a_mass_frame_balances(short_run):
    """What a reader of the table can check with five columns."""
    frame = short_run.frame("mass").sort_values(["element", "month"])
    change = frame.groupby("element", observed=True)["stock_t"].diff()
    inflow = frame["mined_t"] + frame["collected_t"] - frame["consumed_t"] - frame["lost_t"]
    assert (change - inflow).abs().max() < 1e-6
    assert set(MASS_COLUMNS) <= set(frame.columns)


def test_months_are_those_of_the_calendar(short_run):
    """The run begins in January 2024."""
    months = short_run.months()
    assert len(months) == 36
    assert str(months[0]) == "2024-01-01"
    assert str(months[-1]) == "2026-12-01"


def test_provenance_tells_how_to_make_the_run_again():
    """Version, scenario, policies and checksums, as plain text."""
    from rare_market.policies import Tariff

    provenance = run([Tariff(rate_share=0.4)], years=1, replication=3).provenance
    assert provenance["scenario"]["replication"] == 3
    assert provenance["policies"][0]["name"] == "tariff"
    assert provenance["policies"][0]["rate_share"] == 0.4
    assert all(len(digest) == 64 for digest in provenance["data_sha256"].values())
    assert {"version", "commit", "python", "libraries"} <= set(provenance)
    assert json.loads(json.dumps(provenance)) == provenance


def test_every_month_and_good_has_a_certificate(short_run):
    """Zero gap, excess demand and slackness, an interval that holds the price, no fallback."""
    frame = short_run.frame("certificate")
    assert len(frame) == short_run.periods * len(short_run.catalogue.goods)
    assert frame["gap_relative"].max() <= GAP_LIMIT
    assert not frame["fallback"].any()
    prices = short_run.frame("prices")
    fresh = prices[(prices["age_months"] == 0) & (prices["price_low_usd_per_kg"] >= 0)]
    assert (fresh["price_low_usd_per_kg"] <= fresh["price_usd_per_kg"]).all()
    assert (fresh["price_usd_per_kg"] <= fresh["price_high_usd_per_kg"]).all()
    assert short_run.valid


@pytest.mark.parametrize("name", ["gap_relative", "excess_demand_t", "slackness_usd"])
@pytest.mark.parametrize("wrong", [1e3, np.nan])
def test_one_failed_certificate_makes_a_run_invalid(name, wrong, short_run):
    """Any part of it, in any month and good, also if it is not a number."""
    broken = copy.copy(short_run)
    values = getattr(short_run, name).copy()
    values[7, 2] = wrong
    setattr(broken, name, values)
    assert not broken.valid


def test_months_solved_by_the_slower_method_are_recorded_and_valid(monkeypatch):
    """The iteration limit is no failure: the exact fallback ends with the same prices."""
    fast = run(years=1)
    monkeypatch.setattr("rare_market.clearing.PIVOT_LIMIT", 0)
    slow = run(years=1)
    assert slow.frame("certificate")["fallback"].all()
    assert slow.valid
    assert np.array_equal(slow.price_usd_per_kg, fast.price_usd_per_kg, equal_nan=True)
