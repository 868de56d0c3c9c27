"""The search: a dual network simplex on the places, started from hinted prices.

The nodes form trees of indifferent lanes. Each tree hangs on one order of its root, the step that
sets its prices: the root's link leads to no other node but to that order, of which `flow` lots are
used out of `room`. A demand node's "use" is what it leaves unserved, so that use rises with the
price at every node and one rule serves buyers and sellers.

Where a link is out of its range the tree is cut there, and the prices of the cut piece move, past
whole orders if need be, until its excess demand is gone and it hangs on whatever became
indifferent last (the long-step ratio test). Orders are never sorted: a node knows its next order
below and above its price, and looks for the one beyond when it passes one.
"""

# mypy: allow-untyped-defs, allow-untyped-calls
from __future__ import annotations

import numpy as np

from rare_market.clearing.problem import (
    FAR,
    INF,
    LARGEST_PRICE_USD_PER_KG,
    UNLIMITED,
    compiled,
    to_ticks,
)

EMPTY, FULL, IN_TREE = 0, 1, 2  # state of a limited lane
_FARTHEST = np.int64(3 << 58)  # no real order or lane is as far


@compiled
def start(g, shift, lowest, highest, unit, hint, arcs, order, cost, node, arc):
    """Make the hinted prices admissible and hang every demand node on its cheapest origin.

    Roots start with a step of no lots at their price, so that any prices can start the search.
    Nodes without orders get prices at which they can never join.
    """
    places, demands = cost.shape
    nodes = places + demands
    guess = (lowest + highest) >> 1
    for v in range(nodes):
        ticks = guess
        if len(hint) > 0 and not np.isnan(hint[g, v]):
            ticks = to_ticks(hint[g, v], LARGEST_PRICE_USD_PER_KG) * unit
            ticks = min(max(ticks, lowest), highest)
        dead = FAR if v < places else -FAR
        node[v].price = ticks << shift if node[v + 1].first > node[v].first else dead
        node[v].parent, node[v].arc, node[v].flow, node[v].room = v, -1, 0, 0
        node[v].extra = 0
    for d in range(demands):
        v = places + d
        best, origin = node[v].price, -1
        for o in range(places):
            landed = cost[o, d] + node[o].price
            origin = o if landed <= best else origin
            best = min(best, landed)
        if origin >= 0:
            node[v].price, node[v].parent, node[v].room = best, origin, UNLIMITED
    _join(shift, cost, node)
    for v in range(nodes):
        p = node[v].price
        below, above, low, high = np.int64(0), np.int64(0), -FAR, FAR
        for s in range(node[v].first, node[v + 1].first):
            x, lots = order[s].price, order[s].lots
            below += lots if x < p else 0
            above += 0 if x < p else lots
            low = max(low, x if x < p else -FAR)
            high = min(high, FAR if x < p else x)
        node[v].low, node[v].high = low, high
        node[v].extra = -below if v < places else above
    for a in range(arcs):
        tail, head = arc[a].tail, arc[a].head
        arc[a].state = EMPTY
        if node[head].price - node[tail].price > arc[a].cost:
            arc[a].state = FULL
            node[tail].extra += arc[a].lots
            node[head].extra -= arc[a].lots
    _settle(places, nodes, node)


@compiled
def _join(shift, cost, node):
    """Join trees that a lane connects to less than a tick: the hint has lost the tie weights."""
    places, demands = cost.shape
    nodes = places + demands
    for v in range(nodes):
        node[v].inside = node[v].parent  # names the tree
    for r in range(places):
        if node[r].parent != r or node[r].price == FAR:
            continue
        gap, tail, head = np.int64(1) << shift, -1, -1
        for o in range(places):
            if node[o].inside == r:
                for d in range(demands):
                    v = places + d
                    slack = cost[o, d] + node[o].price - node[v].price
                    if slack < gap and node[v].inside != r:
                        gap, tail, head = slack, o, v
        if tail >= 0:
            tree = node[head].inside
            for v in range(nodes):
                if node[v].inside == r:
                    node[v].price -= gap
                    node[v].inside = tree
            _hang(tail, r, head, -1, 0, UNLIMITED, node)


@compiled
def _hang(v, top, outer, arc, flow, room, node):
    """Turn the path from v up to `top` around and hang v on `outer`: a node, or itself."""
    while True:
        parent, old_arc, old_flow, old_room = (
            np.int64(node[v].parent), node[v].arc, node[v].flow, node[v].room,
        )  # fmt: skip
        node[v].parent, node[v].arc, node[v].flow, node[v].room = outer, arc, flow, room
        if v == top:
            return
        outer, v, arc, flow, room = v, parent, old_arc, old_flow, old_room


@compiled
def _settle(places, nodes, node):
    """Bring what each node lacks along its tree, from the order at the root."""
    for u in range(nodes):
        more = node[u].extra
        if more != 0:
            v = np.uint32(u)
            while node[v].parent != v:
                node[v].flow += more if v >= places else -more
                v = node[v].parent
            node[v].flow += more


@compiled
def look_beyond(v, step, sign, order, node):
    """Lots of node v at the price `step`, and the next price beyond it, up (sign 1) or down."""
    size, beyond = np.int64(0), FAR
    for s in range(node[v].first, node[v + 1].first):
        x = order[s].price
        size += order[s].lots if x == step else 0
        beyond = min(beyond, sign * x if sign * (x - step) > 0 else FAR)
    return size, sign * beyond


