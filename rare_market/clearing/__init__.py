"""The clearing of one month: prices, fills and flows of every good between all places.

The programme
-------------
Each good has one supply node per place, where the asks `i` stand, and one demand node per place
and class of buyers, where the bids `j` stand. A lane leads from an ask's place `o` to a demand
node `d`; nothing is exported again. Fills `x` (t) and flows `f` (t) are chosen to

    maximise    sum_j b_j x_j  -  sum_i a_i x_i  -  sum_od c_od f_od
    subject to  sum_{i at o} x_i = sum_d f_od     at every supply node     (dual p_o)
                sum_o f_od = sum_{j at d} x_j     at every demand node     (dual p_d)
                0 <= x <= q,   0 <= f <= u                                 (rent r_od of a lane)
                sum of f over the lanes of quota k <= Q_k                  (rent R_k of a quota)

====  =========================================================  ===========================
sym.  meaning                                                    argument or result
====  =========================================================  ===========================
a, b  limits of asks and bids, USD/kg                            ask_/bid_limit_usd_per_kg
q     quantities offered and asked for, t                        ask_/bid_quantity_t
c     cost of a lane, USD/kg; inf: no lane                       lane_cost_usd_per_kg
u     limit of a lane, t; inf: none; 0: closed                   lane_limit_t
Q     tonnage of a quota, t, over its goods and foreign lanes    Quotas.quota_t
x     fills, t, in the order given                               ask_fill_t, bid_fill_t
f     flows, t                                                   flow_t
p_o   netback, what a seller at o keeps, USD/kg                  netback_usd_per_kg
p_d   delivered price, what a buyer at d pays, USD/kg            price_usd_per_kg
r     max(0, p_d - p_o - c - R) on limited lanes, USD/kg         lane_rent_usd_per_kg
R     rent of a quota, the same for every tonne it counts        quota_rent_usd_per_kg
====  =========================================================  ===========================

Prices and ties
---------------
Optimal prices of a node form an interval; `_low` and `_high` are its ends and the price is the
middle, which is itself optimal at all nodes together. Where one end is infinite the node has no
orders of its own and is quoted from its neighbours: import parity or netback parity. Where both
are, the price is NaN. Under a quota the intervals hold at the published rent, itself the middle
of its interval (the least where any higher rent does as well; 0 if free trade keeps the quota)
where no other quota on the same goods binds beside it.
Orders of one node at one limit share pro rata. Between lanes a tie goes to the domestic lane,
then by a hash of the places' keys, so that results depend neither on the order of the orders
nor on the numbering of the places nor on the price hint, to the last bit. Of several mixes that
quotas sharing a good may leave, one is chosen, the same every time.

Numbers
-------
Limits and costs are rounded to 1e-6 USD/kg, quantities cut to 1e-9 t, and everything is counted
in whole ticks and lots: balances are exact, a residue of 1e-14 t cannot set a price, and only
pro rata shares are rounded. Limits beyond 1e6 USD/kg, such as inf, count as 1e6, and lane costs
below -2e6 as that. The asks of a good sum to at most 4e9 t, its bids too, and what is traded of all
goods under one quota to 9e9 t.

Certificate
-----------
Per good, computed from the results and not from the search: `gap_relative` (dual less primal
value, relative to all quantities at the dearest limit), `excess_demand_t` (largest imbalance of
a node, before shares are rounded), and `slackness_violation_usd` (largest gain left untaken or
trade at a loss). All three are exactly zero without quotas, with one quota that names an origin,
and with others of one lane each beside it. Other quotas that share goods, or name no place, can
have a rent between quarters of a tick; it is rounded to them. `fallback` marks goods that reached
the limit of pivots and were solved by the slower method.

Status of a demand node
-----------------------
CLEARED       goods were delivered and the highest bids were served in full
SUPPLY_SHORT  the highest bids were not served in full although goods were delivered, or no ask
              with a quantity can reach the node: the price is the buyers' limit
DEMAND_SHORT  no bid with a quantity, though asks can reach the node: the price is a quote
NO_TRADE      neither, or no bid meets the cheapest landed ask: the price is a quote

Method
------
A dual network simplex on the places, started from hinted prices (``simplex``), which counts in the
units of ``problem``. Prices, fills and certificate are read off in ``answer``. Past the limit of
pivots, and where the hash leaves a tie, the method is that of ``paths``. A quota's rent (``rents``)
is found by clearing its goods at trial rents: use falls with the rent. ``month`` puts these in
their order. The programme stands with the other equations of the model in
``docs/model/equations.md``, measured speed in ``docs/performance.md``.
"""

