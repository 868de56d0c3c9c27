"""Technology ban: dearer, slower, fewer projects abroad, and learning missed."""

from __future__ import annotations

import numpy as np

from rare_market.agents.lifecycle import Status
from rare_market.goods import FACILITY_STAGES
from rare_market.model import RareEarthMarket
from rare_market.policies import Grant, TechnologyBan
from rare_market.scenario import Scenario
from tests.conftest import CHN, USA, bulletin, lifecycle, regime, run

SEPARATION = FACILITY_STAGES.index("separation")


def test_it_names_stages_and_everyone_abroad():
    """Separators abroad face it; China and mines do not."""
    rules = TechnologyBan().amend(regime(), bulletin())
    assert rules.capital_added_share[SEPARATION].tolist() == [0.0, 0.15]
    assert rules.time_added_share[SEPARATION].tolist() == [0.0, 0.25]
    assert not rules.capital_added_share[FACILITY_STAGES.index("mine")].any()
    assert rules.spillover_factor[SEPARATION, CHN] == 0.0
    assert rules.spillover_factor[SEPARATION, USA] == 1.0


def test_a_project_decided_under_it_costs_more_and_takes_longer():
    """A fifth more capital over twice the months: 60 % of the outlay a month; others as before."""
    life = lifecycle(2, status="planned")
    before = life.outlay_usd_per_month.copy(), life.left_months.copy()
    charge = life.capital_charge_usd_per_kg.copy()
    life.reschedule(np.array([2.0, 1.0]), np.array([1.2, 1.0]))
    np.testing.assert_allclose(life.outlay_usd_per_month, before[0] * [0.6, 1.0])
    np.testing.assert_allclose(life.left_months, before[1] * [2.0, 1.0])
    np.testing.assert_allclose(life.capital_charge_usd_per_kg, charge * [1.2, 1.0])


def test_fewer_projects_abroad_are_decided_where_capital_is_dearer():
    """With a grant on offer; capital twice as dear, and nothing else changed."""
    grant = Grant(start_year=2024.0, capital_share=0.5)
    ban = TechnologyBan(
        start_year=2024.0, capital_added_share=1.0, time_added_share=0.0, spillover_left_share=1.0,
        stages="mine+separation+metal+magnet",
    )  # fmt: skip
    waiting = []
    for policies in ([grant], [grant, ban]):
        records = run(policies, years=8)
        abroad = records.facility_place != records.catalogue.china
        waiting.append((records.facility_status[-1, abroad] == Status.PLANNED).sum())
    assert waiting[1] > waiting[0]


def test_plants_abroad_learn_less_and_chinese_ones_as_before():
    """After two years: dearer by what they did not hear of."""
    cost = []
    for policies in ([], [TechnologyBan(start_year=2024.0)]):
        market = RareEarthMarket(Scenario(years=2), policies)
        for _ in range(24):
            market.step()
        cost.append(market.world.experience.factor()[SEPARATION])
    free, banned = cost
    c = market.catalogue
    for place in ("USA", "MYS"):
        assert banned[c.place(place)] > free[c.place(place)]
    assert abs(banned[c.china] / free[c.china] - 1.0) < 0.001
