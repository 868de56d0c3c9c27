"""The search for the rents of quotas: use falls with the rent.

Limits are whole ticks, so use changes at whole or half ticks of rent only. Rents are counted in
quarters of a tick and tried at odd quarters, which avoids every tie; where a quota is used up
between two neighbouring rents, each mix of the two solutions is optimal: the marginal step is
shared pro rata.
"""

# mypy: allow-untyped-calls
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rare_market.clearing.month import clear_goods
from rare_market.clearing.problem import (
    LARGEST_PRICE_USD_PER_KG,
    LARGEST_QUANTITY_T,
    LOTS_PER_T,
    RENT_UNIT,
    TICKS_PER_USD,
)
from rare_market.clearing.quotas import Quotas


def enforce(
    quotas: Quotas,
    goods: int,
    market: tuple[np.ndarray, ...],
    pivot_limit: int,
    results: tuple[np.ndarray, ...],
) -> np.ndarray:
    """Find the rents at which every quota is kept, and publish the goods concerned again.

    Parameters
    ----------
    quotas
        all of them; those that do not bind cost nothing.
    goods
        how many there are.
    market
        what :func:`rare_market.clearing.month.clear_goods` reads: layout, orders, lanes, hint.
    pivot_limit
        per good.
    results
        of the month without quotas; written over.

    Returns
    -------
    numpy.ndarray
        ``[quota]`` rents, USD/kg.
    """
    quota_t = np.asarray(quotas.quota_t, dtype=np.float64)
    count = len(quota_t)
    quotas = Quotas(
        np.ascontiguousarray(quotas.quota_goods, dtype=np.bool_),
        np.ascontiguousarray(quotas.quota_origin, dtype=np.int64),
        np.ascontiguousarray(quotas.quota_destination, dtype=np.int64),
        quota_t,
    )
    origin, destination = quotas.quota_origin, quotas.quota_destination
    if quotas.quota_goods.shape != (count, goods) or not (
        origin.shape == destination.shape == (count,)
    ):
        raise ValueError("quotas must have one row per quota and one column per good.")
    if not (quota_t >= 0).all():
        raise ValueError("quota_t must be a number not below 0.")
    lots = np.floor(np.minimum(quota_t, LARGEST_QUANTITY_T) * LOTS_PER_T * (1 + 4e-16) + 1e-5)
    used = _used_t(quotas, results[2]) * LOTS_PER_T
    rent_usd_per_kg = np.zeros(count)
    market = (*market[:-1], results[4][0].copy())  # hints: prices without quotas, then of trials
    for group in _groups(quotas.quota_goods):
        if (used[group] <= lots[group] + 0.5).all():
            continue
        rules = Quotas(*(column[group] for column in quotas))
        which = np.flatnonzero(rules.quota_goods.any(axis=0))

        def solve(rents: list[int], rules: Quotas = rules, which: np.ndarray = which) -> np.ndarray:
            use = np.zeros(len(rents) + 1)
            row = np.array([rents], dtype=np.int64)
            trial: Any = (*rules[:3], row, np.zeros(0), row[0], pivot_limit, *results, use)
            clear_goods(which, *market, *trial)
            return use

        search = _search_one if len(group) == 1 else _search_several
        rents, weights, rent = search(solve, lots[group], _top_rent(market))
        mix = (np.array(rents, dtype=np.int64), np.array(weights), np.array(rent, dtype=np.int64))
        final: Any = (*rules[:3], *mix, pivot_limit, *results, np.zeros(1))
        clear_goods(which, *market, *final)
        rent_usd_per_kg[group] = np.array(rent) / (int(RENT_UNIT) * TICKS_PER_USD)
    return rent_usd_per_kg


def _used_t(quotas: Quotas, flow_t: np.ndarray) -> np.ndarray:
    """Tonnes counted by each quota."""
    goods, places, _ = flow_t.shape
    covers, origin, destination = quotas.quota_goods, quotas.quota_origin, quotas.quota_destination
    to_place_t = flow_t.reshape(goods, places, places, -1).sum(axis=3)
    to_place_t[:, np.arange(places), np.arange(places)] = 0
    used_t = np.zeros(len(origin))
    for k in range(len(origin)):
        tails = slice(None) if origin[k] < 0 else slice(origin[k], origin[k] + 1)
        heads = slice(None) if destination[k] < 0 else slice(destination[k], destination[k] + 1)
        used_t[k] = to_place_t[covers[k]][:, tails, heads].sum()
    return used_t


def _groups(covers: np.ndarray) -> list[list[int]]:
    """Quotas that share goods, directly or through others, must be searched together."""
    groups: list[tuple[list[int], np.ndarray]] = []
    for k in range(len(covers)):
        members, reach = [k], covers[k]
        apart = []
        for other, other_reach in groups:
            if (other_reach & reach).any():
                members, reach = other + members, reach | other_reach
            else:
                apart.append((other, other_reach))
        groups = [*apart, (members, reach)]
    return [sorted(members) for members, _ in groups]


