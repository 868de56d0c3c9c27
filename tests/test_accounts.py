"""Who paid and who got."""

from __future__ import annotations

import numpy as np
import pytest

from rare_market import accounts
from rare_market.agents.buyer import NO_SUBSTITUTE, use_t
from rare_market.ledger import KINDS, REASONS
from rare_market.measures import public_cost_usd
from rare_market.policies import ExportQuota, OfftakeGuarantee, PriceFloor
from rare_market.records import Records
from rare_market.scenario import Scenario
from rare_market.settlement import use_value_usd
from tests.conftest import run, sectors

YEARS = (2025, 2026)


@pytest.fixture(scope="module")
def helped() -> Records:
    return run(
        [
            PriceFloor(start_year=2025.0),
            OfftakeGuarantee(start_year=2025.0, volume_t_per_year=1200.0),
            ExportQuota(start_year=2025.0, quota_t_per_year=20000.0),
        ]
    )


# a twentieth and a bit of the product's cost: at twelve times the price it costs a half more
GOES_WITHOUT_AT_TWELVE = {"cost_share": 0.5 / 11.0, "scenario": Scenario(choke_cost_rise=0.5)}


def test_every_side_of_a_reason_sums_to_zero(helped):
    """What one side got another paid."""
    table = accounts.by_side(helped, *YEARS)
    for reason in REASONS:
        values = [usd for (_, name), usd in table.items() if name == reason]
        assert abs(sum(values)) <= 1e-9 * (1.0 + sum(map(abs, values)))
    assert table["allied state", "price_floor"] < 0.0 < table["allied firms", "price_floor"]


def test_welfare_by_place_adds_up_to_value_less_cost(helped):
    """Over all places: value of use, less what the rest of the economy was paid, less damage."""
    parts = accounts.welfare_usd(helped, *YEARS)
    months = slice(12, 36)
    economy = helped.balance_usd[months, KINDS.index("economy")]
    final = economy[..., REASONS.index("final_demand")].sum()
    costs = economy.sum() - final
    external = helped.external_usd[months].sum()
    expected = helped.use_value_usd[months].sum() - costs - external
    assert parts["welfare"].sum() == pytest.approx(expected, rel=1e-9)
    assert (parts["external_cost"] <= 0.0).all()
    assert parts["consumers"].sum() > 0.0


def test_discounting_weighs_later_years_less(helped):
    """At 5 % the cost of 2025 and 2026 lies between that of 2025 and the plain sum."""
    plain = public_cost_usd(helped, *YEARS)
    discounted = public_cost_usd(helped, *YEARS, discount_per_year=0.05)
    assert 0.95 * plain < discounted < plain


def test_a_payer_outside_the_club_of_allies_bears_public_cost_as_well():
    """The sum at 5 % lies between nine tenths of the plain one and it."""
    paid = run([PriceFloor(start_year=2025.0, payer="MYS")])
    plain = public_cost_usd(paid, *YEARS)
    assert 0.0 < 0.9 * plain < public_cost_usd(paid, *YEARS, discount_per_year=0.05) < plain


def test_public_cost_is_related_to_what_it_bought(helped, short_run):
    """Per tonne secured, per tonne of capacity alive, per point of dependence."""
    got = accounts.bought(helped, short_run, *YEARS)
    assert got["public_cost_usd"] > 0.0
    with pytest.raises(ValueError, match="are not within"):
        accounts.bought(helped, short_run, 2025, 2050)
    same = accounts.bought(helped, helped, *YEARS)
    assert same["public_cost_usd"] == 0.0
    assert np.isnan(same["usd_per_t_secured"])


