"""Contracts and transfers of a month: what is delivered before the market opens, and paid after it.

Each function moves tonnes and money between cohorts through the ledger and says what it moved.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rare_market.agents.buyer import Buyers
from rare_market.agents.lifecycle import CLOSED, PLANNED, Status
from rare_market.agents.processor import Processors
from rare_market.agents.producer import MINE, NO_PLANT, Producers
from rare_market.agents.state import States
from rare_market.agents.trader import chosen
from rare_market.book import Book, Poster
from rare_market.clearing import Clearing
from rare_market.compiled import compiled
from rare_market.contracts import (
    KG_PER_T,
    breached,
    deliveries_t,
    eligible_t,
    firm_price_usd_per_kg,
    rebate_usd_per_kg,
    within,
)
from rare_market.finance import Commitment
from rare_market.goods import BUYER_CLASSES, CIVIL_USE, FACILITY_STAGES
from rare_market.ledger import Lane, Ledger, TradeCost
from rare_market.records import CHANNELS
from rare_market.regime import Regime

SEPARATION = FACILITY_STAGES.index("separation")
TIED, OFFTAKE, RESERVE = (CHANNELS.index(name) for name in ("tied", "offtake", "reserve"))
STEEPEST = 1e-3  # elasticity below which use does not respond to price


class Ties(NamedTuple):
    """Mines tied to plants, for a whole run.

    Attributes
    ----------
    mine, plant, leg
        ``[tie]`` rows of the mine, of its plant and of the feed that takes the ore.
    lane
        ``[tie]`` good, origin and destination.
    """

    mine: np.ndarray
    plant: np.ndarray
    leg: np.ndarray
    lane: Lane


class Delivered(NamedTuple):
    """Deliveries under contract in a month.

    Attributes
    ----------
    lane_t
        ``[good, origin, destination]`` tonnes moved: they count against limits and quotas.
    trades
        ``[delivery, column]``: channel, good, origin, destination, tonnes, USD/kg.
    ore_sold_t, ore_sold_usd
        ``[producer]`` tied ore handed over, and received for it.
    ore_paid_usd
        ``[plant]`` paid for tied ore and for offtakes of firms, lane included.
    offtake_t
        ``[product leg]`` taken by states.
    offtake_usd
        ``[plant]`` received for it.
    to_states_t
        ``[good, place]`` what states got.
    """

    lane_t: np.ndarray
    trades: list[np.ndarray]
    ore_sold_t: np.ndarray
    ore_sold_usd: np.ndarray
    ore_paid_usd: np.ndarray
    offtake_t: np.ndarray
    offtake_usd: np.ndarray
    to_states_t: np.ndarray


@compiled
def usd(tonnes: np.ndarray, usd_per_kg: np.ndarray) -> np.ndarray:
    """Value in USD; nothing is worth nothing even at an unknown price."""
    value = np.zeros(len(tonnes))
    for i in range(len(tonnes)):
        if tonnes[i] != 0.0:
            value[i] = tonnes[i] * usd_per_kg[i] * KG_PER_T
    return value


def find_ties(producers: Producers, processors: Processors) -> Ties:
    """Return which mines are tied to which plants."""
    p, m = producers, processors
    mine = np.nonzero(p.plant != NO_PLANT)[0]
    plant = p.plant[mine]
    leg = np.searchsorted(m.feed.row, plant)  # a tied plant has one feed
    return Ties(mine, plant, leg, (p.good[mine], p.place[mine], m.place[plant]))


def deliver(
    producers: Producers,
    processors: Processors,
    states: States,
    ties: Ties,
    netback_usd_per_kg: np.ndarray,
    cost: TradeCost,
    regime: Regime,
    ledger: Ledger,
) -> Delivered:
    """Deliver released reserves, tied ore and offtakes, in this order, before the market opens."""
    month = Delivered(
        lane_t=np.zeros(cost.total.shape),
        trades=[],
        ore_sold_t=np.zeros(producers.rows),
        ore_sold_usd=np.zeros(producers.rows),
        ore_paid_usd=np.zeros(processors.rows),
        offtake_t=np.zeros(len(processors.product.row)),
        offtake_usd=np.zeros(processors.rows),
        to_states_t=np.zeros(cost.total.shape[:2]),
    )
    _release_reserves(states, netback_usd_per_kg, cost, regime, ledger, month)
    _deliver_tied_ore(producers, processors, ties, cost, regime, ledger, month)
    _deliver_offtakes(processors, states, netback_usd_per_kg, cost, regime, ledger, month)
    return month


def _release_reserves(
    states: States,
    netback_usd_per_kg: np.ndarray,
    cost: TradeCost,
    regime: Regime,
    ledger: Ledger,
    month: Delivered,
) -> None:
    """Let go of reserves: to the state's own market, or to another state at the last price."""
    for release in regime.releases:
        released_t = np.minimum(release.quantity_t, states.reserve_t[release.holder])
        good = np.nonzero(released_t)[0]
        if len(good) == 0:
            continue
        tonnes = released_t[good]
        holder, receiver = (np.full(len(good), p) for p in (release.holder, release.receiver))
        if release.holder != release.receiver:
            lane = (good, holder, receiver)
            reached = np.isfinite(cost.total[lane]) & (regime.civil_limit_t[lane] > 0)
            tonnes = _within_limits(tonnes * reached, lane, regime, month)
            price = netback_usd_per_kg[good, holder]
            at = ("state", receiver), ("state", holder)
            ledger.pay(*at, "reserve", usd(tonnes, price), good, tonnes)
            ledger.pay_lanes("state", cost, lane, tonnes)
            _note(month, RESERVE, lane, tonnes, price)
            states.stockpile_t[release.holder, good] -= tonnes
            states.stockpile_t[release.receiver, good] += tonnes
            month.to_states_t[good, release.receiver] += tonnes
        states.reserve_t[release.holder, good] -= tonnes


