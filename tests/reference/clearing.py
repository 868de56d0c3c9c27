"""The clearing of one good, written to be read: cancel losing cycles, in exact fractions.

Money and goods make one circulation. A root node stands for the world outside the market:
an ask is an arc root -> origin at its limit, a lane an arc origin -> demand node at its cost, a bid
an arc demand node -> root at minus its limit. Welfare is minus the cost of the circulation, so it
is largest when no cycle of arcs with room left has negative cost (Klein 1967). Then

    highest price at a node = cheapest way of getting one more tonne there from the root,
    lowest price at a node  = what the root would pay for one tonne from there,

both measured along arcs with room left: the two ends of the interval of market prices.

It shares no idea with rare_market.clearing but the problem itself. Orders at the same limit
and node are merged first and share their step pro rata at the end.
"""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from math import inf, isinf
from typing import NamedTuple

import numpy as np


class ReferenceClearing(NamedTuple):
    welfare: Fraction  # USD/kg times t
    ask_fill_t: list[Fraction]
    bid_fill_t: list[Fraction]
    flow_t: dict[tuple[int, int], Fraction]
    price_low: list[Fraction | float]  # supply nodes, then demand nodes
    price_high: list[Fraction | float]


class Arc(NamedTuple):
    tail: int
    head: int
    cost: Fraction
    room: Fraction | float


def clear_good(asks, bids, lane_cost, lane_limit) -> ReferenceClearing:
    """Clear `asks` (place, quantity, limit) against `bids` (node, quantity, limit)."""
    places, demands = len(lane_cost), len(lane_cost[0])
    root = places + demands
    ask_steps, bid_steps = _steps(asks), _steps(bids)
    arcs = [Arc(root, place, limit, total) for (place, limit), total in ask_steps.items()]
    arcs += [Arc(places + node, root, -limit, total) for (node, limit), total in bid_steps.items()]
    lanes = [
        (o, d)
        for o in range(places)
        for d in range(demands)
        if lane_cost[o][d] < inf and lane_limit[o][d] > 0
    ]
    for o, d in lanes:
        room = inf if isinf(lane_limit[o][d]) else Fraction(lane_limit[o][d])
        arcs.append(Arc(o, places + d, Fraction(lane_cost[o][d]), room))

    used = [Fraction(0)] * len(arcs)
    while cycle := _losing_cycle(arcs, used, root + 1):
        amount = min(arcs[i].room - used[i] if forward else used[i] for i, forward in cycle)
        for i, forward in cycle:
            used[i] += amount if forward else -amount

    step_use = dict(zip([*ask_steps], used, strict=False))
    bid_use = dict(zip([*bid_steps], used[len(ask_steps) :], strict=False))
    lane_use = used[len(ask_steps) + len(bid_steps) :]
    return ReferenceClearing(
        welfare=-sum((arc.cost * x for arc, x in zip(arcs, used, strict=True)), Fraction(0)),
        ask_fill_t=_share(asks, ask_steps, step_use),
        bid_fill_t=_share(bids, bid_steps, bid_use),
        flow_t=dict(zip(lanes, lane_use, strict=True)),
        price_low=[
            -x if not isinf(x) else -inf for x in _distances(arcs, used, root, backward=True)[:root]
        ],
        price_high=_distances(arcs, used, root, backward=False)[:root],
    )


def _steps(orders):
    """Total quantity of each (node, limit)."""
    steps = defaultdict(Fraction)
    for node, quantity, limit in orders:
        if quantity > 0:
            steps[int(node), Fraction(limit)] += Fraction(quantity)
    return dict(steps)


def _share(orders, steps, use):
    """Each order's part of what its step traded."""
    fills = []
    for node, quantity, limit in orders:
        key = int(node), Fraction(limit)
        fills.append(Fraction(quantity) * use[key] / steps[key] if quantity > 0 else Fraction(0))
    return fills


def _residual(arcs, used):
    """Arcs with room left, both ways: (tail, head, cost, arc, forward)."""
    for i, (arc, x) in enumerate(zip(arcs, used, strict=True)):
        if x < arc.room:
            yield arc.tail, arc.head, arc.cost, i, True
        if x > 0:
            yield arc.head, arc.tail, -arc.cost, i, False


def _losing_cycle(arcs, used, nodes):
    """A cycle of negative cost with room all along it, or nothing (Bellman-Ford)."""
    residual = list(_residual(arcs, used))
    distance = [Fraction(0)] * nodes
    reached_by = [None] * nodes
    relaxed = None
    for _ in range(nodes):
        relaxed = None
        for tail, head, cost, i, forward in residual:
            if distance[tail] + cost < distance[head]:
                distance[head] = distance[tail] + cost
                reached_by[head] = (tail, i, forward)
                relaxed = head
        if relaxed is None:
            return []
    for _ in range(nodes):  # walk back far enough to be on the cycle
        relaxed = reached_by[relaxed][0]
    cycle, node = [], relaxed
    while not cycle or node != relaxed:
        tail, i, forward = reached_by[node]
        cycle.append((i, forward))
        node = tail
    return cycle


def _distances(arcs, used, root, *, backward):
    """Cheapest ways from the root to every node, or (backward) from every node to the root."""
    distance = [inf] * (root + 1)
    distance[root] = Fraction(0)
    changed = True
    while changed:
        changed = False
        for tail, head, cost, _, _ in _residual(arcs, used):
            a, b = (head, tail) if backward else (tail, head)
            if distance[a] + cost < distance[b]:
                distance[b] = distance[a] + cost
                changed = True
    return distance


def clear_reference(market) -> list[ReferenceClearing]:
    """Clear every good of a `tests.strategies.Market` without quotas."""
    results = []
    for good in range(market.goods):
        asks = [
            (market.ask_place[i], market.ask_quantity_t[i], market.ask_limit_usd_per_kg[i])
            for i in np.flatnonzero(market.ask_good == good)
        ]
        bids = [
            (market.bid_node[i], market.bid_quantity_t[i], market.bid_limit_usd_per_kg[i])
            for i in np.flatnonzero(market.bid_good == good)
        ]
        results.append(
            clear_good(
                asks,
                bids,
                market.lane_cost_usd_per_kg[good].tolist(),
                market.lane_limit_t[good].tolist(),
            )
        )
    return results
