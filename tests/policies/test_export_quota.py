"""Export quotas over many goods at once."""

from __future__ import annotations

import numpy as np
import pytest

from rare_market.ledger import KIND, REASON
from rare_market.model import RareEarthMarket
from rare_market.policies import ExportQuota, OfftakeGuarantee
from rare_market.records import Records
from rare_market.scenario import Scenario
from tests.conftest import run

QUOTA_T_PER_YEAR = 20_000.0


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


def rent_usd(records: Records) -> np.ndarray:
    """Scarcity rent received by each treasury a month."""
    return records.balance_usd[:, KIND["state"], :, REASON["scarcity_rent"]]


def test_exports_of_the_counted_goods_stay_within_the_quota(limited, short_run):
    """Every month in force, and the quota is used up."""
    leaving = exports_t(limited)[12:]
    assert (leaving <= QUOTA_T_PER_YEAR / 12 + 1e-6).all()
    assert (leaving >= QUOTA_T_PER_YEAR / 12 - 1e-3).all()
    assert exports_t(short_run)[12:].min() > QUOTA_T_PER_YEAR / 12


def test_the_rent_goes_to_the_treasury_of_the_origin(limited, short_run):
    """It is the rent per tonne times the tonnes let out."""
    c = limited.catalogue
    rent = rent_usd(limited)[12:]
    per_kg = np.array([float(r[0]) for r in limited.quota_rent_usd_per_kg[12:]])
    assert (per_kg > 0.0).all()
    np.testing.assert_allclose(
        rent[:, c.china], per_kg * exports_t(limited)[12:] * 1000.0, rtol=1e-3
    )
    assert np.abs(np.delete(rent, c.china, axis=1)).max() < 1e-3 * rent[:, c.china].min()
    assert np.abs(rent_usd(short_run)).max() < 1e-3 * rent[:, c.china].min()


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
        ExportQuota(start_year=2025.0, quota_t_per_year=QUOTA_T_PER_YEAR),
        OfftakeGuarantee(start_year=2025.0, producers="CHN", volume_t_per_year=2400.0),
    ]
    records = run(policies, years=2)
    assert any(row[1] == 2 for row in records.contract_trades)
    assert (exports_t(records)[12:] <= QUOTA_T_PER_YEAR / 12 + 1e-6).all()
