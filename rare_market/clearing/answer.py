"""What a solved good means: intervals of prices, fills, flows, status, and the certificate.

Middles are in half ticks, so that the middle of two prices is whole; money is in half ticks times
lots, summed modulo 2^64, so that no rounding can hide a violation.
"""

# mypy: allow-untyped-defs, allow-untyped-calls
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from rare_market.clearing.eights import (
    ALL,
    bits,
    count_from,
    floats,
    gather,
    larger,
    largest,
    load,
    lowest_bit,
    pick,
    ratio,
    scatter,
    smaller,
    spread,
    store,
    total,
)
from rare_market.clearing.jit import compiled, compiled_apart
from rare_market.clearing.problem import (
    ARC,
    BALANCE,
    BAR,
    BOTTOM,
    EDGE,
    EXTRA,
    FAR,
    FIRST,
    FLOW,
    GAP,
    HIGH,
    INF,
    INSIDE,
    LIVE,
    LOTS,
    LOTS_PER_T,
    LOW,
    MIDDLE,
    PARENT,
    PRICE,
    REACHED,
    ROOM,
    SEAT,
    SETTER,
    SETTLED,
    STEP,
    TICKS_PER_USD,
    TOP,
    UNLIMITED,
)
from rare_market.clearing.simplex import FULL

CLEARED, NO_TRADE, SUPPLY_SHORT, DEMAND_SHORT = range(4)
NOBODY = np.int64(-1)  # sets a price
_KG_PER_T = 1e3


class Answer(NamedTuple):
    """Where the results for a good are published, as :class:`rare_market.clearing.Clearing`."""

    flow_t: Any  # [origin, demand node]
    rent_usd_per_kg: Any  # likewise
    price_usd_per_kg: Any  # [middle, low, high; node]
    certificate: Any  # [4, 0]
    ask_fill_t: Any  # [order]
    bid_fill_t: Any
    noted: Any  # [marginal ask, marginal bid, status; node]


@compiled
def list_trade(good, tables):
    """List the lanes in use; returns how many.

    Notes of every node the root whose order, used in part, sets its price over lanes with room.
    """
    places, nodes, arcs = good.places, good.nodes, good.arcs
    node, arc, trade = tables.node, tables.arc, tables.trade
    count = 0
    for a in range(arcs):
        arc[a].flow = arc[a].lots if arc[a].state == FULL else 0
        if arc[a].flow > 0:
            trade[count].tail, trade[count].head = arc[a].tail, arc[a].head
            trade[count].lots = arc[a].flow
            count += 1
    nothing, nobody, broken = spread(np.int64(0)), spread(NOBODY), 0
    for v in range(0, nodes, 8):
        flow, own = load(node, FLOW, v), count_from(v)
        partly = (nothing < flow) & (flow < load(node, ROOM, v))
        root = load(node, PARENT, v) == own
        store(node, EXTRA, v, partly)
        store(node, SETTER, v, pick(root & partly, own, nobody))
        broken |= bits(pick(root, nothing, partly ^ nobody))
    for v in range(nodes):
        u, flow = node[PARENT, v], node[FLOW, v]
        trade[count].tail, trade[count].head = (u, v) if v >= places else (v, u)
        trade[count].lots = flow
        count += u != v and flow > 0  # one without use is overwritten by the next
    if arcs > 0:
        for v in range(nodes):
            if node[ARC, v] >= 0:
                arc[node[ARC, v]].flow = node[FLOW, v]
    if not broken:  # all links of the trees have room both ways
        for v in range(nodes):
            node[SETTER, v] = node[SETTER, node[INSIDE, v]]
        return count
    while True:
        grown = np.int64(0)
        for v in range(nodes):
            setter, of_parent = node[SETTER, v], node[SETTER, node[PARENT, v]]
            new = of_parent if node[EXTRA, v] != 0 else setter
            grown += new != setter
            node[SETTER, v] = new
        if grown == 0:
            return count


