r"""Recycling support: states pay collectors per kg of scrap, and recyclers part of their cost.

Collecting a kg of scrap costs its collector :math:`r` less (at most nine tenths of the cost), so
poorer scrap is worth collecting, collection points and labels bring the share :math:`\delta` of
what is thrown away within reach besides, and a recycler bears :math:`1-s` of its cost of
conversion. The treasury of the place pays the rest.

Instances: the recycling pillar of the Japanese package of October 2010; the benchmark of the
Critical Raw Materials Act (Regulation (EU) 2024/1252) that 25 % of use be met from recycling by
2030.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rare_market.declare import parameter
from rare_market.goods import FACILITY_STAGES, Catalogue
from rare_market.policies.base import Policy, choose_goods, choose_places, kept
from rare_market.records import Bulletin
from rare_market.regime import Regime


@dataclass(frozen=True, kw_only=True)
class RecyclingSupport(Policy):
    """Payments to collectors and recyclers, by the state of their place."""

    name: ClassVar[str] = "recycling_support"
    summary: ClassVar[str] = "payments to collectors of scrap and to recyclers"

    producers: str = parameter(
        "allied", "", None, None, "places that pay and are covered", "choice"
    )
    goods: str = parameter("scrap", "", None, None, "scrap covered", "choice")
    collection_usd_per_kg: float = parameter(
        2.0, "USD/kg", 0.0, 1000.0, "paid per kg of scrap collected", "choice"
    )
    reach_added_share: float = parameter(
        0.05, "share", 0.0, 1.0, "part of the scrap thrown away that is reached besides", "assumed"
    )
    conversion_share: float = parameter(
        0.3, "share", 0.0, 0.9, "part of a recycler's cost that is paid", "choice"
    )

    def amend(self, regime: Regime, bulletin: Bulletin) -> Regime:
        """Add the payments to what states bear of costs."""
        reach, paid, borne = self._tables(
            bulletin.catalogue,
            regime.scrap_reach_added_share,
            regime.mine_support_usd_per_kg,
            regime.conversion_borne_share,
        )
        return regime.amended(
            scrap_reach_added_share=reach,
            mine_support_usd_per_kg=paid,
            conversion_borne_share=borne,
        )

    @kept
    def _tables(
        self, catalogue: Catalogue, reach: np.ndarray, paid: np.ndarray, borne: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Part of scrap reached besides, payment per kg of it, part of a recycler's cost.

        Those in force with these added: ``[good, place]`` twice, ``[facility stage, place]``.
        """
        places = choose_places(catalogue, self.producers, f"{self.name}: producers")
        scrap = choose_goods(catalogue, self.goods, f"{self.name}: goods")
        covered = scrap[:, None] & places[None, :]
        recyclers = (np.array(FACILITY_STAGES) == "recycling")[:, None] & places[None, :]
        return (
            reach + self.reach_added_share * covered,
            paid + self.collection_usd_per_kg * covered,
            np.maximum(borne, self.conversion_share * recyclers),
        )
