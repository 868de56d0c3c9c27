"""The clearing of one month: prices, fills and flows of every good between all places."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

CLEARED, NO_TRADE, SUPPLY_SHORT, DEMAND_SHORT = range(4)
STATUS_NAMES = ("cleared", "no trade", "supply short", "demand short")

TICKS_PER_USD = 1e6  # limits and costs are rounded to millionths of a USD/kg
LOTS_PER_T = 1e9  # quantities are cut to whole milligrams
LARGEST_PRICE_USD_PER_KG = 1e6  # limits beyond it (a market order) count as it
LARGEST_QUANTITY_T = 4e9  # all orders of one side and good; 2^62 lots
KG_PER_T = 1e3

_INF = np.int64(1) << np.int64(61)
_UNLIMITED = np.int64(1) << np.int64(62)
_PARTS = 4  # rents move in quarters of a tick

_OK, _BAD_QUANTITY, _BAD_LIMIT, _BAD_COST, _BAD_FLOW_LIMIT, _TOO_MUCH = range(6)


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
        hint = np.full((goods, nodes), np.nan)

    ask_fill_t, bid_fill_t = np.zeros(layout.asks), np.zeros(layout.bids)
    flow_t, lane_rent = np.zeros(lanes), np.zeros(lanes)
    mid, low, high = (np.empty((goods, nodes)) for _ in range(3))
    marginal_ask = np.full((goods, nodes), -1)
    marginal_bid = np.full((goods, nodes), -1)
    status = np.zeros((goods, demands), dtype=np.int8)
    gap, excess, slackness = np.zeros(goods), np.zeros(goods), np.zeros(goods)
    fallback = np.zeros(goods, dtype=np.bool_)

    market = (
        layout.node_start,
        layout.slot_order,
        layout.tie_weight,
        ask_quantity_t,
        ask_limit_usd_per_kg,
        bid_quantity_t,
        bid_limit_usd_per_kg,
        cost,
        limit,
        hint,
    )
    out = (
        ask_fill_t,
        bid_fill_t,
        flow_t,
        lane_rent,
        mid,
        low,
        high,
        marginal_ask,
        marginal_bid,
        status,
        gap,
        excess,
        slackness,
        fallback,
    )
    everything = np.arange(goods)
    none = np.zeros(0, dtype=np.int64)
    no_rule = (np.zeros((0, goods), dtype=np.bool_), none, none)
    no_rent = np.zeros((1, 0), dtype=np.int64)
    problem = _clear_goods(
        market, no_rule, everything, no_rent, np.ones(1), none, out, np.zeros(1)
    )
    if problem:
        raise ValueError(_PROBLEMS[problem])
    rent = np.zeros(0)
    if quotas is not None and len(quotas.quota_t):
        rent = _enforce(quotas, layout, market, out)
    return Clearing(
        ask_fill_t,
        bid_fill_t,
        flow_t,
        mid[:, :places],
        low[:, :places],
        high[:, :places],
        mid[:, places:],
        low[:, places:],
        high[:, places:],
        lane_rent,
        rent,
        marginal_ask,
        marginal_bid,
        status,
        gap,
        excess,
        slackness,
        fallback,
        mid,
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
    _BAD_QUANTITY: "ask_quantity_t and bid_quantity_t must be finite and not negative.",
    _BAD_LIMIT: "ask_limit_usd_per_kg and bid_limit_usd_per_kg must not be NaN.",
    _BAD_COST: "lane_cost_usd_per_kg must be a number or inf (no lane).",
    _BAD_FLOW_LIMIT: "lane_limit_t must be a number not below 0, or inf (unlimited).",
    _TOO_MUCH: "The quantities of one side of one good must stay below 4e9 t.",
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
def _ticks(price_usd_per_kg):
    capped = min(max(price_usd_per_kg, -LARGEST_PRICE_USD_PER_KG), LARGEST_PRICE_USD_PER_KG)
    return np.int64(np.rint(capped * TICKS_PER_USD))


@njit(cache=True)
def _lots(quantity_t):
    scaled = quantity_t * LOTS_PER_T
    # whole lots, never more than was offered but for the rounding of the product itself
    return np.int64(scaled * (1 + 4e-16) + 1e-5)


@njit(cache=True)
def _bits(number):
    bits = 0
    while number > 0:
        number >>= 1
        bits += 1
    return bits


@njit(cache=True)
def _clear_goods(market, quotas, which, rents, weights, rent, out, use):
    """Clear the goods `which` at each row of `rents`, sum the solutions by weight and publish.

    Rents are quarters of a tick, one column per quota; `rent` is the one prices are quoted at.
    With no weights nothing is published: `use` receives the lots each quota counts, and the value.
    """
    quota_goods, quota_origin, quota_destination = quotas
    count = len(quota_origin)
    (node_start, slot_order, tie_weight, ask_q, ask_l, bid_q, bid_l, cost_in, limit_in, hint) = market
    (ask_fill, bid_fill, flow_t, lane_rent, mid, low, high, marginal_ask, marginal_bid, status,
     gap, excess, slackness, fallback) = out
    goods, places, demands = cost_in.shape
    buyer_classes = demands // places
    nodes = places + demands
    slots = len(slot_order)
    price = np.empty(slots, np.int64)
    lots = np.empty(slots, np.int64)
    who = np.empty(slots, np.int64)
    first = np.empty(nodes + 1, np.int64)
    ticks = np.empty((places, demands), np.int64)
    cost = np.empty((places, demands), np.int64)
    scaled = np.empty((places, demands), np.int64)
    cap = np.empty((places, demands), np.int64)
    flow = np.empty((places, demands), np.int64)
    margin = np.empty(nodes, np.int64)
    margin_fill = np.empty(nodes, np.int64)
    margin_lots = np.empty(nodes, np.int64)
    lower = np.empty(nodes, np.int64)
    upper = np.empty(nodes, np.int64)
    own_lower = np.empty(nodes, np.int64)
    own_upper = np.empty(nodes, np.int64)
    middle = np.empty(nodes, np.int64)
    carries = np.empty((places, demands), np.bool_)
    open_lane = np.empty((places, demands), np.bool_)
    for position in range(len(which)):
        g = which[position]
        # --- orders, in ticks and lots, empty ones left out
        k = 0
        largest = np.int64(0)
        top_bid = -_INF
        low_ask = _INF
        for v in range(nodes):
            first[v] = k
            side = 0.0
            for s in range(node_start[g * nodes + v], node_start[g * nodes + v + 1]):
                i = slot_order[s]
                q = ask_q[i] if v < places else bid_q[i]
                p = ask_l[i] if v < places else bid_l[i]
                if not (q >= 0.0 and q < np.inf):
                    return _BAD_QUANTITY
                if p != p:
                    return _BAD_LIMIT
                side += q
                if side > LARGEST_QUANTITY_T / places:
                    return _TOO_MUCH
                who[k] = i
                lots[k] = _lots(q)
                price[k] = _ticks(p)
                if lots[k] > 0:
                    largest = max(largest, abs(price[k]))
                    if v < places:
                        low_ask = min(low_ask, price[k])
                    else:
                        top_bid = max(top_bid, price[k])
                    k += 1
        first[nodes] = k
        # --- lanes
        useless = max(np.int64(0), top_bid - low_ask) + 1 if top_bid > -_INF and low_ask < _INF else np.int64(0)
        span_low, span_high = np.int64(0), np.int64(0)
        for o in range(places):
            for d in range(demands):
                c = cost_in[g, o, d]
                u = limit_in[g, o, d]
                if not c > -np.inf:
                    return _BAD_COST
                if not u >= 0.0:
                    return _BAD_FLOW_LIMIT
                ticks[o, d] = _INF
                cost[o, d] = _INF
                cap[o, d] = _UNLIMITED if u > LARGEST_QUANTITY_T else _lots(u)
                if c <= 2 * LARGEST_PRICE_USD_PER_KG:
                    t = np.int64(np.rint(max(c, -2 * LARGEST_PRICE_USD_PER_KG) * TICKS_PER_USD))
                    ticks[o, d] = t
                    if cap[o, d] > 0 and t < useless:
                        cost[o, d] = t
                        span_low, span_high = min(span_low, t), max(span_high, t)
        # --- scale: ticks << shift leaves room for the tie weights
        bound = largest + (places + 2) * (span_high - span_low)
        if count > 0:
            bound += (places + 2) * 2 * largest
        shift = min(61 - _bits(bound), 36)
        weight_bits = shift - 2 - _bits(places // 2 + 2)
        # --- solutions
        for v in range(nodes):
            lower[v], upper[v] = -_INF, _INF
        for o in range(places):
            for d in range(demands):
                carries[o, d] = False
                open_lane[o, d] = False
        for s in range(node_start[g * nodes], node_start[(g + 1) * nodes]):
            if s < node_start[g * nodes + places]:
                ask_fill[slot_order[s]] = 0.0
            else:
                bid_fill[slot_order[s]] = 0.0
        flow_t[g] = 0.0
        lane_rent[g] = 0.0
        for m in range(len(rents)):
            for o in range(places):
                for d in range(demands):
                    if cost[o, d] < _INF:
                        scaled[o, d] = (cost[o, d] << shift) - (
                            tie_weight[o, d] >> (31 - weight_bits)
                        ) + (_rent(quotas, buyer_classes, g, o, d, rents[m]) << (shift - 2))
                    else:
                        scaled[o, d] = _INF
            _paths(
                places, demands, first, price, lots, scaled, cap, shift,
                flow, margin, margin_fill, margin_lots,
            )
            if len(weights) == 0:
                _count_use(
                    quotas, buyer_classes, g, places, demands, first, price, lots, ticks, flow,
                    margin, margin_fill, margin_lots, use,
                )
                continue
            share = weights[m]
            if share == 0.0:
                continue
            for v in range(nodes):
                sign = 1 if v < places else -1
                for s in range(first[v], first[v + 1]):
                    gain = sign * (margin[v] - price[s])
                    if gain > 0:
                        filled = np.float64(lots[s])
                        lower[v] = max(lower[v], price[s]) if v < places else lower[v]
                        upper[v] = min(upper[v], price[s]) if v >= places else upper[v]
                    elif gain == 0:
                        if lots[s] == margin_lots[v]:
                            filled = np.float64(margin_fill[v])
                        else:
                            filled = lots[s] * (margin_fill[v] / margin_lots[v])
                        if margin_fill[v] > 0:
                            lower[v] = max(lower[v], price[s]) if v < places else lower[v]
                            upper[v] = min(upper[v], price[s]) if v >= places else upper[v]
                        if margin_fill[v] < margin_lots[v]:
                            upper[v] = min(upper[v], price[s]) if v < places else upper[v]
                            lower[v] = max(lower[v], price[s]) if v >= places else lower[v]
                    else:
                        filled = 0.0
                        upper[v] = min(upper[v], price[s]) if v < places else upper[v]
                        lower[v] = max(lower[v], price[s]) if v >= places else lower[v]
                    if v < places:
                        ask_fill[who[s]] += share * (filled / LOTS_PER_T)
                    else:
                        bid_fill[who[s]] += share * (filled / LOTS_PER_T)
            for o in range(places):
                for d in range(demands):
                    flow_t[g, o, d] += share * (flow[o, d] / LOTS_PER_T)
                    carries[o, d] |= flow[o, d] > 0
                    open_lane[o, d] |= ticks[o, d] < _INF and flow[o, d] < cap[o, d]
        if len(weights) == 0:
            continue
        # --- the interval of prices, in quarters of a tick
        for v in range(nodes):
            lower[v] = lower[v] * 4 if lower[v] > -_INF else -_INF
            upper[v] = upper[v] * 4 if upper[v] < _INF else _INF
        for o in range(places):
            for d in range(demands):
                if ticks[o, d] < _INF:
                    ticks[o, d] = ticks[o, d] * 4 + _rent(quotas, buyer_classes, g, o, d, rent)
        for v in range(nodes):
            own_lower[v], own_upper[v] = lower[v], upper[v]
        _relax(places, demands, lower, upper, ticks, carries, open_lane)
        _middle(places, demands, lower, upper, own_lower, own_upper, ticks, open_lane, middle)
        _publish(
            g, places, demands, first, price, lots, who, ticks, cap, carries, open_lane, lower, upper, middle,
            margin, margin_fill, margin_lots, ask_fill, bid_fill, flow_t, lane_rent, mid, low, high,
            marginal_ask, marginal_bid, status, gap, excess, slackness,
        )
    return _OK


@njit(cache=True)
def _relax(places, demands, lower, upper, ticks, carries, open_lane):
    """Close the bounds over the lanes: p_d <= p_o + c where open, >= where used."""
    for _ in range(2 * (places + demands)):
        changed = False
        for o in range(places):
            for d in range(demands):
                c = ticks[o, d]
                v = places + d
                if open_lane[o, d]:
                    if lower[v] > -_INF and lower[v] - c > lower[o]:
                        lower[o] = lower[v] - c
                        changed = True
                    if upper[o] < _INF and upper[o] + c < upper[v]:
                        upper[v] = upper[o] + c
                        changed = True
                if carries[o, d]:
                    if lower[o] > -_INF and lower[o] + c > lower[v]:
                        lower[v] = lower[o] + c
                        changed = True
                    if upper[v] < _INF and upper[v] - c < upper[o]:
                        upper[o] = upper[v] - c
                        changed = True
        if not changed:
            break


@njit(cache=True)
def _middle(places, demands, lower, upper, own_lower, own_upper, ticks, open_lane, middle):
    """Midpoints in eighths of a tick; nodes open on one side are quoted from their neighbours."""
    nodes = places + demands
    for v in range(nodes):
        if lower[v] > -_INF and upper[v] < _INF:
            middle[v] = lower[v] + upper[v]
        elif lower[v] > -_INF:
            middle[v] = 2 * own_lower[v] if own_lower[v] > -_INF else -_INF
        else:
            middle[v] = 2 * own_upper[v] if own_upper[v] < _INF else _INF
    for side in range(2):
        changed = True
        while changed:
            changed = False
            for o in range(places):
                for d in range(demands):
                    v = places + d
                    if not open_lane[o, d]:
                        continue
                    c = 2 * ticks[o, d]
                    if side == 0 and upper[o] == _INF and lower[o] > -_INF and lower[v] > -_INF:
                        if middle[v] - c > middle[o]:
                            middle[o] = middle[v] - c
                            changed = True
                    if side == 1 and lower[v] == -_INF and upper[v] < _INF and upper[o] < _INF:
                        if middle[o] + c < middle[v]:
                            middle[v] = middle[o] + c
                            changed = True
                    if side == 1 and lower[v] == -_INF and upper[v] < _INF and upper[o] == _INF:
                        if lower[o] > -_INF and middle[o] + c < middle[v]:
                            middle[v] = middle[o] + c
                            changed = True


@njit(cache=True)
def _publish(
    g, places, demands, first, price, lots, who, ticks, cap, carries, open_lane, lower, upper, middle,
    margin, margin_fill, margin_lots, ask_fill, bid_fill, flow_t, lane_rent, mid, low, high,
    marginal_ask, marginal_bid, status, gap, excess, slackness,
):
    nodes = places + demands
    for v in range(nodes):
        low[g, v] = lower[v] / (4 * TICKS_PER_USD) if lower[v] > -_INF else -np.inf
        high[g, v] = upper[v] / (4 * TICKS_PER_USD) if upper[v] < _INF else np.inf
        mid[g, v] = middle[v] / (8 * TICKS_PER_USD) if abs(middle[v]) < _INF else np.nan
    primal, dual, worst = 0.0, 0.0, 0.0
    for v in range(nodes):
        sign = 1.0 if v < places else -1.0
        for s in range(first[v], first[v + 1]):
            filled = ask_fill[who[s]] if v < places else bid_fill[who[s]]
            quantity = lots[s] / LOTS_PER_T
            limit = price[s] / TICKS_PER_USD
            surplus = sign * (mid[g, v] - limit)
            primal -= sign * limit * filled
            if surplus > 0:
                dual += surplus * quantity
                worst = max(worst, surplus * (quantity - filled))
            else:
                worst = max(worst, -surplus * filled)
    for o in range(places):
        for d in range(demands):
            v = places + d
            f = flow_t[g, o, d]
            if ticks[o, d] < _INF:
                c = ticks[o, d] / (4 * TICKS_PER_USD)
                rent = mid[g, v] - mid[g, o] - c
                if not rent == rent:
                    rent = 0.0
                primal -= c * f
                if cap[o, d] < _UNLIMITED:
                    u = cap[o, d] / LOTS_PER_T
                    if rent > 0:
                        lane_rent[g, o, d] = rent
                        dual += rent * u
                        worst = max(worst, rent * (u - f))
                elif rent > 0:
                    worst = max(worst, rent)
                if rent < 0:
                    worst = max(worst, -rent * f)
    for v in range(nodes):
        total = 0.0
        for s in range(first[v], first[v + 1]):
            total += ask_fill[who[s]] if v < places else bid_fill[who[s]]
        if v < places:
            for d in range(demands):
                total -= flow_t[g, v, d]
        else:
            for o in range(places):
                total -= flow_t[g, o, v - places]
        excess[g] = max(excess[g], abs(total))
    gap[g] = abs(dual - primal) / max(1.0, abs(primal), abs(dual))
    slackness[g] = worst * KG_PER_T
    # marginal orders: spread from every partly filled order over the used lanes
    for v in range(nodes):
        marginal_ask[g, v] = -1
        marginal_bid[g, v] = -1
        for s in range(first[v], first[v + 1]):
            filled = ask_fill[who[s]] if v < places else bid_fill[who[s]]
            if filled > 0 and filled < lots[s] / LOTS_PER_T:
                if v < places:
                    if marginal_ask[g, v] < 0 or who[s] < marginal_ask[g, v]:
                        marginal_ask[g, v] = who[s]
                elif marginal_bid[g, v] < 0 or who[s] < marginal_bid[g, v]:
                    marginal_bid[g, v] = who[s]
    for _ in range(nodes):
        changed = False
        for o in range(places):
            for d in range(demands):
                if carries[o, d] and open_lane[o, d]:
                    v = places + d
                    if marginal_ask[g, o] != marginal_ask[g, v]:
                        best = max(marginal_ask[g, o], marginal_ask[g, v])
                        marginal_ask[g, o] = best
                        marginal_ask[g, v] = best
                        changed = True
                    if marginal_bid[g, o] != marginal_bid[g, v]:
                        best = max(marginal_bid[g, o], marginal_bid[g, v])
                        marginal_bid[g, o] = best
                        marginal_bid[g, v] = best
                        changed = True
        if not changed:
            break
    # status
    for d in range(demands):
        v = places + d
        delivered = 0.0
        reachable = False
        for o in range(places):
            delivered += flow_t[g, o, d]
            if ticks[o, d] < _INF and cap[o, d] > 0 and first[o + 1] > first[o]:
                reachable = True
        top = -_INF
        for s in range(first[v], first[v + 1]):
            top = max(top, price[s])
        short = False
        for s in range(first[v], first[v + 1]):
            if price[s] == top and bid_fill[who[s]] < lots[s] / LOTS_PER_T:
                short = True
        if first[v + 1] == first[v]:
            status[g, d] = DEMAND_SHORT if reachable else NO_TRADE
        elif delivered > 0:
            status[g, d] = SUPPLY_SHORT if short else CLEARED
        else:
            status[g, d] = NO_TRADE if reachable else SUPPLY_SHORT


@njit(cache=True)
def _paths(
    places, demands, first, price, lots, cost, cap, shift, flow, margin, margin_fill, margin_lots,
):
    """Successive shortest paths: always the most profitable trade still possible."""
    nodes = places + demands
    count = first[nodes]
    step_price = np.empty(count, np.int64)
    step_lots = np.empty(count, np.int64)
    last = np.empty(nodes, np.int64)  # one past the node's last step
    at = np.empty(nodes, np.int64)  # its current step
    used = np.zeros(nodes, np.int64)  # lots used of the current step
    for v in range(nodes):
        n = first[v]
        sign = 1 if v < places else -1
        order = np.argsort(sign * price[first[v] : first[v + 1]])
        for j in order:
            s = first[v] + j
            if n > first[v] and step_price[n - 1] == price[s]:
                step_lots[n - 1] += lots[s]
            else:
                step_price[n] = price[s]
                step_lots[n] = lots[s]
                n += 1
        at[v] = first[v]
        last[v] = n
    dist = np.empty(nodes, np.int64)
    via = np.empty(nodes, np.int64)
    for o in range(places):
        for d in range(demands):
            flow[o, d] = 0
    while True:
        for v in range(nodes):
            dist[v] = _INF
            via[v] = -1
            if v < places and at[v] < last[v]:
                dist[v] = step_price[at[v]] << shift
        changed = True
        while changed:
            changed = False
            for o in range(places):
                if dist[o] >= _INF:
                    continue
                for d in range(demands):
                    if cost[o, d] < _INF and flow[o, d] < cap[o, d]:
                        reach = dist[o] + cost[o, d]
                        if reach < dist[places + d]:
                            dist[places + d] = reach
                            via[places + d] = o
                            changed = True
            for d in range(demands):
                if dist[places + d] >= _INF:
                    continue
                for o in range(places):
                    if flow[o, d] > 0:
                        reach = dist[places + d] - cost[o, d]
                        if reach < dist[o]:
                            dist[o] = reach
                            via[o] = places + d
                            changed = True
        best, end = np.int64(0), -1
        for d in range(demands):
            v = places + d
            if at[v] < last[v] and dist[v] < _INF:
                gain = (step_price[at[v]] << shift) - dist[v]
                if gain > best:
                    best, end = gain, v
        if end < 0:
            break
        amount = step_lots[at[end]] - used[end]
        v = end
        while via[v] >= 0:
            u = via[v]
            if v >= places:
                amount = min(amount, cap[u, v - places] - flow[u, v - places])
            else:
                amount = min(amount, flow[v, u - places])
            v = u
        amount = min(amount, step_lots[at[v]] - used[v])
        start = v
        v = end
        while via[v] >= 0:
            u = via[v]
            if v >= places:
                flow[u, v - places] += amount
            else:
                flow[v, u - places] -= amount
            v = u
        for v in (start, end):
            used[v] += amount
            if used[v] == step_lots[at[v]]:
                at[v] += 1
                used[v] = 0
    for v in range(nodes):
        none = -_INF if v < places else _INF
        if used[v] > 0:
            j = at[v]
            margin[v], margin_fill[v], margin_lots[v] = step_price[j], used[v], step_lots[j]
        elif at[v] > first[v]:
            j = at[v] - 1
            margin[v], margin_fill[v], margin_lots[v] = step_price[j], step_lots[j], step_lots[j]
        else:
            margin[v], margin_fill[v], margin_lots[v] = none, 0, 0


@njit(cache=True)
def _counts(quotas, k, buyer_classes, g, o, d):
    quota_goods, quota_origin, quota_destination = quotas
    destination = d // buyer_classes
    return (
        quota_goods[k, g]
        and o != destination
        and (quota_origin[k] < 0 or quota_origin[k] == o)
        and (quota_destination[k] < 0 or quota_destination[k] == destination)
    )


@njit(cache=True)
def _rent(quotas, buyer_classes, g, o, d, rent):
    total = np.int64(0)
    for k in range(len(rent)):
        if _counts(quotas, k, buyer_classes, g, o, d):
            total += rent[k]
    return total


@njit(cache=True)
def _count_use(
    quotas, buyer_classes, g, places, demands, first, price, lots, ticks, flow,
    margin, margin_fill, margin_lots, use,
):
    """Add the tonnes under each quota and, last, the value of the good's trade, in tick lots."""
    count = len(quotas[1])
    for v in range(places + demands):
        sign = -1.0 if v < places else 1.0
        for s in range(first[v], first[v + 1]):
            gain = sign * (price[s] - margin[v])
            if gain > 0:
                use[count] += sign * price[s] * lots[s]
        if margin_fill[v] > 0:
            use[count] += sign * margin[v] * margin_fill[v]
    for o in range(places):
        for d in range(demands):
            if flow[o, d] > 0:
                use[count] -= np.float64(ticks[o, d]) * flow[o, d]
                for k in range(count):
                    if _counts(quotas, k, buyer_classes, g, o, d):
                        use[k] += flow[o, d]


