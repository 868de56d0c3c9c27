"""The life of a facility: ramps, capital charges, mothballing, restart, building."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rare_market.agents.lifecycle import (
    SIGNAL_MONTHS,
    START_SHARE,
    Lifecycle,
    Prospect,
    Status,
    capital_charge_usd_per_kg,
    ramp_share,
)
from rare_market.records import BLOCKS
from rare_market.scenario import Scenario
from tests.conftest import PERIODS, lifecycle

PLAIN = Scenario(
    mothball_months=4,
    closure_months=12,
    restart_margin_share=0.15,
    mothball_margin_share=0.05,
    ramp_months=48.0,
    fast_ramp_months=16.0,
    expansion_per_year=0.24,
)


def prospect(margin: np.ndarray, charge: np.ndarray, cheap_share: float = 0.6) -> Prospect:
    return Prospect(margin, charge, cheap_share * charge)


def advance(
    life: Lifecycle, months: int, margin: float, cost: float = 10.0, project: float = -1e9
) -> list[int]:
    """Status of the first facility after each month with these margins."""
    rows = len(life.status)
    seen = []
    for period in range(months):
        life.advance(
            period,
            np.zeros(rows),
            np.full(rows, margin),
            np.full(rows, cost),
            prospect(np.full(rows, project), life.capital_charge_usd_per_kg),
        )
        seen.append(int(life.status[0]))
    return seen


def test_a_ramp_starts_at_its_share_and_ends_at_nameplate():
    """A fifth at once, six tenths half way, all of it for ever after."""
    share = ramp_share(np.array([0.0, 24.0, 48.0, 480.0]), np.full(4, 48.0))
    assert share.tolist() == pytest.approx([START_SHARE, 0.6, 1.0, 1.0])


def test_the_capital_charge_is_an_annuity():
    """50 USD per kg a year at 15 % over 20 years."""
    charge = capital_charge_usd_per_kg(np.array([50.0]), np.array([0.15]), 20.0)
    assert charge[0] == pytest.approx(7.988, abs=1e-3)


def test_free_money_only_repays_the_capital():
    """At a rate of zero it is a twentieth a year."""
    charge = capital_charge_usd_per_kg(np.array([50.0]), np.array([0.0]), 20.0)
    assert charge[0] == pytest.approx(2.5, rel=1e-4)


@given(st.floats(0, 1e3), st.floats(0, 0.4), st.floats(0, 0.1), st.floats(1, 60))
def test_the_capital_charge_grows_with_the_rate(capex, rate, more, years):
    """Dearer money never makes a project cheaper."""
    low, high = capital_charge_usd_per_kg(
        np.array([capex, capex]), np.array([rate, rate + more]), years
    )
    assert high >= low * (1 - 1e-12)


def test_an_overrun_raises_the_charge_by_its_share():
    """Half again the budget, half again the charge."""
    plain, overrun = lifecycle(), lifecycle(overrun_share=0.5)
    assert overrun.capital_charge_usd_per_kg[0] == pytest.approx(
        1.5 * plain.capital_charge_usd_per_kg[0]
    )


def test_a_contract_never_raises_the_rate_asked():
    """A state group in China already borrows more cheaply than a contract would allow."""
    life = lifecycle(
        2,
        ownership=["private", "state"],
        in_china=[False, True],
        scenario=Scenario(
            hurdle_rate_per_year=0.15, secured_rate_per_year=0.08, state_rate_per_year=0.05
        ),
    )
    charge, secured = life.capital_charge_usd_per_kg, life.secured_charge_usd_per_kg
    assert secured[0] < charge[0]
    assert secured[1] == charge[1] < secured[0]


def test_only_an_operating_facility_is_able_to_produce():
    """The other four statuses make nothing."""
    words = ["operating", "mothballed", "construction", "planned", "closed"]
    life = lifecycle(5, status=words)
    assert life.able_t(0).tolist() == [100.0, 0.0, 0.0, 0.0, 0.0]


def test_a_month_of_outage_costs_its_share_of_output():
    """A third lost in the second month only."""
    outage = np.zeros((PERIODS, 1))
    outage[1] = 1.0 / 3.0
    life = lifecycle(outage=outage)
    assert [float(life.able_t(t)[0]) for t in range(3)] == pytest.approx([100.0, 200 / 3, 100.0])


def test_a_ramping_facility_starts_from_what_it_made_in_the_first_year():
    """At six tenths of nameplate it is half way up its ramp."""
    life = lifecycle(status="ramping", output_t_per_year=720.0, scenario=PLAIN)
    assert life.able_t(0)[0] == pytest.approx(60.0)
    advance(life, 24, margin=5.0)
    assert life.able_t(0)[0] == pytest.approx(100.0)


def test_a_long_loss_mothballs_a_private_plant_and_three_times_as_long_a_state_one():
    """Patience of 4 months against 12."""
    assert advance(lifecycle(scenario=PLAIN), 5, margin=-2.0) == [0, 0, 0, 1, 1]
    state = advance(lifecycle(scenario=PLAIN, ownership="state", in_china=True), 13, margin=-2.0)
    assert state == [0] * 11 + [1, 1]


def test_a_small_loss_is_borne():
    """4 % of cash cost is within the margin of 5 %."""
    assert advance(lifecycle(scenario=PLAIN), 24, margin=-0.4)[-1] == Status.OPERATING


def test_good_months_wipe_out_bad_ones():
    """Losses in every other month never add up to the patience."""
    life = lifecycle(scenario=PLAIN)
    for _ in range(12):
        advance(life, 1, margin=-2.0)
        advance(life, 1, margin=2.0)
    assert life.status[0] == Status.OPERATING


def test_a_mothballed_plant_restarts_after_a_clear_signal():
    """A margin of 20 % on cash cost for six months in a row."""
    assert advance(lifecycle(scenario=PLAIN, status="mothballed"), 6, margin=2.0) == [
        1,
        1,
        1,
        1,
        1,
        0,
    ]


def test_a_signal_that_is_interrupted_starts_again():
    """Five good months, one middling, five good: still mothballed."""
    life = lifecycle(scenario=PLAIN, status="mothballed")
    advance(life, SIGNAL_MONTHS - 1, margin=2.0)
    advance(life, 1, margin=0.0)
    assert advance(life, SIGNAL_MONTHS - 1, margin=2.0)[-1] == Status.MOTHBALLED


def test_a_plant_mothballed_for_long_is_closed_for_good():
    """After 12 months, and no margin brings it back."""
    life = lifecycle(scenario=PLAIN, status="mothballed")
    assert advance(life, 12, margin=0.0) == [1] * 11 + [4]
    assert advance(life, 24, margin=9.0)[-1] == Status.CLOSED


def test_a_planned_project_is_decided_when_its_margin_covers_the_charge_for_long():
    """Six months at the charge start the building; just below it nothing happens."""
    life = lifecycle(scenario=PLAIN, status="planned")
    charge = float(life.capital_charge_usd_per_kg[0])
    assert advance(life, 12, margin=0.0, project=0.99 * charge)[-1] == Status.PLANNED
    assert advance(life, 6, margin=0.0, project=1.01 * charge) == [3] * 5 + [2]


def test_a_project_with_its_permits_is_decided_sooner_and_delayed_less():
    """Two clear months instead of six, and half the delay."""
    life = lifecycle(scenario=PLAIN, status="permitted", delay_months=6.0)
    assert advance(life, 2, margin=0.0, project=1e9) == [3, 2]
    assert life.left_months[0] == 24.0 + 3.0
    assert life.outlay_usd_per_month[0] * 27.0 == pytest.approx(24e6)


def test_a_planned_project_waits_for_its_announced_year():
    """Two years of building for mid 2027 cannot be decided before mid 2025."""
    life = lifecycle(scenario=PLAIN, status="planned", start_year=2027.0)
    assert life.earliest_month[0] == 18.0
    seen = advance(life, 24, margin=0.0, project=1e9)
    assert seen.index(Status.BUILDING) == 18 + SIGNAL_MONTHS - 1


def test_building_takes_the_lead_time_and_the_delay_and_costs_the_budget():
    """24 and 6 months, after which a new plant is at the foot of its ramp."""
    life = lifecycle(scenario=PLAIN, status="planned", delay_months=6.0)
    advance(life, SIGNAL_MONTHS, margin=0.0, project=1e9)
    assert life.status[0] == Status.BUILDING
    spent, months = 0.0, 0
    while life.status[0] == Status.BUILDING:
        none, some = np.zeros(1), np.ones(1)
        spent += float(
            life.advance(SIGNAL_MONTHS + months, none, none, some, prospect(none, some))[0]
        )
        months += 1
    assert months == 30
    assert spent == pytest.approx(24e6)
    assert life.able_t(0)[0] == pytest.approx(100.0 * START_SHARE)


def test_a_busy_practised_plant_grows_as_far_as_its_margin_exceeds_the_charge():
    """A margin of twice the charge or more brings the full 24 % a year, half way half of it."""
    life = lifecycle(4, scenario=PLAIN, in_china=[True, True, True, False])
    charge = life.capital_charge_usd_per_kg
    busy = np.array([True, True, False, True])
    spent = life.expand(charge * np.array([3.0, 1.5, 3.0, 3.0]), busy)
    assert life.capacity_t.tolist() == pytest.approx([102.0, 101.0, 100.0, 100.0])
    added_t = np.array([2.0, 1.0, 0.0, 0.0])
    np.testing.assert_allclose(spent, added_t * 12.0 * 1000.0 * life.capex_usd_per_kg_year)


@given(
    st.lists(
        st.sampled_from(["operating", "mothballed", "construction", "planned", "closed"]),
        min_size=2,
        max_size=5,
    ),
    st.lists(st.floats(-8, 8), min_size=12, max_size=12),
)
def test_a_row_of_many_facilities_lives_as_that_facility_alone(words, margins):
    """Facilities do not see each other."""
    many = lifecycle(len(words), scenario=PLAIN, status=words, start_year=2024.0)
    alone = [lifecycle(scenario=PLAIN, status=word, start_year=2024.0) for word in words]
    for period, margin in enumerate(margins):
        for life in (many, *alone):
            rows = len(life.status)
            life.advance(
                period,
                np.zeros(rows),
                np.full(rows, margin),
                np.full(rows, 10.0),
                prospect(np.full(rows, margin + 3.0), life.capital_charge_usd_per_kg),
            )
        assert many.status.tolist() == [int(life.status[0]) for life in alone]
        np.testing.assert_array_equal(
            many.able_t(period), np.concatenate([life.able_t(period) for life in alone])
        )


def indebted(earned_usd: float, worth_usd_per_kg: float, months: int = 48) -> Lifecycle:
    """Build a private plant with borrowed money and run it at a monthly cash flow."""
    life = lifecycle(
        scenario=Scenario(
            debt_share=0.6, debt_rate_per_year=0.1, liquidity_share=0.1, project_life_years=20.0
        ),
        status="construction",
        start_year=2024.0,
        capex_usd=24e6,
    )
    cash = 0.0
    for _ in range(months):
        operating = life.status[0] == Status.OPERATING
        cash += earned_usd if operating else 0.0
        column = [np.array([v]) for v in (cash, 1.0, 10.0, worth_usd_per_kg, 1e9)]
        spent = life.advance(0, *column[:3], prospect(*column[3:]))
        cash -= float(spent[0])
    return life


def test_a_plant_built_with_debt_that_earns_nothing_goes_bankrupt_and_stands_idle():
    """Its creditors write their debt off: it owes nothing any more."""
    life = indebted(earned_usd=-2e5, worth_usd_per_kg=0.0)
    assert life.bankrupt[0]
    assert life.status[0] == Status.MOTHBALLED
    assert life.debt_usd[0] == 0.0


def test_lenders_carry_a_plant_whose_prospects_are_worth_its_debt():
    """A long-run margin of 20 USD/kg on 1,200 t a year against 14 million of debt."""
    assert not indebted(earned_usd=-2e5, worth_usd_per_kg=20.0).bankrupt[0]


def test_a_plant_that_earns_pays_its_debt_down():
    life = indebted(earned_usd=1e6, worth_usd_per_kg=20.0)
    assert not life.bankrupt[0]
    assert life.debt_usd[0] < 0.5 * 0.6 * 24e6


def test_a_bankrupt_plant_starts_again_under_a_new_owner_not_before_it_is_sold():
    """Idle for the resale time even if margins are good at once, then by the usual signal."""
    scenario = Scenario(resale_months=24.0, cost_spread_share=0.0)
    life = lifecycle(scenario=scenario)
    life.fail(np.array([True]))
    started = advance(life, 36, margin=5.0)
    assert 24 <= started.index(Status.OPERATING) <= 24 + SIGNAL_MONTHS


def test_an_unused_plant_in_debt_pays_its_fixed_cost_and_one_without_does_not():
    life = lifecycle(2, scenario=Scenario(fixed_cost_share=0.4))
    life.debt_usd = np.array([1e6, 0.0])
    cost = life.idle_cost_usd(np.full(2, 5.0), np.full(2, 60.0))
    assert cost.tolist() == pytest.approx([0.4 * 5.0 * 40.0 * 1000.0, 0.0])


def test_what_blocks_a_project_is_the_first_thing_that_would_have_to_change():
    """A charge of 8, or 5 at the rate of secured revenue; the date comes last."""
    life = lifecycle(6, status="planned")
    life.earliest_month = np.array([0.0, 0.0, 0.0, 9.0, 0.0, 0.0])
    seen = Prospect(np.array([4.0, 6.0, 6.0, 9.0, 9.0, 4.0]), np.full(6, 8.0), np.full(6, 5.0))
    believed = Prospect(np.array([4.0, 6.0, 8.5, 9.0, 9.0, 8.5]), seen.charge, seen.cheap_charge)
    names = [BLOCKS[code] for code in life.why_blocked(life.may_start(3), seen, believed)]
    assert names == ["price", "finance", "credibility", "permit", "decision", "credibility"]
    life.status[:] = Status.OPERATING
    assert not life.why_blocked(life.may_start(3), seen, believed).any()


def test_early_permits_let_a_project_start_before_its_announced_date():
    """A quarter of 24 months."""
    life = lifecycle(2, status="planned", lead_time_years=2.0)
    life.earliest_month[:] = 10.0
    life.permit_cut_share = np.array([0.25, 0.0])
    assert life.may_start(4).tolist() == [True, False]
    assert life.may_start(3).tolist() == [False, False]
