r"""Subsidy per kg: a state pays covered plants a fixed sum on every kg they sell.

It adds :math:`s` per kg to what a seller keeps at any price, so it lowers what the plant needs and
leaves it the risk of the price: unlike a floor it is paid in a boom as well.

Instance: the production credit on permanent magnets proposed in the United States (Rare Earth
Magnet Manufacturing Production Tax Credit Act), 20 USD per kg of magnets made there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rare_market.contracts import PriceFloor as PriceFloorTerms
from rare_market.declare import parameter
from rare_market.goods import Catalogue
from rare_market.policies.base import (
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
class Subsidy(Policy):
    """The state pays producers a fixed sum per kg sold."""

    name: ClassVar[str] = "subsidy"
    summary: ClassVar[str] = "fixed payment to plants per kg sold"

    payer: str = parameter("USA", "", None, None, "the state that pays", "choice")
    producers: str = parameter("USA", "", None, None, "places whose plants are covered", "choice")
    goods: str = parameter("magnet", "", None, None, "goods or stages covered", "choice")
    rate_usd_per_kg: float = parameter(
        20.0, "USD/kg", 0.0, 10000.0, "paid per kg sold", "magnet_credit_bill"
    )

    def check(self, catalogue: Catalogue) -> None:
        """Refuse ore: the scheme is offered to processors."""
        super().check(catalogue)
        refuse_ore(catalogue, self.goods, self.name)

    def amend(self, regime: Regime, bulletin: Bulletin) -> Regime:
        """Add the payment to the contracts on offer."""
        left = self.years_left(bulletin.year)
        terms = self._offer(bulletin.catalogue)._replace(years_left=left)
        return regime.amended(price_floors=(*regime.price_floors, terms))

    @kept
    def _offer(self, catalogue: Catalogue) -> PriceFloorTerms:
        """The contract for its whole time."""
        c = catalogue
        return PriceFloorTerms(
            payer=one_place(c, self.payer, f"{self.name}: payer"),
            goods=choose_goods(c, self.goods, f"{self.name}: goods"),
            places=choose_places(c, self.producers, f"{self.name}: producers"),
            strike_usd_per_kg=0.0,
            upside_share=0.0,
            covers_stockpiled=False,
            years_left=self.duration_years,
            subsidy_usd_per_kg=self.rate_usd_per_kg,
            reason="subsidy",
        )
