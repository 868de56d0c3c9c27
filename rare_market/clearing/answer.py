"""What a solved good means: intervals of prices, fills, flows, status, and the certificate.

Middles are in half ticks, so that the middle of two prices is whole; money is in half ticks times
lots, summed modulo 2^64, so that no rounding can hide a violation.
"""

# mypy: allow-untyped-defs, allow-untyped-calls
from __future__ import annotations

import numpy as np

from rare_market.clearing.problem import (
    ARC,
    BALANCE,
    BAR,
    BOTTOM,
    EDGE,
    EXTRA,
    FAR,
    FILLED,
    FIRST,
    FLOW,
    HIGH,
    INDEX,
    INF,
    LOTS,
    LOTS_PER_T,
    LOW,
    MIDDLE,
    OWNER,
    PARENT,
    PRICE,
    ROOM,
    SETTER,
    SETTLED,
    STEP,
    TICKS_PER_USD,
    TOP,
    compiled,
)
from rare_market.clearing.simplex import FULL

CLEARED, NO_TRADE, SUPPLY_SHORT, DEMAND_SHORT = range(4)
NOBODY = np.int64(-1)  # sets a price
_KG_PER_T = 1e3


@compiled
def list_trade(places, nodes, arcs, node, arc, trade):
    """List the lanes in use; returns how many.

    Notes of every node the root whose order, used in part, sets its price over lanes with room.
    """
    count = 0
    for a in range(arcs):
        arc[a].flow = arc[a].lots if arc[a].state == FULL else 0
        if arc[a].flow > 0:
            trade[count].tail, trade[count].head = arc[a].tail, arc[a].head
            trade[count].lots = arc[a].flow
            count += 1
    for v in range(nodes):
        u, flow = node[PARENT, v], node[FLOW, v]
        if node[ARC, v] >= 0:
            arc[node[ARC, v]].flow = flow
        trade[count].tail, trade[count].head = (u, v) if v >= places else (v, u)
        trade[count].lots = flow
        count += u != v and flow > 0  # one without use is overwritten by the next
        # the links used in part, marked; and who sets the price at the root
        node[EXTRA, v] = -1 if 0 < flow < node[ROOM, v] else 0
        node[SETTER, v] = v if u == v and node[EXTRA, v] != 0 else NOBODY
    while True:
        grown = np.int64(0)
        for v in range(nodes):
            setter, of_parent = node[SETTER, v], node[SETTER, np.uint32(node[PARENT, v])]
            new = of_parent if node[EXTRA, v] != 0 else setter
            grown += new != setter
            node[SETTER, v] = new
        if grown == 0:
            return count


@compiled
def bound_prices(
    m, alone, shift, nodes, arcs, in_use, carried, ticks, node, arc, trade, carrying
):  # fmt: skip
    """Collect what solution m says of prices: high enough for what sold, and so on.

    Of a good with one solution and no rents (`alone`), nodes that lanes with room connect to an
    order used in part are settled: they have that order's price, less and plus costs. Returns the
    number of lanes in `carrying`, which hold prices to their costs.
    """
    places = len(ticks)
    for v in range(nodes):
        root, flow, room = node[PARENT, v] == v, node[FLOW, v], node[ROOM, v]
        bottom = node[STEP, v] if root and flow > 0 else node[LOW, v]
        top = node[STEP, v] if root and flow < room else node[HIGH, v]
        bottom = bottom >> shift if bottom > -FAR else -INF
        top = top >> shift if top < FAR else INF
        node[BOTTOM, v] = bottom if m == 0 else max(node[BOTTOM, v], bottom)
        node[TOP, v] = top if m == 0 else min(node[TOP, v], top)
        node[SETTLED, v] = 1 if alone and node[SETTER, v] != NOBODY else 0
    half = np.int64(1) << (shift - 1)
    for v in range(nodes):
        if node[SETTLED, v] == 1:  # the tie weights along the tree come to less than half a tick
            node[BOTTOM, v] = (node[PRICE, v] + half) >> shift
            node[TOP, v] = node[BOTTOM, v]
    for i in range(in_use):
        o, v = trade[i].tail, trade[i].head
        loose = node[SETTLED, o] == 0 or node[SETTLED, v] == 0
        if loose and ticks[o, v - places] < INF:
            carrying[carried].tail, carrying[carried].head = o, v
            carried += 1
    for a in range(arcs):
        if m == 0:
            arc[a].has_room, arc[a].most = 0, 0
        arc[a].has_room |= 1 if arc[a].flow < arc[a].lots else 0
        arc[a].most = max(arc[a].most, arc[a].flow)
    return carried


