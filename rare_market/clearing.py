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
of its interval (the least where any higher rent does as well; 0 if free trade keeps the quota).
Orders of one node at one limit share pro rata. Between lanes a tie goes to the domestic lane,
then by a hash of the places' keys, so that results depend neither on the order of the orders
nor on the numbering of the places nor on the price hint, to the last bit. Of several mixes that
quotas sharing a good may leave, one is chosen, the same every time.

Numbers
-------
Limits and costs are rounded to 1e-6 USD/kg, quantities cut to 1e-9 t, and everything is counted
in whole ticks and lots: balances are exact, a residue of 1e-14 t cannot set a price, and only
pro rata shares are rounded. Limits beyond 1e6 USD/kg, such as inf, count as 1e6.

Certificate
-----------
Per good, computed from the results and not from the search: `gap_relative` (dual less primal
value, relative to all quantities at the dearest limit), `excess_demand_t` (largest imbalance of
a node, before shares are rounded), and `slackness_violation_usd` (largest gain left untaken or
trade at a loss). All three are exactly zero without quotas, and with one quota that names an
origin. Quotas that share goods, or name no place, can have a rent between quarters of a tick; it
is rounded to them. `fallback` marks goods that reached the limit of pivots and were solved by
the slower method.

Status of a demand node
-----------------------
CLEARED       goods were delivered and the highest bids were served in full
SUPPLY_SHORT  the highest bids were not served in full although goods were delivered, or no ask
              with a quantity can reach the node: the price is the buyers' limit
DEMAND_SHORT  no bid with a quantity, though asks can reach the node: the price is a quote
NO_TRADE      neither, or no bid meets the cheapest landed ask: the price is a quote

