"""Successive shortest paths: slower than the simplex, but certain to end and to settle every tie.

The most profitable trade still possible is always taken, so every trade uses up an order or turns
a lane. Of trades equal in whole grains the one whose lanes weigh most goes first, by all the bits
of their tie weights, of which the costs hold but the leading ones. The result is written as the
simplex would: trees of lanes with room, each hanging on the order it uses in part.
"""

# mypy: allow-untyped-defs, allow-untyped-calls
from __future__ import annotations

import numpy as np

from rare_market.clearing.jit import compiled, compiled_with_arrays
from rare_market.clearing.problem import (
    ARC,
    FAR,
    FLOW,
    HIGH,
    INF,
    INSIDE,
    LOW,
    PARENT,
    PRICE,
    ROOM,
    STEP,
    UNLIMITED,
)
from rare_market.clearing.simplex import EMPTY, FULL, IN_TREE, look_beyond


@compiled_with_arrays
def trade_by_paths(good, tables):
    """Solve one good; see :func:`rare_market.clearing.simplex.search`."""
    places, nodes, inner, arcs = good.places, good.nodes, good.inner, good.arcs
    order, node, arc = tables.order, tables.node, tables.arc
    demands = nodes - places
    shape = places, demands
    cost, room = np.empty(shape, np.int64), np.empty(shape, np.int64)
    flow = np.zeros(shape, np.int64)
    for o in range(places):
        for d in range(demands):
            cost[o, d], room[o, d] = tables.cost[o, d], UNLIMITED
    for a in range(arcs):
        o, d = arc[a].tail, arc[a].head - places
        cost[o, d], room[o, d] = arc[a].cost, arc[a].lots
    step, size, used = (
        np.empty(nodes, np.int64),
        np.zeros(nodes, np.int64),
        np.zeros(nodes, np.int64),
    )
    # limit and costs of the cheapest way to a node, and the weight of its lanes
    reach, weight = np.empty(nodes, np.int64), np.empty(nodes, np.int64)
    parent = np.empty(nodes, np.int64)
    for v in range(nodes):
        step[v] = -FAR if v < places else FAR
    while True:
        for v in range(nodes):  # asks are taken from the cheapest on, bids from the dearest
            sign = 1 if v < places else -1
            if used[v] == size[v]:
                step[v] = look_beyond(v, step[v], sign, order, node)[1]
                size[v], used[v] = look_beyond(v, step[v], sign, order, node)[0], 0
            reach[v] = step[v] if v < places and size[v] > 0 else INF
            parent[v], weight[v] = v, 0
        changed = True
        while changed:
            changed = False
            for o in range(places):
                for d in range(demands):
                    v, c, w = places + d, cost[o, d], tables.weight[inner + o, d]
                    saved, heavier = reach[v] - reach[o] - c, weight[o] + w - weight[v]
                    forward = c < INF and flow[o, d] < room[o, d] and reach[o] < INF
                    if forward and _better(saved, heavier):
                        reach[v], weight[v] = reach[o] + c, weight[o] + w
                        parent[v], changed = o, True
                    elif flow[o, d] > 0 and reach[v] < INF and _better(-saved, -heavier):
                        reach[o], weight[o] = reach[v] - c, weight[v] - w
                        parent[o], changed = v, True
        gain, heavier, buyer = np.int64(0), np.int64(0), -1
        for v in range(places, nodes):
            more = step[v] - reach[v]
            if size[v] > 0 and reach[v] < INF and _better(more - gain, weight[v] - heavier):
                gain, heavier, buyer = more, weight[v], v
        if buyer < 0:
            break
        amount, v = size[buyer] - used[buyer], buyer
        while parent[v] != v:
            u = parent[v]
            free = room[u, v - places] - flow[u, v - places] if v >= places else flow[v, u - places]
            amount, v = min(amount, free), u
        amount = min(amount, size[v] - used[v])
        used[v] += amount
        used[buyer] += amount
        v = buyer
        while parent[v] != v:
            u = parent[v]
            if v >= places:
                flow[u, v - places] += amount
            else:
                flow[v, u - places] -= amount
            v = u
    _write(cost, flow, room, step, size, used, arcs, order, node, arc)


@compiled
def _better(saved, heavier):
    """Compare by price first, then by the weight of the lanes."""
    return saved > 0 or (saved == 0 and heavier > 0)


@compiled
def _write(cost, flow, room, step, size, used, arcs, order, node, arc):
    """Hang the nodes on the orders used in part, along the lanes with room both ways."""
    places, demands = flow.shape
    nodes = places + demands
    for v in range(nodes):
        sign = 1 if v < places else -1
        node[LOW, v] = look_beyond(v, step[v], -1, order, node)[1]
        node[HIGH, v] = look_beyond(v, step[v], 1, order, node)[1]
        partly = 0 < used[v] < size[v]
        if not partly:
            if (used[v] > 0) == (sign > 0):
                node[LOW, v] = step[v]
            else:
                node[HIGH, v] = step[v]
        node[PARENT, v], node[ARC, v], node[STEP, v], node[PRICE, v] = v, -1, step[v], step[v]
        node[ROOM, v] = size[v] if partly else 0
        node[FLOW, v] = (used[v] if sign > 0 else size[v] - used[v]) if partly else 0
        node[INSIDE, v] = partly
    for a in range(arcs):
        o, d = arc[a].tail, arc[a].head - places
        arc[a].state = FULL if flow[o, d] == arc[a].lots else EMPTY
    # grow the trees from these orders, then from one node of each piece without such an order
    for root in range(-1, nodes):
        if root >= 0:
            if node[INSIDE, root]:
                continue
            node[INSIDE, root] = 1
        changed = True
        while changed:
            changed = False
            for o in range(places):
                for d in range(demands):
                    v = places + d
                    if node[INSIDE, o] == node[INSIDE, v] or not 0 < flow[o, d] < room[o, d]:
                        continue
                    child, parent = (v, o) if node[INSIDE, o] else (o, v)
                    node[INSIDE, child], changed = 1, True
                    node[PARENT, child], node[FLOW, child] = parent, flow[o, d]
                    node[ROOM, child] = room[o, d]
                    node[PRICE, child] = node[PRICE, parent] + (
                        cost[o, d] if child == v else -cost[o, d]
                    )
                    for a in range(arcs):
                        if arc[a].tail == o and arc[a].head == v:
                            node[ARC, child], arc[a].state = a, IN_TREE
    for v in range(nodes):  # names of the trees
        root = v
        while node[PARENT, root] != root:
            root = node[PARENT, root]
        node[INSIDE, v] = root