@compiled
def narrow_prices(carried, arcs, ticks, charged, node, arc, carrying):
    """Narrow the intervals: p_d <= p_o + c on every lane with room, and equal on those in use."""
    places, demands = ticks.shape
    nodes = places + demands
    loose_seller, loose_buyer = False, False
    for v in range(nodes):
        loose_seller |= node[SETTLED, v] == 0 and v < places
        loose_buyer |= node[SETTLED, v] == 0 and v >= places
    if not (loose_seller or loose_buyer):
        return
    # where rents were rounded, bounds can contradict each other round a ring and never settle: the
    # certificate then says by how much
    for _ in range(2 * nodes):
        moved = False
        for _ in range(2 * nodes):  # along the lanes in use first, which settles most nodes
            settling = False
            for i in range(carried):
                o, v = carrying[i].tail, carrying[i].head
                c = ticks[o, v - places] + charged[o, v - places]
                settling |= _hold(o, v, c, True, True, node)
            moved |= settling
            if not settling:
                break
        for o in range(places):
            if node[SETTLED, o] == 0 or loose_buyer:
                bottom, top = node[BOTTOM, o], node[TOP, o]
                for d in range(demands):
                    v, c = places + d, ticks[o, d] + charged[o, d]
                    bottom = max(bottom, node[BOTTOM, v] - c)
                    moved |= top + c < node[TOP, v]
                    node[TOP, v] = min(node[TOP, v], top + c)
                moved |= bottom > node[BOTTOM, o]
                node[BOTTOM, o] = bottom
        for a in range(arcs):
            o, v = arc[a].tail, arc[a].head
            c = arc[a].ticks + charged[o, v - places]
            moved |= _hold(o, v, c, arc[a].has_room == 1, arc[a].most > 0, node)
        if not moved or carried + arcs == 0:  # lanes with room alone move nothing twice
            break


@compiled
def _hold(o, v, c, open_up, in_use, node):
    """Apply one lane: p_d <= p_o + c if it has room, >= if it is in use; say if a bound moved."""
    moved = False
    if in_use:
        bottom, top = max(node[BOTTOM, v], node[BOTTOM, o] + c), min(node[TOP, o], node[TOP, v] - c)
        moved = bottom != node[BOTTOM, v] or top != node[TOP, o]
        node[BOTTOM, v], node[TOP, o] = bottom, top
    if open_up:
        bottom, top = max(node[BOTTOM, o], node[BOTTOM, v] - c), min(node[TOP, v], node[TOP, o] + c)
        moved |= bottom != node[BOTTOM, o] or top != node[TOP, v]
        node[BOTTOM, o], node[TOP, v] = bottom, top
    return moved