Method
------
A dual network simplex on the places. Prices start from the hint; any numbers will do. The nodes
form trees of indifferent lanes, each hanging on one partly used order, the one that sets its
prices. Where an order or lane is out of its range the tree is cut, and the prices of the cut
piece move, past whole orders if need be, until its excess demand is gone. Orders are never
sorted. A quota's rent is found by clearing its goods at trial rents: use falls with the rent.
"""

# The kernels carry no annotations: numba infers their types, and would ignore them.
# mypy: allow-untyped-defs, allow-untyped-calls
from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, cast

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

TICKS_PER_USD = 1e6
LOTS_PER_T = 1e9
LARGEST_PRICE_USD_PER_KG = 1e6
LARGEST_QUANTITY_T = 4e9  # of all orders of one good; their lots still fit 63 bits
KG_PER_T = 1e3
PIVOT_LIMIT = 10_000  # per good

# Scaled prices stay below 2^58, so that sums of them with the marks below stay apart in int64.
_INF = np.int64(1 << 61)  # no lane, no bound
_FINITE = np.int64(1 << 60)  # below it in size: a real bound
_DEAD = np.int64(1 << 60)  # price of a node without orders
_FARTHEST = np.int64(3 << 58)  # no real price step is as long
_UNLIMITED = np.int64(1 << 62)
_NO_STEP = np.int64(1 << 45)  # in ticks, beyond every limit: no further order
_RENT_UNIT = np.int64(4)  # rents move in quarters of a tick
_EMPTY, _FULL, _IN_TREE = 0, 1, 2  # state of a limited lane
_UNKNOWN, _INSIDE, _OUTSIDE = 0, 1, 2  # side of a node when a piece moves


def _record(*fields: str) -> np.dtype[Any]:
    return np.dtype([(field, np.int64) for field in fields])


# A node: its orders start at `first`; price p; the lane to its parent (`link`: the limited lane,
# or -1) carries `flow`; the next orders below (used up) and above (untouched) its price; at the
# root the partly used order, of which `step_used` lots are used. A demand node's "use" is what it
# leaves unserved, so that use rises with the price at every node.
_NODE = _record(
    *("first", "p", "parent", "link", "flow", "low", "high"),
    *("step_price", "step_lots", "step_used", "side", "reach", "extra"),
    *("reached", "delivered", "unserved", "balance", "code"),
)
_ARC = _record(
    *("tail", "head", "ticks", "cost", "lots", "state", "flow", "open", "carries", "gain")
)
_USED = _record("tail", "head", "flow", "has_room")

_NO_PLACE = np.zeros(0, dtype=np.int64)
_NO_QUOTA = np.zeros((0, 0), dtype=np.bool_)
_NO_RENT = np.zeros((1, 0), dtype=np.int64)
_WHOLE = np.ones(1)
_UNUSED = np.zeros(1)

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
_BID_PROBLEM = _BAD_BID_QUANTITY - _BAD_ASK_QUANTITY
_PROBLEMS = {
    _BAD_ASK_QUANTITY: "ask_quantity_t must be finite and not negative.",
    _BAD_ASK_LIMIT: "ask_limit_usd_per_kg must not be NaN.",
    _BAD_BID_QUANTITY: "bid_quantity_t must be finite and not negative.",
    _BAD_BID_LIMIT: "bid_limit_usd_per_kg must not be NaN.",
    _BAD_COST: "lane_cost_usd_per_kg must be a number, or inf where there is no lane.",
    _BAD_FLOW_LIMIT: "lane_limit_t must be a number not below 0, or inf where there is no limit.",
    _TOO_MUCH: "ask_quantity_t and bid_quantity_t of one good must sum to less than 4e9 t.",
}


def compiled[Kernel: Callable[..., Any]](kernel: Kernel) -> Kernel:
    """Compile a kernel; no fastmath and no threads, so that results are the same everywhere."""
    return cast(Kernel, njit(cache=True, error_model="numpy")(kernel))


class BookLayout(NamedTuple):
    """Static grouping of the orders by good and node; build it with :func:`book_layout`."""

    goods: int
    places: int
    buyer_classes: int
    asks: int
    bids: int
    good: np.ndarray  # 0, 1, ...
    node_start: np.ndarray  # [good * node + 1] first slot of each node
    slot_order: np.ndarray  # [slot] index of the ask or bid
    tie_weight: np.ndarray  # [origin, demand node]


class Quotas(NamedTuple):
    """Tonnage quotas, a row each; one rent per tonne for all goods and lanes it counts.

    Attributes
    ----------
    quota_goods
        ``[quota, good]`` bool, the goods it counts.
    quota_origin, quota_destination
        place codes; -1 counts any. Domestic lanes are never counted.
    quota_t
        tonnes per period.
    """

    quota_goods: np.ndarray
    quota_origin: np.ndarray
    quota_destination: np.ndarray
    quota_t: np.ndarray


class Clearing(NamedTuple):
    """Result of :func:`clear`; the module docstring defines the fields.

    Attributes
    ----------
    ask_fill_t, bid_fill_t
        ``[order]`` in the order given.
    flow_t, lane_rent_usd_per_kg
        ``[good, origin, demand node]``; rents on limited lanes, without the quotas' rents.
    netback_usd_per_kg, netback_low_usd_per_kg, netback_high_usd_per_kg
        ``[good, place]``.
    price_usd_per_kg, price_low_usd_per_kg, price_high_usd_per_kg
        ``[good, demand node]``, demand node = place * buyer classes + buyer class.
    quota_rent_usd_per_kg
        ``[quota]``.
    marginal_ask, marginal_bid
        ``[good, node]``, supply nodes first: the partly filled order that sets the node's price,
        directly or over lanes with room; of several at one limit the first; -1 if none.
    status
        ``[good, demand node]``.
    gap_relative, excess_demand_t, slackness_violation_usd, fallback
        ``[good]`` the certificate.
    node_price_usd_per_kg
        ``[good, node]`` netbacks, then prices: the best price hint for the next period.
    """

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


def no_quotas(goods: int) -> Quotas:
    """Return the empty list of quotas."""
    return Quotas(np.zeros((0, goods), dtype=np.bool_), _NO_PLACE, _NO_PLACE, np.zeros(0))


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
    slot = np.argsort(key, kind="stable")
    keys = np.arange(places) if place_key is None else np.asarray(place_key)
    return BookLayout(
        goods,
        places,
        buyer_classes,
        len(ask_good),
        len(bid_good),
        np.arange(goods),
        np.searchsorted(key[slot], np.arange(goods * nodes + 1)),
        np.where(slot < len(ask_good), slot, slot - len(ask_good)),
        _tie_weights(keys.astype(np.uint64), buyer_classes),
    )


def _codes(name: str, codes: np.ndarray, count: int) -> np.ndarray:
    result = np.asarray(codes, dtype=np.int64)
    if result.ndim != 1 or (result.size and (result.min() < 0 or result.max() >= count)):
        raise ValueError(f"{name} must be a vector of codes from 0 to {count - 1}.")
    return result


def _tie_weights(place_key: np.ndarray, buyer_classes: int) -> np.ndarray:
    """Hash both ends of every lane (splitmix64) to [2^30, 2^31), domestic lanes highest.

    The weights are taken off the costs far below a tick. They decide between optima only; that
    they differ by a hash makes a second tie, between sums of weights, as good as impossible.
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
        ``[order]``; an order of no quantity takes no part. Limits may be negative (disposal).
    lane_cost_usd_per_kg, lane_limit_t
        ``[good, origin, demand node]``.
    quotas
        tonnage quotas, if any.
    price_hint_usd_per_kg
        ``[good, node]``, best `node_price_usd_per_kg` of the month before. It can only change
        how long the search takes; NaN and nonsense are allowed.
    """
    goods, places = layout.goods, layout.places
    demands = places * layout.buyer_classes
    nodes = places + demands
    lanes = (goods, places, demands)
    asks, bids = (layout.asks,), (layout.bids,)
    market = (
        layout.node_start,
        layout.slot_order,
        layout.tie_weight,
        _array("ask_quantity_t", ask_quantity_t, asks),
        _array("ask_limit_usd_per_kg", ask_limit_usd_per_kg, asks),
        _array("bid_quantity_t", bid_quantity_t, bids),
        _array("bid_limit_usd_per_kg", bid_limit_usd_per_kg, bids),
        _array("lane_cost_usd_per_kg", lane_cost_usd_per_kg, lanes),
        _array("lane_limit_t", lane_limit_t, lanes),
        _array("price_hint_usd_per_kg", price_hint_usd_per_kg, (goods, nodes))
        if price_hint_usd_per_kg is not None
        else np.empty((0, nodes)),
    )
    ask_fill_t, bid_fill_t = np.zeros(asks), np.zeros(bids)
    flow_t, lane_rent = np.zeros(lanes), np.zeros(lanes)
    quoted = np.empty((3, goods, nodes))
    marginal = np.empty((2, goods, nodes), dtype=np.int64)
    status = np.empty((goods, demands), dtype=np.int8)
    certificate = np.empty((3, goods))
    fallback = np.zeros(goods, dtype=np.bool_)
    out = (
        *(ask_fill_t, bid_fill_t, flow_t, lane_rent, quoted),
        *(marginal, status, certificate, fallback),
    )
    free = (_NO_QUOTA, _NO_PLACE, _NO_PLACE, _NO_RENT, _WHOLE, _NO_PLACE)
    problem = _clear_goods(layout.good, *market, *free, PIVOT_LIMIT, *out, _UNUSED)
    if problem != _OK:
        raise ValueError(_PROBLEMS[problem])
    rent = np.zeros(0)
    if quotas is not None and len(quotas.quota_t):
        rent = _enforce(quotas, layout, market, out)
    price, low, high = quoted
    return Clearing(
        ask_fill_t,
        bid_fill_t,
        flow_t,
        price[:, :places],
        low[:, :places],
        high[:, :places],
        price[:, places:],
        low[:, places:],
        high[:, places:],
        lane_rent,
        rent,
        marginal[0],
        marginal[1],
        status,
        certificate[0],
        certificate[1],
        certificate[2],
        fallback,
        price,
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


def _array(name: str, values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    result = np.ascontiguousarray(values, dtype=np.float64)
    if result.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, not {result.shape}.")
    return result


@compiled
def _clear_goods(
    which, node_start, slot_order, tie_weight, ask_quantity_t, ask_limit, bid_quantity_t,
    bid_limit, lane_cost, lane_limit_t, hint, quota_goods, quota_origin, quota_destination,
    rents, weights, rent, pivot_limit, ask_fill_t, bid_fill_t, flow_t, lane_rent, quoted,
    marginal, status, certificate, fallback, use,
):  # fmt: skip
    """Clear the goods `which`; return a problem code.

    The programme is solved at every row of `rents` (parts of a tick, one column per quota) and
    the solutions are summed by weight; prices are quoted at `rent`. With no weights nothing is
    published: `use` gains the lots under each quota and, last, the value of the trade.
    """
    _, places, demands = lane_cost.shape
    nodes, lanes, slots = places + demands, places * demands, len(slot_order) + 1
    classes, quotas, solutions = demands // places, len(rent), len(rents)
    unit = np.int64(1) if quotas == 0 else _RENT_UNIT  # parts of a tick to count in
    price, lots = np.empty(slots, np.int64), np.empty(slots, np.int64)
    order = np.empty(slots, np.int64)
    node, arc = np.empty(nodes + 1, _NODE), np.empty(lanes, _ARC)
    used, carrying = np.empty(lanes, _USED), np.empty(lanes * solutions, _USED)
    ticks, cost = np.empty((places, demands), np.int64), np.empty((places, demands), np.int64)
    extra, charged = np.zeros((places, demands), np.int64), np.zeros((places, demands), np.int64)
    lower, upper = np.empty(nodes, np.int64), np.empty(nodes, np.int64)
    middle, masked = np.empty(nodes, np.int64), np.empty(demands, np.int64)
    for g in which:
        problem, asks, low_ask, top_ask = _read_side(
            0,
            g * nodes,
            0,
            places,
            unit,
            node_start,
            slot_order,
            ask_quantity_t,
            ask_limit,
            price,
            lots,
            order,
            node,
        )
        if problem != _OK:
            return problem
        problem, count, low_bid, top_bid = _read_side(
            asks,
            g * nodes,
            places,
            nodes,
            unit,
            node_start,
            slot_order,
            bid_quantity_t,
            bid_limit,
            price,
            lots,
            order,
            node,
        )
        if problem != _OK:
            return problem if problem == _TOO_MUCH else problem + _BID_PROBLEM
        lowest = min(low_ask, low_bid) if count > 0 else np.int64(0)
        highest = max(top_ask, top_bid) if count > 0 else np.int64(0)
        # from this cost on a lane is of no use
        useful = top_bid - low_ask + _RENT_UNIT if 0 < asks < count else -_NO_STEP
        problem, arcs, span = _read_lanes(
            g, useful, unit, lane_cost, lane_limit_t, node, ticks, arc
        )
        if problem != _OK:
            return problem
        # scaled prices: as fine as keeps them well below 2^58 (the pivots stop if one passes it)
        bound = max(abs(highest), abs(lowest)) + 2 * span
        if quotas > 0:
            bound += 2 * max(useful, 0)
            _charge(g, classes, quota_goods, quota_origin, quota_destination, rent, charged)
        shift = 57 - _bits(bound)
        tie_shift = 31 - max(1, min(31, shift - 2 - _bits(places // 2 + 2)))

        in_use, carried = 0, 0
        for turn in range(2):
            for m in range(solutions):
                if turn == 0 or solutions > 1:
                    if quotas > 0:
                        _charge(
                            g,
                            classes,
                            quota_goods,
                            quota_origin,
                            quota_destination,
                            rents[m],
                            extra,
                        )
                    for o in range(places):
                        for d in range(demands):
                            # a rent beyond all use would not fit once shifted
                            c = ticks[o, d] + extra[o, d]
                            cost[o, d] = (
                                (c << shift) - (tie_weight[o, d] >> tie_shift)
                                if c < useful
                                else _INF
                            )
                    for a in range(arcs):
                        o, d = arc[a].tail, arc[a].head - places
                        c = min(arc[a].ticks + extra[o, d], max(arc[a].ticks, useful))
                        arc[a].cost = (c << shift) - (tie_weight[o, d] >> tie_shift)
                    _start(
                        g,
                        places,
                        arcs,
                        useful,
                        shift,
                        lowest,
                        highest,
                        unit,
                        hint,
                        price,
                        lots,
                        cost,
                        node,
                        arc,
                    )
                    if _pivot(
                        places,
                        arcs,
                        useful,
                        shift,
                        pivot_limit,
                        price,
                        lots,
                        cost,
                        node,
                        arc,
                        masked,
                    ):
                        in_use = _read_tree(places, arcs, node, arc, used)
                    else:
                        fallback[g] = True
                        in_use = _trade_by_paths(
                            places, arcs, useful, shift, price, lots, cost, node, arc, used
                        )
                if turn == 0 and len(weights) == 0:
                    _count_use(
                        g,
                        places,
                        classes,
                        in_use,
                        arcs,
                        quota_goods,
                        quota_origin,
                        quota_destination,
                        price,
                        lots,
                        ticks,
                        node,
                        arc,
                        used,
                        use,
                    )
                elif turn == 0:
                    carried = _bound_prices(
                        m,
                        places,
                        in_use,
                        arcs,
                        carried,
                        ticks,
                        node,
                        arc,
                        used,
                        carrying,
                        lower,
                        upper,
                    )
                else:
                    _publish(
                        g,
                        places,
                        in_use,
                        arcs,
                        weights[m],
                        unit,
                        price,
                        lots,
                        order,
                        ticks,
                        charged,
                        node,
                        arc,
                        used,
                        middle,
                        ask_fill_t,
                        bid_fill_t,
                        flow_t,
                        marginal,
                        certificate,
                    )
            if len(weights) == 0:
                break
            if turn == 0:
                if quotas > 0:  # take back what was published without quotas
                    for s in range(node_start[g * nodes], node_start[g * nodes + nodes]):
                        if s < node_start[g * nodes + places]:
                            ask_fill_t[slot_order[s]] = 0.0
                        else:
                            bid_fill_t[slot_order[s]] = 0.0
                    flow_t[g] = 0.0
                    lane_rent[g] = 0.0
                _quote(
                    g,
                    places,
                    unit,
                    carried,
                    arcs,
                    ticks,
                    charged,
                    arc,
                    carrying,
                    lower,
                    upper,
                    middle,
                    lane_rent,
                    quoted,
                    certificate,
                )
        if len(weights) > 0:
            for d in range(demands):
                v = places + d
                if node[v].delivered:
                    status[g, d] = SUPPLY_SHORT if node[v].unserved else CLEARED
                elif node[v + 1].first > node[v].first:
                    status[g, d] = NO_TRADE if node[v].reached else SUPPLY_SHORT
                else:
                    status[g, d] = DEMAND_SHORT if node[v].reached else NO_TRADE
    return _OK


@compiled
def _ticks(price_usd_per_kg):
    capped = min(max(price_usd_per_kg, -LARGEST_PRICE_USD_PER_KG), LARGEST_PRICE_USD_PER_KG)
    return np.int64(np.rint(capped * TICKS_PER_USD))


@compiled
def _lots(quantity_t):
    # never more than was offered, but for the rounding of the product itself
    return np.int64(quantity_t * LOTS_PER_T * (1 + 4e-16) + 1e-5)


@compiled
def _bits(number):
    bits = 0
    while number > 0:
        number >>= 1
        bits += 1
    return bits


@compiled
def _charge(g, classes, quota_goods, quota_origin, quota_destination, rent, charged):
    """Write the sum of the rents of the quotas that count each lane."""
    for o in range(charged.shape[0]):
        for d in range(charged.shape[1]):
            charged[o, d] = 0
            for k in range(len(rent)):
                if _counts(
                    g, o, d // classes, quota_goods[k], quota_origin[k], quota_destination[k]
                ):
                    charged[o, d] += rent[k]


@compiled
def _counts(good, origin, destination, quota_goods, quota_origin, quota_destination):
    return (
        quota_goods[good]
        and origin != destination
        and (quota_origin < 0 or quota_origin == origin)
        and (quota_destination < 0 or quota_destination == destination)
    )


@compiled
def _read_side(
    count, first_node, begin, end, unit, node_start, slot_order, quantity_t, limit, price, lots,
    order, node,
):  # fmt: skip
    """Append the orders with a quantity of the nodes `begin` to `end`, in ticks and lots.

    Returns a problem code (of the asks), the number of orders so far and the range of limits.
    """
    lowest, highest, total_t = _NO_STEP, -_NO_STEP, 0.0
    for v in range(begin, end):
        node[v].first = count
        for s in range(node_start[first_node + v], node_start[first_node + v + 1]):
            i = slot_order[s]
            total_t += quantity_t[i]
            if not quantity_t[i] >= 0.0:
                return _BAD_ASK_QUANTITY, count, lowest, highest
            if np.isnan(limit[i]):
                return _BAD_ASK_LIMIT, count, lowest, highest
            if total_t > LARGEST_QUANTITY_T:
                return _TOO_MUCH, count, lowest, highest
            ticks = _ticks(limit[i]) * unit
            order[count], lots[count], price[count] = i, _lots(quantity_t[i]), ticks
            if lots[count] > 0:
                lowest, highest = min(lowest, ticks), max(highest, ticks)
                count += 1
    node[end].first = count
    return _OK, count, lowest, highest


@compiled
def _read_lanes(g, useful, unit, lane_cost, lane_limit_t, node, ticks, arc):
    """Split the lanes of one good into unlimited (`ticks`) and limited ones (`arc`).

    Returns a problem code, the number of limited lanes, and the span of the costs of use.
    """
    places, demands = ticks.shape
    arcs = 0
    low, high = np.int64(0), np.int64(0)
    for d in range(demands):
        v = places + d
        node[v].reached, node[v].delivered, node[v].unserved = 0, 0, 0
    for o in range(places):
        offers = node[o + 1].first > node[o].first
        for d in range(demands):
            c_usd, limit_t = lane_cost[g, o, d], lane_limit_t[g, o, d]
            if not c_usd > -np.inf:
                return _BAD_COST, arcs, low
            if not limit_t >= 0.0:
                return _BAD_FLOW_LIMIT, arcs, low
            ticks[o, d] = _INF
            if c_usd > 2 * LARGEST_PRICE_USD_PER_KG:
                continue
            c_usd = max(c_usd, -2 * LARGEST_PRICE_USD_PER_KG)
            c = np.int64(np.rint(c_usd * TICKS_PER_USD)) * unit
            if limit_t <= LARGEST_QUANTITY_T:
                arc[arcs].tail, arc[arcs].head, arc[arcs].ticks = o, places + d, c
                arc[arcs].lots = _lots(limit_t)
                if offers and arc[arcs].lots > 0:
                    node[places + d].reached = 1
                arcs += 1
            else:
                ticks[o, d] = c
                if offers:
                    node[places + d].reached = 1
            if c < useful:
                low, high = min(low, c), max(high, c)
    return _OK, arcs, high - low


@compiled
def _start(
    g, places, arcs, useful, shift, lowest, highest, unit, hint, price, lots, cost, node, arc
):  # fmt: skip
    """Make the hinted prices admissible and hang every demand node on its cheapest origin.

    Roots start with an order of no lots at their price, so that any prices can start the search.
    Nodes without orders get prices at which they can never join.
    """
    nodes = len(node) - 1
    demands = nodes - places
    guess = (lowest + highest) >> 1
    for v in range(nodes):
        p = guess
        if node[v + 1].first == node[v].first:
            node[v].p = _DEAD if v < places else -_DEAD
        else:
            if len(hint) > 0 and not np.isnan(hint[g, v]):
                p = min(max(_ticks(hint[g, v]) * unit, lowest), highest)
            node[v].p = p << shift
        node[v].parent = -1
    for d in range(demands):
        v = places + d
        best, origin = node[v].p, -1
        for o in range(places):
            landed = cost[o, d] + node[o].p
            if landed <= best:
                best, origin = landed, o
        node[v].p, node[v].parent = best, origin
    _join(places, shift, cost, node)
    for v in range(nodes):
        threshold = -((-node[v].p) >> shift)
        below, above = np.int64(0), np.int64(0)
        low, high = -_NO_STEP, _NO_STEP
        for s in range(node[v].first, node[v + 1].first):
            is_below = (price[s] - threshold) >> 63  # a mask, as the branch is unpredictable
            below += lots[s] & is_below
            above += lots[s] & ~is_below
            low = max(low, (price[s] & is_below) | (-_NO_STEP & ~is_below))
            high = min(high, (_NO_STEP & is_below) | (price[s] & ~is_below))
        node[v].low, node[v].high = low, high
        node[v].step_lots, node[v].step_price = 0, 0
        node[v].step_used = -below if v < places else above
        node[v].link, node[v].flow, node[v].extra = -1, 0, 0
    for a in range(arcs):
        tail, head = arc[a].tail, arc[a].head
        arc[a].state = _EMPTY
        live = abs(node[tail].p) < _DEAD and abs(node[head].p) < _DEAD
        if live and arc[a].ticks < useful and node[head].p - node[tail].p > arc[a].cost:
            arc[a].state = _FULL
            node[tail].step_used += arc[a].lots
            node[head].step_used -= arc[a].lots
    for v in range(nodes):
        if node[v].parent >= 0:
            node[v].extra, node[v].step_used = node[v].step_used, 0
    _settle(places, node)


@compiled
def _join(places, shift, cost, node):
    """Join trees that a lane connects to less than a tick: the hint has lost the tie weights."""
    nodes = len(node) - 1
    for v in range(nodes):
        node[v].side = v if node[v].parent < 0 else node[v].parent
    for r in range(places):
        if node[r].parent >= 0 or node[r].p == _DEAD:
            continue
        gap, tail, head = np.int64(1) << shift, -1, -1
        for o in range(places):
            if node[o].side == r:
                for d in range(nodes - places):
                    slack = cost[o, d] + node[o].p - node[places + d].p
                    if slack < gap and node[places + d].side != r:
                        gap, tail, head = slack, o, places + d
        if tail >= 0:
            tree = node[head].side
            for v in range(nodes):
                if node[v].side == r:
                    node[v].p -= gap
                    node[v].side = tree
            _hang(tail, r, head, -1, 0, node)


@compiled
def _hang(v, top, outer, link, flow, node):
    """Turn the path from v up to `top` around and hang v on the node `outer`."""
    while True:
        next_v, next_link, next_flow = node[v].parent, node[v].link, node[v].flow
        node[v].parent, node[v].link, node[v].flow = outer, link, flow
        if v == top:
            return
        outer, link, flow, v = v, next_link, next_flow, next_v


@compiled
def _settle(places, node):
    """Bring what each node lacks along its tree, from the order at the root."""
    for u in range(len(node) - 1):
        more = node[u].extra
        if more != 0:
            v = u
            while node[v].parent >= 0:
                node[v].flow += more if v >= places else -more
                v = node[v].parent
            node[v].step_used += more


@compiled
def _gap(rises, p, low, high, shift):
    """How far a price can move before it meets the node's next order."""
    if rises:
        return (high << shift) - p if high < _NO_STEP else _INF
    return p - (low << shift) if low > -_NO_STEP else _INF


