"""Declared parameters: ranges, types and command-line texts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rare_market.declare import (
    Declaration,
    InvalidValueError,
    check_ranges,
    declarations,
    parameter,
    parse_values,
    refuse_unknown,
)


@dataclass(frozen=True, kw_only=True)
class Terms:
    """Terms with a field of each type."""

    rate_share: float = parameter(0.2, "share", 0.0, 1.0, "a rate", "a_source")
    months: int = parameter(6, "months", 1, 24, "a time")
    good: str = parameter("oxide", "", None, None, "a good", "choice")
    stocked: bool = parameter(False, "", None, None, "whether stocks count")
    undeclared: float = 1.0

    def __post_init__(self) -> None:
        check_ranges(self, "terms")


def test_a_declaration_holds_all_that_is_said_of_a_field():
    """Default, unit, bounds, meaning and source, in the order of the fields."""
    listed = list(declarations(Terms))
    assert listed[0] == Declaration("rate_share", 0.2, "share", 0.0, 1.0, "a rate", "a_source")
    assert listed[1].source == "assumed"
    assert [field.name for field in listed] == ["rate_share", "months", "good", "stocked"]


def test_declarations_are_those_of_the_type_also_for_an_instance():
    """A changed value is not a changed default."""
    assert list(declarations(Terms(rate_share=0.9))) == list(declarations(Terms))


@given(st.floats(0, 1))
def test_a_value_within_its_bounds_is_taken_as_it_is(rate):
    """Both bounds included."""
    assert Terms(rate_share=rate).rate_share == rate


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"rate_share": 1.5}, "terms: rate_share = 1.5 is not within 0 to 1 share."),
        ({"rate_share": -0.1}, "terms: rate_share = -0.1 is not within 0 to 1 share."),
        ({"rate_share": float("nan")}, "terms: rate_share = nan is not within 0 to 1 share."),
        ({"rate_share": "0.5"}, "terms: rate_share = '0.5' must be a number within 0 to 1 share."),
        ({"rate_share": True}, "terms: rate_share = True must be a number within 0 to 1 share."),
        ({"months": 0}, "terms: months = 0 is not within 1 to 24 months."),
        ({"months": 6.0}, "terms: months = 6.0 must be a whole number within 1 to 24 months."),
        ({"months": True}, "terms: months = True must be a whole number within 1 to 24 months."),
        ({"good": 3}, "terms: good = 3 must be a text."),
        ({"stocked": 1}, "terms: stocked = 1 must be true or false."),
    ],
)
def test_a_wrong_value_is_refused_with_one_sentence(changed, sentence):
    """Naming the owner, the field, the value and the bounds with their unit."""
    with pytest.raises(InvalidValueError) as refusal:
        Terms(**changed)
    assert str(refusal.value) == sentence


def test_a_whole_number_serves_as_a_number():
    """And becomes one."""
    rate = Terms(rate_share=1).rate_share
    assert rate == 1.0
    assert isinstance(rate, float)


def test_a_replaced_value_is_checked_again():
    """A frozen copy with another value passes the same gate."""
    with pytest.raises(InvalidValueError):
        replace(Terms(), rate_share=2.0)


def test_texts_become_values_of_the_declared_type():
    """As written on a command line."""
    texts = {"rate_share": "0.4", "months": "12", "good": "metal", "stocked": "Yes"}
    assert parse_values(Terms, texts, "terms") == {
        "rate_share": 0.4,
        "months": 12,
        "good": "metal",
        "stocked": True,
    }


@pytest.mark.parametrize(
    ("name", "text"), [("rate_share", "high"), ("months", "1.5"), ("stocked", "perhaps")]
)
def test_a_text_that_is_no_such_value_is_refused(name, text):
    """The sentence quotes it."""
    with pytest.raises(InvalidValueError, match=f"^terms: {name} = '{text}' must be .*\\.$"):
        parse_values(Terms, {name: text}, "terms")


def test_an_unknown_field_is_refused_with_those_there_are():
    """A misspelled name is not silently dropped."""
    with pytest.raises(InvalidValueError, match=r"^terms has no field 'rate'; it has rate_share, "):
        parse_values(Terms, {"rate": "1"}, "terms")
    with pytest.raises(InvalidValueError, match="it has a, b"):
        refuse_unknown({"a": 1, "b": 2}, "c", "thing")


def test_a_field_without_declaration_is_no_parameter():
    """It cannot be set by text."""
    with pytest.raises(InvalidValueError):
        parse_values(Terms, {"undeclared": "2"}, "terms")