@compiled
def search(limit, arcs, order, cost, node, arc, masked):
    """Move one piece of a tree at a time until every order and lane is in range.

    Returns whether that succeeded within `limit` moves.
    """
    places, demands = cost.shape
    nodes = places + demands
    for _ in range(limit):
        # the link furthest out of its range is cut
        missing, top = np.int64(0), -1
        for v in range(nodes):
            beyond = max(-node[v].flow, node[v].flow - node[v].room)
            if beyond > missing:
                missing, top = beyond, v
        if top < 0:
            return True
        rises = _cut(top, missing, places, nodes, node, arc)
        sign = 1 if rises else -1

        # how far until an order, an unlimited lane or a limited lane becomes indifferent?
        step_gap, step_at = _nearest_step(nodes, node)
        tails = 0 if rises else 1  # lanes that matter lead from this side to the other
        for d in range(demands):
            v = places + d
            masked[d] = -INF if node[v].inside == tails else node[v].price
        lane_gap, lane_tail = _FARTHEST, -1
        for o in range(places):
            if node[o].inside == tails:
                least = INF
                for d in range(demands):
                    least = min(least, cost[o, d] - masked[d])
                least += node[o].price
                if least < lane_gap:
                    lane_gap, lane_tail = least, o
        while True:
            arc_gap, arc_at = _nearest_arc(arcs, rises, node, arc)
            if step_at >= 0 and step_gap <= min(lane_gap, arc_gap):
                gap, enter, outer = step_gap, step_at, step_at
                step = node[enter].high if rises else node[enter].low
                size, beyond = look_beyond(enter, step, sign, order, node)
                if rises:
                    node[enter].high = beyond
                else:
                    node[enter].low = beyond
                if missing <= size:
                    node[enter].step = step
                    entering, flow, room = -1, np.int64(0) if rises else size, size
                    break
                missing -= size
                node[enter].extra -= sign * size
                if rises:
                    node[enter].low = step
                else:
                    node[enter].high = step
                node[enter].gap = sign * (beyond - node[enter].price)
                step_gap, step_at = _nearest_step(nodes, node)
            elif arc_at >= 0 and arc_gap < lane_gap:
                tail, head, size = arc[arc_at].tail, arc[arc_at].head, arc[arc_at].lots
                gap, filling = arc_gap, arc[arc_at].state == EMPTY
                if missing <= size:
                    arc[arc_at].state = IN_TREE
                    enter, outer = (head, tail) if node[head].inside == 1 else (tail, head)
                    entering, flow, room = arc_at, np.int64(0) if filling else size, size
                    break
                missing -= size
                arc[arc_at].state = FULL if filling else EMPTY
                node[head].extra -= size if filling else -size
                node[tail].extra += size if filling else -size
            elif lane_tail >= 0:
                d = 0
                while cost[lane_tail, d] - masked[d] + node[lane_tail].price != lane_gap:
                    d += 1
                enter, outer = (places + d, lane_tail) if rises else (lane_tail, places + d)
                gap, entering, flow, room = lane_gap, -1, np.int64(0), UNLIMITED
                break
            else:
                return False

        # shift the piece, hang it on what became indifferent, and settle what is missing
        farthest = np.int64(0)
        for v in range(nodes):
            if node[v].inside == 1:
                node[v].price += sign * gap
                farthest = max(farthest, abs(node[v].price))
        if farthest > _FARTHEST >> 2:
            return False
        _hang(enter, top, outer, entering, flow, room, node)
        _settle(places, nodes, node)
    return False


@compiled
def _cut(top, missing, places, nodes, node, arc):
    """Take node `top` off its link and mark the piece below it.

    Returns whether its prices must rise, because it lacks `missing`, or fall, because it has that
    left over; what the two sides then lack is noted.
    """
    for v in range(nodes):
        node[v].inside, node[v].extra = 0, 0
    above, flow = node[top].parent, node[top].flow
    if above == top:
        rises = flow > 0
        if node[top].room > 0:
            if rises:
                node[top].low = node[top].step
            else:
                node[top].high = node[top].step
    else:
        rises = (flow > 0) == (top >= places)
        node[above].extra = -missing if rises else missing
        if node[top].arc >= 0:
            arc[node[top].arc].state = FULL if flow > 0 else EMPTY
    node[top].extra = missing if rises else -missing
    node[top].inside = 1
    growing = True
    while growing:
        growing = False
        for v in range(nodes):
            joins = node[node[v].parent].inside > node[v].inside
            node[v].inside = 1 if joins else node[v].inside
            growing |= joins
    for v in range(nodes):
        gap = node[v].high - node[v].price if rises else node[v].price - node[v].low
        node[v].gap = gap if node[v].inside == 1 else INF
    return rises


@compiled
def _nearest_step(nodes, node):
    """Next order of the piece."""
    gap, at = _FARTHEST, -1
    for v in range(nodes):
        if node[v].gap < gap:
            gap, at = node[v].gap, v
    return gap, at


@compiled
def _nearest_arc(arcs, rises, node, arc):
    """Next limited lane which, filled from empty or emptied from full, balances the piece."""
    arc_gap, arc_at = _FARTHEST, -1
    for a in range(arcs):
        tail, head, state = arc[a].tail, arc[a].head, arc[a].state
        if state != IN_TREE and node[tail].inside != node[head].inside:
            gap = abs(node[tail].price + arc[a].cost - node[head].price)
            if (node[head].inside == 1) == (rises == (state == EMPTY)) and gap < arc_gap:
                arc_gap, arc_at = gap, a
    return arc_gap, arc_at
