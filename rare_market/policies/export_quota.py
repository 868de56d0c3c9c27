r"""Export quota: one tonnage over a set of goods leaving one place.

All goods under the quota compete for the same licence, so they bear one rent per tonne,

.. math:: \sum_{g \in G} \sum_{d \ne o} f_{god} \le Q, \qquad \lambda \ge 0,\quad
          \lambda\,(Q - \textstyle\sum f) = 0,

which weighs most on the cheapest goods. The rent goes to the licence holders, here the treasury of
the origin.

Instance: the Chinese export quotas of 2005 to 2014 (30,258 t in 2010 against 50,145 t in 2009).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rare_market.declare import parameter
from rare_market.goods import MONTHS_PER_YEAR
from rare_market.policies.base import Policy, choose_goods, one_place
from rare_market.records import Bulletin
from rare_market.regime import ExportQuota as ExportQuotaTerms
from rare_market.regime import Regime


@dataclass(frozen=True, kw_only=True)
class ExportQuota(Policy):
    """A tonnage limit on exports, over many goods at once."""

    name: ClassVar[str] = "export_quota"
    summary: ClassVar[str] = "one tonnage limit on exports of a set of goods"

    state: str = parameter("CHN", "", None, None, "the place that limits its exports", "choice")
    goods: str = parameter(
        "oxide+metal", "", None, None, "goods or stages counted", "china_export_quotas"
    )
    quota_t_per_year: float = parameter(
        30000.0, "t/year", 0.0, 1e7, "tonnes let out in a year", "china_export_quotas"
    )

    def amend(self, regime: Regime, bulletin: Bulletin) -> Regime:
        """Add the quota to those in force."""
        c = bulletin.catalogue
        terms = ExportQuotaTerms(
            origin=one_place(c, self.state, f"{self.name}: state"),
            goods=choose_goods(c, self.goods, f"{self.name}: goods"),
            quota_t=self.quota_t_per_year / MONTHS_PER_YEAR,
        )
        return regime._replace(export_quotas=(*regime.export_quotas, terms))
