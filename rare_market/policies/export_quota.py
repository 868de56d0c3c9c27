r"""Export quota: one tonnage over a set of goods leaving one place.

All goods under the quota compete for the same licence, so they bear one rent per tonne,

.. math:: \sum_{g \in G} \sum_{d \ne o} f_{god} \le L_t, \qquad \lambda \ge 0,\quad
          \lambda\,(L_t - \textstyle\sum f) = 0,

which weighs most on the cheapest goods. The year's tonnage :math:`Q` is let out evenly; tonnes not
used stay available until December:

.. math:: L_t = \frac{k}{12} Q - \sum_{s=t-k+1}^{t-1} \sum_{g,d} f_{god}(s)

in month :math:`k` of the year, counted from the start of the quota if that is later. The rent goes
to the licence holders: to the sellers of the origin in proportion to their sales, or to the
treasury where it sells the licences.

Instance: the Chinese export quotas of 2005 to 2014 (30,258 t in 2010 against 50,145 t in 2009),
given to producers and traders and dealt in by them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rare_market.declare import parameter
from rare_market.goods import MONTHS_PER_YEAR, Catalogue
from rare_market.policies.base import MOMENT, Policy, alarmed, choose_goods, kept, one_place
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
    carries_over: bool = parameter(
        True, "", None, None, "whether unused tonnes stay available until December", "choice"
    )
    licences_sold: bool = parameter(
        False, "", None, None, "whether the treasury sells the licences and keeps their rent"
    )

    def amend(self, regime: Regime, bulletin: Bulletin) -> Regime:
        """Add the quota to those in force."""
        goods, origin, abroad = self._counted(bulletin.catalogue)
        terms = ExportQuotaTerms(
            origin=origin,
            goods=goods,
            quota_t=self.month_t(bulletin, goods, origin),
            to_exporters=not self.licences_sold,
        )
        usual = bulletin.usual_flow_t(self.start_year)[goods, origin]
        usual_t = float(usual.sum() - usual[:, origin].sum())
        cut = 1.0 - self.quota_t_per_year / MONTHS_PER_YEAR / usual_t if usual_t > 0.0 else 0.0
        quotas = (*regime.export_quotas, terms)
        return alarmed(regime, abroad, cut).amended(export_quotas=quotas)

    @kept
    def _counted(self, catalogue: Catalogue) -> tuple[np.ndarray, int, np.ndarray]:
        """Goods counted, ``[good]`` bool, the place they leave, and ``[place]`` bool abroad."""
        origin = one_place(catalogue, self.state, f"{self.name}: state")
        goods = choose_goods(catalogue, self.goods, f"{self.name}: goods")
        return goods, origin, np.arange(len(catalogue.places)) != origin

    def month_t(self, bulletin: Bulletin, goods: np.ndarray, origin: int) -> float:
        """Tonnes that may leave this month.

        Parameters
        ----------
        bulletin
            holds what left in the months before.
        goods, origin
            ``[good]`` mask and place code.
        """
        month_t = self.quota_t_per_year / MONTHS_PER_YEAR
        if not self.carries_over:
            return month_t
        since_start = round((bulletin.year - self.start_year + MOMENT) * MONTHS_PER_YEAR)
        past = min(bulletin.period % MONTHS_PER_YEAR, since_start)
        if past == 0:
            return month_t
        left_t = bulletin.moved_t[-past:, goods, origin].sum()
        left_t -= bulletin.moved_t[-past:, goods, origin, origin].sum()
        return max((past + 1) * month_t - float(left_t), 0.0)
