"""Every declared number moves some record: none is dead."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from rare_market.declare import declarations
from rare_market.history import named_scenario
from rare_market.policies import INSTRUMENTS, Policy, PriceFloor, Undercutting
from rare_market.records import Records
from rare_market.scenario import Scenario
from tests.conftest import first_difference, run
from tests.policies.cases import BINDING, beside

PAST = named_scenario("history_2007_2014")
# not a number of the world: one value only, or tested where data folders are copied
NO_NUMBER = {"start_year", "data_folder"}
# fields that act only after years: through the mining quota, or when prices have risen for a while
YEARS = {
    **dict.fromkeys(("undercutting", "grant", "loan", "guarantee", "equity"), 3),
    "permit_fast_track": 3,
    "technology_ban": 3,
    "quota_demand_share": 3,
    "quota_price_response": 3,
    "speculation_months": 2,
}
# fields that act only late and only where a contract secures revenue, or in a glut
LATE: dict[str, dict[str, Any]] = {
    "secured_rate_per_year": {
        "policies": [Undercutting(), PriceFloor(strike_usd_per_kg=85.0)],
        "years": 12,
    },
    "quota_stock_response": {"years": 12},
    # fields that need a boom and a plant built in it
    **{
        name: {"start_year": 2007, "years": 12, "policies": PAST.policies}
        for name in (
            "parity_response",
            "debt_share",
            "debt_rate_per_year",
            "liquidity_share",
            "fixed_cost_share",
            "resale_months",
        )
    },
}
FIELDS = [f for f in declarations(Scenario) if f.name not in NO_NUMBER]

# another valid value of a text
OTHER = {
    "goods": "dy_oxide",
    "producers": "AUS",
    "payer": "JPN",
    "buyer": "USA",
    "origins": "MYS",
    "destinations": "KOR",
    "members": "JPN",
    "partners": "CHN",
    "target": "USA",
    "answered": "oxide",
    "buys": "open",
    "cost_parts": "private",
    "stages": "magnet",
    "facilities": "bayan_obo",
    "adjusted": "oxide",
    "state": "USA",
}
# a level that the price reaches, or a pair inside the bounds
NEEDS: dict[tuple[str, str], dict[str, Any]] = {
    ("undercutting", "extra_output_growth_per_year"): {"start_year": 2025.0, "depth_share": 0.45},
    ("undercutting", "recoup_share"): {"attack_years": 0.5},
    ("collective_response", "lasts_months"): {"trigger_share": 0.8},
    ("price_floor", "upside_share"): {"strike_usd_per_kg": 10.0},
    ("offtake_guarantee", "rebate_share"): {"rebate_above_usd_per_kg": 10.0},
    ("offtake_guarantee", "rebate_cap_musd_per_year"): {"rebate_above_usd_per_kg": 10.0},
    ("offtake_guarantee", "index_share"): {"floor_usd_per_kg": 10.0},
    ("offtake_guarantee", "buyer_is_firm"): {"buyer": "JPN"},
    ("offtake_guarantee", "penalty_share"): {"breach_above_share": 0.1},
    ("vat_refund", "vat_share"): {"refund_share": 0.5},
}
PAIRS: dict[str, tuple[Any, Any]] = {
    "start_year": (2024.5, 2025.0),
    "usual_before_year": (2024.25, 2024.75),
    "permit_fast_track.start_year": (2025.0, 2026.9),
    "collective_response.start_year": (2025.0, 2025.5),
    "minimum_usd_per_kg": (60.0, 110.0),
    "quota_t_per_year": (15000.0, 1e6),
}
# fields of every instrument, tested in tests/policies/test_base.py
COMMON = {f.name for f in declarations(Policy)} - {"start_year", "duration_years"}
# a guarantee pays on default only, in tests/test_finance.py
DEFAULT_ONLY = {("guarantee", "payer"), ("guarantee", "under_way")}
TERMS = [
    (name, f)
    for name, kind in INSTRUMENTS.items()
    for f in declarations(kind)
    if f.name not in COMMON and (name, f.name) not in DEFAULT_ONLY
]


@pytest.mark.parametrize("field", [f for f in FIELDS if f.name not in LATE], ids=lambda f: f.name)
def test_a_field_of_the_scenario_moves_a_record(field):
    """From its declared low to its high, within one or three years."""
    kind = type(field.default)
    if field.name == "years":
        assert run(years=1).periods < run(years=2).periods
        return
    low, high = (
        run(years=YEARS.get(field.name, 1), **{field.name: kind(value)})
        for value in (field.low, field.high)
    )
    assert first_difference(low, high) != ""


@pytest.mark.slow
@pytest.mark.parametrize("field", [f for f in FIELDS if f.name in LATE], ids=lambda f: f.name)
def test_a_field_that_acts_late_moves_a_record(field):
    """Over twelve years, beside what it needs to act."""
    low, high = (run(**LATE[field.name], **{field.name: v}) for v in (field.low, field.high))
    assert first_difference(low, high) != ""


@pytest.mark.parametrize(("name", "field"), TERMS, ids=[f"{n}-{f.name}" for n, f in TERMS])
def test_a_field_of_an_instrument_moves_a_record(name, field):
    """Its declared low or high, or another text, against the terms under which it binds."""
    terms: dict[str, Any] = {"start_year": 2024.5, **BINDING[name]}
    terms.update(NEEDS.get((name, field.name), {}))
    if field.low is not None:
        pair = PAIRS.get(f"{name}.{field.name}", PAIRS.get(field.name, (field.low, field.high)))
    else:
        other = OTHER.get(field.name, not field.default)
        pair = (field.default, other if other != field.default else "KOR")
    usual = terms.get(field.name, field.default)
    needed = tuple(NEEDS.get((name, field.name), {}).items())
    base = under(name, needed)  # many fields share it
    other = [value for value in reversed(pair) if value != usual]
    assert any(
        first_difference(base, under(name, (*needed, (field.name, value)))) != "" for value in other
    )


@cache
def under(name: str, changed: tuple[tuple[str, Any], ...]) -> Records:
    """Run an instrument that binds, with some terms changed."""
    terms = {"start_year": 2024.5, **BINDING[name], **dict(changed)}
    policies = [*beside(name), INSTRUMENTS[name](**terms)]
    return run(policies, years=YEARS.get(name, 2))
