"""The standard shock and the damage it does."""

from __future__ import annotations

import pytest

from rare_market.declare import InvalidValueError
from rare_market.policies import Stockpile
from rare_market.resilience import damage, first_month, read_shock
from tests.conftest import first_difference, run

SHOCK = read_shock("export_stop:month=2025-01,duration=6,goods=oxide+metal+magnet")


def test_exports_stop_for_the_months_and_goods_named():
    """Nothing leaves China for anywhere; before and after the trade is there."""
    hit, calm = run([SHOCK]), run()
    c = hit.catalogue
    goods = c.of_stage("oxide") | c.of_stage("metal") | c.of_stage("magnet")
    out = hit.moved_t[:, goods, c.china].sum(axis=1)
    out[:, c.china] = 0.0
    assert out[12:18].sum() == 0.0
    assert out[11].sum() > 0.0
    assert out[18:].sum() > 0.0
    assert first_difference(hit, calm, months=12) == ""


def test_the_damage_is_what_the_same_run_without_it_has_more():
    """Welfare and use are lost and the price rises; without a shock there is none."""
    hit, calm = run([SHOCK]), run()
    lost = damage(hit, calm, SHOCK)
    assert lost["damage_musd"] > 0.0
    assert 0.0 < lost["damage_lost_use_share"] < 1.0
    assert lost["damage_price_ratio"] > 1.0
    assert damage(calm, calm, SHOCK) == {
        "damage_musd": 0.0,
        "damage_lost_use_share": 0.0,
        "damage_price_ratio": 1.0,
    }


def test_it_hits_any_policy():
    """With stockpiles; measured against the same stockpiles without the shock."""
    pile = Stockpile(
        start_year=2024.0, members="allied", cover_days=180.0, build_months=6.0,
        buy_below_share=10.0, goods="ndpr_metal+ndpr_oxide+dy_metal", buys="open",
    )  # fmt: skip
    assert damage(run([pile, SHOCK]), run([pile]), SHOCK)["damage_price_ratio"] > 1.0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("earthquake:month=2028-01", "'earthquake' is unknown"),
        ("export_stop:duration=6", "month = '' must be"),
        ("export_stop:month=2028-13", "'2028-13' must be"),
        ("export_stop:month=2028-01,duration=0", "within 1 to 120"),
        ("export_stop:month=2028-01,depth=3", "must set one of"),
    ],
)
def test_a_shock_that_cannot_be_read_is_refused_in_one_sentence(text, words):
    """It says what was wrong."""
    with pytest.raises(InvalidValueError, match=words):
        read_shock(text)


@pytest.mark.parametrize("month", ["2023-12", "2025-02", "2027-01"])
def test_a_shock_needs_24_months_of_the_run(month):
    """Three years end too early for one that starts after January 2025."""
    shock = read_shock(f"export_stop:month={month}")
    with pytest.raises(InvalidValueError, match="within the run of 2024 to 2026, with 24 months"):
        first_month(shock, 2024, 36)
    assert first_month(SHOCK, 2024, 36) == 12


def test_no_damage_is_told_of_a_run_too_short_for_it():
    """There is nothing to compare."""
    calm = run(years=1)
    with pytest.raises(InvalidValueError, match="with 24 months to go"):
        damage(calm, calm, SHOCK)
