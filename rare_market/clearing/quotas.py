"""Tonnage quotas: which lanes they count, what a rent adds to costs, how much of one is used."""

# mypy: allow-untyped-defs, allow-untyped-calls
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rare_market.clearing.jit import compiled, compiled_apart
from rare_market.clearing.problem import (
    FIRST,
    FLOW,
    HIGH,
    INF,
    LOTS,
    LOW,
    PARENT,
    PRICE,
    ROOM,
    SEAT,
    STEP,
)

_COARSE = 50  # bits


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


def lanes_counted(quotas: Quotas, places: int) -> np.ndarray:
    """Say which lanes count: ``[quota, good, origin place, destination place]`` bool."""
    place = np.arange(places)
    origin, destination = quotas.quota_origin[:, None], quotas.quota_destination[:, None]
    leaves = ((origin < 0) | (origin == place))[:, None, :, None]
    arrives = ((destination < 0) | (destination == place))[:, None, None, :]
    abroad = place[:, None] != place
    return np.asarray(quotas.quota_goods[:, :, None, None] & leaves & arrives & abroad)


@compiled_apart
def charge(g, counted, rent, inner, good, charged, node):
    """Write the sum of the rents of the quotas that count each lane between nodes in the book."""
    places, all_places = good.places, good.all_places
    classes = good.all_nodes // all_places - 1
    for o in range(places):
        for v in range(places, good.nodes):
            place = (node[SEAT, v] - all_places) // classes
            charged[inner + o, v - places] = _rents(g, node[SEAT, o], place, counted, rent)


@compiled_apart
def charge_all(g, counted, rent, good, charged):
    """Write it for all lanes."""
    places, classes = good.all_places, good.all_nodes // good.all_places - 1
    for o in range(places):
        for p in range(places):
            rents = _rents(g, o, p, counted, rent)
            for d in range(p * classes, (p + 1) * classes):
                charged[o, d] = rents


@compiled
def _rents(g, o, p, counted, rent):
    """Sum the rents of the quotas that count what goes from one place to another."""
    rents = np.int64(0)
    for k in range(len(counted)):
        rents += rent[k] if counted[k, g, o, p] else 0
    return rents


@compiled
def _worth(ticks, lots):
    """Multiply, keeping the product modulo 2^64 and in units of 2^50."""
    return ticks * lots, np.int64(np.float64(ticks) * np.float64(lots) * 2.0**-_COARSE)


def exact_value(use: np.ndarray) -> int:
    """Put a value together again, in ticks times lots, of the two parts `add_use` wrote last."""
    low, coarse = int(use[-2]), int(use[-1])
    return low + ((((coarse << _COARSE) - low) + (1 << 63)) >> 64 << 64)


@compiled_apart
def add_use(g, counted, in_use, good, tables, use):
    """Add the lots under each quota and, last, the value of the trade in ticks times lots.

    The value does not fit a word. It is summed modulo 2^64 and in coarse units, each cut to a whole
    number: neither depends on the order of the terms, and :func:`exact_value` needs no more.
    """
    places, nodes, inner, shift = good.places, good.nodes, good.inner, good.shift
    ticks, order, node, arc, trade = (
        tables.ticks, tables.order, tables.node, tables.arc, tables.trade
    )  # fmt: skip
    quotas, all_places = len(counted), good.all_places
    classes = good.all_nodes // all_places - 1
    value, coarse = np.int64(0), np.int64(0)
    for v in range(nodes):
        sign = -1 if v < places else 1
        for s in range(node[FIRST, v], node[FIRST, v + 1]):
            x, lots = order[PRICE, s], order[LOTS, s]
            if x <= node[LOW, v] if v < places else x >= node[HIGH, v]:
                low, high = _worth(sign * (x >> shift), lots)
                value, coarse = value + low, coarse + high
        if node[PARENT, v] == v and node[ROOM, v] > 0:
            used = node[FLOW, v] if v < places else node[ROOM, v] - node[FLOW, v]
            low, high = _worth(sign * (node[STEP, v] >> shift), used)
            value, coarse = value + low, coarse + high
    for i in range(in_use):
        o, d, lots = trade[i].tail, trade[i].head - places, trade[i].lots
        if ticks[inner + o, d] < INF:
            low, high = _worth(-ticks[inner + o, d], lots)
            value, coarse = value + low, coarse + high
        tail, place = node[SEAT, o], (node[SEAT, places + d] - all_places) // classes
        for k in range(quotas):
            use[k] += lots if counted[k, g, tail, place] else 0
    for a in range(good.arcs):
        low, high = _worth(-arc[a].ticks, arc[a].flow)
        value, coarse = value + low, coarse + high
    use[quotas] += value
    use[quotas + 1] += coarse
