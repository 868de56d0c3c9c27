"""The scenario: declared once, checked on construction, read from a file."""

from __future__ import annotations

import dataclasses

import pytest

from rare_market.dataset import Data
from rare_market.declare import InvalidValueError, declarations
from rare_market.scenario import Scenario, read_scenario

FIELDS = list(declarations(Scenario))
NUMBERS = [field for field in FIELDS if field.low is not None]


def test_every_field_is_declared():
    """No assumption without unit, bounds, meaning and source."""
    assert [f.name for f in FIELDS] == [f.name for f in dataclasses.fields(Scenario)]
    assert all(field.meaning and field.source for field in FIELDS)


def test_every_source_of_a_field_is_known(data: Data):
    """A key of the table of sources, or a choice."""
    known = {*data.tables.sources["key"].tolist(), "assumed", "choice"}
    assert {field.source for field in FIELDS} <= known


@pytest.mark.parametrize("field", NUMBERS, ids=lambda field: field.name)
def test_defaults_lie_within_bounds_and_values_beyond_are_refused(field):
    """One sentence with the field, the value and the bounds."""
    assert field.low <= field.default <= field.high
    kind = type(field.default)
    for wrong in (kind(field.low - 1), kind(field.high + 1)):
        with pytest.raises(InvalidValueError) as refusal:
            Scenario(**{field.name: wrong})
        sentence = str(refusal.value)
        assert f"scenario: {field.name} = {wrong} is not within" in sentence
        assert f"{field.low:g} to {field.high:g}" in sentence
        assert sentence.endswith(".")


def test_a_unit_in_a_name_is_the_unit_declared():
    """A field of months is in months."""
    for field in FIELDS:
        for ending, unit in (
            ("_months", "months"),
            ("_usd_per_kg", "USD/kg"),
            ("_share", "share"),
            ("_years", "years"),
        ):
            if field.name.endswith(ending):
                assert field.unit == unit, field.name


def test_a_scenario_cannot_be_changed():
    """It is the record of what was assumed."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        Scenario().years = 3  # type: ignore[misc]


def test_a_year_has_twelve_periods():
    """And the run as many as its years."""
    assert Scenario(years=3).periods == 36


def test_another_replication_is_the_same_world_under_another_draw():
    """Nothing else changes."""
    scenario = Scenario(years=5, ramp_months=30.0)
    other = scenario.replicate(7)
    assert other.replication == 7
    assert dataclasses.replace(other, replication=0) == scenario


def test_fields_are_read_from_a_file(tmp_path):
    """A file names only what it changes."""
    file = tmp_path / "slow.toml"
    file.write_text("years = 8\nramp_months = 60.0\n", encoding="utf-8")
    assert read_scenario(file) == {"years": 8, "ramp_months": 60.0}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("yeers = 8", "has no field 'yeers'"),
        ("years = 800", "years = 800 is not within 1 to 30 years"),
        ("years = 'long'", "years = 'long' must be a whole number"),
        ("years = = 8", "not a TOML file"),
    ],
)
def test_a_wrong_file_is_refused_with_a_sentence(text, sentence, tmp_path):
    """Unknown field, value out of range, wrong type, no TOML."""
    file = tmp_path / "wrong.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidValueError, match=sentence):
        read_scenario(file)


def test_a_missing_file_is_refused_with_its_name(tmp_path):
    """The user wants to know which."""
    with pytest.raises(InvalidValueError, match=r"nowhere\.toml: the scenario cannot be read"):
        read_scenario(tmp_path / "nowhere.toml")
