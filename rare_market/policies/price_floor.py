r"""Price floor as a contract for difference.

The state pays covered producers :math:`(K-P)^+ - \upsilon (P-K)^+` per kg sold, or per kg made if
stockpiled tonnes count, with strike :math:`K`, reference price :math:`P` (the producer's own
market) and upside share :math:`\upsilon`. No goods change hands and the market price stays low:
producers are insulated, buyers still buy cheaply. The strike is a number, or the sum of chosen
parts of the responsible-extraction cost, the mean over the places covered.

Instance: the price protection agreement of the US Department of Defense with MP Materials (July
2025): 110 USD/kg NdPr for ten years on material sold and stockpiled, 30 % of the excess to the
state.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rare_market.contracts import PriceFloor as PriceFloorTerms
from rare_market.contracts import cost_floor_usd_per_kg
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
class PriceFloor(Policy):
    """The state tops up producers' price to a strike."""

    name: ClassVar[str] = "price_floor"
    summary: ClassVar[str] = "contract for difference: the state tops up producers to a strike"

    payer: str = parameter("USA", "", None, None, "the state that pays", "choice")
    producers: str = parameter(
        "allied+MYS+BRA", "", None, None, "places whose producers are covered", "choice"
    )
    goods: str = parameter("ndpr_oxide", "", None, None, "goods or stages covered", "mp_dod_2025")
    strike_usd_per_kg: float = parameter(110.0, "USD/kg", 0.0, 100000.0, "the floor", "mp_dod_2025")
    upside_share: float = parameter(
        0.3, "share", 0.0, 1.0, "the state's share of the price above the strike", "mp_dod_2025"
    )
    covers_stockpiled: bool = parameter(
        False,
        "",
        None,
        None,
        "whether tonnes put into stock are paid as well as tonnes sold",
        "choice",
    )

    cost_parts: str = parameter(
        "",
        "",
        None,
        None,
        "parts of responsible cost that set the level; the number if empty",
        "choice",
    )

    def check(self, catalogue: Catalogue) -> None:
        """Refuse ore: the scheme is offered to processors."""
        super().check(catalogue)
        refuse_ore(catalogue, self.goods, self.name)

    def amend(self, regime: Regime, bulletin: Bulletin) -> Regime:
        """Add the contract to those on offer."""
        left = self.years_left(bulletin.year)
        offers = self._offers(bulletin.catalogue, bulletin.responsible_cost_usd_per_kg)
        terms = tuple(terms._replace(years_left=left) for terms in offers)
        return regime.amended(price_floors=regime.price_floors + terms)

    @kept
    def _offers(
        self, catalogue: Catalogue, cost_usd_per_kg: np.ndarray
    ) -> tuple[PriceFloorTerms, ...]:
        """Contracts on offer for their whole time, one for each strike."""
        c = catalogue
        goods = choose_goods(c, self.goods, f"{self.name}: goods")
        places = choose_places(c, self.producers, f"{self.name}: producers")
        strikes = [(goods, self.strike_usd_per_kg)]
        if self.cost_parts:
            level = cost_floor_usd_per_kg(cost_usd_per_kg, self.cost_parts, goods, places)
            one = np.eye(len(goods), dtype=bool)
            strikes = [(one[good], float(level[good])) for good in np.nonzero(level)[0]]
        payer = one_place(c, self.payer, f"{self.name}: payer")
        return tuple(
            PriceFloorTerms(
                payer=payer,
                goods=covered,
                places=places,
                strike_usd_per_kg=strike,
                upside_share=self.upside_share,
                covers_stockpiled=self.covers_stockpiled,
                years_left=self.duration_years,
            )
            for covered, strike in strikes
        )
