r"""Technology sharing: states pay for research that lowers cost and speeds substitution.

.. math:: c'(t) = c\,\bigl[1 - g\,(1 - e^{-(t - t_0)/T})\bigr]

The cost of plants at the places named falls towards :math:`1-g` of what it is, with the memory
:math:`T` of learning. Users there design a dear element out of their products in :math:`1/(1+v)` of
the usual time. The programme costs each member the same sum a year.

Instances: the programmes on substitution and efficiency in the Japanese package of October 2010;
the exchange of separation know-how named in the framework between the United States and Japan of 28
October 2025.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from typing import ClassVar

import numpy as np

from rare_market.declare import parameter
from rare_market.goods import MONTHS_PER_YEAR, Catalogue
from rare_market.policies.base import Policy, choose_facility_stages, choose_places, kept
from rare_market.records import Bulletin
from rare_market.regime import Regime


@dataclass(frozen=True, kw_only=True)
class TechnologySharing(Policy):
    """Paid-for fall of partners' cost of conversion."""

    name: ClassVar[str] = "technology_sharing"
    summary: ClassVar[str] = (
        "research and shared know-how that lower partners' cost and speed substitution"
    )

    members: str = parameter("allied", "", None, None, "places that pay and learn", "choice")
    stages: str = parameter(
        "separation+metal+magnet+recycling", "", None, None, "stages that learn", "choice"
    )
    gain_share: float = parameter(0.15, "share", 0.0, 0.9, "fall of cost in the end", "assumed")
    learning_years: float = parameter(5.0, "years", 0.1, 50.0, "time of learning", "assumed")
    research_added_share: float = parameter(
        0.25, "share", 0.0, 5.0, "how much faster users' research on substitutes goes", "assumed"
    )
    programme_musd_per_year: float = parameter(
        20.0, "million USD/year", 0.0, 10000.0, "paid by each member", "choice"
    )

    def amend(self, regime: Regime, bulletin: Bulletin) -> Regime:
        """Lower the cost, speed research, and book the programme."""
        learners, speed, spent = self._tables(bulletin.catalogue)
        years = max(bulletin.year - self.start_year, 0.0) + 1.0 / MONTHS_PER_YEAR
        gain = self.gain_share * (1.0 - exp(-years / self.learning_years))
        return regime.amended(
            research_speed=regime.research_speed * speed,
            conversion_factor=regime.conversion_factor * (1.0 - gain * learners),
            programme_usd=regime.programme_usd + spent,
        )

    @kept
    def _tables(self, catalogue: Catalogue) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Who learns, ``[facility stage, place]`` bool; speed of research and USD a month there."""
        places = choose_places(catalogue, self.members, f"{self.name}: members")
        stages = choose_facility_stages(catalogue, self.stages, f"{self.name}: stages")
        spent = np.where(places, self.programme_musd_per_year * 1e6 / MONTHS_PER_YEAR, 0.0)
        speed = 1.0 + self.research_added_share * places
        return stages[:, None] & places[None, :], speed, spent