@compiled
def quote_prices(
    g, unit, arcs, ticks, charged, node, arc, flow_and_rent, quoted, noted, certificate
):  # fmt: skip
    """Take the middle of every interval, and publish prices and rents."""
    places, demands = ticks.shape
    nodes = places + demands
    complete = True
    for v in range(nodes):
        bottom, top = node[BOTTOM, v], node[TOP, v]
        if bottom > top:  # only where a rent between two quarters of a tick was rounded
            bottom = (bottom + top) >> 1
            top = bottom
            node[BOTTOM, v], node[TOP, v] = bottom, top
        node[MIDDLE, v] = bottom + top
        complete &= bottom > -FAR and top < FAR
    if not complete:
        _quote_from_neighbours(arcs, ticks, charged, node, arc)
    money = 2 * unit * TICKS_PER_USD
    for v in range(nodes):
        bottom, middle, top = node[BOTTOM, v], node[MIDDLE, v], node[TOP, v]
        quoted[0, g, v] = middle / money if abs(middle) < FAR else np.nan
        quoted[1, g, v] = 2 * bottom / money if bottom > -FAR else -np.inf
        quoted[2, g, v] = 2 * top / money if top < FAR else np.inf
    arbitrage = np.int64(0)
    for o in range(places):
        for d in range(demands):
            c = min(ticks[o, d] + charged[o, d], INF)  # more, between nodes without a price, wraps
            arbitrage = max(arbitrage, node[MIDDLE, places + d] - node[MIDDLE, o] - 2 * c)
    for a in range(arcs):
        o, v = arc[a].tail, arc[a].head
        gain = node[MIDDLE, v] - node[MIDDLE, o] - 2 * (arc[a].ticks + charged[o, v - places])
        arc[a].gain = gain
        flow_and_rent[1, g, o, v - places] = max(gain, 0) / money
    for v in range(nodes):
        noted[2, g, v] = -1
    certificate[0, g], certificate[1, g] = 0.0, 0.0
    certificate[2, g] = arbitrage / money * _KG_PER_T


@compiled
def _quote_from_neighbours(arcs, ticks, charged, node, arc):
    """Quote the nodes without orders of their own.

    First the origins, at what the dearest buyer would leave them, then the demand nodes, at the
    cheapest landed price.
    """
    places, demands = ticks.shape
    for v in range(places + demands):
        below, above = node[BOTTOM, v] > -FAR, node[TOP, v] < FAR
        if not (below and above):
            node[MIDDLE, v] = INF if v < places else -INF
            if below:
                node[MIDDLE, v] = -INF if v < places else 2 * node[BOTTOM, v]
            elif above:
                node[MIDDLE, v] = 2 * node[TOP, v] if v < places else INF
    for o in range(places):
        if node[TOP, o] >= FAR:
            for d in range(demands):
                v = places + d
                if ticks[o, d] < INF and node[BOTTOM, v] > -FAR:
                    landed = node[MIDDLE, v] - 2 * (ticks[o, d] + charged[o, d])
                    node[MIDDLE, o] = max(node[MIDDLE, o], landed)
    for a in range(arcs):
        o, v = arc[a].tail, arc[a].head
        if arc[a].has_room == 1 and node[TOP, o] >= FAR and node[BOTTOM, v] > -FAR:
            landed = node[MIDDLE, v] - 2 * (arc[a].ticks + charged[o, v - places])
            node[MIDDLE, o] = max(node[MIDDLE, o], landed)
    for v in range(places, places + demands):
        if node[BOTTOM, v] <= -FAR and node[TOP, v] < FAR:
            d = v - places
            for o in range(places):
                if ticks[o, d] < INF and abs(node[MIDDLE, o]) < FAR:
                    landed = node[MIDDLE, o] + 2 * (ticks[o, d] + charged[o, d])
                    node[MIDDLE, v] = min(node[MIDDLE, v], landed)
            for a in range(arcs):
                o = arc[a].tail
                if arc[a].has_room == 1 and arc[a].head == v and abs(node[MIDDLE, o]) < FAR:
                    landed = node[MIDDLE, o] + 2 * (arc[a].ticks + charged[o, d])
                    node[MIDDLE, v] = min(node[MIDDLE, v], landed)


