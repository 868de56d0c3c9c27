r"""Stockpile: states hold reserves, built in slumps and released on physical shortage.

Each member aims at :math:`S^* = \tfrac{12 D}{365}\,\bar a` tonnes, :math:`D` days of the deliveries
:math:`\bar a` its place gets in a usual month. While the price is below the share :math:`b` of what
it is in the long run, members bid for the gap over the months of building; a part of the stock is
sold and bought again each year, so that it does not age. A member whose deliveries fell short by
more than the trigger last month releases what is missing. Members of a joint stockpile meet the
shortage of any of them, each in proportion to its stock; alone, each meets its own.

Instances: the stocks of JOGMEC (60 days of use, up to 180 for some metals since 2020), released at
the ministry's request; the complementary stockpiles of the framework between the United States and
Japan of 28 October 2025.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rare_market.declare import parameter
from rare_market.goods import MONTHS_PER_YEAR, Catalogue
from rare_market.policies.base import Desk, Policy, choose_class, choose_goods, choose_places, kept
from rare_market.records import Bulletin
from rare_market.regime import Purchase, Regime, Release

DAYS_PER_MONTH = 365.0 / MONTHS_PER_YEAR
BID_FACTOR = 1.05  # of the last price: what a patient buyer bids


@dataclass(frozen=True, kw_only=True)
class Stockpile(Policy):
    """Reserves of one or several states."""

    name: ClassVar[str] = "stockpile"
    summary: ClassVar[str] = "reserves built in slumps and released on shortage, alone or joint"

    members: str = parameter("JPN", "", None, None, "states that hold reserves", "choice")
    goods: str = parameter(
        "ndpr_oxide+ndpr_metal+dy_oxide+tb_oxide", "", None, None, "goods or stages held", "choice"
    )
    cover_days: float = parameter(
        60.0, "days", 0.0, 3650.0, "usual deliveries held", "iea_japan_stockpile"
    )
    build_months: float = parameter(
        24.0, "months", 1.0, 240.0, "time in which a gap is filled", "choice"
    )
    buy_below_share: float = parameter(
        1.0, "share", 0.0, 10.0, "price over its long-run mean below which it buys", "choice"
    )
    release_above_share: float = parameter(
        0.2, "share", 0.0, 1.0, "shortfall of last month's deliveries that opens it", "choice"
    )
    rotation_per_year: float = parameter(
        0.0, "1/year", 0.0, 12.0, "part of the stock sold and bought again", "choice"
    )
    joint: bool = parameter(
        False, "", None, None, "whether members meet each other's shortage", "choice"
    )
    buys: str = parameter("bound", "", None, None, "origins it takes", "choice")

    @kept
    def desk(self, catalogue: Catalogue) -> Desk:
        """Every member bids for every good."""
        return Desk(
            choose_places(catalogue, self.members, f"{self.name}: members"),
            choose_goods(catalogue, self.goods, f"{self.name}: goods"),
            choose_class(catalogue, self.buys, f"{self.name}: buys"),
        )

    def amend(self, regime: Regime, bulletin: Bulletin) -> Regime:
        """Add bids for the gap, and releases on shortage and for rotation."""
        desk = self.desk(bulletin.catalogue)
        held = desk.places[:, None] & desk.goods[None, :]
        missing_t = self.missing_t(bulletin, held)
        releases = [*self.emergency(bulletin.reserve_t * held, missing_t)]
        if self.rotation_per_year > 0.0:
            turned = self.rotation_per_year / MONTHS_PER_YEAR * bulletin.reserve_t * held
            releases += [
                Release(int(member), int(member), turned[member])
                for member in np.nonzero(desk.places)[0]
            ]
        price = bulletin.price_usd_per_kg[:, :, desk.buyer_class].T
        cheap = price < self.buy_below_share * bulletin.long_price_usd_per_kg.T
        target_t = self.cover_days / DAYS_PER_MONTH * bulletin.usual_arrivals_t().T
        gap_t = np.maximum(target_t - bulletin.reserve_t, 0.0) / self.build_months
        wanted = held & cheap & (missing_t <= 0.0)
        purchase = Purchase(np.where(wanted, gap_t, 0.0), np.where(wanted, BID_FACTOR * price, 0.0))
        return regime.amended(
            purchases=(*regime.purchases, purchase), releases=(*regime.releases, *releases)
        )

    def missing_t(self, bulletin: Bulletin, held: np.ndarray) -> np.ndarray:
        """Tonnes that did not come last month where that opens the reserve, ``[place, good]``."""
        short = bulletin.shortfall_share().T
        usual_t = bulletin.usual_arrivals_t().T
        return np.where(held & (short > self.release_above_share), short * usual_t, 0.0)

    def emergency(self, reserve_t: np.ndarray, missing_t: np.ndarray) -> list[Release]:
        """Releases that meet what is missing, ``[place, good]`` both."""
        releases = []
        if not self.joint:
            for member in np.nonzero((missing_t * reserve_t).any(axis=1))[0]:
                releases.append(Release(int(member), int(member), missing_t[member]))
            return releases
        total_t = reserve_t.sum(axis=0)
        met = np.minimum(1.0, total_t / np.maximum(missing_t.sum(axis=0), 1e-12))
        part = reserve_t / np.maximum(total_t, 1e-12)
        for receiver in np.nonzero(missing_t.any(axis=1))[0]:
            for holder in np.nonzero(reserve_t.any(axis=1))[0]:
                amount = missing_t[receiver] * met * part[holder]
                if amount.any():
                    releases.append(Release(int(holder), int(receiver), amount))
        return releases
