"""What a solved good means: intervals of prices, fills, flows, status, and the certificate.

Middles are in half ticks, so that the middle of two prices is whole; money is in half ticks times
lots, summed modulo 2^64, so that no rounding can hide a violation.
"""

# mypy: allow-untyped-defs, allow-untyped-calls
from __future__ import annotations

import numpy as np

from rare_market.clearing.problem import FAR, INF, LOTS_PER_T, TICKS_PER_USD, compiled
from rare_market.clearing.simplex import FULL

CLEARED, NO_TRADE, SUPPLY_SHORT, DEMAND_SHORT = range(4)
NOBODY = np.int64((1 << 32) - 1)  # sets a price
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
        u, flow = node[v].parent, node[v].flow
        if node[v].arc >= 0:
            arc[node[v].arc].flow = flow
        trade[count].tail, trade[count].head = (u, v) if v >= places else (v, u)
        trade[count].lots = flow
        count += u != v and flow > 0  # one without use is overwritten by the next
        node[v].setter = v if u == v and 0 < flow < node[v].room else NOBODY
    growing = True
    while growing:
        growing = False
        for v in range(nodes):
            setter = node[node[v].parent].setter
            if setter != node[v].setter and 0 < node[v].flow < node[v].room:
                node[v].setter, growing = setter, True
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
        root, flow, room = node[v].parent == v, node[v].flow, node[v].room
        bottom = node[v].step if root and flow > 0 else node[v].low
        top = node[v].step if root and flow < room else node[v].high
        bottom = bottom >> shift if bottom > -FAR else -INF
        top = top >> shift if top < FAR else INF
        node[v].bottom = bottom if m == 0 else max(node[v].bottom, bottom)
        node[v].top = top if m == 0 else min(node[v].top, top)
        node[v].settled = 1 if alone and node[v].setter != NOBODY else 0
    half = np.int64(1) << (shift - 1)
    for v in range(nodes):
        if node[v].settled == 1:  # the tie weights along the tree come to less than half a tick
            node[v].bottom = (node[v].price + half) >> shift
            node[v].top = node[v].bottom
    for i in range(in_use):
        o, v = trade[i].tail, trade[i].head
        loose = node[o].settled == 0 or node[v].settled == 0
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
        loose_seller |= node[v].settled == 0 and v < places
        loose_buyer |= node[v].settled == 0 and v >= places
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
            if node[o].settled == 0 or loose_buyer:
                bottom, top = node[o].bottom, node[o].top
                for d in range(demands):
                    v, c = places + d, ticks[o, d] + charged[o, d]
                    bottom = max(bottom, node[v].bottom - c)
                    moved |= top + c < node[v].top
                    node[v].top = min(node[v].top, top + c)
                moved |= bottom > node[o].bottom
                node[o].bottom = bottom
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
        bottom, top = max(node[v].bottom, node[o].bottom + c), min(node[o].top, node[v].top - c)
        moved = bottom != node[v].bottom or top != node[o].top
        node[v].bottom, node[o].top = bottom, top
    if open_up:
        bottom, top = max(node[o].bottom, node[v].bottom - c), min(node[v].top, node[o].top + c)
        moved |= bottom != node[o].bottom or top != node[v].top
        node[o].bottom, node[v].top = bottom, top
    return moved