# mypy: allow-untyped-calls
from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy import ascontiguousarray

from rare_market.clearing.answer import (
    CLEARED,
    DEMAND_SHORT,
    NO_TRADE,
    SUPPLY_SHORT,
)
from rare_market.clearing.month import clear_goods
from rare_market.clearing.problem import OK, PROBLEMS
from rare_market.clearing.quotas import Quotas, no_quotas
from rare_market.clearing.rents import enforce

__all__ = [
    "CLEARED",
    "DEMAND_SHORT",
    "NO_TRADE",
    "STATUS_NAMES",
    "SUPPLY_SHORT",
    "BookLayout",
    "Clearing",
    "OneGood",
    "Quotas",
    "book_layout",
    "clear",
    "clear_one",
    "no_quotas",
]

STATUS_NAMES = ("cleared", "no trade", "supply short", "demand short")
PIVOT_LIMIT = 10_000  # per good
_FLOAT, _WHOLE, _NO_RENT = np.dtype(np.float64), np.dtype(np.int64), np.zeros(0)
_GIVEN = (
    *("ask_quantity_t", "ask_limit_usd_per_kg", "bid_quantity_t", "bid_limit_usd_per_kg"),
    *("lane_cost_usd_per_kg", "lane_limit_t", "price_hint_usd_per_kg"),
)
_NO_QUOTAS = (np.zeros((0, 0, 0, 0), np.bool_), np.zeros((3, 2), np.int64), np.ones(1))


class BookLayout(NamedTuple):
    """Static grouping of the orders by good and node; build it with :func:`book_layout`."""

    goods: int
    places: int
    buyer_classes: int
    asks: int
    bids: int
    good: np.ndarray  # 0, 1, ...
    # Nodes with orders, which stand in blocks of eight; joined: [good + 1] first node of each good;
    # [good] how many of them are supply nodes; [node + 1] first block of each; [node] its seat, the
    # number among all of its good; [block] node within its good, then number of orders; [block * 8]
    # index of the ask or bid, the block's first where there is none.
    plan: np.ndarray
    tie_weight: np.ndarray  # [origin, demand node], the latter filled up to eights
    shapes: list[tuple[int, ...]]  # of what `clear` is given
    no_hint: np.ndarray
    parts: tuple[tuple[slice, tuple[int, ...]], ...]  # of an answer, where and of what shape


