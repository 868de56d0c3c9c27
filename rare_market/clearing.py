"""The clearing of one month: prices, fills and flows of every good between all places.

TODO docstring
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

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

CLEARED, NO_TRADE, SUPPLY_SHORT, DEMAND_SHORT = range(4)
STATUS_NAMES = ("cleared", "no trade", "supply short", "demand short")

TICKS_PER_USD = 1e6  # limits and costs are rounded to millionths of a USD/kg
LOTS_PER_T = 1e9  # quantities are cut to whole milligrams
LARGEST_PRICE_USD_PER_KG = 1e6  # limits beyond it (a market order) count as it
LARGEST_QUANTITY_T = 4e9  # of one side of one good; its lots still fit 63 bits
KG_PER_T = 1e3
PIVOT_LIMIT = 10_000  # per good; beyond it the slower method answers

_INF = np.int64(1 << 61)  # no lane, no bound
_FINITE = np.int64(1 << 60)  # below it in size: a real number
_NO_STEP = np.int64(1 << 45)  # beyond every limit in ticks: no further order
_UNLIMITED = np.int64(1 << 62)
_RENT_UNIT = np.int64(4)  # rents move in quarters of a tick
_EMPTY, _FULL, _IN_TREE = 0, 1, 2  # state of a limited lane
_UNKNOWN, _INSIDE, _OUTSIDE = 0, 1, 2  # of the piece that moves
_NO_RENTS = np.zeros((1, 0), dtype=np.int64)
_ALL_OF_ONE = np.ones(1)
_NOTHING = np.zeros(1)

(
    _OK,
    _BAD_ASK_QUANTITY,
    _BAD_ASK_LIMIT,
    _BAD_BID_QUANTITY,
    _BAD_BID_LIMIT,
    _BAD_COST,
    _BAD_FLOW_LIMIT,
    _TOO_MUCH,
) = range(8)


class BookLayout(NamedTuple):
    """Static grouping of the orders by good and node; build it with :func:`book_layout`."""

    goods: int
    places: int
    buyer_classes: int
    asks: int
    bids: int
    node_start: np.ndarray
    slot_order: np.ndarray
    tie_weight: np.ndarray


class Quotas(NamedTuple):
    """Tonnage quotas, one row per quota; each has one rent per tonne for all its goods.

    Attributes
    ----------
    quota_goods
        ``[quota, good]`` bool, the goods it counts.
    quota_origin, quota_destination
        place codes; -1 means any. Domestic lanes are never counted.
    quota_t
        tonnes per period.
    """

    quota_goods: np.ndarray
    quota_origin: np.ndarray
    quota_destination: np.ndarray
    quota_t: np.ndarray


class Clearing(NamedTuple):
    """Result of :func:`clear`; the module docstring defines every field."""

    ask_fill_t: np.ndarray
    bid_fill_t: np.ndarray
    flow_t: np.ndarray
    netback_usd_per_kg: np.ndarray
    netback_low_usd_per_kg: np.ndarray
    netback_high_usd_per_kg: np.ndarray
    price_usd_per_kg: np.ndarray
    price_low_usd_per_kg: np.ndarray
    price_high_usd_per_kg: np.ndarray
    lane_rent_usd_per_kg: np.ndarray
    quota_rent_usd_per_kg: np.ndarray
    marginal_ask: np.ndarray
    marginal_bid: np.ndarray
    status: np.ndarray
    gap_relative: np.ndarray
    excess_demand_t: np.ndarray
    slackness_violation_usd: np.ndarray
    fallback: np.ndarray
    node_price_usd_per_kg: np.ndarray


class OneGood(NamedTuple):
    """Result of :func:`clear_one`."""

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


class _Book(NamedTuple):
    """Orders of one good that have a quantity, node by node."""

    first: np.ndarray  # [node + 1] where its orders start
    price: np.ndarray  # ticks
    lots: np.ndarray
    order: np.ndarray  # index in the caller's arrays


class _Lanes(NamedTuple):
    """Lanes of one good between all its nodes."""

    ticks: np.ndarray  # [origin, demand node] cost of the unlimited lanes
    tail: np.ndarray  # the limited lanes, one by one
    head: np.ndarray
    cost: np.ndarray  # ticks
    lots: np.ndarray
    reached: np.ndarray  # [demand node] some ask can be delivered here


class _Net(NamedTuple):
    """What the solvers see: nodes that have orders, first the origins, and lanes worth using."""

    node: np.ndarray  # its number among all nodes
    begin: np.ndarray  # its orders in the book
    end: np.ndarray
    cost: np.ndarray  # [origin, demand] unlimited lanes, in scaled ticks
    arc_tail: np.ndarray  # limited lanes
    arc_head: np.ndarray
    arc_cost: np.ndarray
    arc_lots: np.ndarray
    arc_state: np.ndarray
    arc_lane: np.ndarray  # its number among all limited lanes


class _Tree(NamedTuple):
    """Prices and the forest of indifferent lanes; each tree hangs on one partly used order."""

    p: np.ndarray  # [node] price, scaled ticks
    parent: np.ndarray  # -1 at the root
    link: np.ndarray  # limited lane to the parent, -1 if unlimited
    flow: np.ndarray  # on the lane to the parent
    low: np.ndarray  # dearest order price below p (used up), ticks
    high: np.ndarray  # cheapest order price above p (untouched), ticks
    step_price: np.ndarray  # ticks; of the root's partly used order
    step_lots: np.ndarray  # 0: none yet
    step_used: np.ndarray
    inside: np.ndarray
    reach: np.ndarray
    extra: np.ndarray
    masked: np.ndarray


class _Solution(NamedTuple):
    """One optimum: the state of every node's orders, and the lanes in use."""

    low: np.ndarray  # [node] as in _Tree, for all nodes
    high: np.ndarray
    step_price: np.ndarray
    step_lots: np.ndarray
    step_used: np.ndarray
    tail: np.ndarray
    head: np.ndarray
    flow: np.ndarray
    has_room: np.ndarray  # whether more could flow
    arc_flow: np.ndarray  # [limited lane]
    exact: np.ndarray  # [node] its only price where that is already known, ticks


class _Prices(NamedTuple):
    """Intervals of prices, in ticks (quarters of a tick under quotas)."""

    lower: np.ndarray
    upper: np.ndarray
    middle: np.ndarray  # twice the midpoint
    carry_tail: np.ndarray
    carry_head: np.ndarray
    arc_open: np.ndarray
    arc_carries: np.ndarray
    balance: np.ndarray  # lots
    code: np.ndarray  # [node] order that sets the price: twice its index, plus one for a bid
    delivered: np.ndarray
    satisfied: np.ndarray


class _Out(NamedTuple):
    """Where results go, the caller's arrays."""

    ask_fill_t: np.ndarray
    bid_fill_t: np.ndarray
    flow_t: np.ndarray
    lane_rent: np.ndarray
    price: np.ndarray
    price_low: np.ndarray
    price_high: np.ndarray
    marginal: np.ndarray
    status: np.ndarray
    gap_relative: np.ndarray
    excess_demand_t: np.ndarray
    slackness_violation_usd: np.ndarray
    fallback: np.ndarray


