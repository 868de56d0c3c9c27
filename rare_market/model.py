"""The monthly market: :class:`RareEarthMarket` and :func:`simulate`."""

from __future__ import annotations

from collections.abc import Sequence

import mesa
import numpy as np

from rare_market.agents.buyer import Buyer
from rare_market.agents.lifecycle import Status
from rare_market.agents.processor import Processor
from rare_market.agents.producer import NO_PLANT, Producer
from rare_market.agents.state import State
from rare_market.book import Book, Poster
from rare_market.clearing import Clearing, Quotas, clear
from rare_market.contracts import (
    KG_PER_T,
    deliveries_t,
    eligible_t,
    floor_payment_usd_per_kg,
    offtake_price_usd_per_kg,
)
from rare_market.goods import BUYER_CLASSES, FACILITY_STAGES, MONTHS_PER_YEAR, OPEN
from rare_market.ledger import Ledger, TradeCost, trade_cost_usd_per_kg
from rare_market.policies import Policy
from rare_market.records import CHANNELS, Bulletin, Records, provenance_of
from rare_market.regime import Regime
from rare_market.scenario import Scenario
from rare_market.world import Data, build_world, read_data

MINE, SEPARATION = FACILITY_STAGES.index("mine"), FACILITY_STAGES.index("separation")
TIED, OFFTAKE = CHANNELS.index("tied"), CHANNELS.index("offtake")


def simulate(scenario: Scenario, policies: Sequence[Policy] = ()) -> Records:
    """Run a scenario under policies; the one way to run.

    Parameters
    ----------
    scenario
        the world no state controls.
    policies
        instruments, applied in the order listed.

    Returns
    -------
    Records
        everything kept of the run.

    Raises
    ------
    rare_market.inputs.InputError, rare_market.declare.InvalidValueError
        before any month, for data or terms that cannot be used.
    """
    market = RareEarthMarket(scenario, policies)
    for _ in range(scenario.periods):
        market.step()
    return market.records