def _enforce(quotas: Quotas, layout: BookLayout, market, out) -> np.ndarray:
    """Find the rents at which every quota is kept, and publish the goods concerned again."""
    goods = layout.goods
    rule = (
        np.ascontiguousarray(quotas.quota_goods, dtype=np.bool_),
        np.ascontiguousarray(quotas.quota_origin, dtype=np.int64),
        np.ascontiguousarray(quotas.quota_destination, dtype=np.int64),
    )
    quota_t = np.asarray(quotas.quota_t, dtype=np.float64)
    count = len(quota_t)
    if rule[0].shape != (count, goods) or len(rule[1]) != count or len(rule[2]) != count:
        raise ValueError("quotas must have one row per quota and one column per good.")
    if not (quota_t >= 0).all():
        raise ValueError("quota_t must be a number not below 0.")
    lots = np.floor(np.minimum(quota_t, LARGEST_QUANTITY_T) * LOTS_PER_T * (1 + 4e-16) + 1e-5)
    rent_usd_per_kg = np.zeros(count)
    used_t = _used_t(rule, layout.buyer_classes, out[2])
    if (used_t * LOTS_PER_T <= lots + 0.5).all():
        return rent_usd_per_kg
    for group in _groups(rule[0]):
        if (used_t[group] * LOTS_PER_T <= lots[group] + 0.5).all():
            continue
        part = tuple(np.ascontiguousarray(field[group]) for field in rule)
        which = np.flatnonzero(part[0].any(axis=0))

        def solve(rents, part=part, which=which):
            use = np.zeros(len(part[1]) + 1)
            rents = np.asarray([rents], dtype=np.int64)
            _clear_goods(market, part, which, rents, np.zeros(0), rents[0], out, use)
            return use[:-1], use[-1]

        search = _search_one if len(group) == 1 else _search_several
        rents, weights, rent = search(solve, lots[group], _top_rent(market))
        _clear_goods(
            market, part, which, np.asarray(rents, dtype=np.int64).reshape(len(weights), -1),
            np.asarray(weights), np.asarray(rent, dtype=np.int64), out, np.zeros(len(group) + 1),
        )
        rent_usd_per_kg[group] = np.asarray(rent) / (_PARTS * TICKS_PER_USD)
    return rent_usd_per_kg