@compiled
def _look_beyond(begin, end, step, upwards, price, lots):
    """Lots at the price `step`, and the next price beyond it."""
    sign = 1 if upwards else -1
    size, beyond, own = np.int64(0), _NO_STEP, sign * step
    for s in range(begin, end):  # masks instead of branches, which would be unpredictable
        x = sign * price[s]
        size += lots[s] & -np.int64(x == own)
        is_beyond = (own - x) >> 63
        beyond = min(beyond, (x & is_beyond) | (_NO_STEP & ~is_beyond))
    return size, sign * beyond


@compiled
def _pivot(places, arcs, useful, shift, limit, price, lots, cost, node, arc, masked):
    """Shift the prices of one piece of a tree at a time until every order and lane is in range.

    Returns whether that succeeded within `limit` pivots.
    """
    nodes = len(node) - 1
    demands = nodes - places
    for _ in range(limit):
        # the order or lane furthest out of its range leaves its tree
        missing, top = np.int64(0), -1
        for v in range(nodes):
            if node[v].parent < 0:
                beyond = max(-node[v].step_used, node[v].step_used - node[v].step_lots)
            else:
                beyond = -node[v].flow
                if node[v].link >= 0:
                    beyond = max(beyond, node[v].flow - arc[node[v].link].lots)
            if beyond > missing:
                missing, top = beyond, v
        if top < 0:
            return True

        # the piece below it lacks `missing` (its prices rise) or has it left over (they fall)
        above = node[top].parent
        if above < 0:
            rises = node[top].step_used > 0
            if node[top].step_lots > 0:
                if rises:
                    node[top].low = node[top].step_price
                else:
                    node[top].high = node[top].step_price
        else:
            rises = (node[top].flow > 0) == (top >= places)
            if node[top].link >= 0:
                arc[node[top].link].state = _FULL if node[top].flow > 0 else _EMPTY
        sign = 1 if rises else -1
        for v in range(nodes):
            node[v].side = _UNKNOWN
            node[v].extra = 0
        node[top].side = _INSIDE
        node[top].extra = sign * missing
        if above >= 0:
            node[above].extra = -sign * missing
        for v in range(nodes):
            w = v
            while node[w].side == _UNKNOWN and node[w].parent >= 0:
                w = node[w].parent
            side = _INSIDE if node[w].side == _INSIDE else _OUTSIDE
            w = v
            while w >= 0 and node[w].side == _UNKNOWN:
                node[w].side = side
                w = node[w].parent

        # how far until an order, an unlimited lane or a limited lane becomes indifferent?
        step_gap, step_at = _INF, -1
        for v in range(nodes):
            node[v].reach = _INF
            if node[v].side == _INSIDE:
                node[v].reach = _gap(rises, node[v].p, node[v].low, node[v].high, shift)
                if node[v].reach < step_gap:
                    step_gap, step_at = node[v].reach, v
        tails = _OUTSIDE if rises else _INSIDE
        for d in range(demands):
            masked[d] = -_INF if node[places + d].side == tails else node[places + d].p
        lane_gap, lane_tail = _FARTHEST, -1
        for o in range(places):
            if node[o].side == tails:
                least = _INF
                for d in range(demands):
                    least = min(least, cost[o, d] - masked[d])
                if least + node[o].p < lane_gap:
                    lane_gap, lane_tail = least + node[o].p, o
        enter, outer, entering, flow = -1, -1, -1, np.int64(0)
        while True:
            arc_gap, arc_at = _FARTHEST, -1
            for a in range(arcs):
                tail, head = arc[a].tail, arc[a].head
                if arc[a].state == _IN_TREE or node[tail].side == node[head].side:
                    continue
                # filling it from empty or emptying it from full brings the piece into balance
                if (node[head].side == _INSIDE) == (rises == (arc[a].state == _EMPTY)):
                    gap = abs(node[tail].p + arc[a].cost - node[head].p)
                    if gap < arc_gap and arc[a].ticks < useful:
                        arc_gap, arc_at = gap, a
            if step_at >= 0 and step_gap <= lane_gap and step_gap <= arc_gap:
                v, gap = step_at, step_gap
                step = node[v].high if rises else node[v].low
                size, beyond = _look_beyond(
                    node[v].first, node[v + 1].first, step, rises, price, lots
                )
                if rises:
                    node[v].high = beyond
                else:
                    node[v].low = beyond
                if missing <= size:
                    node[v].step_lots, node[v].step_price = size, step
                    node[v].step_used = 0 if rises else size
                    enter = v
                    break
                missing -= size
                node[v].extra -= sign * size
                if rises:
                    node[v].low = step
                else:
                    node[v].high = step
                node[v].reach = _gap(rises, node[v].p, node[v].low, node[v].high, shift)
                step_gap, step_at = _INF, -1
                for w in range(nodes):
                    if node[w].reach < step_gap:
                        step_gap, step_at = node[w].reach, w
            elif arc_at >= 0 and arc_gap < lane_gap:
                tail, head, size = arc[arc_at].tail, arc[arc_at].head, arc[arc_at].lots
                filling = arc[arc_at].state == _EMPTY
                if missing <= size:
                    arc[arc_at].state = _IN_TREE
                    enter, outer = (head, tail) if node[head].side == _INSIDE else (tail, head)
                    entering, flow, gap = arc_at, np.int64(0) if filling else size, arc_gap
                    break
                missing -= size
                arc[arc_at].state = _FULL if filling else _EMPTY
                node[head].extra -= size if filling else -size
                node[tail].extra += size if filling else -size
            elif lane_tail >= 0:
                d = 0
                while cost[lane_tail, d] - masked[d] + node[lane_tail].p != lane_gap:
                    d += 1
                gap = lane_gap
                enter, outer = (places + d, lane_tail) if rises else (lane_tail, places + d)
                break
            else:
                return False

        # shift the piece, hang it on what became indifferent, and settle what is missing
        for v in range(nodes):
            if node[v].side == _INSIDE:
                node[v].p += sign * gap
                if abs(node[v].p) > _FARTHEST >> 2:
                    return False
        _hang(enter, top, outer, entering, flow, node)
        _settle(places, node)
    return False


