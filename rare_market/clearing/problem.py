"""One good's market in whole numbers: limits and costs in ticks, quantities in lots.

The search wants one unit of price in which a lane's cost can also carry its tie weight, far below
a tick: a *grain*. There are ``2^shift`` grains in a tick, as many as keep every sum in 63 bits.
"""

# The kernels carry no annotations: numba infers their types, and would ignore them.
# mypy: allow-untyped-defs, allow-untyped-calls
from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from rare_market.clearing.eights import (
    ALL,
    bits,
    count_from,
    floor,
    gather,
    larger,
    largest,
    load,
    load_some,
    nearest,
    pick,
    ratio,
    smaller,
    smallest,
    spread,
    store,
    sum_of,
    total,
    whole,
)
from rare_market.clearing.jit import compiled, compiled_apart

TICKS_PER_USD = 1e6
LOTS_PER_T = 1e9
LARGEST_PRICE_USD_PER_KG = 1e6
LARGEST_QUANTITY_T = 4e9  # of the asks or bids of one good; their lots still fit 63 bits
ROUNDING = 1 + 4e-16  # more than a number and its product with another lose, 2^-53 each
RENT_UNIT = np.int64(4)  # with quotas prices are counted in quarters of a tick

GRAIN_BITS = 57  # prices stay below 2^57 grains, so that sums with the marks below stay apart
INF = np.int64(1 << 61)  # no lane, no bound
FAR = np.int64(1 << 60)  # below it in size: a real price; an idle node is priced at it
UNLIMITED = np.int64(1 << 62)

(
    OK,
    BAD_ASK_QUANTITY,
    BAD_ASK_LIMIT,
    BAD_BID_QUANTITY,
    BAD_BID_LIMIT,
    BAD_COST,
    BAD_FLOW_LIMIT,
    TOO_MUCH,
) = range(8)
PROBLEMS = {
    BAD_ASK_QUANTITY: "ask_quantity_t must be finite and not negative.",
    BAD_ASK_LIMIT: "ask_limit_usd_per_kg must not be NaN.",
    BAD_BID_QUANTITY: "bid_quantity_t must be finite and not negative.",
    BAD_BID_LIMIT: "bid_limit_usd_per_kg must not be NaN.",
    BAD_COST: "lane_cost_usd_per_kg must be a number, or inf where there is no lane.",
    BAD_FLOW_LIMIT: "lane_limit_t must be a number not below 0, or inf where there is no limit.",
    TOO_MUCH: "ask_quantity_t and bid_quantity_t of one good must sum to less than 4e9 t.",
}

# The orders of a good: a slot each, node after node, in blocks of eight; what is left over of a
# node's last block, and orders of no quantity, have no lots and lie FAR. Limit in grains (in ticks
# when read) and quantity in lots; the quantity in t is kept apart.
PRICE, LOTS, ORDER_ROWS = range(3)
# The nodes of a good: a column each. Its slots start at FIRST, and it is LIVE if one has lots, else
# idle; its price is in grains; the lane to its parent (ARC: the limited lane, or -1) carries FLOW
# of at most ROOM. A root is its own parent, and its link is an order of limit STEP, used in part.
# LOW and HIGH are its next orders below the price (used up) and from the price on (untouched).
# INSIDE names its tree by the root; GAP, EXTRA and TAIL are scratch of the search. The rest is the
# answer: ends and middle of the price interval, in ticks and half ticks, whose order is the SETTER
# of the price, whether no other lane can narrow the interval (SETTLED), whether asks can reach it
# (REACHED), the balance in lots, and the limits up to which an order is filled (BAR) and would gain
# (EDGE).
# Nodes without orders in the book are absent: they cannot trade, and only their quotes are wanted.
# SEAT is a node's number among all of the good. By it all have a second column further on in the
# same table, unless none is absent, with the answer's rows, LIVE, and INSIDE: -1 if not absent.
(
    _, SEAT, FIRST, LIVE, PARENT, ARC, FLOW, ROOM, STEP, LOW, HIGH, INSIDE, GAP, EXTRA, TAIL,
    BOTTOM, TOP, MIDDLE, SETTER, SETTLED, REACHED, BALANCE, BAR, EDGE, NODE_ROWS,
) = range(25)  # fmt: skip


