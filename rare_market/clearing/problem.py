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


def _record(index: str, number: str) -> np.dtype[Any]:
    """Fields that hold indices (unsigned, so that numba asks no sign of them) and numbers."""
    fields = [(name, np.uint32) for name in index.split()]
    return np.dtype([*fields, *((name, np.int64) for name in number.split())], align=True)


# An order: index of the ask or bid, limit in ticks and in grains, quantity in lots.
ORDER = _record("index", "ticks price lots")
# A node: its orders start at `first`; price in grains; the lane to its parent (`arc`: the limited
# lane, or -1) carries `flow` of at most `room`. A root is its own parent, and its link is an order
# of limit `step`, used in part. `low` and `high` are its next orders below the price (used up) and
# from the price on (untouched). The rest is scratch of the search (`inside`, `gap`, `extra`) and of
# the answer (whose order is the `setter` of its price, ends and middle of the price interval, which
# is `settled` if no other lane can narrow it, balance in lots).
NODE = _record(
    "first parent setter",
    "price arc flow room step low high inside gap extra bottom top middle settled balance",
)  # fmt: skip
# A limited lane: cost in ticks and in grains, limit in lots, whether it is empty, full or in a
# tree, its flow; of all solutions whether it has room in one, and the most it carries; its gain.
ARC = _record("tail head", "ticks cost lots state flow has_room most gain")
# A lane in use.
TRADE = _record("tail head", "lots")


@compiled
def to_ticks(usd_per_kg, largest):
    """Round a price to ticks."""
    return np.int64(np.rint(min(max(usd_per_kg, -largest), largest) * TICKS_PER_USD))


@compiled
def to_lots(quantity_t):
    """Cut a quantity to lots: never more than was offered, but for rounding of the product."""
    return np.int64(quantity_t * (LOTS_PER_T * (1 + 4e-16)) + 1e-5)


@compiled
def read_orders(
    count, begin, end, first_node, unit, node_start, slot_order, quantity_t, limit, order, node
):
    """Append the orders with a quantity of the nodes `begin` to `end`.

    Returns a problem code (of the asks), the number of orders so far and the range of limits.
    """
    total, lowest, highest = np.int64(0), FAR, -FAR
    for v in range(begin, end):
        node[v].first = count
        for s in range(node_start[first_node + v], node_start[first_node + v + 1]):
            i = slot_order[s]
            if not quantity_t[i] >= 0.0:
                return BAD_ASK_QUANTITY, count, lowest, highest
            if np.isnan(limit[i]):
                return BAD_ASK_LIMIT, count, lowest, highest
            if quantity_t[i] > LARGEST_QUANTITY_T:
                return TOO_MUCH, count, lowest, highest
            lots = to_lots(quantity_t[i])
            ticks = to_ticks(limit[i], LARGEST_PRICE_USD_PER_KG) * unit
            slot = np.uint32(count)
            order[slot].index, order[slot].lots, order[slot].ticks = i, lots, ticks
            lowest = min(lowest, ticks if lots > 0 else FAR)
            highest = max(highest, ticks if lots > 0 else -FAR)
            total += lots >> _SUM_SHIFT
            count += lots > 0  # one without is overwritten by the next
    node[end].first = count
    if total > np.int64(LARGEST_QUANTITY_T * LOTS_PER_T) >> _SUM_SHIFT:
        return TOO_MUCH, count, lowest, highest
    return OK, count, lowest, highest


@compiled
def read_lanes(g, useful, unit, lane_cost, lane_limit_t, ticks, arc):
    """Split the lanes of one good into unlimited (`ticks`) and limited ones (`arc`).

    Returns a problem code, the number of limited lanes, and the span of the costs of use.
    """
    places, demands = ticks.shape
    arcs, low, high = 0, np.int64(0), np.int64(0)
    for o in range(places):
        for d in range(demands):
            usd_per_kg, limit_t = lane_cost[g, o, d], lane_limit_t[g, o, d]
            if not usd_per_kg > -np.inf:
                return BAD_COST, arcs, low
            if not limit_t >= 0.0:
                return BAD_FLOW_LIMIT, arcs, low
            c = to_ticks(usd_per_kg, 2 * LARGEST_PRICE_USD_PER_KG) * unit
            c = c if usd_per_kg <= 2 * LARGEST_PRICE_USD_PER_KG else INF
            ticks[o, d] = c
            if limit_t <= LARGEST_QUANTITY_T and c < INF:
                arc[arcs].tail, arc[arcs].head, arc[arcs].ticks = o, places + d, c
                arc[arcs].lots = to_lots(limit_t)
                ticks[o, d] = INF
                arcs += 1
            low, high = min(low, c), max(high, c if c < useful else low)
    return OK, arcs, high - low


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
def price_lanes(arcs, useful, shift, tie_shift, tie_weight, rent, ticks, cost, arc):
    """Write the costs, with the rents of quotas, in grains less the tie weights.

    A cost from `useful` on cannot be borne; such lanes are closed, since it might not fit either.
    """
    places, demands = ticks.shape
    for o in range(places):
        for d in range(demands):
            c = ticks[o, d] + rent[o, d]
            grain = (c << shift) - (tie_weight[o, d] >> tie_shift)
            cost[o, d] = grain if c < useful else INF
    for a in range(arcs):
        o, d = arc[a].tail, arc[a].head - places
        c = arc[a].ticks + rent[o, d]
        grain = (c << shift) - (tie_weight[o, d] >> tie_shift)
        arc[a].cost = grain if c < useful else INF