@compiled
def _read_tree(places, arcs, node, arc, used):
    """List the lanes in use, and the nodes whose only price is already known."""
    count = 0
    for a in range(arcs):
        arc[a].flow = 0
        if arc[a].state == _FULL and arc[a].lots > 0:
            arc[a].flow = arc[a].lots
            used[count].tail, used[count].head = arc[a].tail, arc[a].head
            used[count].flow, used[count].has_room = arc[a].flow, 0
            count += 1
    for v in range(len(node) - 1):
        u, flow = node[v].parent, node[v].flow
        if u >= 0:
            # off the root no order is partly used
            node[v].step_lots, node[v].step_used = 0, 0
        if u >= 0 and flow > 0:
            used[count].tail, used[count].head = (u, v) if v >= places else (v, u)
            used[count].flow, used[count].has_room = flow, 1
            if node[v].link >= 0:
                arc[node[v].link].flow = flow
                used[count].has_room = flow < arc[node[v].link].lots
            count += 1
    return count


@compiled
def _trade_by_paths(places, arcs, useful, shift, price, lots, cost, node, arc, used):
    """Solve by successive shortest paths: always the most profitable trade still possible.

    Slower than the pivots, but certain to end: every trade uses up an order or turns a lane.
    """
    nodes = len(node) - 1
    demands = nodes - places
    cost, flow = cost.copy(), np.zeros((places, demands), np.int64)
    room = np.full((places, demands), _UNLIMITED)
    for a in range(arcs):
        o, d = arc[a].tail, arc[a].head - places
        room[o, d] = arc[a].lots
        if arc[a].ticks < useful:
            cost[o, d] = arc[a].cost
    for v in range(nodes):
        node[v].step_price = -_NO_STEP if v < places else _NO_STEP
        node[v].step_used, node[v].step_lots = 0, 0
    while True:
        for v in range(nodes):
            begin, end = node[v].first, node[v + 1].first
            if node[v].step_used == node[v].step_lots:
                step = _look_beyond(begin, end, node[v].step_price, v < places, price, lots)[1]
                node[v].step_lots = _look_beyond(begin, end, step, True, price, lots)[0]
                node[v].step_price, node[v].step_used = step, 0
            sells = v < places and node[v].step_lots > 0
            node[v].reach = node[v].step_price << shift if sells else _INF
            node[v].parent = -1
        changed = True
        while changed:
            changed = False
            for o in range(places):
                for d in range(demands):
                    v, c = places + d, cost[o, d]
                    forward = c < _INF and flow[o, d] < room[o, d] and node[o].reach < _INF
                    if forward and node[o].reach + c < node[v].reach:
                        node[v].reach, node[v].parent, changed = node[o].reach + c, o, True
                    if flow[o, d] > 0 and node[v].reach - c < node[o].reach:
                        node[o].reach, node[o].parent, changed = node[v].reach - c, v, True
        gain, end = np.int64(0), -1
        for v in range(places, nodes):
            best = (node[v].step_price << shift) - node[v].reach
            if node[v].step_lots > 0 and node[v].reach < _INF and best > gain:
                gain, end = best, v
        if end < 0:
            break
        amount, v = node[end].step_lots - node[end].step_used, end
        while node[v].parent >= 0:
            u = node[v].parent
            free = room[u, v - places] - flow[u, v - places] if v >= places else flow[v, u - places]
            amount, v = min(amount, free), u
        amount = min(amount, node[v].step_lots - node[v].step_used)
        node[v].step_used += amount
        node[end].step_used += amount
        v = end
        while node[v].parent >= 0:
            u = node[v].parent
            if v >= places:
                flow[u, v - places] += amount
            else:
                flow[v, u - places] -= amount
            v = u
    for v in range(nodes):
        begin, end, step = node[v].first, node[v + 1].first, node[v].step_price
        before = _look_beyond(begin, end, step, v >= places, price, lots)[1]
        after = step
        if node[v].step_used > 0:
            after = _look_beyond(begin, end, step, v < places, price, lots)[1]
            if v >= places:
                node[v].step_used = node[v].step_lots - node[v].step_used
        else:
            node[v].step_lots = 0
        node[v].low, node[v].high = (before, after) if v < places else (after, before)
    for a in range(arcs):
        arc[a].flow = flow[arc[a].tail, arc[a].head - places]
    count = 0
    for o in range(places):
        for d in range(demands):
            if flow[o, d] > 0:
                used[count].tail, used[count].head = o, places + d
                used[count].flow, used[count].has_room = flow[o, d], flow[o, d] < room[o, d]
                count += 1
    return count