def test_the_ledger_of_the_records_names_every_payment(helped):
    """Payer, payee, reason, good, tonnes and price; it sums to the accounts."""
    ledger = helped.frame("ledger")
    floors = ledger[ledger["reason"] == "price_floor"]
    assert set(floors["payer_place"]) == {"USA"}
    assert set(floors["good"]) == {"ndpr_oxide"}
    assert (floors["quantity_t"] * floors["price_usd_per_kg"] * 1000.0).to_numpy() == pytest.approx(
        floors["paid_usd"].to_numpy()
    )
    for kind in KINDS:
        paid = ledger.loc[ledger["payer"] == kind, "paid_usd"].sum()
        got = ledger.loc[ledger["payee"] == kind, "paid_usd"].sum()
        turnover = np.abs(helped.balance_usd).sum()
        assert got - paid == pytest.approx(
            helped.balance_usd[:, KINDS.index(kind)].sum(), abs=1e-9 * turnover
        )


def test_the_value_of_use_is_the_area_under_the_demand_curve():
    """By numbers: ten thousand slices between the price and the choke price."""
    cohort = sectors(
        elasticity=-0.4, demand_t=10.0, first_price_usd_per_kg=50.0, **GOES_WITHOUT_AT_TWELVE
    )
    choke, price = 12.0, 80.0
    prices = np.linspace(price, 50.0 * choke, 20001)
    curve = use_t(np.full(20001, 10.0), prices, np.full(20001, 50.0), cohort.elasticity)
    cohort.consumed_t = curve[:1].copy()
    slices = 0.5 * (curve[1:] + curve[:-1]) * np.diff(prices)
    expected = 1000.0 * (float(slices.sum()) + price * float(curve[0]))
    assert use_value_usd(cohort, 0)[0] == pytest.approx(expected, rel=1e-6)


def test_use_that_does_not_respond_is_worth_the_choke_price():
    """Ten tonnes at twelve times 50."""
    cohort = sectors(elasticity=0.0, **GOES_WITHOUT_AT_TWELVE)
    cohort.consumed_t = np.array([10.0])
    assert use_value_usd(cohort, 0)[0] == pytest.approx(10.0 * 1000.0 * 600.0)


def test_switching_to_the_other_grade_at_first_prices_changes_no_surplus():
    """One sector buys the better grade at 90, another row of it the plain one at 50."""
    prices = np.array([90.0, 50.0])
    cohort = sectors(
        2, elasticity=np.array([-0.4, -0.1]), cost_share=np.array([0.01, 0.02]),
        first_price_usd_per_kg=prices, substitute=np.array([1, NO_SUBSTITUTE]),
    )  # fmt: skip
    surplus = []
    for kept, thrift in ((1.0, 1.0), (0.7, 1.0), (0.0, 1.0), (0.7, 0.8)):
        cohort.kept_share[0], cohort.intensity_share[1] = kept, thrift
        cohort.consumed_t = cohort.normal_use_t(0)
        paid_usd = 1000.0 * prices @ cohort.consumed_t
        surplus.append(use_value_usd(cohort, 0).sum() - paid_usd)
    assert surplus[1:3] == pytest.approx([surplus[0]] * 2, rel=1e-12)
    saved_t = 0.2 * (10.0 + 0.3 * 10.0)
    assert surplus[3] == pytest.approx(surplus[0] + 1000.0 * 50.0 * saved_t, rel=1e-12)


def test_a_shortage_falls_on_both_parts_of_a_grade_alike():
    """Half of the plain grade is missing: of what replaced the better one half is worth nothing."""
    cohort = sectors(
        2, elasticity=0.0, cost_share=np.array([0.01, 0.02]),
        first_price_usd_per_kg=np.array([90.0, 50.0]), substitute=np.array([1, NO_SUBSTITUTE]),
    )  # fmt: skip
    cohort.kept_share[0] = 0.6
    cohort.consumed_t = cohort.normal_use_t(0) * np.array([1.0, 0.5])
    better, plain = cohort.most_usd_per_kg
    expected = 6.0 * better + 0.5 * 4.0 * (better - 40.0) + 0.5 * 10.0 * plain
    assert use_value_usd(cohort, 0).sum() == pytest.approx(1000.0 * expected, rel=1e-12)
