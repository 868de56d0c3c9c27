"""Merchants: speculators store a good, smugglers take it across a border, resellers round a rule.

A speculator fills its warehouse while it expects to gain more than the carrying cost, and sells
when that ends. A smuggler buys at home, pays no tax and needs no licence, bears a cost and the risk
of losing the load, and sells a month later from a third place; its trade grows while the wedge
between the two places pays for that, and shrinks when it does not. A reseller sits in a place that
is not under a rule: it buys there, lawfully, what the cheapest seller sends, and sells it a month
later to whoever pays best abroad, such as those whom the rule cuts off.
"""

from __future__ import annotations

import numpy as np

from rare_market.agents.trader import (
    Trader,
    expected_gain_share,
    expected_price_usd_per_kg,
    filled_t,
)
from rare_market.book import Book
from rare_market.compiled import compiled
from rare_market.goods import MILITARY, OPEN, Catalogue
from rare_market.records import Bulletin
from rare_market.regime import Regime
from rare_market.scenario import Scenario

ASK_FACTOR = np.array([0.9, 1.0])  # half a little below the last price, half at it
BID_FACTOR = 1.05
STORE_MONTHS = 3.0  # in which a speculator fills or clears its warehouse
FULL_GAIN_SHARE = 0.5  # yearly gain over carrying cost at which a warehouse is full
RISK_PREMIUM_SHARE = 0.1  # of what it brings, that a reseller keeps for the risk of being found out


class Merchant(Trader):
    """One speculator or smuggler of one good: a row of :class:`Merchants`."""


@compiled
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
    premium = np.empty(len(good))
    for i in range(len(good)):
        abroad = price_usd_per_kg[good[i], :, OPEN][allied].mean()
        here = price_usd_per_kg[good[i], place[i], OPEN]
        premium[i] = np.log(max(abroad, 1e-6) / max(here, 1e-6))
    return premium


@compiled
def smuggled_t(
    trade_t: np.ndarray,
    usual_t: np.ndarray,
    most_t: np.ndarray,
    margin_share: np.ndarray,
    half_margin_share: float,
    months: float,
) -> np.ndarray:
    r"""Trade of smugglers next month, which follows the margin with a lag and is bounded.

    .. math:: k' = k + \frac1T \Bigl[k_0 + (K - k_0)\,\frac{m^+}{m^+ + h} - k\Bigr]

    The margin :math:`m` is what a kilogram brings abroad, less risk and cost, over its price at
    home, less one; half of what routes can take beyond the usual trade :math:`k_0` goes at
    :math:`h`, and never more than :math:`K`.
    """
    margin = np.maximum(margin_share, 0.0)
    aim_t = usual_t + (most_t - usual_t) * margin / (margin + half_margin_share)
    return trade_t + (aim_t - trade_t) / months


@compiled
def resale_usd_per_kg(
    price_usd_per_kg: np.ndarray, lane_cost_usd_per_kg: np.ndarray, good: int, place: int
) -> float:
    r"""Most that a good brings if sold abroad: :math:`\max_{d\ne v} (P_{gd} - c_{gvd})^+`.

    Parameters
    ----------
    price_usd_per_kg
        ``[good, place, buyer class]``; resellers ask for no end use.
    lane_cost_usd_per_kg
        ``[good, origin, destination]``, ``inf`` where there is no way.
    """
    most = 0.0
    for d in range(len(lane_cost_usd_per_kg[good, place])):
        if d != place:
            paid = price_usd_per_kg[good, d, OPEN]
            if len(price_usd_per_kg[good, d]) > MILITARY:
                paid = max(paid, price_usd_per_kg[good, d, MILITARY])
            most = max(most, paid - lane_cost_usd_per_kg[good, place, d])
    return most


