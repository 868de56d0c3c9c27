"""What the theory says of limits: a competitive market, and a stockpile of one joint product.

That limit pricing appears only where deterrence pays is in ``test_verdict.py``.
"""

from __future__ import annotations

import numpy as np
import pytest

from rare_market.goods import OPEN
from rare_market.model import simulate
from rare_market.policies import StatePurchase
from tests.competitive import ORE, OXIDES, PLACES, equilibrium, scenario
from tests.conftest import run

YEARS, DECADE = 30, slice(20 * 12, 30 * 12)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Thirty calm years of the small market, started 40 % above its rest, and its equilibrium."""
    world = scenario(tmp_path_factory.mktemp("small"), YEARS)
    return simulate(world), equilibrium(world)


def series(records):
    """Prices and use ``[month, oxide, place]``, the latter in tonnes a year."""
    c = records.catalogue
    at = [c.good(oxide) for oxide in OXIDES]
    assert c.places == PLACES
    return records.price_usd_per_kg[:, at][..., OPEN], 12.0 * records.used_t[:, at]


def test_small_agents_without_a_strategic_china_reach_the_competitive_equilibrium(small):
    """The mean of the third decade: prices within 1 %, use within 0.5 %, ore within 1 %."""
    records, rest = small
    price, use_t = series(records)
    ore_t = 12.0 * records.made_t[DECADE, records.catalogue.good(ORE)].mean(axis=0)
    np.testing.assert_allclose(price[DECADE].mean(axis=0), rest.price_usd_per_kg, rtol=0.01)
    np.testing.assert_allclose(use_t[DECADE].mean(axis=0), rest.use_t_per_year, rtol=0.005)
    assert ore_t.sum() == pytest.approx(rest.ore_t_per_year.sum(), rel=0.01)
    assert ore_t / ore_t.sum() == pytest.approx(
        rest.ore_t_per_year / rest.ore_t_per_year.sum(), abs=0.01
    )
    assert records.valid


def test_the_way_to_the_equilibrium_is_a_cycle_of_stocks_that_fades(small):
    """A year's price is up to 7 % off in the first decade and 0.1 % in the third."""
    records, rest = small
    yearly = series(records)[0].reshape(YEARS, 12, len(OXIDES), len(PLACES)).mean(axis=1)
    off = np.abs(yearly / rest.price_usd_per_kg - 1.0)[:, 0].max(axis=1)  # NdPr
    assert off[20:].max() < 0.1 * off[1:10].max()
    assert off[20:].max() < 0.01


def test_joint_products_share_the_cost_of_ore_in_the_equilibrium(small):
    """Cerium is abundant: it costs its finishing, and NdPr carries ore and conversion."""
    records, rest = small
    finishing = 0.31 * 2.0 / 0.65
    assert rest.price_usd_per_kg[1, 0] == pytest.approx(finishing)
    assert series(records)[0][DECADE, 1, 0].mean() == pytest.approx(finishing, rel=0.01)


NO_FEAR = {"alarm_response": 0.0, "hoarding_response": 0.0}
NO_AIMS = {
    "state_output_aim_share": 0.0,
    "state_downstream_share": 0.0,
    "state_layoff_share_per_month": 1.0,
}


@pytest.mark.parametrize(
    ("good", "volume_t", "beside"),
    [
        ("ndpr_oxide", 8000.0, ("dy_oxide", "tb_oxide")),
        ("dy_oxide", 500.0, ("ndpr_oxide", "tb_oxide")),
    ],
)
def test_stockpiling_one_oxide_raises_ore_output_and_cheapens_the_others(good, volume_t, beside):
    """Brown and Eggert 2018: what is bought and kept brings out ore, and with it all the others.

    A state buys for five years at whatever the market asks, where nobody fears and state producers
    have no aim but profit. In years four to six the good is dearer, more ore is dug, the named
    joint products are cheaper. None is dearer by more than 5 %: abundant ones stay at their
    finishing cost, and samarium comes from light ores, of which less is dug when NdPr is cheap.
    """
    purchase = StatePurchase(
        state="CHN", goods=good, floor_usd_per_kg=20_000.0, volume_t_per_year=volume_t,
        start_year=2025.0, duration_years=20.0, buys="open",
    )  # fmt: skip
    calm = {"years": 6, "demand_shock_sd_share": 0.0, "outage_per_year": 0.0, **NO_FEAR, **NO_AIMS}
    without, with_pile = run(**calm), run([purchase], **calm)
    c, late = without.catalogue, slice(36, 72)
    ore, oxides = c.of_stage("concentrate"), np.nonzero(c.of_stage("oxide"))[0]
    dug = [r.made_t[late][:, ore].sum() for r in (without, with_pile)]
    before, after = (
        r.netback_usd_per_kg[late, :, c.china].mean(axis=0) for r in (without, with_pile)
    )
    change = {c.goods[g]: after[g] / before[g] for g in oxides}
    assert dug[1] > dug[0]
    assert change.pop(good) > 1.2
    assert all(change[name] < 1.0 for name in beside)
    assert max(change.values()) < 1.05
