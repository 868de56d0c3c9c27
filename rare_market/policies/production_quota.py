r"""Production quota: one yearly tonnage over the output of a place's formal mines.

.. math:: \sum_{i \in F} q_i \le \frac{Q\,(1+g)^{\lfloor t - t_0 \rfloor}}{12}

Where mines together plan more, each makes the same share of its plan. Informal mines are not
bound: a quota below demand feeds them. The tonnage grows once a year. A quota that is ``fulfilled``
is a plan as well as a limit: state mines open what it allows, in place of the state's own rule.

Instance: the Chinese mining quotas (93,800 t in 2011, 270,000 t in 2024), set in two batches a year
by the Ministry of Industry and Information Technology.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor
from typing import ClassVar

import numpy as np

from rare_market.declare import parameter
from rare_market.goods import MONTHS_PER_YEAR, Catalogue
from rare_market.policies.base import MOMENT, Policy, choose_goods, kept, one_place
from rare_market.records import Bulletin
from rare_market.regime import ProductionQuota as ProductionQuotaTerms
from rare_market.regime import Regime


@dataclass(frozen=True, kw_only=True)
class ProductionQuota(Policy):
    """A tonnage limit on what formal mines make, over many ores at once."""

    name: ClassVar[str] = "production_quota"
    summary: ClassVar[str] = "one tonnage limit on the output of formal mines"

    state: str = parameter("CHN", "", None, None, "the place that limits its mines", "choice")
    goods: str = parameter("concentrate", "", None, None, "ores counted", "miit_quota_2024")
    quota_t_per_year: float = parameter(
        270000.0, "t/year", 0.0, 1e7, "tonnes mined in the first year", "miit_quota_2024"
    )
    growth_per_year: float = parameter(
        0.0, "1/year", -0.5, 1.0, "growth of the tonnage from year to year", "choice"
    )

    fulfilled: bool = parameter(
        False, "", None, None, "whether state mines open all that it allows, as a plan", "choice"
    )

    def amend(self, regime: Regime, bulletin: Bulletin) -> Regime:
        """Add the quota to those in force."""
        place, goods = self._counted(bulletin.catalogue)
        years = floor(bulletin.year - self.start_year + MOMENT)
        terms = ProductionQuotaTerms(
            place=place,
            goods=goods,
            quota_t=self.quota_t_per_year * (1.0 + self.growth_per_year) ** years / MONTHS_PER_YEAR,
            fulfilled=self.fulfilled,
        )
        return regime.amended(production_quotas=(*regime.production_quotas, terms))

    @kept
    def _counted(self, catalogue: Catalogue) -> tuple[int, np.ndarray]:
        """The place that limits its mines, and ``[good]`` bool of the ores counted."""
        place = one_place(catalogue, self.state, f"{self.name}: state")
        return place, choose_goods(catalogue, self.goods, f"{self.name}: goods")
