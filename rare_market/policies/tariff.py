r"""Import tariff: a duty on goods of chosen origins, by value and by weight.

It adds :math:`\tau(t) = \tau_0 + \tau'\,\lfloor t - t_0 \rfloor` to the duty on the customs
value, and :math:`\mu` per kg; the revenue goes to the importing treasury. A protected price rises
by at most the tariff, less where the foreign supplier bears part of it. A path that rises year by
year gives home producers time to build.

Instance: the Section 301 duty of the United States on Chinese permanent magnets (25 % from January
2026).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor
from typing import ClassVar

import numpy as np

from rare_market.declare import parameter
from rare_market.goods import Catalogue
from rare_market.policies.base import MOMENT, Policy, choose_goods, choose_places, kept
from rare_market.records import Bulletin
from rare_market.regime import Regime


@dataclass(frozen=True, kw_only=True)
class Tariff(Policy):
    """Duty on imports from chosen origins."""

    name: ClassVar[str] = "tariff"
    summary: ClassVar[str] = "import duty of the allies on Chinese goods, by value and by weight"

    rate_share: float = parameter(
        0.25, "share", 0.0, 10.0, "duty on the customs value", "section_301_magnets"
    )
    step_share_per_year: float = parameter(
        0.0, "1/year", -1.0, 1.0, "change of that duty each year after the first", "choice"
    )
    rate_usd_per_kg: float = parameter(0.0, "USD/kg", 0.0, 10000.0, "duty by weight", "choice")
    goods: str = parameter("oxide+metal+magnet", "", None, None, "goods or stages", "choice")
    origins: str = parameter("CHN", "", None, None, "places whose goods pay", "choice")
    destinations: str = parameter("allied", "", None, None, "places that levy it", "choice")

    def amend(self, regime: Regime, bulletin: Bulletin) -> Regime:
        """Add the duty to those in force."""
        share, usd_per_kg = self._duties(
            bulletin.catalogue,
            regime.import_duty_share,
            regime.import_duty_usd_per_kg,
            floor(bulletin.year - self.start_year + MOMENT),
        )
        return regime.amended(import_duty_share=share, import_duty_usd_per_kg=usd_per_kg)

    @kept
    def _duties(
        self, catalogue: Catalogue, share: np.ndarray, usd_per_kg: np.ndarray, steps: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Duties in force and this one, that many years after its start."""
        where = self._lanes(catalogue)
        rate_share = max(self.rate_share + self.step_share_per_year * steps, 0.0)
        return share + rate_share * where, usd_per_kg + self.rate_usd_per_kg * where

    @kept
    def _lanes(self, catalogue: Catalogue) -> np.ndarray:
        """Lanes on which it is levied, ``[good, origin, destination]`` bool."""
        goods = choose_goods(catalogue, self.goods, f"{self.name}: goods")
        origins = choose_places(catalogue, self.origins, f"{self.name}: origins")
        destinations = choose_places(catalogue, self.destinations, f"{self.name}: destinations")
        return goods[:, None, None] & origins[None, :, None] & destinations[None, None, :]
