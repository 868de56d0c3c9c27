r"""Minimum import price: a club lifts the price at its border by a variable levy.

Members charge on goods from outside the club

.. math:: \ell_{god} = \max\{0,\; M_g - v_{god} - m_{god}\}

where :math:`v` is the customs value and :math:`m` the ordinary duty, so that no import is cheaper
than :math:`M`. Trade between members is free. Home producers get the protected price from buyers
and no treasury pays; the levy is revenue, and it falls on users of the good.

Instance: the preferential zone with reference prices by stage, held by adjustable tariffs, that the
United States proposed to more than fifty countries on 4 February 2026. The variable levies of the
European common agricultural policy (1962 to 1995) worked in the same way.
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
class MinimumImportPrice(Policy):
    """A variable levy of a club on goods from outside it."""

    name: ClassVar[str] = "minimum_import_price"
    summary: ClassVar[str] = "variable levy of a club that lifts import prices to a minimum"

    members: str = parameter("allied", "", None, None, "places that levy it", "choice")
    partners: str = parameter(
        "MYS+BRA", "", None, None, "places outside the club whose goods enter free", "choice"
    )
    goods: str = parameter("ndpr_oxide+ndpr_metal", "", None, None, "goods or stages", "choice")
    minimum_usd_per_kg: float = parameter(
        110.0, "USD/kg", 0.0, 100000.0, "least price at the border", "preferential_zone_2026"
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
        """Set the minimum on lanes into the club, the higher one where there are two."""
        least = self._least_usd_per_kg(
            bulletin.catalogue,
            bulletin.responsible_cost_usd_per_kg,
            regime.minimum_import_price_usd_per_kg,
        )
        return regime.amended(minimum_import_price_usd_per_kg=least)

    @kept
    def _least_usd_per_kg(
        self, catalogue: Catalogue, cost_usd_per_kg: np.ndarray, in_force: np.ndarray
    ) -> np.ndarray:
        """Least price on each lane, ``[good, origin, destination]``; 0 where there is none."""
        c = catalogue
        goods = choose_goods(c, self.goods, f"{self.name}: goods")
        members = choose_places(c, self.members, f"{self.name}: members")
        free = members | choose_places(c, self.partners, f"{self.name}: partners")
        where = goods[:, None, None] & ~free[None, :, None] & members[None, None, :]
        level = np.full(len(goods), self.minimum_usd_per_kg)
        if self.cost_parts:
            level = cost_floor_usd_per_kg(cost_usd_per_kg, self.cost_parts, goods, members)
        return np.maximum(in_force, level[:, None, None] * where)