@compiled
def publish(
    g, weight, unit, shift, arcs, in_use, ticks, charged, number, order, node, arc,
    trade, ask_fill_t, bid_fill_t, flow_and_rent, noted, certificate,
):  # fmt: skip
    """Add one solution, by its weight, to fills and flows, and certify it against the prices.

    The gap is dual less primal value. Written by order and lane it is what each leaves untaken:
    max(0, gain) times its limit less gain times its use, and nothing where slackness holds. Orders
    are gone through for it only if filling them found one that may break it.
    """
    places, demands = ticks.shape
    nodes = places + demands
    suspect = _fill(0, places, 1, weight, shift, number, order, node, ask_fill_t)
    suspect |= _fill(places, nodes, -1, weight, shift, number, order, node, bid_fill_t)
    for v in range(places, nodes):
        found = _status(v, arcs, ticks, order, node, arc)
        # of several solutions: served only if served in all, short if delivered in one only
        known = noted[2, g, v]
        noted[2, g, v] = found if known < 0 or known == found else SUPPLY_SHORT
    gap, worst = np.int64(0), 0.0
    if suspect:
        for v in range(nodes):
            lost, most = _untaken(v, 1 if v < places else -1, shift, order, node)
            gap, worst = gap + lost, max(worst, most)
    for i in range(in_use):
        o, v, lots = trade[i].tail, trade[i].head, trade[i].lots
        d = v - places
        flow_and_rent[0, g, o, d] += weight * (lots / LOTS_PER_T)
        node[BALANCE, o] -= lots
        node[BALANCE, v] -= lots
        if ticks[o, d] < INF:
            gain = node[MIDDLE, v] - node[MIDDLE, o] - 2 * (ticks[o, d] + charged[o, d])
            gap -= gain * lots
            worst = max(worst, -np.float64(gain) * lots)
    for a in range(arcs):
        gain, lots = arc[a].gain, arc[a].flow
        missed = arc[a].lots - lots if gain > 0 else -lots
        gap += gain * missed
        worst = max(worst, np.float64(gain) * missed)
    for v in range(nodes):
        setter = node[SETTER, v]
        named = np.int64(-1) if setter == NOBODY else node[EXTRA, setter]
        noted[0, g, v] = named if setter < places else -1
        noted[1, g, v] = named if setter >= places else -1
    excess = np.int64(0)
    for v in range(nodes):
        excess = max(excess, abs(node[BALANCE, v]))
    if gap != 0:
        dearest, total = np.int64(1), np.int64(1)  # whole, so that no order of terms matters
        for s in range(node[FIRST, nodes]):
            dearest = max(dearest, abs(order[PRICE, s] >> shift))
            total += order[LOTS, s]
        certificate[0, g] += weight * abs(np.float64(gap)) / (2.0 * dearest * total)
    certificate[1, g] += excess / LOTS_PER_T
    money = 2 * unit * TICKS_PER_USD * LOTS_PER_T
    certificate[2, g] = max(certificate[2, g], worst / money * _KG_PER_T)


