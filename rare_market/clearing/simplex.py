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

from rare_market.clearing.eights import (
    bits,
    count_from,
    larger,
    largest,
    load,
    lowest_bit,
    pick,
    smaller,
    smallest,
    spread,
    store,
    total,
)
from rare_market.clearing.jit import compiled, compiled_apart
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
    LIVE,
    LOTS,
    LOW,
    PARENT,
    PRICE,
    ROOM,
    STEP,
    TAIL,
    UNLIMITED,
    ticks_of,
    within,
)

EMPTY, FULL, IN_TREE = 0, 1, 2  # state of a limited lane
_FARTHEST = np.int64(3 << 58)  # no real order or lane is as far


@compiled
def start(good, tables):
    """Make the hinted prices admissible and grow the trees of the lanes that seem to be in use.

    Every demand node hangs on its cheapest origin, then trees are joined. Roots start with a step
    of no lots at their price, so that any prices can start the search. Idle nodes get prices at
    which they can never join.
    """
    places, nodes, shift = good.places, good.nodes, good.shift
    lowest, highest, first = good.lowest, good.highest, good.first
    order, cost, node, arc = tables.order, tables.cost, tables.node, tables.arc
    block_node = tables.block_node
    guess, tick = spread((lowest + highest) >> 1), np.int64(1) << shift
    nothing, far, near = spread(np.int64(0)), spread(FAR), spread(-FAR)
    for v in range(0, nodes, 8):
        own, usd_per_kg = count_from(v), load(tables.hinted, 0, v)
        ticks = ticks_of(within(usd_per_kg, LARGEST_PRICE_USD_PER_KG), good.unit_shift)
        ticks = pick(usd_per_kg == usd_per_kg, ticks, guess)
        ticks = smaller(larger(ticks, spread(lowest)), spread(highest))
        dead = pick(own < spread(places), far, near)
        live = nothing < load(node, LIVE, v)
        store(node, PRICE, v, pick(live, ticks << spread(shift), dead))
        store(node, PARENT, v, own)
        store(node, INSIDE, v, own)  # names the tree
        store(node, ARC, v, spread(np.int64(-1)))
        store(node, FLOW, v, nothing)
        store(node, ROOM, v, nothing)
        store(node, LOW, v, near)
        store(node, HIGH, v, far)
        store(node, EXTRA, v, nothing)
        store(node, GAP, v, nothing)
    for v in range(places, nodes, 8):
        least, origin = spread(INF), count_from(v)
        for o in range(places):
            landed = load(cost, o, v - places) + spread(node[PRICE, o])
            origin = pick(landed < least, spread(o), origin)
            least = smaller(landed, least)
        price = load(node, PRICE, v)
        hangs = least <= price + spread(tick)  # the hint has lost the tie weights
        origin, price = pick(hangs, origin, count_from(v)), pick(hangs, least, price)
        store(node, PRICE, v, price)
        store(node, ROOM, v, hangs & spread(UNLIMITED))
        store(node, PARENT, v, origin)
        store(node, INSIDE, v, origin)
        for o in range(places):  # GAP counts the other lanes of an origin that seem to be in use
            used = load(cost, o, v - places) + spread(node[PRICE, o]) < price + spread(tick)
            node[GAP, o] -= total(pick(origin == spread(o), nothing, used))
    _join(tick, places, nodes, cost, node, tables.gaps)
    for b in range(first, good.middle):  # asks below the price are used
        v, slot = block_node[b], 8 * (b - first)
        x = load(order, PRICE, slot)
        below = x < spread(node[PRICE, v])
        node[EXTRA, v] -= total(below & load(order, LOTS, slot))
        node[LOW, v] = max(node[LOW, v], largest(pick(below, x, near)))
        node[HIGH, v] = min(node[HIGH, v], smallest(pick(below, far, x)))
    for b in range(good.middle, good.last):  # bids from it on
        v, slot = block_node[b], 8 * (b - first)
        x = load(order, PRICE, slot)
        below = x < spread(node[PRICE, v])
        node[EXTRA, v] += total(pick(below, nothing, load(order, LOTS, slot)))
        node[LOW, v] = max(node[LOW, v], largest(pick(below, x, near)))
        node[HIGH, v] = min(node[HIGH, v], smallest(pick(below, far, x)))
    for a in range(good.arcs):
        tail, head = arc[a].tail, arc[a].head
        arc[a].state = EMPTY
        if node[PRICE, head] - node[PRICE, tail] > arc[a].cost:
            arc[a].state = FULL
            node[EXTRA, tail] += arc[a].lots
            node[EXTRA, head] -= arc[a].lots
    _settle(places, nodes, node)


