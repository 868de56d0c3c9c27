r"""Export duty: a tax on goods that leave a place.

It adds :math:`t` per dollar of customs value and :math:`\theta` per kg to what an exporter pays.
Where the state's producers are needed abroad the price there rises by the duty; at home it falls,
so makers of later stages at home buy cheaper: a duty on raw goods is a subsidy to processing.

Instance: the Chinese export duties of 2008 to April 2015, 15 % on light and 25 % on heavy rare
earths, struck down in the WTO disputes DS431, DS432 and DS433.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rare_market.declare import parameter
from rare_market.goods import Catalogue
from rare_market.policies.base import Policy, choose_goods, kept, one_place
from rare_market.records import Bulletin
from rare_market.regime import Regime


@dataclass(frozen=True, kw_only=True)
class ExportDuty(Policy):
    """Duty on exports, by value and by weight."""

    name: ClassVar[str] = "export_duty"
    summary: ClassVar[str] = "duty on exports of a set of goods, by value and by weight"

    state: str = parameter("CHN", "", None, None, "the place that taxes its exports", "choice")
    goods: str = parameter("oxide+metal", "", None, None, "goods or stages taxed", "choice")
    rate_share: float = parameter(
        0.15, "share", 0.0, 10.0, "duty on the customs value", "china_export_duties"
    )
    rate_usd_per_kg: float = parameter(0.0, "USD/kg", 0.0, 10000.0, "duty by weight", "choice")

    def amend(self, regime: Regime, bulletin: Bulletin) -> Regime:
        """Add the duty to those in force."""
        share, usd_per_kg = self._duties(
            bulletin.catalogue, regime.export_duty_share, regime.export_duty_usd_per_kg
        )
        return regime.amended(export_duty_share=share, export_duty_usd_per_kg=usd_per_kg)

    @kept
    def _duties(
        self, catalogue: Catalogue, share: np.ndarray, usd_per_kg: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Duties in force and this one, ``[good, place]``."""
        place = one_place(catalogue, self.state, f"{self.name}: state")
        where = choose_goods(catalogue, self.goods, f"{self.name}: goods")
        share, usd_per_kg = share.copy(), usd_per_kg.copy()
        share[where, place] += self.rate_share
        usd_per_kg[where, place] += self.rate_usd_per_kg
        return share, usd_per_kg