@compiled
def _fill(begin, end, sign, weight, shift, number, order, node, fill_t):
    """Fill the asks (sign 1) or bids (-1) of the nodes `begin` to `end`, and write their balances.

    Notes of every order that is used in part, a root's, the first of those at its limit. Says
    whether there may be an order that gains from more or from less.
    """
    # with bits turned, which turns their order around, bids are treated like asks: filled in full
    # up to the bar; below the edge one that is left would gain
    flip = np.int64(0) if sign > 0 else np.int64(-1)
    side, far = LOW if sign > 0 else HIGH, 2 * (FAR >> shift)
    suspect, filled = False, np.int64(0)
    for v in range(begin, end):
        bar, middle = node[side, v], min(max(node[MIDDLE, v], -far), far)
        suspect |= (bar ^ flip > -FAR) & (2 * sign * (bar >> shift) > sign * middle)
        node[BAR, v] = bar ^ flip
        node[EDGE, v] = (((middle + (sign > 0)) >> 1) << shift) ^ flip
    first, last = np.uint64(node[FIRST, begin]), np.uint64(node[FIRST, end])
    for s in range(first, last):  # not node by node, see `read_orders`
        v, limit, lots = number[OWNER, s], order[PRICE, s] ^ flip, order[LOTS, s]
        full = limit <= node[BAR, v]
        suspect |= (not full) & (limit < node[EDGE, v])
        lots = lots if full else 0
        order[FILLED, s] = filled
        filled += lots
        fill_t[number[INDEX, s]] += weight * (lots / LOTS_PER_T)
    order[FILLED, last] = filled
    for v in range(begin, end):
        first, last = np.uint64(node[FIRST, v]), np.uint64(node[FIRST, v + 1])
        node[BALANCE, v] = order[FILLED, last] - order[FILLED, first]
        size = node[ROOM, v] if node[PARENT, v] == v else np.int64(0)
        if size > 0:  # its limit is that of a root: shared pro rata
            taken, named = node[FLOW, v] if sign > 0 else size - node[FLOW, v], np.int64(FAR)
            for s in range(first, last):
                if order[PRICE, s] == node[STEP, v]:
                    lots, i = order[LOTS, s], number[INDEX, s]
                    part = np.float64(taken) if lots == size else lots * (taken / size)
                    fill_t[i] += weight * (part / LOTS_PER_T)
                    named = min(named, np.int64(i))
            node[BALANCE, v] += taken
            node[EXTRA, v] = named
            gain = sign * (node[MIDDLE, v] - 2 * (node[STEP, v] >> shift))
            suspect |= (gain > 0 and taken < size) or (gain < 0 and taken > 0)
    return suspect


@compiled
def _untaken(v, sign, shift, order, node):
    """What the asks (sign 1) or bids (-1) of a node leave untaken, in all and at most by one."""
    flip = np.int64(0) if sign > 0 else np.int64(-1)
    bar = node[LOW if sign > 0 else HIGH, v] ^ flip
    size = node[ROOM, v] if node[PARENT, v] == v else np.int64(0)
    price, gap, worst = sign * node[MIDDLE, v], np.int64(0), 0.0
    for s in range(np.uint64(node[FIRST, v]), np.uint64(node[FIRST, v + 1])):
        x, lots = order[PRICE, s], order[LOTS, s]
        if size == 0 or x != node[STEP, v]:
            gain, filled = price - 2 * sign * (x >> shift), lots if x ^ flip <= bar else 0
            missed = lots - filled if gain > 0 else -filled
            gap += gain * missed
            worst = max(worst, np.float64(gain) * missed)
    if size > 0:  # all at this limit are one
        taken = node[FLOW, v] if sign > 0 else size - node[FLOW, v]
        gain = price - 2 * sign * (node[STEP, v] >> shift)
        missed = size - taken if gain > 0 else -taken
        gap += gain * missed
        worst = max(worst, np.float64(gain) * missed)
    return gap, worst


@compiled
def _status(v, arcs, ticks, order, node, arc):
    """Status of a demand node; the docstring of the package says what each means."""
    places = len(ticks)
    if node[BALANCE, v] > 0:  # the highest bids are served in full if any is
        served = node[PARENT, v] == v and node[ROOM, v] > 0 and node[FLOW, v] == 0
        return CLEARED if served or node[HIGH, v] < FAR else SUPPLY_SHORT
    reached = False
    for o in range(places):
        reached |= node[FIRST, o + 1] > node[FIRST, o] and ticks[o, v - places] < INF
    for a in range(arcs):
        o = arc[a].tail
        reached |= node[FIRST, o + 1] > node[FIRST, o] and arc[a].head == v and arc[a].lots > 0
    if node[FIRST, v + 1] > node[FIRST, v]:
        return NO_TRADE if reached else SUPPLY_SHORT
    return DEMAND_SHORT if reached else NO_TRADE
