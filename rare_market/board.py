"""The price board: the last price of every market, how old it is, its trend and its long mean."""

from __future__ import annotations

from typing import Any

import numpy as np

from rare_market.clearing import Clearing
from rare_market.compiled import compiled
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
        self.price_usd_per_kg = self.price_usd_per_kg.copy()  # what is published stays as it is
        self.quote_usd_per_kg = self.quote_usd_per_kg.copy()
        self.age_months = self.age_months.copy()
        self.netback_usd_per_kg = self.netback_usd_per_kg.copy()
        self.trend_per_month = self.trend_per_month.copy()
        self.long_price_usd_per_kg = self.long_price_usd_per_kg.copy()
        self.long_netback_usd_per_kg = self.long_netback_usd_per_kg.copy()
        _learn(
            clearing.price_usd_per_kg,
            clearing.netback_usd_per_kg,
            clearing.price_low_usd_per_kg,
            clearing.netback_low_usd_per_kg,
            clearing.price_high_usd_per_kg,
            clearing.netback_high_usd_per_kg,
            self.price_usd_per_kg,
            self.quote_usd_per_kg,
            self.age_months,
            self.netback_usd_per_kg,
            self.trend_per_month,
            self.long_price_usd_per_kg,
            self.long_netback_usd_per_kg,
            self._trend_months,
            self._expectation_months,
            self._quote_band_share,
        )


@compiled
def _learn(
    price: np.ndarray,
    netback: np.ndarray,
    price_low: np.ndarray,
    netback_low: np.ndarray,
    price_high: np.ndarray,
    netback_high: np.ndarray,
    price_usd_per_kg: np.ndarray,
    quote_usd_per_kg: np.ndarray,
    age_months: np.ndarray,
    netback_usd_per_kg: np.ndarray,
    trend_per_month: np.ndarray,
    long_price_usd_per_kg: np.ndarray,
    long_netback_usd_per_kg: np.ndarray,
    trend_months: float,
    expectation_months: float,
    quote_band_share: float,
) -> None:
    """Write a month into the columns of the board.

    Parameters
    ----------
    price, netback
        ``[good, demand node]`` and ``[good, place]`` of the month, not finite where there is none;
        and the ends of their intervals.
    """
    goods, places, classes = price_usd_per_kg.shape
    two_sided = _bounded(netback_low, price_low) & _bounded(netback_high, price_high)
    for g in range(goods):
        for p in range(places):
            for c in range(classes):
                here = (g, p, c)
                now = price[g, p * classes + c]
                if two_sided[g] and np.isfinite(now):
                    price_usd_per_kg[here] = max(now, 0.0)
                    age_months[here] = 0
                else:
                    age_months[here] += 1
                now, quote = price_usd_per_kg[here], quote_usd_per_kg[here]
                if abs(now - quote) > quote_band_share * quote:
                    quote_usd_per_kg[here] = now
            old, growth = netback_usd_per_kg[g, p], 0.0
            if two_sided[g] and np.isfinite(netback[g, p]):
                netback_usd_per_kg[g, p] = max(netback[g, p], 0.0)
                if old > 0.0 and netback[g, p] > 0.0:
                    growth = np.log(netback[g, p] / old)
                    growth = min(
                        max(growth, -LARGEST_MONTHLY_LOG_CHANGE), LARGEST_MONTHLY_LOG_CHANGE
                    )
            trend_per_month[g, p] += (growth - trend_per_month[g, p]) / trend_months
            long_price = long_price_usd_per_kg[g, p]
            long_netback = long_netback_usd_per_kg[g, p]
            now, kept = price_usd_per_kg[g, p, OPEN], netback_usd_per_kg[g, p]
            long_price_usd_per_kg[g, p] += (now - long_price) / expectation_months
            long_netback_usd_per_kg[g, p] += (kept - long_netback) / expectation_months


@compiled
def _bounded(netback_usd_per_kg: np.ndarray, price_usd_per_kg: np.ndarray) -> np.ndarray:
    """Goods with a finite end of the price interval at some node, ``[good]`` bool."""
    bounded = np.zeros(len(netback_usd_per_kg), dtype=np.bool_)
    for g in range(len(bounded)):
        bounded[g] = np.isfinite(netback_usd_per_kg[g]).any() or (
            np.isfinite(price_usd_per_kg[g]).any()
        )
    return bounded
