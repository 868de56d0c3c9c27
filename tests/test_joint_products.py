"""Joint products: what a tonne of ore is worth, and who pays for it (textbook cases)."""

from __future__ import annotations

import numpy as np
import pytest

from rare_market.agents.processor import netback_usd_per_kg
from rare_market.model import simulate
from rare_market.scenario import Scenario
from tests.conftest import ORE, plants

MAIN, BESIDE = 1, 2  # oxides that leave together, 0.2 and 0.4 t per tonne of ore


def separator():
    """Converting costs 2 USD/kg of ore, finishing 1 USD/kg of oxide."""
    ore, oxides = np.zeros(5), np.zeros(5)
    ore[ORE], oxides[MAIN], oxides[BESIDE] = 1.0, 0.2, 0.4
    return plants(input_t=ore, output_t=oxides, cost_usd_per_kg=2.6, finishing_share=0.6 / 2.6)


@pytest.mark.parametrize(
    ("beside_usd_per_kg", "ore_usd_per_kg"),
    [(0.5, 0.2 * 49.0 - 2.0), (1.0, 0.2 * 49.0 - 2.0), (3.0, 0.2 * 49.0 + 0.4 * 2.0 - 2.0)],
)
def test_ore_is_worth_its_products_less_finishing_of_those_that_pay(
    beside_usd_per_kg, ore_usd_per_kg
):
    """At 50 USD/kg for the main oxide; a by-product below its finishing cost is not finished."""
    plant = separator()
    revenue = plant.revenue_usd_per_kg(np.array([50.0, beside_usd_per_kg]))
    worth = netback_usd_per_kg(revenue, plant.conversion_usd_per_kg, np.zeros(1), np.ones(1))
    assert worth[0] == pytest.approx(ore_usd_per_kg)


def test_more_demand_for_one_joint_product_does_not_raise_the_price_of_one_in_surplus():
    """Demand grows three times as fast: NdPr oxide is dearer, cerium stays at finishing cost."""
    slow, fast = (
        simulate(Scenario(years=4, demand_growth_multiplier=growth)) for growth in (1.0, 3.0)
    )
    c = slow.catalogue
    price = {
        good: [r.netback_usd_per_kg[-12:, c.good(good), c.china].mean() for r in (slow, fast)]
        for good in ("ndpr_oxide", "ce_oxide")
    }
    assert price["ndpr_oxide"][1] > 1.1 * price["ndpr_oxide"][0]
    assert price["ce_oxide"][1] == pytest.approx(price["ce_oxide"][0], rel=0.05)
