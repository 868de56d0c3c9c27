"""Export quotas over many goods at once."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from rare_market.ledger import KIND, REASON
from rare_market.model import RareEarthMarket
from rare_market.policies import ExportQuota, OfftakeGuarantee
from rare_market.records import Records
from rare_market.scenario import Scenario
from tests.conftest import run

QUOTA_T_PER_YEAR = 6_000.0


@pytest.fixture(scope="module")
def limited() -> Records:
    return run([ExportQuota(start_year=2025.0, quota_t_per_year=QUOTA_T_PER_YEAR)])


def exports_t(records: Records) -> np.ndarray:
    """Tonnes of the counted goods leaving China a month, contracts included."""
    c = records.catalogue
    counted = c.of_stage("oxide") | c.of_stage("metal")
    flow = records.flow_t[:, counted][:, :, c.china].sum(axis=1)
    leaving = np.delete(flow, c.china, axis=1).sum(axis=1)
    for period, _, good, origin, destination, tonnes, _ in records.contract_trades:
        if counted[good] and origin == c.china and destination != c.china:
            leaving[period] += tonnes
    return leaving


def rent_usd(records: Records, *kinds: str) -> np.ndarray:
    """Scarcity rent received by some kinds a month, by place."""
    rows = [KIND[kind] for kind in kinds]
    return records.balance_usd[..., REASON["scarcity_rent"]][:, rows].sum(axis=1)


def test_exports_of_the_counted_goods_stay_within_the_quota(limited, short_run):
    """Every year in force; part goes unused while holders keep asking the last rent."""
    leaving = exports_t(limited)[12:]
    a_year = leaving[: len(leaving) // 12 * 12].reshape(-1, 12).sum(axis=1)
    assert (a_year <= QUOTA_T_PER_YEAR + 1e-3).all()
    assert (a_year >= 0.5 * QUOTA_T_PER_YEAR).all()
    assert exports_t(short_run)[12:].min() > QUOTA_T_PER_YEAR / 12


def test_a_quota_sold_by_the_treasury_is_used_up_every_month():
    """Nobody keeps licences back for last month's rent, and there is more demand than quota."""
    terms = {"quota_t_per_year": QUOTA_T_PER_YEAR, "licences_sold": True, "carries_over": False}
    leaving = exports_t(run([ExportQuota(start_year=2025.0, **terms)]))[12:]
    np.testing.assert_allclose(leaving, QUOTA_T_PER_YEAR / 12, rtol=1e-6)


@pytest.mark.parametrize("sold", [False, True])
def test_the_rent_goes_to_the_holder_of_the_licences(sold):
    """Rent per tonne times the tonnes let out, to the sellers in China or to its treasury."""
    policy = ExportQuota(start_year=2025.0, quota_t_per_year=QUOTA_T_PER_YEAR, licences_sold=sold)
    records = run([policy], years=2)
    holders, others = ("producer", "processor", "merchant"), ("state",)
    if sold:
        holders, others = others, holders
    c = records.catalogue
    rent = rent_usd(records, *holders)[12:]
    per_kg = np.array([float(r[0]) for r in records.quota_rent_usd_per_kg[12:]])
    assert (per_kg > 0.0).all()
    counted = c.of_stage("oxide") | c.of_stage("metal")
    flow_t = records.flow_t[12:, counted, c.china]
    let_out_t = flow_t.sum(axis=(1, 2)) - flow_t[..., c.china].sum(axis=1)
    # the clearing counts costs in millionths of a dollar per kg, here of rent, ask and lane
    rounding_usd = 0.01 if not sold else 3e-6 * 1000.0 * let_out_t.max()
    np.testing.assert_allclose(
        rent[:, c.china], per_kg * let_out_t * 1000.0, rtol=0.0, atol=rounding_usd
    )
    assert np.abs(np.delete(rent, c.china, axis=1)).max() < 100.0
    assert np.abs(rent_usd(records, *others)).max() < 100.0


