"""One number from a run."""

from __future__ import annotations

import numpy as np
import pytest

from rare_market import measures
from rare_market.goods import FACILITY_STAGES, OPEN
from rare_market.ledger import KIND, REASON
from rare_market.policies import OfftakeGuarantee, PriceFloor, Tariff, Undercutting
from tests.conftest import run


@pytest.fixture(scope="module")
def ruled():
    return run(
        [
            PriceFloor(start_year=2025.0),
            OfftakeGuarantee(start_year=2025.0),
            Tariff(start_year=2025.0),
            Undercutting(start_year=2025.0, depth_share=0.7),
        ]
    )


def test_the_price_inside_is_the_mean_in_china(short_run):
    """Twelve months of the open class."""
    c = short_run.catalogue
    mean = short_run.price_usd_per_kg[12:24, c.good("dy_oxide"), c.china, OPEN].mean()
    assert measures.price_inside_usd_per_kg(short_run, "dy_oxide", 2025, 2025) == mean


def test_the_price_outside_is_weighted_by_allied_purchases(short_run):
    """Between the lowest and the highest allied price, and exact."""
    c = short_run.catalogue
    good = c.good("ndpr_oxide")
    price = short_run.price_usd_per_kg[:12, good][:, c.allied]
    bought = short_run.bought_t[:12, good][:, c.allied]
    outside = measures.price_outside_usd_per_kg(short_run, "ndpr_oxide", 2024, 2024)
    assert outside == pytest.approx((price * bought).sum() / bought.sum())
    assert price.min() <= outside <= price.max()


@pytest.mark.parametrize("years", [(2023, 2024), (2024, 2027), (2026, 2025)])
def test_years_outside_the_run_are_refused(years, short_run):
    """The sentence says which there are."""
    with pytest.raises(ValueError, match="are not within the run's 2024 to 2026"):
        measures.price_inside_usd_per_kg(short_run, "dy_oxide", *years)


def test_capacity_outside_is_what_operates_in_december(short_run):
    """All places but China, per year."""
    c = short_run.catalogue
    row = short_run.operating_t[35, FACILITY_STAGES.index("magnet")]
    expected = 12.0 * (row.sum() - row[c.china])
    found = measures.capacity_outside_t_per_year(short_run, "magnet", 2026)
    assert found == pytest.approx(expected)


def test_chinas_share_and_the_output_of_mines_come_from_output(short_run):
    """Shares lie between nothing and all."""
    for stage in ("mine", "separation", "metal", "magnet"):
        assert 0.0 < measures.china_share(short_run, stage, 2024) < 1.0
    mined = short_run.output_t[:12, FACILITY_STAGES.index("mine")].sum()
    assert measures.mine_output_t(short_run, 2024) == pytest.approx(mined)


def test_the_weakest_link_decides_what_could_be_met_without_china(short_run):
    """The least of the three covers."""
    covers = [measures.supply_cover_share(short_run, stage, 2026) for stage in measures.CHAIN]
    assert all(0.0 <= cover <= 1.0 for cover in covers)
    assert measures.met_without_china_share(short_run, 2026) == min(covers)


def test_oxide_outside_adds_over_years(short_run):
    """Two years are the sum of each."""
    both = measures.oxide_outside_t(short_run, "ndpr_oxide", 2025, 2026)
    each = [measures.oxide_outside_t(short_run, "ndpr_oxide", y, y) for y in (2025, 2026)]
    assert both == pytest.approx(sum(each))


def test_without_schemes_nobody_pays_for_them(short_run):
    """And China pays for no undercutting."""
    assert measures.public_cost_usd(short_run, 2024, 2026) == pytest.approx(0.0, abs=1.0)
    assert measures.undercutting_cost_usd(short_run, 2024, 2026) == 0.0


def test_public_cost_is_what_treasuries_paid_less_what_they_resold(ruled):
    """Floors, offtakes, freight and resale of all states but China."""
    c = ruled.catalogue
    state = np.delete(ruled.balance_usd[:, KIND["state"]], c.china, axis=1).sum(axis=(0, 1))
    columns = [REASON[reason] for reason in ("price_floor", "offtake", "goods", "freight")]
    expected = -state[columns].sum()
    assert expected > 0.0
    assert measures.public_cost_usd(ruled, 2024, 2026) == pytest.approx(expected)
    assert measures.public_cost_usd(ruled, 2024, 2024) == pytest.approx(0.0, abs=1.0)


def test_duties_undercutting_and_buyers_cost_come_from_the_ledger(ruled, short_run):
    """A tariff brings revenue, undercutting costs China, buyers pay for what they buy."""
    duty = [measures.duty_revenue_usd(r, 2025, 2026) for r in (short_run, ruled)]
    assert duty[1] > duty[0] >= 0.0
    assert measures.undercutting_cost_usd(ruled, 2025, 2026) > 0.0
    c = ruled.catalogue
    spent = ruled.final_spend_usd[12:, :, c.allied].sum()
    assert measures.buyers_cost_usd(ruled, 2025, 2026) == pytest.approx(spent)