@compiled
def quote_prices(g, unit, arcs, ticks, charged, node, arc, lane_rent, quoted, status, certificate):
    """Take the middle of every interval, and publish prices and rents."""
    places, demands = ticks.shape
    nodes = places + demands
    complete = True
    for v in range(nodes):
        bottom, top = node[v].bottom, node[v].top
        if bottom > top:  # only where a rent between two quarters of a tick was rounded
            bottom = (bottom + top) >> 1
            top = bottom
            node[v].bottom, node[v].top = bottom, top
        node[v].middle = bottom + top
        complete &= bottom > -FAR and top < FAR
    if not complete:
        _quote_from_neighbours(arcs, ticks, charged, node, arc)
    money = 2 * unit * TICKS_PER_USD
    for v in range(nodes):
        bottom, middle, top = node[v].bottom, node[v].middle, node[v].top
        quoted[0, g, v] = middle / money if abs(middle) < FAR else np.nan
        quoted[1, g, v] = 2 * bottom / money if bottom > -FAR else -np.inf
        quoted[2, g, v] = 2 * top / money if top < FAR else np.inf
    arbitrage = np.int64(0)
    for o in range(places):
        for d in range(demands):
            gain = node[places + d].middle - node[o].middle - 2 * (ticks[o, d] + charged[o, d])
            arbitrage = max(arbitrage, gain)
    for a in range(arcs):
        o, v = arc[a].tail, arc[a].head
        gain = node[v].middle - node[o].middle - 2 * (arc[a].ticks + charged[o, v - places])
        arc[a].gain = gain
        lane_rent[g, o, v - places] = max(gain, 0) / money
    for d in range(demands):
        status[g, d] = -1
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
        below, above = node[v].bottom > -FAR, node[v].top < FAR
        if not (below and above):
            node[v].middle = INF if v < places else -INF
            if below:
                node[v].middle = -INF if v < places else 2 * node[v].bottom
            elif above:
                node[v].middle = 2 * node[v].top if v < places else INF
    for o in range(places):
        if node[o].top >= FAR:
            for d in range(demands):
                v = places + d
                if ticks[o, d] < INF and node[v].bottom > -FAR:
                    landed = node[v].middle - 2 * (ticks[o, d] + charged[o, d])
                    node[o].middle = max(node[o].middle, landed)
    for a in range(arcs):
        o, v = arc[a].tail, arc[a].head
        if arc[a].has_room == 1 and node[o].top >= FAR and node[v].bottom > -FAR:
            landed = node[v].middle - 2 * (arc[a].ticks + charged[o, v - places])
            node[o].middle = max(node[o].middle, landed)
    for v in range(places, places + demands):
        if node[v].bottom <= -FAR and node[v].top < FAR:
            d = v - places
            for o in range(places):
                if ticks[o, d] < INF and abs(node[o].middle) < FAR:
                    landed = node[o].middle + 2 * (ticks[o, d] + charged[o, d])
                    node[v].middle = min(node[v].middle, landed)
            for a in range(arcs):
                o = arc[a].tail
                if arc[a].has_room == 1 and arc[a].head == v and abs(node[o].middle) < FAR:
                    landed = node[o].middle + 2 * (arc[a].ticks + charged[o, d])
                    node[v].middle = min(node[v].middle, landed)


@compiled
def publish(
    g, weight, unit, shift, arcs, in_use, ticks, charged, order, node, arc, trade,
    ask_fill_t, bid_fill_t, flow_t, marginal, status, certificate,
):  # fmt: skip
    """Add one solution, by its weight, to fills and flows, and certify it against the prices.

    The gap is dual less primal value. Written by order and lane it is what each leaves untaken:
    max(0, gain) times its limit less gain times its use, and nothing where slackness holds.
    """
    places, demands = ticks.shape
    nodes = places + demands
    gap, worst = np.int64(0), 0.0
    for v in range(nodes):
        if v < places:
            lost, most = _fill(v, 1, weight, shift, order, node, ask_fill_t)
        else:
            lost, most = _fill(v, -1, weight, shift, order, node, bid_fill_t)
            found = _status(v, arcs, ticks, order, node, arc)
            # of several solutions: served only if served in all, short if delivered in one only
            known = status[g, v - places]
            status[g, v - places] = found if known < 0 or known == found else SUPPLY_SHORT
        gap, worst = gap + lost, max(worst, most)
    for i in range(in_use):
        o, v, lots = trade[i].tail, trade[i].head, trade[i].lots
        d = v - places
        flow_t[g, o, d] += weight * (lots / LOTS_PER_T)
        node[o].balance -= lots
        node[v].balance -= lots
        if ticks[o, d] < INF:
            gain = node[v].middle - node[o].middle - 2 * (ticks[o, d] + charged[o, d])
            gap -= gain * lots
            worst = max(worst, -np.float64(gain) * lots)
    for a in range(arcs):
        gain, lots = arc[a].gain, arc[a].flow
        missed = arc[a].lots - lots if gain > 0 else -lots
        gap += gain * missed
        worst = max(worst, np.float64(gain) * missed)
    _name_marginal(g, places, nodes, order, node, marginal)
    excess = np.int64(0)
    for v in range(nodes):
        excess = max(excess, abs(node[v].balance))
    if gap != 0:
        dearest, total = np.int64(1), np.int64(1)  # whole, so that no order of terms matters
        for s in range(node[nodes].first):
            dearest, total = max(dearest, abs(order[s].ticks)), total + order[s].lots
        certificate[0, g] += weight * abs(np.float64(gap)) / (2.0 * dearest * total)
    certificate[1, g] += excess / LOTS_PER_T
    money = 2 * unit * TICKS_PER_USD * LOTS_PER_T
    certificate[2, g] = max(certificate[2, g], worst / money * _KG_PER_T)


