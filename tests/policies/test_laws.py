"""What holds of every instrument: listing it in ``INSTRUMENTS`` puts it under these laws."""

from __future__ import annotations

import copy
import dataclasses
import math
from functools import cache
from typing import Any

import numpy as np
import pytest

from rare_market.declare import InvalidValueError, declarations
from rare_market.model import RareEarthMarket
from rare_market.policies import INSTRUMENTS, Policy, in_order, read_policy
from rare_market.records import MASS_COLUMNS, Bulletin, Records
from rare_market.regime import Regime
from rare_market.scenario import Scenario
from tests.conftest import first_difference, run
from tests.policies.cases import ACTS_WITHIN, BINDING, SLACK, beside

SINCE = 2025.0  # the thirteenth month
CASES = list(INSTRUMENTS)

every_instrument = pytest.mark.parametrize("name", CASES)


def bound(name: str, **terms: Any) -> Policy:
    return INSTRUMENTS[name](**{"start_year": SINCE, **BINDING[name], **terms})


@cache
def reference(name: str) -> Records:
    """Run what an instrument needs beside it, alone."""
    return run(beside(name))


@cache
def under(name: str) -> Records:
    """Run an instrument with what it needs beside it."""
    return run([*beside(name), bound(name)])


@cache
def thirteenth_month(name: str) -> tuple[Regime, Bulletin]:
    """Rules and bulletin of the first month in force, before the instrument."""
    market = RareEarthMarket(Scenario(years=2), beside(name))
    for _ in range(12):
        market.step()
    market.publish()
    market.amend()
    return market.regime, market.bulletin


@every_instrument
def test_every_instrument_has_its_cases(name):
    """A new instrument is not tested until it has slack and binding terms."""
    assert name in SLACK
    assert name in BINDING
    assert INSTRUMENTS[name].summary


@every_instrument
def test_before_its_start_it_changes_nothing_to_the_bit(name):
    """Twelve months are the same numbers."""
    assert first_difference(reference(name), under(name), months=12) == ""


@every_instrument
def test_it_binds_from_its_start(name):
    """The first month in force differs; within a year and a half where projects are decided."""
    months = 12 + ACTS_WITHIN.get(name, 1)
    assert first_difference(reference(name), under(name), months=months) != ""


@every_instrument
def test_after_its_end_it_amends_nothing(name):
    """An instrument in force for half a year leaves the rules of the next alone."""
    policy = bound(name, start_year=2024.5, duration_years=0.5)
    market = RareEarthMarket(Scenario(years=2), [policy])
    for _ in range(12):
        market.step()
    market.publish()
    market.amend()
    assert market.regime is market.data.law


@every_instrument
def test_slack_terms_change_nothing(name):
    """Every record of three years is the same to the bit."""
    policy = INSTRUMENTS[name](start_year=SINCE, **SLACK[name])
    slack = run([*beside(name), policy])
    assert first_difference(reference(name), slack) == ""


@every_instrument
def test_money_sums_to_zero_under_it(name):
    """Every dollar a month has a payer and a payee."""
    balance = under(name).balance_usd
    turnover = np.abs(balance).sum(axis=(1, 2, 3))
    assert (np.abs(balance.sum(axis=(1, 2, 3))) <= 1e-12 * turnover).all()
    by_reason = np.abs(balance.sum(axis=(1, 2)))
    assert (by_reason <= 1e-12 * turnover[:, None]).all()


@every_instrument
def test_tonnes_are_conserved_under_it(name):
    """Of every element, stocks grow by what is mined and collected less consumed and lost."""
    mass = under(name).mass
    mined, collected, consumed, lost, stock = (mass[1:, :, i] for i in range(len(MASS_COLUMNS)))
    change = np.diff(mass[:, :, MASS_COLUMNS.index("stock_t")], axis=0)
    assert np.abs(change - (mined + collected - consumed - lost)).max() < 1e-6
    assert (stock >= 0).all()


@every_instrument
def test_every_month_under_it_is_certified(name):
    """The clearing proves its prices and fills."""
    assert under(name).valid


@every_instrument
def test_amending_is_pure(name):
    """The rule book it was given and the bulletin keep every number; means of it may be kept."""
    law, published = thirteenth_month(name)
    kept, told = copy.deepcopy(law), copy.deepcopy(published)
    policy = bound(name)
    first = policy.amend(law, published)
    again = policy.amend(law, published)
    published = published._replace(usual_t=told.usual_t)
    for before, after in ((kept, law), (told, published), (first, again)):
        assert same(before, after)
    assert not same(first, law)


def same(one: Any, other: Any) -> bool:
    """Whether nested tuples hold the same numbers."""
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    return bool(one == other)


