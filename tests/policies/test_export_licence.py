"""Licences that come late or not at all."""

from __future__ import annotations

import numpy as np
import pytest

from rare_market.goods import MILITARY, OPEN
from rare_market.model import RareEarthMarket, limit_share
from rare_market.policies import Embargo, ExportLicence
from rare_market.scenario import Scenario
from tests.conftest import run


def test_nothing_but_general_licences_and_diversion_moves_before_the_first_decision():
    """Then part is approved, and those refused apply again; the military has no general licence."""
    rule = ExportLicence(
        start_year=2025.0, delay_months=3.0, approval_share=0.5, military_approval_share=0.1,
        general_share=0.2,
    )  # fmt: skip
    shares = [rule.open_share(rule.rounds(2025.0 + month / 12), 0.05) for month in (0, 2, 3, 6)]
    civil, military = zip(*shares, strict=True)
    assert civil == pytest.approx([0.25, 0.25, 0.25 + 0.75 * 0.5, 0.25 + 0.75 * 0.75])
    assert military == pytest.approx([0.05, 0.05, 0.05 + 0.95 * 0.1, 0.05 + 0.95 * 0.19])


def test_an_easing_does_not_send_firms_back_to_the_end_of_the_queue():
    """What the first rule had approved by the day of the easing stays approved under the second."""
    first = ExportLicence(start_year=2025.0, delay_months=3.0, approval_share=0.5)
    eased = ExportLicence(
        start_year=2025.5, applied_since_year=2025.0, delay_months=3.0, approval_share=0.5
    )
    anew = ExportLicence(start_year=2025.5, delay_months=3.0, approval_share=0.5)
    assert eased.open_share(eased.rounds(2025.5), 0.0) == first.open_share(
        first.rounds(2025.5), 0.0
    )
    assert anew.open_share(anew.rounds(2025.5), 0.0) == first.open_share(first.rounds(2025.0), 0.0)


def test_the_military_never_gets_one_where_none_is_given():
    """The rest is free in the end."""
    rule = ExportLicence(start_year=2025.0, approval_share=0.9, diversion_share=0.0)
    assert rule.open_share(rule.rounds(2035.0), 0.0) == pytest.approx((1.0, 0.0))


def without_permits_for(use: str) -> RareEarthMarket:
    """A market whose American buyers of one end use have had no Chinese magnet for a year."""
    approval = {"approval_share": 1.0, "military_approval_share": 1.0}
    approval[{"civil": "approval_share", "military": "military_approval_share"}[use]] = 0.0
    rule = ExportLicence(
        start_year=2025.0, goods="magnet", destinations="USA", delay_months=0.1,
        applied_since_year=2024.5, usual_before_year=2025.0, diversion_share=0.0, **approval,
    )  # fmt: skip
    market = RareEarthMarket(Scenario(years=2), [rule])
    for _ in range(24):
        market.step()
    return market


def test_defence_users_alone_go_short_where_permits_are_for_civil_use():
    """American defence buys no Chinese magnet and pays more; its civil neighbours buy as before."""
    market = without_permits_for("military")
    c, b, records = market.catalogue, market.buyers, market.records
    good, usa = c.good("ndfeb_ht_magnet"), c.place("USA")
    price = records.price_usd_per_kg[13:, good, usa]
    assert (price[:, MILITARY] >= price[:, OPEN] - 1e-6).all()
    assert price[:, MILITARY].mean() > price[:, OPEN].mean() + 1.0
    flow_t = market.clearing.flow_t.reshape(len(c.goods), len(c.places), len(c.places), -1)
    assert flow_t[good, c.china, usa, MILITARY] == 0.0
    assert flow_t[good, c.china, usa, OPEN] > 0.0
    here = (b.good == good) & (b.place == usa)
    defence, civil = here & b.military, here & (b.buyer_class == OPEN)
    assert b.buyer_class[defence].tolist() == [MILITARY]
    without = run(years=2)
    civil_t = records.bought_t[12:, good, usa, OPEN].sum()
    usual = without.bought_t[12:, good, usa, OPEN].sum()
    assert civil_t > 0.9 * (1.0 - market.military_share[good, usa]) * usual
    assert b.shortage_t[civil].sum() == 0.0


