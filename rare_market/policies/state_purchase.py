r"""State purchase at the floor: a state bids for a volume at a fixed price and keeps what it gets.

Its bid of :math:`V/12` tonnes a month at :math:`F` stands in the book like any other. While the
market is below :math:`F` it is filled first, and the last tonne it leaves to others sets their
price. Which origins it takes decides what it does: a bid for goods of its own place lifts the price
of those, a bid open to every origin is a gift to the cheapest seller in the world. What is bought
goes into the reserve.

Instance: the purchase authority of the United States Defense Production Act, Title III, and the
National Defense Stockpile (two billion USD in the act of July 2025).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rare_market.declare import parameter
from rare_market.goods import MONTHS_PER_YEAR, Catalogue
from rare_market.policies.base import Desk, Policy, choose_class, choose_goods, kept, one_place
from rare_market.records import Bulletin
from rare_market.regime import Purchase, Regime


@dataclass(frozen=True, kw_only=True)
class StatePurchase(Policy):
    """A state buys at a floor price on the market."""

    name: ClassVar[str] = "state_purchase"
    summary: ClassVar[str] = "a state buys at a floor price, of its own origin and within a budget"

    state: str = parameter("USA", "", None, None, "the state that buys", "choice")
    goods: str = parameter("ndpr_oxide", "", None, None, "goods or stages bought", "choice")
    floor_usd_per_kg: float = parameter(110.0, "USD/kg", 0.0, 100000.0, "price bid", "mp_dod_2025")
    volume_t_per_year: float = parameter(
        3000.0, "t/year", 0.0, 1e6, "most that is bought of each good in a year", "choice"
    )
    buys: str = parameter(
        "domestic",
        "",
        None,
        None,
        "origins it takes: domestic, bound (no Chinese) or open",
        "choice",
    )

    @kept
    def desk(self, catalogue: Catalogue) -> Desk:
        """Bid at home for the goods named."""
        places = np.zeros(len(catalogue.places), dtype=bool)
        places[one_place(catalogue, self.state, f"{self.name}: state")] = True
        goods = choose_goods(catalogue, self.goods, f"{self.name}: goods")
        return Desk(places, goods, choose_class(catalogue, self.buys, f"{self.name}: buys"))

    def amend(self, regime: Regime, bulletin: Bulletin) -> Regime:
        """Add the bids to those of other states."""
        purchase = self._purchase(bulletin.catalogue)
        return regime.amended(purchases=(*regime.purchases, purchase))

    @kept
    def _purchase(self, catalogue: Catalogue) -> Purchase:
        """The bids of a month."""
        desk = self.desk(catalogue)
        where = desk.places[:, None] & desk.goods[None, :]
        return Purchase(
            quantity_t=self.volume_t_per_year / MONTHS_PER_YEAR * where,
            limit_usd_per_kg=self.floor_usd_per_kg * where,
        )