def no_quotas(goods: int) -> Quotas:
    """Return the empty list of quotas."""
    none = np.zeros(0, dtype=np.int64)
    return Quotas(np.zeros((0, goods), dtype=np.bool_), none, none, np.zeros(0))


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
    """Group the orders by good and node, once for as long as the traders stay the same."""
    ask_good, ask_place = _codes("ask_good", ask_good, goods), _codes("ask_place", ask_place, places)
    bid_good = _codes("bid_good", bid_good, goods)
    bid_node = _codes("bid_node", bid_node, places * buyer_classes)
    if len(ask_good) != len(ask_place):
        raise ValueError("ask_place must have one entry per ask_good.")
    if len(bid_good) != len(bid_node):
        raise ValueError("bid_node must have one entry per bid_good.")
    nodes = places * (1 + buyer_classes)
    key = np.concatenate([ask_good * nodes + ask_place, bid_good * nodes + places + bid_node])
    slot_order = np.argsort(key, kind="stable")
    node_start = np.searchsorted(key[slot_order], np.arange(goods * nodes + 1))
    slot_order = np.where(slot_order < len(ask_good), slot_order, slot_order - len(ask_good))
    if place_key is None:
        place_key = np.arange(places)
    return BookLayout(
        goods,
        places,
        buyer_classes,
        len(ask_good),
        len(bid_good),
        node_start.astype(np.int64),
        slot_order.astype(np.int64),
        _tie_weights(np.asarray(place_key, dtype=np.uint64), buyer_classes),
    )


def _codes(name: str, codes: np.ndarray, count: int) -> np.ndarray:
    result = np.asarray(codes, dtype=np.int64)
    if result.ndim != 1 or (result.size and (result.min() < 0 or result.max() >= count)):
        raise ValueError(f"{name} must be a vector of codes from 0 to {count - 1}.")
    return result