@every_instrument
def test_it_stands_beside_itself(name):
    """Listing an instrument twice amends the rules at least as far as listing it once."""
    law, published = thirteenth_month(name)
    policy = bound(name)
    once = policy.amend(law, published)
    twice = policy.amend(once, published)
    assert (twice.import_duty_share >= once.import_duty_share).all()
    assert (twice.state_ask_ceiling_usd_per_kg <= once.state_ask_ceiling_usd_per_kg).all()
    for contracts in LISTED:
        added = len(getattr(once, contracts)) - len(getattr(law, contracts))
        assert len(getattr(twice, contracts)) == len(getattr(once, contracts)) + added


# columns of the rule book whose entries stand side by side
LISTED = (
    "price_floors",
    "offtakes",
    "clean_rules",
    "export_quotas",
    "production_quotas",
    "purchases",
    "releases",
    "finance",
)
NUMBERS = [
    (name, field)
    for name, instrument in INSTRUMENTS.items()
    for field in declarations(instrument)
    if field.low is not None
]


@pytest.mark.parametrize(
    ("name", "field"), NUMBERS, ids=[f"{name}-{field.name}" for name, field in NUMBERS]
)
def test_a_number_out_of_range_is_refused_with_field_value_and_bounds(name, field):
    """One sentence, for too low, too high and no number at all."""
    for wrong in (field.low - 1.0, field.high + 1.0, math.nan, math.inf):
        with pytest.raises(InvalidValueError) as refusal:
            INSTRUMENTS[name](**{field.name: wrong})
        sentence = str(refusal.value)
        assert sentence.startswith(name)
        assert f"{field.name} = {wrong}" in sentence
        assert f"{field.low:g} to {field.high:g}" in sentence
        assert sentence.endswith(".")
        assert "\n" not in sentence


@pytest.mark.parametrize(
    ("name", "field"), NUMBERS, ids=[f"{name}-{field.name}" for name, field in NUMBERS]
)
def test_a_value_of_the_wrong_type_is_refused(name, field):
    """A text or a truth value is no number."""
    for wrong in ("much", None, True):
        with pytest.raises(InvalidValueError, match=f"{field.name} = {wrong!r} must be a"):
            INSTRUMENTS[name](**{field.name: wrong})


CHOSEN = [
    (name, field.name)
    for name, instrument in INSTRUMENTS.items()
    for field in declarations(instrument)
    if isinstance(field.default, str)
]


@pytest.mark.parametrize(("name", "field"), CHOSEN)
def test_an_unknown_good_or_place_is_refused_before_the_first_month(name, field):
    """The sentence names the instrument, the field and the word, and what there is."""
    policy = INSTRUMENTS[name](**{field: "unobtainium"})
    with pytest.raises(InvalidValueError) as refusal:
        run([policy])
    sentence = str(refusal.value)
    assert sentence.startswith(f"{name}: {field} = 'unobtainium' is n")
    assert sentence.endswith(".")
    assert (
        "ndpr_oxide" in sentence
        or "USA" in sentence
        or "domestic" in sentence
        or "mine" in sentence
        or "private" in sentence
    )


@every_instrument
def test_terms_can_be_written_on_a_command_line(name):
    """Every field of the text round trip."""
    policy = bound(name)
    terms = ",".join(f"{k}={v}" for k, v in dataclasses.asdict(policy).items())
    assert read_policy(f"{name}:{terms}") == policy


def test_an_unknown_instrument_or_field_is_refused():
    """The sentence lists what there is."""
    with pytest.raises(InvalidValueError, match="policy 'bribe' is unknown: there are underc"):
        read_policy("bribe")
    with pytest.raises(InvalidValueError, match="tariff has no field 'depth'; it has start_year"):
        read_policy("tariff:depth=1")
    with pytest.raises(InvalidValueError, match="must have the form field=value"):
        read_policy("tariff:rate_share")
    with pytest.raises(InvalidValueError, match="rate_share = 'high' must be a number within"):
        read_policy("tariff:rate_share=high")
    with pytest.raises(InvalidValueError, match=r"rate_share is given as '0.1' and as '0.2'"):
        read_policy("tariff:rate_share=0.1, rate_share=0.2")


def test_two_instruments_in_force_are_both_in_the_rules():
    """Order of listing does not matter for instruments that amend different columns."""
    law, published = thirteenth_month("tariff")
    policies = [bound(name) for name in INSTRUMENTS]
    forth, back = law, law
    for policy in in_order(policies):
        forth = policy.amend(forth, published)
    for policy in in_order(policies[::-1]):
        back = policy.amend(back, published)
    assert same(_sorted(forth), _sorted(back))


def _sorted(rules: Regime) -> Regime:
    """Contracts in an order of their own: they stand side by side."""
    return rules._replace(
        price_floors=tuple(sorted(rules.price_floors, key=lambda t: t.reason)),
        purchases=tuple(sorted(rules.purchases, key=lambda t: t.quantity_t.sum())),
        finance=tuple(sorted(rules.finance, key=lambda t: t.kind)),
    )
