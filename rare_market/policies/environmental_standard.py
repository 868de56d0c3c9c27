r"""Environmental standard: mines bear the cost of what they do to land, water and air.

At the places that adopt it a mine spends :math:`e` more per kg of rare-earth oxide it digs, by
which the damage to others falls by as much. With a border adjustment the members charge the same
sum on imports of goods from places without the standard, by their content of rare earths:

.. math:: \mu_{god} = e\,k_g \quad (o \notin A,\; d \in A)

with :math:`k_g` tonnes of oxide in a tonne of the good. Without it production leaves for places
that do not have the standard.

Instances: China's standard for emissions of the rare-earth industry (GB 26451-2011); the border
adjustment of the European Union for carbon (Regulation (EU) 2023/956), which does not cover rare
earths.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rare_market.declare import parameter
from rare_market.goods import Catalogue
from rare_market.policies.base import Policy, choose_goods, choose_places, kept
from rare_market.records import Bulletin
from rare_market.regime import Regime


@dataclass(frozen=True, kw_only=True)
class EnvironmentalStandard(Policy):
    """External cost borne at the mine, with or without an adjustment at the border."""

    name: ClassVar[str] = "environmental_standard"
    summary: ClassVar[str] = "mines bear their external cost, with or without a border adjustment"

    producers: str = parameter("CHN", "", None, None, "places that adopt it", "choice")
    goods: str = parameter("concentrate", "", None, None, "ores it holds for", "choice")
    cost_usd_per_kg: float = parameter(
        5.6, "USD/kg", 0.0, 1000.0, "spent per kg of rare-earth oxide mined", "zhou_2017"
    )
    border_adjustment: bool = parameter(
        False, "", None, None, "whether imports from elsewhere are charged the same", "choice"
    )
    adjusted: str = parameter(
        "oxide+metal+magnet", "", None, None, "goods charged at the border", "choice"
    )

    def amend(self, regime: Regime, bulletin: Bulletin) -> Regime:
        """Add the cost to mines, and the charge to imports."""
        cost, duty = self._charges(
            bulletin.catalogue, regime.mine_cost_usd_per_kg, regime.import_duty_usd_per_kg
        )
        return regime.amended(mine_cost_usd_per_kg=cost, import_duty_usd_per_kg=duty)

    @kept
    def _charges(
        self, catalogue: Catalogue, mine_usd_per_kg: np.ndarray, duty_usd_per_kg: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Those in force and these: cost of mines, and charge at the border.

        ``[good, place]`` and ``[good, origin, destination]``.
        """
        c = catalogue
        content = c.composition_reo_t_per_t.sum(axis=1)
        places = choose_places(c, self.producers, f"{self.name}: producers")
        ores = choose_goods(c, self.goods, f"{self.name}: goods")
        cost = self.cost_usd_per_kg * (content * ores)[:, None] * places[None, :]
        if not self.border_adjustment:
            return mine_usd_per_kg + cost, duty_usd_per_kg
        adjusted = choose_goods(c, self.adjusted, f"{self.name}: adjusted")
        lanes = adjusted[:, None, None] & ~places[None, :, None] & places[None, None, :]
        charge = np.where(lanes, self.cost_usd_per_kg * content[:, None, None], 0.0)
        return mine_usd_per_kg + cost, duty_usd_per_kg + charge
