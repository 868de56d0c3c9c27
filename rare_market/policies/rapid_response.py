r"""Rapid-response group: members watch each other's deliveries and send emergency shipments.

A member whose deliveries of a good fell short of the usual by more than the trigger gets up to
:math:`\sigma` of what is missing out of the other members' reserves, each in proportion to what it
holds:

.. math:: q_{h \to m} = \min\Bigl\{\sigma\,s_m \bar a_m \frac{S_h}{\sum_{j \ne m} S_j},\;
          \kappa S_h\Bigr\}

and no member gives more than :math:`\kappa` of its reserve in a month. The receiving treasury pays
the giving one the last price, and the freight.

Instance: the Rapid Response Group led by the United States Secretary of Energy and the Japanese
minister of economy, trade and industry, in the framework of 28 October 2025.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rare_market.compiled import compiled
from rare_market.declare import parameter
from rare_market.goods import Catalogue
from rare_market.policies.base import Policy, choose_goods, choose_places, kept
from rare_market.records import Bulletin
from rare_market.regime import Regime, Release


@dataclass(frozen=True, kw_only=True)
class RapidResponse(Policy):
    """Emergency deliveries between members' reserves."""

    name: ClassVar[str] = "rapid_response"
    summary: ClassVar[str] = "emergency deliveries between members out of their reserves"

    members: str = parameter("allied", "", None, None, "states of the group", "choice")
    goods: str = parameter("oxide+metal", "", None, None, "goods or stages watched", "choice")
    trigger_share: float = parameter(
        0.2, "share", 0.0, 1.0, "shortfall of last month's deliveries that sets it off", "choice"
    )
    met_share: float = parameter(
        0.5, "share", 0.0, 1.0, "part of what is missing that is sent", "choice"
    )
    most_given_share: float = parameter(
        0.25, "share", 0.0, 1.0, "part of a reserve given in a month", "choice"
    )

    def amend(self, regime: Regime, bulletin: Bulletin) -> Regime:
        """Add the shipments to the releases of reserves."""
        watched = self._watched(bulletin.catalogue)
        short = bulletin.shortfall_share().T
        triggered = watched & (short > self.trigger_share)
        if not triggered.any():
            return regime
        missing_t = np.where(triggered, short, 0.0)
        missing_t = self.met_share * missing_t * bulletin.usual_arrivals_t().T
        sent_t = _shipments_t(missing_t, bulletin.reserve_t * watched, self.most_given_share)
        releases = [
            Release(holder, receiver, sent_t[receiver, holder])
            for receiver, holder in np.argwhere(sent_t.any(axis=2)).tolist()
        ]
        return regime.amended(releases=(*regime.releases, *releases))

    @kept
    def _watched(self, catalogue: Catalogue) -> np.ndarray:
        """What is watched where, ``[place, good]`` bool."""
        members = choose_places(catalogue, self.members, f"{self.name}: members")
        goods = choose_goods(catalogue, self.goods, f"{self.name}: goods")
        return members[:, None] & goods[None, :]


@compiled
def _shipments_t(
    missing_t: np.ndarray, reserve_t: np.ndarray, most_given_share: float
) -> np.ndarray:
    """What each member sends to each, ``[receiver, holder, good]``, of ``[place, good]`` tables."""
    places, goods = missing_t.shape
    sent_t = np.zeros((places, places, goods))
    for receiver in range(places):
        for g in range(goods):
            if missing_t[receiver, g] == 0.0:
                continue
            total_t = 0.0
            for holder in range(places):
                if holder != receiver:
                    total_t += reserve_t[holder, g]
            for holder in range(places):
                if holder != receiver:
                    part_t = missing_t[receiver, g] * reserve_t[holder, g] / max(total_t, 1e-12)
                    sent_t[receiver, holder, g] = min(
                        part_t, most_given_share * reserve_t[holder, g]
                    )
    return sent_t
