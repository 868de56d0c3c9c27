"""The scoreboard: what passes, what naive forecasts say, what is written."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rare_market import validation
from rare_market.declare import InvalidValueError
from rare_market.episodes import MEASURES
from rare_market.runner import LocalProcesses
from rare_market.validation import (
    ABLATIONS,
    FOB,
    HISTORY,
    NAIVE,
    NULL,
    Job,
    Outcome,
    Scoreboard,
    jobs,
    moments_of,
    naive_values,
    price_record,
    targets,
)


@pytest.fixture(scope="module")
def board() -> Scoreboard:
    """One draw of the rally and the slump, with its null model."""
    rows = targets(["E6", "E7"])
    todo = jobs(["E6", "E7"], 1)
    return validation.fill(Scoreboard(rows), todo, LocalProcesses(1))


def test_bands_hold_their_records():
    """The record itself would pass, and every target names a mechanism and a source."""
    for row in targets():
        assert row.passes(row.record), row.target
        assert row.mechanism
        assert row.source


def test_an_unknown_episode_is_refused_with_those_there_are():
    with pytest.raises(InvalidValueError, match=r"E9.*E1, E2, E6, E7"):
        targets(["E9"])


def test_a_share_of_runs_is_a_mean_and_anything_else_a_median():
    by_name = {row.target: row for row in targets()}
    assert by_name["molycorp_fails"].middle([1.0, 0.0, 0.0]) == pytest.approx(1 / 3)
    assert by_name["la_peak_multiple"].middle([1.0, 20.0, 30.0]) == 20.0
    assert math.isnan(by_name["la_peak_multiple"].middle([float("nan")]))


def test_every_job_is_made_once_and_the_floor_only_where_it_is_scored():
    made = jobs(replications=2)
    assert len(set(made)) == len(made) == 2 * 5
    assert {job.variant for job in jobs(["E6"], 1)} == {HISTORY, NULL}


def test_scenarios_without_targets_are_simulated_for_their_prices_only():
    """The controls of 2025: as they were and without a strategic China."""
    extra = validation.kept_aside(2)
    assert {job.scenario for job in extra} == {"controls_2025"}
    assert {(job.variant, job.replication) for job in extra} == {
        (variant, draw) for variant in (HISTORY, NULL) for draw in range(2)
    }
    assert not {job.scenario for job in jobs(replications=1)} & {job.scenario for job in extra}


def test_a_score_is_the_share_of_targets_in_their_bands():
    rows = targets(["E6"])
    values = {row.target: row.record for row in rows}
    values["ndpr_rally_multiple"] = 1.0
    board = Scoreboard(rows, {Job("history_2018_2024", HISTORY, 0): Outcome(values, {})})
    assert board.score_share() == pytest.approx(1.0 - 1.0 / len(rows))


def test_naive_forecasts_do_not_see_the_peak_coming():
    """No change leaves the multiple at one; both say nothing of quantities."""
    for kind in NAIVE:
        values = naive_values(kind)
        assert values["ndpr_rally_multiple"] == pytest.approx(1.0, abs=0.1)
        assert math.isnan(values["china_output_in_slump"])
        assert values["la_peak_multiple"] < 3.0


def test_moments_of_a_series_with_known_ones():
    """A price that alternates up and down: autocorrelation minus one, no month unchanged."""
    swing = np.exp(0.1 * (np.arange(60) % 2))
    flat = np.ones(60)
    found = moments_of({"ndpr_oxide": swing, "la_oxide": flat})
    assert found["ndpr_oxide"]["autocorrelation"] == pytest.approx(-1.0, abs=0.02)
    assert found["ndpr_oxide"]["volatility_per_year"] == pytest.approx(0.1 * np.sqrt(12), rel=0.02)
    assert found["la_oxide"]["unchanged_share"] == 1.0


def test_the_table_holds_every_target_with_null_and_naive_values(board):
    lines = board.table()
    assert [line["target"] for line in lines] == [row.target for row in targets(["E6", "E7"])]
    assert {"median", "low", "high", "passed", "null", *NAIVE} <= set(lines[0])


def test_prices_hold_every_oxide_and_magnet_inside_and_outside_quoted_and_transacted(board, data):
    frame = board.prices()
    quoted = validation.quoted_goods(data.catalogue)
    assert set(frame["good"]) == set(np.array(data.catalogue.goods)[quoted])
    assert set(frame["variant"]) == {HISTORY, NULL}
    for column in ("quote_inside", "quote_outside", "transaction_inside", "transaction_outside"):
        assert frame[f"{column}_usd_per_kg"].notna().any()
    assert {"volume_inside_t", "volume_outside_t"} <= set(frame.columns)
    assert len(frame) == 2 * quoted.sum() * 84


def test_the_same_draw_gives_the_same_score(board):
    job = next(iter(board.runs))
    again = validation.run_job(job)
    assert again.values == pytest.approx(board.runs[job].values, nan_ok=True, abs=0.0)


def test_the_record_of_a_price_is_in_order_of_time():
    at, price = price_record("dy_oxide", FOB)
    assert (np.diff(at) >= 0).all()
    assert price[np.argmin(np.abs(at - 2011.625))] == pytest.approx(2377.0)


def test_yearly_fit_and_moments_are_of_the_runs(board):
    fit = {line["good"]: line for line in validation.yearly_fit(board)}
    assert fit["ndpr_oxide"]["years"] >= 4
    assert fit["ndpr_oxide"]["log_error"] > 0.0
    assert {line["moment"] for line in validation.moments_table(board)} == set(validation.MOMENTS)


def test_an_ablation_takes_out_fields_or_instruments_there_are():
    from rare_market.declare import declarations
    from rare_market.policies import INSTRUMENTS
    from rare_market.scenario import Scenario

    fields = {field.name for field in declarations(Scenario)}
    for changed, left_out in ABLATIONS.values():
        assert set(changed) <= fields
        assert set(left_out) <= set(INSTRUMENTS)
        assert changed or left_out
    assert len(MEASURES) == len(targets())
