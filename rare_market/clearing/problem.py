"""One good's market in whole numbers: limits and costs in ticks, quantities in lots.

The search wants one unit of price in which a lane's cost can also carry its tie weight, far below
a tick: a *grain*. There are ``2^shift`` grains in a tick, as many as keep every sum in 63 bits.
"""

# The kernels carry no annotations: numba infers their types, and would ignore them.
# mypy: allow-untyped-defs, allow-untyped-calls
from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import numpy as np
from numba import njit

TICKS_PER_USD = 1e6
LOTS_PER_T = 1e9
LARGEST_PRICE_USD_PER_KG = 1e6
LARGEST_QUANTITY_T = 4e9  # of the asks or bids of one good; their lots still fit 63 bits
RENT_UNIT = np.int64(4)  # with quotas prices are counted in quarters of a tick

GRAIN_BITS = 57  # prices stay below 2^57 grains, so that sums with the marks below stay apart
INF = np.int64(1 << 61)  # no lane, no bound
FAR = np.int64(1 << 60)  # below it in size: a real price; a node without orders is priced at it
UNLIMITED = np.int64(1 << 62)
_SUM_SHIFT = 20  # lots are added in coarse units, or their sum could pass 63 bits unseen

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

_njit: Any = partial(njit, cache=True, error_model="numpy")  # its types lack the option _nrt


def compiled[Kernel: Callable[..., Any]](kernel: Kernel) -> Kernel:
    """Compile a kernel; no fastmath and no threads, so that results are the same everywhere.

    It may not make arrays: then numba counts no references, which would cost more than the work.
    """
    return cast(Kernel, _njit(_nrt=False)(kernel))


def compiled_with_arrays[Kernel: Callable[..., Any]](kernel: Kernel) -> Kernel:
    """Compile a kernel that makes arrays."""
    return cast(Kernel, _njit(_nrt=True)(kernel))


# The orders of a good that have a quantity: a column each, node after node; limit in grains (in
# ticks when read), quantity in lots; lots filled before it. Rows lie apart so that loops over a
# node run four abreast.
PRICE, LOTS, FILLED, ORDER_ROWS = range(4)
# Their indices among asks or bids, and their nodes; and how many are live before each slot.
INDEX, OWNER, BEFORE, NUMBER_ROWS = range(4)
# The nodes of a good: a column each. Its orders start at FIRST; its price is in grains; the lane to
# its parent (ARC: the limited lane, or -1) carries FLOW of at most ROOM. A root is its own parent,
# and its link is an order of limit STEP, used in part. LOW and HIGH are its next orders below the
# price (used up) and from the price on (untouched). INSIDE names its tree by the root; GAP and
# EXTRA are scratch of the search. The rest is the answer: ends and middle of the price interval, in
# ticks and half ticks, whose order is the SETTER of the price, whether no other lane can narrow the
# interval (SETTLED), the balance in lots, and the limits up to which an order is filled (BAR) and
# would gain (EDGE).
(
    _, FIRST, PARENT, ARC, FLOW, ROOM, STEP, LOW, HIGH, INSIDE, GAP, EXTRA,
    BOTTOM, TOP, MIDDLE, SETTER, SETTLED, BALANCE, BAR, EDGE, NODE_ROWS,
) = range(21)  # fmt: skip


def _record(index: str, number: str) -> np.dtype[Any]:
    """Fields that hold indices (unsigned, so that numba asks no sign of them) and numbers."""
    fields = [(name, np.uint32) for name in index.split()]
    return np.dtype([*fields, *((name, np.int64) for name in number.split())], align=True)


# A limited lane: cost in ticks and in grains, limit in lots, whether it is empty, full or in a
# tree, its flow; of all solutions whether it has room in one, and the most it carries; its gain.
LIMITED = _record("tail head", "ticks cost lots state flow has_room most gain")
# A lane in use.
TRADE = _record("tail head", "lots")


@compiled
def to_ticks(usd_per_kg, largest):
    """Round a price to ticks."""
    above = usd_per_kg if usd_per_kg > -largest else -largest
    return np.int64(np.rint((above if above < largest else largest) * TICKS_PER_USD))


@compiled
def to_lots(quantity_t):
    """Cut a quantity to lots: never more than was offered, but for rounding of the product."""
    return np.int64(quantity_t * (LOTS_PER_T * (1 + 4e-16)) + 1e-5)


