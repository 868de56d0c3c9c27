r"""Regulated minimum: sellers of a standards-based market may not ask less than a set price.

.. math:: a_{gp} \ge \underline{a}_g

for every seller at the places named, whatever the destination. It binds sellers, not goods: without
a duty at the border buyers turn to places outside, and the minimum shuts the producers it was to
protect.

Instance: the standards-based market of the G7 Critical Minerals Action Plan (Kananaskis, June 2025)
with prices that reflect the cost of responsible extraction, in the design in which members bind
their own sellers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rare_market.contracts import cost_floor_usd_per_kg
from rare_market.declare import parameter
from rare_market.goods import Catalogue
from rare_market.policies.base import Policy, choose_goods, choose_places, kept
from rare_market.records import Bulletin
from rare_market.regime import Regime


@dataclass(frozen=True, kw_only=True)
class RegulatedMinimum(Policy):
    """A floor on what sellers of a place may ask."""

    name: ClassVar[str] = "regulated_minimum"
    summary: ClassVar[str] = "floor on the asks of sellers in a standards-based market"

    producers: str = parameter(
        "allied+MYS+BRA", "", None, None, "places whose sellers are bound", "choice"
    )
    goods: str = parameter("ndpr_oxide", "", None, None, "goods or stages", "choice")
    minimum_usd_per_kg: float = parameter(
        110.0, "USD/kg", 0.0, 100000.0, "least that may be asked", "choice"
    )

    cost_parts: str = parameter(
        "",
        "",
        None,
        None,
        "parts of responsible cost that set the level; the number if empty",
        "choice",
    )

    def amend(self, regime: Regime, bulletin: Bulletin) -> Regime:
        """Lift the least ask, to the higher one where there are two."""
        least = self._least_usd_per_kg(
            bulletin.catalogue, bulletin.responsible_cost_usd_per_kg, regime.ask_floor_usd_per_kg
        )
        return regime.amended(ask_floor_usd_per_kg=least)

    @kept
    def _least_usd_per_kg(
        self, catalogue: Catalogue, cost_usd_per_kg: np.ndarray, in_force: np.ndarray
    ) -> np.ndarray:
        """Least that may be asked, ``[good, place]``; 0 where asks are free."""
        goods = choose_goods(catalogue, self.goods, f"{self.name}: goods")
        places = choose_places(catalogue, self.producers, f"{self.name}: producers")
        level = np.full(len(goods), self.minimum_usd_per_kg)
        if self.cost_parts:
            level = cost_floor_usd_per_kg(cost_usd_per_kg, self.cost_parts, goods, places)
        return np.maximum(in_force, level[:, None] * (goods[:, None] & places[None, :]))
