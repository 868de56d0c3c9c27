"""What grants, loans, guarantees and equity share: whom they finance, and how they are offered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rare_market.declare import parameter
from rare_market.finance import Finance
from rare_market.goods import Catalogue
from rare_market.policies.base import (
    Policy,
    choose_facilities,
    choose_facility_stages,
    choose_places,
    kept,
    one_place,
)
from rare_market.records import Bulletin
from rare_market.regime import Regime


@dataclass(frozen=True, kw_only=True)
class ProjectFinance(Policy):
    """A state finances part of the outlay of projects decided while the offer stands."""

    payer: str = parameter("USA", "", None, None, "the state that pays", "choice")
    producers: str = parameter("allied+MYS+BRA", "", None, None, "places of projects", "choice")
    stages: str = parameter(
        "mine+separation+metal+magnet+recycling", "", None, None, "stages of projects", "choice"
    )
    facilities: str = parameter("any", "", None, None, "names of projects", "choice")
    under_way: bool = parameter(
        False, "", None, None, "whether projects under construction may sign too", "choice"
    )

    capital_share: ClassVar[float]  # declared by each kind, with its own default
    rate_per_year: ClassVar[float] = 0.0
    loan_years: ClassVar[float] = 1.0

    def amend(self, regime: Regime, bulletin: Bulletin) -> Regime:
        """Add the finance to what is on offer."""
        offer = self._offer(bulletin.catalogue)
        return regime.amended(finance=(*regime.finance, offer))

    @kept
    def _offer(self, catalogue: Catalogue) -> Finance:
        """The terms of the offer."""
        c = catalogue
        return Finance(
            payer=one_place(c, self.payer, f"{self.name}: payer"),
            places=choose_places(c, self.producers, f"{self.name}: producers"),
            stages=choose_facility_stages(c, self.stages, f"{self.name}: stages"),
            facilities=choose_facilities(c, self.facilities, f"{self.name}: facilities"),
            under_way=self.under_way,
            kind=self.name,
            share=self.capital_share,
            rate_per_year=self.rate_per_year,
            loan_years=self.loan_years,
        )