def _tie_weights(place_key: np.ndarray, buyer_classes: int) -> np.ndarray:
    destination = np.repeat(place_key, buyer_classes)
    buyer_class = np.tile(np.arange(buyer_classes, dtype=np.uint64), len(place_key))
    mixed = (
        place_key[:, None] * np.uint64(0x9E3779B97F4A7C15)
        + destination * np.uint64(0xC2B2AE3D27D4EB4F)
        + buyer_class * np.uint64(0x165667B19E3779F9)
    )
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    weight = (mixed ^ (mixed >> np.uint64(31))) >> np.uint64(35)  # 29 bits
    domestic = place_key[:, None] == destination
    weight += np.where(domestic, np.uint64(3 << 29), np.uint64(2 << 29))
    return weight.astype(np.int64)  # in [2^30, 2^31), domestic lanes in the upper half


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
    """Clear all goods of one month."""
    goods, places = layout.goods, layout.places
    demands = places * layout.buyer_classes
    nodes = places + demands
    ask_quantity_t = _vector("ask_quantity_t", ask_quantity_t, layout.asks)
    ask_limit_usd_per_kg = _vector("ask_limit_usd_per_kg", ask_limit_usd_per_kg, layout.asks)
    bid_quantity_t = _vector("bid_quantity_t", bid_quantity_t, layout.bids)
    bid_limit_usd_per_kg = _vector("bid_limit_usd_per_kg", bid_limit_usd_per_kg, layout.bids)
    lanes = (goods, places, demands)
    cost = _lanes("lane_cost_usd_per_kg", lane_cost_usd_per_kg, lanes)
    limit = _lanes("lane_limit_t", lane_limit_t, lanes)
    if price_hint_usd_per_kg is not None:
        hint = _lanes("price_hint_usd_per_kg", price_hint_usd_per_kg, (goods, nodes))
    else:
        hint = np.empty((0, nodes))

    per_node = np.empty((3, goods, nodes))
    certificate = np.zeros((3, goods))
    out = _Out(
        np.zeros(layout.asks),
        np.zeros(layout.bids),
        np.zeros(lanes),
        np.zeros(lanes),
        per_node[0],
        per_node[1],
        per_node[2],
        np.full((2, goods, nodes), -1),
        np.empty((goods, demands), dtype=np.int8),
        certificate[0],
        certificate[1],
        certificate[2],
        np.zeros(goods, dtype=np.bool_),
    )
    grouping = (layout.node_start, layout.slot_order, layout.tie_weight)
    orders = (ask_quantity_t, ask_limit_usd_per_kg, bid_quantity_t, bid_limit_usd_per_kg)
    market = (grouping, orders, cost, limit, hint)
    rule = (no_quotas(goods), _NO_RENTS, _ALL_OF_ONE, _NO_RENTS[0], PIVOT_LIMIT)
    problem = _clear_goods(np.arange(goods), *market, rule, out, _NOTHING)
    if problem:
        raise ValueError(_PROBLEMS[problem])
    rent = np.zeros(0 if quotas is None else len(quotas.quota_t))
    if len(rent):
        rent = _enforce(quotas, layout, market, out)
    return Clearing(
        out.ask_fill_t,
        out.bid_fill_t,
        out.flow_t,
        out.price[:, :places],
        out.price_low[:, :places],
        out.price_high[:, :places],
        out.price[:, places:],
        out.price_low[:, places:],
        out.price_high[:, places:],
        out.lane_rent,
        rent,
        out.marginal[0],
        out.marginal[1],
        out.status,
        out.gap_relative,
        out.excess_demand_t,
        out.slackness_violation_usd,
        out.fallback,
        out.price,
    )


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

    Two places, free trade at 10 USD/kg. The cheap ask of place 0 serves place 1 as well.

    >>> result = clear_one(
    ...     ask_place=[0, 1], ask_quantity_t=[8, 5], ask_limit_usd_per_kg=[20, 60],
    ...     bid_place=[0, 1], bid_quantity_t=[3, 9], bid_limit_usd_per_kg=[100, 100],
    ...     trade_cost_usd_per_kg=[[0, 10], [10, 0]], flow_limit_t=[[np.inf] * 2] * 2)
    >>> result.price_usd_per_kg.tolist()
    [50.0, 60.0]
    >>> result.flow_t.tolist()
    [[3.0, 5.0], [0.0, 4.0]]
    """
    cost = np.asarray(trade_cost_usd_per_kg, dtype=np.float64)
    places = len(cost)
    ask_place, bid_place = np.asarray(ask_place), np.asarray(bid_place)
    layout = book_layout(
        np.zeros(len(ask_place), dtype=np.int64),
        ask_place,
        np.zeros(len(bid_place), dtype=np.int64),
        bid_place,
        1,
        places,
        1,
    )
    result = clear(
        layout,
        ask_quantity_t,
        ask_limit_usd_per_kg,
        bid_quantity_t,
        bid_limit_usd_per_kg,
        cost[None],
        np.asarray(flow_limit_t, dtype=np.float64)[None],
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


_PROBLEMS = {
    _BAD_ASK_QUANTITY: "ask_quantity_t must be finite and not negative.",
    _BAD_ASK_LIMIT: "ask_limit_usd_per_kg must not be NaN.",
    _BAD_BID_QUANTITY: "bid_quantity_t must be finite and not negative.",
    _BAD_BID_LIMIT: "bid_limit_usd_per_kg must not be NaN.",
    _BAD_COST: "lane_cost_usd_per_kg must be a number, or inf where there is no lane.",
    _BAD_FLOW_LIMIT: "lane_limit_t must be a number not below 0, or inf where there is no limit.",
    _TOO_MUCH: "ask_quantity_t and bid_quantity_t must each stay below 4e9 t per good.",
}


def _vector(name: str, values: np.ndarray, size: int) -> np.ndarray:
    result = np.ascontiguousarray(values, dtype=np.float64)
    if result.shape != (size,):
        raise ValueError(f"{name} must have shape ({size},), not {result.shape}.")
    return result


def _lanes(name: str, values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    result = np.ascontiguousarray(values, dtype=np.float64)
    if result.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, not {result.shape}.")
    return result


@njit(cache=True)
def _clear_goods(which, layout, orders, lane_cost, lane_limit_t, hint, rule, out, use):
    """Clear the goods `which`.

    `rule` is (quotas, rents, weights, rent, limit): the programme is solved at every row of
    `rents` (quarters of a tick) and the solutions are summed by weight; prices are quoted at
    `rent`. With no weights nothing is published: `use` gains the lots under each quota, and the
    value of the trade.
    """
    quotas, rents, weights, rent, pivot_limit = rule
    places, demands = lane_cost.shape[1:]
    nodes = places + demands
    unit = 1 if len(rent) == 0 else _RENT_UNIT  # parts of a tick to count in
    book, lanes, net, tree, best, prices = _room(places, demands, len(layout[1]), len(rents))
    for g in which:
        problem = _read_orders(g * nodes, places, unit, layout, orders, book)
        if problem != _OK:
            return problem
        supplies, n, useful, lowest, highest = _live_nodes(places, book, net)
        if supplies < 0:
            return _TOO_MUCH
        problem, arcs, span = _read_lanes(g, useful, unit, lane_cost, lane_limit_t, book, lanes)
        if problem != _OK:
            return problem
        # scaled ticks: as fine as keeps prices well below 2^58 (the pivots stop if they pass it)
        bound = max(abs(highest), abs(lowest)) + 2 * span
        if len(rent) > 0:
            bound += 2 * max(useful, 0)
        shift = 58 - _bits(bound)
        tie_shift = 31 - max(1, min(31, shift - 2 - _bits(places // 2 + 2)))

        used, carries = 0, 0
        prices.lower[:] = -_INF
        prices.upper[:] = _INF
        prices.arc_open[:arcs] = False
        prices.arc_carries[:arcs] = False
        for turn in range(2):
            for m in range(len(rents)):
                if turn == 0 or len(rents) > 1:
                    live_arcs = _fill_net(
                        g, places, supplies, n, useful, arcs, shift, tie_shift, layout[2],
                        lanes, quotas, rents[m] if turn == 0 else rents[m] - rent, net,
                    )
                    _first_prices(g, n, unit, lowest, highest, shift, hint, net, tree)
                    _start(supplies, n, live_arcs, shift, book, net, tree)
                    pivots = _pivots(
                        supplies, n, live_arcs, shift, pivot_limit, book, net, tree
                    )
                    if pivots < 0:
                        out.fallback[g] = True
                        used = _paths(
                            places, supplies, n, live_arcs, arcs, shift, book, net, tree, best
                        )
                    else:
                        used = _read_tree(places, supplies, n, live_arcs, arcs, shift, net, tree, best)
                if turn > 0:
                    _publish(
                        g, places, used, arcs, weights[m], unit, book, lanes, best,
                        prices, out,
                    )
                elif len(weights) == 0:
                    _count_use(g, places, used, arcs, book, lanes, best, quotas, use)
                else:
                    carries = _bound_prices(places, unit, used, arcs, carries, lanes, best, prices)
            if len(weights) == 0:
                break
            if turn == 0:
                if len(rent) > 0:
                    _forget(g, places, layout, out)
                _quote_prices(g, places, unit, carries, arcs, quotas, rent, book, lanes, prices, out)
    return _OK


@njit(cache=True)
def _room(places, demands, slots, solutions):
    """Scratch arrays, once per call."""
    nodes, lanes = places + demands, places * demands

    def vector(size):
        return np.empty(size, np.int64)

    book = _Book(vector(nodes + 1), vector(slots + 1), vector(slots + 1), vector(slots + 1))
    lane = _Lanes(
        np.empty((places, demands), np.int64),
        vector(lanes), vector(lanes), vector(lanes), vector(lanes),
        np.empty(demands, np.bool_),
    )
    net = _Net(
        vector(nodes), vector(nodes), vector(nodes), np.empty((places, demands), np.int64),
        vector(lanes), vector(lanes), vector(lanes), vector(lanes), vector(lanes), vector(lanes),
    )
    tree = _Tree(
        vector(nodes), vector(nodes), vector(nodes), vector(nodes), vector(nodes), vector(nodes),
        vector(nodes), vector(nodes), vector(nodes), vector(nodes), vector(nodes), vector(nodes),
        vector(nodes),
    )
    best = _Solution(
        vector(nodes), vector(nodes), vector(nodes), vector(nodes), vector(nodes),
        vector(lanes), vector(lanes), vector(lanes), np.empty(lanes, np.bool_), vector(lanes),
        vector(nodes),
    )
    prices = _Prices(
        vector(nodes), vector(nodes), vector(nodes),
        vector(solutions * lanes), vector(solutions * lanes),
        np.empty(lanes, np.bool_), np.empty(lanes, np.bool_),
        vector(nodes), vector(nodes),
        np.empty(demands, np.bool_), np.empty(demands, np.bool_),
    )
    return book, lane, net, tree, best, prices


@njit(cache=True)
def _ticks(price_usd_per_kg):
    capped = min(max(price_usd_per_kg, -LARGEST_PRICE_USD_PER_KG), LARGEST_PRICE_USD_PER_KG)
    return np.int64(np.rint(capped * TICKS_PER_USD))


@njit(cache=True)
def _lots(quantity_t):
    # never more than was offered, but for the rounding of the product itself
    return np.int64(quantity_t * LOTS_PER_T * (1 + 4e-16) + 1e-5)


@njit(cache=True)
def _bits(number):
    bits = 0
    while number > 0:
        number >>= 1
        bits += 1
    return bits


@njit(cache=True)
def _read_orders(first_slot, places, unit, layout, orders, book):
    """Collect the orders of one good that have a quantity, in ticks and lots, node by node."""
    node_start, slot_order, _ = layout
    ask_quantity_t, ask_limit, bid_quantity_t, bid_limit = orders
    count = 0
    for v in range(len(book.first) - 1):
        book.first[v] = count
        is_ask = v < places
        quantity_t = ask_quantity_t if is_ask else bid_quantity_t
        limit = ask_limit if is_ask else bid_limit
        for s in range(node_start[first_slot + v], node_start[first_slot + v + 1]):
            i = slot_order[s]
            if not (quantity_t[i] >= 0.0 and quantity_t[i] <= LARGEST_QUANTITY_T):
                return _BAD_ASK_QUANTITY if is_ask else _BAD_BID_QUANTITY
            if np.isnan(limit[i]):
                return _BAD_ASK_LIMIT if is_ask else _BAD_BID_LIMIT
            book.order[count] = i
            book.lots[count] = _lots(quantity_t[i])
            book.price[count] = _ticks(limit[i]) * unit
            count += book.lots[count] > 0
    book.first[len(book.first) - 1] = count
    return _OK


@njit(cache=True)
def _live_nodes(places, book, net):
    """Number the nodes with orders, and find the range of their limits."""
    supplies, n = 0, 0
    nodes = len(book.first) - 1
    for v in range(nodes):
        if book.first[v + 1] > book.first[v]:
            net.node[n], net.begin[n], net.end[n] = v, book.first[v], book.first[v + 1]
            n += 1
            supplies += v < places
    low_ask, top_ask, asked = _NO_STEP, -_NO_STEP, 0.0
    for s in range(book.first[places]):
        low_ask, top_ask = min(low_ask, book.price[s]), max(top_ask, book.price[s])
        asked += book.lots[s]
    low_bid, top_bid, wanted = _NO_STEP, -_NO_STEP, 0.0
    for s in range(book.first[places], book.first[nodes]):
        low_bid, top_bid = min(low_bid, book.price[s]), max(top_bid, book.price[s])
        wanted += book.lots[s]
    if max(asked, wanted) > LARGEST_QUANTITY_T * LOTS_PER_T:
        return -1, n, low_ask, low_ask, top_bid
    if n == 0:
        return supplies, n, -_NO_STEP, np.int64(0), np.int64(0)
    # without orders on both sides no lane is of use
    useful = top_bid - low_ask + _RENT_UNIT if 0 < supplies < n else -_NO_STEP
    return supplies, n, useful, min(low_ask, low_bid), max(top_ask, top_bid)


@njit(cache=True)
def _read_lanes(g, useful, unit, lane_cost, lane_limit_t, book, lanes):
    """Split the lanes of one good into unlimited and limited ones; return the span of costs."""
    places, demands = lanes.ticks.shape
    arcs = 0
    low, high = np.int64(0), np.int64(0)
    lanes.reached[:] = False
    for o in range(places):
        offers = book.first[o + 1] > book.first[o]
        for d in range(demands):
            cost, limit_t = lane_cost[g, o, d], lane_limit_t[g, o, d]
            if not cost > -np.inf:
                return _BAD_COST, arcs, low
            if not limit_t >= 0.0:
                return _BAD_FLOW_LIMIT, arcs, low
            lanes.ticks[o, d] = _INF
            if cost > 2 * LARGEST_PRICE_USD_PER_KG:
                continue
            c = np.int64(np.rint(max(cost, -2 * LARGEST_PRICE_USD_PER_KG) * TICKS_PER_USD)) * unit
            if limit_t <= LARGEST_QUANTITY_T:
                lanes.tail[arcs], lanes.head[arcs] = o, places + d
                lanes.cost[arcs], lanes.lots[arcs] = c, _lots(limit_t)
                lanes.reached[d] |= offers and lanes.lots[arcs] > 0
                arcs += 1
            else:
                lanes.ticks[o, d] = c
                lanes.reached[d] |= offers
            if c < useful:
                low, high = min(low, c), max(high, c)
    return _OK, arcs, high - low


@njit(cache=True)
def _fill_net(
    g, places, supplies, n, useful, arcs, shift, tie_shift, tie_weight, lanes, quotas, rent, net
):
    """Write the lanes worth using between live nodes, less their tie weights, plus rents."""
    classes = (len(net.node) - places) // places
    for i in range(supplies):
        o = net.node[i]
        for j in range(supplies, n):
            d = net.node[j] - places
            c = lanes.ticks[o, d]
            net.cost[i, j - supplies] = _INF
            if c < useful:
                c = (c << shift) - (tie_weight[o, d] >> tie_shift)
                if len(rent) > 0:
                    c += _lane_rent(quotas, classes, g, o, d, rent) << shift
                net.cost[i, j - supplies] = c
    live_arcs = 0
    for a in range(arcs):
        o, v, c = lanes.tail[a], lanes.head[a], lanes.cost[a]
        if c < useful and lanes.lots[a] > 0:
            tail, head = 0, supplies
            while tail < supplies and net.node[tail] != o:
                tail += 1
            while head < n and net.node[head] != v:
                head += 1
            if tail < supplies and head < n:
                c = (c << shift) - (tie_weight[o, v - places] >> tie_shift)
                if len(rent) > 0:
                    c += _lane_rent(quotas, classes, g, o, v - places, rent) << shift
                net.arc_tail[live_arcs], net.arc_head[live_arcs] = tail, head
                net.arc_cost[live_arcs], net.arc_lots[live_arcs] = c, lanes.lots[a]
                net.arc_lane[live_arcs] = a
                live_arcs += 1
    return live_arcs


@njit(cache=True)
def _first_prices(g, n, unit, lowest, highest, shift, hint, net, tree):
    """Start from the hint where it is a number, kept within the limits in the book."""
    for v in range(n):
        tree.p[v] = ((lowest + highest) >> 1) << shift
        if hint.shape[0] > 0:
            hinted = hint[g, net.node[v]]
            if not np.isnan(hinted):
                tree.p[v] = min(max(_ticks(hinted) * unit, lowest), highest) << shift


@njit(cache=True)
def _start(supplies, n, arcs, shift, book, net, tree):
    """Make the prices admissible and hang every demand node on its cheapest origin.

    Roots start with a step of no lots at their price, so that any prices can start the search.
    """
    p = tree.p
    for v in range(supplies, n):
        tree.parent[v] = -1
        for o in range(supplies):
            landed = net.cost[o, v - supplies] + p[o]
            if landed <= p[v]:
                p[v] = landed
                tree.parent[v] = o
    for v in range(n):
        threshold = -((-p[v]) >> shift)
        below, above = np.int64(0), np.int64(0)
        low, high = -_NO_STEP, _NO_STEP
        for s in range(net.begin[v], net.end[v]):
            if book.price[s] < threshold:
                below += book.lots[s]
                low = max(low, book.price[s])
            else:
                above += book.lots[s]
                high = min(high, book.price[s])
        tree.low[v], tree.high[v] = low, high
        tree.step_lots[v] = 0
        tree.step_used[v] = -below if v < supplies else above
        tree.link[v] = -1
        tree.flow[v] = 0
        if v < supplies:
            tree.parent[v] = -1
    for a in range(arcs):
        tail, head = net.arc_tail[a], net.arc_head[a]
        net.arc_state[a] = _EMPTY
        if p[head] - p[tail] > net.arc_cost[a]:
            net.arc_state[a] = _FULL
            tree.step_used[tail] += net.arc_lots[a]
            tree.step_used[head] -= net.arc_lots[a]
    for v in range(supplies, n):
        if tree.parent[v] >= 0:
            tree.flow[v] = tree.step_used[v]
            tree.step_used[tree.parent[v]] += tree.flow[v]


@njit(cache=True)
def _distance(v, rises, shift, tree):
    """How far the price of node v can move before it meets the next order."""
    if rises:
        return (tree.high[v] << shift) - tree.p[v] if tree.high[v] < _NO_STEP else _INF
    return tree.p[v] - (tree.low[v] << shift) if tree.low[v] > -_NO_STEP else _INF


@njit(cache=True)
def _pivots(supplies, n, arcs, shift, limit, book, net, tree):
    """Shift the prices of one piece of a tree at a time until every order and lane is in range.

    Returns the number of pivots, or -1 at the limit.
    """
    p, parent, link, flow = tree.p, tree.parent, tree.link, tree.flow
    step_lots, step_used = tree.step_lots, tree.step_used
    inside, reach, extra, masked = tree.inside, tree.reach, tree.extra, tree.masked
    demands = n - supplies
    for pivot in range(limit):
        # the order or lane furthest out of its range leaves the tree
        missing, top = np.int64(0), -1
        for v in range(n):
            if parent[v] < 0:
                beyond = max(-step_used[v], step_used[v] - step_lots[v])
            elif link[v] >= 0:
                beyond = max(-flow[v], flow[v] - net.arc_lots[link[v]])
            else:
                beyond = -flow[v]
            if beyond > missing:
                missing, top = beyond, v
        if top < 0:
            return pivot

        # the piece below it lacks `missing` (its prices rise) or has it left over (they fall)
        above = parent[top]
        if above < 0:
            rises = step_used[top] > 0
            if step_lots[top] > 0:
                if rises:
                    tree.low[top] = tree.step_price[top]
                else:
                    tree.high[top] = tree.step_price[top]
        else:
            rises = (flow[top] > 0) == (top >= supplies)
            if link[top] >= 0:
                net.arc_state[link[top]] = _FULL if flow[top] > 0 else _EMPTY
        sign = 1 if rises else -1
        for v in range(n):
            inside[v] = _UNKNOWN
            extra[v] = 0
        extra[top] += sign * missing
        if above >= 0:
            extra[above] -= sign * missing
        inside[top] = _INSIDE
        for v in range(n):
            w = v
            while inside[w] == _UNKNOWN and parent[w] >= 0:
                w = parent[w]
            side = _INSIDE if inside[w] == _INSIDE else _OUTSIDE
            w = v
            while w >= 0 and inside[w] == _UNKNOWN:
                inside[w] = side
                w = parent[w]

        # how far until an order, an unlimited lane or a limited lane becomes indifferent?
        step_gap, step_at = _INF, -1
        for v in range(n):
            reach[v] = _INF
            if inside[v] == _INSIDE:
                reach[v] = _distance(v, rises, shift, tree)
                if reach[v] < step_gap:
                    step_gap, step_at = reach[v], v
        tails = _OUTSIDE if rises else _INSIDE
        for d in range(demands):
            masked[d] = -_INF if inside[supplies + d] == tails else p[supplies + d]
        lane_gap, lane_tail = _FINITE, -1
        for o in range(supplies):
            if inside[o] == tails:
                least = _INF
                for d in range(demands):
                    least = min(least, net.cost[o, d] - masked[d])
                if least + p[o] < lane_gap:
                    lane_gap, lane_tail = least + p[o], o
        while True:
            arc_gap, arc_at = _INF, -1
            for a in range(arcs):
                tail, head = net.arc_tail[a], net.arc_head[a]
                if net.arc_state[a] == _IN_TREE or inside[tail] == inside[head]:
                    continue
                # filling it from empty or emptying it from full brings the piece into balance
                if (inside[head] == _INSIDE) == (rises == (net.arc_state[a] == _EMPTY)):
                    gap = abs(p[tail] + net.arc_cost[a] - p[head])
                    if gap < arc_gap:
                        arc_gap, arc_at = gap, a
            if step_at >= 0 and step_gap <= lane_gap and step_gap <= arc_gap:
                v = step_at
                step = tree.high[v] if rises else tree.low[v]
                size, following = _look_beyond(v, step, rises, book, net)
                if rises:
                    tree.high[v] = following
                else:
                    tree.low[v] = following
                if missing <= size:
                    step_lots[v], tree.step_price[v] = size, step
                    step_used[v] = 0 if rises else size
                    enter, outer, entering, carried = v, -1, -1, np.int64(0)
                    gap = step_gap
                    break
                missing -= size
                extra[v] -= sign * size
                if rises:
                    tree.low[v] = step
                else:
                    tree.high[v] = step
                reach[v] = _distance(v, rises, shift, tree)
                step_gap, step_at = _INF, -1
                for w in range(n):
                    if reach[w] < step_gap:
                        step_gap, step_at = reach[w], w
            elif arc_at >= 0 and arc_gap < lane_gap:
                tail, head = net.arc_tail[arc_at], net.arc_head[arc_at]
                size = net.arc_lots[arc_at]
                filling = net.arc_state[arc_at] == _EMPTY
                if missing <= size:
                    enter, outer = (head, tail) if inside[head] == _INSIDE else (tail, head)
                    entering, carried = arc_at, (np.int64(0) if filling else size)
                    net.arc_state[arc_at] = _IN_TREE
                    gap = arc_gap
                    break
                missing -= size
                net.arc_state[arc_at] = _FULL if filling else _EMPTY
                extra[head] -= size if filling else -size
                extra[tail] += size if filling else -size
            elif lane_tail >= 0:
                lane_head = supplies
                while net.cost[lane_tail, lane_head - supplies] - masked[
                    lane_head - supplies
                ] + p[lane_tail] != lane_gap:
                    lane_head += 1
                enter, outer = (lane_head, lane_tail) if rises else (lane_tail, lane_head)
                entering, carried, gap = -1, np.int64(0), lane_gap
                break
            else:
                return -1

        # shift the piece, hang it on what became indifferent, and settle what is missing
        for v in range(n):
            if inside[v] == _INSIDE:
                p[v] += sign * gap
                if abs(p[v]) > _FINITE >> 2:
                    return -1
        v = enter
        while True:
            next_v, next_link, next_flow = parent[v], link[v], flow[v]
            parent[v], link[v], flow[v] = outer, entering, carried
            if v == top:
                break
            outer, entering, carried = v, next_link, next_flow
            v = next_v
        for u in range(n):
            if extra[u] != 0:
                v = u
                while parent[v] >= 0:
                    flow[v] += extra[u] if v >= supplies else -extra[u]
                    v = parent[v]
                step_used[v] += extra[u]
    return -1


@njit(cache=True)
def _look_beyond(v, step, upwards, book, net):
    """Lots of node v at the price `step`, and the next price beyond it."""
    size = np.int64(0)
    following = _NO_STEP if upwards else -_NO_STEP
    for s in range(net.begin[v], net.end[v]):
        price = book.price[s]
        if price == step:
            size += book.lots[s]
        elif upwards:
            if price > step:
                following = min(following, price)
        elif price < step:
            following = max(following, price)
    return size, following


@njit(cache=True)
def _clear_nodes(arcs, best):
    """Start a solution: no orders anywhere, no lane in use."""
    best.low[:] = -_NO_STEP
    best.high[:] = _NO_STEP
    best.step_lots[:] = 0
    best.step_used[:] = 0
    best.step_price[:] = 0
    best.arc_flow[:arcs] = 0
    best.exact[:] = _INF


@njit(cache=True)
def _read_tree(places, supplies, n, live_arcs, arcs, shift, net, tree, best):
    """Translate the final tree to all nodes; return how many lanes are in use."""
    _clear_nodes(arcs, best)
    used = 0
    for a in range(live_arcs):
        if net.arc_state[a] == _FULL:
            best.arc_flow[net.arc_lane[a]] = net.arc_lots[a]
            best.tail[used], best.head[used] = net.node[net.arc_tail[a]], net.node[net.arc_head[a]]
            best.flow[used], best.has_room[used] = net.arc_lots[a], False
            used += 1
    for v in range(n):
        node = net.node[v]
        best.low[node], best.high[node] = tree.low[v], tree.high[v]
        u = tree.parent[v]
        if u < 0:
            best.step_lots[node] = tree.step_lots[v]
            best.step_used[node] = tree.step_used[v]
            best.step_price[node] = tree.step_price[v]
        elif tree.flow[v] > 0:
            tail, head = (u, v) if v >= supplies else (v, u)
            best.tail[used], best.head[used] = net.node[tail], net.node[head]
            best.flow[used], best.has_room[used] = tree.flow[v], True
            if tree.link[v] >= 0:
                best.arc_flow[net.arc_lane[tree.link[v]]] = tree.flow[v]
                best.has_room[used] = tree.flow[v] < net.arc_lots[tree.link[v]]
            used += 1
        # a node tied to a partly used order by lanes with room has exactly one price
        w = v
        while tree.parent[w] >= 0 and tree.flow[w] > 0 and (
            tree.link[w] < 0 or tree.flow[w] < net.arc_lots[tree.link[w]]
        ):
            w = tree.parent[w]
        if tree.parent[w] < 0 and 0 < tree.step_used[w] < tree.step_lots[w]:
            best.exact[node] = (tree.p[v] + (np.int64(1) << (shift - 1))) >> shift
    return used


@njit(cache=True)
def _paths(places, supplies, n, live_arcs, arcs, shift, book, net, tree, best):
    """Solve by successive shortest paths: always the most profitable trade still possible.

    Slower than the pivots, but certain to end: every trade uses up an order or turns a lane.
    """
    _clear_nodes(arcs, best)
    cost = net.cost[:supplies, : n - supplies].copy()
    room = np.full((supplies, n - supplies), _UNLIMITED)
    flow = np.zeros((supplies, n - supplies), np.int64)
    lane = np.full((supplies, n - supplies), -1)
    for a in range(live_arcs):
        i, j = net.arc_tail[a], net.arc_head[a] - supplies
        cost[i, j], room[i, j], lane[i, j] = net.arc_cost[a], net.arc_lots[a], net.arc_lane[a]
    at, size, used = tree.step_price, tree.step_lots, tree.step_used  # the next step of each node
    distance, via = tree.reach, tree.parent
    for v in range(n):
        at[v] = -_NO_STEP if v < supplies else _NO_STEP
        used[v], size[v] = 0, 0
    while True:
        for v in range(n):
            if used[v] == size[v]:
                upwards = v < supplies
                at[v] = _look_beyond(v, at[v], upwards, book, net)[1]
                size[v] = _look_beyond(v, at[v], upwards, book, net)[0]
                used[v] = 0
            distance[v] = at[v] << shift if v < supplies and size[v] > 0 else _INF
            via[v] = -1
        changed = True
        while changed:
            changed = False
            for i in range(supplies):
                for j in range(n - supplies):
                    v, c = supplies + j, cost[i, j]
                    if c < _INF and flow[i, j] < room[i, j] and distance[i] < _INF:
                        if distance[i] + c < distance[v]:
                            distance[v], via[v], changed = distance[i] + c, i, True
                    if flow[i, j] > 0 and distance[v] - c < distance[i]:
                        distance[i], via[i], changed = distance[v] - c, v, True
        gain, end = np.int64(0), -1
        for v in range(supplies, n):
            if size[v] > 0 and distance[v] < _INF and (at[v] << shift) - distance[v] > gain:
                gain, end = (at[v] << shift) - distance[v], v
        if end < 0:
            break
        amount = size[end] - used[end]
        v = end
        while via[v] >= 0:
            u = via[v]
            if v >= supplies:
                amount = min(amount, room[u, v - supplies] - flow[u, v - supplies])
            else:
                amount = min(amount, flow[v, u - supplies])
            v = u
        amount = min(amount, size[v] - used[v])
        used[v] += amount
        used[end] += amount
        v = end
        while via[v] >= 0:
            u = via[v]
            if v >= supplies:
                flow[u, v - supplies] += amount
            else:
                flow[v, u - supplies] -= amount
            v = u
    for v in range(n):
        node, before = net.node[v], _look_beyond(v, at[v], v >= supplies, book, net)[1]
        after = at[v]
        if used[v] > 0:
            best.step_price[node], best.step_lots[node] = at[v], size[v]
            best.step_used[node] = used[v] if v < supplies else size[v] - used[v]
            after = _look_beyond(v, at[v], v < supplies, book, net)[1]
        best.low[node], best.high[node] = (before, after) if v < supplies else (after, before)
    count = 0
    for i in range(supplies):
        for j in range(n - supplies):
            if flow[i, j] > 0:
                best.tail[count], best.head[count] = net.node[i], net.node[supplies + j]
                best.flow[count], best.has_room[count] = flow[i, j], flow[i, j] < room[i, j]
                if lane[i, j] >= 0:
                    best.arc_flow[lane[i, j]] = flow[i, j]
                count += 1
    return count


@njit(cache=True)
def _lane_rent(quotas, classes, g, o, d, rent):
    """Sum of the rents of the quotas that count a lane."""
    total = np.int64(0)
    for k in range(len(rent)):
        if _counts(quotas, k, classes, g, o, d):
            total += rent[k]
    return total


@njit(cache=True)
def _counts(quotas, k, classes, g, o, d):
    destination = d // classes
    return (
        quotas.quota_goods[k, g]
        and o != destination
        and (quotas.quota_origin[k] < 0 or quotas.quota_origin[k] == o)
        and (quotas.quota_destination[k] < 0 or quotas.quota_destination[k] == destination)
    )


@njit(cache=True)
def _count_use(g, places, used, arcs, book, lanes, best, quotas, use):
    """Add the lots under each quota and, last, the value of the trade in ticks times lots."""
    count = len(quotas.quota_origin)
    classes = len(lanes.reached) // places
    for v in range(len(best.low)):
        for s in range(book.first[v], book.first[v + 1]):
            value = np.float64(book.price[s]) * book.lots[s]
            if v < places and book.price[s] <= best.low[v]:
                use[count] -= value
            elif v >= places and book.price[s] >= best.high[v]:
                use[count] += value
        if v < places:
            use[count] -= np.float64(best.step_price[v]) * best.step_used[v]
        else:
            served = best.step_lots[v] - best.step_used[v]
            use[count] += np.float64(best.step_price[v]) * served
    for i in range(used):
        o, d = best.tail[i], best.head[i] - places
        cost = lanes.ticks[o, d]
        if cost < _INF:
            use[count] -= np.float64(cost) * best.flow[i]
        for k in range(count):
            if _counts(quotas, k, classes, g, o, d):
                use[k] += best.flow[i]
    for a in range(arcs):
        use[count] -= np.float64(lanes.cost[a]) * best.arc_flow[a]


@njit(cache=True)
def _bound_prices(places, unit, used, arcs, carries, lanes, best, prices):
    """Collect what one solution says of prices: dear enough for what sold, and so on."""
    for v in range(len(best.low)):
        low, high = best.low[v], best.high[v]
        if best.step_used[v] > 0:
            low = best.step_price[v]
        if best.step_used[v] < best.step_lots[v]:
            high = best.step_price[v]
        if unit == 1 and best.exact[v] < _INF:  # a rent searched for blurs it
            low = high = best.exact[v]
        if low > -_NO_STEP:
            prices.lower[v] = max(prices.lower[v], low)
        if high < _NO_STEP:
            prices.upper[v] = min(prices.upper[v], high)
    for i in range(used):
        if lanes.ticks[best.tail[i], best.head[i] - places] < _INF:
            prices.carry_tail[carries], prices.carry_head[carries] = best.tail[i], best.head[i]
            carries += 1
    for a in range(arcs):
        prices.arc_open[a] |= best.arc_flow[a] < lanes.lots[a]
        prices.arc_carries[a] |= best.arc_flow[a] > 0
    return carries


@njit(cache=True)
def _quote_prices(g, places, unit, carries, arcs, quotas, rent, book, lanes, prices, out):
    """Find the interval of optimal prices of every node, and the middle.

    p_d <= p_o + c on every lane with room, and equal on every lane in use.
    """
    lower, upper, middle, ticks = prices.lower, prices.upper, prices.middle, lanes.ticks
    nodes, demands = len(lower), len(lanes.reached)
    if len(rent) > 0:
        classes = demands // places
        for o in range(places):
            for d in range(demands):
                ticks[o, d] += _lane_rent(quotas, classes, g, o, d, rent)
        for a in range(arcs):
            d = lanes.head[a] - places
            lanes.cost[a] += _lane_rent(quotas, classes, g, lanes.tail[a], d, rent)

    moved = True
    for _ in range(2 * nodes):
        if not moved:
            break
        moved = False
        for o in range(places):
            low, high = lower[o], upper[o]
            for d in range(demands):
                low = max(low, lower[places + d] - ticks[o, d])
                top = min(upper[places + d], high + ticks[o, d])
                moved |= top != upper[places + d]
                upper[places + d] = top
            moved |= low != lower[o]
            lower[o] = low
        for i in range(carries):
            o, v = prices.carry_tail[i], prices.carry_head[i]
            c = ticks[o, v - places]
            moved |= lower[o] + c > lower[v] or upper[v] - c < upper[o]
            lower[v], upper[o] = max(lower[v], lower[o] + c), min(upper[o], upper[v] - c)
        for a in range(arcs):
            o, v, c = lanes.tail[a], lanes.head[a], lanes.cost[a]
            if prices.arc_open[a]:
                moved |= lower[v] - c > lower[o] or upper[o] + c < upper[v]
                lower[o], upper[v] = max(lower[o], lower[v] - c), min(upper[v], upper[o] + c)
            if prices.arc_carries[a]:
                moved |= lower[o] + c > lower[v] or upper[v] - c < upper[o]
                lower[v], upper[o] = max(lower[v], lower[o] + c), min(upper[o], upper[v] - c)

    # the middle; a node without orders is quoted from its neighbours, first the origins (at what
    # the dearest buyer would leave them), then the demand nodes (at the cheapest landed price)
    for v in range(nodes):
        if lower[v] > -_FINITE and upper[v] < _FINITE:
            middle[v] = lower[v] + upper[v]
        elif lower[v] > -_FINITE:
            middle[v] = -_INF if v < places else 2 * lower[v]
        elif upper[v] < _FINITE:
            middle[v] = 2 * upper[v] if v < places else _INF
        else:
            middle[v] = _INF if v < places else -_INF
    for turn in range(2):
        for o in range(places):
            for d in range(demands):
                if ticks[o, d] < _INF:
                    _quote_end(turn, o, places + d, ticks[o, d], prices)
        for a in range(arcs):
            if prices.arc_open[a]:
                _quote_end(turn, lanes.tail[a], lanes.head[a], lanes.cost[a], prices)

    arbitrage = np.int64(0)
    for o in range(places):
        for d in range(demands):
            arbitrage = max(arbitrage, middle[places + d] - middle[o] - 2 * ticks[o, d])
    money = 2 * unit * TICKS_PER_USD
    out.slackness_violation_usd[g] = arbitrage / money * KG_PER_T
    for v in range(nodes):
        out.price_low[g, v] = 2 * lower[v] / money if lower[v] > -_FINITE else -np.inf
        out.price_high[g, v] = 2 * upper[v] / money if upper[v] < _FINITE else np.inf
        out.price[g, v] = middle[v] / money if abs(middle[v]) < _FINITE else np.nan
    for a in range(arcs):
        gain = middle[lanes.head[a]] - middle[lanes.tail[a]] - 2 * lanes.cost[a]
        if gain > 0:
            out.lane_rent[g, lanes.tail[a], lanes.head[a] - places] = gain / money
    prices.delivered[:] = False
    prices.satisfied[:] = True
    out.gap_relative[g] = 0.0
    out.excess_demand_t[g] = 0.0


@njit(cache=True)
def _quote_end(turn, o, v, cost, prices):
    """Quote a node without orders from the other end of an open lane."""
    middle = prices.middle
    if turn == 0:
        if prices.upper[o] >= _FINITE and -_FINITE < middle[v] < _FINITE:
            if prices.lower[v] > -_FINITE:
                middle[o] = max(middle[o], middle[v] - 2 * cost)
    elif prices.lower[v] <= -_FINITE and prices.upper[v] < _FINITE:
        if -_FINITE < middle[o] < _FINITE:
            middle[v] = min(middle[v], middle[o] + 2 * cost)


@njit(cache=True)
def _publish(g, places, used, arcs, weight, unit, book, lanes, best, prices, out):
    """Add one solution, by its weight, to fills and flows, and certify it against the prices.

    The certificate is exact: whole ticks times whole lots, in arithmetic modulo 2^64.
    """
    middle = prices.middle
    primal, dual, worst = np.int64(0), np.int64(0), 0.0
    nodes = len(middle)
    for v in range(nodes):
        is_ask = v < places
        sign = 1 if is_ask else -1
        fill_t = out.ask_fill_t if is_ask else out.bid_fill_t
        low, high = best.low[v], best.high[v]
        size = best.step_lots[v]
        step = best.step_price[v]
        taken = best.step_used[v] if is_ask else size - best.step_used[v]
        traded, top = taken, -_INF
        code = np.int64(-1)
        for s in range(book.first[v], book.first[v + 1]):
            price, lots = book.price[s], book.lots[s]
            gain = sign * (middle[v] - 2 * price)
            dual += max(gain, 0) * lots
            top = max(top, price)
            if price <= low if is_ask else price >= high:
                traded += lots
                primal -= sign * 2 * price * lots
                fill_t[book.order[s]] += weight * (lots / LOTS_PER_T)
                if gain < 0:
                    worst = max(worst, -np.float64(gain) * lots)
            elif size > 0 and price == step:
                part = np.float64(taken) if lots == size else lots * (taken / size)
                fill_t[book.order[s]] += weight * (part / LOTS_PER_T)
                missed = size - taken if gain > 0 else taken
                if missed > 0 and gain != 0:
                    worst = max(worst, np.float64(abs(gain)) * missed)
                if 0 < taken < size and (code < 0 or 2 * book.order[s] < code):
                    code = 2 * book.order[s] + (0 if is_ask else 1)
            elif gain > 0:
                worst = max(worst, np.float64(gain) * lots)
        primal -= sign * 2 * step * taken
        prices.balance[v] = traded
        prices.code[v] = code
        if not is_ask:
            prices.satisfied[v - places] &= top >= high or (top == step and taken == size)

    for i in range(used):
        o, v, flow = best.tail[i], best.head[i], best.flow[i]
        out.flow_t[g, o, v - places] += weight * (flow / LOTS_PER_T)
        prices.balance[o] -= flow
        prices.balance[v] -= flow
        prices.delivered[v - places] = True
        cost = lanes.ticks[o, v - places]
        if cost < _INF:
            primal -= 2 * cost * flow
            loss = middle[o] + 2 * cost - middle[v]
            if loss > 0:
                worst = max(worst, np.float64(loss) * flow)
    for a in range(arcs):
        gain = middle[lanes.head[a]] - middle[lanes.tail[a]] - 2 * lanes.cost[a]
        dual += max(gain, 0) * lanes.lots[a]
        primal -= 2 * lanes.cost[a] * best.arc_flow[a]
        missed = lanes.lots[a] - best.arc_flow[a] if gain > 0 else best.arc_flow[a]
        if missed > 0 and gain != 0:
            worst = max(worst, np.float64(abs(gain)) * missed)

    excess = np.int64(0)
    for v in range(nodes):
        excess = max(excess, abs(prices.balance[v]))
    money = 2 * unit * TICKS_PER_USD * LOTS_PER_T
    out.excess_demand_t[g] += excess / LOTS_PER_T
    out.slackness_violation_usd[g] = max(
        out.slackness_violation_usd[g], worst / money * KG_PER_T
    )
    if dual != primal:
        value = _turnover(places, book)
        out.gap_relative[g] += weight * abs(np.float64(dual - primal)) / value

    # the order that sets the price, known to every node it is tied to by lanes with room
    changed = True
    while changed:
        changed = False
        for i in range(used):
            o, v = best.tail[i], best.head[i]
            if best.has_room[i] and prices.code[o] != prices.code[v]:
                prices.code[o] = prices.code[v] = max(prices.code[o], prices.code[v])
                changed = True
    for v in range(nodes):
        if prices.code[v] >= 0:
            out.marginal[prices.code[v] & 1, g, v] = prices.code[v] >> 1
    for d in range(nodes - places):
        wanted = book.first[places + d + 1] > book.first[places + d]
        if prices.delivered[d]:
            out.status[g, d] = CLEARED if prices.satisfied[d] else SUPPLY_SHORT
        elif wanted:
            out.status[g, d] = NO_TRADE if lanes.reached[d] else SUPPLY_SHORT
        else:
            out.status[g, d] = DEMAND_SHORT if lanes.reached[d] else NO_TRADE


@njit(cache=True)
def _turnover(places, book):
    """Value of all bids, the scale of the gap, in half ticks times lots."""
    total = 1.0
    for s in range(book.first[places], book.first[len(book.first) - 1]):
        total += 2 * abs(np.float64(book.price[s])) * book.lots[s]
    return total


@njit(cache=True)
def _forget(g, places, layout, out):
    """Take back what was published of a good before its quotas were enforced."""
    node_start, slot_order, _ = layout
    nodes = out.price.shape[1]
    for v in range(g * nodes, (g + 1) * nodes):
        fill_t = out.ask_fill_t if v - g * nodes < places else out.bid_fill_t
        for s in range(node_start[v], node_start[v + 1]):
            fill_t[slot_order[s]] = 0.0
    out.flow_t[g] = 0.0
    out.lane_rent[g] = 0.0
    out.marginal[:, g] = -1


def _enforce(quotas: Quotas, layout: BookLayout, market, out) -> np.ndarray:
    """Find the rents at which every quota is kept, and publish the goods concerned again."""
    goods = layout.goods
    rule = Quotas(
        np.ascontiguousarray(quotas.quota_goods, dtype=np.bool_),
        np.ascontiguousarray(quotas.quota_origin, dtype=np.int64),
        np.ascontiguousarray(quotas.quota_destination, dtype=np.int64),
        np.ascontiguousarray(quotas.quota_t, dtype=np.float64),
    )
    quota_t = rule.quota_t
    count = len(quota_t)
    if rule[0].shape != (count, goods) or len(rule[1]) != count or len(rule[2]) != count:
        raise ValueError("quotas must have one row per quota and one column per good.")
    if not (quota_t >= 0).all():
        raise ValueError("quota_t must be a number not below 0.")
    lots = np.floor(np.minimum(quota_t, LARGEST_QUANTITY_T) * LOTS_PER_T * (1 + 4e-16) + 1e-5)
    rent_usd_per_kg = np.zeros(count)
    used_t = _used_t(rule, layout.buyer_classes, out.flow_t)
    if (used_t * LOTS_PER_T <= lots + 0.5).all():
        return rent_usd_per_kg
    for group in _groups(rule[0]):
        if (used_t[group] * LOTS_PER_T <= lots[group] + 0.5).all():
            continue
        part = Quotas(*(np.ascontiguousarray(field[group]) for field in rule))
        which = np.flatnonzero(part[0].any(axis=0))

        def solve(rents, part=part, which=which):
            use = np.zeros(len(part[1]) + 1)
            rents = np.asarray([rents], dtype=np.int64)
            search = (part, rents, np.zeros(0), rents[0], PIVOT_LIMIT)
            _clear_goods(which, *market, search, out, use)
            return use[:-1], use[-1]

        search = _search_one if len(group) == 1 else _search_several
        rents, weights, rent = search(solve, lots[group], _top_rent(market))
        found = (
            part,
            np.asarray(rents, dtype=np.int64).reshape(len(weights), -1),
            np.asarray(weights),
            np.asarray(rent, dtype=np.int64),
            PIVOT_LIMIT,
        )
        _clear_goods(which, *market, found, out, np.zeros(len(group) + 1))
        rent_usd_per_kg[group] = np.asarray(rent) / (4 * TICKS_PER_USD)
    return rent_usd_per_kg


def _used_t(rule, buyer_classes, flow_t):
    """Tonnes counted by each quota."""
    goods, places, demands = flow_t.shape
    to_place = flow_t.reshape(goods, places, places, buyer_classes).sum(axis=3)
    to_place[:, np.arange(places), np.arange(places)] = 0
    used = np.zeros(len(rule[1]))
    for k, (covers, origin, destination) in enumerate(zip(*rule[:3], strict=True)):
        origins = slice(None) if origin < 0 else slice(origin, origin + 1)
        destinations = slice(None) if destination < 0 else slice(destination, destination + 1)
        used[k] = to_place[covers][:, origins, destinations].sum()
    return used


def _groups(quota_goods):
    """Quotas that share goods, directly or through others, must be searched together."""
    groups: list[tuple[list[int], np.ndarray]] = []
    for k, covers in enumerate(quota_goods):
        joined, apart = [k], []
        for members, reach in groups:
            if (reach & covers).any():
                joined, covers = members + joined, covers | reach
            else:
                apart.append((members, reach))
        groups = [*apart, (joined, covers)]
    return [sorted(members) for members, _ in groups]


def _top_rent(market):
    """No trade is worth a rent beyond this, in quarters of a tick."""
    (_, ask_l, _, bid_l), cost = market[1], market[2]
    cheap = ask_l.min(initial=0.0) + min(0.0, cost.min(initial=0.0))
    top = min(LARGEST_PRICE_USD_PER_KG, bid_l.max(initial=0.0)) - max(
        -2 * LARGEST_PRICE_USD_PER_KG, cheap
    )
    return 2 * int(np.ceil(top * TICKS_PER_USD * 4 / 2)) + 3


def _search_one(solve, limit, top):
    """Find the rent of one quota: the slope between two solutions, until they are neighbours.

    Prices are whole ticks, so the use can only change at whole or half ticks of rent. Solving at
    odd quarters avoids all ties; between two odd quarters lies one breakpoint, where every mix of
    the two solutions is optimal.
    """
    limit = limit[0]
    low, high = -1, top
    (low_use,), low_value = solve([low])
    (high_use,), high_value = solve([high])
    if low_use <= limit:
        return [[low]], [1.0], [0]
    while high - low > 2 and high_use != limit:
        width = high - low
        slope = (low_value - high_value) / (low_use - high_use)
        middle = 2 * round(min(max(slope, low + 1), high - 1) / 2)
        for point in (middle + 1, middle - 1, 2 * ((low + high) // 4) + 1):
            if not low < point < high or (point != middle - 1 and high - low == 2):
                continue
            if point not in (middle + 1, middle - 1) and 2 * (high - low) <= width:
                continue
            (use,), value = solve([point])
            if use > limit:
                low, low_use, low_value = point, use, value
            else:
                high, high_use, high_value = point, use, value
            if high_use == limit:
                break
    if high_use == limit:
        return _plateau(solve, limit, low, high, top)
    share = (limit - high_use) / (low_use - high_use)
    return [[low], [high]], [share, 1.0 - share], [low + 1]


def _plateau(solve, limit, low, high, top):
    """Return the middle of the rents at which exactly the quota is used (the least if open)."""
    inside = high
    while inside - low > 2:
        point = 2 * ((low + inside) // 4) + 1
        point = min(max(point, low + 2), inside - 2)
        if solve([point])[0][0] == limit:
            inside = point
        else:
            low = point
    first, outside, last = inside, top, high
    if limit > 0:
        while outside - last > 2:
            point = 2 * ((last + outside) // 4) + 1
            point = min(max(point, last + 2), outside - 2)
            if solve([point])[0][0] == limit:
                last = point
            else:
                outside = point
        return [[first]], [1.0], [(first - 1 + last + 1) // 2]
    return [[first]], [1.0], [first - 1]


def _search_several(solve, limit, top):
    """Find the rents of quotas that share goods: Dantzig-Wolfe, one column per solution.

    The mix of solutions worth most within all quotas is a small linear programme; its duals are
    the rents at which the next solution is sought, until none improves the mix.
    """
    count = len(limit)
    dearest = [top] * count
    scale = LOTS_PER_T  # tonnes keep the numbers of the small programme near one another
    first_use, first_value = (x / scale for x in solve(dearest))
    columns = [dearest] + [None] * count  # the basis: solutions, or None: a quota's slack
    basis = np.eye(count + 1)  # uses of the quotas, last row: is it a solution?
    basis = np.roll(basis, 1, axis=1)
    basis[:count, 0] = first_use
    value = np.append(first_value, np.zeros(count))
    right = np.append(limit / scale, 1.0)
    for _ in range(1000):
        weights = np.linalg.solve(basis, right)
        dual = np.linalg.solve(basis.T, value)
        rent = dual[:count]
        worst = int(np.argmin(rent))
        if rent[worst] < -1e-3:  # a thousandth of a tick
            entering, column, gain_value = None, np.eye(count + 1)[worst], 0.0
        else:
            point = [2 * round((max(r, 0.0) - 1) / 2) + 1 for r in rent]
            new_use, gain_value = (x / scale for x in solve(point))
            entering, column = point, np.append(new_use, 1.0)
            gain = gain_value - dual @ column
            if point in columns or gain <= 1e-13 * (abs(gain_value) + abs(dual) @ column):
                break
        change = np.linalg.solve(basis, column)
        usable = change > 1e-9 * np.abs(change).max()
        steps = np.maximum(weights, 0.0) / np.where(usable, change, 1.0)
        leaving = int(np.argmin(np.where(usable, steps, np.inf)))
        columns[leaving], basis[:, leaving], value[leaving] = entering, column, gain_value
    kept = [i for i in range(count + 1) if columns[i] is not None and weights[i] > 1e-13]
    return (
        [columns[i] for i in kept],
        [float(weights[i]) for i in kept],
        [max(0, round(r)) for r in rent],
    )