def _used_t(rule, buyer_classes, flow_t):
    """Tonnes counted by each quota."""
    goods, places, demands = flow_t.shape
    to_place = flow_t.reshape(goods, places, places, buyer_classes).sum(axis=3)
    to_place[:, np.arange(places), np.arange(places)] = 0
    used = np.zeros(len(rule[1]))
    for k, (covers, origin, destination) in enumerate(zip(*rule, strict=True)):
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
    ask_l, bid_l, cost = market[4], market[6], market[7]
    cheap = ask_l.min(initial=0.0) + min(0.0, cost.min(initial=0.0))
    top = min(LARGEST_PRICE_USD_PER_KG, bid_l.max(initial=0.0)) - max(
        -2 * LARGEST_PRICE_USD_PER_KG, cheap
    )
    return 2 * int(np.ceil(top * TICKS_PER_USD * _PARTS / 2)) + 3


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
        slope = (low_value - high_value) / (low_use - high_use) * _PARTS
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
    """Find the rents of quotas that share goods: Dantzig-Wolfe, one column per solution."""
    count = len(limit)
    scale = max(1.0, float(np.max(limit)))
    columns = [[top] * count] + [None] * count  # None: the slack of a quota
    use = np.zeros((count + 1, count))
    value = np.zeros(count + 1)
    use[0], value[0] = solve(columns[0])
    for k in range(count):
        use[k + 1, k] = 1.0
    convex = np.array([1.0] + [0.0] * count)
    right = np.append(limit, 1.0)
    rent = np.zeros(count)
    for _ in range(500):
        basis = np.vstack([use.T, convex])
        weights = np.linalg.solve(basis, right)
        dual = np.linalg.solve(basis.T, value)
        rent = dual[:-1]
        entering = None
        negative = int(np.argmin(rent))
        if rent[negative] < -1e-6:
            entering, new_use, new_value, new_convex = None, np.eye(count)[negative], 0.0, 0.0
        else:
            point = [2 * round((r * _PARTS - 1) / 2) + 1 for r in np.maximum(rent, 0.0)]
            new_use, new_value = solve(point)
            gain = new_value - rent @ new_use - dual[-1]
            if gain <= 1e-12 * max(1.0, abs(new_value), abs(dual[-1])) + 0.5 * scale * 1e-9:
                break
            entering, new_convex = point, 1.0
        column = np.linalg.solve(basis, np.append(new_use, new_convex))
        steps = np.where(column > 1e-9, np.maximum(weights, 0.0) / np.maximum(column, 1e-9), np.inf)
        out_row = int(np.argmin(steps))
        columns[out_row], use[out_row], value[out_row] = entering, new_use, new_value
        convex[out_row] = new_convex
    kept = [i for i in range(count + 1) if columns[i] is not None and weights[i] > 1e-12]
    total = sum(float(weights[i]) for i in kept)
    rents = [columns[i] for i in kept]
    return rents, [float(weights[i]) / total for i in kept], [
        max(0, round(r * _PARTS)) for r in rent
    ]
