r"""Embargo: a state lets no goods of a set leave for chosen destinations.

A part :math:`\ell` of the usual trade gets through all the same, by smuggling, mislabelling or
third places, so that a month's limit on a lane is

.. math:: L_{god} = \ell\, \frac{1}{12} \sum_{k=1}^{12} f_{god}(t_0 - k),

the share of the mean flow of the year before the start.

Instance: the stop of rare-earth exports to Japan after the Senkaku collision, for about two months
from September 2010.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rare_market.declare import parameter
from rare_market.policies.base import Policy, alarmed, choose_goods, choose_places, one_place
from rare_market.records import Bulletin
from rare_market.regime import Regime


@dataclass(frozen=True, kw_only=True)
class Embargo(Policy):
    """No goods of a set leave a state for chosen places, but for a leak."""

    name: ClassVar[str] = "embargo"
    summary: ClassVar[str] = "no exports of a set of goods to chosen places, but for a leak"

    state: str = parameter("CHN", "", None, None, "the place that stops its exports", "choice")
    goods: str = parameter("oxide+metal", "", None, None, "goods or stages stopped", "choice")
    destinations: str = parameter("JPN", "", None, None, "places that get nothing", "embargo_2010")
    leak_share: float = parameter(
        0.1, "share", 0.0, 1.0, "part of the usual trade that gets through", "assumed"
    )

    def amend(self, regime: Regime, bulletin: Bulletin) -> Regime:
        """Limit the lanes to the leak."""
        c = bulletin.catalogue
        origin = one_place(c, self.state, f"{self.name}: state")
        goods = choose_goods(c, self.goods, f"{self.name}: goods")
        closed = choose_places(c, self.destinations, f"{self.name}: destinations")
        closed[origin] = False  # trade at home goes on
        where = np.ix_(goods, [origin], closed)
        usual_t = bulletin.usual_flow_t(self.start_year)
        limit = regime.flow_limit_t.copy()
        limit[where] = np.minimum(limit[where], self.leak_share * usual_t[where])
        return alarmed(regime, closed, 1.0 - self.leak_share)._replace(flow_limit_t=limit)
