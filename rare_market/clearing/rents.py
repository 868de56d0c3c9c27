"""The search for the rents of quotas: use falls with the rent.

Limits are whole ticks, so use changes at whole or half ticks of rent only. Rents are counted in
quarters of a tick. That of one quota is tried at odd quarters, which avoids every tie; where it is
used up between two neighbouring rents, each mix of the two solutions is optimal: the marginal step
is shared pro rata. Those of several are searched together, and the mix is that of a programme. Use
and value are whole numbers throughout.
"""

# mypy: allow-untyped-calls
from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np

from rare_market.clearing.month import clear_goods
from rare_market.clearing.problem import (
    LARGEST_PRICE_USD_PER_KG,
    LOTS_PER_T,
    RENT_UNIT,
    TICKS_PER_USD,
    to_lots,
)
from rare_market.clearing.quotas import Quotas, exact_value, lanes_counted

_MOST_UNDER_A_QUOTA_T = 9e9  # so that the lots under it fit 63 bits
_MOST_SOLUTIONS = 1000  # then the mix so far stands, and the certificate shows its gap
_MOST_FRACTIONS = 4  # rents whose neighbours are tried both ways


def enforce(
    quotas: Quotas,
    market: tuple[np.ndarray, ...],
    pivot_limit: int,
    answer: np.ndarray,
    flow_t: np.ndarray,
    price_usd_per_kg: np.ndarray,
) -> np.ndarray:
    """Find the rents at which every quota is kept, and publish the goods concerned again.

    Parameters
    ----------
    quotas
        all of them; those that do not bind cost nothing.
    market
        what :func:`rare_market.clearing.month.clear_goods` reads: layout, orders, lanes, hint.
    pivot_limit
        per good.
    answer
        of the month without quotas; written over.
    flow_t, price_usd_per_kg
        ``[good, origin, demand node]`` and ``[good, node]``, parts of this answer.

    Returns
    -------
    numpy.ndarray
        ``[quota]`` rents, USD/kg.
    """
    quota_t = np.asarray(quotas.quota_t, dtype=np.float64)
    count, goods = len(quota_t), len(flow_t)
    places = flow_t.shape[1]
    origin = _place_codes("quota_origin", quotas.quota_origin, places)
    destination = _place_codes("quota_destination", quotas.quota_destination, places)
    covers = np.ascontiguousarray(quotas.quota_goods, dtype=np.bool_)
    quotas = Quotas(covers, origin, destination, quota_t)
    if covers.shape != (count, goods) or not origin.shape == destination.shape == (count,):
        raise ValueError("quotas must have one row per quota and one column per good.")
    if not (quota_t >= 0).all():
        raise ValueError("quota_t must be a number not below 0.")
    if goods * places == 0:
        return np.zeros(count)
    to_place_t = flow_t.reshape(goods, places, places, -1).sum(axis=3)
    if (quotas.quota_goods @ to_place_t.sum(axis=(1, 2)) > _MOST_UNDER_A_QUOTA_T).any():
        raise ValueError("goods under one quota must trade less than 9e9 t together.")
    lots = np.array([to_lots(min(most_t, _MOST_UNDER_A_QUOTA_T)) for most_t in quota_t])
    counted = lanes_counted(quotas, places)
    used = (counted * to_place_t).sum(axis=(1, 2, 3)) * LOTS_PER_T
    rent_usd_per_kg = np.zeros(count)
    hint = market[-1]
    market = (*market[:-1], price_usd_per_kg.copy())  # hints: prices without quotas, then of trials
    for group in _groups(quotas.quota_goods):
        if (used[group] <= lots[group] + 0.5).all():
            continue
        lanes = counted[group]
        which = np.flatnonzero(quotas.quota_goods[group].any(axis=0))

        def solve(
            rents: list[int], lanes: np.ndarray = lanes, which: np.ndarray = which
        ) -> list[int]:
            trial = np.zeros((3, len(rents) + 2), dtype=np.int64)
            trial[0, :-2] = trial[2, :-2] = rents
            unpublished: Any = (lanes, trial, np.zeros(0), pivot_limit, answer)
            clear_goods(which, *market, *unpublished)
            return [*trial[1, :-2].tolist(), exact_value(trial[1])]

        top, limit = _top_rent(market), [int(lots[k]) for k in group]
        tight = _tightest(lanes, used[group], limit)
        if len(tight) == 1:
            last = _last_rent(hint, market, lanes[tight[0]], flow_t)
            if last > 0:
                market[-1][:] = hint
            found = _search_alone(solve, tight[0], limit, top, min(last, top))
        else:
            found = None
        rents, weights, rent = found or _search_several(solve, limit, top)
        mix = np.zeros((2 + len(rents), len(group) + 2), dtype=np.int64)
        mix[0, :-2], mix[2:, :-2] = rent, rents
        final: Any = (lanes, mix, np.array(weights), pivot_limit, answer)
        clear_goods(which, *market, *final)
        rent_usd_per_kg[group] = np.array(rent) / (int(RENT_UNIT) * TICKS_PER_USD)
    return rent_usd_per_kg


