"""The clearing against other ways to the same answer, on data that is fresh every period.

Repeating one market trains the branch predictor and reads twice too fast, so every contender
runs through the same monthly series: prices and quantities wander as AR(1) around a market drawn
once. `pytest tests/benchmarks/bench_clearing.py --benchmark-only` times one size; the table of
docs/performance.md, with the contenders taking turns, is made by `python -m tests.benchmarks`.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence
from typing import NamedTuple
from unittest.mock import patch

import highspy
import numba
import numpy as np
import pytest
import scipy.optimize
import scipy.sparse

from rare_market import clearing
from rare_market.book import Posted
from rare_market.clearing import BookLayout, Clearing, book_layout, clear, no_quotas
from rare_market.model import RareEarthMarket
from rare_market.policies import Policy
from rare_market.scenario import Scenario
from tests.reference.highs import programme, quiet_solver
from tests.strategies import Market

GOODS = 23  # cleared in one call, as the model does; times are per good


class Series(NamedTuple):
    """A market of GOODS goods over several periods."""

    layout: BookLayout
    places: int
    orders: int
    half: int
    place: tuple[np.ndarray, np.ndarray]
    periods: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]
    cost: np.ndarray
    limit: np.ndarray

    def market(self, period: int, good: int) -> Market:
        """One good of one period, alone."""
        part = slice(good * self.half, (good + 1) * self.half)
        ask_t, ask, bid_t, bid = (field[part] for field in self.periods[period])
        alone = np.zeros(self.half, dtype=int)
        return Market(
            *(1, self.places, 1, alone, self.place[0][part], ask_t, ask),
            *(alone, self.place[1][part], bid_t, bid),
            *(self.cost[good : good + 1], self.limit[good : good + 1], no_quotas(1)),
            np.arange(self.places),
        )


def draw_series(places: int, orders: int, periods: int, seed: int = 0) -> Series:
    """Draw a market and its wandering: 3 % in prices, 10 % in quantities, a common shock."""
    rng = np.random.default_rng(seed)
    half = orders // 2
    size = GOODS * half
    good = np.repeat(np.arange(GOODS), half)
    ask_place, bid_place = rng.integers(0, places, size), rng.integers(0, places, size)
    layout = book_layout(good, ask_place, good, bid_place, GOODS, places, 1)
    level = np.array([rng.gamma(2, 10, size), rng.uniform(40, 80, size)] * 2)
    level[3] = rng.uniform(50, 90, size)
    spread = np.array([0.1, 0.03, 0.1, 0.03])[:, None]
    cost = rng.uniform(1, 12, (GOODS, places, places))
    cost[:, np.arange(places), np.arange(places)] = 0
    state, common, drawn = np.zeros((4, size)), 0.0, []
    innovation = np.sqrt(1 - 0.9**2)
    for _ in range(periods):
        state = 0.9 * state + innovation * spread * rng.normal(size=(4, size))
        common = 0.9 * common + innovation * 0.03 * rng.normal()
        shift = np.array([0, common, 0, common])[:, None]
        drawn.append(tuple(level * np.exp(state + shift)))
    limit = np.full(cost.shape, np.inf)
    return Series(layout, places, orders, half, (ask_place, bid_place), drawn, cost, limit)


def moves(market: Market, hint: np.ndarray) -> int:
    """Moves of the search: with so many pivots it falls back, for the last finds all in range."""
    for pivots in itertools.count():
        with patch.object(clearing, "PIVOT_LIMIT", pivots + 1):
            if not market.clear(hint).fallback.any():
                return pivots
    raise AssertionError


def price_setters(found: Clearing) -> int:
    """Orders that set prices; the search has to find each, since limits change every month."""
    return sum(len(np.unique(side[side >= 0])) for side in (found.marginal_ask, found.marginal_bid))


class Kernel:
    """Our kernel: all goods in one call, with last period's prices as the hint or without."""

    def __init__(self, series: Series, warm: bool) -> None:
        self.series, self.warm, self.hint = series, warm, None

    def run(self, periods: range) -> int:
        for period in periods:
            hint = self.hint if self.warm else None
            data = self.series
            result = clear(data.layout, *data.periods[period], data.cost, data.limit, None, hint)
            self.hint = result.node_price_usd_per_kg
        return len(periods) * GOODS