def _deliver_tied_ore(
    p: Producers,
    m: Processors,
    ties: Ties,
    cost: TradeCost,
    regime: Regime,
    ledger: Ledger,
    month: Delivered,
) -> None:
    """Hand ore from mines to the plants they are tied to.

    Ore is handed over where the plant could pay for the cheapest of it. The price splits the
    surplus in halves: midway between the mine's mean cost and what the ore is worth to the plant.
    """
    leg, lane = ties.leg, ties.lane
    tonnes, price, paid = np.empty((3, len(ties.mine)))
    _hand_over(
        ties.mine, leg, *lane, cost.total, regime.flow_limit_t, regime.permitted_t, month.lane_t,
        m.netback_usd_per_kg, p.cheapest_usd_per_kg(), p.cost_usd_per_kg, p.transfer_usd_per_kg,
        p.inventory_t, m.feed_stock_t, m.feed_want_t, month.ore_sold_t, month.ore_sold_usd,
        tonnes, price, paid,
    )  # fmt: skip
    good, origin, destination = lane
    ledger.pay(("processor", destination), ("producer", origin), "goods", paid, good, tonnes)
    lane_paid = ledger.pay_lanes("processor", cost, lane, tonnes)
    month.ore_paid_usd[:] += np.bincount(ties.plant, paid + lane_paid, minlength=m.rows)
    _note(month, TIED, lane, tonnes, price)


@compiled
def _hand_over(
    mine: np.ndarray,
    leg: np.ndarray,
    good: np.ndarray,
    origin: np.ndarray,
    destination: np.ndarray,
    cost_usd_per_kg: np.ndarray,
    flow_limit_t: np.ndarray,
    permitted_t: np.ndarray,
    used_t: np.ndarray,
    netback_usd_per_kg: np.ndarray,
    cheapest_usd_per_kg: np.ndarray,
    mine_cost_usd_per_kg: np.ndarray,
    transfer_usd_per_kg: np.ndarray,
    inventory_t: np.ndarray,
    feed_stock_t: np.ndarray,
    feed_want_t: np.ndarray,
    sold_t: np.ndarray,
    sold_usd: np.ndarray,
    tonnes: np.ndarray,
    price_usd_per_kg: np.ndarray,
    paid_usd: np.ndarray,
) -> None:
    """Hand tied ore over within limits, at its price; the last three are written, ``[tie]``."""
    offered_t, worth = _worth_handing_over(
        mine, leg, good, origin, destination, cost_usd_per_kg, flow_limit_t, permitted_t,
        netback_usd_per_kg, cheapest_usd_per_kg, inventory_t, feed_want_t,
    )  # fmt: skip
    tonnes[:] = _curtailed_t(
        offered_t, good, origin, destination, flow_limit_t, permitted_t, used_t
    )
    price_usd_per_kg[:] = _take_over(
        mine, leg, tonnes, worth, mine_cost_usd_per_kg, transfer_usd_per_kg, inventory_t,
        feed_stock_t, feed_want_t,
    )  # fmt: skip
    paid_usd[:] = usd(tonnes, price_usd_per_kg)
    for i in range(len(mine)):
        sold_t[mine[i]], sold_usd[mine[i]] = tonnes[i], paid_usd[i]


