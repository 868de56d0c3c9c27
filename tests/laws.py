"""Laws that relate a market to a changed one; each returns what contradicts it.

`tests/test_clearing_laws.py` runs them on markets that hypothesis shrinks, and
`tests/check_clearing.py` on many drawn ones.
"""

from __future__ import annotations

import numpy as np

from rare_market.clearing import CLEARED, SUPPLY_SHORT, Clearing
from tests.strategies import Market


def interval(result: Clearing) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the price intervals of all nodes, netbacks first."""
    low = np.concatenate([result.netback_low_usd_per_kg, result.price_low_usd_per_kg], axis=1)
    high = np.concatenate([result.netback_high_usd_per_kg, result.price_high_usd_per_kg], axis=1)
    return low, high


def everything_is_finite_or_flagged(market: Market, result: Clearing) -> list[str]:
    """Fills, flows and rents are numbers; a price is none only where nothing bounds it."""
    faults = []
    for name in ("ask_fill_t", "bid_fill_t", "flow_t", "lane_rent_usd_per_kg",
                 "quota_rent_usd_per_kg", "gap_relative", "excess_demand_t",
                 "slackness_violation_usd"):  # fmt: skip
        if not np.isfinite(getattr(result, name)).all():
            faults.append(f"finite: {name}")
    low, high = interval(result)
    bounded = np.isfinite(low) | np.isfinite(high)
    if (np.isnan(result.node_price_usd_per_kg) & bounded).any():
        faults.append("finite: no price though an end of its interval is known")
    if np.isnan(low).any() or np.isnan(high).any():
        faults.append("finite: an end of an interval is NaN")
    delivered = result.flow_t.sum(axis=1) > 0
    traded = (result.status == CLEARED) | (result.status == SUPPLY_SHORT)
    if (delivered & ~(traded & np.isfinite(result.price_usd_per_kg))).any():
        faults.append("finite: goods delivered without a price or by the wrong status")
    return faults


def a_uniform_shift_moves_prices_only(
    market: Market, result: Clearing, shift_usd_per_kg: float
) -> list[str]:
    """Every limit dearer by the same amount: so is every price, and nothing else changes."""
    shifted = market._replace(
        ask_limit_usd_per_kg=market.ask_limit_usd_per_kg + shift_usd_per_kg,
        bid_limit_usd_per_kg=market.bid_limit_usd_per_kg + shift_usd_per_kg,
    ).clear()
    faults = [
        f"shift changes {name}"
        for name in ("ask_fill_t", "bid_fill_t", "flow_t", "lane_rent_usd_per_kg",
                     "quota_rent_usd_per_kg", "status", "marginal_ask", "marginal_bid")
        if not np.array_equal(getattr(result, name), getattr(shifted, name))
    ]  # fmt: skip
    for new, old in zip(interval(shifted), interval(result), strict=True):
        if not np.array_equal(new, old + shift_usd_per_kg):
            faults.append("shift moves prices by another amount")
    return faults


def places_without_lanes_clear_apart(market: Market, split: np.ndarray) -> list[str]:
    """Cut all lanes between two groups of places: they clear as two markets."""
    classes = market.buyer_classes
    group = np.repeat(split, classes)
    cost = np.where(split[:, None] == group, market.lane_cost_usd_per_kg, np.inf)
    together = market._replace(lane_cost_usd_per_kg=cost).clear()
    faults = []
    for side in (False, True):
        places = np.flatnonzero(split == side)
        nodes = np.flatnonzero(group == side)
        if not len(places):
            continue
        ask, bid = split[market.ask_place] == side, group[market.bid_node] == side
        new_place, new_node = np.cumsum(split == side) - 1, np.cumsum(group == side) - 1
        alone = market._replace(
            places=len(places),
            ask_good=market.ask_good[ask],
            ask_place=new_place[market.ask_place[ask]],
            ask_quantity_t=market.ask_quantity_t[ask],
            ask_limit_usd_per_kg=market.ask_limit_usd_per_kg[ask],
            bid_good=market.bid_good[bid],
            bid_node=new_node[market.bid_node[bid]],
            bid_quantity_t=market.bid_quantity_t[bid],
            bid_limit_usd_per_kg=market.bid_limit_usd_per_kg[bid],
            lane_cost_usd_per_kg=cost[:, places][:, :, nodes],
            lane_limit_t=market.lane_limit_t[:, places][:, :, nodes],
            place_key=market.place_key[places],
        ).clear()
        both = np.r_[places, market.places + nodes]
        for new, old in zip(interval(alone), interval(together), strict=True):
            if not np.array_equal(new, old[:, both]):
                faults.append("apart: other prices than alone")
        if not np.array_equal(alone.status, together.status[:, nodes]):
            faults.append("apart: other status than alone")
    return faults


def delivery_before_the_market_changes_no_price(market: Market, result: Clearing) -> list[str]:
    """An offtake between two that would trade anyway: half of what they trade leaves the book.

    Prices stay, and all other orders are filled as before.
    """
    for good, origin, node in np.argwhere(result.flow_t > 0):
        asks = np.flatnonzero(
            (market.ask_good == good) & (market.ask_place == origin) & (result.ask_fill_t > 0)
        )
        bids = np.flatnonzero(
            (market.bid_good == good) & (market.bid_node == node) & (result.bid_fill_t > 0)
        )
        ask, bid = asks[0], bids[0]
        most_t = min(
            result.ask_fill_t[ask], result.bid_fill_t[bid], result.flow_t[good, origin, node]
        )
        if result.ask_fill_t[ask] < market.ask_quantity_t[ask]:
            continue  # shares of a step used in part would change
        if result.bid_fill_t[bid] < market.bid_quantity_t[bid]:
            continue
        taken_t = np.floor(most_t * 2.0**9) / 2.0**10
        if taken_t == 0:
            continue
        ask_t, bid_t = market.ask_quantity_t.copy(), market.bid_quantity_t.copy()
        limit_t = market.lane_limit_t.copy()
        ask_t[ask] -= taken_t
        bid_t[bid] -= taken_t
        limit_t[good, origin, node] -= taken_t
        rest = market._replace(ask_quantity_t=ask_t, bid_quantity_t=bid_t, lane_limit_t=limit_t)
        after = rest.clear()
        faults = []
        for new, old in zip(interval(after), interval(result), strict=True):
            if not np.array_equal(new, old):
                faults.append("offtake: changes a price")
        ask_fill_t, bid_fill_t = result.ask_fill_t.copy(), result.bid_fill_t.copy()
        ask_fill_t[ask] -= taken_t
        bid_fill_t[bid] -= taken_t
        for new, old in ((after.ask_fill_t, ask_fill_t), (after.bid_fill_t, bid_fill_t)):
            if not np.allclose(new, old, rtol=0, atol=1e-9):
                faults.append("offtake: changes what others trade")
        return faults
    return []


def a_domestic_bid_holds_the_floor(
    market: Market, place: int, floor_usd_per_kg: float, quantity_t: float
) -> list[str]:
    """A state that buys at a floor from its own producers only: none sells for less meanwhile."""
    classes = market.buyer_classes + 1
    nodes = market.bid_node // market.buyer_classes * classes + market.bid_node % (classes - 1)
    shape = (market.goods, market.places, market.places, classes - 1)
    lanes = (market.goods, market.places, market.places, classes)
    cost, limit = np.full(lanes, np.inf), np.full(lanes, np.inf)
    cost[..., :-1] = market.lane_cost_usd_per_kg.reshape(shape)
    limit[..., :-1] = market.lane_limit_t.reshape(shape)
    cost[:, place, place, -1] = 0.0
    state = place * classes + classes - 1
    with_state = market._replace(
        buyer_classes=classes,
        bid_good=np.append(market.bid_good, 0),
        bid_node=np.append(nodes, state),
        bid_quantity_t=np.append(market.bid_quantity_t, quantity_t),
        bid_limit_usd_per_kg=np.append(market.bid_limit_usd_per_kg, floor_usd_per_kg),
        lane_cost_usd_per_kg=cost.reshape(market.goods, market.places, -1),
        lane_limit_t=limit.reshape(market.goods, market.places, -1),
    ).clear()
    faults = []
    foreign = np.arange(market.places) != place
    if with_state.flow_t[0, foreign, state].any():
        faults.append("floor: the state bought abroad")
    lasts = with_state.bid_fill_t[-1] < quantity_t
    if lasts and not with_state.netback_usd_per_kg[0, place] >= floor_usd_per_kg:
        faults.append("floor: domestic sellers get less though the state still buys")
    return faults


def one_place_is_the_merit_order(market: Market, result: Clearing) -> list[str]:
    """One place and class with a free lane: two sorted curves, where they cross."""
    if market.places > 1 or market.buyer_classes > 1:
        return []
    free = (market.lane_cost_usd_per_kg == 0) & np.isinf(market.lane_limit_t)
    faults = []
    for good in np.flatnonzero(free.ravel()):
        offered, wanted = [
            sorted(
                (limit, quantity)
                for limit, quantity in zip(limits[mine], quantities[mine], strict=True)
                if quantity > 0
            )
            for limits, quantities, mine in (
                (market.ask_limit_usd_per_kg, market.ask_quantity_t, market.ask_good == good),
                (-market.bid_limit_usd_per_kg, market.bid_quantity_t, market.bid_good == good),
            )
        ]
        traded_t, i, j = 0.0, 0, 0
        ask_t = [quantity for _, quantity in offered]
        bid_t = [quantity for _, quantity in wanted]
        while i < len(offered) and j < len(wanted) and offered[i][0] < -wanted[j][0]:
            step_t = min(ask_t[i], bid_t[j])
            traded_t += step_t
            ask_t[i] -= step_t
            bid_t[j] -= step_t
            i, j = i + (ask_t[i] == 0), j + (bid_t[j] == 0)
        # sellers served and buyers unserved bound the price from below, the others from above
        below = [p for p, _ in offered[:i]] + [-p for p, _ in wanted[j:]]
        above = [p for p, _ in offered[i:]] + [-p for p, _ in wanted[:j]]
        below += [p for (p, q), rest in zip(offered, ask_t, strict=True) if rest < q]
        above += [-p for (p, q), rest in zip(wanted, bid_t, strict=True) if rest < q]
        low, high = max(below, default=-np.inf), min(above, default=np.inf)
        if low > high:  # a step used in part on both sides: only where limits are equal
            low = high
        ends = interval(result)
        if ends[0][good].tolist() != [low, low] or ends[1][good].tolist() != [high, high]:
            faults.append(f"merit: interval {ends[0][good]} {ends[1][good]}, not {low} {high}")
        # trades without surplus may be added
        if result.flow_t[good].sum() < traded_t - 1e-9:
            faults.append("merit: traded too little")
    return faults