class HotHighs:
    """HiGHS, keeping the model and basis of each good and changing costs and bounds."""

    def __init__(self, series: Series, goods: range) -> None:
        self.series, self.goods, self.solvers = series, goods, {}
        for good in goods:
            lp, _ = programme(series.market(0, good))
            solver = quiet_solver()
            solver.passModel(lp)
            solver.run()
            self.solvers[good] = solver, np.array(lp.col_cost_), np.array(lp.col_upper_)

    def run(self, periods: range) -> int:
        half = self.series.half
        for good in self.goods:
            solver, cost, upper = self.solvers[good]
            part = slice(good * half, (good + 1) * half)
            columns = np.arange(2 * half, dtype=np.int32)
            lower = np.zeros(2 * half)
            for period in periods:
                ask_t, ask, bid_t, bid = (field[part] for field in self.series.periods[period])
                cost[:half], cost[half : 2 * half] = ask, -bid
                upper[:half], upper[half : 2 * half] = ask_t, bid_t
                solver.changeColsCost(2 * half, columns, cost[: 2 * half])
                solver.changeColsBounds(2 * half, columns, lower, upper[: 2 * half])
                solver.run()
                solver.getSolution()
        return len(periods) * len(self.goods)


class PassHighs:
    """HiGHS, given each programme anew; building it is not timed."""

    def __init__(self, series: Series, goods: range) -> None:
        self.goods, self.solver = goods, quiet_solver()
        self.models = {
            (period, good): programme(series.market(period, good))[0]
            for period in range(len(series.periods))
            for good in goods
        }

    def run(self, periods: range) -> int:
        for good in self.goods:
            for period in periods:
                self.solver.passModel(self.models[period, good])
                self.solver.run()
                self.solver.getSolution()
        return len(periods) * len(self.goods)


class Linprog:
    """scipy.optimize.linprog; one good of the first period asked for."""

    def __init__(self, series: Series) -> None:
        self.models = []
        for period in range(len(series.periods)):
            lp, _ = programme(series.market(period, 0))
            matrix = scipy.sparse.csc_array(
                (lp.a_matrix_.value_, lp.a_matrix_.index_, lp.a_matrix_.start_),
                shape=(lp.num_row_, lp.num_col_),
            )
            upper = np.array(lp.col_upper_)
            upper[upper >= highspy.kHighsInf] = np.inf
            bounds = np.column_stack([np.zeros(lp.num_col_), upper])
            self.models.append((np.array(lp.col_cost_), matrix, bounds))

    def run(self, periods: range) -> int:
        cost, matrix, bounds = self.models[periods[0]]
        scipy.optimize.linprog(
            cost, A_eq=matrix, b_eq=np.zeros(matrix.shape[0]), bounds=bounds, method="highs"
        )
        return 1


class MeritOrder:
    """numpy: one place only, two sorts and two running sums."""

    def __init__(self, series: Series) -> None:
        self.series = series

    def run(self, periods: range) -> int:
        half = self.series.half
        for period in periods:
            for good in range(GOODS):
                part = slice(good * half, (good + 1) * half)
                ask_t, ask, bid_t, bid = (f[part] for f in self.series.periods[period])
                up, down = np.argsort(ask), np.argsort(-bid)
                offered, wanted = np.cumsum(ask_t[up]), np.cumsum(bid_t[down])
                ends = np.union1d(offered, wanted)
                gain = (
                    bid[down][np.minimum(np.searchsorted(wanted, ends), half - 1)]
                    - ask[up][np.minimum(np.searchsorted(offered, ends), half - 1)]
                )
                ends[gain >= 0].max(initial=0.0)
        return len(periods) * GOODS