def _record(index: str, number: str) -> np.dtype[Any]:
    """Fields that hold indices (unsigned, so that numba asks no sign of them) and numbers."""
    fields = [(name, np.uint32) for name in index.split()]
    return np.dtype([*fields, *((name, np.int64) for name in number.split())], align=True)


# A limited lane: cost in ticks and in grains, limit in lots, whether it is empty, full or in a
# tree, its flow; of all solutions whether it has room in one, and the most it carries; its gain.
# Of one from or to an absent node, which never carries anything, what is not cost, limit, room and
# gain is not written, and its ends are seats.
LIMITED = _record("tail head", "ticks cost lots state flow has_room most gain")
# A lane in use.
TRADE = _record("tail head", "lots")


class Tables(NamedTuple):
    """What the goods are worked out in, one after the other."""

    order: Any  # [PRICE or LOTS, slot]
    offered_t: Any  # [0, slot]
    node: Any  # [PRICE, SEAT ..., node]
    arc: Any  # [limited lane]
    trade: Any  # [lane in use]
    carrying: Any  # [lane that holds prices to its cost]
    ticks: Any  # [origin, demand node] as are the next four
    charged: Any  # rents of quotas, ticks, as published
    weight: Any  # of ties
    rent: Any  # of quotas, ticks, at which the programme is solved; as `cost` of the book only
    cost: Any  # with them, grains
    gaps: Any  # [0, demand node] scratch
    price: Any  # [3, node] scratch
    hinted: Any  # [0, node] USD/kg
    block_node: Any  # [block]
    block_size: Any  # [block] orders
    slot_order: Any  # [slot] number of the order


class Good(NamedTuple):
    """Where a good stands in the tables, and in which units."""

    all_places: Any
    all_nodes: Any
    places: Any  # with asks in the book
    nodes: Any  # with orders in the book
    inner: Any  # row of `ticks`, `charged` and `weight` from which lanes between these stand
    outer: Any  # column of `node` from which all nodes stand
    arcs: Any  # limited lanes between nodes in the book
    others: Any  # other limited lanes
    first: Any  # block of asks
    middle: Any  # first block of bids
    last: Any  # end of these
    shift: Any  # bits of grains a tick has
    tie_shift: Any
    unit_shift: Any  # bits of parts into which a tick is split
    useful: Any  # ticks; a lane that costs as much is of no use
    lowest: Any  # limit, ticks
    highest: Any


@compiled
def within(values, largest):
    """Bound eight floats in size; what is no number stays so."""
    most, least = spread(largest), spread(-largest)
    values = pick(most < values, most, values)
    return pick(values < least, least, values)


@compiled
def ticks_of(usd_per_kg, unit_shift):
    """Round eight prices to ticks, or parts of a tick."""
    return nearest(usd_per_kg * spread(TICKS_PER_USD)) << spread(unit_shift)


@compiled
def to_lots(quantity_t):
    """Cut a quantity to lots, but for what it and the product may have lost to rounding."""
    return np.int64(min(quantity_t * (LOTS_PER_T * ROUNDING) + 1e-5, quantity_t * LOTS_PER_T + 0.5))


@compiled
def whole_lots(quantity_t):
    """Cut eight quantities likewise; the lots are still floats."""
    allowed = quantity_t * spread(LOTS_PER_T * ROUNDING) + spread(1e-5)
    return floor(smaller(allowed, quantity_t * spread(LOTS_PER_T) + spread(0.5)))


