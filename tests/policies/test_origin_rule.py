"""Bound buyers without Chinese content, stage by stage."""

from __future__ import annotations

import numpy as np

from rare_market.content import OFFERED
from rare_market.goods import BOUND
from rare_market.ledger import KIND, REASON
from rare_market.model import RareEarthMarket
from rare_market.policies import OriginRule
from rare_market.scenario import Scenario
from tests.conftest import run

RULE = OriginRule(start_year=2025.0, members="allied")


def test_bound_buyers_get_no_more_than_the_untouched_part_of_what_is_on_offer():
    """Month by month, over every origin; none from one that is touched throughout."""
    market = RareEarthMarket(Scenario(years=2), [RULE])
    c = market.catalogue
    magnets, sold = c.of_stage("magnet"), 0.0
    for _ in range(24):
        clean = 1.0 - market.content.share[0, OFFERED]
        market.step()
        if market.period <= 12:
            continue
        flow_t = market.clearing.flow_t.reshape(len(c.goods), len(c.places), len(c.places), -1)
        under_t = flow_t[magnets][:, :, c.allied, BOUND].sum(axis=2)
        most_t = (clean * market.book.asked_t())[magnets]
        assert (under_t <= most_t + 1e-6).all()
        sold += under_t.sum()
    assert sold > 0.0


def test_a_stage_more_leaves_less_to_buy():
    """Made, then melted, then separated, then mined without China: the bound buyers' tonnes."""
    bought_t = []
    for stages in ("magnet", "metal+magnet", "separation+metal+magnet"):
        records = run([OriginRule(start_year=2025.0, members="allied", stages=stages)])
        c = records.catalogue
        magnets = records.bought_t[12:, c.of_stage("magnet")][:, :, c.allied, BOUND]
        bought_t.append(magnets.sum())
    assert bought_t[0] > bought_t[1] > bought_t[2] > 0.0


def test_the_premium_goes_to_the_sellers_of_the_place():
    """Treasuries of allies keep nothing of it: what trade pays them as rent they pass on."""
    rent = run([RULE]).balance_usd[12:, :, :, REASON["scarcity_rent"]]
    firms = rent[:, KIND["producer"]] + rent[:, KIND["processor"]] + rent[:, KIND["merchant"]]
    assert firms.sum() > 1e6
    assert np.abs(rent[:, KIND["state"]]).sum() < 1e-6 * firms.sum()


def test_open_buyers_are_free_to_buy_what_is_touched():
    """Chinese magnets go on reaching the United States."""
    records = run([RULE])
    c = records.catalogue
    assert records.flow_t[12:, c.good("ndfeb_standard_magnet"), c.china, c.place("USA")].sum() > 0
