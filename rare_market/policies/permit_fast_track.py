r"""Permit fast-track: projects decided while it lasts are built sooner, if the promise is kept.

.. math:: L' = L\,(1 - c\,\mathbf{1}[u < p])

with the lead time :math:`L`, the cut :math:`c`, the probability :math:`p` that a project's permits
come early, and a draw :math:`u` of the project that is the same under every policy. The outlay is
the same and falls in fewer months.

Instances: the FAST-41 programme of the United States and the executive order of March 2025 on
mineral production; the deadlines of 27 and 15 months for strategic projects in the Critical Raw
Materials Act of the European Union (Regulation (EU) 2024/1252).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rare_market.declare import parameter
from rare_market.goods import Catalogue
from rare_market.policies.base import Policy, choose_facility_stages, choose_places, kept
from rare_market.records import Bulletin
from rare_market.regime import Regime


@dataclass(frozen=True, kw_only=True)
class PermitFastTrack(Policy):
    """Shorter lead times of projects."""

    name: ClassVar[str] = "permit_fast_track"
    summary: ClassVar[str] = "projects decided while it lasts are built sooner, with a probability"

    producers: str = parameter("allied", "", None, None, "places of projects", "choice")
    stages: str = parameter(
        "mine+separation+metal+magnet+recycling", "", None, None, "stages of projects", "choice"
    )
    cut_share: float = parameter(
        0.4, "share", 0.0, 0.9, "part of the lead time saved", "eu_crma_2024"
    )
    success_share: float = parameter(
        0.6, "share", 0.0, 1.0, "probability that a project's permits come early", "assumed"
    )

    def amend(self, regime: Regime, bulletin: Bulletin) -> Regime:
        """Set the cut and its probability, the larger ones where there are two."""
        cut, early = self._tables(
            bulletin.catalogue, regime.lead_time_cut_share, regime.early_permit_share
        )
        return regime.amended(lead_time_cut_share=cut, early_permit_share=early)

    @kept
    def _tables(
        self, catalogue: Catalogue, cut: np.ndarray, early: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Cut and its probability, at least those in force, ``[facility stage, place]``."""
        places = choose_places(catalogue, self.producers, f"{self.name}: producers")
        stages = choose_facility_stages(catalogue, self.stages, f"{self.name}: stages")
        where = stages[:, None] & places[None, :]
        return np.maximum(cut, self.cut_share * where), np.maximum(
            early, self.success_share * where
        )
