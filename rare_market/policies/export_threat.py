r"""Export threat: word that a state may stop exports, with no change of any rule.

Buyers and plants at the places concerned hold more stock while they believe it,

.. math:: A_i \ge a, \qquad C_i = \bar C_i\,(1 + \dots + \alpha A_i),

with the alarm :math:`A` of :func:`rare_market.agents.trader.wanted_cover_months`.

Instance: the hints of May and June 2019, when a visit to a magnet plant was read as a warning and
Nd rose by a third in seven weeks without a change of quota or licence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rare_market.declare import parameter
from rare_market.goods import Catalogue
from rare_market.policies.base import Policy, alarmed, choose_places, kept
from rare_market.records import Bulletin
from rare_market.regime import Regime


@dataclass(frozen=True, kw_only=True)
class ExportThreat(Policy):
    """Fear of a stop, and nothing else."""

    name: ClassVar[str] = "export_threat"
    summary: ClassVar[str] = "word that exports may stop; no rule changes"

    destinations: str = parameter("allied", "", None, None, "places that take fright", "choice")
    alarm_share: float = parameter(
        0.5, "share", 0.0, 1.0, "part of orders that buyers fear may go unfilled", "assumed"
    )

    def amend(self, regime: Regime, bulletin: Bulletin) -> Regime:
        """Raise the alarm to at least this one."""
        return alarmed(regime, self._where(bulletin.catalogue), self.alarm_share)

    @kept
    def _where(self, catalogue: Catalogue) -> np.ndarray:
        """Places that take fright, ``[place]`` bool."""
        return choose_places(catalogue, self.destinations, f"{self.name}: destinations")
