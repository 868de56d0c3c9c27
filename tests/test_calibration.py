"""Calibration: distances, priors, and a short search."""

from __future__ import annotations

import csv
import json
import tomllib

import pytest

from rare_market import calibration
from rare_market.calibration import PRIORS, WORST, Found, distance
from rare_market.declare import declarations
from rare_market.scenario import Scenario
from rare_market.validation import targets

ROWS = {row.target: row for row in targets()}


def test_a_value_in_its_band_is_at_no_distance_and_none_at_the_worst():
    row = ROWS["la_peak_multiple"]
    assert distance(row, row.record) == 0.0
    assert distance(row, float("nan")) == distance(row, float("inf")) == WORST
    assert 0.0 < distance(row, 0.9 * row.low) < distance(row, 0.5 * row.low)


def test_the_distance_of_a_narrow_band_is_counted_in_half_widths():
    row = ROWS["mine_output_2011"]
    assert distance(row, row.high + 0.05) == pytest.approx(0.05 / (0.5 * (row.high - row.low)))


def test_priors_are_of_declared_parameters_within_their_ranges_and_hold_the_defaults():
    declared = {field.name: field for field in declarations(Scenario)}
    for name, (low, high) in PRIORS.items():
        field = declared[name]
        assert field.low <= low < high <= field.high, name
        assert low <= field.default <= high, name


def test_no_parameter_is_of_an_element_or_a_date():
    """One number for all goods and years."""
    for name in PRIORS:
        words = name.lower().split("_")
        assert not set(words) & {"la", "ce", "nd", "ndpr", "dy", "tb", "eu", "y", "sm", "gd"}
        assert not any(word.isdigit() for word in words)


def test_a_parameter_goes_to_the_unit_interval_and_back():
    for name, (low, high) in PRIORS.items():
        assert calibration._from_unit(name, 0.0) == pytest.approx(low)
        assert calibration._from_unit(name, 1.0) == pytest.approx(high)
        default = getattr(Scenario(), name)
        assert calibration._from_unit(name, calibration._to_unit(name, default)) == pytest.approx(
            default
        )


def test_a_search_keeps_the_best_it_has_seen(monkeypatch):
    """A bowl with a known bottom: the loss falls from that of the defaults."""

    def bowl(values, replications, workers=None):
        return sum((calibration._to_unit(n, v) - 0.5) ** 2 for n, v in values.items())

    monkeypatch.setattr(calibration, "loss", bowl)
    start = bowl({n: getattr(Scenario(), n) for n in PRIORS}, 1)
    found = calibration.search(1.0, 1, seed=1)
    assert found.loss < 0.5 * start
    assert found.loss == pytest.approx(bowl(found.values, 1))


def test_estimates_are_written_as_a_scenario_a_table_and_their_origin(tmp_path, monkeypatch):
    monkeypatch.setattr(calibration, "loss", lambda values, replications, workers=None: 1.0)
    values = {name: float(getattr(Scenario(), name)) for name in PRIORS}
    found = Found(values, 1.0, 3, 2.0, 1, replications=2)
    calibration.write(found, calibration.identification(found, 1), tmp_path)
    estimates = tomllib.loads((tmp_path / "estimates.toml").read_text("utf-8"))
    Scenario(**estimates)
    with (tmp_path / "parameters.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert {row["parameter"] for row in rows} == set(PRIORS)
    assert all(row["identified"] == "False" for row in rows)
    origin = json.loads((tmp_path / "provenance.json").read_text("utf-8"))
    assert (origin["tries"], origin["replications"]) == (3, 2)
    assert {"commit", "libraries", "targets_sha256"} <= set(origin)
    assert set(origin["data_sha256"]) == {"2007", "2018", "2024"}
