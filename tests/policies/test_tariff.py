"""Import tariffs."""

from __future__ import annotations

import numpy as np
import pytest

from rare_market.goods import OPEN
from rare_market.model import RareEarthMarket
from rare_market.policies import Tariff
from rare_market.records import Records
from rare_market.scenario import Scenario
from tests.conftest import run

MAGNETS = ("ndfeb_standard_magnet", "ndfeb_ht_magnet")


@pytest.fixture(scope="module")
def market() -> RareEarthMarket:
    return RareEarthMarket(Scenario(years=1))


@pytest.fixture(scope="module")
def protected() -> Records:
    return run([Tariff(start_year=2025.0, rate_share=0.4, goods="magnet", destinations="USA")])


def test_a_tariff_adds_its_rate_on_its_lanes_and_on_no_other(market):
    """Chinese magnets into the United States."""
    c = market.catalogue
    law = market.data.law
    ruled = Tariff(rate_share=0.4, goods="magnet", destinations="USA").amend(law, market.bulletin)
    extra = ruled.import_duty_share - law.import_duty_share
    lane = extra[:, c.china, c.place("USA")]
    np.testing.assert_allclose(lane[c.of_stage("magnet")], 0.4)
    extra[c.of_stage("magnet"), c.china, c.place("USA")] = 0.0
    assert (extra == 0.0).all()
    rest = ruled._replace(import_duty_share=law.import_duty_share)
    np.testing.assert_array_equal(rest.import_duty_usd_per_kg, law.import_duty_usd_per_kg)
    unchanged = rest._replace(import_duty_usd_per_kg=law.import_duty_usd_per_kg)
    assert all(new is old for new, old in zip(unchanged, law, strict=True))


def test_two_tariffs_add(market):
    """10 % and 25 % on the same lane are 35 %, in either order."""
    first, second = Tariff(rate_share=0.10), Tariff(rate_share=0.25)
    law, published = market.data.law, market.bulletin
    both = second.amend(first.amend(law, published), published)
    turned = first.amend(second.amend(law, published), published)
    one = Tariff(rate_share=0.35).amend(law, published)
    np.testing.assert_allclose(both.import_duty_share, one.import_duty_share, rtol=1e-12)
    np.testing.assert_allclose(turned.import_duty_share, both.import_duty_share, rtol=1e-12)


def test_a_tariff_may_rise_by_steps_and_weigh_by_the_kilogram(market):
    """10 % in the first year, 15 % in the second, 3 USD per kg in both."""
    path = Tariff(start_year=2026.0, rate_share=0.1, step_share_per_year=0.05, rate_usd_per_kg=3.0)
    c, law = market.catalogue, market.data.law
    lane = (c.good("ndpr_oxide"), c.china, c.place("JPN"))
    for year, share in ((2026.0, 0.1), (2026.99, 0.1), (2027.0, 0.15)):
        ruled = path.amend(law, market.bulletin._replace(year=year))
        assert ruled.import_duty_share[lane] - law.import_duty_share[lane] == pytest.approx(share)
        assert ruled.import_duty_usd_per_kg[lane] == 3.0


@pytest.mark.parametrize("good", MAGNETS)
def test_a_tariff_raises_the_protected_price_by_no_more_than_the_duty(good, short_run, protected):
    """Delivered price of Chinese magnets in the United States over the two years in force."""
    c = short_run.catalogue
    at = (slice(12, None), c.good(good), c.place("USA"), OPEN)
    before, after = (r.price_usd_per_kg[at].mean() for r in (short_run, protected))
    assert 1.05 * before < after < 1.5 * before


@pytest.mark.parametrize("good", MAGNETS)
def test_a_tariff_lowers_imports_from_its_origin(good, short_run, protected):
    """Magnets from China to the United States over the two years in force."""
    c = short_run.catalogue
    lane = (slice(12, None), c.good(good), c.china, c.place("USA"))
    assert protected.flow_t[lane].sum() < short_run.flow_t[lane].sum()


def test_the_duty_goes_to_the_importing_treasury(short_run, protected):
    """And to no other in any larger measure than before."""
    from rare_market.ledger import KIND, REASON

    c = short_run.catalogue
    duty = (slice(12, None), KIND["state"], slice(None), REASON["import_duty"])
    before, after = (r.balance_usd[duty].sum(axis=0) for r in (short_run, protected))
    usa = c.place("USA")
    assert after[usa] > 5.0 * max(before[usa], 1.0)
    others = np.arange(len(c.places)) != usa
    assert after[others].sum() < 1.05 * before[others].sum()


def test_a_tariff_hardly_moves_the_price_its_origin_keeps(short_run, protected):
    """The market of one importer is small for its supplier, who bears little of the duty."""
    c = short_run.catalogue
    for good in MAGNETS:
        at = (slice(24, None), c.good(good), c.china)
        change = protected.netback_usd_per_kg[at].mean() / short_run.netback_usd_per_kg[at].mean()
        assert 0.9 < change < 1.02