def test_civil_users_alone_go_short_where_permits_are_for_military_use():
    """The other way round: permits of one end use are no use to the other."""
    market = without_permits_for("civil")
    c = market.catalogue
    good, usa = c.good("ndfeb_ht_magnet"), c.place("USA")
    price = market.records.price_usd_per_kg[13:, good, usa].mean(axis=0)
    assert price[OPEN] > price[MILITARY] + 1.0


def test_under_an_embargo_beside_it_both_end_uses_share_what_leaks():
    """Civil and military permits for all, and a leak of a fifth: no more than that goes through."""
    permits = ExportLicence(
        start_year=2025.0, goods="magnet", destinations="USA", applied_since_year=2024.5,
        delay_months=0.1, approval_share=1.0, military_approval_share=1.0,
    )  # fmt: skip
    leak = Embargo(start_year=2025.0, goods="magnet", destinations="USA", leak_share=0.2)
    records = run([permits, leak], years=2)
    c = records.catalogue
    good, lane = c.good("ndfeb_ht_magnet"), (c.china, c.place("USA"))
    moved_t = records.moved_t[:, good, *lane]
    assert (moved_t[12:] <= 0.2 * moved_t[:12].mean() + 1e-6).all()
    assert records.bought_t[12:, good, c.place("USA"), MILITARY].sum() > 0.0


def test_those_who_bid_share_a_limit_and_who_does_not_is_not_cut_off():
    """Bids of 1 and 3 t share a lane; loyal buyers who would not take of it leave it to others."""
    bids = np.array([True, True, False])
    assert limit_share(np.array([1.0, 3.0, 0.0]), bids).tolist() == [0.25, 0.75, 1.0]
    assert limit_share(np.array([0.0, 3.0, 0.0]), bids).tolist() == [0.0, 1.0, 1.0]
    assert limit_share(np.zeros(3), np.zeros(3, dtype=bool)).tolist() == [1.0, 1.0, 1.0]


def test_elsewhere_and_after_the_rule_end_uses_are_one_market():
    """Defence users of Korea, and Americans once the rule is gone, are open buyers like others."""
    rule = ExportLicence(start_year=2024.5, duration_years=0.5, destinations="USA")
    market = RareEarthMarket(Scenario(years=2), [rule])
    military, apart = market.buyers.military, []
    for _ in range(13):
        market.step()
        now = market.buyers.buyer_class[military] == MILITARY
        apart.append(set(market.buyers.place[military][now].tolist()))
    assert apart == [set()] * 6 + [{market.catalogue.place("USA")}] * 6 + [set()]


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


def test_goods_go_round_it_through_a_place_that_is_not_under_it():
    """With the United States alone under the rule its lane carries permits, and others the rest."""
    rule = ExportLicence(
        start_year=2025.0, goods="magnet", destinations="USA", diversion_share=0.4,
        approval_share=0.0,
    )  # fmt: skip
    market = RareEarthMarket(Scenario(years=2), [rule])
    c, x, carried_t = market.catalogue, market.merchants, 0.0
    good, usa = c.good("ndfeb_ht_magnet"), c.place("USA")
    third = x.place[x.resells & (x.good == good)].tolist()
    for _ in range(24):
        market.step()
        carried_t += x.bought_t[x.resells & (x.good == good)].sum()
    moved_t = market.records.moved_t[:, good]
    assert moved_t[12:, c.china, usa].sum() == 0.0
    assert carried_t > 0.0
    assert len(third) == 1
    assert moved_t[13:, third, usa].sum() > moved_t[:12, third, usa].sum()


def test_where_all_places_are_under_it_goods_move_under_false_papers():
    """No merchant sells on; the lanes themselves carry the part that is diverted."""
    rule = ExportLicence(start_year=2025.0, destinations="any", diversion_share=0.1)
    assert not RareEarthMarket(Scenario(), [rule]).merchants.resells.any()