@compiled
def _join(tick, places, nodes, cost, node, gaps):
    """Join trees that a lane connects to less than a tick: the hint has lost the tie weights.

    A tree is lowered until its nearest lane is indifferent, once for each lane counted in GAP.
    """
    for o in range(places):
        for _ in range(node[GAP, o]):
            r = node[INSIDE, o]
            gap = _lane_gap(r, False, places, nodes, cost, node, gaps)
            if gap >= tick:  # the lanes counted stay within the tree
                break
            tail, head = _lane(gap, places, cost, node, gaps)
            _shift(r, -gap, node[INSIDE, head], nodes, node)
            _hang(tail, r, head, -1, 0, UNLIMITED, node)


@compiled
def _lane_gap(piece, rises, places, nodes, cost, node, gaps):
    """How far a piece can rise or fall until an unlimited lane becomes indifferent.

    Lanes that matter lead into a piece that rises, or out of one that falls. Notes of every demand
    node how far its nearest is, and of every origin, as TAIL, the price its lanes start from.
    """
    name, turn = spread(piece), spread(np.int64(0) if rises else np.int64(-1))
    no_lane = spread(INF)
    for o in range(0, places, 8):
        stays = (load(node, INSIDE, o) == name) ^ turn
        store(node, TAIL, o, pick(stays, no_lane, load(node, PRICE, o)))
    nearest = no_lane
    for d in range(0, nodes - places, 8):
        landed = no_lane
        for o in range(places):
            landed = smaller(landed, load(cost, o, d) + spread(node[TAIL, o]))
        matters = (load(node, INSIDE, places + d) == name) ^ turn
        gap = pick(matters, landed - load(node, PRICE, places + d), no_lane)
        store(gaps, 0, d, gap)
        nearest = smaller(nearest, gap)
    return smallest(nearest)


@compiled
def _lane(gap, places, cost, node, gaps):
    """Return tail and head of a lane that is as far, of those noted last."""
    d = _find(gap, gaps, 0)
    landed, tail = gap + node[PRICE, places + d], 0
    for o in range(places):
        tail = o if cost[o, d] + node[TAIL, o] == landed else tail
    return tail, places + d


@compiled
def _shift(piece, gap, tree, nodes, node):
    """Shift the prices of a piece of a tree, which then is inside another; returns the largest."""
    farthest = spread(np.int64(0))
    for v in range(0, nodes, 8):
        inside, price = load(node, INSIDE, v), load(node, PRICE, v)
        moved = inside == spread(piece)
        price += moved & spread(gap)
        store(node, PRICE, v, price)
        store(node, INSIDE, v, pick(moved, spread(tree), inside))
        farthest = larger(farthest, moved & larger(price, spread(np.int64(0)) - price))
    return largest(farthest)


@compiled
def _hang(v, top, outer, arc, flow, room, node):
    """Turn the path from v up to `top` around and hang v on `outer`: a node, or itself."""
    while True:
        parent, old_arc = node[PARENT, v], node[ARC, v]
        old_flow, old_room = node[FLOW, v], node[ROOM, v]
        node[PARENT, v], node[ARC, v], node[FLOW, v], node[ROOM, v] = outer, arc, flow, room
        if v == top:
            return
        outer, v, arc, flow, room = v, parent, old_arc, old_flow, old_room


@compiled
def _settle(places, nodes, node):
    """Bring what each node lacks along its tree, from the order at the root."""
    nothing = spread(np.int64(0))
    for first in range(0, nodes, 8):
        lacking = load(node, EXTRA, first)
        left = bits((lacking < nothing) | (nothing < lacking))
        while left:
            v = first + lowest_bit(left)
            left &= left - 1
            more, parent = node[EXTRA, v], node[PARENT, v]
            while parent != v:
                node[FLOW, v] += more if v >= places else -more
                v = parent
                parent = node[PARENT, v]
            node[FLOW, v] += more


@compiled
def look_beyond(v, step, sign, order, node):
    """Lots of node v at the price `step`, and the next price beyond it, up (sign 1) or down."""
    # turning all bits turns the order of whole numbers around
    flip = np.int64(0) if sign > 0 else np.int64(-1)
    size, beyond = spread(np.int64(0)), spread(FAR)
    turn, near = spread(flip), spread(step ^ flip)
    for s in range(node[FIRST, v], node[FIRST, v + 1], 8):
        x = load(order, PRICE, s) ^ turn
        size += (x == near) & load(order, LOTS, s)
        beyond = smaller(beyond, pick(near < x, x, spread(FAR)))
    return total(size), max(smallest(beyond) ^ flip, -FAR)