def _top_rent(market: tuple[np.ndarray, ...]) -> int:
    """No trade is worth this rent; in quarters of a tick, odd."""
    ask_limit, bid_limit, cost = market[4], market[6], market[7]
    most = LARGEST_PRICE_USD_PER_KG
    top = min(most, bid_limit.max(initial=-most))
    least = max(-most, ask_limit.min(initial=most)) + max(-2 * most, cost.min(initial=0.0))
    return 4 * int(np.ceil(max(0.0, top - least) * TICKS_PER_USD)) + 5


Solve = Callable[[list[int]], np.ndarray]
Found = tuple[list[list[int]], list[float], list[int]]


def _search_one(solve: Solve, limit_lots: np.ndarray, top: int) -> Found:
    """Find the rent of one quota: try the slope between two solutions until they are neighbours."""
    limit = limit_lots[0]
    low, high = -1, top
    (low_use, low_value), (high_use, high_value) = solve([low]), solve([high])
    while high - low > 2 and low_use > limit > high_use:
        width = high - low
        near = 2 * round((low_value - high_value) / (low_use - high_use) / 2)
        for trial in (near + 1, near - 1, None):
            if trial is None:  # the slope may fail to halve the range
                if 2 * (high - low) <= width or high - low <= 2:
                    break
                trial = (low + high) // 4 * 2 + 1
            if low < trial < high:
                use, value = solve([trial])
                if use > limit:
                    low, low_use, low_value = trial, use, value
                else:
                    high, high_use, high_value = trial, use, value
                if use == limit:
                    break
    if low_use <= limit:  # kept without a rent after all
        return [[low]], [1.0], [0]
    if high_use == limit:
        return _rent_plateau(solve, limit, low, high, top)
    share = (limit - high_use) / (low_use - high_use)
    return [[low], [high]], [share, 1.0 - share], [low + 1]


def _rent_plateau(solve: Solve, limit: float, low: int, high: int, top: int) -> Found:
    """Return the middle of the rents at which just the quota is used; the least if all above."""
    first, last = high, high
    while first - low > 2:
        trial = (low + first) // 4 * 2 + 1
        trial = min(max(trial, low + 2), first - 2)
        if solve([trial])[0] == limit:
            first = trial
        else:
            low = trial
    if limit == 0:
        return [[first]], [1.0], [first - 1]
    while top - last > 2:
        trial = (last + top) // 4 * 2 + 1
        trial = min(max(trial, last + 2), top - 2)
        if solve([trial])[0] == limit:
            last = trial
        else:
            top = trial
    return [[first]], [1.0], [(first + last) // 2]


def _search_several(solve: Solve, limit_lots: np.ndarray, top: int) -> Found:
    """Find the rents of quotas that share goods (Dantzig and Wolfe 1960).

    The mix of solutions worth most within all quotas is a small linear programme; its duals are
    the rents at which the next solution is sought, until none improves the mix.
    """
    count = len(limit_lots)
    right = np.append(limit_lots / LOTS_PER_T, 1.0)
    # the search runs with quotas a milligram or so looser, or those of 0 t would make it cycle
    looser = right + 1e-9 * np.append(np.sqrt(np.arange(2.0, count + 2.0)), 0.0)
    dearest = [top] * count
    *use, worth = solve(dearest) / LOTS_PER_T
    columns: list[list[int] | None] = [dearest] + [None] * count  # None: slack of a quota
    basis = np.roll(np.eye(count + 1), 1, axis=1)  # rows: use of each quota, share of a solution
    basis[:count, 0] = use
    value = np.append(worth, np.zeros(count))
    for _ in range(1000):
        weights = np.linalg.solve(basis, looser)
        dual = np.linalg.solve(basis.T, value)
        rent = dual[:count]
        slack = int(np.argmin(rent))
        entering: list[int] | None = None
        if rent[slack] < -1e-3:
            column, worth = np.eye(count + 1)[slack], 0.0
        else:
            entering = [2 * round((max(r, 0.0) - 1) / 2) + 1 for r in rent]
            *use, worth = solve(entering) / LOTS_PER_T
            column = np.append(use, 1.0)
            gain = worth - dual @ column
            if entering in columns or gain <= 1e-13 * (abs(worth) + abs(dual) @ column):
                break
        change = np.linalg.solve(basis, column)
        usable = change > 1e-9 * np.abs(change).max()
        steps = np.maximum(weights, 0.0) / np.where(usable, change, 1.0)
        leaving = int(np.argmin(np.where(usable, steps, np.inf)))
        columns[leaving], basis[:, leaving], value[leaving] = entering, column, worth
    weights = np.maximum(np.linalg.solve(basis, right), 0.0)
    weights /= sum(weights[i] for i in range(count + 1) if columns[i] is not None)
    mixed = [
        (list(column), float(weight))
        for column, weight in zip(columns, weights, strict=True)
        if column is not None and weight > 1e-13
    ]
    return [c for c, _ in mixed], [w for _, w in mixed], [max(0, round(r)) for r in rent]