@compiled
def _fill(v, sign, weight, shift, order, node, fill_t):
    """Fill the asks (sign 1) or bids (-1) of a node, and write its balance.

    Returns what its orders leave untaken, in all and at most by one.
    """
    # filled in full: asks at most at `bar`, bids at least; that is, signed, at most `bar`
    bar = (node[v].low if sign > 0 else -node[v].high) >> shift
    size = node[v].room if node[v].parent == v else np.int64(0)
    step = sign * (node[v].step >> shift) if size > 0 else INF
    taken = node[v].flow if sign > 0 else size - node[v].flow
    taken = taken if size > 0 else np.int64(0)
    traded, dearest, cheapest = taken, -INF, INF  # dearest of those filled, cheapest of the others
    for s in range(node[v].first, node[v + 1].first):
        limit = sign * order[s].ticks
        full = order[s].lots if limit <= bar else 0
        traded += full
        dearest = max(dearest, limit if limit <= bar else -INF)
        cheapest = min(cheapest, INF if limit <= bar or limit == step else limit)
        fill_t[order[s].index] += weight * (full / LOTS_PER_T)
    node[v].balance = traded
    if size > 0:
        for s in range(node[v].first, node[v + 1].first):
            if sign * order[s].ticks == step:
                lots = order[s].lots
                part = np.float64(taken) if lots == size else lots * (taken / size)
                fill_t[order[s].index] += weight * (part / LOTS_PER_T)
        dearest = max(dearest, step if taken > 0 else dearest)
        cheapest = min(cheapest, step if taken < size else cheapest)
    price = sign * node[v].middle
    gap, worst = np.int64(0), 0.0
    if 2 * dearest > price or 2 * cheapest < price:
        for s in range(node[v].first, node[v + 1].first):
            limit, lots = sign * order[s].ticks, order[s].lots
            if limit != step:
                gain, filled = price - 2 * limit, lots if limit <= bar else 0
                missed = lots - filled if gain > 0 else -filled
                gap += gain * missed
                worst = max(worst, np.float64(gain) * missed)
        if size > 0:  # all at this limit are one
            gain = price - 2 * step
            missed = size - taken if gain > 0 else -taken
            gap += gain * missed
            worst = max(worst, np.float64(gain) * missed)
    return gap, worst


@compiled
def _name_marginal(g, places, nodes, order, node, marginal):
    """Name the order that sets the price to every node; the first of several at one limit."""
    for v in range(nodes):
        if node[v].setter == v:
            first = np.int64(FAR)
            for s in range(node[v].first, node[v + 1].first):
                own = order[s].price == node[v].step
                first = min(first, np.int64(order[s].index) if own else FAR)
            node[v].extra = first
    for v in range(nodes):
        r = node[v].setter
        named = np.int64(-1) if r == NOBODY else node[r].extra
        marginal[0, g, v] = named if r < places else -1
        marginal[1, g, v] = named if r >= places else -1


@compiled
def _status(v, arcs, ticks, order, node, arc):
    """Status of a demand node; the docstring of the package says what each means."""
    places = len(ticks)
    if node[v].balance > 0:  # the highest bids are served in full if any is
        served = node[v].parent == v and node[v].room > 0 and node[v].flow == 0
        for s in range(node[v].first, node[v + 1].first):
            served |= order[s].price >= node[v].high
        return CLEARED if served else SUPPLY_SHORT
    reached = False
    for o in range(places):
        reached |= node[o + 1].first > node[o].first and ticks[o, v - places] < INF
    for a in range(arcs):
        o = arc[a].tail
        reached |= node[o + 1].first > node[o].first and arc[a].head == v and arc[a].lots > 0
    if node[v + 1].first > node[v].first:
        return NO_TRADE if reached else SUPPLY_SHORT
    return DEMAND_SHORT if reached else NO_TRADE