class Clearing(NamedTuple):
    """Result of :func:`clear`: one table, and the columns the module docstring defines.

    Demand node = place * buyer classes + buyer class; nodes are the supply nodes, then these.
    Columns are views, made when asked for, which costs more than to clear a good.

    Attributes
    ----------
    layout
        of the book that was cleared.
    answer
        one after the other: flows, rents, prices, their low and high ends, `certificate`, fills,
        `noted`.
    quota_rent_usd_per_kg
        ``[quota]``.
    """

    layout: BookLayout
    answer: np.ndarray
    quota_rent_usd_per_kg: np.ndarray

    def _part(self, number: int) -> np.ndarray:
        where, shape = self.layout.parts[number]
        return self.answer[where].reshape(shape)

    @property
    def noted(self) -> np.ndarray:
        """``[3, good, node]`` marginal ask, marginal bid, and status (of demand nodes; else -1)."""
        return self._part(8).view(_WHOLE)

    @property
    def certificate(self) -> np.ndarray:
        """``[4, good]`` gap, excess demand, violated slackness, whether the fallback was used."""
        return self._part(5)

    @property
    def ask_fill_t(self) -> np.ndarray:
        """``[order]`` in the order given."""
        return self._part(6)

    @property
    def bid_fill_t(self) -> np.ndarray:
        """``[order]`` in the order given."""
        return self._part(7)

    @property
    def flow_t(self) -> np.ndarray:
        """``[good, origin, demand node]``."""
        return self._part(0)

    @property
    def lane_rent_usd_per_kg(self) -> np.ndarray:
        """``[good, origin, demand node]``; on limited lanes, without the quotas' rents."""
        return self._part(1)

    @property
    def node_price_usd_per_kg(self) -> np.ndarray:
        """``[good, node]`` netbacks, then prices: the best price hint for the next period."""
        return self._part(2)

    @property
    def node_low_usd_per_kg(self) -> np.ndarray:
        """``[good, node]`` likewise."""
        return self._part(3)

    @property
    def node_high_usd_per_kg(self) -> np.ndarray:
        """``[good, node]`` likewise."""
        return self._part(4)

    @property
    def netback_usd_per_kg(self) -> np.ndarray:
        """``[good, place]``."""
        return self._part(2)[:, : self.layout.places]

    @property
    def netback_low_usd_per_kg(self) -> np.ndarray:
        """``[good, place]``."""
        return self._part(3)[:, : self.layout.places]

    @property
    def netback_high_usd_per_kg(self) -> np.ndarray:
        """``[good, place]``."""
        return self._part(4)[:, : self.layout.places]

    @property
    def price_usd_per_kg(self) -> np.ndarray:
        """``[good, demand node]``."""
        return self._part(2)[:, self.layout.places :]

    @property
    def price_low_usd_per_kg(self) -> np.ndarray:
        """``[good, demand node]``."""
        return self._part(3)[:, self.layout.places :]

    @property
    def price_high_usd_per_kg(self) -> np.ndarray:
        """``[good, demand node]``."""
        return self._part(4)[:, self.layout.places :]

    @property
    def marginal_ask(self) -> np.ndarray:
        """``[good, node]`` the partly filled ask that sets the node's price, or -1.

        Directly or over lanes with room; of several at one limit the first.
        """
        return self.noted[0]

    @property
    def marginal_bid(self) -> np.ndarray:
        """``[good, node]`` likewise."""
        return self.noted[1]

    @property
    def status(self) -> np.ndarray:
        """``[good, demand node]``."""
        return self.noted[2, :, self.layout.places :]

    @property
    def gap_relative(self) -> np.ndarray:
        """``[good]``."""
        return self.certificate[0]

    @property
    def excess_demand_t(self) -> np.ndarray:
        """``[good]``."""
        return self.certificate[1]

    @property
    def slackness_violation_usd(self) -> np.ndarray:
        """``[good]``."""
        return self.certificate[2]

    @property
    def fallback(self) -> np.ndarray:
        """``[good]`` bool."""
        return self.certificate[3] != 0.0


class OneGood(NamedTuple):
    """Result of :func:`clear_one`: as :class:`Clearing`, per place."""

    price_usd_per_kg: np.ndarray
    price_low_usd_per_kg: np.ndarray
    price_high_usd_per_kg: np.ndarray
    netback_usd_per_kg: np.ndarray
    netback_low_usd_per_kg: np.ndarray
    netback_high_usd_per_kg: np.ndarray
    ask_fill_t: np.ndarray
    bid_fill_t: np.ndarray
    flow_t: np.ndarray
    lane_rent_usd_per_kg: np.ndarray
    status: np.ndarray
    gap_relative: float