@compiled
def bound_prices(m, alone, in_use, carried, good, tables):
    """Collect what solution m says of prices: high enough for what sold, and so on.

    Of a good with one solution and no rents (`alone`), nodes that lanes with room connect to an
    order used in part are settled: they have that order's price, less and plus costs. Returns the
    number of lanes in `carrying`, which hold prices to their costs.
    """
    places, nodes, shift = good.places, good.nodes, good.shift
    node, arc, trade, carrying = tables.node, tables.arc, tables.trade, tables.carrying
    none, nothing = spread(np.int64(NOBODY)), spread(np.int64(0))
    bits_below, far, near = spread(shift), spread(FAR), spread(-FAR)
    half = spread(np.int64(1) << (shift - 1))
    for v in range(0, nodes, 8):
        flow, step = load(node, FLOW, v), load(node, STEP, v)
        root = load(node, PARENT, v) == count_from(v)
        bottom = pick(root & (nothing < flow), step, load(node, LOW, v))
        top = pick(root & (flow < load(node, ROOM, v)), step, load(node, HIGH, v))
        bottom = pick(near < bottom, bottom >> bits_below, spread(-INF))
        top = pick(top < far, top >> bits_below, spread(INF))
        if m > 0:
            bottom = larger(bottom, load(node, BOTTOM, v))
            top = smaller(top, load(node, TOP, v))
        settled = nothing
        if alone:  # the tie weights along the tree come to less than half a tick
            settled = none < load(node, SETTER, v)
            price = (load(node, PRICE, v) + half) >> bits_below
            bottom, top = pick(settled, price, bottom), pick(settled, price, top)
        store(node, BOTTOM, v, bottom)
        store(node, TOP, v, top)
        store(node, SETTLED, v, settled & spread(np.int64(1)))
    for i in range(in_use):
        o, v = trade[i].tail, trade[i].head
        loose = node[SETTLED, o] == 0 or node[SETTLED, v] == 0
        if loose and tables.ticks[good.inner + o, v - places] < INF:
            carrying[carried].tail, carrying[carried].head = o, v
            carried += 1
    for a in range(good.arcs):
        if m == 0:
            arc[a].has_room, arc[a].most = 0, 0
        arc[a].has_room |= 1 if arc[a].flow < arc[a].lots else 0
        arc[a].most = max(arc[a].most, arc[a].flow)
    return carried


@compiled
def narrow_prices(carried, good, tables):
    """Narrow the intervals: p_d <= p_o + c on every lane with room, and equal on those in use."""
    places, nodes, inner, arcs = good.places, good.nodes, good.inner, good.arcs
    ticks, charged, node = tables.ticks, tables.charged, tables.node
    arc, carrying, demands = tables.arc, tables.carrying, nodes - places
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
                c = ticks[inner + o, v - places] + charged[inner + o, v - places]
                settling |= _apply(o, v, c, True, True, node)
            moved |= settling
            if not settling:
                break
        for o in range(places):
            if node[SETTLED, o] == 0 or loose_buyer:
                bottom, top = node[BOTTOM, o], node[TOP, o]
                for d in range(demands):
                    v, c = places + d, ticks[inner + o, d] + charged[inner + o, d]
                    bottom = max(bottom, node[BOTTOM, v] - c)
                    moved |= top + c < node[TOP, v]
                    node[TOP, v] = min(node[TOP, v], top + c)
                moved |= bottom > node[BOTTOM, o]
                node[BOTTOM, o] = bottom
        for a in range(arcs):
            o, v = arc[a].tail, arc[a].head
            c = arc[a].ticks + charged[inner + o, v - places]
            moved |= _apply(o, v, c, arc[a].has_room == 1, arc[a].most > 0, node)
        if not moved or carried + arcs == 0:  # lanes with room alone move nothing twice
            break