class RareEarthMarket(mesa.Model):  # type: ignore[misc]  # mesa ships no types
    """One run of the market, month by month.

    Parameters
    ----------
    assumptions
        the scenario; ``scenario`` itself is a name that Mesa keeps for its own.
    policies
        instruments of all states, applied in the order listed.

    Attributes
    ----------
    producers, processors, buyers, states
        the cohorts, columns of all traders of a kind; Mesa's agents are views of their rows.
    records
        what is kept of the run so far.
    """

    def __init__(
        self, assumptions: Scenario | None = None, policies: Sequence[Policy] = ()
    ) -> None:
        assumptions = Scenario() if assumptions is None else assumptions
        super().__init__(rng=assumptions.seed)
        data = read_data(assumptions.data_folder)
        for policy in policies:
            policy.check(data.catalogue)
        self.assumptions, self.policies, self.data = assumptions, tuple(policies), data
        self.catalogue = data.catalogue
        world = build_world(data, assumptions)
        self.producers, self.processors = world.producers, world.processors
        self.buyers, self.states = world.buyers, world.states
        self.facility_place, self.facility_stage = world.facility_place, world.facility_stage
        self.collector = world.collector
        for kind, cohort in (
            (Producer, self.producers),
            (Processor, self.processors),
            (Buyer, self.buyers),
            (State, self.states),
        ):
            for row in range(cohort.rows):
                kind(self, cohort, row)
        self.book = Book(
            {
                "producer": self.producers,
                "processor": self.processors,
                "buyer": self.buyers,
                "state": self.states,
            },
            data.catalogue,
        )
        self.ledger = Ledger(len(data.catalogue.places))
        self.records = Records(
            data.catalogue,
            assumptions.periods,
            assumptions.start_year,
            world.facility,
            world.facility_place,
            world.facility_stage,
            provenance_of(assumptions, self.policies, data.checksums),
        )
        self.period = 0
        self._rival_cost_usd_per_kg = world.rival_cost_usd_per_kg
        self._price, self._netback = world.start
        self._trend = np.zeros_like(self._netback)
        self._long_price = self._price[:, :, OPEN].copy()
        self._long_netback = self._netback.copy()
        self._age_months = np.zeros(self._price.shape, dtype=np.int32)
        self.bulletin = self._bulletin()
        self.regime = data.law

    def step(self) -> None:
        """Run one month."""
        self.publish()
        self.amend()
        self.deliver()
        self.post()
        self.clear()
        self.settle()
        self.plan()
        self.record()

    # -- the month ----------------------------------------------------------------------------

    def publish(self) -> None:
        """Publish the bulletin: last month's prices, trends and what is being built."""
        self.bulletin = self._bulletin()
        self.ledger.open_month()

    def amend(self) -> None:
        """Let each policy in force amend the rule book, starting from the law of 2024."""
        regime = self.data.law
        for policy in self.policies:
            if policy.in_force(self.bulletin.year):
                regime = policy.amend(regime, self.bulletin)
        self.regime = regime
        self.cost = trade_cost_usd_per_kg(
            regime, self.bulletin.netback_usd_per_kg, self.assumptions.insurance_share
        )

    def deliver(self) -> None:
        """Deliver what is under contract before the market opens: own ore, then offtakes."""
        self.processors.expect(self.bulletin, self.regime)
        self._lane_used_t = np.zeros_like(self.cost.total)
        self._deliver_tied_ore()
        self._deliver_offtakes()

    def post(self) -> None:
        """Let every trader post asks and bids, all on the same bulletin."""
        self.producers.post(self.book, self.bulletin, self.regime)
        self.processors.post(self.book, self.bulletin, self.regime)
        self.buyers.post(self.period, self.book, self.bulletin)
        self.states.post(self.book, self.bulletin)

    def clear(self) -> None:
        """Clear all goods under the regime."""
        asks, bids = self.book.asks, self.book.bids
        lane_cost, quotas = self._lanes()
        hint = np.concatenate(
            [self._netback, self._price.reshape(len(self._price), -1)], axis=1
        )
        self.clearing: Clearing = clear(
            self.book.layout,
            asks.quantity_t,
            asks.limit_usd_per_kg,
            bids.quantity_t,
            bids.limit_usd_per_kg,
            lane_cost,
            np.full(lane_cost.shape, np.inf),
            quotas,
            hint,
        )

    def settle(self) -> None:
        """Move tonnes and money: trade, taxes, contract payments, covered losses."""
        ledger, asks, bids, result = self.ledger, self.book.asks, self.book.bids, self.clearing
        node = bids.place * len(BUYER_CLASSES) + bids.buyer_class
        earned = _usd(result.ask_fill_t, result.netback_usd_per_kg[asks.good, asks.place])
        paid = _usd(result.bid_fill_t, result.price_usd_per_kg[bids.good, node])
        fill = {kind: result.ask_fill_t[part] for kind, part in self.book.ask_part.items()}
        taken = {kind: result.bid_fill_t[part] for kind, part in self.book.bid_part.items()}
        for kind, part in self.book.ask_part.items():
            place = asks.place[part]
            ledger.pay(("carrier", place), (kind, place), "goods", earned[part])
        for kind, part in self.book.bid_part.items():
            place = bids.place[part]
            ledger.pay((kind, place), ("carrier", place), "goods", paid[part])
        ledger.settle_trade(
            result.flow_t,
            result.price_usd_per_kg,
            result.netback_usd_per_kg,
            self.cost,
            len(BUYER_CLASSES),
        )
        self._bought_t, self._paid_usd = self._by_node(result.bid_fill_t, paid)

        p = self.producers
        sales_usd = self._by_row("producer", earned, p)
        tax = sales_usd * self.regime.resource_tax_share[p.good, p.place]
        ledger.pay(("producer", p.place), ("state", p.place), "resource_tax", tax)
        p.settle(fill["producer"], self._tied_t, sales_usd - tax + self._tied_usd)

        m = self.processors
        feed_usd = self._by_row("processor", paid, m, bids=True)
        m.settle(
            fill["processor"],
            taken["processor"],
            self._offtake_t,
            self._by_row("processor", earned, m) + self._offtake_usd,
            feed_usd + self._tied_cost_usd,
        )
        self._pay_price_floors()
        self._cover_state_losses()

        b = self.buyers
        b.settle(taken["buyer"])
        self._spent_usd = self._by_row("buyer", paid, b, bids=True)
        ledger.pay(("economy", b.place), ("buyer", b.place), "final_demand", self._spent_usd)
        self.states.settle(fill["state"])
        self._learn_prices()

    def plan(self) -> None:
        """Produce for next month, invest, mothball, restart, close; set the mining quota."""
        bulletin = self._bulletin()
        p, m, ledger = self.producers, self.processors, self.ledger
        output_t, cost_usd, capex_usd = p.plan(self.period, bulletin, self.states.quota_index)
        ledger.pay(("producer", p.place), ("economy", p.place), "operating_cost", cost_usd)
        ledger.pay(("producer", p.place), ("economy", p.place), "capital_cost", capex_usd)
        before = m.life.status
        activity_t, cost_usd, capex_usd = m.plan(
            self.period, bulletin, self.regime, self._tied_feed_usd_per_kg()
        )
        ledger.pay(("processor", m.place), ("economy", m.place), "operating_cost", cost_usd)
        ledger.pay(("processor", m.place), ("economy", m.place), "capital_cost", capex_usd)
        started = np.nonzero((before == Status.PLANNED) & (m.life.status == Status.BUILDING))[0]
        p.build_with(started)
        self.buyers.plan(bulletin)
        self.states.plan(self.period, bulletin, self.regime, self._bought_t.sum(axis=2))
        self._output_t = np.concatenate([output_t, activity_t])

    def record(self) -> None:
        """Write the month into the records."""
        r, t, result, c = self.records, self.period, self.clearing, self.catalogue
        goods, places, classes = self._price.shape
        r.price_usd_per_kg[t] = self._price
        r.price_low_usd_per_kg[t] = result.price_low_usd_per_kg.reshape(self._price.shape)
        r.price_high_usd_per_kg[t] = result.price_high_usd_per_kg.reshape(self._price.shape)
        r.netback_usd_per_kg[t] = self._netback
        r.age_months[t] = self._age_months
        r.status[t] = result.status.reshape(self._price.shape)
        r.bought_t[t], r.paid_usd[t] = self._bought_t, self._paid_usd
        r.flow_t[t] = result.flow_t.reshape(goods, places, places, classes).sum(axis=3)
        life_p, life_m = self.producers.life, self.processors.life
        status = np.concatenate([life_p.status, life_m.status])
        capacity = np.concatenate(
            [life_p.capacity_t * self._quota_share(), life_m.capacity_t]
        )
        cell = self.facility_stage * places + self.facility_place

        def by_stage(values: np.ndarray) -> np.ndarray:
            return np.bincount(
                cell, values, minlength=len(FACILITY_STAGES) * places
            ).reshape(len(FACILITY_STAGES), places)

        plant = ~np.concatenate([self.collector, np.zeros(len(life_m.status), dtype=bool)])
        r.capacity_t[t] = by_stage(capacity * (status <= Status.MOTHBALLED) * plant)
        r.operating_t[t] = by_stage(capacity * (status == Status.OPERATING) * plant)
        r.building_t[t] = by_stage(capacity * (status == Status.BUILDING) * plant)
        r.output_t[t] = by_stage(self._output_t * plant)
        r.facility_status[t], r.facility_output_t[t] = status, self._output_t
        r.balance_usd[t] = self.ledger.balance_usd
        b = self.buyers
        at = b.good * places + b.place

        def by_good(values: np.ndarray) -> np.ndarray:
            return np.bincount(at, values, minlength=goods * places).reshape(goods, places)

        r.used_t[t], r.shortage_t[t] = by_good(b.consumed_t), by_good(b.shortage_t)
        r.final_spend_usd[t] = by_good(self._spent_usd)
        r.stock_t[t] = self._stock_t()
        r.secured_t[t] = self._secured_t
        p, m = self.producers, self.processors
        composition = c.composition_reo_t_per_t
        mined_t, collected_t = (
            np.bincount(p.good, p.output_t * these, minlength=goods)
            for these in (~self.collector, self.collector)
        )
        r.made_t[t] = np.bincount(
            np.concatenate([p.good * places + p.place, m.product.good * places + m.product.place]),
            np.concatenate([p.output_t, m.made_t]),
            minlength=goods * places,
        ).reshape(goods, places)
        processed_t = np.bincount(
            m.feed.good, m.feed.coefficient * m.activity_t[m.feed.row], minlength=goods
        ) - np.bincount(m.product.good, m.made_t, minlength=goods)
        r.mass[t] = np.stack(
            [
                mined_t @ composition,
                collected_t @ composition,
                r.used_t[t].sum(axis=1) @ composition,
                processed_t @ composition,
                r.stock_t[t].sum(axis=1) @ composition,
            ],
            axis=1,
        )
        r.gap_relative[t] = result.gap_relative
        r.excess_demand_t[t] = result.excess_demand_t
        r.slackness_usd[t] = result.slackness_violation_usd
        r.quota_rent_usd_per_kg.append(result.quota_rent_usd_per_kg)
        self.period += 1
        r.periods = self.period

    # -- parts of the month -------------------------------------------------------------------

    def _bulletin(self) -> Bulletin:
        life = self.processors.life
        abroad = (self.processors.stage == SEPARATION) & (
            self.processors.place != self.catalogue.china
        )
        building = life.capacity_t[abroad & (life.status == Status.BUILDING)].sum()
        operating = life.capacity_t[abroad & (life.status == Status.OPERATING)].sum()
        held, target = self._sellers_stock_t()
        ore = self.catalogue.of_stage("concentrate")
        return Bulletin(
            period=self.period,
            year=self.assumptions.start_year + self.period / MONTHS_PER_YEAR,
            price_usd_per_kg=self._price,
            netback_usd_per_kg=self._netback,
            trend_per_month=self._trend,
            long_price_usd_per_kg=self._long_price,
            long_netback_usd_per_kg=self._long_netback,
            stock_ratio=_ratio(held, target),
            ore_stock_ratio=_ratio(held[ore].sum(axis=0), target[ore].sum(axis=0)),
            rival_cost_usd_per_kg=self._rival_cost_usd_per_kg,
            entry_share=float(building / operating) if operating > 0 else np.inf,
            catalogue=self.catalogue,
        )

    def _deliver_tied_ore(self) -> None:
        """Hand ore from mines to the plants they are tied to, splitting the surplus in halves."""
        p, m = self.producers, self.processors
        self._tied_t, self._tied_usd = np.zeros(p.rows), np.zeros(p.rows)
        self._tied_cost_usd = np.zeros(m.rows)
        tied = np.nonzero(p.plant != NO_PLANT)[0]
        leg = self._feed_leg_of_plant()[p.plant[tied]]
        lane = (p.good[tied], p.place[tied], m.place[p.plant[tied]])
        cost = self.cost.total[lane]
        open_lane = np.isfinite(cost) & (self.regime.flow_limit_t[lane] > 0)
        offered = np.where(open_lane, p.inventory_t[tied], 0.0)
        asked = np.bincount(leg, offered, minlength=len(m.feed_want_t))
        share = np.minimum(1.0, m.feed_want_t / np.maximum(asked, 1e-12))
        tonnes = offered * share[leg]
        surplus_price = 0.5 * (p.cost_usd_per_kg[tied] + m.netback_usd_per_kg[leg] - cost)
        price = np.maximum(surplus_price, 0.0)
        p.transfer_usd_per_kg[tied] = price
        if not tonnes.any():
            return
        p.inventory_t[tied] -= tonnes
        self._tied_t[tied] = tonnes
        delivered = np.bincount(leg, tonnes, minlength=len(m.feed_want_t))
        m.feed_stock_t = m.feed_stock_t + delivered
        m.feed_want_t = np.maximum(m.feed_want_t - delivered, 0.0)
        self._lane_used_t[lane] += tonnes
        usd = _usd(tonnes, price)
        self._tied_usd[tied] = usd
        plant = p.plant[tied]
        ledger = self.ledger
        ledger.pay(("processor", m.place[plant]), ("producer", p.place[tied]), "goods", usd)
        lane_usd = self._pay_lane("processor", lane, tonnes)
        self._tied_cost_usd += np.bincount(plant, usd + lane_usd, minlength=m.rows)
        for i in np.nonzero(tonnes > 0)[0]:
            self.records.contract_t.append(
                (self.period, TIED, *(int(x[i]) for x in lane), tonnes[i], price[i])
            )

    def _deliver_offtakes(self) -> None:
        """Deliver to states what their offtake guarantees take."""
        m, s = self.processors, self.states
        legs = m.product
        self._offtake_t, self._offtake_usd = np.zeros(len(legs.row)), np.zeros(m.rows)
        self._secured_t = np.zeros(len(self.catalogue.goods))
        market = self.bulletin.netback_usd_per_kg[legs.good, legs.place]
        for terms in self.regime.offtakes:
            lane = (legs.good, legs.place, np.full(len(legs.row), terms.buyer))
            reachable = np.isfinite(self.cost.total[lane]) & (self.regime.flow_limit_t[lane] > 0)
            under = terms.goods[legs.good] & terms.places[legs.place] & reachable
            available = np.where(under, np.minimum(m.product_stock_t, m.made_t), 0.0)
            tonnes = deliveries_t(available, terms.volume_t)
            if not tonnes.any():
                continue
            price = offtake_price_usd_per_kg(market, terms)
            usd = _usd(tonnes, price)
            m.product_stock_t = m.product_stock_t - tonnes
            self._offtake_t += tonnes
            self._offtake_usd += legs.total(usd)
            self._lane_used_t[lane] += tonnes
            self._secured_t += np.bincount(legs.good, tonnes, minlength=len(self._secured_t))
            s.stockpile_t[terms.buyer] += np.bincount(
                legs.good, tonnes, minlength=s.stockpile_t.shape[1]
            )
            buyer = np.full(len(tonnes), terms.buyer)
            self.ledger.pay(("state", buyer), ("processor", legs.place), "offtake", usd)
            self._pay_lane("state", lane, tonnes)
            for i in np.nonzero(tonnes > 0)[0]:
                self.records.contract_t.append(
                    (self.period, OFFTAKE, *(int(x[i]) for x in lane), tonnes[i], price[i])
                )

    def _pay_lane(
        self, payer: str, lane: tuple[np.ndarray, np.ndarray, np.ndarray], tonnes: np.ndarray
    ) -> np.ndarray:
        """Pay freight and taxes on contract deliveries; returns USD by delivery."""
        _, origin, destination = lane
        parts = TradeCost(*(np.where(tonnes > 0, _usd(tonnes, part[lane]), 0.0) for part in self.cost))
        at = (payer, destination)
        self.ledger.pay(at, ("economy", origin), "freight", parts.freight)
        self.ledger.pay(at, ("state", origin), "export_tax", parts.export_tax)
        self.ledger.pay(at, ("state", destination), "import_duty", parts.import_duty)
        return parts.total

    def _lanes(self) -> tuple[np.ndarray, Quotas]:
        """Cost of every lane to every demand node, and the limits as quotas over nodes."""
        r = self.regime
        cost = np.repeat(self.cost.total[:, :, :, None], len(BUYER_CLASSES), axis=3)
        cost[r.flow_limit_t <= 0.0] = np.inf
        cost[:, r.excluded_origin.T[:, None, :].repeat(cost.shape[2], axis=1)] = np.inf
        origin, destination, goods, limit = [], [], [], []
        for quota in r.export_quotas:
            used = self._lane_used_t[quota.goods, quota.origin].sum()
            used -= self._lane_used_t[quota.goods, quota.origin, quota.origin].sum()
            origin.append(quota.origin)
            destination.append(-1)
            goods.append(quota.goods)
            limit.append(max(quota.quota_t - used, 0.0))
        for good, o, d in zip(
            *np.nonzero(np.isfinite(r.flow_limit_t) & (r.flow_limit_t > 0.0)), strict=True
        ):
            origin.append(int(o))
            destination.append(int(d))
            goods.append(np.arange(len(cost)) == good)
            limit.append(max(r.flow_limit_t[good, o, d] - self._lane_used_t[good, o, d], 0.0))
        quotas = Quotas(
            quota_goods=np.array(goods, dtype=bool).reshape(len(origin), len(cost)),
            quota_origin=np.array(origin, dtype=np.int64),
            quota_destination=np.array(destination, dtype=np.int64),
            quota_t=np.array(limit, dtype=float),
        )
        return cost.reshape(cost.shape[0], cost.shape[1], -1), quotas

    def _pay_price_floors(self) -> None:
        """Settle contracts for difference on the month's price."""
        m, legs = self.processors, self.processors.product
        stockpiled_t = m.stock_change_t
        reference = self.clearing.netback_usd_per_kg[legs.good, legs.place]
        reference = np.where(
            np.isfinite(reference), reference, self._netback[legs.good, legs.place]
        )
        for terms in self.regime.price_floors:
            under = terms.goods[legs.good] & terms.places[legs.place]
            tonnes = under * eligible_t(
                m.sold_t - self._offtake_t, stockpiled_t, terms.covers_stockpiled
            )
            usd = _usd(
                tonnes,
                floor_payment_usd_per_kg(reference, terms.strike_usd_per_kg, terms.upside_share),
            )
            payer = np.full(len(usd), terms.payer)
            self.ledger.pay(("state", payer), ("processor", legs.place), "price_floor", usd)
            m.cash_usd += legs.total(usd)
            self._secured_t += np.bincount(legs.good, tonnes, minlength=len(self._secured_t))

    def _cover_state_losses(self) -> None:
        """Let a treasury pay what its undercutting producers fall short of full cost."""
        p, m = self.producers, self.processors
        cover = self.regime.state_loss_cover_share
        if not cover.any():
            return
        price = self.clearing.netback_usd_per_kg[p.good, p.place]
        price = np.where(np.isfinite(price), price, self._netback[p.good, p.place])
        short = p.cost_usd_per_kg + p.life.capital_charge_usd_per_kg - price
        share = cover[p.place] * p.life.state_owned
        usd = _usd(p.sold_t, share * np.maximum(short, 0.0))
        self.ledger.pay(("state", p.place), ("producer", p.place), "undercutting", usd)
        p.cash_usd += usd
        share = cover[m.place] * m.life.state_owned * (m.stage == SEPARATION)
        usd = _usd(m.activity_t, share * np.maximum(m.shortfall_usd_per_kg, 0.0))
        self.ledger.pay(("state", m.place), ("processor", m.place), "undercutting", usd)
        m.cash_usd += usd

    def _learn_prices(self) -> None:
        """Take over the month's prices; a market without one carries its last, with its age."""
        s, result = self.assumptions, self.clearing
        price = result.price_usd_per_kg.reshape(self._price.shape)
        quoted = np.isfinite(price)
        self._age_months = np.where(quoted, 0, self._age_months + 1).astype(np.int32)
        self._price = np.where(quoted, np.maximum(price, 0.0), self._price)
        old = self._netback
        netback = np.where(
            np.isfinite(result.netback_usd_per_kg), result.netback_usd_per_kg, old
        )
        self._netback = np.maximum(netback, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            growth = np.log(self._netback / old)
        growth = np.clip(np.where(np.isfinite(growth), growth, 0.0), -0.5, 0.5)
        self._trend = self._trend + (growth - self._trend) / s.trend_months
        memory = s.expectation_months
        self._long_price = self._long_price + (self._price[:, :, OPEN] - self._long_price) / memory
        self._long_netback = self._long_netback + (self._netback - self._long_netback) / memory

    # -- sums ---------------------------------------------------------------------------------

    def _by_row(
        self, kind: str, usd: np.ndarray, cohort: Poster, *, bids: bool = False
    ) -> np.ndarray:
        """Sum of order values by trader of a kind."""
        part = (self.book.bid_part if bids else self.book.ask_part)[kind]
        row = cohort.bid_row if bids else cohort.ask_row
        return np.bincount(row, usd[part], minlength=cohort.rows)

    def _by_node(self, fill_t: np.ndarray, paid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Tonnes and USD bought, ``[good, place, buyer class]``."""
        bids, shape = self.book.bids, self._price.shape
        cell = (bids.good * shape[1] + bids.place) * shape[2] + bids.buyer_class
        size = int(np.prod(shape))
        return (
            np.bincount(cell, fill_t, minlength=size).reshape(shape),
            np.bincount(cell, paid, minlength=size).reshape(shape),
        )

    def _sellers_stock_t(self) -> tuple[np.ndarray, np.ndarray]:
        """Stock of sellers and its normal target, ``[good, place]``."""
        p, m = self.producers, self.processors
        shape = self._netback.shape
        cell = np.concatenate([p.good, m.product.good]) * shape[1]
        cell += np.concatenate([p.place, m.product.place])
        held = np.concatenate([p.inventory_t, m.product_stock_t])
        target = np.concatenate([p.normal_stock_t(), m.normal_stock_t()])
        size = shape[0] * shape[1]
        return (
            np.bincount(cell, held, minlength=size).reshape(shape),
            np.bincount(cell, target, minlength=size).reshape(shape),
        )

    def _stock_t(self) -> np.ndarray:
        """Tonnes held by anyone, ``[good, place]``."""
        goods, places, _ = self._price.shape
        p, m, b = self.producers, self.processors, self.buyers
        cell = np.concatenate(
            [
                p.good * places + p.place,
                m.feed.good * places + m.feed.place,
                m.product.good * places + m.product.place,
                b.good * places + b.place,
            ]
        )
        held = np.concatenate([p.inventory_t, m.feed_stock_t, m.product_stock_t, b.inventory_t])
        stock = np.bincount(cell, held, minlength=goods * places).reshape(goods, places)
        return stock + self.states.stockpile_t.T

    def _feed_leg_of_plant(self) -> np.ndarray:
        """First feed leg of each plant (a tied plant has one feed)."""
        return np.searchsorted(self.processors.feed.row, np.arange(self.processors.rows))

    def _tied_feed_usd_per_kg(self) -> np.ndarray:
        """Cost of ore from a plant's own mine, ``[plant]``; ``inf`` without one.

        The ore of a mine still to be built bears its capital charge.
        """
        p, m = self.producers, self.processors
        cost = np.full(m.rows, np.inf)
        tied = p.plant != NO_PLANT
        new = p.life.status == Status.PLANNED
        full = p.cost_usd_per_kg + np.where(new, p.life.capital_charge_usd_per_kg, 0.0)
        alive = tied & (p.life.status != Status.CLOSED)
        np.minimum.at(cost, p.plant[alive], full[alive])
        return cost

    def _quota_share(self) -> np.ndarray:
        """Capacity of each producer relative to its row, by the mining quota."""
        p = self.producers
        return np.where(p.quota_bound, self.states.quota_index[p.place], 1.0)


def _ratio(held: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Stock over target; 1 where there is no target."""
    return np.divide(held, target, out=np.ones_like(held), where=target > 0.0)


def _usd(tonnes: np.ndarray, usd_per_kg: np.ndarray) -> np.ndarray:
    """Value in USD; nothing is worth nothing even at an unknown price."""
    return np.where(tonnes != 0.0, tonnes * np.nan_to_num(usd_per_kg) * KG_PER_T, 0.0)