class Merchants:
    """The cohort of merchants.

    Parameters
    ----------
    names, good, place, sells_at
        ``[merchant]``; codes. A speculator sells where it buys.
    room_t
        ``[merchant]`` most a speculator stores, or what a smuggler takes across in a month.
    most_t
        ``[merchant]`` most a smuggler may take across in a month, however large the wedge.
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
        most_t: np.ndarray,
        usual_premium: np.ndarray,
        cost_usd_per_kg: np.ndarray,
        risk_share: np.ndarray,
        scenario: Scenario,
    ) -> None:
        self.rows = len(place)
        self.name = np.array(names)
        self.good, self.place, self.sells_at = good, place, sells_at
        self.stores = place == sells_at
        self.resells = np.zeros(self.rows, dtype=bool)
        self.room_t, self.usual_t = room_t.copy(), room_t
        self.most_t = np.maximum(most_t, room_t)
        self.usual_premium = usual_premium
        self.cost_usd_per_kg, self.risk_share = cost_usd_per_kg, risk_share
        self.inventory_t = np.where(self.stores, 0.0, room_t)
        self.bought_t = np.zeros(self.rows)
        self.lost_t = np.zeros(self.rows)
        self.margin_share = np.zeros(self.rows)
        self._numbers = scenario.numbers()
        self._make_room()

    def _make_room(self) -> None:
        """Say which orders they may post."""
        self.ask_row = np.repeat(np.arange(self.rows), len(ASK_FACTOR))
        self.ask_good, self.ask_place = self.good[self.ask_row], self.sells_at[self.ask_row]
        self.bid_row = np.arange(self.rows)
        self.bid_good, self.bid_place = self.good, self.place
        self.bid_class = np.full(self.rows, OPEN)

    def open_routes(self, through: np.ndarray, catalogue: Catalogue) -> None:
        """Add the resellers that policies need; without a rule in force they do nothing.

        Parameters
        ----------
        through
            ``[good, place]`` bool, goods and the third places they may go through.
        catalogue
            codes.
        """
        good, place = np.nonzero(through)
        n, none = len(good), np.zeros(len(good))
        names = [
            f"resell_{catalogue.goods[g]}_{catalogue.places[p].lower()}"
            for g, p in zip(good, place, strict=True)
        ]
        self.name = np.concatenate([self.name, np.array(names, dtype=np.str_)])
        self.good, self.place = np.append(self.good, good), np.append(self.place, place)
        self.sells_at = np.append(self.sells_at, place)
        self.stores = np.append(self.stores, np.ones(n, dtype=bool))
        self.resells = np.append(self.resells, np.ones(n, dtype=bool))
        for column in (
            "room_t", "usual_t", "most_t", "usual_premium", "cost_usd_per_kg", "risk_share",
            "inventory_t", "bought_t", "lost_t", "margin_share",
        ):  # fmt: skip
            setattr(self, column, np.append(getattr(self, column), none))
        self.rows += n
        self._make_room()

    def post(
        self, book: Book, bulletin: Bulletin, regime: Regime, trade_cost_usd_per_kg: np.ndarray
    ) -> None:
        """Bid for what is worth storing, taking across or selling on, offer the rest.

        Parameters
        ----------
        book, bulletin, regime
            of the month.
        trade_cost_usd_per_kg
            ``[good, origin, destination]`` freight and taxes.
        """
        lane_cost = trade_cost_usd_per_kg
        if self.resells.any():
            lane_cost = np.where(regime.civil_limit_t > 0.0, lane_cost, np.inf)
        _post(
            self.good, self.place, self.sells_at, self.stores, self.resells, self.room_t,
            self.inventory_t, regime.diverted_t, lane_cost,
            self.cost_usd_per_kg, self.risk_share, bulletin.catalogue.allied,
            bulletin.price_usd_per_kg, bulletin.netback_usd_per_kg, bulletin.trend_per_month,
            bulletin.long_price_usd_per_kg, self.usual_premium, self.margin_share,
            self._numbers, *book.bid_columns["merchant"], *book.ask_columns["merchant"],
        )  # fmt: skip

    def settle(self, ask_fill_t: np.ndarray, bid_fill_t: np.ndarray) -> None:
        """Take and hand over the month's trade; part of a smuggled load is lost on the way.

        Parameters
        ----------
        ask_fill_t, bid_fill_t
            ``[ask]`` and ``[bid]`` tonnes traded on the market.
        """
        self.bought_t = bid_fill_t
        _settle(ask_fill_t, bid_fill_t, self.stores, self.risk_share, self.lost_t, self.inventory_t)

    def plan(self) -> None:
        """Let smuggling follow the margin that the wedge leaves."""
        _plan(self.usual_t, self.most_t, self.margin_share, self.stores, self._numbers, self.room_t)


@compiled
def _post(
    good: np.ndarray,
    place: np.ndarray,
    sells_at: np.ndarray,
    stores: np.ndarray,
    resells: np.ndarray,
    room_t: np.ndarray,
    inventory_t: np.ndarray,
    diverted_t: np.ndarray,
    lane_cost_usd_per_kg: np.ndarray,
    cost_usd_per_kg: np.ndarray,
    risk_share: np.ndarray,
    allied: np.ndarray,
    price_usd_per_kg: np.ndarray,
    netback_usd_per_kg: np.ndarray,
    trend_per_month: np.ndarray,
    long_price_usd_per_kg: np.ndarray,
    usual_premium: np.ndarray,
    margin_share: np.ndarray,
    numbers: np.ndarray,
    bid_t: np.ndarray,
    bid_limit: np.ndarray,
    ask_t: np.ndarray,
    ask_limit: np.ndarray,
) -> None:
    """Write quantity and limit of bids, ``[merchant]``, and of asks, ``[merchant x step]``."""
    s, rows, steps = numbers[0], len(good), len(ASK_FACTOR)
    premium = premium_abroad(price_usd_per_kg, good, place, allied)
    for i in range(rows):
        here = price_usd_per_kg[good[i], place[i], OPEN]
        there = netback_usd_per_kg[good[i], sells_at[i]]
        trend = trend_per_month[good[i], place[i]]
        parity = s.parity_response * max(premium[i] - usual_premium[i], 0.0)
        gain = parity + expected_gain_share(
            trend, here, long_price_usd_per_kg[good[i], place[i]], s
        )
        target_t = room_t[i] * min(max(gain / FULL_GAIN_SHARE, 0.0), 1.0)
        gap_t = (target_t - inventory_t[i]) / STORE_MONTHS
        worth = there * (1.0 - risk_share[i]) - cost_usd_per_kg[i]
        margin_share[i] = worth / max(here, 1e-6) - 1.0
        if resells[i]:
            there = resale_usd_per_kg(price_usd_per_kg, lane_cost_usd_per_kg, good[i], place[i])
            bid_t[i], offered_t = diverted_t[good[i], place[i]], inventory_t[i]
            bid_limit[i] = there * (1.0 - RISK_PREMIUM_SHARE)
        elif stores[i]:
            bid_t[i], offered_t = max(gap_t, 0.0), max(-gap_t, 0.0)
            bid_limit[i] = expected_price_usd_per_kg(here, trend, 1.0) * BID_FACTOR
        else:
            bid_t[i], offered_t = room_t[i], inventory_t[i]
            bid_limit[i] = max(worth, 0.0)
        for k in range(steps):
            ask_t[i * steps + k] = offered_t / steps
            ask_limit[i * steps + k] = there * ASK_FACTOR[k]


@compiled
def _settle(
    ask_fill_t: np.ndarray,
    bid_fill_t: np.ndarray,
    stores: np.ndarray,
    risk_share: np.ndarray,
    lost_t: np.ndarray,
    inventory_t: np.ndarray,
) -> None:
    """See :meth:`Merchants.settle`."""
    for i in range(len(inventory_t)):
        sold_t = filled_t(ask_fill_t, i, len(ASK_FACTOR))
        lost_t[i] = 0.0 if stores[i] else bid_fill_t[i] * risk_share[i]
        inventory_t[i] = max(inventory_t[i] - sold_t + bid_fill_t[i] - lost_t[i], 0.0)


@compiled
def _plan(
    usual_t: np.ndarray,
    most_t: np.ndarray,
    margin_share: np.ndarray,
    stores: np.ndarray,
    numbers: np.ndarray,
    room_t: np.ndarray,
) -> None:
    """See :meth:`Merchants.plan`."""
    s = numbers[0]
    for i in range(len(room_t)):
        if not stores[i]:
            room_t[i] = smuggled_t(
                room_t[i], usual_t[i], most_t[i], margin_share[i],
                s.smuggling_half_margin_share, s.smuggling_months,
            )  # fmt: skip