def test_tonnes_not_used_stay_available_until_december():
    """After months without trade a quota of 1200 t a year lets more out, and starts anew."""
    market = RareEarthMarket(Scenario(years=2))
    c = market.catalogue
    goods, quota = c.of_stage("oxide"), ExportQuota(start_year=2020.0, quota_t_per_year=1200.0)
    moved_t = np.zeros((24, len(c.goods), len(c.places), len(c.places)))
    moved_t[:, c.good("ndpr_oxide"), c.china, c.place("JPN")] = 30.0

    def left_t(period: int, **terms: bool) -> float:
        told = market.bulletin._replace(
            period=period, year=2024.0 + period / 12, moved_t=moved_t[:period]
        )
        return dataclasses.replace(quota, **terms).month_t(told, goods, c.china)

    assert left_t(0) == 100.0
    assert left_t(1) == pytest.approx(200.0 - 30.0)
    assert left_t(11) == pytest.approx(1200.0 - 11 * 30.0)
    assert left_t(12) == 100.0
    assert left_t(11, carries_over=False) == 100.0


def test_a_quota_that_starts_in_july_counts_from_july():
    """What left before its start does not use it up."""
    market = RareEarthMarket(Scenario(years=2))
    c = market.catalogue
    quota = ExportQuota(start_year=2024.5, quota_t_per_year=1200.0)
    moved_t = np.full((24, len(c.goods), len(c.places), len(c.places)), 1000.0)
    moved_t[6:] = 0.0
    for period, expected in ((6, 100.0), (8, 300.0)):
        told = market.bulletin._replace(
            period=period, year=2024.0 + period / 12, moved_t=moved_t[:period]
        )
        assert quota.month_t(told, c.of_stage("oxide"), c.china) == pytest.approx(expected)


def test_a_quota_weighs_most_on_the_cheapest_goods(limited, short_run):
    """Cerium bears the same rent per tonne as dysprosium and loses more of its exports."""
    c = limited.catalogue

    def left(good: str) -> float:
        both = [r.flow_t[12:, c.good(good), c.china] for r in (limited, short_run)]
        kept, before = (np.delete(f, c.china, axis=1).sum() for f in both)
        return float(kept / before)

    assert left("ce_oxide") < left("dy_oxide")


def test_a_quota_parts_the_price_abroad_from_the_price_at_home(limited, short_run):
    """Lanthanum is dearer outside China and cheaper inside."""
    c = limited.catalogue
    good, jpn = c.good("la_oxide"), c.place("JPN")
    abroad, free = (r.price_usd_per_kg[12:, good, jpn, 0].mean() for r in (limited, short_run))
    home, free_home = (
        r.netback_usd_per_kg[12:, good, c.china].mean() for r in (limited, short_run)
    )
    assert abroad > free
    assert home < free_home


def test_two_quotas_stand_side_by_side_and_the_tighter_one_binds():
    """A second, wider quota changes no tonne let out."""
    wide = ExportQuota(start_year=2025.0, quota_t_per_year=1e6)
    tight = ExportQuota(start_year=2025.0, quota_t_per_year=QUOTA_T_PER_YEAR)
    market = RareEarthMarket(Scenario(years=2), [wide, tight])
    for _ in range(14):
        market.step()
    assert len(market.regime.export_quotas) == 2
    rent = market.records.quota_rent_usd_per_kg[13]
    assert rent[0] == 0.0
    assert rent[1] > 0.0


def test_contract_deliveries_use_up_the_quota():
    """What a state takes under an offtake leaves less for the market."""
    policies = [
        ExportQuota(start_year=2025.0, quota_t_per_year=QUOTA_T_PER_YEAR, carries_over=False),
        OfftakeGuarantee(start_year=2025.0, producers="CHN", volume_t_per_year=2400.0),
    ]
    records = run(policies, years=2)
    assert any(row[1] == 2 for row in records.contract_trades)
    assert (exports_t(records)[12:] <= QUOTA_T_PER_YEAR / 12 + 1e-6).all()


def test_of_two_quotas_over_the_same_goods_the_looser_has_no_rent_whatever_their_order():
    """And the months stay certified."""
    tight = ExportQuota(start_year=2024.0, quota_t_per_year=QUOTA_T_PER_YEAR, carries_over=False)
    loose = ExportQuota(start_year=2024.0, quota_t_per_year=45_000.0, carries_over=False)
    both, turned = run([tight, loose], years=1), run([loose, tight], years=1)
    assert both.valid
    assert turned.valid
    for month in range(12):
        rent = both.quota_rent_usd_per_kg[month]
        assert rent[1] == 0.0
        assert turned.quota_rent_usd_per_kg[month].tolist() == rent[::-1].tolist()