def _place_codes(name: str, given: np.ndarray, places: int) -> np.ndarray:
    codes = np.ascontiguousarray(given, dtype=np.int64)
    if not (codes == given).all() or not ((codes >= -1) & (codes < places)).all():
        raise ValueError(f"{name} must be codes from 0 to {places - 1}, or -1 for all places.")
    return codes


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
    ask_limit, bid_limit, cost = market[-6], market[-4], market[-3]
    most = LARGEST_PRICE_USD_PER_KG
    top = min(most, bid_limit.max(initial=-most))
    least = max(-most, ask_limit.min(initial=most)) + max(-2 * most, cost.min(initial=0.0))
    return 4 * int(np.ceil(max(0.0, top - least) * TICKS_PER_USD)) + 5


def _last_rent(
    hint: np.ndarray, market: tuple[np.ndarray, ...], counted: np.ndarray, flow_t: np.ndarray
) -> int:
    """Return the rent, as above, that hinted prices leave on the lanes it counts, or -1.

    It is that of the middle tonne of those which would be traded without a quota.
    """
    if not len(hint):
        return -1
    places, demands = flow_t.shape[1:]
    with np.errstate(invalid="ignore", over="ignore"):
        gain = hint[:, None, places:] - hint[:, :places, None] - market[-3]
    used = np.repeat(counted, demands // places, axis=2) & (flow_t > 0) & np.isfinite(gain)
    by_gain = np.argsort(gain[used])
    sold_t = np.cumsum(flow_t[used][by_gain])
    if not len(sold_t):
        return -1
    middle = gain[used][by_gain][np.searchsorted(sold_t, sold_t[-1] / 2)]
    return 2 * round(min(middle, LARGEST_PRICE_USD_PER_KG) * TICKS_PER_USD * 2) - 1


Solve = Callable[[list[int]], list[int]]  # lots under each quota, and value
Found = tuple[list[list[int]], list[float], list[int]]


def _tightest(lanes: np.ndarray, used: np.ndarray, limit: list[int]) -> list[int]:
    """Quotas that free trade exceeds; of those that count the same lanes the smallest."""
    exceeded = [k for k in range(len(limit)) if used[k] > limit[k] + 0.5]
    return [
        k
        for k in exceeded
        if not any(
            (limit[other], other) < (limit[k], k) and (lanes[other] == lanes[k]).all()
            for other in exceeded
        )
    ]


def _search_alone(solve: Solve, k: int, limit: list[int], top: int, last: int) -> Found | None:
    """Find the rent of one quota of several; None if another then is exceeded."""

    def vector(rent: int) -> list[int]:
        return [rent * (other == k) for other in range(len(limit))]

    def solve_one(rents: list[int]) -> list[int]:
        found = solve(vector(rents[0]))
        return [found[k], found[-1]]

    rents, weights, rent = _search_one(solve_one, limit[k], top, last)
    trials = [vector(trial[0]) for trial in rents]
    if len(limit) > 1:
        use = np.array([solve(trial)[:-1] for trial in trials], dtype=float)
        if (np.array(weights) @ use > np.array(limit) + 0.5).any():
            return None
    return trials, weights, vector(rent[0])


def _search_one(solve: Solve, limit: int, top: int, last: int) -> Found:
    """Find the rent of one quota, from last month's rent on.

    Steps lead to a rent at which more than the quota is used and one at which not more is. Then
    rents between two solutions are tried where their slopes meet, until they are neighbours.
    """
    low, high = (-2, 0, 0), (top + 1, 0, 0)  # rent, use and value; not tried yet
    trial, step = (last, 2 * (last // 64) + 2) if last > 0 else (-1, top + 1)
    while low[0] < -1 or high[0] > top:
        use, value = solve([trial])
        if use > limit:
            low, trial = (trial, use, value), min(trial + step, top)
        elif trial == -1:  # kept without a rent after all
            return [[trial]], [1.0], [0]
        else:
            high, trial = (trial, use, value), max(trial - step, -1)
        step *= 4

    def try_rent(trial: int) -> bool:
        """Move an end to a rent in between; says whether the upper solution was found again."""
        nonlocal low, high
        if not low[0] < trial < high[0]:
            return True
        use, value = solve([trial])
        again = bool(use == high[1])
        if use > limit:
            low = (trial, use, value)
        else:
            high = (trial, use, value)
        return again

    while high[0] - low[0] > 2 and high[1] < limit:
        width = high[0] - low[0]
        near = 2 * round((low[2] - high[2]) / (low[1] - high[1]) / 2)
        if try_rent(near + 1):
            try_rent(near - 1)
        if 2 * (high[0] - low[0]) > width:  # the slopes may fail to halve the range
            try_rent((low[0] + high[0]) // 4 * 2 + 1)
    if high[1] == limit:
        return _rent_plateau(solve, limit, low[0], high[0], top)
    share = (limit - high[1]) / (low[1] - high[1])
    return [[low[0]], [high[0]]], [share, 1.0 - share], [low[0] + 1]


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


def _search_several(solve: Solve, limit: list[int], top: int) -> Found:
    """Find the rents of quotas that share goods (Dantzig and Wolfe 1960), in whole numbers.

    With use u_j (lots) and value v_j (quarters of a tick times lots) of the solutions j found so
    far, the mix w worth most within all quotas Q is the programme

        maximise  sum_j v_j w_j    subject to  sum_j u_jk w_j + s_k = Q_k,  sum_j w_j = 1

    whose duals are the rents at which the next solution is sought. At any rents R the solution
    found bounds what any mix is worth by v + R (Q - u): where the best mix reaches the bound, the
    rents and the mix are optimal. All numbers of the programme are whole, over the determinant of
    its basis as common denominator, for two solutions may differ by less of their value than any
    rounding would keep. Of rows in a tie the lexicographically least leaves, which cannot cycle.
    """
    count = len(limit)
    dearest = [top] * count  # at which no quota is used
    # slack of every quota (None) and the share of this solution; all below is over `base`
    columns: list[list[int] | None] = [*[None] * count, dearest]
    base, inverse = 1, [[int(i == j) for j in range(count + 1)] for i in range(count + 1)]
    right, weights, dual = [*limit, 1], [*limit, 1], [0] * count + [solve(dearest)[-1]]
    for _ in range(_MOST_SOLUTIONS):
        entering: list[int] | None = None
        slack = min(range(count), key=lambda k: dual[k])
        column, gain = [int(k == slack) for k in range(count + 1)], -dual[slack]
        if gain <= 0:
            for entering in _whole_rents(dual[:count], base, top):
                *use, worth = solve(entering)
                column = [*use, 1]
                gain = worth * base - _dot(dual, column)
                bound = worth + _dot(entering, [q - u for q, u in zip(limit, use, strict=True)])
                if gain > 0 or bound * base == _dot(dual, right):
                    break
        if gain <= 0:
            break
        change = [_dot(row, column) for row in inverse]
        leaving = min(
            (i for i in range(count + 1) if change[i] > 0),
            key=lambda i: [Fraction(x, change[i]) for x in (weights[i], *inverse[i])],
        )
        pivot, row, weight = change[leaving], inverse[leaving], weights[leaving]
        dual = [(y * pivot + gain * x) // base for y, x in zip(dual, row, strict=True)]
        for i in range(count + 1):
            if i != leaving:
                weights[i] = (weights[i] * pivot - change[i] * weight) // base
                inverse[i] = [
                    (y * pivot - change[i] * x) // base
                    for y, x in zip(inverse[i], row, strict=True)
                ]
        columns[leaving], base = entering, pivot
    rent = entering or next(_whole_rents(dual[:count], base, top))
    mixed = [(c, w / base) for c, w in zip(columns, weights, strict=True) if c is not None and w]
    return [c for c, _ in mixed], [w for _, w in mixed], rent


def _dot(x: list[int], y: list[int]) -> int:
    return sum(a * b for a, b in zip(x, y, strict=True))


def _whole_rents(dual: list[int], base: int, top: int) -> Iterator[list[int]]:
    """Rents next to dual / base, the nearest first; all of them for the first few fractions."""
    yield [min((2 * y + base) // (2 * base), top) for y in dual]
    broken = [k for k, y in enumerate(dual) if y % base][:_MOST_FRACTIONS]
    for up in product((0, 1), repeat=len(broken)) if broken else ():
        rent = [y // base for y in dual]
        for k, step in zip(broken, up, strict=True):
            rent[k] += step
        yield [min(r, top) for r in rent]
