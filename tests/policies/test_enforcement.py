"""Campaigns against informal mining."""

from __future__ import annotations

import numpy as np
import pytest

from rare_market.policies import Enforcement
from rare_market.policies.base import choose_places
from tests.conftest import run


def test_the_part_that_is_shut_makes_nothing_while_the_campaign_lasts(short_run):
    """Half of the clays of Myanmar, in the first months, before stocks and prices answer."""
    policy = Enforcement(start_year=2024.0, producers="MMR", closed_share=0.5)
    shut = run([policy], years=3)
    c = shut.catalogue
    mines = (shut.facility_place == c.place("MMR")) & (shut.facility_stage == 0)
    made, usual = (r.facility_output_t[0, mines].sum() for r in (shut, short_run))
    assert made == pytest.approx(0.5 * usual, rel=1e-9)


def test_two_campaigns_shut_of_what_is_left_and_alarm_by_the_larger(data, short_run):
    """Half of a half; users take alarm by the part that a campaign shuts."""
    half = Enforcement(start_year=2024.0, producers="MMR", closed_share=0.5)
    told = short_run_bulletin()
    rules = half.amend(half.amend(data.law, told), told)
    where = choose_places(data.catalogue, "MMR", "test")
    assert rules.informal_closed_share[where].tolist() == [0.75]
    assert rules.announced_alarm_share[where].tolist() == [0.5]
    assert not np.delete(rules.announced_alarm_share, np.nonzero(where)[0]).any()


def short_run_bulletin():
    from rare_market.model import RareEarthMarket
    from rare_market.scenario import Scenario

    return RareEarthMarket(Scenario(years=1)).bulletin
