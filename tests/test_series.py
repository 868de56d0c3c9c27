"""Monthly series: they add up to the measures of the same run."""

from __future__ import annotations

import numpy as np
import pytest

from rare_market import measures
from rare_market.model import simulate
from rare_market.policies import OfftakeGuarantee, PriceFloor, Undercutting
from rare_market.scenario import Scenario
from rare_market.series import BLOCKED_SERIES, SERIES


@pytest.fixture(scope="module")
def run():
    policies = [
        Undercutting(start_year=2024.0),
        PriceFloor(start_year=2024.5),
        OfftakeGuarantee(start_year=2024.5),
    ]
    records = simulate(Scenario(years=2), policies)
    return records, {name: series(records) for name, series in SERIES.items()}


def test_every_series_has_a_finite_number_for_every_month(run):
    _, series = run
    for name, values in series.items():
        assert values.shape == (24,), name
        assert np.isfinite(values).all(), name


def test_what_industry_earns_in_china_is_its_income_and_the_treasurys_cover(run):
    """The facilities' cash and the ledger's accounts are kept apart and agree."""
    records, series = run
    earned = series["china_upstream_musd"].sum() + series["china_downstream_musd"].sum()
    cover = measures.undercutting_cost_usd(records, 2024, 2025) / 1e6
    assert cover > 0
    assert earned == pytest.approx(measures.china_income_usd(records, 2024, 2025) / 1e6 + cover)


def test_what_users_spend_is_what_the_measure_says(run):
    records, series = run
    spent = measures.buyers_cost_usd(records, 2024, 2025) / 1e6
    assert series["allied_users_spend_musd"].sum() == pytest.approx(spent)
    made = measures.oxide_outside_t(records, "ndpr_oxide", 2024, 2025)
    assert series["ndpr_oxide_outside_t"].sum() == pytest.approx(made)


def test_capacity_at_the_end_of_a_year_is_that_of_its_last_month(run):
    records, series = run
    for stage in ("separation", "magnet"):
        last = series[f"{stage}_outside_t_per_year"][11]
        assert last == pytest.approx(measures.capacity_outside_t_per_year(records, stage, 2024))
    assert (series["separation_idle_outside_t_per_year"] >= 0).all()


def test_every_project_planned_outside_china_is_blocked_by_something_or_decided(run):
    """The layers of the figure add up to the same number in every month."""
    records, series = run
    layers = sum(series[name] for name in BLOCKED_SERIES)
    assert (layers == layers[0]).all()
    assert layers[0] > 50
    frame = records.frame("facilities")
    assert (frame.loc[frame["status"] != "planned", "blocked_by"] == "").all()
    assert (frame.loc[frame["status"] == "planned", "blocked_by"] != "").all()


def test_doubt_blocks_projects_that_a_believed_floor_builds():
    """Credibility is the reason only where a promise is doubted."""
    doubted, believed = (
        SERIES["blocked_by_credibility_projects"](
            simulate(Scenario(years=3), [PriceFloor(start_year=2024.5, belief_share=belief)])
        )
        for belief in (0.3, 1.0)
    )
    assert doubted.sum() > 0
    assert believed.sum() == 0
