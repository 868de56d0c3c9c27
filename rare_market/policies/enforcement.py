r"""Enforcement: a state shuts part of the informal mining in its territory for a time.

.. math:: k_i' = (1 - \phi)\,k_i \qquad i \text{ informal, in the state}

Pits are shut, not removed: what is left standing works again when the campaign ends, so far as it
still pays. Users in the state take alarm by the part that is shut.

Instance: the Chinese campaigns against illegal mining of 2011, June 2013 and 2017; the closing of
the border to Myanmar ores in 2018-19 and 2021.
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
class Enforcement(Policy):
    """A campaign against informal mining."""

    name: ClassVar[str] = "enforcement"
    summary: ClassVar[str] = "part of the informal mines of chosen places is shut"

    producers: str = parameter(
        "CHN", "", None, None, "places whose informal mines are shut", "choice"
    )
    closed_share: float = parameter(
        0.5, "share", 0.0, 1.0, "part of informal capacity shut", "assumed"
    )

    def amend(self, regime: Regime, bulletin: Bulletin) -> Regime:
        """Shut that part of what no other campaign has shut."""
        where = self._where(bulletin.catalogue)
        closed = self._closed_share(where, regime.informal_closed_share)
        return alarmed(regime, where, self.closed_share).amended(informal_closed_share=closed)

    @kept
    def _closed_share(self, where: np.ndarray, closed_share: np.ndarray) -> np.ndarray:
        """Part of pits that is shut, where others have shut this part, ``[place]``."""
        closed = closed_share.copy()
        closed[where] = 1.0 - (1.0 - closed[where]) * (1.0 - self.closed_share)
        return closed

    @kept
    def _where(self, catalogue: Catalogue) -> np.ndarray:
        """Places where pits are shut, ``[place]`` bool."""
        return choose_places(catalogue, self.producers, f"{self.name}: producers")