@compiled
def _apply(o, v, c, open_up, in_use, node):
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
def quote_prices(good, tables, result):
    """Take the middle of every interval, and publish prices and rents.

    All nodes are quoted: from column `outer` on `node` holds them by their seats.
    """
    all_places, all_nodes, nodes, outer = good.all_places, good.all_nodes, good.nodes, good.outer
    ticks, charged, node, price = tables.ticks, tables.charged, tables.node, tables.price
    far, near, one = spread(FAR), spread(-FAR), spread(np.int64(1))
    nothing, complete = spread(np.int64(0)), spread(np.int64(-1))
    for v in range(0, nodes, 8):
        bottom, top = load(node, BOTTOM, v), load(node, TOP, v)
        # crossed only where a rent between two quarters of a tick was rounded
        crossed, between = top < bottom, (bottom + top) >> one
        bottom, top = pick(crossed, between, bottom), pick(crossed, between, top)
        store(node, BOTTOM, v, bottom)
        store(node, TOP, v, top)
        store(node, MIDDLE, v, bottom + top)
        complete &= ((near < bottom) & (top < far)) | (spread(nodes - 1) < count_from(v))
    if nodes < all_nodes:
        _take_seats(nodes, all_nodes, outer, node)
        _bound_others(good, tables)
    if nodes < all_nodes or bits(complete) != ALL:
        _quote_from_neighbours(good, tables)
        for v in range(nodes):
            node[MIDDLE, v] = node[MIDDLE, outer + node[SEAT, v]]
    money = 2 * (np.int64(1) << good.unit_shift) * TICKS_PER_USD
    for v in range(0, all_nodes, 8):
        bottom, middle, top = (
            load(node, BOTTOM, outer + v),
            load(node, MIDDLE, outer + v),
            load(node, TOP, outer + v),
        )
        known, low, high = (near < middle) & (middle < far), bottom + bottom, top + top
        store(price, 0, v, pick(known, ratio(floats(middle), money), spread(np.nan)))
        store(price, 1, v, pick(near < bottom, ratio(floats(low), money), spread(-np.inf)))
        store(price, 2, v, pick(top < far, ratio(floats(high), money), spread(np.inf)))
    for row in range(3):
        for v in range(all_nodes):
            result.price_usd_per_kg[row, v] = price[row, v]
    most = nothing
    for o in range(all_places):
        for v in range(all_places, all_nodes, 8):
            c = load(ticks, o, v - all_places) + load(charged, o, v - all_places)
            c = smaller(c, spread(INF))  # more, between nodes without a price, wraps
            gain = load(node, MIDDLE, outer + v) - spread(node[MIDDLE, outer + o]) - (c + c)
            most = larger(most, gain)
    result.certificate[0, 0], result.certificate[1, 0] = 0.0, 0.0
    result.certificate[2, 0] = largest(most) / money * _KG_PER_T
    for a in range(good.arcs + good.others):
        at, tail, head = _limited_lane(a, good, tables)
        d = head - all_places
        gain = node[MIDDLE, outer + head] - node[MIDDLE, outer + tail]
        gain -= 2 * (tables.arc[at].ticks + charged[tail, d])
        tables.arc[at].gain = gain
        result.rent_usd_per_kg[tail, d] = max(gain, 0) / money


@compiled_apart
def _take_seats(nodes, all_nodes, outer, node):
    """Copy what is known of the nodes in the book to where all nodes of the good stand."""
    nothing = spread(np.int64(0))
    for v in range(0, all_nodes, 8):
        store(node, BOTTOM, outer + v, spread(-INF))
        store(node, TOP, outer + v, spread(INF))
        store(node, MIDDLE, outer + v, nothing)
        store(node, LIVE, outer + v, nothing)
        store(node, INSIDE, outer + v, nothing)
    for v in range(nodes):
        seat = node[SEAT, v]
        node[BOTTOM, outer + seat], node[TOP, outer + seat] = node[BOTTOM, v], node[TOP, v]
        node[MIDDLE, outer + seat], node[LIVE, outer + seat] = node[MIDDLE, v], node[LIVE, v]
        node[INSIDE, outer + seat] = -1


@compiled
def _limited_lane(a, good, tables):
    """Say where limited lane number `a` stands and, by their seats, what it connects.

    First come those between nodes in the book.
    """
    node, arc, all_places = tables.node, tables.arc, good.all_places
    if a < good.arcs:
        return a, node[SEAT, arc[a].tail], node[SEAT, arc[a].head]
    at = all_places * (good.all_nodes - all_places) - 1 - (a - good.arcs)
    return at, np.int64(arc[at].tail), np.int64(arc[at].head)


@compiled_apart
def _bound_others(good, tables):
    """Bound the prices of absent nodes by the lanes from and to those in the book."""
    places, all_places, all_nodes, outer = good.places, good.all_places, good.all_nodes, good.outer
    ticks, charged, node, arc = tables.ticks, tables.charged, tables.node, tables.arc
    for v in range(all_places, all_nodes, 8):
        top, least = load(node, TOP, outer + v), spread(INF)
        for o in range(places):
            tail, d = node[SEAT, o], v - all_places
            landed = spread(node[TOP, o]) + load(ticks, tail, d) + load(charged, tail, d)
            least = smaller(least, landed)
        store(node, TOP, outer + v, pick(load(node, INSIDE, outer + v), top, least))
    for o in range(all_places):
        if node[INSIDE, outer + o] == 0:
            most = spread(-INF)
            for v in range(all_places, all_nodes, 8):
                c = load(ticks, o, v - all_places) + load(charged, o, v - all_places)
                most = larger(most, load(node, BOTTOM, outer + v) - c)
            node[BOTTOM, outer + o] = largest(most)
    for k in range(good.others):
        at, tail, head = _limited_lane(good.arcs + k, good, tables)
        c = arc[at].ticks + charged[tail, head - all_places]
        if arc[at].has_room == 1 and node[INSIDE, outer + head] == 0:
            node[TOP, outer + head] = min(node[TOP, outer + head], node[TOP, outer + tail] + c)
        if arc[at].has_room == 1 and node[INSIDE, outer + tail] == 0:
            node[BOTTOM, outer + tail] = max(
                node[BOTTOM, outer + tail], node[BOTTOM, outer + head] - c
            )


