"""Production quotas over many ores at once."""

from __future__ import annotations

import numpy as np
import pytest

from rare_market.agents.producer import within_quotas_t
from rare_market.model import RareEarthMarket
from rare_market.policies import ProductionQuota
from rare_market.regime import ProductionQuota as Terms
from rare_market.scenario import Scenario

QUOTA_T_PER_YEAR = 200_000.0


def test_plans_above_the_quota_are_curtailed_pro_rata():
    """Two mines planning 60 and 40 t share 50 t; others keep their plans."""
    both = Terms(place=0, goods=np.array([True, True, False]), quota_t=50.0)
    made = within_quotas_t(
        np.array([60.0, 40.0, 30.0, 20.0, 10.0]),
        good=np.array([0, 1, 2, 0, 0]),
        place=np.array([0, 0, 0, 1, 0]),
        formal=np.array([True, True, True, True, False]),
        quotas=(both,),
    )
    assert made.tolist() == pytest.approx([30.0, 20.0, 30.0, 20.0, 10.0])


def test_formal_mines_stay_within_the_quota_and_use_it_up():
    """Two years, the second with a tenth more; informal mines go on."""
    policy = ProductionQuota(
        start_year=2024.0, quota_t_per_year=QUOTA_T_PER_YEAR, growth_per_year=0.1
    )
    market = RareEarthMarket(Scenario(years=2), [policy])
    p, c = market.producers, market.catalogue
    ore = c.of_stage("concentrate")[p.good] & (p.place == c.china)
    formal, informal = ore & ~p.life.informal, ore & p.life.informal
    for month in range(24):
        market.step()
        most = QUOTA_T_PER_YEAR / 12 * 1.1 ** (month // 12)
        made = p.output_t[formal].sum()
        assert made <= most + 1e-6
        if month < 3:
            assert made == pytest.approx(most)  # later some mines are full and make less
    assert p.output_t[informal].sum() > 0.0


def test_a_fulfilled_quota_is_opened_by_the_mines_that_move_with_it():
    """A quarter more than in 2024: output follows at once, though the state's rule would not."""
    wide = {"start_year": 2024.0, "quota_t_per_year": 330_000.0}
    plan, limit = (
        RareEarthMarket(Scenario(years=1), [ProductionQuota(**wide, fulfilled=fulfilled)])
        for fulfilled in (True, False)
    )
    for market in (plan, limit):
        market.step()
    p, c = plan.producers, plan.catalogue
    formal = c.of_stage("concentrate")[p.good] & (p.place == c.china) & ~p.life.informal
    assert plan.producers.output_t[formal].sum() == pytest.approx(330_000.0 / 12, rel=0.05)
    assert limit.producers.output_t[formal].sum() < 290_000.0 / 12
