"""Merchants: speculators who store a good where it is, and smugglers who take it across a border.

A speculator fills its warehouse while it expects to gain more than the carrying cost, and sells
when that ends. A smuggler buys at home, pays no tax and needs no licence, bears a cost and the risk
of losing the load, and sells a month later from a third place; its trade grows while the wedge
between the two places pays for that, and shrinks when it does not.
"""

from __future__ import annotations

import numpy as np

from rare_market.agents.trader import Trader, expected_gain_share, expected_price_usd_per_kg
from rare_market.book import Book
from rare_market.goods import MONTHS_PER_YEAR, OPEN
from rare_market.records import Bulletin
from rare_market.scenario import Scenario

ASK_FACTOR = np.array([0.9, 1.0])  # half a little below the last price, half at it
BID_FACTOR = 1.05
STORE_MONTHS = 3.0  # in which a speculator fills or clears its warehouse
FULL_GAIN_SHARE = 0.5  # yearly gain over carrying cost at which a warehouse is full
MARGIN_RANGE = (-0.5, 0.5)


class Merchant(Trader):
    """One speculator or smuggler of one good: a row of :class:`Merchants`."""


def premium_abroad(
    price_usd_per_kg: np.ndarray, good: np.ndarray, place: np.ndarray, allied: np.ndarray
) -> np.ndarray:
    r"""Log of the mean price in allied places over that at home: :math:`\ln (P_a / P)`.

    Parameters
    ----------
    price_usd_per_kg
        ``[good, place, buyer class]``.
    good, place
        ``[merchant]`` codes.
    allied
        ``[place]`` bool.
    """
    abroad = price_usd_per_kg[good][:, allied, OPEN].mean(axis=1)
    here = price_usd_per_kg[good, place, OPEN]
    return np.asarray(np.log(np.maximum(abroad, 1e-6) / np.maximum(here, 1e-6)))


def smuggled_t(
    trade_t: np.ndarray, margin_share: np.ndarray, response_per_year: float
) -> np.ndarray:
    r"""Trade of smugglers next month: :math:`k\,(1 + \eta\,m/12)`, margins within bounds.

    The margin :math:`m` is what a kilogram brings abroad, less risk and cost, over its price at
    home, less one.
    """
    bounded = np.clip(margin_share, *MARGIN_RANGE)
    return np.asarray(trade_t * (1.0 + response_per_year * bounded / MONTHS_PER_YEAR))


class Merchants:
    """The cohort of merchants.

    Parameters
    ----------
    names, good, place, sells_at
        ``[merchant]``; codes. A speculator sells where it buys.
    room_t
        ``[merchant]`` most a speculator stores, or what a smuggler takes across in a month.
    usual_premium
        ``[merchant]`` log of the price abroad over that at home before the run.
    cost_usd_per_kg, risk_share
        ``[merchant]`` of a smuggler: outlay per kg, and part of the load lost.
    scenario
        responses.
    """

    def __init__(
        self,
        *,
        names: tuple[str, ...],
        good: np.ndarray,
        place: np.ndarray,
        sells_at: np.ndarray,
        room_t: np.ndarray,
        usual_premium: np.ndarray,
        cost_usd_per_kg: np.ndarray,
        risk_share: np.ndarray,
        scenario: Scenario,
    ) -> None:
        self.rows = len(place)
        self.name = np.array(names)
        self.good, self.place, self.sells_at = good, place, sells_at
        self.stores = place == sells_at
        self.room_t = room_t.copy()
        self.usual_premium = usual_premium
        self.cost_usd_per_kg, self.risk_share = cost_usd_per_kg, risk_share
        self.inventory_t = np.where(self.stores, 0.0, room_t)
        self.bought_t = np.zeros(self.rows)
        self.lost_t = np.zeros(self.rows)
        self._scenario = scenario
        # the book
        self.ask_row = np.repeat(np.arange(self.rows), len(ASK_FACTOR))
        self.ask_good, self.ask_place = good[self.ask_row], sells_at[self.ask_row]
        self.bid_row = np.arange(self.rows)
        self.bid_good, self.bid_place = good, place
        self.bid_class = np.full(self.rows, OPEN)

    def post(self, book: Book, bulletin: Bulletin) -> None:
        """Bid for what is worth storing or taking across, offer the rest."""
        s = self._scenario
        here = bulletin.price_usd_per_kg[self.good, self.place, OPEN]
        there = bulletin.netback_usd_per_kg[self.good, self.sells_at]
        trend = bulletin.trend_per_month[self.good, self.place]
        premium = premium_abroad(
            bulletin.price_usd_per_kg, self.good, self.place, bulletin.catalogue.allied
        )
        parity = s.parity_response * np.maximum(premium - self.usual_premium, 0.0)
        gain = parity + expected_gain_share(
            trend, here, bulletin.long_price_usd_per_kg[self.good, self.place], s
        )
        target_t = self.room_t * np.clip(gain / FULL_GAIN_SHARE, 0.0, 1.0)
        gap_t = (target_t - self.inventory_t) / STORE_MONTHS
        expected = expected_price_usd_per_kg(here, trend, np.ones(self.rows))
        worth = there * (1.0 - self.risk_share) - self.cost_usd_per_kg
        self.margin_share = worth / np.maximum(here, 1e-6) - 1.0
        bid_t = np.where(self.stores, np.maximum(gap_t, 0.0), self.room_t)
        limit = np.where(self.stores, expected * BID_FACTOR, np.maximum(worth, 0.0))
        book.post_bids("merchant", bid_t[:, None], limit[:, None])
        ask_t = np.where(self.stores, np.maximum(-gap_t, 0.0), self.inventory_t)
        book.post_asks(
            "merchant",
            np.repeat(ask_t[:, None] / len(ASK_FACTOR), len(ASK_FACTOR), axis=1),
            there[:, None] * ASK_FACTOR,
        )

    def settle(self, ask_fill_t: np.ndarray, bid_fill_t: np.ndarray) -> None:
        """Take and hand over the month's trade; part of a smuggled load is lost on the way.

        Parameters
        ----------
        ask_fill_t, bid_fill_t
            ``[ask]`` and ``[bid]`` tonnes traded on the market.
        """
        sold_t = ask_fill_t.reshape(self.rows, len(ASK_FACTOR)).sum(axis=1)
        self.bought_t = bid_fill_t
        self.lost_t = np.where(self.stores, 0.0, bid_fill_t * self.risk_share)
        kept_t = self.inventory_t - sold_t + bid_fill_t - self.lost_t
        self.inventory_t = np.maximum(kept_t, 0.0)

    def plan(self) -> None:
        """Let smuggling follow the margin that the wedge leaves."""
        grown_t = smuggled_t(
            self.room_t, self.margin_share, self._scenario.smuggling_response_per_year
        )
        self.room_t = np.where(self.stores, self.room_t, grown_t)
