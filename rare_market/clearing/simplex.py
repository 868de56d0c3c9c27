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

from typing import Any

import numpy as np

from rare_market.clearing.problem import (
    ARC,
    EXTRA,
    FAR,
    FIRST,
    FLOW,
    GAP,
    HIGH,
    INF,
    INSIDE,
    LARGEST_PRICE_USD_PER_KG,
    LOTS,
    LOW,
    PARENT,
    PRICE,
    ROOM,
    STEP,
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
    guess, tick = (lowest + highest) >> 1, np.int64(1) << shift
    for v in range(nodes):
        ticks = guess
        if len(hint) > 0:
            usd_per_kg = hint[g, v]
            known = usd_per_kg == usd_per_kg
            hinted = to_ticks(usd_per_kg if known else 0.0, LARGEST_PRICE_USD_PER_KG) * unit
            ticks = min(max(hinted if known else guess, lowest), highest)
        dead = FAR if v < places else -FAR
        node[PRICE, v] = ticks << shift if node[FIRST, v + 1] > node[FIRST, v] else dead
        node[PARENT, v], node[ARC, v], node[FLOW, v], node[ROOM, v] = v, -1, 0, 0
        node[INSIDE, v] = v  # names the tree
    for d in range(demands):
        v = places + d
        least, origin = INF, v
        for o in range(places):
            landed = cost[o, d] + node[PRICE, o]
            origin = o if landed < least else origin
            least = min(least, landed)
        if least <= node[PRICE, v] + tick:  # the hint has lost the tie weights
            node[PRICE, v], node[ROOM, v] = least, UNLIMITED
            node[PARENT, v], node[INSIDE, v] = origin, origin
    _join(tick, cost, node)
    for v in range(nodes):
        p, sells = node[PRICE, v], v < places
        used, low, high = np.int64(0), -FAR, FAR  # asks below the price, bids from it on
        for s in range(np.uint64(node[FIRST, v]), np.uint64(node[FIRST, v + 1])):
            x, lots = order[PRICE, s], order[LOTS, s]
            used += lots if (x < p) == sells else 0
            low = max(low, x if x < p else -FAR)
            high = min(high, FAR if x < p else x)
        node[LOW, v], node[HIGH, v] = low, high
        node[EXTRA, v] = -used if sells else used
    for a in range(arcs):
        tail, head = arc[a].tail, arc[a].head
        arc[a].state = EMPTY
        if node[PRICE, head] - node[PRICE, tail] > arc[a].cost:
            arc[a].state = FULL
            node[EXTRA, tail] += arc[a].lots
            node[EXTRA, head] -= arc[a].lots
    _settle(places, nodes, node)


@compiled
def _join(tick, cost, node):
    """Join trees that a lane connects to less than a tick: the hint has lost the tie weights."""
    places, demands = cost.shape
    nodes = places + demands
    for r in range(places):
        if node[PARENT, r] != r or node[PRICE, r] == FAR:
            continue
        gap, tail = tick, -1
        for o in range(places):
            if node[INSIDE, o] == r:
                least = INF
                for d in range(demands):
                    v = places + d
                    slack = cost[o, d] - node[PRICE, v]
                    least = min(least, slack if node[INSIDE, v] != r else INF)
                least += node[PRICE, o]
                tail = o if least < gap else tail
                gap = min(gap, least)
        if tail >= 0:
            head = places
            while cost[tail, head - places] + node[PRICE, tail] - node[PRICE, head] != gap or (
                node[INSIDE, head] == r
            ):
                head += 1
            tree = node[INSIDE, head]
            for v in range(nodes):
                moved = node[INSIDE, v] == r
                node[PRICE, v] -= gap if moved else 0
                node[INSIDE, v] += tree - r if moved else 0
            _hang(tail, r, head, -1, 0, UNLIMITED, node)


@compiled
def _hang(v, top, outer, arc, flow, room, node):
    """Turn the path from v up to `top` around and hang v on `outer`: a node, or itself."""
    v, top, outer = np.uint32(v), np.uint32(top), np.uint32(outer)
    while True:
        parent = np.uint32(node[PARENT, v])
        old_arc, old_flow, old_room = node[ARC, v], node[FLOW, v], node[ROOM, v]
        node[PARENT, v], node[ARC, v], node[FLOW, v], node[ROOM, v] = outer, arc, flow, room
        if v == top:
            return
        outer, v, arc, flow, room = v, parent, old_arc, old_flow, old_room


@compiled
def _settle(places, nodes, node):
    """Bring what each node lacks along its tree, from the order at the root."""
    for u in range(nodes):
        more = node[EXTRA, u]
        if more != 0:
            v = np.uint32(u)
            parent = np.uint32(node[PARENT, v])
            while parent != v:
                node[FLOW, v] += more if v >= places else -more
                v = parent
                parent = np.uint32(node[PARENT, v])
            node[FLOW, v] += more


@compiled
def look_beyond(v, step, sign, order, node):
    """Lots of node v at the price `step`, and the next price beyond it, up (sign 1) or down."""
    # turning all bits turns the order of whole numbers around, and is quicker than a product
    flip = np.int64(0) if sign > 0 else np.int64(-1)
    size, beyond, near = np.int64(0), FAR, step ^ flip
    for s in range(np.uint64(node[FIRST, v]), np.uint64(node[FIRST, v + 1])):
        x = order[PRICE, s] ^ flip
        size += order[LOTS, s] if x == near else 0
        beyond = min(beyond, x if x > near else FAR)
    return size, max(beyond ^ flip, -FAR)


@compiled
def search(limit, arcs, order, cost, node, arc, masked):
    """Move one piece of a tree at a time until every order and lane is in range.

    Returns whether that succeeded within `limit` moves.
    """
    places, demands = cost.shape
    nodes = places + demands
    for _ in range(limit):
        # the link furthest out of its range is cut
        missing, top = np.int64(0), 0
        for v in range(nodes):
            flow = node[FLOW, v]
            beyond = max(-flow, flow - node[ROOM, v])
            top = v if beyond > missing else top
            missing = max(missing, beyond)
            node[EXTRA, v] = 0
        if missing == 0:
            return True
        rises, piece = _cut(top, missing, places, nodes, node, arc)
        # the rows of the next order ahead of a price, and behind it
        sign, ahead, behind = (1, HIGH, LOW) if rises else (-1, LOW, HIGH)

        # how far until an order, an unlimited lane or a limited lane becomes indifferent?
        step_gap = _FARTHEST
        step_at: Any = 0
        for v in range(nodes):
            gap = sign * (node[ahead, v] - node[PRICE, v])
            gap = gap if node[INSIDE, v] == piece else INF
            node[GAP, v] = gap
            step_at = v if gap < step_gap else step_at
            step_gap = min(step_gap, gap)
        for d in range(demands):  # lanes that matter lead into a piece that rises, or out of it
            v = places + d
            masked[d] = node[PRICE, v] if (node[INSIDE, v] == piece) == rises else -INF
        lane_gap, lane_tail = _FARTHEST, -1
        for o in range(places):
            least = INF
            for d in range(demands):
                least = min(least, cost[o, d] - masked[d])
            least += INF if (node[INSIDE, o] == piece) == rises else node[PRICE, o]
            lane_tail = o if least < lane_gap else lane_tail
            lane_gap = min(lane_gap, least)
        arc_gap, arc_at = _FARTHEST, -1
        if arcs > 0:
            arc_gap, arc_at = _nearest_arc(arcs, piece, rises, node, arc)
        while True:
            if step_gap <= min(lane_gap, arc_gap) and step_gap < _FARTHEST:
                gap, enter, outer = step_gap, step_at, step_at
                step = node[ahead, enter]
                size, beyond = look_beyond(enter, step, sign, order, node)
                node[ahead, enter] = beyond
                if missing <= size:
                    node[STEP, enter] = step
                    entering, flow, room = -1, np.int64(0) if rises else size, size
                    break
                missing -= size
                node[EXTRA, enter] -= sign * size
                node[behind, enter] = step
                node[GAP, enter] = sign * (beyond - node[PRICE, enter])
                step_gap, step_at = _nearest_step(nodes, node)
            elif arc_gap < lane_gap:
                tail, head, size = arc[arc_at].tail, arc[arc_at].head, arc[arc_at].lots
                gap, filling = arc_gap, arc[arc_at].state == EMPTY
                if missing <= size:
                    arc[arc_at].state = IN_TREE
                    at_head = node[INSIDE, head] == piece
                    enter = np.int64(head if at_head else tail)
                    outer = np.int64(tail if at_head else head)
                    entering, flow, room = arc_at, np.int64(0) if filling else size, size
                    break
                missing -= size
                arc[arc_at].state = FULL if filling else EMPTY
                node[EXTRA, head] -= size if filling else -size
                node[EXTRA, tail] += size if filling else -size
                arc_gap, arc_at = _nearest_arc(arcs, piece, rises, node, arc)
            elif lane_tail >= 0:
                d = 0
                while cost[lane_tail, d] - masked[d] + node[PRICE, lane_tail] != lane_gap:
                    d += 1
                enter, outer = (places + d, lane_tail) if rises else (lane_tail, places + d)
                gap, entering, flow, room = lane_gap, -1, np.int64(0), UNLIMITED
                break
            else:
                return False

        # shift the piece, hang it on what became indifferent, and settle what is missing
        farthest, gap = np.int64(0), sign * gap
        renamed = (enter if outer == enter else node[INSIDE, outer]) - piece
        for v in range(nodes):
            moved = node[INSIDE, v] == piece
            node[PRICE, v] += gap if moved else 0
            node[INSIDE, v] += renamed if moved else 0
            farthest = max(farthest, abs(node[PRICE, v]) if moved else np.int64(0))
        if farthest > _FARTHEST >> 2:
            return False
        _hang(enter, top, outer, entering, flow, room, node)
        _settle(places, nodes, node)
    return False


@compiled
def _cut(top, missing, places, nodes, node, arc):
    """Take node `top` off its link and name the piece below it.

    Returns whether its prices must rise, because it lacks `missing`, or fall, because it has that
    left over, and its name; what the two sides then lack is noted.
    """
    above, flow = node[PARENT, top], node[FLOW, top]
    rises = (flow > 0) == (top >= places or above == top)
    node[EXTRA, top] = missing if rises else -missing
    if above == top:
        if node[ROOM, top] > 0:
            node[LOW if rises else HIGH, top] = node[STEP, top]
        return rises, node[INSIDE, top]
    node[EXTRA, above] = -node[EXTRA, top]
    if node[ARC, top] >= 0:
        arc[node[ARC, top]].state = FULL if flow > 0 else EMPTY
    node[INSIDE, top] = top
    while True:
        grown = np.int64(0)
        for v in range(nodes):
            name = node[INSIDE, v]
            joins = name != top and node[INSIDE, np.uint32(node[PARENT, v])] == top
            grown += joins
            node[INSIDE, v] = name + (top - name if joins else 0)
        if grown == 0:
            return rises, top


@compiled
def _nearest_step(nodes, node):
    """Next order of the piece."""
    gap, at = _FARTHEST, 0
    for v in range(nodes):
        at = v if node[GAP, v] < gap else at
        gap = min(gap, node[GAP, v])
    return gap, at


@compiled
def _nearest_arc(arcs, piece, rises, node, arc):
    """Next limited lane which, filled from empty or emptied from full, balances the piece."""
    arc_gap, arc_at = _FARTHEST, -1
    for a in range(arcs):
        tail, head, state = arc[a].tail, arc[a].head, arc[a].state
        into = node[INSIDE, head] == piece
        if state != IN_TREE and (node[INSIDE, tail] == piece) != into:
            gap = abs(node[PRICE, tail] + arc[a].cost - node[PRICE, head])
            if into == (rises == (state == EMPTY)) and gap < arc_gap:
                arc_gap, arc_at = gap, a
    return arc_gap, arc_at
