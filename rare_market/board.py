"""The price board: the last price of every market, how old it is, its trend and its long mean."""

from __future__ import annotations

from typing import Any

import numpy as np

from rare_market.clearing import Clearing
from rare_market.goods import OPEN

LARGEST_MONTHLY_LOG_CHANGE = 0.5  # of a price, as far as trends take notice


class PriceBoard:
    """What traders know of prices.

    Parameters
    ----------
    price_usd_per_kg
        ``[good, place, buyer class]`` before the first month.
    netback_usd_per_kg
        ``[good, place]`` before the first month.
    trend_months, expectation_months
        memories of the trend and of the mean that investors expect to go on.
    quote_band_share
        a reporter's quote stays until the price has moved away from it by more than this.

    Attributes
    ----------
    price_usd_per_kg, netback_usd_per_kg
        last delivered price, and what a seller kept.
    quote_usd_per_kg
        ``[good, place, buyer class]`` last price that reporters published.
    age_months
        ``[good, place, buyer class]`` months since the market last had a price.
    trend_per_month, long_price_usd_per_kg, long_netback_usd_per_kg
        ``[good, place]``.
    """

    def __init__(
        self,
        price_usd_per_kg: np.ndarray,
        netback_usd_per_kg: np.ndarray,
        trend_months: float,
        expectation_months: float,
        quote_band_share: float,
    ) -> None:
        self.price_usd_per_kg = price_usd_per_kg
        self.quote_usd_per_kg = price_usd_per_kg.copy()
        self._quote_band_share = quote_band_share
        self.netback_usd_per_kg = netback_usd_per_kg
        self.age_months = np.zeros(price_usd_per_kg.shape, dtype=np.int32)
        self.trend_per_month = np.zeros_like(netback_usd_per_kg)
        self.long_price_usd_per_kg = price_usd_per_kg[:, :, OPEN].copy()
        self.long_netback_usd_per_kg = netback_usd_per_kg.copy()
        self._trend_months, self._expectation_months = trend_months, expectation_months

    def hint_usd_per_kg(self) -> np.ndarray:
        """Last prices of supply and demand nodes, where the clearing starts its search."""
        goods = len(self.netback_usd_per_kg)
        return np.concatenate(
            [self.netback_usd_per_kg, self.price_usd_per_kg.reshape(goods, -1)], axis=1
        )

    def published(self) -> dict[str, Any]:
        """Prices, trend and long means, by the names they have in the bulletin."""
        return {
            "price_usd_per_kg": self.price_usd_per_kg,
            "netback_usd_per_kg": self.netback_usd_per_kg,
            "trend_per_month": self.trend_per_month,
            "long_price_usd_per_kg": self.long_price_usd_per_kg,
            "long_netback_usd_per_kg": self.long_netback_usd_per_kg,
        }

    def learn(self, clearing: Clearing) -> None:
        """Take over a month's prices; a market without one carries its last, a month older.

        So does a good for which there are only asks, or only bids, anywhere: nothing bounds its
        price on the other side.
        """
        price = clearing.price_usd_per_kg.reshape(self.price_usd_per_kg.shape)
        two_sided = _bounded(clearing.netback_low_usd_per_kg, clearing.price_low_usd_per_kg)
        two_sided &= _bounded(clearing.netback_high_usd_per_kg, clearing.price_high_usd_per_kg)
        quoted = np.isfinite(price) & two_sided[:, None, None]
        self.age_months = np.where(quoted, 0, self.age_months + 1).astype(np.int32)
        self.price_usd_per_kg = np.where(quoted, np.maximum(price, 0.0), self.price_usd_per_kg)
        moved = np.abs(self.price_usd_per_kg - self.quote_usd_per_kg)
        stale = moved > self._quote_band_share * self.quote_usd_per_kg
        self.quote_usd_per_kg = np.where(stale, self.price_usd_per_kg, self.quote_usd_per_kg)
        old = self.netback_usd_per_kg
        kept = clearing.netback_usd_per_kg
        known = np.isfinite(kept) & two_sided[:, None]
        self.netback_usd_per_kg = np.where(known, np.maximum(kept, 0.0), old)
        with np.errstate(divide="ignore", invalid="ignore"):
            growth = np.log(self.netback_usd_per_kg / old)
        growth = np.where(np.isfinite(growth), growth, 0.0)
        growth = np.clip(growth, -LARGEST_MONTHLY_LOG_CHANGE, LARGEST_MONTHLY_LOG_CHANGE)
        self.trend_per_month = _toward(self.trend_per_month, growth, self._trend_months)
        memory = self._expectation_months
        self.long_price_usd_per_kg = _toward(
            self.long_price_usd_per_kg, self.price_usd_per_kg[:, :, OPEN], memory
        )
        self.long_netback_usd_per_kg = _toward(
            self.long_netback_usd_per_kg, self.netback_usd_per_kg, memory
        )


def _bounded(netback_usd_per_kg: np.ndarray, price_usd_per_kg: np.ndarray) -> np.ndarray:
    """Goods with a finite end of the price interval at some node."""
    bounded: np.ndarray = np.isfinite(netback_usd_per_kg).any(axis=1)
    return bounded | np.isfinite(price_usd_per_kg).any(axis=1)


def _toward(old: np.ndarray, new: np.ndarray, months: float) -> np.ndarray:
    return old + (new - old) / months