@compiled
def search(limit, good, tables):
    """Move one piece of a tree at a time until every order and lane is in range.

    Returns whether that succeeded within `limit` moves.
    """
    places, nodes, arcs, gaps = good.places, good.nodes, good.arcs, tables.gaps
    order, cost, node, arc = tables.order, tables.cost, tables.node, tables.arc
    nothing, no_gap = spread(np.int64(0)), spread(INF)
    for _ in range(limit):
        # the link furthest out of its range is cut
        worst = nothing
        for v in range(0, nodes, 8):
            flow = load(node, FLOW, v)
            beyond = larger(nothing - flow, flow - load(node, ROOM, v))
            store(node, GAP, v, beyond)
            store(node, EXTRA, v, nothing)
            worst = larger(worst, beyond)
        missing = largest(worst)
        if missing == 0:
            return True
        top = _find(missing, node, GAP)
        rises, piece = _cut(top, missing, places, nodes, node, arc)
        # the rows of the next order ahead of a price, and behind it
        sign, ahead, behind = (1, HIGH, LOW) if rises else (-1, LOW, HIGH)

        # how far until an order, an unlimited lane or a limited lane becomes indifferent?
        turn, name = spread(np.int64(0) if rises else np.int64(-1)), spread(piece)
        least = no_gap
        for v in range(0, nodes, 8):
            gap = load(node, ahead, v) - load(node, PRICE, v)
            gap = pick(load(node, INSIDE, v) == name, (gap ^ turn) - turn, no_gap)
            store(node, GAP, v, gap)
            least = smaller(least, gap)
        step_gap = smallest(least)
        lane_gap = _lane_gap(piece, rises, places, nodes, cost, node, gaps)
        arc_gap, arc_at = _FARTHEST, -1
        if arcs > 0:
            arc_gap, arc_at = _nearest_arc(arcs, piece, rises, node, arc)
        while True:
            if step_gap <= min(lane_gap, arc_gap) and step_gap < _FARTHEST:
                enter = _find(step_gap, node, GAP)
                gap, outer = step_gap, enter
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
                step_gap = _least(nodes, node)
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
            elif lane_gap < _FARTHEST:
                tail, head = _lane(lane_gap, places, cost, node, gaps)
                enter, outer = (head, tail) if rises else (tail, head)
                gap, entering, flow, room = lane_gap, -1, np.int64(0), UNLIMITED
                break
            else:
                return False

        # shift the piece, hang it on what became indifferent, and settle what is missing
        tree = enter if outer == enter else node[INSIDE, outer]
        if _shift(piece, sign * gap, tree, nodes, node) > _FARTHEST >> 2:
            return False
        _hang(enter, top, outer, entering, flow, room, node)
        _settle(places, nodes, node)
    return False


@compiled
def is_tied(good, tables):
    """Say whether a lane or an order outside the trees is indifferent.

    Only then can another solution be as good. It takes sums of tie weights that are equal in whole
    grains, which few grains a tick make likely.
    """
    places, nodes, arcs = good.places, good.nodes, good.arcs
    cost, node, arc = tables.cost, tables.node, tables.arc
    nothing = spread(np.int64(0))
    tied = nothing  # counted in minus ones, less the lanes of the trees
    for v in range(0, nodes, 8):
        price, root = load(node, PRICE, v), load(node, PARENT, v) == count_from(v)
        at_limit = (load(node, LOW, v) == price) | (load(node, HIGH, v) == price)
        unlimited = load(node, ARC, v) < nothing
        tied += pick(root, nothing, at_limit) - pick(root, nothing, unlimited)
    for o in range(places):
        netback = spread(node[PRICE, o])
        for v in range(places, nodes, 8):
            tied += load(cost, o, v - places) + netback == load(node, PRICE, v)
    if total(tied) != 0:
        return True
    for a in range(arcs):
        gap = node[PRICE, arc[a].head] - node[PRICE, arc[a].tail]
        if arc[a].state != IN_TREE and gap == arc[a].cost:
            return True
    return False


@compiled
def _find(amount, table, row):
    """Say in which column of a row this amount stands, of several the first."""
    column, found = 0, bits(load(table, row, 0) == spread(amount))
    while found == 0:
        column += 8
        found = bits(load(table, row, column) == spread(amount))
    return column + lowest_bit(found)


@compiled
def _least(nodes, node):
    """Return the least gap."""
    least = load(node, GAP, 0)
    for v in range(8, nodes, 8):
        least = smaller(least, load(node, GAP, v))
    return smallest(least)


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
            joins = name != top and node[INSIDE, node[PARENT, v]] == top
            grown += joins
            node[INSIDE, v] = name + (top - name if joins else 0)
        if grown == 0:
            return rises, top


@compiled_apart
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