@compiled
def _worth_handing_over(
    tied: np.ndarray,
    leg: np.ndarray,
    good: np.ndarray,
    origin: np.ndarray,
    destination: np.ndarray,
    cost_usd_per_kg: np.ndarray,
    flow_limit_t: np.ndarray,
    permitted_t: np.ndarray,
    netback_usd_per_kg: np.ndarray,
    cheapest_usd_per_kg: np.ndarray,
    inventory_t: np.ndarray,
    want_t: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Tonnes of tied ore handed over, and what it is worth at the mine to the plant, ``[mine]``."""
    tonnes, worth, asked_t = np.zeros(len(tied)), np.empty(len(tied)), np.zeros(len(want_t))
    for i in range(len(tied)):
        lane = (good[i], origin[i], destination[i])
        worth[i] = netback_usd_per_kg[leg[i]] - cost_usd_per_kg[lane]
        limit_t = min(flow_limit_t[lane], permitted_t[CIVIL_USE][lane])
        is_open = np.isfinite(cost_usd_per_kg[lane]) and limit_t > 0.0
        if is_open and worth[i] >= cheapest_usd_per_kg[tied[i]]:
            tonnes[i] = inventory_t[tied[i]]
            asked_t[leg[i]] += tonnes[i]
    for i in range(len(tied)):
        tonnes[i] *= min(1.0, want_t[leg[i]] / max(asked_t[leg[i]], 1e-12))
    return tonnes, worth


@compiled
def _take_over(
    mine: np.ndarray,
    leg: np.ndarray,
    tonnes: np.ndarray,
    worth_usd_per_kg: np.ndarray,
    cost_usd_per_kg: np.ndarray,
    transfer_usd_per_kg: np.ndarray,
    inventory_t: np.ndarray,
    feed_stock_t: np.ndarray,
    feed_want_t: np.ndarray,
) -> np.ndarray:
    """Move tied ore from the stock of mines to that of plants; returns its price, ``[tie]``."""
    price, arrived_t = np.zeros(len(mine)), np.zeros(len(feed_stock_t))
    for i in range(len(mine)):
        if tonnes[i] > 0.0:
            price[i] = 0.5 * (cost_usd_per_kg[mine[i]] + worth_usd_per_kg[i])
        transfer_usd_per_kg[mine[i]] = price[i]
        inventory_t[mine[i]] = max(inventory_t[mine[i]] - tonnes[i], 0.0)
        arrived_t[leg[i]] += tonnes[i]
    for i in range(len(feed_stock_t)):
        feed_stock_t[i] += arrived_t[i]
        feed_want_t[i] = max(feed_want_t[i] - arrived_t[i], 0.0)
    return price


def _deliver_offtakes(
    m: Processors,
    states: States,
    netback_usd_per_kg: np.ndarray,
    cost: TradeCost,
    regime: Regime,
    ledger: Ledger,
    month: Delivered,
) -> None:
    """Deliver to states and firms what their offtake guarantees take, at the contract's price.

    A buyer in breach takes nothing and pays the penalty. Rebates end at the yearly cap, deliveries
    at the budget.
    """
    if not regime.offtakes:
        return
    legs = m.product
    market = legs.at(netback_usd_per_kg)
    for terms in regime.offtakes:
        buyer = np.full(len(legs.row), terms.buyer)
        lane = (legs.good, legs.place, buyer)
        available = _available_t(
            *lane, terms.goods, terms.places, cost.total, regime.flow_limit_t, regime.permitted_t,
            m.product_stock_t, m.made_t, month.offtake_t,
        )  # fmt: skip
        due = _within_limits(deliveries_t(available, terms.volume_t), lane, regime, month)
        if terms.buyer_is_firm:
            due = due * _wanted_share(m, terms.buyer, legs.good, due)
        price, rebate = firm_price_usd_per_kg(market, terms), rebate_usd_per_kg(market, terms)
        refused = breached(market, terms)
        penalty = usd(due, refused * terms.penalty_share * np.maximum(price - market, 0.0))
        tonnes = np.where(refused, 0.0, due)
        left_usd = terms.rebate_cap_usd - ledger.rebated_usd[terms.scheme.policy :][:1].sum()
        rebated = usd(tonnes, rebate)
        rebated = rebated * within(rebated.sum(), left_usd)
        paid = usd(tonnes, price) - rebated + penalty
        kept = within(paid.sum(), terms.scheme.budget_left_usd)
        tonnes, paid, rebated = tonnes * kept, paid * kept, rebated * kept
        ledger.charge(terms.scheme.policy, 0.0 if terms.buyer_is_firm else paid.sum())
        ledger.rebate(terms.scheme.policy, rebated.sum())

        m.product_stock_t = np.maximum(m.product_stock_t - tonnes, 0.0)
        month.offtake_t[:] += tonnes
        month.offtake_usd[:] += legs.total(paid)
        kind = "processor" if terms.buyer_is_firm else "state"
        at = (kind, buyer), ("processor", legs.place)
        ledger.pay(*at, "offtake", paid, legs.good, tonnes)
        lane_paid = ledger.pay_lanes(kind, cost, lane, tonnes)
        if terms.buyer_is_firm:
            _take_as_feed(m, terms.buyer, legs.good, tonnes, paid + lane_paid, month)
        else:
            taken_t = np.bincount(legs.good, tonnes, minlength=states.stockpile_t.shape[1])
            states.stockpile_t[terms.buyer] += taken_t
            month.to_states_t[:, terms.buyer] += taken_t
        _note(month, OFFTAKE, lane, tonnes, paid / np.maximum(tonnes * KG_PER_T, 1e-9))


@compiled
def _available_t(
    good: np.ndarray,
    origin: np.ndarray,
    destination: np.ndarray,
    goods: np.ndarray,
    places: np.ndarray,
    cost_usd_per_kg: np.ndarray,
    flow_limit_t: np.ndarray,
    permitted_t: np.ndarray,
    stock_t: np.ndarray,
    made_t: np.ndarray,
    taken_t: np.ndarray,
) -> np.ndarray:
    """What plants under an offtake could deliver over open lanes, ``[product leg]``.

    Of what they made last month, as far as it is in stock and not taken under another offtake.
    """
    available_t = np.zeros(len(good))
    for i in range(len(good)):
        lane = (good[i], origin[i], destination[i])
        is_open = min(flow_limit_t[lane], permitted_t[CIVIL_USE][lane]) > 0.0
        if goods[good[i]] and places[origin[i]] and is_open and np.isfinite(cost_usd_per_kg[lane]):
            available_t[i] = min(stock_t[i], made_t[i] - taken_t[i])
    return available_t


def _wanted_share(m: Processors, place: int, good: np.ndarray, due_t: np.ndarray) -> np.ndarray:
    """Part of each delivery that the plants of a place want as feed, ``[delivery]``."""
    here = m.place[m.feed.row] == place
    goods = int(max(good.max(initial=0), m.feed.good.max(initial=0))) + 1
    want_t = np.bincount(m.feed.good, m.feed_want_t * here, minlength=goods)
    total_t = np.bincount(good, due_t, minlength=goods)
    return np.minimum(1.0, want_t / np.maximum(total_t, 1e-12))[good]


def _take_as_feed(
    m: Processors,
    place: int,
    good: np.ndarray,
    tonnes: np.ndarray,
    paid_usd: np.ndarray,
    month: Delivered,
) -> None:
    """Give deliveries to the plants of a place by what they want, and the bill with them."""
    feed = m.feed
    goods = int(max(good.max(initial=0), feed.good.max(initial=0))) + 1
    want_t = m.feed_want_t * (m.place[feed.row] == place)
    total_t = np.maximum(np.bincount(feed.good, want_t, minlength=goods), 1e-12)
    share = want_t / total_t[feed.good]
    arrived = share * np.bincount(good, tonnes, minlength=goods)[feed.good]
    m.feed_stock_t = m.feed_stock_t + arrived
    m.feed_want_t = np.maximum(m.feed_want_t - arrived, 0.0)
    month.ore_paid_usd[:] += feed.total(
        share * np.bincount(good, paid_usd, minlength=goods)[feed.good]
    )


def _within_limits(tonnes: np.ndarray, lane: Lane, regime: Regime, month: Delivered) -> np.ndarray:
    """Deliveries curtailed pro rata where they exceed what the month has left of a lane's limit."""
    return _curtailed_t(tonnes, *lane, regime.flow_limit_t, regime.permitted_t, month.lane_t)


@compiled
def _curtailed_t(
    tonnes: np.ndarray,
    good: np.ndarray,
    origin: np.ndarray,
    destination: np.ndarray,
    flow_limit_t: np.ndarray,
    permitted_t: np.ndarray,
    used_t: np.ndarray,
) -> np.ndarray:
    """See :func:`_within_limits`; the limit is that on civil users."""
    total_t, curtailed_t = np.zeros(used_t.shape), np.empty(len(tonnes))
    for i in range(len(tonnes)):
        total_t[good[i], origin[i], destination[i]] += tonnes[i]
    for i in range(len(tonnes)):
        lane = (good[i], origin[i], destination[i])
        limit_t = min(flow_limit_t[lane], permitted_t[CIVIL_USE][lane])
        left_t = max(limit_t - used_t[lane], 0.0)
        curtailed_t[i] = tonnes[i] * min(1.0, left_t / max(total_t[lane], 1e-12))
    return curtailed_t


def _note(
    month: Delivered, channel: int, lane: Lane, tonnes: np.ndarray, price: np.ndarray
) -> None:
    """Enter deliveries into the month's list and its lanes."""
    month.trades.append(_entered(channel, *lane, tonnes, price, month.lane_t))


@compiled
def _entered(
    channel: int,
    good: np.ndarray,
    origin: np.ndarray,
    destination: np.ndarray,
    tonnes: np.ndarray,
    price_usd_per_kg: np.ndarray,
    lane_t: np.ndarray,
) -> np.ndarray:
    """Add deliveries to their lanes; returns ``trades`` of :class:`Delivered`, of those of any."""
    trades, count = np.empty((len(tonnes), 6)), 0
    for i in range(len(tonnes)):
        if tonnes[i] > 0.0:
            lane_t[good[i], origin[i], destination[i]] += tonnes[i]
            trades[count, 0], trades[count, 1], trades[count, 2] = channel, good[i], origin[i]
            trades[count, 3], trades[count, 4] = destination[i], tonnes[i]
            trades[count, 5] = price_usd_per_kg[i]
            count += 1
    return trades[:count]


def pass_rents_to_exporters(
    cohorts: dict[str, Poster], book: Book, clearing: Clearing, regime: Regime, ledger: Ledger
) -> None:
    """Pass the rent of quotas whose licences sellers hold from the treasury on to them.

    Trade has paid the rent of every limit to the treasury of the origin. The sellers of a good
    there share what its exports bore, in proportion to their sales of the month.
    """
    classes = len(BUYER_CLASSES)
    for terms, rent in zip(regime.export_quotas, clearing.quota_rent_usd_per_kg, strict=False):
        if not terms.to_exporters or rent <= 0.0:
            continue
        leaving_t = clearing.flow_t[:, terms.origin].copy()
        leaving_t[:, terms.origin * classes : (terms.origin + 1) * classes] = 0.0
        rent_usd = leaving_t.sum(axis=1) * terms.goods * rent * KG_PER_T
        _pass_to_sellers(rent_usd, terms.origin, cohorts, book, clearing, ledger)


def pass_premium_to_sellers(
    cohorts: dict[str, Poster],
    book: Book,
    clearing: Clearing,
    clean_lane: np.ndarray,
    ledger: Ledger,
) -> None:
    """Pass the premium that bound buyers pay for untouched goods on to the sellers of the place.

    Parameters
    ----------
    clean_lane
        ``[good, origin, destination, buyer class]`` bool: lanes limited to what is untouched.
    """
    if not clean_lane.size:
        return
    flow_t = clearing.flow_t.reshape(clean_lane.shape)
    rent = clearing.lane_rent_usd_per_kg.reshape(clean_lane.shape)
    rent_usd = np.where(clean_lane, flow_t * rent, 0.0).sum(axis=(2, 3)) * KG_PER_T
    for origin in np.nonzero(rent_usd.any(axis=0))[0]:
        _pass_to_sellers(rent_usd[:, origin], int(origin), cohorts, book, clearing, ledger)


def _pass_to_sellers(
    rent_usd: np.ndarray,
    origin: int,
    cohorts: dict[str, Poster],
    book: Book,
    clearing: Clearing,
    ledger: Ledger,
) -> None:
    """Pay rents ``[good]`` out of the treasury of a place to the sellers there by their sales."""
    asks = book.asks
    paid = _by_sales(rent_usd, origin, asks.good, asks.place, clearing.ask_fill_t)
    for kind, part in book.ask_part.items():
        sold = np.nonzero(paid[part] != 0.0)[0]
        if len(sold) == 0:
            continue
        good, fill_t = asks.good[part][sold], clearing.ask_fill_t[part][sold]
        here = np.full(len(sold), origin)
        ledger.pay(("state", here), (kind, here), "scarcity_rent", paid[part][sold], good, fill_t)
        holder = cohorts[kind]
        if isinstance(holder, Producers | Processors):
            holder.cash_usd += book.asks_of(kind, paid)


@compiled
def _by_sales(
    rent_usd: np.ndarray, origin: int, good: np.ndarray, place: np.ndarray, fill_t: np.ndarray
) -> np.ndarray:
    """Rents of goods at an origin by what each ask there sold, ``[ask]`` USD."""
    total_t, paid_usd = np.zeros(len(rent_usd)), np.zeros(len(good))
    for i in range(len(good)):
        if place[i] == origin:
            total_t[good[i]] += fill_t[i]
    for i in range(len(good)):
        if place[i] == origin:
            paid_usd[i] = fill_t[i] * (rent_usd[good[i]] / max(total_t[good[i]], 1e-12))
    return paid_usd


def pay_price_floors(
    processors: Processors,
    reference_usd_per_kg: np.ndarray,
    offtake_t: np.ndarray,
    regime: Regime,
    ledger: Ledger,
) -> None:
    """Settle contracts for difference on the month's price.

    Parameters
    ----------
    reference_usd_per_kg
        ``[good, place]`` price that sellers kept this month.
    offtake_t
        ``[product leg]`` tonnes already paid for under an offtake, which no floor covers.
    """
    if not regime.price_floors:
        return
    legs = processors.product
    reference = legs.at(reference_usd_per_kg)
    received = np.zeros(len(legs.row))
    for terms in regime.price_floors:  # a second floor tops up what the first has left
        under = chosen(legs.good, legs.place, terms.goods, terms.places)
        tonnes = under * eligible_t(
            processors.sold_t - offtake_t, processors.stock_change_t, terms.covers_stockpiled
        )
        rate = terms.payment_usd_per_kg(reference + received)
        paid = usd(tonnes, rate)
        kept = within(paid.sum(), terms.scheme.budget_left_usd)
        paid = paid * kept
        received += under * rate * kept
        payer = np.full(len(paid), terms.payer)
        at = ("state", payer), ("processor", legs.place)
        ledger.pay(*at, terms.reason, paid, legs.good, tonnes)
        ledger.charge(terms.scheme.policy, paid.sum())
        processors.cash_usd += legs.total(paid)


def cover_state_losses(
    producers: Producers,
    processors: Processors,
    netback_usd_per_kg: np.ndarray,
    regime: Regime,
    ledger: Ledger,
) -> None:
    """Let a treasury pay what its undercutting producers fall short of full cost.

    Mines are short by cash cost plus capital charge less the price after resource tax, on what they
    sold; separators by their capital charge less their margin, on what they treated.
    """
    p, m, cover = producers, processors, regime.state_loss_cover_share
    if not cover.any():
        return
    full = p.cost_usd_per_kg + p.life.capital_charge_usd_per_kg
    kept_share = 1.0 - regime.resource_tax_share[p.good, p.place]
    short = np.maximum(full - kept_share * netback_usd_per_kg[p.good, p.place], 0.0)
    mines_usd = usd(p.sold_t, cover[p.place] * p.life.state_owned * short)
    own = m.life.state_owned & (m.stage == SEPARATION)
    missing = cover[m.place] * own * np.maximum(m.shortfall_usd_per_kg, 0.0)
    plants_usd = usd(m.activity_t, missing)
    total_usd = float(mines_usd.sum() + plants_usd.sum())
    kept = within(total_usd, regime.loss_cover.budget_left_usd)
    ledger.charge(regime.loss_cover.policy, kept * total_usd)
    at = ("state", p.place), ("producer", p.place)
    ledger.pay(*at, "undercutting", kept * mines_usd, p.good, p.sold_t)
    p.cash_usd += kept * mines_usd
    ledger.pay(("state", m.place), ("processor", m.place), "undercutting", kept * plants_usd)
    m.cash_usd += kept * plants_usd


def bear_costs(producers: Producers, processors: Processors, regime: Regime) -> None:
    """Let mines and plants face the costs that rules add, and not those that states bear."""
    producers.bear(regime.mine_cost_usd_per_kg, regime.mine_support_usd_per_kg)
    processors.bear(regime.conversion_factor, regime.conversion_borne_share)


def pay_supports(
    producers: Producers,
    processors: Processors,
    mining_usd: np.ndarray,
    conversion_t: np.ndarray,
    regime: Regime,
    ledger: Ledger,
) -> None:
    """Let states pay their part of the cost of collecting and converting, and their programmes.

    Parameters
    ----------
    mining_usd
        ``[producer]`` operating cost of the month without the state's part.
    conversion_t
        ``[plant]`` activity of the month.
    """
    p, m = producers, processors
    if regime.programme_usd.any():
        states = np.arange(ledger.places)
        sides = ("state", states), ("economy", states)
        ledger.pay(*sides, "programme", regime.programme_usd)
    if regime.mine_support_usd_per_kg.any():
        support = regime.mine_cost_usd_per_kg[p.good, p.place] - p.borne_usd_per_kg
        paid = mining_usd * support / np.maximum(p.cost_usd_per_kg, 1e-9)
        sides = ("state", p.place), ("economy", p.place)
        ledger.pay(*sides, "subsidy", paid, p.good, p.output_t)
    if regime.conversion_borne_share.any():
        borne = (regime.conversion_factor * regime.conversion_borne_share)[m.stage, m.place]
        paid = usd(conversion_t, borne * m.own_conversion_usd_per_kg)
        ledger.pay(("state", m.place), ("economy", m.place), "subsidy", paid)


def finance_projects(
    commitments: dict[int, Commitment],
    producers: Producers,
    processors: Processors,
    started: np.ndarray,
    outlay_usd: np.ndarray,
    earned_usd: np.ndarray,
    regime: Regime,
    ledger: Ledger,
) -> None:
    """Sign the finance on offer for projects just decided, and pay what is due on all signed.

    Parameters
    ----------
    commitments
        what each policy has signed so far; added to.
    started, outlay_usd, earned_usd
        ``[facility]``, producers before processors: decided this month, spent on building, and cash
        earned from operating.
    """
    place = np.concatenate([producers.place, processors.place])
    status = np.concatenate([producers.life.status, processors.life.status])
    for offer in regime.finance:
        policy, left_usd = offer.scheme.policy, offer.scheme.budget_left_usd
        if policy not in commitments:
            commitments[policy] = Commitment(offer, len(place))
        commitments[policy].left_usd = left_usd
        may_sign = started | (status == Status.BUILDING) if offer.under_way else started
        if may_sign.any():
            name = np.concatenate([producers.name, processors.name])
            stage = np.concatenate([np.full(producers.rows, MINE), processors.stage])
            commitments[policy].signed |= may_sign & offer.covers(name, place, stage)
    operating, closed = status == Status.OPERATING, status == Status.CLOSED
    for policy, commitment in commitments.items():
        paid = commitment.pay(outlay_usd, earned_usd, operating, closed)
        state = np.full(len(place), commitment.terms.payer)
        ledger.pay(("state", state), ("economy", state), paid.reason, paid.to_bank_usd)
        ledger.charge(policy, float((paid.to_plant_usd + paid.to_bank_usd).sum()))
        mines, plants = slice(0, producers.rows), slice(producers.rows, None)
        to_mines, to_plants = paid.to_plant_usd[mines], paid.to_plant_usd[plants]
        at = ("state", state[mines]), ("producer", producers.place)
        ledger.pay(*at, paid.reason, to_mines)
        at = ("state", state[plants]), ("processor", processors.place)
        ledger.pay(*at, paid.reason, to_plants)
        producers.cash_usd += to_mines
        processors.cash_usd += to_plants


def use_value_usd(buyers: Buyers, period: int) -> np.ndarray:
    r"""What buyers would have paid at most for what they used this month, ``[buyer]``.

    .. math:: V(c) = \bar P \min(c, \bar q) + \int_{\bar q}^{\max(c, \bar q)} P_0
              \Bigl(\frac{q}{\bar u}\Bigr)^{1/\varepsilon} dq, \qquad
              \bar q = \bar u\,(\bar P/P_0)^{\varepsilon}

    The area under the demand curve of the month, cut at the price :math:`\bar P` above which a
    buyer goes without. Less what is paid for it, it is the consumer surplus. Tonnes are those of
    the first design: a product redesigned to hold less serves as before and is worth what it was.
    So is one that holds another grade instead: tonnes switched to it are worth what those they
    replace were, less what these cost more at first prices, at which nobody switched.
    What the redesign itself costs is not known and not counted.
    """
    b, value_usd = buyers, np.empty(buyers.rows)
    _value_use(
        b.demand_t, b.demand_index[period], b.kept_share, b.consumed_t, b.intensity_share,
        b.elasticity, b.first_price_usd_per_kg, b.most_usd_per_kg, b.switching, b.substitute,
        value_usd,
    )  # fmt: skip
    return value_usd


@compiled
def _value_use(
    demand_t: np.ndarray,
    index: np.ndarray,
    kept_share: np.ndarray,
    consumed_t: np.ndarray,
    intensity_share: np.ndarray,
    elasticity: np.ndarray,
    first_price_usd_per_kg: np.ndarray,
    choke_usd_per_kg: np.ndarray,
    switching: np.ndarray,
    substitute: np.ndarray,
    value_usd: np.ndarray,
) -> None:
    """See :func:`use_value_usd`; written to the last."""
    usual_t, moved_t = demand_t * index * kept_share, demand_t * index * (1.0 - kept_share)
    all_t = usual_t.copy()  # of a grade, with what is moved to it
    for i in switching:
        all_t[substitute[i]] += moved_t[i]
    for i in range(len(usual_t)):
        used_t = consumed_t[i] / intensity_share[i]
        own_t = used_t * usual_t[i] / all_t[i] if all_t[i] > 0.0 else used_t
        curve = (elasticity[i], first_price_usd_per_kg[i], choke_usd_per_kg[i])
        value_usd[i] = KG_PER_T * _worth_kusd(usual_t[i], own_t, *curve)
    for i in switching:
        j = substitute[i]
        if moved_t[i] > 0.0:
            used_t = consumed_t[j] / intensity_share[j] * moved_t[i] / all_t[j]
            curve = (elasticity[i], first_price_usd_per_kg[i], choke_usd_per_kg[i])
            cheaper_usd_per_kg = first_price_usd_per_kg[i] - first_price_usd_per_kg[j]
            worth = _worth_kusd(moved_t[i], used_t, *curve) - cheaper_usd_per_kg * used_t
            value_usd[j] += KG_PER_T * worth


@compiled
def _worth_kusd(
    usual_t: float,
    used_t: float,
    elasticity: float,
    first_usd_per_kg: float,
    choke_usd_per_kg: float,
) -> float:
    """Area under one demand curve up to what is used, in thousand USD."""
    base_t, area = used_t, 0.0
    if elasticity <= -STEEPEST:
        base_t = min(used_t, usual_t * (choke_usd_per_kg / first_usd_per_kg) ** elasticity)
    if used_t > base_t:
        power = 1.0 / elasticity + 1.0
        if abs(power) < STEEPEST:
            power = STEEPEST
        most_t = max(usual_t, 1e-12)
        rise = (used_t / most_t) ** power - (base_t / most_t) ** power
        area = first_usd_per_kg * usual_t / power * rise
    return choke_usd_per_kg * base_t + area


def external_usd(
    p: Producers, mines: np.ndarray, external_usd_per_kg: np.ndarray, regime: Regime
) -> np.ndarray:
    """Cost to others of the ore dug this month, ``[place]``, less what standards made mines spend.

    Parameters
    ----------
    p, mines
        producers, and ``[producer]`` bool which of them dig.
    external_usd_per_kg
        ``[good, place]`` without any standard.
    """
    cost_usd = np.zeros(external_usd_per_kg.shape[1])
    _add_external_usd(
        p.good, p.place, p.output_t, mines, external_usd_per_kg, regime.mine_cost_usd_per_kg,
        cost_usd,
    )  # fmt: skip
    return cost_usd


@compiled
def _add_external_usd(
    good: np.ndarray,
    place: np.ndarray,
    output_t: np.ndarray,
    mines: np.ndarray,
    external_usd_per_kg: np.ndarray,
    spent_usd_per_kg: np.ndarray,
    cost_usd: np.ndarray,
) -> None:
    """See :func:`external_usd`; added to the last, ``[place]``."""
    for i in range(len(good)):
        if mines[i]:
            here = (good[i], place[i])
            left = max(external_usd_per_kg[here] - spent_usd_per_kg[here], 0.0)
            cost_usd[place[i]] += output_t[i] * left * KG_PER_T


def tied_feed(producers: Producers, plants: int) -> tuple[np.ndarray, np.ndarray]:
    """Cost of ore from a plant's own mine, ``inf`` without one, and its output, ``[plant]``.

    The ore of a mine still to be built bears its capital charge.
    """
    p = producers
    return _tied_feed(
        p.plant, p.life.status, p.cost_usd_per_kg, p.life.capital_charge_usd_per_kg, p.output_t,
        plants,
    )  # fmt: skip


@compiled
def _tied_feed(
    plant: np.ndarray,
    status: np.ndarray,
    cost_usd_per_kg: np.ndarray,
    charge_usd_per_kg: np.ndarray,
    output_t: np.ndarray,
    plants: int,
) -> tuple[np.ndarray, np.ndarray]:
    """See :func:`tied_feed`."""
    cheapest, mined_t = np.full(plants, np.inf), np.zeros(plants)
    for i in range(len(plant)):
        if plant[i] != NO_PLANT:
            mined_t[plant[i]] += output_t[i]
        if plant[i] != NO_PLANT and status[i] != CLOSED:
            charge = charge_usd_per_kg[i] if status[i] == PLANNED else 0.0
            cheapest[plant[i]] = min(cheapest[plant[i]], cost_usd_per_kg[i] + charge)
    return cheapest, mined_t