@numba.njit(cache=True)
def _sort(limits: np.ndarray, half: int) -> float:
    total = 0.0
    for good in range(limits.shape[1] // half):
        prices = np.empty(2 * half)
        prices[:half] = limits[0, good * half : (good + 1) * half]
        prices[half:] = limits[1, good * half : (good + 1) * half]
        prices.sort()
        total += prices[half]
    return total


@numba.njit(cache=True)
def _read(data: np.ndarray) -> float:
    total = 0.0
    for i in range(data.shape[1]):
        total += data[0, i] * data[1, i] + data[2, i] * data[3, i]
    return total


class Sort:
    """numba: sort the limits of a good's orders, and nothing else."""

    def __init__(self, series: Series) -> None:
        self.half = series.half
        self.limits = [np.array([ask, bid]) for _, ask, _, bid in series.periods]

    def run(self, periods: range) -> int:
        for period in periods:
            _sort(self.limits[period], self.half)
        return len(periods) * GOODS


class Read:
    """numba: read quantities and limits once."""

    def __init__(self, series: Series) -> None:
        self.data = [np.array(period) for period in series.periods]

    def run(self, periods: range) -> int:
        for period in periods:
            _read(self.data[period])
        return len(periods) * GOODS


class Books:
    """The markets of a run of the model, month after month, as saved by ``rare-market book``."""

    def __init__(self, posted: list[Posted]) -> None:
        self.posted = posted
        self.layouts = [month.layout() for month in posted]
        self.models = [programme(_market(month))[0] for month in posted]
        self.solver = quiet_solver()

    def kernel(self, month: int) -> None:
        """Clear with our kernel, all goods and quotas, with the saved hint."""
        self.posted[month].clear(self.layouts[month])

    def highs(self, month: int) -> None:
        """Solve the joint programme with HiGHS; building it is not timed."""
        self.solver.passModel(self.models[month])
        self.solver.run()
        self.solver.getSolution()


def _market(posted: Posted) -> Market:
    node = posted.bids.place * posted.buyer_classes + posted.bids.buyer_class
    return Market(
        *(posted.goods, posted.places, posted.buyer_classes),
        *(posted.asks.good, posted.asks.place, posted.asks.quantity_t),
        *(posted.asks.limit_usd_per_kg, posted.bids.good, node, posted.bids.quantity_t),
        *(posted.bids.limit_usd_per_kg, posted.lane_cost_usd_per_kg, posted.lane_limit_t),
        *(posted.quotas, np.arange(posted.places)),
    )


def draw_books(months: int = 24, policies: Sequence[Policy] = ()) -> list[Posted]:
    """Run the model and keep a copy of every month's market."""
    market, kept = RareEarthMarket(Scenario(years=-(-months // 12)), policies), []
    for _ in range(months):
        market.step()
        kept.append(copy.deepcopy(market.posted))
    return kept


CONTENDERS = {
    "series": lambda series: Kernel(series, warm=True),
    "cold": lambda series: Kernel(series, warm=False),
    "HiGHS hot": lambda series: HotHighs(series, range(2)),
    "HiGHS pass": lambda series: PassHighs(series, range(2)),
    "linprog": Linprog,
    "merit": MeritOrder,
    "sort": Sort,
    "read": Read,
}


@pytest.mark.parametrize("name", CONTENDERS)
def test_six_places_and_a_hundred_orders(benchmark, name):
    series = draw_series(6, 100, 120)
    contender = CONTENDERS[name](series)
    contender.run(range(1))
    turn = iter(range(1, 120))
    benchmark.pedantic(lambda: contender.run(range((t := next(turn)), t + 1)), rounds=100)


@pytest.mark.parametrize("name", ["kernel", "highs"])
def test_months_of_the_model(benchmark, name):
    books = Books(draw_books(12))
    turn = iter(range(12))
    benchmark.pedantic(lambda: getattr(books, name)(next(turn)), rounds=10)