def book_layout(
    ask_good: np.ndarray,
    ask_place: np.ndarray,
    bid_good: np.ndarray,
    bid_node: np.ndarray,
    goods: int,
    places: int,
    buyer_classes: int,
    place_key: np.ndarray | None = None,
) -> BookLayout:
    """Group the orders by good and node, once for as long as their owners stay the same.

    Parameters
    ----------
    ask_good, ask_place, bid_good, bid_node
        codes, an entry per order; demand node = place * buyer_classes + buyer class.
    goods, places, buyer_classes
        how many there are.
    place_key
        ``[place]`` whole numbers that name the places for the rule of ties; their codes if left
        out. With keys the results do not depend on how the places are numbered.
    """
    ask_good = _codes("ask_good", ask_good, goods)
    ask_place = _codes("ask_place", ask_place, places)
    bid_good = _codes("bid_good", bid_good, goods)
    bid_node = _codes("bid_node", bid_node, places * buyer_classes)
    if len(ask_good) != len(ask_place):
        raise ValueError("ask_place must have one entry per ask_good.")
    if len(bid_good) != len(bid_node):
        raise ValueError("bid_node must have one entry per bid_good.")
    nodes = places * (1 + buyer_classes)
    key = np.concatenate([ask_good * nodes + ask_place, bid_good * nodes + places + bid_node])
    by_node = np.argsort(key, kind="stable")
    known, orders = np.unique(key, return_counts=True)
    good, seat = known // nodes, known % nodes
    good_start = np.searchsorted(good, np.arange(goods + 1))
    sellers = np.bincount(good[seat < places], minlength=goods)
    node_start = np.append(0, np.cumsum(-(-orders // 8)))
    block_node = np.repeat(np.arange(len(known)), np.diff(node_start))
    blocks_before = np.arange(len(block_node)) - node_start[block_node]
    block_size = np.minimum(8, orders[block_node] - 8 * blocks_before)
    slot = np.where(np.arange(8) < block_size[:, None], np.arange(8), 0)
    slot += (np.cumsum(block_size) - block_size)[:, None]
    index = by_node[slot.ravel()]
    index -= np.where(index < len(ask_good), 0, len(ask_good))
    keys = np.arange(places) if place_key is None else np.asarray(place_key)
    if keys.shape != (places,) or len(np.unique(keys)) != places or keys.dtype.kind not in "iu":
        raise ValueError(f"place_key must be {places} different whole numbers, one per place.")
    weight = _tie_weights(keys.astype(np.uint64), buyer_classes)
    asks, bids, lanes = (len(ask_good),), (len(bid_good),), (goods, *weight.shape)
    return BookLayout(
        goods,
        places,
        buyer_classes,
        len(ask_good),
        len(bid_good),
        np.arange(goods),
        np.concatenate(
            [
                *(good_start, sellers, node_start, seat),
                *(block_node - good_start[good[block_node]], block_size, index),
            ]
        ).astype(np.uint32),
        np.pad(weight, ((0, 0), (0, -weight.shape[1] % 8))),
        [asks, asks, bids, bids, lanes, lanes, (goods, nodes)],
        np.empty((0, nodes)),
        _parts(lanes, lanes, *[(goods, nodes)] * 3, (4, goods), asks, bids, (3, goods, nodes)),
    )


def _parts(*shapes: tuple[int, ...]) -> tuple[tuple[slice, tuple[int, ...]], ...]:
    """Say where tables of these shapes are if they follow one another."""
    ends = np.cumsum([prod(shape) for shape in shapes]).tolist()
    return tuple(
        (slice(end - prod(shape), end), shape) for end, shape in zip(ends, shapes, strict=True)
    )


def _codes(name: str, codes: np.ndarray, count: int) -> np.ndarray:
    result = np.asarray(codes, dtype=np.int64)
    if result.ndim != 1 or (result.size and (result.min() < 0 or result.max() >= count)):
        raise ValueError(f"{name} must be a vector of codes from 0 to {count - 1}.")
    return result


def _tie_weights(place_key: np.ndarray, buyer_classes: int) -> np.ndarray:
    """Hash both ends of every lane (splitmix64) to [2^30, 2^31), domestic lanes highest.

    The weights are taken off the costs far below a tick. They decide between optima only. Sums of
    their leading bits, which are all that fits beside the highest prices, may tie again; that sums
    of all their bits do is as good as impossible.
    """
    destination = np.repeat(place_key, buyer_classes)
    buyer_class = np.tile(np.arange(buyer_classes, dtype=np.uint64), len(place_key))
    mixed = (
        place_key[:, None] * np.uint64(0x9E3779B97F4A7C15)
        + destination * np.uint64(0xC2B2AE3D27D4EB4F)
        + buyer_class * np.uint64(0x165667B19E3779F9)
    )
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    weight = (mixed ^ (mixed >> np.uint64(31))) >> np.uint64(35)
    domestic = place_key[:, None] == destination
    return (weight + np.where(domestic, np.uint64(3 << 29), np.uint64(2 << 29))).astype(np.int64)


def clear(
    layout: BookLayout,
    ask_quantity_t: np.ndarray,
    ask_limit_usd_per_kg: np.ndarray,
    bid_quantity_t: np.ndarray,
    bid_limit_usd_per_kg: np.ndarray,
    lane_cost_usd_per_kg: np.ndarray,
    lane_limit_t: np.ndarray,
    quotas: Quotas | None = None,
    price_hint_usd_per_kg: np.ndarray | None = None,
) -> Clearing:
    """Clear all goods of one month; the module docstring states the problem.

    Parameters
    ----------
    layout
        from :func:`book_layout`.
    ask_quantity_t, ask_limit_usd_per_kg, bid_quantity_t, bid_limit_usd_per_kg
        ``[order]``; an order of no quantity takes no part. Limits may be negative (disposal). For
        arrays that may not be written to the kernel is compiled once more.
    lane_cost_usd_per_kg, lane_limit_t
        ``[good, origin, demand node]``.
    quotas
        tonnage quotas, if any.
    price_hint_usd_per_kg
        ``[good, node]``, best `node_price_usd_per_kg` of the month before. It can only change
        how long the search takes; NaN and nonsense are allowed.
    """
    hint = layout.no_hint if price_hint_usd_per_kg is None else price_hint_usd_per_kg
    orders = (ask_quantity_t, ask_limit_usd_per_kg, bid_quantity_t, bid_limit_usd_per_kg)
    given = (*orders, lane_cost_usd_per_kg, lane_limit_t, hint)
    arrays = [ascontiguousarray(values, _FLOAT) for values in given]
    if (shapes := [values.shape for values in arrays]) != layout.shapes:
        _check_shapes(shapes, layout)
    market: Any = (layout.plan, layout.tie_weight, *arrays)
    answer = np.empty(layout.parts[-1][0].stop)
    free: Any = (*_NO_QUOTAS, PIVOT_LIMIT, answer)
    problem = clear_goods(layout.good, *market, *free)
    if problem != OK:
        raise ValueError(PROBLEMS[problem])
    result = Clearing(layout, answer, _NO_RENT)
    if quotas is not None and len(quotas.quota_t):
        found = (result.flow_t, result.node_price_usd_per_kg)
        rent = enforce(quotas, market, PIVOT_LIMIT, answer, *found)
        result = result._replace(quota_rent_usd_per_kg=rent)
    return result


def clear_one(
    ask_place: np.ndarray,
    ask_quantity_t: np.ndarray,
    ask_limit_usd_per_kg: np.ndarray,
    bid_place: np.ndarray,
    bid_quantity_t: np.ndarray,
    bid_limit_usd_per_kg: np.ndarray,
    trade_cost_usd_per_kg: np.ndarray,
    flow_limit_t: np.ndarray,
) -> OneGood:
    """Clear one good between places, each with one class of buyers.

    Costs and limits are ``[origin, destination]``, the diagonal being the domestic lanes; a cost
    of inf means no lane, a limit of inf no limit.

    Place 0 serves its own buyer and, at 10 USD/kg, part of place 1, whose dear ask sets both
    prices.

    >>> free = [[np.inf, np.inf], [np.inf, np.inf]]
    >>> result = clear_one([0, 1], [8, 5], [20, 60], [0, 1], [3, 9], [100, 100],
    ...                    [[0, 10], [10, 0]], free)
    >>> result.price_usd_per_kg.tolist()
    [50.0, 60.0]
    >>> result.flow_t.tolist()
    [[3.0, 5.0], [0.0, 4.0]]
    """
    cost = np.asarray(trade_cost_usd_per_kg, dtype=np.float64)
    limit = np.asarray(flow_limit_t, dtype=np.float64)
    if cost.ndim != 2 or cost.shape[0] != cost.shape[1]:
        raise ValueError("trade_cost_usd_per_kg must have a row and a column per place.")
    ask_good = np.zeros(np.shape(ask_place), dtype=np.int64)
    bid_good = np.zeros(np.shape(bid_place), dtype=np.int64)
    layout = book_layout(ask_good, ask_place, bid_good, bid_place, 1, len(cost), 1)
    result = clear(
        *(layout, ask_quantity_t, ask_limit_usd_per_kg, bid_quantity_t, bid_limit_usd_per_kg),
        *(cost[None], limit[None]),
    )
    return OneGood(
        result.price_usd_per_kg[0],
        result.price_low_usd_per_kg[0],
        result.price_high_usd_per_kg[0],
        result.netback_usd_per_kg[0],
        result.netback_low_usd_per_kg[0],
        result.netback_high_usd_per_kg[0],
        result.ask_fill_t,
        result.bid_fill_t,
        result.flow_t[0],
        result.lane_rent_usd_per_kg[0],
        result.status[0],
        float(result.gap_relative[0]),
    )


def _check_shapes(shapes: list[tuple[int, ...]], layout: BookLayout) -> None:
    for name, shape, expected in zip(_GIVEN, shapes, layout.shapes, strict=True):
        if shape != expected and not (name == _GIVEN[-1] and shape == layout.no_hint.shape):
            raise ValueError(f"{name} must have shape {expected}, not {shape}.")
