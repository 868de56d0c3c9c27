"""The order book of a month: who offers and who asks for what, where and at what limit.

Which trader may post which good in which place is fixed for a run, so the grouping of orders by
market is computed once, and again when buyers change their class; each month only quantities and
limits change. An order a trader does not want this month has quantity zero.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from rare_market.clearing import BookLayout, Clearing, Quotas, book_layout, clear
from rare_market.compiled import compiled
from rare_market.contracts import KG_PER_T
from rare_market.goods import BUYER_CLASSES, Catalogue


class Orders(NamedTuple):
    """One side of the book, a row per order.

    Attributes
    ----------
    trader
        code of the trader, unique over all kinds.
    good, place
        codes.
    buyer_class
        code, 0 for asks.
    quantity_t, limit_usd_per_kg
        the order.
    """

    trader: np.ndarray
    good: np.ndarray
    place: np.ndarray
    buyer_class: np.ndarray
    quantity_t: np.ndarray
    limit_usd_per_kg: np.ndarray


class Posted(NamedTuple):
    """A month's whole market, as the clearing takes it; saved, it can be cleared again.

    Attributes
    ----------
    asks, bids
        the orders.
    goods, places, buyer_classes
        sizes.
    lane_cost_usd_per_kg, lane_limit_t
        ``[good, origin, demand node]``.
    quotas
        tonnage quotas.
    price_hint_usd_per_kg
        ``[good, node]`` last month's prices.
    """

    asks: Orders
    bids: Orders
    goods: int
    places: int
    buyer_classes: int
    lane_cost_usd_per_kg: np.ndarray
    lane_limit_t: np.ndarray
    quotas: Quotas
    price_hint_usd_per_kg: np.ndarray

    def layout(self) -> BookLayout:
        """Grouping of the orders by market."""
        return group_orders(self.asks, self.bids, self.goods, self.places, self.buyer_classes)

    def clear(self, layout: BookLayout) -> Clearing:
        """Clear the market."""
        return clear(
            layout,
            self.asks.quantity_t,
            self.asks.limit_usd_per_kg,
            self.bids.quantity_t,
            self.bids.limit_usd_per_kg,
            self.lane_cost_usd_per_kg,
            self.lane_limit_t,
            self.quotas,
            self.price_hint_usd_per_kg,
        )

    def save(self, file: Path) -> None:
        """Write the market as a compressed numpy archive."""
        parts = {f"ask_{name}": column for name, column in self.asks._asdict().items()}
        parts |= {f"bid_{name}": column for name, column in self.bids._asdict().items()}
        parts |= {f"quotas_{name}": column for name, column in self.quotas._asdict().items()}
        rest = {k: v for k, v in self._asdict().items() if k not in ("asks", "bids", "quotas")}
        with file.open("wb") as stream:
            np.savez_compressed(stream, **parts, **rest)


def load_posted(file: Path) -> Posted:
    """Read a market saved by :meth:`Posted.save`."""
    with np.load(file, allow_pickle=False) as archive:
        part = {name: archive[name] for name in archive.files}
    return Posted(
        asks=Orders(*(part.pop(f"ask_{name}") for name in Orders._fields)),
        bids=Orders(*(part.pop(f"bid_{name}") for name in Orders._fields)),
        quotas=Quotas(*(part.pop(f"quotas_{name}") for name in Quotas._fields)),
        goods=int(part.pop("goods")),
        places=int(part.pop("places")),
        buyer_classes=int(part.pop("buyer_classes")),
        **part,
    )


class Traded(NamedTuple):
    """What one side of the book traded in a month.

    Attributes
    ----------
    fill_t, usd
        ``[order]`` tonnes, and what sellers kept or buyers paid for them.
    trader_t, trader_usd
        ``[trader]`` sums, over traders of all kinds.
    market_t, market_usd
        sums by market: ``[good, place]`` of asks, ``[good, place, buyer class]`` of bids.
    """

    fill_t: np.ndarray
    usd: np.ndarray
    trader_t: np.ndarray
    trader_usd: np.ndarray
    market_t: np.ndarray
    market_usd: np.ndarray


class Poster(Protocol):
    """What the book must know of a kind of trader to give it room."""

    place: np.ndarray  # [row]
    ask_row: np.ndarray  # [order] row of the trader within its kind
    ask_good: np.ndarray
    ask_place: np.ndarray
    bid_row: np.ndarray
    bid_good: np.ndarray
    bid_place: np.ndarray
    bid_class: np.ndarray
    rows: int


class Book:
    """Collects the orders of all kinds of traders.

    Parameters
    ----------
    kinds
        the cohorts by name, in the order in which they hold their part of the book.
    catalogue
        codes of goods and places.

    Attributes
    ----------
    asks, bids
        the orders.
    ask_part, bid_part, trader_part
        rows of each kind in these, and among all traders.
    ask_columns, bid_columns
        quantity and limit of the orders of each kind, in the order it declared them: these it
        writes every month.
    has_bids
        ``[good, place, buyer class]`` bool, markets where someone may bid.
    """

    def __init__(self, kinds: dict[str, Poster], catalogue: Catalogue) -> None:
        cohorts = list(kinds.values())
        first_trader = np.cumsum([0] + [cohort.rows for cohort in cohorts])
        self.asks = _room(
            [c.ask_row + first for c, first in zip(cohorts, first_trader[:-1], strict=True)],
            [c.ask_good for c in cohorts],
            [c.ask_place for c in cohorts],
            [np.zeros(len(c.ask_row), dtype=np.int64) for c in cohorts],
        )
        self.bids = _room(
            [c.bid_row + first for c, first in zip(cohorts, first_trader[:-1], strict=True)],
            [c.bid_good for c in cohorts],
            [c.bid_place for c in cohorts],
            [c.bid_class for c in cohorts],
        )
        self._cohorts = kinds
        self._shape = (len(catalogue.goods), len(catalogue.places), len(BUYER_CLASSES))
        self.trader_part = _parts(kinds, [cohort.rows for cohort in cohorts])
        self._traders = int(first_trader[-1])
        self.ask_part = _parts(kinds, [len(c.ask_row) for c in cohorts])
        self.bid_part = _parts(kinds, [len(c.bid_row) for c in cohorts])
        self.ask_columns = _columns(self.asks, self.ask_part)
        self.bid_columns = _columns(self.bids, self.bid_part)
        self._ask_cell = self.asks.good * self._shape[1] + self.asks.place
        self.group()

    def group(self) -> None:
        """Group the orders by market, with the buyer classes that traders are of now."""
        classes = [cohort.bid_class for cohort in self._cohorts.values()]
        self.bids.buyer_class[:] = np.concatenate(classes)
        self.bid_node = self.bids.place * len(BUYER_CLASSES) + self.bids.buyer_class
        self._bid_cell = self.bids.good * self._shape[1] * self._shape[2] + self.bid_node
        self.has_bids = self.bids_by_market(np.ones(len(self.bids.good))) > 0.0
        self.layout: BookLayout = group_orders(self.asks, self.bids, *self._shape)

    def sold(self, clearing: Clearing) -> Traded:
        """What asks traded, at what sellers keep."""
        asks, price = self.asks, clearing.netback_usd_per_kg
        return self._traded(
            asks, clearing.ask_fill_t, price, asks.place, self._ask_cell, self._shape[:2]
        )

    def bought(self, clearing: Clearing) -> Traded:
        """What bids traded, at what buyers pay."""
        bids, price = self.bids, clearing.price_usd_per_kg
        return self._traded(
            bids, clearing.bid_fill_t, price, self.bid_node, self._bid_cell, self._shape
        )

    def _traded(
        self,
        orders: Orders,
        fill_t: np.ndarray,
        price_usd_per_kg: np.ndarray,
        node: np.ndarray,
        cell: np.ndarray,
        markets: tuple[int, ...],
    ) -> Traded:
        traders = self._traders
        traded = Traded(
            fill_t, np.zeros(len(fill_t)), np.zeros(traders), np.zeros(traders),
            np.zeros(markets), np.zeros(markets),
        )  # fmt: skip
        _sum_trades(price_usd_per_kg, orders.good, node, orders.trader, cell, *traded)
        return traded

    def asks_of(self, kind: str, values: np.ndarray) -> np.ndarray:
        """Sum values of asks by trader of one kind, ``[trader]``."""
        part, rows = self.ask_part[kind], self.trader_part[kind]
        own = self.asks.trader[part] - rows.start
        return np.bincount(own, values[part], minlength=rows.stop - rows.start)

    def bids_by_market(self, values: np.ndarray) -> np.ndarray:
        """Sum values of all bids by market, ``[good, place, buyer class]``."""
        goods, places, classes = self._shape
        total = np.bincount(self._bid_cell, values, minlength=goods * places * classes)
        return total.reshape(self._shape)

    def asked_t(self) -> np.ndarray:
        """Tonnes on offer, ``[good, place]``."""
        goods, places, _ = self._shape
        total = np.bincount(self._ask_cell, self.asks.quantity_t, minlength=goods * places)
        return total.reshape(goods, places)

    def bid_t(self) -> np.ndarray:
        """Tonnes asked for, ``[good, place, buyer class]``."""
        return self.bids_by_market(self.bids.quantity_t)

    def bids_by_kind(self, values: np.ndarray, kinds: tuple[str, ...]) -> np.ndarray:
        """Sum values of the bids of some kinds of traders, ``[good, place]``."""
        own = np.zeros_like(values)
        for kind in kinds:
            own[self.bid_part[kind]] = values[self.bid_part[kind]]
        return self.bids_by_market(own).sum(axis=2)

    def posted(
        self,
        lane_cost_usd_per_kg: np.ndarray,
        lane_limit_t: np.ndarray,
        quotas: Quotas,
        price_hint_usd_per_kg: np.ndarray,
    ) -> Posted:
        """Return the month's market: these orders under the lanes, limits and quotas given."""
        return Posted(
            self.asks,
            self.bids,
            *self._shape,
            lane_cost_usd_per_kg,
            lane_limit_t,
            quotas,
            price_hint_usd_per_kg,
        )

    def lift_asks(self, floor_usd_per_kg: np.ndarray) -> None:
        """Lift every ask to the least that is allowed, ``[good, place]``."""
        if floor_usd_per_kg.any():
            asks = self.asks
            _lift(asks.limit_usd_per_kg, asks.good, asks.place, floor_usd_per_kg)


