r"""Technology ban: a state lets no processing technology, equipment or engineers leave.

Projects abroad that are decided while it lasts buy what they need elsewhere: they cost the share
:math:`k` more to build and take the share :math:`l` longer, so fewer pay and those that do come
later,

.. math:: I' = (1 + k)\,I, \qquad L' = (1 + l)\,L

and plants abroad no longer learn from what plants of the state make, or from the part :math:`f` of
it only (:func:`rare_market.learning.learned_factor`): their cost falls with their own output and
with that of friends, more slowly than before.

Instances: the Chinese catalogue of 21 December 2023, which prohibits the export of technology to
extract, separate and refine rare earths and to make metals, alloys and magnets; announcements No.
56 (equipment) and No. 62 (technology, and engineers' help) of 9 October 2025, suspended from 7
November 2025 to 10 November 2026.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rare_market.declare import parameter
from rare_market.goods import Catalogue
from rare_market.policies.base import Policy, choose_facility_stages, kept, one_place
from rare_market.records import Bulletin
from rare_market.regime import Regime


@dataclass(frozen=True, kw_only=True)
class TechnologyBan(Policy):
    """No know-how or equipment for processing leaves a state."""

    name: ClassVar[str] = "technology_ban"
    summary: ClassVar[str] = "no exports of processing technology and equipment: slower and dearer"

    state: str = parameter(
        "CHN", "", None, None, "the place that keeps its technology", "mofcom_tech_ban_2023"
    )
    stages: str = parameter(
        "separation+metal+magnet", "", None, None, "stages cut off", "mofcom_tech_ban_2023"
    )
    capital_added_share: float = parameter(
        0.15, "share", 0.0, 3.0, "what projects abroad cost more to build", "assumed"
    )
    time_added_share: float = parameter(
        0.25, "share", 0.0, 5.0, "what they take longer to build", "assumed"
    )
    spillover_left_share: float = parameter(
        0.0, "share", 0.0, 1.0, "part of the state's know-how that spreads all the same", "assumed"
    )

    def amend(self, regime: Regime, bulletin: Bulletin) -> Regime:
        """Make projects abroad dearer and slower, and keep the state's know-how in."""
        capital, time, spread = self._tables(
            bulletin.catalogue,
            regime.capital_added_share,
            regime.time_added_share,
            regime.spillover_factor,
        )
        return regime.amended(
            capital_added_share=capital, time_added_share=time, spillover_factor=spread
        )

    @kept
    def _tables(
        self, catalogue: Catalogue, capital: np.ndarray, time: np.ndarray, spread: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Capital and time added to those in force, what still spreads: ``[stage, place]``."""
        state = one_place(catalogue, self.state, f"{self.name}: state")
        stages = choose_facility_stages(catalogue, self.stages, f"{self.name}: stages")
        abroad = np.arange(len(catalogue.places)) != state
        where = stages[:, None] & abroad[None, :]
        most = np.where(stages[:, None] & ~abroad[None, :], self.spillover_left_share, np.inf)
        return (
            capital + self.capital_added_share * where,
            time + self.time_added_share * where,
            np.minimum(spread, most),
        )
