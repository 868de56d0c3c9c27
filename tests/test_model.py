"""A run as a whole: repeatable, indifferent to the order of rows, in the order of its page."""

from __future__ import annotations

import ast
import inspect
import random
import re
import textwrap
from pathlib import Path

import numpy as np
import pytest

from rare_market.model import RareEarthMarket, simulate
from rare_market.policies import PriceFloor, Tariff, Undercutting
from rare_market.records import Records
from rare_market.scenario import Scenario
from tests.conftest import columns_of, edited_data, first_difference, run

ODD = Path(__file__).parent.parent / "docs" / "model" / "odd.md"
STEP = re.compile(r"^\d+\. \*\*(\w+)\*\*", re.MULTILINE)
ROW_COLUMNS = (
    "facility_status",
    "facility_output_t",
    "facility_blocked",
)  # in the order of the rows of the table


def test_the_same_seed_gives_the_same_bytes(short_scenario, short_run):
    """Two runs in one process."""
    again = simulate(short_scenario)
    for name, values in columns_of(short_run).items():
        assert values.tobytes() == columns_of(again)[name].tobytes(), name
    assert short_run.contract_trades == again.contract_trades


def test_replications_and_seeds_differ(short_run):
    """Another draw of chance is another history."""
    assert first_difference(short_run, run(replication=1)) != ""
    assert first_difference(short_run, run(seed=2)) != ""


def test_the_global_generators_do_not_matter(short_run):
    """Chance comes from the scenario alone."""
    np.random.seed(7)
    random.seed(7)
    assert first_difference(short_run, run()) == ""


def test_a_longer_run_begins_like_a_shorter_one(short_run):
    """The horizon changes nothing before it, to the bit."""
    assert first_difference(short_run, run(years=5), months=36) == ""


@pytest.mark.parametrize("tables", [("facilities",), ("demand",), ("facilities", "demand")])
def test_the_order_of_the_rows_changes_nothing_beyond_rounding(tables, tmp_path, short_run):
    """Facilities and demand rows in another order, compared by name."""
    chance = random.Random(3)
    for table in tables:
        folder = str(edited_data(tmp_path, table, chance.shuffle))
    shuffled = run(data_folder=folder)
    assert sorted(shuffled.facility) == sorted(short_run.facility)
    if "facilities" in tables:
        assert shuffled.facility.tolist() != short_run.facility.tolist()
    others = columns_of(shuffled)
    for name, values in columns_of(short_run).items():
        if name in ROW_COLUMNS:
            values = values[:, np.argsort(short_run.facility)]
            other = others[name][:, np.argsort(shuffled.facility)]
        else:
            other = others[name]
        if name in ("gap_relative", "excess_demand_t", "slackness_usd"):
            continue  # rounding errors themselves
        scale = np.abs(np.nan_to_num(values)).max()
        np.testing.assert_allclose(other, values, rtol=1e-9, atol=1e-9 * scale, err_msg=name)


@pytest.mark.parametrize("start", [2025.0, 2025.5, 2026.25])
def test_a_policy_changes_nothing_before_it_starts(start, short_run):
    """To the bit, and then it does."""
    months = round((start - 2024.0) * 12)
    ruled = run([PriceFloor(start_year=start), Tariff(start_year=start, rate_share=0.5)])
    assert first_difference(short_run, ruled, months=months) == ""
    assert first_difference(short_run, ruled, months=months + 1) != ""


def test_the_month_runs_in_the_order_of_the_odd_page():
    """``step`` is its method calls and nothing else, and the page lists them all."""
    listed = STEP.findall(ODD.read_text(encoding="utf-8"))
    source = textwrap.dedent(inspect.getsource(inspect.unwrap(RareEarthMarket.step)))
    body = ast.parse(source).body[0].body  # type: ignore[attr-defined]
    calls = [line.value for line in body[1:]]
    assert all(isinstance(call, ast.Call) and not call.args for call in calls)
    assert [call.func.attr for call in calls] == listed
    assert all(callable(getattr(RareEarthMarket, name)) for name in listed)


def test_a_run_is_its_months(short_scenario, short_run):
    """Stepping the model by hand gives what ``simulate`` gives."""
    market = RareEarthMarket(short_scenario)
    for _ in range(short_scenario.periods):
        market.step()
    assert first_difference(short_run, market.records) == ""


def test_every_month_is_certified(short_run: Records):
    """Each clearing proves itself."""
    assert short_run.valid
    assert short_run.periods == 36


def test_two_markets_in_one_process_do_not_touch_each_other(short_run):
    """Alternating steps give the same histories as one after the other."""
    undercut = [Undercutting(start_year=2025.0, depth_share=0.7)]
    first, second = RareEarthMarket(Scenario(years=3)), RareEarthMarket(Scenario(years=3), undercut)
    for _ in range(36):
        second.step()
        first.step()
    assert first_difference(short_run, first.records) == ""
    assert first_difference(short_run, second.records) != ""


def test_the_law_of_the_data_is_never_changed_by_a_run(data):
    """Runs share the tables, so they must not write into them."""
    before = data.law.import_duty_share.copy(), data.law.export_tax_share.copy()
    run([Tariff(start_year=2024.25), Undercutting(start_year=2024.25)], years=1)
    np.testing.assert_array_equal(before[0], data.law.import_duty_share)
    np.testing.assert_array_equal(before[1], data.law.export_tax_share)
    assert data.law.price_floors == ()