@compiled_apart
def _quote_from_neighbours(good, tables):
    """Quote the nodes whose interval is open at an end, because they are absent, idle or cut off.

    First the origins, at what the dearest buyer would leave them, then the demand nodes, at the
    cheapest landed price. Where there is no lane its cost puts either out of range.
    """
    all_places, all_nodes, outer = good.all_places, good.all_nodes, good.outer
    ticks, charged, node, arc = tables.ticks, tables.charged, tables.node, tables.arc
    far, near = spread(FAR), spread(-FAR)
    for v in range(0, all_nodes, 8):
        bottom, top = load(node, BOTTOM, outer + v), load(node, TOP, outer + v)
        below, above = near < bottom, top < far
        unknown = pick(count_from(v) < spread(all_places), spread(INF), spread(-INF))
        one_end = pick(below, bottom + bottom, pick(above, top + top, unknown))
        store(node, MIDDLE, outer + v, pick(below & above, load(node, MIDDLE, outer + v), one_end))
    for o in range(all_places):
        if node[TOP, outer + o] >= FAR:
            most = spread(-UNLIMITED)
            for v in range(all_places, all_nodes, 8):
                c = load(ticks, o, v - all_places) + load(charged, o, v - all_places)
                landed = load(node, MIDDLE, outer + v) - (c + c)
                most = larger(most, pick(near < load(node, BOTTOM, outer + v), landed, most))
            node[MIDDLE, outer + o] = max(node[MIDDLE, outer + o], largest(most))
    for a in range(good.arcs + good.others):
        at, o, v = _limited_lane(a, good, tables)
        if arc[at].has_room == 1 and node[TOP, outer + o] >= FAR and node[BOTTOM, outer + v] > -FAR:
            landed = node[MIDDLE, outer + v] - 2 * (arc[at].ticks + charged[o, v - all_places])
            node[MIDDLE, outer + o] = max(node[MIDDLE, outer + o], landed)
    for v in range(all_places, all_nodes, 8):
        middle = load(node, MIDDLE, outer + v)
        least = middle
        for o in range(all_places):
            if abs(node[MIDDLE, outer + o]) < FAR:
                c = load(ticks, o, v - all_places) + load(charged, o, v - all_places)
                least = smaller(least, spread(node[MIDDLE, outer + o]) + (c + c))
        unsold = (load(node, TOP, outer + v) < far) & (
            load(node, BOTTOM, outer + v) < spread(-FAR + 1)
        )
        store(node, MIDDLE, outer + v, pick(unsold, least, middle))
    for a in range(good.arcs + good.others):
        at, o, v = _limited_lane(a, good, tables)
        unsold = node[BOTTOM, outer + v] <= -FAR and node[TOP, outer + v] < FAR
        if arc[at].has_room == 1 and unsold and abs(node[MIDDLE, outer + o]) < FAR:
            landed = node[MIDDLE, outer + o] + 2 * (arc[at].ticks + charged[o, v - all_places])
            node[MIDDLE, outer + v] = min(node[MIDDLE, outer + v], landed)


@compiled
def note_reach(good, tables, result):
    """Note which demand nodes asks can reach, and the status of absent ones (of others none)."""
    all_places, all_nodes, nodes, outer = good.all_places, good.all_nodes, good.nodes, good.outer
    node, noted = tables.node, result.noted
    for v in range(all_places, all_nodes, 8):
        reached = spread(np.int64(0))
        for o in range(good.places):
            live = spread(-np.int64(node[LIVE, o] != 0))
            reached |= live & (load(tables.ticks, node[SEAT, o], v - all_places) < spread(INF))
        store(node, REACHED, outer + v, reached)
    for a in range(good.arcs + good.others):
        at, tail, head = _limited_lane(a, good, tables)
        if node[LIVE, outer + tail] != 0 and tables.arc[at].lots > 0:
            node[REACHED, outer + head] = -1
    if nodes < all_nodes:
        for v in range(all_nodes):
            status = NO_TRADE if node[REACHED, outer + v] == 0 else DEMAND_SHORT
            noted[0, v], noted[1, v] = -1, -1
            noted[2, v] = status if v >= all_places else -1
    for v in range(nodes):
        seat = node[SEAT, v]
        node[REACHED, v], noted[2, seat] = node[REACHED, outer + seat], -1