@compiled
def read_orders(first, last, base, unit_shift, quantity_t, limit, tables):
    """Read the orders of the blocks from `first` to `last`, limits still in ticks.

    `base` is the first block of the good. Returns a problem code (of the asks) and the range of
    limits.
    """
    order, offered_t, node = tables.order, tables.offered_t, tables.node
    block_size, slot_order = tables.block_size, tables.slot_order
    nothing, far, near = spread(np.int64(0)), spread(FAR), spread(-FAR)
    lowest, highest, negative = far, near, nothing
    sum_t, sum_usd_per_kg = spread(0.0), spread(0.0)  # not a number if a term is not
    for b in range(first, last):
        slot, v = 8 * (b - base), tables.block_node[b]
        offered = gather(quantity_t, slot_order, 8 * b)
        usd_per_kg = within(gather(limit, slot_order, 8 * b), LARGEST_PRICE_USD_PER_KG)
        offered = pick(count_from(0) < spread(block_size[b]), offered, spread(0.0))
        negative |= offered < spread(0.0)
        sum_t += offered
        sum_usd_per_kg += usd_per_kg
        lots_float = whole_lots(offered)
        lots = whole(lots_float)
        live = nothing < lots
        price = pick(live, ticks_of(usd_per_kg, unit_shift), far)
        store(order, PRICE, slot, price)
        store(order, LOTS, slot, lots)
        store(offered_t, 0, slot, ratio(lots_float, LOTS_PER_T))
        node[LIVE, v] |= bits(live)
        lowest, highest = smaller(lowest, price), larger(highest, pick(live, price, near))
    problem = OK
    all_t, all_usd_per_kg = sum_of(sum_t), sum_of(sum_usd_per_kg)
    if bits(negative) or not all_t <= LARGEST_QUANTITY_T or all_usd_per_kg != all_usd_per_kg:
        problem = _problem_of(first, last, block_size, slot_order, quantity_t, limit)
    return problem, smallest(lowest), largest(highest)


@compiled_apart
def _problem_of(first, last, block_size, slot_order, quantity_t, limit):
    """Name the first kind of problem, in the order of the codes, of orders that cannot be used."""
    problem = TOO_MUCH
    for b in range(first, last):
        for s in range(8 * b, 8 * b + block_size[b]):
            offered, usd_per_kg = quantity_t[slot_order[s]], limit[slot_order[s]]
            if usd_per_kg != usd_per_kg:
                problem = min(problem, BAD_ASK_LIMIT)
            if not 0.0 <= offered < np.inf:
                problem = min(problem, BAD_ASK_QUANTITY)
    return problem