@compiled
def _lift(
    limit_usd_per_kg: np.ndarray,
    good: np.ndarray,
    place: np.ndarray,
    floor_usd_per_kg: np.ndarray,
) -> None:
    """Lift limits, ``[ask]``, to the floor of their market, ``[good, place]``."""
    for i in range(len(limit_usd_per_kg)):
        limit_usd_per_kg[i] = max(limit_usd_per_kg[i], floor_usd_per_kg[good[i], place[i]])


@compiled
def _sum_trades(
    price_usd_per_kg: np.ndarray,
    good: np.ndarray,
    node: np.ndarray,
    trader: np.ndarray,
    cell: np.ndarray,
    fill_t: np.ndarray,
    usd: np.ndarray,
    trader_t: np.ndarray,
    trader_usd: np.ndarray,
    market_t: np.ndarray,
    market_usd: np.ndarray,
) -> None:
    """Value what orders traded, and sum; nothing is worth nothing even at an unknown price.

    Parameters
    ----------
    price_usd_per_kg
        ``[good, node]``.
    good, node, trader, cell
        ``[order]``; the last says where in the sums by market.
    fill_t, usd, trader_t, trader_usd, market_t, market_usd
        of :class:`Traded`; all but the first are written, and zero before.
    """
    by_market_t, by_market_usd = market_t.reshape(-1), market_usd.reshape(-1)
    for i in range(len(fill_t)):
        if fill_t[i] != 0.0:
            usd[i] = fill_t[i] * price_usd_per_kg[good[i], node[i]] * KG_PER_T
            trader_t[trader[i]] += fill_t[i]
            trader_usd[trader[i]] += usd[i]
            by_market_t[cell[i]] += fill_t[i]
            by_market_usd[cell[i]] += usd[i]


