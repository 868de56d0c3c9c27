"""Tonnage quotas: which lanes they count, what a rent adds to costs, how much of one is used."""

# mypy: allow-untyped-defs, allow-untyped-calls
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rare_market.clearing.problem import INF, compiled


class Quotas(NamedTuple):
    """Tonnage quotas, a row each; one rent per tonne for all goods and lanes it counts.

    Attributes
    ----------
    quota_goods
        ``[quota, good]`` bool, the goods it counts.
    quota_origin, quota_destination
        place codes; -1 counts any. Domestic lanes are never counted.
    quota_t
        tonnes per period.
    """

    quota_goods: np.ndarray
    quota_origin: np.ndarray
    quota_destination: np.ndarray
    quota_t: np.ndarray


def no_quotas(goods: int) -> Quotas:
    """Return the empty list of quotas."""
    none = np.zeros(0, dtype=np.int64)
    return Quotas(np.zeros((0, goods), dtype=np.bool_), none, none, np.zeros(0))


@compiled
def _counts(k, good, origin, destination, quota_goods, quota_origin, quota_destination):
    return (
        quota_goods[k, good]
        and origin != destination
        and (quota_origin[k] < 0 or quota_origin[k] == origin)
        and (quota_destination[k] < 0 or quota_destination[k] == destination)
    )


@compiled
def charge(g, classes, quota_goods, quota_origin, quota_destination, rent, charged):
    """Write the sum of the rents of the quotas that count each lane."""
    for o in range(charged.shape[0]):
        for d in range(charged.shape[1]):
            charged[o, d] = 0
            for k in range(len(rent)):
                if _counts(k, g, o, d // classes, quota_goods, quota_origin, quota_destination):
                    charged[o, d] += rent[k]


@compiled
def add_use(
    g, classes, shift, in_use, arcs, quota_goods, quota_origin, quota_destination, ticks, order,
    node, arc, trade, use,
):  # fmt: skip
    """Add the lots under each quota and, last, the value of the trade in ticks times lots.

    Terms are rounded to a grid on which their sum is exact, whatever the order of the terms: to
    add and take away a power of two this much larger than the sum cuts off what lies below it.
    """
    places, demands = ticks.shape
    nodes, quotas = places + demands, len(quota_origin)
    dearest, total = np.int64(1), np.int64(1)
    for s in range(node[nodes].first):
        dearest, total = max(dearest, abs(order[s].ticks)), total + order[s].lots
    grid = 1.5 * 2.0 ** (np.ceil(np.log2(np.float64(dearest) * total)) + 4)
    value = 0.0
    for v in range(nodes):
        sign = -1.0 if v < places else 1.0
        for s in range(node[v].first, node[v + 1].first):
            x = order[s].price
            if x <= node[v].low if v < places else x >= node[v].high:
                value += sign * ((np.float64(order[s].ticks) * order[s].lots + grid) - grid)
        if node[v].parent == v and node[v].room > 0:
            used = node[v].flow if v < places else node[v].room - node[v].flow
            value += sign * ((np.float64(node[v].step >> shift) * used + grid) - grid)
    for i in range(in_use):
        o, d, lots = trade[i].tail, trade[i].head - places, trade[i].lots
        if ticks[o, d] < INF:
            value -= (np.float64(ticks[o, d]) * lots + grid) - grid
        for k in range(quotas):
            if _counts(k, g, o, d // classes, quota_goods, quota_origin, quota_destination):
                use[k] += lots
    for a in range(arcs):
        value -= (np.float64(arc[a].ticks) * arc[a].flow + grid) - grid
    use[quotas] += value