@compiled
def _count_use(
    g, places, classes, in_use, arcs, quota_goods, quota_origin, quota_destination, price, lots,
    ticks, node, arc, used, use,
):  # fmt: skip
    """Add the lots under each quota and, last, the value of the trade in ticks times lots.

    Terms are rounded to a grid on which their sum is exact, whatever the order of the terms: to
    add and take away a power of two this much larger than the sum cuts off what lies below it.
    """
    dearest, total = np.int64(1), np.int64(1)
    for s in range(node[0].first, node[len(node) - 1].first):
        dearest, total = max(dearest, abs(price[s])), total + lots[s]
    grid = 1.5 * 2.0 ** (np.ceil(np.log2(np.float64(dearest) * total)) + 4)
    value = 0.0
    for v in range(len(node) - 1):
        sign = -1.0 if v < places else 1.0
        for s in range(node[v].first, node[v + 1].first):
            if price[s] <= node[v].low if v < places else price[s] >= node[v].high:
                value += sign * ((np.float64(price[s]) * lots[s] + grid) - grid)
        taken = node[v].step_used if v < places else node[v].step_lots - node[v].step_used
        value += sign * ((np.float64(node[v].step_price) * taken + grid) - grid)
    for i in range(in_use):
        o, d, flow = used[i].tail, used[i].head - places, used[i].flow
        if ticks[o, d] < _INF:
            value -= (np.float64(ticks[o, d]) * flow + grid) - grid
        for k in range(len(quota_origin)):
            if _counts(g, o, d // classes, quota_goods[k], quota_origin[k], quota_destination[k]):
                use[k] += flow
    for a in range(arcs):
        value -= (np.float64(arc[a].ticks) * arc[a].flow + grid) - grid
    use[len(quota_origin)] += value


@compiled
def _bound_prices(
    m, places, in_use, arcs, carried, ticks, node, arc, used, carrying, lower, upper
):  # fmt: skip
    """Collect what solution m says of prices: high enough for what sold, and so on."""
    for v in range(len(lower)):
        low, high = node[v].low, node[v].high
        if node[v].step_used > 0:
            low = node[v].step_price
        if node[v].step_used < node[v].step_lots:
            high = node[v].step_price
        low = low if low > -_NO_STEP else -_INF
        high = high if high < _NO_STEP else _INF
        lower[v] = low if m == 0 else max(lower[v], low)
        upper[v] = high if m == 0 else min(upper[v], high)
    for i in range(in_use):
        if ticks[used[i].tail, used[i].head - places] < _INF:
            carrying[carried].tail, carrying[carried].head = used[i].tail, used[i].head
            carried += 1
    for a in range(arcs):
        if m == 0:
            arc[a].open, arc[a].carries = 0, 0
        arc[a].open |= arc[a].flow < arc[a].lots
        arc[a].carries |= arc[a].flow > 0
    return carried


@compiled
def _quote(
    g, places, unit, carried, arcs, ticks, charged, arc, carrying, lower, upper, middle,
    lane_rent, quoted, certificate,
):  # fmt: skip
    """Find the interval of optimal prices of every node, and the middle.

    p_d <= p_o + c on every lane with room, and equal on every lane in use.
    """
    nodes, demands = len(lower), len(lower) - places
    moved = True
    for _ in range(2 * nodes):
        if not moved:
            break
        settling = True
        # along the lanes in use first, which settles most nodes; where rents were rounded, bounds
        # can contradict each other round a ring and never settle: the certificate says by how much
        for _ in range(2 * nodes):
            if not settling:
                break
            settling = False
            for i in range(carried):
                o, v = carrying[i].tail, carrying[i].head
                c = ticks[o, v - places] + charged[o, v - places]
                low, high = max(lower[v], lower[o] + c), min(upper[o], upper[v] - c)
                if low != lower[v] or high != upper[o]:
                    lower[v], upper[o], settling = low, high, True
                low, high = max(lower[o], lower[v] - c), min(upper[v], upper[o] + c)
                if low != lower[o] or high != upper[v]:
                    lower[o], upper[v], settling = low, high, True
        moved = False
        for o in range(places):
            low, high = lower[o], upper[o]
            change = np.int64(0)
            for d in range(demands):
                c = ticks[o, d] + charged[o, d]
                low = max(low, lower[places + d] - c)
                top = min(upper[places + d], high + c)
                change |= top ^ upper[places + d]
                upper[places + d] = top
            moved |= change != 0 or low != lower[o]
            lower[o] = low
        for a in range(arcs):
            o, v = arc[a].tail, arc[a].head
            c = arc[a].ticks + charged[o, v - places]
            if arc[a].open and (lower[v] - c > lower[o] or upper[o] + c < upper[v]):
                moved = True
                lower[o], upper[v] = max(lower[o], lower[v] - c), min(upper[v], upper[o] + c)
            if arc[a].carries and (lower[o] + c > lower[v] or upper[v] - c < upper[o]):
                moved = True
                lower[v], upper[o] = max(lower[v], lower[o] + c), min(upper[o], upper[v] - c)

    # the middle; a node without orders is quoted from its neighbours, first the origins (at what
    # the dearest buyer would leave them), then the demand nodes (at the cheapest landed price)
    for v in range(nodes):
        if lower[v] > upper[v]:  # only where a rent between two quarters of a tick was rounded
            lower[v] = (lower[v] + upper[v]) >> 1
            upper[v] = lower[v]
        below, above = lower[v] > -_FINITE, upper[v] < _FINITE
        middle[v] = _INF if v < places else -_INF
        if below and above:
            middle[v] = lower[v] + upper[v]
        elif below:
            middle[v] = -_INF if v < places else 2 * lower[v]
        elif above:
            middle[v] = 2 * upper[v] if v < places else _INF
    for o in range(places):
        if upper[o] >= _FINITE:
            for d in range(demands):
                if ticks[o, d] < _INF and lower[places + d] > -_FINITE:
                    landed = middle[places + d] - 2 * (ticks[o, d] + charged[o, d])
                    middle[o] = max(middle[o], landed)
    for a in range(arcs):
        o, v = arc[a].tail, arc[a].head
        if arc[a].open and upper[o] >= _FINITE and lower[v] > -_FINITE:
            landed = middle[v] - 2 * (arc[a].ticks + charged[o, v - places])
            middle[o] = max(middle[o], landed)
    for v in range(places, nodes):
        if lower[v] <= -_FINITE and upper[v] < _FINITE:
            d = v - places
            for o in range(places):
                if ticks[o, d] < _INF and abs(middle[o]) < _FINITE:
                    middle[v] = min(middle[v], middle[o] + 2 * (ticks[o, d] + charged[o, d]))
            for a in range(arcs):
                o = arc[a].tail
                if arc[a].open and arc[a].head == v and abs(middle[o]) < _FINITE:
                    middle[v] = min(middle[v], middle[o] + 2 * (arc[a].ticks + charged[o, d]))

    arbitrage = np.int64(0)
    for o in range(places):
        for d in range(demands):
            c = ticks[o, d] + charged[o, d]
            arbitrage = max(arbitrage, middle[places + d] - middle[o] - 2 * c)
    money = 2 * unit * TICKS_PER_USD
    for v in range(nodes):
        quoted[0, g, v] = middle[v] / money if abs(middle[v]) < _FINITE else np.nan
        quoted[1, g, v] = 2 * lower[v] / money if lower[v] > -_FINITE else -np.inf
        quoted[2, g, v] = 2 * upper[v] / money if upper[v] < _FINITE else np.inf
    for a in range(arcs):
        o, v = arc[a].tail, arc[a].head
        arc[a].gain = middle[v] - middle[o] - 2 * (arc[a].ticks + charged[o, v - places])
        if arc[a].gain > 0:
            lane_rent[g, o, v - places] = arc[a].gain / money
    certificate[0, g], certificate[1, g] = 0.0, 0.0
    certificate[2, g] = arbitrage / money * KG_PER_T


@compiled
def _publish(
    g, places, in_use, arcs, weight, unit, price, lots, order, ticks, charged, node, arc, used,
    middle, ask_fill_t, bid_fill_t, flow_t, marginal, certificate,
):  # fmt: skip
    """Add one solution, by its weight, to fills and flows, and certify it against the prices.

    The certificate is exact: whole ticks times whole lots, in arithmetic modulo 2^64.
    """
    nodes = len(middle)
    ask_primal, ask_dual, ask_worst = _fill(
        0, places, 1, weight, price, lots, order, node, middle, ask_fill_t
    )
    primal, dual, worst = _fill(
        places, nodes, -1, weight, price, lots, order, node, middle, bid_fill_t
    )
    primal, dual, worst = primal + ask_primal, dual + ask_dual, max(worst, ask_worst)
    for i in range(in_use):
        o, v, flow = used[i].tail, used[i].head, used[i].flow
        flow_t[g, o, v - places] += weight * (flow / LOTS_PER_T)
        node[o].balance -= flow
        node[v].balance -= flow
        node[v].delivered = 1
        if ticks[o, v - places] < _INF:
            c = 2 * (ticks[o, v - places] + charged[o, v - places])
            primal -= c * flow
            if middle[o] + c > middle[v]:
                worst = max(worst, np.float64(middle[o] + c - middle[v]) * flow)
    for a in range(arcs):
        o, v = arc[a].tail, arc[a].head
        primal -= 2 * (arc[a].ticks + charged[o, v - places]) * arc[a].flow
        dual += max(arc[a].gain, 0) * arc[a].lots
        missed = arc[a].lots - arc[a].flow if arc[a].gain > 0 else arc[a].flow
        if missed > 0 and arc[a].gain != 0:
            worst = max(worst, np.float64(abs(arc[a].gain)) * missed)

    # the order that sets the price, known to every node it is tied to by lanes with room
    changed = True
    while changed:
        changed = False
        for i in range(in_use):
            o, v = used[i].tail, used[i].head
            if used[i].has_room and node[o].code != node[v].code:
                code = max(node[o].code, node[v].code)
                node[o].code, node[v].code, changed = code, code, True
    excess = np.int64(0)
    for v in range(nodes):
        excess = max(excess, abs(node[v].balance))
        marginal[0, g, v], marginal[1, g, v] = -1, -1
        if node[v].code >= 0:
            marginal[node[v].code & 1, g, v] = node[v].code >> 1
    if dual != primal:
        dearest, total = np.int64(1), np.int64(1)  # whole, so that no order of terms matters
        for s in range(node[0].first, node[nodes].first):
            dearest, total = max(dearest, abs(price[s])), total + lots[s]
        scale = 2.0 * dearest * total
        certificate[0, g] += weight * abs(np.float64(dual - primal)) / scale
    certificate[1, g] += excess / LOTS_PER_T
    money = 2 * unit * TICKS_PER_USD * LOTS_PER_T
    certificate[2, g] = max(certificate[2, g], worst / money * KG_PER_T)


@compiled
def _fill(begin, end, sign, weight, price, lots, order, node, middle, fill_t):
    """Fill the orders of the nodes `begin` to `end`: asks (sign 1) or bids (sign -1).

    Returns their part of the primal and of the dual value, and the largest violation, all in half
    ticks times lots.
    """
    primal, dual, worst = np.int64(0), np.int64(0), 0.0
    for v in range(begin, end):
        size = node[v].step_lots
        step = node[v].step_price if size > 0 else _NO_STEP
        taken = node[v].step_used if sign > 0 else size - node[v].step_used
        # filled in full: asks at most at `bar`, bids at least; that is, signed, at most `bar`
        bar = node[v].low if sign > 0 else -node[v].high
        mid, own = sign * middle[v], sign * step
        traded, best, wrong = taken, _INF, np.int64(0)
        for s in range(node[v].first, node[v + 1].first):
            limit = sign * price[s]
            gain = mid - 2 * limit
            # masks instead of branches, which would be unpredictable: -1 filled, 0 not
            is_full = (limit - bar - 1) >> 63
            full = lots[s] & is_full
            dual += (gain & ~(gain >> 63)) * lots[s]
            primal -= 2 * limit * full
            traded += full
            best = min(best, limit)
            wrong = max(wrong, ((gain ^ is_full) - is_full) * np.int64(limit != own))
            fill_t[order[s]] += weight * (full / LOTS_PER_T)
        node[v].code = -1
        if size > 0:
            share = taken / size
            for s in range(node[v].first, node[v + 1].first):
                if price[s] == step:
                    part = np.float64(taken) if lots[s] == size else lots[s] * share
                    fill_t[order[s]] += weight * (part / LOTS_PER_T)
                    code = 2 * order[s] + (0 if sign > 0 else 1)
                    if 0 < taken < size and (node[v].code < 0 or code < node[v].code):
                        node[v].code = code
            gain = mid - 2 * own
            missed = size - taken if gain > 0 else taken
            if gain != 0 and missed > 0:
                worst = max(worst, np.float64(abs(gain)) * missed)
        if wrong > 0:
            for s in range(node[v].first, node[v + 1].first):
                gain = mid - 2 * sign * price[s]
                missed = np.int64(0) if sign * price[s] <= bar else lots[s]
                missed = missed if gain > 0 else lots[s] - missed
                if price[s] != step:
                    worst = max(worst, np.float64(abs(gain)) * missed)
        primal -= 2 * own * taken
        node[v].balance = traded
        if sign < 0 and not (best <= bar or (best == own and taken == size)):
            node[v].unserved = 1
    return primal, dual, worst


def _enforce(
    quotas: Quotas, layout: BookLayout, market: tuple[Any, ...], out: tuple[Any, ...]
) -> np.ndarray:
    """Find the rents at which every quota is kept, and publish the goods concerned again."""
    covers = np.ascontiguousarray(quotas.quota_goods, dtype=np.bool_)
    origin = np.ascontiguousarray(quotas.quota_origin, dtype=np.int64)
    destination = np.ascontiguousarray(quotas.quota_destination, dtype=np.int64)
    quota_t = np.asarray(quotas.quota_t, dtype=np.float64)
    count = len(quota_t)
    if covers.shape != (count, layout.goods) or not origin.shape == destination.shape == (count,):
        raise ValueError("quotas must have one row per quota and one column per good.")
    if not (quota_t >= 0).all():
        raise ValueError("quota_t must be a number not below 0.")
    lots = np.floor(np.minimum(quota_t, LARGEST_QUANTITY_T) * LOTS_PER_T * (1 + 4e-16) + 1e-5)
    used = _used_t(covers, origin, destination, layout.buyer_classes, out[2]) * LOTS_PER_T
    rent_usd_per_kg = np.zeros(count)
    for group in _groups(covers):
        if (used[group] <= lots[group] + 0.5).all():
            continue
        rule = (covers[group], origin[group], destination[group])
        which = np.flatnonzero(rule[0].any(axis=0))

        def solve(
            rents: list[int], rule: tuple[np.ndarray, ...] = rule, which: np.ndarray = which
        ) -> np.ndarray:
            use = np.zeros(len(rents) + 1)
            row = np.array([rents], dtype=np.int64)
            trial: Any = (*market, *rule, row, np.zeros(0), row[0], PIVOT_LIMIT, *out, use)
            _clear_goods(which, *trial)
            return use

        search = _search_one if len(group) == 1 else _search_several
        rents, weights, rent = search(solve, lots[group], _top_rent(market))
        mix = (np.array(rents, dtype=np.int64), np.array(weights), np.array(rent, dtype=np.int64))
        final: Any = (*market, *rule, *mix, PIVOT_LIMIT, *out, _UNUSED)
        _clear_goods(which, *final)
        rent_usd_per_kg[group] = np.array(rent) / (int(_RENT_UNIT) * TICKS_PER_USD)
    return rent_usd_per_kg


def _used_t(
    covers: np.ndarray,
    origin: np.ndarray,
    destination: np.ndarray,
    buyer_classes: int,
    flow_t: np.ndarray,
) -> np.ndarray:
    """Tonnes counted by each quota."""
    goods, places, _ = flow_t.shape
    to_place_t = flow_t.reshape(goods, places, places, buyer_classes).sum(axis=3)
    to_place_t[:, np.arange(places), np.arange(places)] = 0
    used_t = np.zeros(len(origin))
    for k in range(len(origin)):
        tails = slice(None) if origin[k] < 0 else slice(origin[k], origin[k] + 1)
        heads = slice(None) if destination[k] < 0 else slice(destination[k], destination[k] + 1)
        used_t[k] = to_place_t[covers[k]][:, tails, heads].sum()
    return used_t


def _groups(covers: np.ndarray) -> list[list[int]]:
    """Quotas that share goods, directly or through others, must be searched together."""
    groups: list[tuple[list[int], np.ndarray]] = []
    for k in range(len(covers)):
        members, reach = [k], covers[k]
        apart = []
        for other, other_reach in groups:
            if (other_reach & reach).any():
                members, reach = other + members, reach | other_reach
            else:
                apart.append((other, other_reach))
        groups = [*apart, (members, reach)]
    return [sorted(members) for members, _ in groups]


def _top_rent(market: tuple[Any, ...]) -> int:
    """No trade is worth this rent; in quarters of a tick, odd."""
    ask_limit, bid_limit, cost = market[4], market[6], market[7]
    most = LARGEST_PRICE_USD_PER_KG
    top = min(most, bid_limit.max(initial=-most))
    least = max(-most, ask_limit.min(initial=most)) + max(-2 * most, cost.min(initial=0.0))
    return 4 * int(np.ceil(max(0.0, top - least) * TICKS_PER_USD)) + 5


Solve = Callable[[list[int]], np.ndarray]
Found = tuple[list[list[int]], list[float], list[int]]


def _search_one(solve: Solve, limit_lots: np.ndarray, top: int) -> Found:
    """Find the rent of one quota: try the slope between two solutions until they are neighbours.

    Limits are whole ticks, so use changes at whole or half ticks of rent only. Trials at odd
    quarters avoid every tie; between two neighbouring ones lies at most one change, where each
    mix of the two solutions is optimal: the marginal step is shared pro rata.
    """
    limit = limit_lots[0]
    low, high = -1, top
    (low_use, low_value), (high_use, high_value) = solve([low]), solve([high])
    while high - low > 2 and low_use > limit > high_use:
        width = high - low
        near = 2 * round((low_value - high_value) / (low_use - high_use) / 2)
        for trial in (near + 1, near - 1, None):
            if trial is None:  # the slope may fail to halve the range
                if 2 * (high - low) <= width or high - low <= 2:
                    break
                trial = (low + high) // 4 * 2 + 1
            if low < trial < high:
                use, value = solve([trial])
                if use > limit:
                    low, low_use, low_value = trial, use, value
                else:
                    high, high_use, high_value = trial, use, value
                if use == limit:
                    break
    if low_use <= limit:  # kept without a rent after all
        return [[low]], [1.0], [0]
    if high_use == limit:
        return _rent_plateau(solve, limit, low, high, top)
    share = (limit - high_use) / (low_use - high_use)
    return [[low], [high]], [share, 1.0 - share], [low + 1]


def _rent_plateau(solve: Solve, limit: float, low: int, high: int, top: int) -> Found:
    """Return the middle of the rents at which just the quota is used; the least if all above."""
    first, last = high, high
    while first - low > 2:
        trial = (low + first) // 4 * 2 + 1
        trial = min(max(trial, low + 2), first - 2)
        if solve([trial])[0] == limit:
            first = trial
        else:
            low = trial
    if limit == 0:
        return [[first]], [1.0], [first - 1]
    while top - last > 2:
        trial = (last + top) // 4 * 2 + 1
        trial = min(max(trial, last + 2), top - 2)
        if solve([trial])[0] == limit:
            last = trial
        else:
            top = trial
    return [[first]], [1.0], [(first + last) // 2]


def _search_several(solve: Solve, limit_lots: np.ndarray, top: int) -> Found:
    """Find the rents of quotas that share goods (Dantzig and Wolfe 1960).

    The mix of solutions worth most within all quotas is a small linear programme; its duals are
    the rents at which the next solution is sought, until none improves the mix.
    """
    count = len(limit_lots)
    right = np.append(limit_lots / LOTS_PER_T, 1.0)
    # the search runs with quotas a milligram or so looser, or those of 0 t would make it cycle
    looser = right + 1e-9 * np.append(np.sqrt(np.arange(2.0, count + 2.0)), 0.0)
    dearest = [top] * count
    *use, worth = solve(dearest) / LOTS_PER_T
    columns: list[list[int] | None] = [dearest] + [None] * count  # None: slack of a quota
    basis = np.roll(np.eye(count + 1), 1, axis=1)  # rows: use of each quota, share of a solution
    basis[:count, 0] = use
    value = np.append(worth, np.zeros(count))
    for _ in range(1000):
        weights = np.linalg.solve(basis, looser)
        dual = np.linalg.solve(basis.T, value)
        rent = dual[:count]
        slack = int(np.argmin(rent))
        entering: list[int] | None = None
        if rent[slack] < -1e-3:
            column, worth = np.eye(count + 1)[slack], 0.0
        else:
            entering = [2 * round((max(r, 0.0) - 1) / 2) + 1 for r in rent]
            *use, worth = solve(entering) / LOTS_PER_T
            column = np.append(use, 1.0)
            gain = worth - dual @ column
            if entering in columns or gain <= 1e-13 * (abs(worth) + abs(dual) @ column):
                break
        change = np.linalg.solve(basis, column)
        usable = change > 1e-9 * np.abs(change).max()
        steps = np.maximum(weights, 0.0) / np.where(usable, change, 1.0)
        leaving = int(np.argmin(np.where(usable, steps, np.inf)))
        columns[leaving], basis[:, leaving], value[leaving] = entering, column, worth
    weights = np.maximum(np.linalg.solve(basis, right), 0.0)
    weights /= sum(weights[i] for i in range(count + 1) if columns[i] is not None)
    mixed = [
        (list(column), float(weight))
        for column, weight in zip(columns, weights, strict=True)
        if column is not None and weight > 1e-13
    ]
    return [c for c, _ in mixed], [w for _, w in mixed], [max(0, round(r)) for r in rent]