def group_orders(
    asks: Orders, bids: Orders, goods: int, places: int, buyer_classes: int
) -> BookLayout:
    """Group orders by market: asks by place, bids by place and buyer class."""
    node = bids.place * buyer_classes + bids.buyer_class
    return book_layout(asks.good, asks.place, bids.good, node, goods, places, buyer_classes)


def _room(
    trader: list[np.ndarray],
    good: list[np.ndarray],
    place: list[np.ndarray],
    buyer_class: list[np.ndarray],
) -> Orders:
    trader_code = np.concatenate(trader)
    return Orders(
        trader_code,
        np.concatenate(good),
        np.concatenate(place),
        np.concatenate(buyer_class),
        quantity_t=np.zeros(len(trader_code)),
        limit_usd_per_kg=np.zeros(len(trader_code)),
    )


def _columns(orders: Orders, parts: dict[str, slice]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    return {
        kind: (orders.quantity_t[rows], orders.limit_usd_per_kg[rows])
        for kind, rows in parts.items()
    }


def _parts(kinds: dict[str, Poster], lengths: list[int]) -> dict[str, slice]:
    ends = np.cumsum([0, *lengths])
    return {
        kind: slice(int(a), int(b)) for kind, a, b in zip(kinds, ends[:-1], ends[1:], strict=True)
    }