@compiled
def publish(weight, in_use, good, tables, result):
    """Add one solution, by its weight, to fills and flows, and certify it against the prices.

    The gap is dual less primal value. Written by order and lane it is what each leaves untaken:
    max(0, gain) times its limit less gain times its use, and nothing where slackness holds. Orders
    are gone through for it only if filling them found one that may break it.
    """
    places, nodes, inner, shift = good.places, good.nodes, good.inner, good.shift
    ticks, charged, order, node = tables.ticks, tables.charged, tables.order, tables.node
    arc, trade, noted, certificate = tables.arc, tables.trade, result.noted, result.certificate
    suspect = _fill(0, places, 1, good.first, good.middle, weight, good, tables, result.ask_fill_t)
    suspect |= _fill(
        places, nodes, -1, good.middle, good.last, weight, good, tables, result.bid_fill_t
    )
    _note_status(places, nodes, node, noted)
    gap, worst = np.int64(0), 0.0
    if suspect:
        for v in range(nodes):
            lost, most = _untaken(v, 1 if v < places else -1, shift, order, node)
            gap, worst = gap + lost, max(worst, most)
    for i in range(in_use):
        o, v, lots = trade[i].tail, trade[i].head, trade[i].lots
        d = v - places
        head = node[SEAT, v] - good.all_places
        result.flow_t[node[SEAT, o], head] += weight * (lots / LOTS_PER_T)
        node[BALANCE, o] -= lots
        node[BALANCE, v] -= lots
        c = ticks[inner + o, d] + charged[inner + o, d]
        if ticks[inner + o, d] < INF:
            gain = node[MIDDLE, v] - node[MIDDLE, o] - 2 * c
            gap -= gain * lots
            worst = max(worst, -np.float64(gain) * lots)
    for a in range(good.arcs):
        gain, lots = arc[a].gain, arc[a].flow
        missed = arc[a].lots - lots if gain > 0 else -lots
        gap += gain * missed
        worst = max(worst, np.float64(gain) * missed)
    for v in range(nodes):
        setter = node[SETTER, v]
        named = np.int64(-1) if setter == NOBODY else node[EXTRA, setter]
        noted[0, node[SEAT, v]] = named if setter < places else -1
        noted[1, node[SEAT, v]] = named if setter >= places else -1
    excess = np.int64(0)
    for v in range(nodes):
        excess = max(excess, abs(node[BALANCE, v]))
    if gap != 0:
        dearest, whole = np.int64(1), np.int64(1)  # whole, so that no order of terms matters
        for s in range(node[FIRST, nodes]):
            if order[LOTS, s] > 0:
                dearest = max(dearest, abs(order[PRICE, s] >> shift))
                whole += order[LOTS, s]
        certificate[0, 0] += weight * abs(np.float64(gap)) / (2.0 * dearest * whole)
    certificate[1, 0] += excess / LOTS_PER_T
    money = 2 * (np.int64(1) << good.unit_shift) * TICKS_PER_USD * LOTS_PER_T
    certificate[2, 0] = max(certificate[2, 0], worst / money * _KG_PER_T)


