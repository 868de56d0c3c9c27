"""The monthly market: :class:`RareEarthMarket` and :func:`simulate`."""

from __future__ import annotations

from collections.abc import Sequence

import mesa
import numpy as np

from rare_market import settlement
from rare_market.agents.buyer import Buyer
from rare_market.agents.licence import LicenceHolders
from rare_market.agents.lifecycle import BUILDING, OPERATING, Status
from rare_market.agents.merchant import Merchant
from rare_market.agents.processor import CleanDemand, Processor
from rare_market.agents.producer import MINE, Producer
from rare_market.agents.state import State
from rare_market.agents.trader import news_share
from rare_market.board import PriceBoard
from rare_market.book import Book, Poster
from rare_market.clearing import Clearing, Quotas, no_quotas
from rare_market.compiled import compiled
from rare_market.content import Content, Touch
from rare_market.dataset import read_data
from rare_market.finance import Commitment
from rare_market.goods import (
    BOUND,
    BUYER_CLASSES,
    CIVIL_USE,
    LOYAL,
    MILITARY,
    MILITARY_USE,
    MONTHS_PER_YEAR,
)
from rare_market.ledger import KIND, Ledger, trade_cost_usd_per_kg
from rare_market.policies import Policy, in_order
from rare_market.records import Bulletin, Records, provenance_of
from rare_market.regime import CleanRule, ExportQuota, Regime
from rare_market.scenario import Scenario
from rare_market.settlement import SEPARATION, usd
from rare_market.world import build_world


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
    refusal_usd_per_kg
        ``[buyer class]`` what taking goods of an origin that it excludes costs a buyer; ``inf``:
        never takes them.
    producers, processors, buyers, states, cohorts
        the cohorts, columns of all traders of a kind, and all by kind; Mesa's agents are views of
        their rows.
    board, regime, bulletin
        last prices, rules in force, and what was published this month.
    posted, clearing
        the month's market and its solution.
    records
        what is kept of the run so far.
    """

    def __init__(
        self, assumptions: Scenario | None = None, policies: Sequence[Policy] = ()
    ) -> None:
        s = Scenario() if assumptions is None else assumptions
        super().__init__(rng=s.seed)
        data = read_data(s.data_folder, s.start_year)
        for policy in policies:
            policy.check(data.catalogue)
        self.assumptions, self.policies, self.data = s, tuple(policies), data
        self.catalogue, self.regime = data.catalogue, data.law
        self.world = world = build_world(data, s)
        self.producers, self.processors = world.producers, world.processors
        self.buyers, self.states = world.buyers, world.states
        self.merchants, self.in_order = world.merchants, in_order(self.policies)
        routes = [policy.routes(data.law, data.catalogue) for policy in self.in_order]
        asked = (policy.content(data.catalogue) for policy in self.in_order)
        touches = tuple(dict.fromkeys(touch for touch in asked if touch))
        if touches:
            self.processors.open_clean_bids()
        if routes:
            self.merchants.open_routes(np.any(routes, axis=0), data.catalogue)
        for kind, cohort in (
            (Producer, self.producers),
            (Processor, self.processors),
            (Buyer, self.buyers),
            (State, self.states),
            (Merchant, self.merchants),
        ):
            for row in range(cohort.rows):
                kind(self, cohort, row)
        p, m = self.producers, self.processors
        self.ores = data.catalogue.of_stage("concentrate")
        self.ties = settlement.find_ties(p, m)
        self.rivals = (m.stage == SEPARATION) & (m.place != data.catalogue.china)
        self.project_at = (  # stage and place of each facility; a collector digs like a mine
            np.concatenate([np.full(p.rows, MINE), m.stage]),
            world.facility_place,
        )
        self.cohorts: dict[str, Poster] = {
            "producer": self.producers,
            "processor": self.processors,
            "buyer": self.buyers,
            "state": self.states,
            "merchant": self.merchants,
        }
        self.states.open_desks([policy.desk(data.catalogue) for policy in self.in_order])
        self.book = Book(self.cohorts, data.catalogue)
        self._tell_buyers_apart(data.law)
        self.board = PriceBoard(
            *world.start, s.trend_months, s.expectation_months, s.quote_band_share
        )
        self.refusal_usd_per_kg = np.full(len(BUYER_CLASSES), np.inf)
        self.refusal_usd_per_kg[LOYAL] = s.loyal_premium_usd_per_kg
        self.licence_holders = LicenceHolders(s.sales_memory_months)
        self._announced_share = np.zeros(len(data.catalogue.places))
        self.ledger = Ledger(len(data.catalogue.places), len(self.policies))
        self.ask_accounts = self._trading_accounts(self.book.asks.place, self.book.ask_part)
        self.bid_accounts = self._trading_accounts(self.book.bids.place, self.book.bid_part)
        self.records = Records(
            data.catalogue,
            s.periods,
            s.start_year,
            world.facility,
            world.facility_place,
            world.facility_stage,
            provenance_of(s, self.policies, data.checksums),
        )
        self.external_usd_per_kg = data.external_usd_per_kg.sum(axis=0)
        self.military_share = world.military_share()
        self.commitments: dict[int, Commitment] = {}
        self.content = Content(touches, data.catalogue, world.heaps_t())
        self.period = 0
        self.usual_t: dict[tuple[str, int, int], np.ndarray] = {}
        self.bulletin = self._bulletin()

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
        """Publish the bulletin: last month's prices, trends, stocks and what is being built."""
        self.bulletin = self._bulletin()
        self.ledger.open_month(self.period)
        self.cash_usd = np.concatenate([self.producers.cash_usd, self.processors.cash_usd])

    def amend(self) -> None:
        """Let each policy in force amend the rule book, starting from the law of the month."""
        regime = self.data.law_at(self.bulletin.year)
        for i, policy in enumerate(self.in_order):
            regime = policy.apply(regime, self.bulletin, i, self.ledger.spent_usd[i])
        known, self._announced_share = self._announced_share, regime.announced_alarm_share
        if regime.announced_alarm_share.any():
            news = news_share(regime.announced_alarm_share, known)
            regime = regime.amended(announced_alarm_share=news)
        told = self.regime.permitted_t, self.regime.clean_rules
        if regime.permitted_t is not told[0] or regime.clean_rules is not told[1]:
            self._tell_buyers_apart(regime)
        self.regime = regime
        self.feed_rules = self._feed_rules(regime.clean_rules)
        self.clean_rules = (*regime.clean_rules, *self.feed_rules)
        self.cost = trade_cost_usd_per_kg(
            self.regime, self.bulletin.netback_usd_per_kg, self.assumptions.insurance_share
        )

    def _tell_buyers_apart(self, regime: Regime) -> None:
        """Let military users bid apart where they need permits, and loyal ones where bound."""
        self.apart = regime.end_uses_apart()
        self.any_apart = bool(self.apart.any())
        if self.buyers.tell_apart(self.apart, regime.under_clean_rules()):
            self.book.group()

    def deliver(self) -> None:
        """Deliver what is under contract before the market opens: own ore, then offtakes."""
        settlement.bear_costs(self.producers, self.processors, self.regime)
        self.processors.expect(self.bulletin, self.regime)
        self.delivered = settlement.deliver(
            self.producers,
            self.processors,
            self.states,
            self.ties,
            self.bulletin.netback_usd_per_kg,
            self.cost,
            self.regime,
            self.ledger,
        )

    def post(self) -> None:
        """Let every trader post asks and bids, all on the same bulletin."""
        home = self.processors.downstream_usd_per_kg(*self.bulletin.netback_usd_per_kg.shape)
        self.producers.post(self.book, self.bulletin, self.regime, home)
        self.processors.post(self.book, self.bulletin, self.regime, home, self._clean_demand())
        self.buyers.post(self.period, self.book, self.bulletin, self.regime)
        self.states.post(self.book, self.bulletin, self.regime)
        self.merchants.post(self.book, self.bulletin, self.regime, self.cost.total)
        self.book.lift_asks(self.regime.ask_floor_usd_per_kg)

    def clear(self) -> None:
        """Clear all goods under the regime."""
        self.posted = self.book.posted(*self._lanes(), self.board.hint_usd_per_kg())
        self.clearing = self._with_licences_sold(self.posted.clear(self.book.layout))

    def settle(self) -> None:
        """Move tonnes and money: trade, taxes, contract payments, covered losses."""
        book, ledger, result, month = self.book, self.ledger, self.clearing, self.delivered
        p, m, b = self.producers, self.processors, self.buyers
        sold, bought = book.sold(result), book.bought(result)
        self.bought, asks, bids, of = bought, book.ask_part, book.bid_part, book.trader_part
        carriers, sellers = self.ask_accounts
        ledger.book(carriers, sellers, "goods", sold.usd, book.asks.good, sold.fill_t)
        carriers, buyers = self.bid_accounts
        ledger.book(buyers, carriers, "goods", bought.usd, book.bids.good, bought.fill_t)
        ledger.settle_trade(
            result.flow_t,
            result.price_usd_per_kg,
            result.netback_usd_per_kg,
            self.cost,
            self.regime.excluded_origin,
            self.refusal_usd_per_kg,
        )
        settlement.pass_rents_to_exporters(self.cohorts, book, result, self.regime, ledger)
        settlement.pass_premium_to_sellers(self.cohorts, book, result, self.clean_lane, ledger)
        self.board.learn(result)
        netback = self.board.netback_usd_per_kg

        ore_usd = sold.trader_usd[of["producer"]] + month.ore_sold_usd
        tax_usd = ore_usd * p.tax_share(self.regime)
        sold_t = sold.trader_t[of["producer"]] + month.ore_sold_t
        sides = ("producer", p.place), ("state", p.place)
        ledger.pay(*sides, "resource_tax", tax_usd, p.good, sold_t)
        p.settle(sold.fill_t[asks["producer"]], month.ore_sold_t, ore_usd - tax_usd)
        m.settle(
            sold.fill_t[asks["processor"]],
            bought.fill_t[bids["processor"]],
            month.offtake_t,
            sold.trader_usd[of["processor"]] + month.offtake_usd,
            bought.trader_usd[of["processor"]] + month.ore_paid_usd,
        )
        settlement.pay_price_floors(m, netback, month.offtake_t, self.regime, ledger)
        settlement.cover_state_losses(p, m, netback, self.regime, ledger)
        b.settle(bought.fill_t[bids["buyer"]])
        self.world.products.settle(b.consumed_t)
        self.spent_usd = bought.trader_usd[of["buyer"]]
        sides = ("economy", b.place), ("buyer", b.place)
        ledger.pay(*sides, "final_demand", self.spent_usd, b.good, b.bought_t)
        self.value_usd = settlement.use_value_usd(b, self.period)
        for policy, spent in self.states.settle(
            sold.fill_t[asks["state"]], bought.fill_t[bids["state"]], bought.usd[bids["state"]]
        ):
            ledger.charge(policy, spent)
        x = self.merchants
        x.settle(sold.fill_t[asks["merchant"]], bought.fill_t[bids["merchant"]])
        outlay_usd = usd(x.bought_t, x.cost_usd_per_kg)
        ledger.pay(("merchant", x.place), ("economy", x.place), "smuggling_cost", outlay_usd)

    def plan(self) -> None:
        """Produce for next month, invest, mothball, restart, close; set the mining quota."""
        p, m, ledger = self.producers, self.processors, self.ledger
        outcome = self.bulletin._replace(**self.board.published())
        self.states.quota_index = p.quota_index(self.period, self.regime, self.states.quota_index)
        before = np.concatenate([p.life.status, m.life.status])
        p.reach(self.world.scrap_returned_t(), self.regime.scrap_reach_added_share)
        self._grant_permits()
        spent = p.plan(self.period, outcome, self.regime, self.states.quota_index, m.life.status)
        ledger.pay(("producer", p.place), ("economy", p.place), "operating_cost", spent.operating)
        ledger.pay(("producer", p.place), ("economy", p.place), "capital_cost", spent.capital)
        own_ore, mined_t = settlement.tied_feed(p, m.rows)
        treated = m.plan(self.period, outcome, self.regime, own_ore, mined_t)
        ledger.pay(
            ("processor", m.place), ("economy", m.place), "operating_cost", treated.operating
        )
        ledger.pay(("processor", m.place), ("economy", m.place), "capital_cost", treated.capital)
        self.world.learn(self.regime)
        p.build_with((before[p.rows :] == Status.PLANNED) & (m.life.status == Status.BUILDING))
        settlement.pay_supports(p, m, spent.operating, m.activity_t, self.regime, ledger)
        self._finance(before, np.concatenate([spent.capital, treated.capital]))
        p.fail_with(m.life.bankrupt & (m.life.idle_months == 0))
        self.buyers.plan(outcome, self.regime)
        self.merchants.plan()
        self.states.plan(self.period, outcome, self.regime, self.bought.market_t)

    def _grant_permits(self) -> None:
        """Cut the lead time of projects whose permits come early, while a rule offers it."""
        p, m, rules = self.producers, self.processors, self.regime
        cut = np.zeros(p.rows + m.rows)
        if rules.lead_time_cut_share.any():
            early = self.world.permit < rules.early_permit_share[self.project_at]
            cut = early * rules.lead_time_cut_share[self.project_at]
        p.life.permit_cut_share, m.life.permit_cut_share = cut[: p.rows], cut[p.rows :]

    def _finance(self, before: np.ndarray, capital_usd: np.ndarray) -> None:
        """Set the time and cost of the projects decided this month, and finance them.

        Parameters
        ----------
        before
            ``[facility]`` status before the month's decisions.
        capital_usd
            ``[facility]`` spent on capital this month.
        """
        p, m, rules = self.producers, self.processors, self.regime
        status = np.concatenate([p.life.status, m.life.status])
        started = (before == Status.PLANNED) & (status == Status.BUILDING)
        if started.any():
            cut = np.concatenate([p.life.permit_cut_share, m.life.permit_cut_share])
            time = (1.0 - cut) * (1.0 + rules.time_added_share[self.project_at])
            time = np.where(started, time, 1.0)
            cost = np.where(started, 1.0 + rules.capital_added_share[self.project_at], 1.0)
            p.life.reschedule(time[: p.rows], cost[: p.rows])
            m.life.reschedule(time[p.rows :], cost[p.rows :])
        if rules.finance or self.commitments:
            earned = np.concatenate([p.cash_usd, m.cash_usd]) - self.cash_usd + capital_usd
            outlay = np.where(before == Status.BUILDING, capital_usd, 0.0)
            settlement.finance_projects(
                self.commitments, p, m, started, outlay, earned, rules, self.ledger
            )

    def record(self) -> None:
        """Write the month into the records."""
        records, month, t = self.records, self.delivered, self.period
        records.write_market(
            t, self.board, self.clearing, self.bought.market_t, self.bought.market_usd,
            month.trades, month.lane_t,
        )  # fmt: skip
        records.quota_scarcity_usd_per_kg.append(self.scarcity_usd_per_kg)
        records.balance_usd[t] = self.ledger.balance_usd
        records.export_tax_share[t] = self.regime.export_tax_share
        self.states.treasury_usd += self.ledger.balance_usd[KIND["state"]].sum(axis=1)
        self.world.write(records, t, self.spent_usd, self.value_usd)
        if self.content.touches:
            bought_t = self.book.bids_by_kind(self.bought.fill_t, ("state", "merchant"))
            contracts = month.lane_t, month.to_states_t
            moves = self.world.moves(records, t, contracts, bought_t)
            self.content.advance(moves, self._untouched_t())
            records.write_content(t, self.content)
        records.external_usd[t] = settlement.external_usd(
            self.producers, ~self.world.collector, self.external_usd_per_kg, self.regime
        )
        records.payments.append(self.ledger.payments())
        self.period += 1
        records.periods = self.period

    # -- what the month reads -----------------------------------------------------------------

    def _bulletin(self) -> Bulletin:
        life = self.processors.life
        stock_ratio, ore_stock_ratio = self.world.stock_ratios(self.ores)
        return Bulletin(
            period=self.period,
            year=self.assumptions.start_year + self.period / MONTHS_PER_YEAR,
            **self.board.published(),
            stock_ratio=stock_ratio,
            ore_stock_ratio=ore_stock_ratio,
            rival_cost_usd_per_kg=self.world.rival_cost_usd_per_kg,
            responsible_cost_usd_per_kg=self.world.responsible_cost_usd_per_kg,
            entry_share=_entry_share(self.rivals, life.status, life.capacity_t),
            moved_t=self.records.moved_t[: self.period],
            reserve_t=self.states.reserve_t,
            touches=self.content.touches,
            content_share=self.content.share,
            military_share=self.military_share,
            catalogue=self.catalogue,
            usual_t=self.usual_t,
        )

    def _trading_accounts(
        self, place: np.ndarray, part: dict[str, slice]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Accounts of the carriers and of the traders behind orders, ``[order]``."""
        traders = [self.ledger.account(kind, place[rows]) for kind, rows in part.items()]
        return self.ledger.account("carrier", place), np.concatenate(traders)

    def _lanes(self) -> tuple[np.ndarray, np.ndarray, Quotas]:
        """Cost and limit of every lane to every demand node, and the quotas over many of them.

        A limit of zero is no lane. A finite one holds for all buyer classes of a place together:
        where several may use the lane it is a quota of one good; where a good has several such
        lanes, each class gets the part of the limit that it bids for (loyal buyers where they are
        tempted), because the search for all their rents takes ten times as long as the clearing.
        Contract deliveries have used up their part. Where military users need permits of their
        own, these are theirs alone, and a limit for all users is shared with them by what is bid
        for.
        """
        r, used_t, apart = self.regime, self.delivered.lane_t, self.apart
        goods, places, _ = used_t.shape
        cost, limit_t, civil_t, military_t, limited = _open_lanes(
            self.cost.total, r.flow_limit_t, r.permitted_t, r.excluded_origin,
            self.refusal_usd_per_kg, apart, self._military_share(),
        )  # fmt: skip
        left_t = []
        for quota in r.export_quotas:
            sent_t = used_t[quota.goods, quota.origin]
            left_t.append(float(quota.quota_t - sent_t.sum() + sent_t[:, quota.origin].sum()))
        self.binding = _tightest(r.export_quotas, left_t)
        origin = [r.export_quotas[i].origin for i in self.binding]
        destination = [-1] * len(origin)
        counted = [r.export_quotas[i].goods for i in self.binding]
        left_t = [left_t[i] for i in self.binding]
        for i in self.binding:
            quota = r.export_quotas[i]
            abroad = np.arange(places) != quota.origin
            ask = self.licence_holders.ask_usd_per_kg(quota)
            cost[np.ix_(quota.goods, [quota.origin], abroad)] += ask
        if len(limited):
            together = self.book.has_bids.copy()
            together[..., MILITARY] &= ~apart
            lane_left_t, several = _limit_lanes(limited, civil_t, used_t, together, cost, limit_t)
            shared, shared_t = limited[several].tolist(), lane_left_t[several].tolist()
            lanes = [good for good, _, _ in shared]
            wanted_t = self.book.bid_t() * together
            for (good, o, d), lane_t in zip(shared, shared_t, strict=True):
                if lanes.count(good) > 1 or apart[good, d]:
                    user_t = wanted_t[good, d].copy()
                    user_t[LOYAL] *= self._tempted(good, o, d)
                    limit_t[good, o, d] = lane_t * limit_share(user_t, wanted_t[good, d] > 0.0)
                    continue
                origin.append(o)
                destination.append(d)
                counted.append(np.arange(goods) == good)
                left_t.append(lane_t)
        if self.any_apart:
            own_t = limit_t[..., MILITARY]
            np.copyto(own_t, military_t, where=apart[:, None])
        self._keep_off(cost, limit_t)
        quotas = no_quotas(goods)
        if origin:
            quotas = Quotas(
                quota_goods=np.array(counted, dtype=bool),
                quota_origin=np.array(origin, dtype=np.int64),
                quota_destination=np.array(destination, dtype=np.int64),
                quota_t=np.maximum(np.array(left_t, dtype=float), 0.0),
            )
        return cost.reshape(goods, places, -1), limit_t.reshape(goods, places, -1), quotas

    def _tempted(self, good: int, origin: int, destination: int) -> bool:
        """Whether loyal buyers took a good of an excluded origin last month, or would have."""
        price = self.bulletin.price_usd_per_kg[good, destination, LOYAL]
        landed = self.bulletin.netback_usd_per_kg[good, origin] + self.refusal_usd_per_kg[LOYAL]
        landed += self.cost.total[good, origin, destination]
        return bool(price >= landed - SAME_PRICE_USD_PER_KG)

    def _with_licences_sold(self, result: Clearing) -> Clearing:
        """The clearing with the rents that holders of licences were paid, ``[quota]``."""
        quotas, bound, given = self.regime.export_quotas, self.binding, result.quota_rent_usd_per_kg
        self.scarcity_usd_per_kg = np.zeros(len(quotas))
        scarcity = given[: len(bound)]
        left_t = self.posted.quotas.quota_t[: len(bound)]
        sold = self.licence_holders.sell(
            [quotas[i] for i in bound], scarcity, left_t, result.flow_t
        )
        if not quotas:
            return result
        self.scarcity_usd_per_kg[bound] = scarcity
        rent = self.scarcity_usd_per_kg.copy()
        rent[bound] = sold
        return result._replace(quota_rent_usd_per_kg=np.append(rent, given[len(bound) :]))

    def _military_share(self) -> np.ndarray:
        """Military part of what is bid for, where end uses are apart, ``[good, place]``."""
        if not self.any_apart:
            return np.zeros(self.apart.shape)
        wanted_t = self.book.bid_t()
        return np.asarray(wanted_t[..., MILITARY] / np.maximum(wanted_t.sum(axis=2), SMALLEST_T))

    def _feed_rules(self, rules: tuple[CleanRule, ...]) -> tuple[CleanRule, ...]:
        """What rules on content mean for plants abroad that make such goods and buy bound.

        Their feeds obey the rule on their products, as far as its stages count and there is
        anything touched on offer. Scrap is taken as it comes: where it was made is forgotten.
        """
        if not rules:
            return ()
        c, follow = self.catalogue, []
        places, scrap = np.arange(len(c.places)), c.of_stage("scrap")
        for rule in rules:
            counts = np.logical_or.accumulate(rule.touch.stages)  # goods follow plants in stage
            touched = (self.content.offered(rule.touch) > 0.0).any(axis=1)
            feeds = self.data.recipes.feeds_of(rule.goods) & counts[c.stage] & touched & ~scrap
            follow.append(rule._replace(goods=feeds, places=places != rule.touch.state))
        return tuple(follow)

    def _clean_demand(self) -> CleanDemand | None:
        """What plants know of bound buyers under the rules on content, from last month's bids."""
        rules = self.clean_rules
        if not rules:
            return None
        price, netback = self.bulletin.price_usd_per_kg, self.bulletin.netback_usd_per_kg
        under = np.any([rule.goods[:, None] & rule.places for rule in rules], axis=0)
        delivered = np.where(under, price[..., BOUND], -np.inf)[:, None, :] - self.cost.total
        feeds = [rule.goods[:, None] & rule.places for rule in self.feed_rules]
        return CleanDemand(
            wanted_t=(self.book.bid_t()[..., BOUND] * under).sum(axis=1),
            premium_usd_per_kg=np.maximum(delivered.max(axis=2) - netback, 0.0),
            matters=np.any(feeds, axis=0),
        )

    def _keep_off(self, cost: np.ndarray, limit_t: np.ndarray) -> None:
        """Limit what bound buyers get of each origin to its share of what is untouched there.

        Where several places have a rule they share what is on offer by what they bid for. An origin
        that offers nothing stays open: what is first sold there can be quoted.

        Parameters
        ----------
        cost, limit_t
            ``[good, origin, destination, buyer class]``, changed in place.
        """
        self.clean_lane = np.zeros(cost.shape if self.clean_rules else (0, 0, 0, 0), bool)
        if not self.clean_rules:
            return
        offered_t, wanted_t = self.book.asked_t(), self.book.bid_t()[:, :, BOUND]
        for rule in self.clean_rules:
            touched = np.where(offered_t > 0.0, self.content.offered(rule.touch), 0.0)
            clean_t = (1.0 - touched) * offered_t
            bid_t = wanted_t * rule.goods[:, None] * rule.places
            part = limit_share(bid_t, bid_t > 0.0)
            _limit_clean(
                rule.goods, rule.places, touched, clean_t, part, cost, limit_t, self.clean_lane
            )

    def _untouched_t(self) -> dict[Touch, np.ndarray]:
        """What was sold this month as untouched, ``[good, origin, destination]`` for each rule."""
        places, classes = len(self.catalogue.places), len(BUYER_CLASSES)
        flow_t = self.clearing.flow_t.reshape(-1, places, places, classes)[..., BOUND]
        sold: dict[Touch, np.ndarray] = {}
        for rule in self.clean_rules:
            under = rule.goods[:, None, None] & rule.places[None, None, :]
            sold[rule.touch] = np.maximum(sold.get(rule.touch, 0.0), flow_t * under)
        return sold


SMALLEST_T = 1e-9  # of a lane: less is no lane
SAME_PRICE_USD_PER_KG = 1e-3  # apart


def limit_share(user_t: np.ndarray, bids: np.ndarray) -> np.ndarray:
    """Share of a limit that each has, by what it would use of it, ``[..., user]``.

    Who does not bid takes nothing from the others and could have all of it: so it is quoted.
    """
    of_use = user_t / np.maximum(user_t.sum(axis=-1, keepdims=True), SMALLEST_T)
    return np.where(bids, of_use, 1.0)


@compiled
def _entry_share(rivals: np.ndarray, status: np.ndarray, capacity_t: np.ndarray) -> float:
    """Capacity that rivals are building over that they operate; ``inf`` where they have none."""
    building_t, operating_t = 0.0, 0.0
    for i in range(len(status)):
        if rivals[i] and status[i] == BUILDING:
            building_t += capacity_t[i]
        if rivals[i] and status[i] == OPERATING:
            operating_t += capacity_t[i]
    return building_t / operating_t if operating_t > 0.0 else np.inf


@compiled
def _open_lanes(
    cost_usd_per_kg: np.ndarray,
    flow_limit_t: np.ndarray,
    permitted_t: np.ndarray,
    excluded_origin: np.ndarray,
    refusal_usd_per_kg: np.ndarray,
    apart: np.ndarray,
    military_share: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Cost of lanes, with no limit yet, and which have one.

    Goods of an excluded origin cost a class what it takes to make up for that: ``inf`` where it
    never takes them. Civil classes have the civil limit of a lane together. Military users have it
    with them, but for where end uses are apart: there each gets its permits, and the part of a
    limit on all that it bids for.

    Returns
    -------
    cost, limit_t
        ``[good, origin, destination, buyer class]``; a cost of inf is no lane.
    civil_t, military_t
        ``[good, origin, destination]`` most that may move.
    limited
        ``[limited lane, 3]`` good, origin and destination, of civil users.
    """
    goods, places, _ = cost_usd_per_kg.shape
    classes, count = len(excluded_origin), 0
    cost = np.empty((goods, places, places, classes))
    limit_t = np.full((goods, places, places, classes), np.inf)
    civil_t, military_t = np.empty(flow_limit_t.shape), np.empty(flow_limit_t.shape)
    limited = np.empty((goods * places * places, 3), np.int64)
    for g in range(goods):
        for o in range(places):
            for d in range(places):
                of_all, share = flow_limit_t[g, o, d], military_share[g, d]
                civil = min(of_all, permitted_t[CIVIL_USE, g, o, d])
                military = civil
                if apart[g, d]:
                    free = np.isinf(of_all)
                    civil = np.inf if free else of_all * (1.0 - share)
                    military = np.inf if free else of_all * share
                    civil = min(civil, permitted_t[CIVIL_USE, g, o, d])
                    military = min(military, permitted_t[MILITARY_USE, g, o, d])
                civil_t[g, o, d], military_t[g, o, d] = civil, military
                if 0.0 < civil < np.inf:
                    limited[count] = g, o, d
                    count += 1
                for c in range(classes):
                    most = military if c == MILITARY else civil
                    refused = refusal_usd_per_kg[c] if excluded_origin[c, g, o, d] else 0.0
                    lane = cost_usd_per_kg[g, o, d] + refused
                    cost[g, o, d, c] = np.inf if most <= 0.0 else lane
    return cost, limit_t, civil_t, military_t, limited[:count].copy()


@compiled
def _limit_lanes(
    limited: np.ndarray,
    civil_t: np.ndarray,
    used_t: np.ndarray,
    has_bids: np.ndarray,
    cost_usd_per_kg: np.ndarray,
    limit_t: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Limit those lanes that one class of buyers uses.

    Returns
    -------
    left_t, several
        ``[limited lane]`` what contracts have left of the limit, and whether several classes may
        use the lane.
    """
    left_t, several = np.empty(len(limited)), np.zeros(len(limited), np.bool_)
    for i in range(len(limited)):
        g, o, d = limited[i]
        left_t[i] = max(civil_t[g, o, d] - used_t[g, o, d], 0.0)
        users = 0
        for c in range(has_bids.shape[2]):
            users += has_bids[g, d, c] and np.isfinite(cost_usd_per_kg[g, o, d, c])
        several[i] = users > 1
        if not several[i]:
            limit_t[g, o, d] = left_t[i]
    return left_t, several


@compiled
def _limit_clean(
    goods: np.ndarray,
    places: np.ndarray,
    touched_share: np.ndarray,
    clean_t: np.ndarray,
    part: np.ndarray,
    cost_usd_per_kg: np.ndarray,
    limit_t: np.ndarray,
    clean_lane: np.ndarray,
) -> None:
    """Limit bound buyers under a rule to their part of what is untouched at each origin.

    Parameters
    ----------
    goods, places
        ``[good]`` and ``[place]`` bool, what the rule is on and where it binds.
    touched_share, clean_t
        ``[good, origin]``.
    part
        ``[good, destination]`` of what is untouched at an origin.
    cost_usd_per_kg, limit_t, clean_lane
        ``[good, origin, destination, buyer class]``, written to; the last marks limited lanes.
    """
    for g in range(len(goods)):
        for o in range(len(places)):
            if not goods[g] or not touched_share[g, o] > 0.0:
                continue
            for d in range(len(places)):
                lane, share_t = (g, o, d, BOUND), clean_t[g, o] * part[g, d]
                if places[d] and share_t < limit_t[lane]:
                    limit_t[lane], clean_lane[lane] = share_t, True
                    if share_t <= SMALLEST_T:
                        cost_usd_per_kg[lane] = np.inf


def _tightest(quotas: tuple[ExportQuota, ...], left_t: list[float]) -> list[int]:
    """Quotas that can bind: of several over the same goods and origin, the one with least left."""
    tightest: dict[tuple[int, bytes], int] = {}
    for i, quota in enumerate(quotas):
        key = (quota.origin, quota.goods.tobytes())
        if left_t[i] < left_t[tightest.setdefault(key, i)]:
            tightest[key] = i
    return sorted(tightest.values())
