"""Licences that come late or not at all."""

from __future__ import annotations

import numpy as np
import pytest

from rare_market.model import RareEarthMarket
from rare_market.policies import ExportLicence
from rare_market.scenario import Scenario
from tests.conftest import run


def test_nothing_but_general_licences_and_diversion_moves_before_the_first_decision():
    """Then part is approved, and those refused apply again."""
    rule = ExportLicence(
        start_year=2025.0, delay_months=3.0, approval_share=0.5, military_share=0.2,
        military_approval_share=0.1, general_share=0.2, diversion_share=0.05,
    )  # fmt: skip
    shares = [rule.open_share(2025.0 + month / 12) for month in (0, 2, 3, 6)]
    once, twice = 0.2 * 0.1 + 0.8 * 0.5, 0.2 * 0.19 + 0.8 * 0.75
    assert shares == pytest.approx([0.25, 0.25, 0.25 + 0.75 * once, 0.25 + 0.75 * twice])


def test_an_easing_does_not_send_firms_back_to_the_end_of_the_queue():
    """What the first rule had approved by the day of the easing stays approved under the second."""
    first = ExportLicence(start_year=2025.0, delay_months=3.0, approval_share=0.5)
    eased = ExportLicence(
        start_year=2025.5, applied_since_year=2025.0, delay_months=3.0, approval_share=0.5
    )
    anew = ExportLicence(start_year=2025.5, delay_months=3.0, approval_share=0.5)
    assert eased.open_share(2025.5) == first.open_share(2025.5)
    assert anew.open_share(2025.5) == first.open_share(2025.0)


def test_the_military_never_gets_one_where_none_is_given():
    """The rest is free in the end."""
    rule = ExportLicence(
        start_year=2025.0, military_share=0.1, approval_share=0.9, diversion_share=0.0
    )
    assert rule.open_share(2035.0) == pytest.approx(0.9)


def test_a_licensed_lane_carries_no_more_than_its_permits():
    """Chinese dysprosium to the world in the first two months: the tenth that is diverted."""
    records = run([ExportLicence(start_year=2025.0, diversion_share=0.1)], years=2)
    c = records.catalogue
    good = c.good("dy_metal")
    abroad = [p for p in range(len(c.places)) if p != c.china]
    flow_t = records.moved_t[:, good, c.china][:, abroad]
    usual_t = flow_t[:12].mean(axis=0)
    assert usual_t.sum() > 0.0
    assert (flow_t[12:14] <= 0.1 * usual_t + 1e-9).all()
    assert flow_t[20].sum() > flow_t[12].sum()


def test_it_reaches_through_to_foreign_goods_with_content_above_the_threshold():
    """Magnets made abroad of Chinese metal need permits; those of clean places do not."""
    terms = {"start_year": 2025.0, "goods": "magnet", "diversion_share": 0.1}
    through = ExportLicence(**terms, reach_above_share=0.5)
    market = RareEarthMarket(Scenario(years=2), [through])
    for _ in range(14):
        market.step()
    c, moved_t = market.catalogue, market.records.moved_t
    magnets = np.nonzero(c.of_stage("magnet"))[0]
    (share,) = market.records.content_share.values()
    usual_t = moved_t[:12].mean(axis=0)
    cut = free = 0
    for good in magnets:
        for origin in range(len(c.places)):
            if origin == c.china:
                continue
            abroad = np.arange(len(c.places)) != origin
            lanes_t = moved_t[12, good, origin][abroad]
            if share[11, 0, good, origin] > 0.5:
                assert (lanes_t <= 0.1 * usual_t[good, origin][abroad] + 1e-9).all()
                cut += usual_t[good, origin][abroad].sum() > 0.0
            else:
                free += lanes_t.sum() > 0.0
    assert cut > 0
    assert free > 0


def test_at_a_threshold_of_one_it_follows_no_content_and_stops_at_the_border():
    """The default: the rule of April 2025."""
    market = RareEarthMarket(Scenario(years=1), [ExportLicence(start_year=2024.0)])
    assert market.content.touches == ()


def test_smugglers_carry_more_through_third_places_while_it_lasts():
    """Chinese dysprosium by way of Vietnam, in the third year of the rule."""
    carried_t = []
    for policies in ([], [ExportLicence(start_year=2024.5, diversion_share=0.0)]):
        market = RareEarthMarket(Scenario(years=3), policies)
        c, x = market.catalogue, market.merchants
        route = (x.good == c.good("dy_oxide")) & ~x.stores
        through = [market.catalogue.places[place] for place in x.sells_at[route]]
        assert through == ["VNM"]
        total = 0.0
        while market.period < 36:
            market.step()
            total += x.bought_t[route].sum()
        carried_t.append(total)
    assert carried_t[1] > carried_t[0]


def test_several_limited_lanes_of_a_good_keep_their_certificate():
    """Magnets of many clean and touched places, for open and for bound buyers."""
    rule = ExportLicence(start_year=2024.25, reach_above_share=0.0)
    assert run([rule], years=2).valid
