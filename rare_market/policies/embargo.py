r"""Embargo: a state lets no goods of a set leave for chosen destinations.

A part :math:`\ell` of the usual trade gets through all the same, by smuggling or mislabelling, so
that a month's limit on a lane is

.. math:: L_{god} = \ell\, \frac{1}{12} \sum_{k=1}^{12} f_{god}(t_0 - k),

the share of the mean flow of the year before the start. Merchants of the third place with the
least freight (:func:`rare_market.policies.base.third_place`) may buy the part :math:`\delta` of
that flow to sell it on (:class:`rare_market.agents.merchant.Merchants`).

Instance: the stop of rare-earth exports to Japan after the Senkaku collision, for about two months
from September 2010.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rare_market.declare import parameter
from rare_market.goods import Catalogue
from rare_market.policies.base import (
    NO_PLACE,
    Policy,
    alarmed,
    choose_goods,
    choose_places,
    diverted,
    kept,
    one_place,
    routes_through,
    third_place,
)
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
    diversion_share: float = parameter(
        0.0, "share", 0.0, 1.0, "part of that trade that may go through third places", "choice"
    )

    def routes(self, law: Regime, catalogue: Catalogue) -> np.ndarray:
        """Those of :meth:`_via`."""
        return routes_through(self._via(law.freight_usd_per_kg, catalogue))

    @kept
    def _via(self, freight_usd_per_kg: np.ndarray, catalogue: Catalogue) -> np.ndarray:
        """Third place for each good and destination; none where nothing is diverted."""
        origin, goods, closed = self._terms(catalogue)
        via = third_place(freight_usd_per_kg, origin, closed)
        return np.where(goods[:, None] & (self.diversion_share > 0.0), via, NO_PLACE)

    @kept
    def _limit_t(
        self, catalogue: Catalogue, limit_t: np.ndarray, usual_t: np.ndarray
    ) -> np.ndarray:
        """Limits in force, and the leak of usual flows on the lanes that are closed."""
        origin, goods, closed = self._terms(catalogue)
        lanes, limit_t = np.ix_(goods, [origin], closed), limit_t.copy()
        limit_t[lanes] = np.minimum(limit_t[lanes], self.leak_share * usual_t[lanes])
        return limit_t

    @kept
    def _terms(self, catalogue: Catalogue) -> tuple[int, np.ndarray, np.ndarray]:
        """Place code of the origin, ``[good]`` stopped and ``[place]`` closed to them."""
        origin = one_place(catalogue, self.state, f"{self.name}: state")
        closed = choose_places(catalogue, self.destinations, f"{self.name}: destinations")
        closed[origin] = False  # trade at home goes on
        return origin, choose_goods(catalogue, self.goods, f"{self.name}: goods"), closed

    def amend(self, regime: Regime, bulletin: Bulletin) -> Regime:
        """Limit the lanes to the leak."""
        c = bulletin.catalogue
        origin, _, closed = self._terms(c)
        usual_t = bulletin.usual_flow_t(self.start_year)
        limit = self._limit_t(c, regime.flow_limit_t, usual_t)
        regime = alarmed(regime, closed, 1.0 - self.leak_share).amended(flow_limit_t=limit)
        via = self._via(regime.freight_usd_per_kg, c)
        return diverted(regime, via, self.diversion_share * usual_t[:, origin])