@compiled
def read_orders(
    count, begin, end, first_node, unit, node_start, slot_order, slot_node, quantity_t, limit,
    number, order, node,
):  # fmt: skip
    """Append the orders with a quantity of the nodes `begin` to `end`, limits still in ticks.

    Returns a problem code (of the asks), the number of orders so far and the range of limits.
    """
    base, fine = np.uint64(count), True
    first, last = np.uint64(node_start[first_node + begin]), np.uint64(node_start[first_node + end])
    for s in range(first, last):  # not node by node: a short loop costs its last turn a wrong guess
        i, slot = slot_order[s], np.uint64(count)
        offered, usd_per_kg = quantity_t[i], limit[i]
        usable = (offered >= 0.0) & (offered <= LARGEST_QUANTITY_T)
        fine &= usable & (usd_per_kg == usd_per_kg)
        lots = to_lots(offered if usable else 0.0)
        number[BEFORE, s - first], number[INDEX, slot] = slot, i
        number[OWNER, slot], order[LOTS, slot] = slot_node[s], lots
        order[PRICE, slot] = to_ticks(usd_per_kg, LARGEST_PRICE_USD_PER_KG) * unit
        count += lots > 0  # one without is overwritten by the next
    number[BEFORE, last - first] = count
    for v in range(begin, end + 1):
        node[FIRST, v] = number[BEFORE, np.uint64(node_start[first_node + v]) - first]
    total, lowest, highest = np.int64(0), FAR, -FAR
    for s in range(base, np.uint64(count)):
        total += order[LOTS, s] >> _SUM_SHIFT
        lowest, highest = min(lowest, order[PRICE, s]), max(highest, order[PRICE, s])
    problem = OK
    if not fine:
        problem = _problem_of(first, last, slot_order, quantity_t, limit)
    elif total > np.int64(LARGEST_QUANTITY_T * LOTS_PER_T) >> _SUM_SHIFT:
        problem = TOO_MUCH
    return problem, count, lowest, highest


@compiled
def _problem_of(first, last, slot_order, quantity_t, limit):
    """Name the first kind of problem, in the order of the codes, of orders that cannot be used."""
    problem = TOO_MUCH
    for s in range(first, last):
        offered, usd_per_kg = quantity_t[slot_order[s]], limit[slot_order[s]]
        if usd_per_kg != usd_per_kg:
            problem = min(problem, BAD_ASK_LIMIT)
        if not 0.0 <= offered < np.inf:
            problem = min(problem, BAD_ASK_QUANTITY)
    return problem


@compiled
def read_lanes(g, places, useful, unit, lane_cost, lane_limit_t, ticks, arc):
    """Split the lanes of one good into unlimited (`ticks`) and limited ones (`arc`).

    Lanes come as rows, origin by origin: one long loop is quicker than short ones. Returns a
    problem code, the number of limited lanes, and the span of the costs of use.
    """
    low, high, arcs = np.int64(0), np.int64(0), 0
    wrong_cost, wrong_limit, limited = False, False, False
    for i in range(len(ticks)):
        usd_per_kg, limit_t = lane_cost[g, i], lane_limit_t[g, i]
        wrong_cost |= not usd_per_kg > -np.inf
        wrong_limit |= not limit_t >= 0.0
        limited |= limit_t <= LARGEST_QUANTITY_T
        c = to_ticks(usd_per_kg, 2 * LARGEST_PRICE_USD_PER_KG) * unit
        c = c if usd_per_kg <= 2 * LARGEST_PRICE_USD_PER_KG else INF
        low, high = min(low, c), max(high, c if c < useful else np.int64(0))
        ticks[i] = c
    if limited:
        demands = len(ticks) // places
        for i in range(len(ticks)):
            if lane_limit_t[g, i] <= LARGEST_QUANTITY_T and ticks[i] < INF:
                o, d = i // demands, i % demands
                arc[arcs].tail, arc[arcs].head, arc[arcs].ticks = o, places + d, ticks[i]
                arc[arcs].lots = to_lots(lane_limit_t[g, i])
                ticks[i] = INF
                arcs += 1
    problem = BAD_FLOW_LIMIT if wrong_limit else OK
    return BAD_COST if wrong_cost else problem, arcs, high - low


@compiled
def grains(bound, places):
    """How many bits of grains a tick has when prices stay below `bound` ticks.

    Returns that shift, and how far the 31 bits of a tie weight must be shifted down for the sum of
    them along any path between places to stay below half a tick.
    """
    shift = GRAIN_BITS - math.frexp(np.float64(bound))[1]
    bits = shift - 2 - math.frexp(np.float64(places // 2 + 2))[1]
    return shift, 31 - max(1, min(31, bits))


@compiled
def price_lanes(arcs, places, useful, shift, tie_shift, tie_weight, rent, ticks, cost, arc):
    """Write the costs, with the rents of quotas, in grains less the tie weights; lanes as rows.

    A cost from `useful` on cannot be borne; such lanes are closed, since it might not fit either.
    """
    for i in range(len(ticks)):
        c = ticks[i] + rent[i]
        grain = (c << shift) - (tie_weight[i] >> tie_shift)
        cost[i] = grain if c < useful else INF
    demands = len(ticks) // places
    for a in range(arcs):
        i = arc[a].tail * demands + arc[a].head - places
        c = arc[a].ticks + rent[i]
        grain = (c << shift) - (tie_weight[i] >> tie_shift)
        arc[a].cost = grain if c < useful else INF
