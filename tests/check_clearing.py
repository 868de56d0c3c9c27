"""Check the clearing on many generated markets: `python -m tests.check_clearing --markets 50000`.

Every market is held against its own optimality conditions, against HiGHS, against another price
hint and another order of its orders (bit for bit); every nineteenth also against the plain-Python
reference. `tests/test_clearing_laws.py` runs the same checks on fewer markets.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from types import SimpleNamespace

import numpy as np

from rare_market.clearing import Clearing, Quotas, no_quotas
from tests import laws
from tests.reference.clearing import clear_reference
from tests.reference.highs import clear_highs, quiet_solver
from tests.strategies import Market

KINDS = (
    *("grid", "tied", "equal", "sparse", "capped", "decimal", "subsidised", "dear", "quota"),
    *("dearest", "residue", "one-sided", "merit", "lanes", "full"),
)
WELFARE_TOLERANCE = 1e-12  # relative; on markets whose numbers are on the kernel's grid
OTHER_TOLERANCE = 1e-9  # relative; off the grid, and with quotas, whose rents may be rounded
TABLES = (
    *("ask_fill_t", "bid_fill_t", "quota_rent_usd_per_kg", "flow_t", "lane_rent_usd_per_kg"),
    *("node_price_usd_per_kg", "node_low_usd_per_kg", "node_high_usd_per_kg"),
    *("noted", "certificate"),
)
HIGHS_ROW_T = 1e-7  # HiGHS keeps a quota to so many tonnes


def sample_market(rng: np.random.Generator, kind: str) -> Market:
    """Draw a market of one kind; all but `decimal` lie on a binary grid and are exact.

    All kinds hold ties, orders and lane limits of zero, unlimited lanes and pairs of places
    without a lane; `residue` adds orders of 1e-14 to 1e-10 t, which must count as nothing;
    `lanes` has quotas over several lanes of each good, and bids worth far more than others;
    `full` has few prices, near the largest, so that tie weights tie, and limits on half the lanes.
    """
    goods = int(rng.integers(1, 4)) if kind == "quota" else int(rng.integers(1, 3))
    places = int(rng.choice([1, 2, 3, 4, 6, 9])) if kind != "merit" else 1
    classes = int(rng.integers(1, 3)) if kind != "merit" else 1
    demands = places * classes
    count = int(rng.integers(0, 8)) if kind == "sparse" else int(rng.integers(1, 14 * places))

    def some_prices(low, high, size):
        if kind == "equal":
            return np.full(size, 32.0)
        if kind == "full":
            return rng.integers(low // 8, high // 8 + 1, size) * 65536.0  # up to 655,360
        if kind == "tied":
            return rng.integers(low // 8, high // 8 + 1, size) * 8.0
        if kind == "decimal":
            return rng.uniform(low, high, size)
        if kind == "dear":
            return rng.integers(low * 64, high * 64, size) * 1.0  # up to 5,120
        if kind == "dearest":
            return rng.integers(low * 8192, high * 8192, size) * 1.0  # up to 655,360
        return rng.integers(low * 64, high * 64, size) / 64

    def some_quantities(size):
        empty = rng.random(size) < rng.choice([0.0, 0.2, 0.6])
        if kind in ("tied", "equal", "full"):
            drawn = rng.integers(1, 4, size).astype(float)
        elif kind in ("decimal", "lanes"):
            drawn = rng.gamma(1.0, 20.0, size)
        else:
            drawn = rng.integers(1, 64 * 40, size) / 64
        if kind == "residue":
            drawn = np.where(rng.random(size) < 0.3, 10 ** rng.uniform(-14, -10, size), drawn)
        return np.where(empty, 0.0, drawn)

    asks = count if kind != "sparse" else int(rng.integers(0, 8))
    if kind == "one-sided":
        asks, count = (0, count) if rng.random() < 0.5 else (asks, 0)
    ask_good, bid_good = rng.integers(0, goods, asks), rng.integers(0, goods, count)
    ask_place, bid_node = rng.integers(0, places, asks), rng.integers(0, demands, count)
    low = -16 if kind == "subsidised" else 16
    shape = (goods, places, demands)
    cost = some_prices(0, 24, shape) if kind not in ("equal", "merit") else np.full(shape, 0.0)
    if kind == "subsidised":
        cost -= 12
    if rng.random() < 0.5:  # the same to both classes of buyers, and free at home: many ties
        cost = np.repeat(cost[:, :, ::classes], classes, axis=2)
    cost[rng.random(shape) < rng.choice([0.0, 0.2, 0.7])] = np.inf
    limit = np.full(shape, np.inf)
    limited = rng.random(shape) < (0.5 if kind in ("capped", "full") else rng.choice([0.0, 0.1]))
    limit[limited] = some_quantities(int(limited.sum()))
    quotas = no_quotas(goods)
    if kind == "quota":
        quotas = _sample_quotas(rng, goods, places, some_quantities)
    bid_limit = some_prices(low + 8, 80, count)
    if kind == "lanes":
        quotas = _sample_lane_quotas(rng, goods, places, some_quantities)
        bid_limit = np.where(rng.random(count) < 0.2, bid_limit * 4096, bid_limit)
    return Market(
        goods,
        places,
        classes,
        ask_good,
        ask_place,
        some_quantities(asks),
        some_prices(low, 64, asks),
        bid_good,
        bid_node,
        some_quantities(count),
        bid_limit,
        cost,
        limit,
        quotas,
        rng.permutation(1000)[:places],
    )


def _sample_quotas(rng, goods, places, some_quantities):
    count = int(rng.choice([1, 1, 1, 2, 3]))
    origin = rng.integers(-1, places, count)
    return Quotas(
        rng.random((count, goods)) < 0.7,
        origin,
        np.where(rng.random(count) < 0.6, -1, rng.integers(-1, places, count)),
        some_quantities(count) * rng.choice([0.2, 1.0, 3.0]),
    )


def _sample_lane_quotas(rng, goods, places, some_quantities):
    """Draw two to six lanes of every good and, in half of the markets, an origin of all goods."""
    origin, destination, counted = [], [], []
    for good in range(goods):
        for _ in range(int(rng.integers(2, 7))):
            origin.append(int(rng.integers(places)))
            destination.append(int(rng.integers(places)))
            counted.append(np.arange(goods) == good)
    if rng.random() < 0.5:
        origin.append(int(rng.integers(places)))
        destination.append(-1)
        counted.append(np.ones(goods, dtype=bool))
    quota_t = some_quantities(len(origin)) * rng.choice([0.2, 1.0, 3.0])
    return Quotas(np.array(counted), np.array(origin), np.array(destination), quota_t)


def welfare(market: Market, result: Clearing) -> float:
    """Value to buyers less asks and trade costs, USD/kg times t."""
    cost = np.where(result.flow_t > 0, market.lane_cost_usd_per_kg, 0.0)
    return float(
        result.bid_fill_t @ market.bid_limit_usd_per_kg
        - result.ask_fill_t @ market.ask_limit_usd_per_kg
        - (cost * result.flow_t).sum()
    )


def optimality_faults(market: Market, result: Clearing, tolerance: float = 1e-9) -> list[str]:
    """Return what contradicts optimality of fills, flows and all three price vectors."""
    faults = []
    scale = 1 + market.ask_quantity_t.sum() + market.bid_quantity_t.sum()
    places = market.places

    def demand(ok, fault):
        if not np.all(ok):
            faults.append(fault)

    sold = np.zeros((market.goods, places))
    np.add.at(sold, (market.ask_good, market.ask_place), result.ask_fill_t)
    bought = np.zeros((market.goods, places * market.buyer_classes))
    np.add.at(bought, (market.bid_good, market.bid_node), result.bid_fill_t)
    slack_t = 1e-12 * scale + 1e-12
    demand(np.abs(sold - result.flow_t.sum(axis=2)) <= slack_t, "supply balance")
    demand(np.abs(bought - result.flow_t.sum(axis=1)) <= slack_t, "demand balance")
    demand(result.excess_demand_t <= slack_t, "certificate: excess demand")
    for name, fill, quantity in (
        ("ask", result.ask_fill_t, market.ask_quantity_t),
        ("bid", result.bid_fill_t, market.bid_quantity_t),
    ):
        demand((fill >= 0) & (fill <= quantity + 1e-12 * scale), f"{name} fill out of range")
    demand(result.flow_t >= 0, "negative flow")
    demand(result.flow_t <= market.lane_limit_t + slack_t, "flow above its limit")
    demand((result.flow_t == 0) | np.isfinite(market.lane_cost_usd_per_kg), "flow without lane")
    used = quota_use(market, result.flow_t)
    demand(used <= market.quotas.quota_t + 1e-9 * scale, "quota exceeded")
    rent = result.quota_rent_usd_per_kg
    demand(rent >= 0, "negative quota rent")
    demand((rent == 0) | (used >= market.quotas.quota_t - 1e-9 * scale), "rent on a slack quota")

    lane_rent = _lane_quota_rent(market, rent)
    cost = market.lane_cost_usd_per_kg + lane_rent
    vectors = {
        "low": (result.netback_low_usd_per_kg, result.price_low_usd_per_kg),
        "middle": (result.netback_usd_per_kg, result.price_usd_per_kg),
        "high": (result.netback_high_usd_per_kg, result.price_high_usd_per_kg),
    }
    edge = 1e-9 * scale  # t: counts as empty or full
    with np.errstate(invalid="ignore"):
        for name, (netback, price) in vectors.items():
            gain = netback[market.ask_good, market.ask_place] - market.ask_limit_usd_per_kg
            unfilled = market.ask_quantity_t - result.ask_fill_t
            demand(~((gain > tolerance) & (unfilled > edge)), f"{name}: ask left that gains")
            lost = (gain < -tolerance) & (result.ask_fill_t > 0)
            demand(~lost, f"{name}: ask filled at a loss")
            gain = market.bid_limit_usd_per_kg - price[market.bid_good, market.bid_node]
            unfilled = market.bid_quantity_t - result.bid_fill_t
            demand(~((gain > tolerance) & (unfilled > edge)), f"{name}: bid left that gains")
            lost = (gain < -tolerance) & (result.bid_fill_t > 0)
            demand(~lost, f"{name}: bid filled at a loss")
            gain = price[:, None, :] - netback[:, :, None] - cost
            room = (market.lane_limit_t - result.flow_t > edge) & np.isfinite(cost)
            demand(~((gain > tolerance) & room), f"{name}: arbitrage left")
            demand(~((gain < -tolerance) & (result.flow_t > edge)), f"{name}: flow at a loss")
    middle, low, high = vectors["middle"][1], vectors["low"][1], vectors["high"][1]
    demand(~(low > high), "low above high")
    demand(~((middle < low) | (middle > high)), "middle outside the interval")
    demand(result.lane_rent_usd_per_kg >= 0, "negative lane rent")
    limited = np.isfinite(market.lane_limit_t) & np.isfinite(cost)
    owed = np.where(limited, middle[:, None, :] - vectors["middle"][0][:, :, None] - cost, 0.0)
    owed = np.where(np.isnan(owed), 0.0, np.maximum(owed, 0.0))
    demand(np.abs(owed - result.lane_rent_usd_per_kg) <= tolerance, "lane rent")
    demand(result.gap_relative <= 1e-9, "certificate: gap")
    return faults


def quota_use(market: Market, flow_t: np.ndarray) -> np.ndarray:
    """Tonnes each quota counts."""
    return np.array([(flow_t * counted).sum() for counted in _counted(market)], dtype=float)


def _lane_quota_rent(market, rent):
    total = np.zeros(market.lane_cost_usd_per_kg.shape)
    for k, counted in enumerate(_counted(market)):
        total += rent[k] * counted
    return total


def _counted(market):
    place = np.arange(market.places * market.buyer_classes) // market.buyer_classes
    origin = np.arange(market.places)
    for goods, from_place, to_place in zip(
        market.quotas.quota_goods,
        market.quotas.quota_origin,
        market.quotas.quota_destination,
        strict=True,
    ):
        yield (
            goods[:, None, None]
            & (origin[:, None] != place)
            & ((from_place < 0) | (origin == from_place))[:, None]
            & ((to_place < 0) | (place == to_place))
        )


def same_bits(a: Clearing | SimpleNamespace, b: Clearing, ask=None, bid=None, skip=()) -> list[str]:
    """Fields in which two results differ in any bit, after permuting the orders of `b`."""
    differ = []
    for name in TABLES:
        x, y = getattr(a, name), getattr(b, name)
        if name in skip:
            continue
        if name == "noted" and ask is not None:  # marginal orders are named by their number
            x, y = x[2], y[2]
        if name == "ask_fill_t" and ask is not None:
            x = x[ask]
        if name == "bid_fill_t" and bid is not None:
            x = x[bid]
        if not np.array_equal(x, y, equal_nan=x.dtype.kind == "f"):
            differ.append(name)
    return differ


def in_lots(market: Market) -> Market:
    """The same market with all quantities cut to whole lots of 1e-9 t, as the clearing does."""

    def cut(quantity_t: np.ndarray) -> np.ndarray:
        lots = np.floor(quantity_t * 1e9 * (1 + 4e-16) + 1e-5)
        return np.where(np.isfinite(quantity_t), lots / 1e9, np.inf)

    return market._replace(
        ask_quantity_t=cut(market.ask_quantity_t),
        bid_quantity_t=cut(market.bid_quantity_t),
        lane_limit_t=cut(market.lane_limit_t),
    )


def permuted(market: Market, ask: np.ndarray, bid: np.ndarray) -> Market:
    """The same market with its orders listed otherwise."""
    return market._replace(
        ask_good=market.ask_good[ask],
        ask_place=market.ask_place[ask],
        ask_quantity_t=market.ask_quantity_t[ask],
        ask_limit_usd_per_kg=market.ask_limit_usd_per_kg[ask],
        bid_good=market.bid_good[bid],
        bid_node=market.bid_node[bid],
        bid_quantity_t=market.bid_quantity_t[bid],
        bid_limit_usd_per_kg=market.bid_limit_usd_per_kg[bid],
    )


def relabelled(market: Market, old: np.ndarray) -> tuple[Market, np.ndarray]:
    """The same market with place `i` the former place `old[i]`; also the demand nodes so."""
    new = np.argsort(old)
    classes = market.buyer_classes
    nodes = (old[:, None] * classes + np.arange(classes)).ravel()

    def place(codes):
        return np.where(codes < 0, -1, new[codes])

    quotas = market.quotas._replace(
        quota_origin=place(market.quotas.quota_origin),
        quota_destination=place(market.quotas.quota_destination),
    )
    moved = market._replace(
        ask_place=new[market.ask_place],
        bid_node=new[market.bid_node // classes] * classes + market.bid_node % classes,
        lane_cost_usd_per_kg=market.lane_cost_usd_per_kg[:, old][:, :, nodes],
        lane_limit_t=market.lane_limit_t[:, old][:, :, nodes],
        place_key=market.place_key[old],
        quotas=quotas,
    )
    return moved, nodes


def sample_hint(rng: np.random.Generator, market: Market) -> np.ndarray:
    """A price hint between useless and absurd."""
    shape = (market.goods, market.places * (1 + market.buyer_classes))
    return rng.choice(
        [
            np.full(shape, np.nan),
            rng.uniform(0, 80, shape),
            rng.choice([np.nan, np.inf, -np.inf, 1e9, -1e300, 0.0, 32.0], shape),
            np.full(shape, 1e12),
            rng.integers(0, 10, shape) * 8.0,
        ]
    )


def market_faults(market: Market, kind: str, rng, solver=None, reference=False) -> list[str]:
    """All checks on one market."""
    result = market.clear()
    # off the grid, limits are rounded to a tick; a rent may be, to a quarter of it
    faults = optimality_faults(market, result, 2e-6 if kind in ("decimal", "quota") else 1e-9)
    exact = kind not in ("decimal", "quota", "lanes")
    tolerance = WELFARE_TOLERANCE if exact else OTHER_TOLERANCE
    value = welfare(market, result)
    counted = in_lots(market)
    if kind == "residue":
        faults += [f"residues change {name}" for name in same_bits(result, counted.clear())]
    judged = clear_highs(counted, solver).welfare
    turnover = 1 + abs(judged) + float(np.abs(result.bid_fill_t @ market.bid_limit_usd_per_kg))
    unsure = HIGHS_ROW_T * float(result.quota_rent_usd_per_kg.sum())
    if abs(judged - value) > tolerance * turnover + unsure:
        faults.append(f"welfare {value!r}, HiGHS {judged!r}")
    if kind != "quota" and any(
        part.any()
        for part in (result.slackness_violation_usd, result.gap_relative, result.excess_demand_t)
    ):
        faults.append("certificate: not exactly zero")
    faults += laws.everything_is_finite_or_flagged(market, result)
    if exact:
        faults += _law_faults(market, result, rng)
    if result.fallback.any():
        faults.append("fallback")

    hinted = market.clear(sample_hint(rng, market))
    faults += [f"hint changes {name}" for name in same_bits(result, hinted)]
    hinted = market.clear(result.node_price_usd_per_kg * rng.uniform(0.9, 1.1))
    faults += [f"hint changes {name}" for name in same_bits(result, hinted)]
    ask, bid = rng.permutation(len(market.ask_good)), rng.permutation(len(market.bid_good))
    shuffled = permuted(market, ask, bid).clear()
    faults += [f"order changes {name}" for name in same_bits(result, shuffled, ask, bid)]
    old = rng.permutation(market.places)
    moved, nodes = relabelled(market, old)
    again = moved.clear()
    everywhere = np.r_[old, market.places + nodes]
    expected = SimpleNamespace(
        **{name: getattr(result, name) for name in TABLES}
        | {
            **{name: getattr(result, name)[:, old][:, :, nodes] for name in TABLES[3:5]},
            **{name: getattr(result, name)[:, everywhere] for name in TABLES[5:8]},
            "noted": result.noted[:, :, everywhere],
        }
    )
    faults += [f"place names change {name}" for name in same_bits(expected, again)]
    if reference and not len(market.quotas.quota_t) and kind != "decimal":
        faults += reference_faults(counted, result)
    return faults


def _law_faults(market: Market, result: Clearing, rng) -> list[str]:
    """Laws that compare with a changed market, on the binary grid."""
    return [
        *laws.a_uniform_shift_moves_prices_only(market, result, float(rng.integers(-99, 99)) / 4),
        *laws.places_without_lanes_clear_apart(market, rng.random(market.places) < 0.5),
        *laws.delivery_before_the_market_changes_no_price(market, result),
        *laws.a_domestic_bid_holds_the_floor(
            market, int(rng.integers(market.places)), float(rng.integers(20, 60)), 10.0
        ),
        *laws.one_place_is_the_merit_order(market, result),
    ]


def reference_faults(market: Market, result: Clearing) -> list[str]:
    """Compare with the plain-Python reference: equal welfare and exactly equal price intervals."""
    faults = []
    references = clear_reference(market)
    low = np.concatenate([result.netback_low_usd_per_kg, result.price_low_usd_per_kg], axis=1)
    high = np.concatenate([result.netback_high_usd_per_kg, result.price_high_usd_per_kg], axis=1)
    total = 0.0
    for good, judged in enumerate(references):
        total += float(judged.welfare)
        if not np.array_equal(low[good], np.array(judged.price_low, dtype=float)):
            faults.append(f"reference low {low[good]} {judged.price_low}")
        if not np.array_equal(high[good], np.array(judged.price_high, dtype=float)):
            faults.append(f"reference high {high[good]} {judged.price_high}")
    value = welfare(market, result)
    if abs(value - total) > WELFARE_TOLERANCE * (1 + abs(total)):
        faults.append(f"reference welfare {total!r}, not {value!r}")
    return faults


def run(markets: int, seed: int, reference_every: int = 19, report=None) -> Counter:
    """Check `markets` markets; return the faults counted by kind."""
    solver = quiet_solver()
    found: Counter = Counter()
    for number in range(markets):
        kind = KINDS[number % len(KINDS)]
        rng = np.random.default_rng([seed, number])
        market = sample_market(rng, kind)
        reference = number % reference_every == 0 and len(market.bid_good) <= 60
        for fault in market_faults(market, kind, rng, solver, reference):
            found[kind, fault.split(" ")[0]] += 1
            if report:
                report(f"market {number} ({kind}): {fault}")
    return found


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markets", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    start = time.perf_counter()
    found = run(options.markets, options.seed, report=print)
    minutes = (time.perf_counter() - start) / 60
    print(f"{options.markets} markets, {sum(found.values())} faults, {minutes:.1f} min")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