@compiled
def _fill(begin, end, sign, first, last, weight, good, tables, fill_t):
    """Fill the asks (sign 1) or bids (-1) of the nodes `begin` to `end`, and write their balances.

    Notes of every order that is used in part, a root's, the first of those at its limit. Says
    whether there may be an order that gains from more or from less.
    """
    order, offered_t, node = tables.order, tables.offered_t, tables.node
    block_node, slot_order = tables.block_node, tables.slot_order
    base, shift = good.first, good.shift
    # with bits turned, which turns their order around, bids are treated like asks: filled in full
    # up to the bar; below the edge one that is left would gain
    flip = np.int64(0) if sign > 0 else np.int64(-1)
    side, far = LOW if sign > 0 else HIGH, 2 * (FAR >> shift)
    turn, nothing, half = spread(flip), spread(np.int64(0)), spread(np.int64(sign > 0))
    doubtful, bits_below, one = nothing, spread(shift), spread(np.int64(1))
    for v in range(begin, end, 8):
        bar, middle = load(node, side, v), load(node, MIDDLE, v)
        middle = smaller(larger(middle, spread(-far)), spread(far))
        double = ((bar >> bits_below) << one) ^ turn
        beyond = ((middle ^ turn) < double) & (spread(-FAR) < (bar ^ turn))
        doubtful |= beyond & (count_from(v) < spread(end))
        store(node, BAR, v, bar ^ turn)
        store(node, EDGE, v, (((middle + half) >> one) << bits_below) ^ turn)
        store(node, BALANCE, v, nothing)
    share = spread(np.float64(weight))
    for b in range(first, last):
        v, slot = block_node[b], 8 * (b - base)
        limit, lots = load(order, PRICE, slot) ^ turn, load(order, LOTS, slot)
        over = spread(node[BAR, v]) < limit
        doubtful |= over & (limit < spread(node[EDGE, v])) & (nothing < lots)
        node[BALANCE, v] += total(pick(over, nothing, lots))
        filled_t = pick(over, spread(0.0), load(offered_t, 0, slot)) * share
        if weight < 1.0:
            filled_t += gather(fill_t, slot_order, 8 * b)
        scatter(fill_t, slot_order, 8 * b, filled_t)
    suspect = bits(doubtful) != 0
    for first_node in range(begin, end, 8):
        root = load(node, PARENT, first_node) == count_from(first_node)
        roots = bits(root & (nothing < load(node, ROOM, first_node)))
        while roots:
            v = first_node + lowest_bit(roots)
            roots &= roots - 1
            if v < end:
                suspect |= _share(v, sign, 8 * base, weight, shift, slot_order, order, node, fill_t)
    return suspect


@compiled
def _share(v, sign, first, weight, shift, slot_order, order, node, fill_t):
    """Share what is used of a root's step pro rata; as in :func:`_fill`."""
    step, size = node[STEP, v], node[ROOM, v]
    taken, named = node[FLOW, v] if sign > 0 else size - node[FLOW, v], np.int64(FAR)
    for s in range(node[FIRST, v], node[FIRST, v + 1], 8):
        at_step = bits(load(order, PRICE, s) == spread(step))
        while at_step:
            slot = s + lowest_bit(at_step)
            at_step &= at_step - 1
            lots, i = order[LOTS, slot], slot_order[first + slot]
            part = np.float64(taken) if lots == size else lots * (taken / size)
            fill_t[i] += weight * (part / LOTS_PER_T)
            named = min(named, i)
    node[BALANCE, v] += taken
    node[EXTRA, v] = named
    gain = sign * (node[MIDDLE, v] - 2 * (step >> shift))
    return (gain > 0 and taken < size) or (gain < 0 and taken > 0)


@compiled_apart
def _untaken(v, sign, shift, order, node):
    """What the asks (sign 1) or bids (-1) of a node leave untaken, in all and at most by one."""
    flip = np.int64(0) if sign > 0 else np.int64(-1)
    bar = node[LOW if sign > 0 else HIGH, v] ^ flip
    size = node[ROOM, v] if node[PARENT, v] == v else np.int64(0)
    price, gap, worst = sign * node[MIDDLE, v], np.int64(0), 0.0
    for s in range(node[FIRST, v], node[FIRST, v + 1]):
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
def _note_status(places, nodes, node, noted):
    """Note the status of demand nodes; the docstring of the package says what each means."""
    nothing = spread(np.int64(0))
    for v in range(places, nodes, 8):
        # the highest bids are served in full if any is
        root = (load(node, PARENT, v) == count_from(v)) & (nothing < load(node, ROOM, v))
        served = root & (load(node, FLOW, v) == nothing)
        served |= load(node, HIGH, v) < spread(FAR)
        reached, asked = load(node, REACHED, v), nothing < load(node, LIVE, v)
        unasked = pick(reached, spread(DEMAND_SHORT), spread(NO_TRADE))
        unserved = pick(reached, spread(NO_TRADE), spread(SUPPLY_SHORT))
        found = pick(asked, unserved, unasked)
        delivered = pick(served, spread(CLEARED), spread(SUPPLY_SHORT))
        store(node, GAP, v, pick(nothing < load(node, BALANCE, v), delivered, found))
    for v in range(places, nodes):
        # of several solutions: served only if served in all, short if delivered in one only
        found, known = node[GAP, v], noted[2, node[SEAT, v]]
        noted[2, node[SEAT, v]] = found if known < 0 or known == found else SUPPLY_SHORT
