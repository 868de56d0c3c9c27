r"""Offtake guarantee: a state takes delivery of a volume at a price with a floor.

It pays :math:`\max(P, F) - \rho (P - R)^+` per kg, at most the volume a month, shared pro rata over
covered producers; deliveries leave the market before it opens. What the state takes it offers again
at home, so the guarantee moves goods to its own buyers and its cost is the difference in price.

Instances: the supply agreements of Lynas with Sojitz and JOGMEC (2011; 2026: 5,000 t NdPr a year
firm with a 110 USD/kg floor, 30 % of the price above 150 rebated).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rare_market.contracts import Offtake
from rare_market.declare import parameter
from rare_market.goods import MONTHS_PER_YEAR, Catalogue
from rare_market.policies.base import Policy, choose_goods, choose_places, one_place, refuse_ore
from rare_market.records import Bulletin
from rare_market.regime import Regime


@dataclass(frozen=True, kw_only=True)
class OfftakeGuarantee(Policy):
    """A state buys a volume on long-term contract at a guaranteed price."""

    name: ClassVar[str] = "offtake_guarantee"
    summary: ClassVar[str] = "physical long-term purchase by a state at a price with a floor"

    buyer: str = parameter("JPN", "", None, None, "the state that takes delivery", "choice")
    producers: str = parameter(
        "allied+MYS+BRA", "", None, None, "places whose producers may deliver", "choice"
    )
    goods: str = parameter("ndpr_oxide", "", None, None, "goods or stages taken", "lynas_jare_2026")
    volume_t_per_year: float = parameter(
        10000.0, "t/year", 0.0, 1e6, "most that is taken in a year", "choice"
    )
    floor_usd_per_kg: float = parameter(
        110.0, "USD/kg", 0.0, 100000.0, "least price paid", "lynas_jare_2026"
    )
    rebate_above_usd_per_kg: float = parameter(
        150.0,
        "USD/kg",
        0.0,
        100000.0,
        "price above which the buyer gets a rebate",
        "lynas_jare_2026",
    )
    rebate_share: float = parameter(
        0.3, "share", 0.0, 1.0, "part of the excess rebated", "lynas_jare_2026"
    )

    def check(self, catalogue: Catalogue) -> None:
        """Refuse ore: the guarantee is offered to processors."""
        super().check(catalogue)
        refuse_ore(catalogue, self.goods, self.name)

    def amend(self, regime: Regime, bulletin: Bulletin) -> Regime:
        """Add the contract to those on offer."""
        c = bulletin.catalogue
        terms = Offtake(
            buyer=one_place(c, self.buyer, f"{self.name}: buyer"),
            goods=choose_goods(c, self.goods, f"{self.name}: goods"),
            places=choose_places(c, self.producers, f"{self.name}: producers"),
            volume_t=self.volume_t_per_year / MONTHS_PER_YEAR,
            floor_usd_per_kg=self.floor_usd_per_kg,
            rebate_above_usd_per_kg=self.rebate_above_usd_per_kg,
            rebate_share=self.rebate_share,
            years_left=self.years_left(bulletin.year),
        )
        return regime._replace(offtakes=(*regime.offtakes, terms))