@compiled
def read_lanes(
    all_places, demands, places, nodes, inner, first, last, useful, unit_shift, cost_usd_per_kg,
    limit_t, tables,
):  # fmt: skip
    """Split the lanes of one good, with the orders `first` to `last`, by whether they are limited.

    Unlimited ones stand in `ticks`, limited ones in `arc`, with a limit of at most one lot more
    than is offered at one end or wanted at the other: so that sums of limits stay in 63 bits.

    Those between nodes in the book stand in `ticks` again from row `inner` on, as do their weights
    of ties, and from the beginning of `arc`; other limited lanes stand from its end. Returns a
    problem code, how many limited lanes there are in the book and others, and the span of the
    costs of use.
    """
    ticks, weight, node, arc = tables.ticks, tables.weight, tables.node, tables.arc
    nothing, most, far = spread(np.int64(0)), spread(LARGEST_QUANTITY_T), spread(INF)
    largest_cost = 2 * LARGEST_PRICE_USD_PER_KG
    low, high, limited = nothing, nothing, nothing
    fine = spread(np.int64(-1))
    fine_limit = fine
    for o in range(all_places):
        for d in range(0, demands, 8):
            usd_per_kg = load_some(cost_usd_per_kg, o, d, demands - d, np.inf)
            most_t = load_some(limit_t, o, d, demands - d, np.inf)
            fine &= spread(-np.inf) < usd_per_kg
            fine_limit &= spread(0.0) <= most_t
            limited |= most_t <= most
            c = ticks_of(within(usd_per_kg, largest_cost), unit_shift)
            c = pick(spread(largest_cost) < usd_per_kg, far, c)
            low, high = smaller(low, c), larger(high, pick(c < spread(useful), c, nothing))
            store(ticks, o, d, c)
    arcs, others = 0, 0
    if bits(limited):
        for v in range(nodes):
            node[EXTRA, v] = 0
        for b in range(first, last):
            lots = load(tables.order, LOTS, 8 * (b - first))
            node[EXTRA, tables.block_node[b]] += total(lots)
        for o in range(places):
            for v in range(places, nodes):
                tail, d = node[SEAT, o], node[SEAT, v] - all_places
                if limit_t[tail, d] <= LARGEST_QUANTITY_T and ticks[tail, d] < INF:
                    _note_arc(arcs, o, v, ticks[tail, d], limit_t[tail, d], arc)
                    most_lots = min(node[EXTRA, o], node[EXTRA, v]) + 1
                    arc[arcs].lots = min(arc[arcs].lots, most_lots)
                    ticks[tail, d] = INF
                    arcs += 1
        for o in range(all_places):
            for d in range(demands):
                if limit_t[o, d] <= LARGEST_QUANTITY_T and ticks[o, d] < INF:
                    others += 1
                    at = all_places * demands - others
                    _note_arc(at, o, all_places + d, ticks[o, d], limit_t[o, d], arc)
                    ticks[o, d] = INF
    if inner > 0:
        for o in range(places):
            row, tail = inner + o, node[SEAT, o]
            for d in range(0, nodes - places, 8):
                store(ticks, row, d, far)
            for v in range(places, nodes):
                d, head = v - places, node[SEAT, v] - all_places
                ticks[row, d], weight[row, d] = ticks[tail, head], weight[tail, head]
    problem = OK if bits(fine_limit) == ALL else BAD_FLOW_LIMIT
    problem = problem if bits(fine) == ALL else BAD_COST
    return problem, arcs, others, largest(high) - smallest(low)


@compiled
def _note_arc(a, tail, head, ticks, limit_t, arc):
    """Write down a limited lane."""
    arc[a].tail, arc[a].head = tail, head
    arc[a].ticks, arc[a].lots = ticks, to_lots(limit_t)
    arc[a].has_room = 1 if arc[a].lots > 0 else 0


@compiled
def grains(bound, places):
    """How many bits of grains a tick has when prices stay below `bound` ticks.

    Returns that shift, and how far the 31 bits of a tie weight must be shifted down for the sum of
    them along any path between places to stay below half a tick.
    """
    shift = GRAIN_BITS - math.frexp(np.float64(bound))[1]
    spare = shift - 2 - math.frexp(np.float64(places // 2 + 2))[1]
    return shift, 31 - max(1, min(31, spare))


@compiled
def price_lanes(good, tables):
    """Write the costs, with the rents of quotas, in grains less the tie weights.

    A cost from `useful` on cannot be borne; such lanes are closed, since it might not fit either.
    """
    places, inner, shift, useful = good.places, good.inner, good.shift, good.useful
    ticks, weight, rent, arc = tables.ticks, tables.weight, tables.rent, tables.arc
    for o in range(places):
        for d in range(0, good.nodes - places, 8):
            c = load(ticks, inner + o, d) + load(rent, o, d)
            grain = (c << spread(shift)) - (load(weight, inner + o, d) >> spread(good.tie_shift))
            store(tables.cost, o, d, pick(c < spread(useful), grain, spread(INF)))
    for a in range(good.arcs):
        o, d = arc[a].tail, arc[a].head - places
        c = arc[a].ticks + rent[o, d]
        grain = (c << shift) - (weight[inner + o, d] >> good.tie_shift)
        arc[a].cost = grain if c < useful else INF
