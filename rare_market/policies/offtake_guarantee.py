r"""Offtake guarantee: a state or its firms take delivery of a volume at a price with a floor.

It pays :math:`\max(\iota P, F) - \rho (P - R)^+` per kg, rebates ending at a yearly cap, at most
the volume a month, shared pro rata over covered producers; deliveries leave the market before it
opens. What the state takes it offers again at home, so the guarantee moves goods to its own buyers
and its cost is the difference in price. Where firms are the buyer, the plants of the place that use
the good take it as feed. A buyer may breach: it refuses delivery while the contract price exceeds
the market price by more than a share :math:`b`, and pays a penalty.

Instances: the supply agreements of Lynas with Sojitz and JOGMEC (2011; 2026: 5,000 t NdPr a year
firm with a 110 USD/kg floor, 30 % of the price above 150 rebated).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rare_market.contracts import Offtake
from rare_market.declare import parameter
from rare_market.goods import MONTHS_PER_YEAR, Catalogue
from rare_market.policies.base import (
    NO_LIMIT_MUSD,
    Policy,
    choose_goods,
    choose_places,
    kept,
    one_place,
    refuse_ore,
)
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

    index_share: float = parameter(
        1.0, "share", 0.0, 3.0, "the price index as a share of the market price", "choice"
    )
    rebate_cap_musd_per_year: float = parameter(
        NO_LIMIT_MUSD,
        "million USD/year",
        0.0,
        NO_LIMIT_MUSD,
        "most that is rebated in a calendar year",
        "choice",
    )
    buyer_is_firm: bool = parameter(
        False,
        "",
        None,
        None,
        "whether plants at the buyer's place take it, not the state",
        "choice",
    )
    breach_above_share: float = parameter(
        100.0,
        "share",
        0.0,
        100.0,
        "excess over the market price at which the buyer refuses",
        "choice",
    )
    penalty_share: float = parameter(
        0.0, "share", 0.0, 1.0, "part of that excess that a buyer in breach pays", "choice"
    )

    def check(self, catalogue: Catalogue) -> None:
        """Refuse ore: the guarantee is offered to processors."""
        super().check(catalogue)
        refuse_ore(catalogue, self.goods, self.name)

    def amend(self, regime: Regime, bulletin: Bulletin) -> Regime:
        """Add the contract to those on offer."""
        buyer, goods, places = self._sides(bulletin.catalogue)
        terms = Offtake(
            buyer=buyer,
            goods=goods,
            places=places,
            volume_t=self.volume_t_per_year / MONTHS_PER_YEAR,
            floor_usd_per_kg=self.floor_usd_per_kg,
            rebate_above_usd_per_kg=self.rebate_above_usd_per_kg,
            rebate_share=self.rebate_share,
            years_left=self.years_left(bulletin.year),
            index_share=self.index_share,
            rebate_cap_usd=self.rebate_cap_musd_per_year * 1e6,
            buyer_is_firm=self.buyer_is_firm,
            breach_above_share=self.breach_above_share,
            penalty_share=self.penalty_share,
        )
        return regime.amended(offtakes=(*regime.offtakes, terms))

    @kept
    def _sides(self, catalogue: Catalogue) -> tuple[int, np.ndarray, np.ndarray]:
        """Place of the buyer, ``[good]`` bool of what it takes, ``[place]`` bool where from."""
        c = catalogue
        return (
            one_place(c, self.buyer, f"{self.name}: buyer"),
            choose_goods(c, self.goods, f"{self.name}: goods"),
            choose_places(c, self.producers, f"{self.name}: producers"),
        )
