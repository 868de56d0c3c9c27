"""From data rows to traders: the cohorts of a run at the start of 2024.

Everything that depends on the scenario but not on policies is built here once per run.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rare_market.agents.buyer import NO_SUBSTITUTE, Buyers, activity_path
from rare_market.agents.lifecycle import (
    BUILDING,
    MOTHBALLED,
    OPERATING,
    PLANNED,
    Lifecycle,
    Luck,
    Status,
)
from rare_market.agents.merchant import Merchants, premium_abroad
from rare_market.agents.processor import Processors
from rare_market.agents.producer import NO_PLANT, Producers, used_share
from rare_market.agents.state import States
from rare_market.agents.trader import normal_stock_t
from rare_market.compiled import compiled
from rare_market.content import Feeding, Moves, Trade
from rare_market.cost import responsible_cost_usd_per_kg
from rare_market.dataset import Data
from rare_market.goods import (
    BOUND,
    BUYER_CLASSES,
    FACILITY_STAGES,
    LOYAL,
    MILITARY_USE,
    MONTHS_PER_YEAR,
    OPEN,
    Catalogue,
    codes,
)
from rare_market.inputs import ANY, END_USES, InputError
from rare_market.learning import Experience
from rare_market.ledger import trade_cost_usd_per_kg
from rare_market.products import PAST_YEARS, Products
from rare_market.records import Records
from rare_market.regime import Regime
from rare_market.scenario import Scenario
from rare_market.shocks import Shocks, draw_shocks

NO_SCRAP = -1
SMALLEST_T = 1e-9  # of use: no share of less is computed
# tables of a month by good and place; the first five make up the balance of elements
DUG, COLLECTED, USED, LOST, STOCK, MADE, FED, SHORTAGE, SPENT, WORTH, IN_USE, THROWN = range(12)
QUOTA_GOOD = "ndpr_oxide"  # the mining quota is set around the NdPr balance


class StartPrices(NamedTuple):
    """Prices of the month before the run.

    Attributes
    ----------
    price_usd_per_kg
        ``[good, place, buyer class]``.
    netback_usd_per_kg
        ``[good, place]``.
    """

    price_usd_per_kg: np.ndarray
    netback_usd_per_kg: np.ndarray


def start_prices(data: Data, scenario: Scenario) -> StartPrices:
    """Parity with China: buyers elsewhere pay its price plus the lane, sellers get it less that.

    Magnets of other origins start at import parity plus the premium that bound buyers accept.
    """
    c, law = data.catalogue, data.law
    china = data.start_price_usd_per_kg
    cost = trade_cost_usd_per_kg(
        law, np.repeat(china[:, None], len(c.places), axis=1), scenario.insurance_share
    ).total
    delivered = china[:, None] + cost[:, c.china, :]
    delivered[:, c.china] = china
    sold = np.maximum(china[:, None] - cost[:, :, c.china], 0.0)
    sold[:, c.china] = china
    magnet = c.of_stage("magnet")
    price = np.repeat(delivered[:, :, None], len(BUYER_CLASSES), axis=2)
    for buyer_class in (BOUND, LOYAL):
        price[magnet, :, buyer_class] += scenario.bound_premium_usd_per_kg
    netback = np.where(magnet[:, None], price[:, :, BOUND], sold)
    netback[:, c.china] = china
    return StartPrices(price, netback)


class World(NamedTuple):
    """The traders of a run and its luck.

    Attributes
    ----------
    producers, processors, buyers, states, merchants
        the cohorts.
    products
        what buyers built that is still in use.
    experience
        what places have learned of each stage.
    facility, facility_place, facility_stage
        names and codes of mines, collectors and plants, in the order producers, processors.
    collector
        ``[producer]`` bool: collects scrap instead of mining.
    start
        prices before the run.
    rival_cost_usd_per_kg
        ``[good]`` full cost of the median supplier outside China, delivered there.
    responsible_cost_usd_per_kg
        ``[part of COST_PARTS, good, place]``.
    composition_reo_t_per_t
        ``[good, element]``.
    permit
        ``[facility]`` draw of each project's permits.
    """

    producers: Producers
    processors: Processors
    buyers: Buyers
    states: States
    merchants: Merchants
    products: Products
    experience: Experience
    facility: np.ndarray
    facility_place: np.ndarray
    facility_stage: np.ndarray
    collector: np.ndarray
    start: StartPrices
    rival_cost_usd_per_kg: np.ndarray
    responsible_cost_usd_per_kg: np.ndarray
    composition_reo_t_per_t: np.ndarray
    permit: np.ndarray

    def stock_ratios(self, ores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Stock of sellers over what is normal, ``[good, place]``, and of all ore, ``[place]``.

        1 where there is no target. ``ores`` is ``[good]`` bool.
        """
        p, m = self.producers, self.processors
        ratio, ore_ratio = self._empty(), np.empty(self.states.rows)
        _stock_ratios(
            p.good, p.place, p.inventory_t, p.sales_t, p.cover_months,
            m.product.good, m.product.place, m.product_stock_t, m.sales_t, m.product_cover_months,
            ores, ratio, ore_ratio,
        )  # fmt: skip
        return ratio, ore_ratio

    def stock_t(self) -> np.ndarray:
        """Tonnes held by anyone, ``[good, place]``."""
        p, m, b, x = self.producers, self.processors, self.buyers, self.merchants
        held_t = self._empty()
        _add(held_t, p.good, p.place, p.inventory_t)
        _add(held_t, m.feed.good, m.feed.place, m.feed_stock_t)
        _add(held_t, m.product.good, m.product.place, m.product_stock_t)
        _add(held_t, b.good, b.place, b.inventory_t)
        _add(held_t, x.good, x.sells_at, x.inventory_t)
        return held_t + self.states.stockpile_t.T

    def write(
        self,
        records: Records,
        period: int,
        spent_usd: np.ndarray,
        worth_usd: np.ndarray,
    ) -> None:
        """Write what the traders made, used, hold and have standing into the records.

        Parameters
        ----------
        records, period
            where to, and the month of the run.
        spent_usd, worth_usd
            ``[buyer]`` paid this month, and what they would have paid at most.
        """
        p, m, t = self.producers, self.processors, period
        _write_facilities(
            p.life.status, p.life.capacity_t, p.output_t, p.cash_usd, p.life.blocked,
            m.life.status, m.life.capacity_t, m.activity_t, m.cash_usd, m.life.blocked,
            p.plant, p.quota_bound, self.states.quota_index, self.collector,
            self.facility_stage, self.facility_place,
            records.capacity_t[t], records.operating_t[t], records.building_t[t],
            records.output_t[t], records.cash_usd[t],
            records.facility_status[t], records.facility_output_t[t], records.facility_blocked[t],
        )  # fmt: skip
        tables = self._tables(spent_usd, worth_usd)
        tables[LOST] += tables[FED] - tables[MADE]
        records.mass[t] = (tables[: STOCK + 1].sum(axis=2) @ self.composition_reo_t_per_t).T
        records.made_t[t] = tables[DUG] + tables[COLLECTED] + tables[MADE]
        for table, column in (
            (USED, records.used_t),
            (SHORTAGE, records.shortage_t),
            (SPENT, records.final_spend_usd),
            (WORTH, records.use_value_usd),
            (STOCK, records.stock_t),
            (IN_USE, records.in_use_t),
            (THROWN, records.thrown_away_t),
        ):
            column[t] = tables[table]

    def _tables(self, spent_usd: np.ndarray, worth_usd: np.ndarray) -> np.ndarray:
        """Sums of the month, ``[table, good, place]``."""
        p, m, b, x = self.producers, self.processors, self.buyers, self.merchants
        feed, made, n = m.feed, m.product, self.products
        tables = np.zeros((THROWN + 1, *self.states.stockpile_t.shape[::-1]))
        _add_up(
            tables, self.collector, p.good, p.place, p.output_t, p.inventory_t,
            feed.row, feed.good, feed.place, feed.coefficient, m.activity_t, m.feed_stock_t,
            made.good, made.place, m.made_t, m.product_stock_t,
            b.good, b.place, b.consumed_t, b.shortage_t, b.inventory_t, spent_usd, worth_usd,
            x.good, x.place, x.sells_at, x.lost_t, x.inventory_t, self.states.stockpile_t,
            n.good, n.place, n.in_use_t, n.returned_t,
        )  # fmt: skip
        return tables

    def scrap_returned_t(self) -> np.ndarray:
        """Scrap in the products thrown away this month, ``[good, place]``."""
        return self.products.scrap_t(*self.states.stockpile_t.shape[::-1])

    def learn(self, regime: Regime) -> None:
        """Let plants learn from the month's output, their own and what they hear of others'."""
        m = self.processors
        self.experience.gain(made_by_stage_t(m, self.states.rows), regime.spillover_factor)
        m.learn(self.experience.factor())

    def military_share(self) -> np.ndarray:
        """Military part of what open users of a place use before the run, ``[good, place]``."""
        b, feed = self.buyers, self.processors.feed
        used_t = self.by_good(b.good, b.place, b.demand_t * (b.buyer_class == OPEN))
        fed_t = feed.coefficient * self.processors.activity_t[feed.row]
        used_t += self.by_good(feed.good, feed.place, fed_t)
        military_t = self.by_good(b.good, b.place, b.demand_t * b.military)
        return military_t / np.maximum(used_t, SMALLEST_T)

    def heaps_t(self) -> np.ndarray:
        """Tonnes for sale and in use, ``[heap, good, place]``."""
        b, m = self.buyers, self.processors
        used_t = self.by_good(
            np.concatenate([m.feed.good, b.good]),
            np.concatenate([m.feed.place, b.place]),
            np.concatenate([m.feed_stock_t, b.inventory_t]),
        )
        return np.stack([self.stock_t() - used_t, used_t])

    def moves(
        self,
        records: Records,
        period: int,
        contracts: tuple[np.ndarray, np.ndarray],
        resold_t: np.ndarray,
    ) -> Moves:
        """What happened to the heaps of goods in a month that is in the records.

        Parameters
        ----------
        records, period
            hold the month.
        contracts
            ``[good, origin, destination]`` delivered before the market, and ``[good, place]`` the
            part of it that states got.
        resold_t
            ``[good, place]`` what states and merchants bought on the market.
        """
        p, m, x = self.producers, self.processors, self.merchants
        flow_t = records.flow_t[period]
        none = np.zeros_like(flow_t)
        carried_t = np.zeros_like(flow_t)
        smuggler = ~x.stores
        route = x.good[smuggler], x.place[smuggler], x.sells_at[smuggler]
        np.add.at(carried_t, route, (x.bought_t - x.lost_t)[smuggler])
        return Moves(
            contracts=Trade(contracts[0], none, contracts[1]),
            market=Trade(flow_t, none, resold_t),
            carried_t=carried_t,
            lost_t=self.by_good(x.good, x.place, x.lost_t),
            used_t=records.used_t[period],
            dug_t=self.by_good(p.good, p.place, p.output_t),
            feeding=Feeding(
                feed_plant=m.feed.row,
                feed_good=m.feed.good,
                feed_t=m.feed.coefficient * m.activity_t[m.feed.row],
                made_plant=m.product.row,
                made_good=m.product.good,
                made_t=m.made_t,
                place=m.place,
                stage=m.stage,
            ),
        )

    def by_good(self, good: np.ndarray, place: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Sum of values by good and place, ``[good, place]``."""
        total = self._empty()
        _add(total, good, place, values)
        return total

    def _empty(self) -> np.ndarray:
        return np.zeros(self.states.stockpile_t.shape[::-1])


@compiled
def _add(total: np.ndarray, row: np.ndarray, column: np.ndarray, values: np.ndarray) -> None:
    """Add each value to its cell of a table."""
    for i in range(len(values)):
        total[row[i], column[i]] += values[i]


@compiled
def _add_up(
    tables: np.ndarray,
    collector: np.ndarray,
    mine_good: np.ndarray,
    mine_place: np.ndarray,
    output_t: np.ndarray,
    mine_stock_t: np.ndarray,
    feed_row: np.ndarray,
    feed_good: np.ndarray,
    feed_place: np.ndarray,
    coefficient: np.ndarray,
    activity_t: np.ndarray,
    feed_stock_t: np.ndarray,
    made_good: np.ndarray,
    made_place: np.ndarray,
    made_t: np.ndarray,
    product_stock_t: np.ndarray,
    buyer_good: np.ndarray,
    buyer_place: np.ndarray,
    consumed_t: np.ndarray,
    shortage_t: np.ndarray,
    buyer_stock_t: np.ndarray,
    spent_usd: np.ndarray,
    worth_usd: np.ndarray,
    merchant_good: np.ndarray,
    merchant_place: np.ndarray,
    sells_at: np.ndarray,
    lost_t: np.ndarray,
    merchant_stock_t: np.ndarray,
    stockpile_t: np.ndarray,
    used_good: np.ndarray,
    used_place: np.ndarray,
    in_use_t: np.ndarray,
    returned_t: np.ndarray,
) -> None:
    """See :meth:`World._tables`; added to the first."""
    for i in range(len(output_t)):
        table = COLLECTED if collector[i] else DUG
        tables[table, mine_good[i], mine_place[i]] += output_t[i]
    _add(tables[STOCK], mine_good, mine_place, mine_stock_t)
    for i in range(len(feed_row)):
        here = (feed_good[i], feed_place[i])
        tables[FED][here] += coefficient[i] * activity_t[feed_row[i]]
        tables[STOCK][here] += feed_stock_t[i]
    _add(tables[MADE], made_good, made_place, made_t)
    _add(tables[STOCK], made_good, made_place, product_stock_t)
    for i in range(len(consumed_t)):
        here = (buyer_good[i], buyer_place[i])
        tables[USED][here] += consumed_t[i]
        tables[SHORTAGE][here] += shortage_t[i]
        tables[STOCK][here] += buyer_stock_t[i]
        tables[SPENT][here] += spent_usd[i]
        tables[WORTH][here] += worth_usd[i]
    _add(tables[LOST], merchant_good, merchant_place, lost_t)
    _add(tables[STOCK], merchant_good, sells_at, merchant_stock_t)
    tables[STOCK] += stockpile_t.T
    for i in range(len(returned_t)):
        here = (used_good[i], used_place[i])
        tables[IN_USE][here] += in_use_t[:, i].sum()
        tables[THROWN][here] += returned_t[i]


@compiled
def _stock_ratios(
    mine_good: np.ndarray,
    mine_place: np.ndarray,
    mine_stock_t: np.ndarray,
    mine_sales_t: np.ndarray,
    mine_cover_months: np.ndarray,
    good: np.ndarray,
    place: np.ndarray,
    stock_t: np.ndarray,
    sales_t: np.ndarray,
    cover_months: np.ndarray,
    ores: np.ndarray,
    ratio: np.ndarray,
    ore_ratio: np.ndarray,
) -> None:
    """See :meth:`World.stock_ratios`; written to the last two."""
    goods, places = ratio.shape
    held_t, target_t = np.zeros((goods, places)), np.zeros((goods, places))
    _add(held_t, mine_good, mine_place, mine_stock_t)
    _add(held_t, good, place, stock_t)
    _add(target_t, mine_good, mine_place, normal_stock_t(mine_sales_t, mine_cover_months))
    _add(target_t, good, place, normal_stock_t(sales_t, cover_months))
    ratio[:], ore_ratio[:] = 1.0, 1.0
    for p in range(places):
        ore_t, ore_target_t = 0.0, 0.0
        for g in range(goods):
            if target_t[g, p] > 0.0:
                ratio[g, p] = held_t[g, p] / target_t[g, p]
            if ores[g]:
                ore_t += held_t[g, p]
                ore_target_t += target_t[g, p]
        if ore_target_t > 0.0:
            ore_ratio[p] = ore_t / ore_target_t


@compiled
def _write_facilities(
    mine_status: np.ndarray,
    mine_capacity_t: np.ndarray,
    mine_output_t: np.ndarray,
    mine_cash_usd: np.ndarray,
    mine_blocked: np.ndarray,
    plant_status: np.ndarray,
    plant_capacity_t: np.ndarray,
    plant_output_t: np.ndarray,
    plant_cash_usd: np.ndarray,
    plant_blocked: np.ndarray,
    plant: np.ndarray,
    quota_bound: np.ndarray,
    quota_index: np.ndarray,
    collector: np.ndarray,
    stage: np.ndarray,
    place: np.ndarray,
    standing_t: np.ndarray,
    operating_t: np.ndarray,
    building_t: np.ndarray,
    output_t: np.ndarray,
    cash_usd: np.ndarray,
    status_column: np.ndarray,
    output_column: np.ndarray,
    blocked_column: np.ndarray,
) -> None:
    """Write capacity standing, operating and in building, output and cash, ``[stage, place]``.

    Of collectors cash alone counts. Columns, ``[facility]``, are written too: a mine tied to a
    planned plant is decided with it, and blocked by what blocks that.
    """
    mines = len(mine_status)
    for table in (standing_t, operating_t, building_t, output_t, cash_usd):
        table[:] = 0.0
    for i in range(len(stage)):
        if i < mines:
            status, made_t, cash = mine_status[i], mine_output_t[i], mine_cash_usd[i]
            quota = quota_index[place[i]] if quota_bound[i] else 1.0
            capacity_t, blocked = mine_capacity_t[i] * quota, mine_blocked[i]
            if blocked > 0 and plant[i] != NO_PLANT and plant_blocked[plant[i]] > 0:
                blocked = plant_blocked[plant[i]]
        else:
            k = i - mines
            status, made_t, cash = plant_status[k], plant_output_t[k], plant_cash_usd[k]
            capacity_t, blocked = plant_capacity_t[k], plant_blocked[k]
        status_column[i], output_column[i] = status, made_t
        blocked_column[i] = blocked if status == PLANNED else 0
        here = (stage[i], place[i])
        cash_usd[here] += cash
        if i < mines and collector[i]:
            continue
        if status in (OPERATING, MOTHBALLED):
            standing_t[here] += capacity_t
        if status == OPERATING:
            operating_t[here] += capacity_t
        if status == BUILDING:
            building_t[here] += capacity_t
        output_t[here] += made_t


def build_world(data: Data, scenario: Scenario) -> World:
    """Build the traders of a run from the data tables."""
    t, c = data.tables, data.catalogue
    mine = t.facilities["stage"] == "mine"
    rows = {**t.facilities, "end_of_life_share": np.zeros(len(mine))}
    collectors = _collector_rows(data)
    names = np.concatenate(
        [rows["facility"][mine], collectors["facility"], rows["facility"][~mine]]
    )
    buyers = _buyer_rows(data)
    shocks = draw_shocks(scenario, t.sectors["sector"], names, buyers["name"])
    mines = int(mine.sum()) + len(collectors["facility"])
    start = start_prices(data, scenario)

    mine_rows = {key: np.concatenate([rows[key][mine], collectors[key]]) for key in collectors}
    plant_rows = {key: rows[key][~mine] for key in collectors}
    plant_names = plant_rows["facility"].tolist()
    products = _products(data, scenario, buyers)
    producers = _producers(data, scenario, shocks, mine_rows, plant_names, products)
    processors = _processors(data, scenario, shocks, plant_rows, mines)
    collector = np.arange(mines) >= int(mine.sum())
    bought = _buyers(data, scenario, shocks, buyers, start)
    return World(
        producers=producers,
        processors=processors,
        buyers=bought,
        states=States(
            names=c.places,
            stockpile_t=_state_stock_t(data, bought, processors),
            quota_good=c.good(QUOTA_GOOD),
            quota_place=c.china,
            scenario=scenario,
        ),
        merchants=_merchants(data, scenario, processors, bought, start),
        products=products,
        experience=Experience(made_by_stage_t(processors, len(c.places)), scenario),
        facility=names,
        facility_place=np.concatenate([producers.place, processors.place]),
        facility_stage=np.concatenate(
            [np.where(collector, FACILITY_STAGES.index("recycling"), 0), processors.stage]
        ),
        collector=collector,
        start=start,
        rival_cost_usd_per_kg=rival_cost_usd_per_kg(data, start, producers, processors),
        responsible_cost_usd_per_kg=responsible_cost_usd_per_kg(
            c,
            producers,
            processors,
            data.external_usd_per_kg.sum(axis=0),
            data.start_price_usd_per_kg,
            scenario,
        ),
        composition_reo_t_per_t=c.composition_reo_t_per_t,
        permit=shocks.permit,
    )


def _collector_rows(data: Data) -> dict[str, np.ndarray]:
    """Collectors of end-of-life scrap in the shape of facility rows."""
    rows = data.tables.scrap_collection
    n = len(rows["place"])
    name = [f"collect_{g}_{p.lower()}" for g, p in zip(rows["good"], rows["place"], strict=True)]
    tonnes = rows["collection_t_per_year"]
    return {
        "facility": np.array(name),
        "place": rows["place"],
        "process_or_good": rows["good"],
        "stage": np.full(n, "recycling"),
        "capacity_t_per_year": tonnes,
        "output_t_per_year": tonnes,
        "status": np.full(n, "operating"),
        "start_year": np.full(n, 2000.0),
        "lead_time_years": np.full(n, 1.0),
        "capex_usd": np.zeros(n),
        "cash_cost_usd_per_kg": rows["cash_cost_usd_per_kg"],
        "end_of_life_share": rows["end_of_life_share"],
        "ownership": np.full(n, "private"),
        "feeds": np.full(n, ""),
    }


def _cover_months(
    data: Data, holder: str, kind: str, place: np.ndarray, good: np.ndarray
) -> np.ndarray:
    """Months of cover of each holding; a row for the place, then one for the good, overrides.

    Parameters
    ----------
    holder
        as in the table ``stocks``.
    kind
        ``feed`` or ``product``.
    place, good
        ``[holding]`` codes.
    """
    c, rows = data.catalogue, data.tables.stocks
    months = np.zeros(len(place))
    general = [kind, "any"]
    order = sorted(
        range(rows.rows), key=lambda i: (rows["item"][i] not in general, rows["place"][i] != "any")
    )
    for i in order:
        item, where = str(rows["item"][i]), str(rows["place"][i])
        if rows["holder"][i] != holder or (item not in general and item not in c.goods):
            continue
        applies = np.ones(len(place), dtype=bool)
        if where != "any":
            applies &= place == c.place(where)
        if item in c.goods:
            applies &= good == c.good(item)
        months[applies] = rows["cover_months"][i]
    return months


def _state_stock_t(data: Data, buyers: Buyers, processors: Processors) -> np.ndarray:
    """What states hold before the run: months of the use at their places, ``[place, good]``."""
    c, feed = data.catalogue, processors.feed
    use_t = np.zeros((len(c.places), len(c.goods)))
    np.add.at(use_t, (buyers.place, buyers.good), buyers.demand_t)
    fed_t = feed.coefficient * processors.activity_t[feed.row]
    np.add.at(use_t, (feed.place, feed.good), fed_t)
    place, good = np.indices(use_t.shape)
    months = _cover_months(data, "state", ANY, place.ravel(), good.ravel())
    return use_t * months.reshape(use_t.shape)


def _life(
    data: Data, scenario: Scenario, shocks: Shocks, rows: dict[str, np.ndarray], first: int
) -> Lifecycle:
    part = slice(first, first + len(rows["facility"]))
    luck = Luck(shocks.overrun_share[part], shocks.delay_months[part], shocks.outage[:, part])
    china = data.catalogue.places[data.catalogue.china]
    return Lifecycle({**rows, "in_china": rows["place"] == china}, luck, scenario)


def _producers(
    data: Data,
    scenario: Scenario,
    shocks: Shocks,
    rows: dict[str, np.ndarray],
    plant_names: list[str],
    products: Products,
) -> Producers:
    c = data.catalogue
    place, good = codes(c.places, rows["place"]), codes(c.goods, rows["process_or_good"])
    law = data.tables.policies_in_force
    moving = {
        str(law["scope"][i])
        for i in range(len(law["kind"]))
        if law["kind"][i] == "production_quota"
    }
    n = len(place)
    cost = rows["cash_cost_usd_per_kg"] * shocks.cost_factor[:n]
    life = _life(data, scenario, shocks, rows, 0)
    collected_share = _collected_share(data, rows, products)
    # what informal miners could dig is not known: their first output is what their first price
    # brings
    willing = used_share(data.start_price_usd_per_kg[good], cost, scenario.mine_cost_spread_share)
    output_t = rows["output_t_per_year"] / MONTHS_PER_YEAR
    life.capacity_t = np.where(
        life.informal & (output_t > 0), output_t / np.maximum(willing, 0.1), life.capacity_t
    )
    return Producers(
        names=tuple(rows["facility"].tolist()),
        place=place,
        good=good,
        cost_usd_per_kg=cost,
        output_t=output_t,
        cover_months=_cover_months(data, "mine", "product", place, good),
        plant=np.array([plant_names.index(f) if f else NO_PLANT for f in rows["feeds"].tolist()]),
        quota_bound=(rows["ownership"] == "state")
        & (place == c.china)
        & np.isin(rows["process_or_good"], list(moving)),
        collected_share=collected_share,
        other_scrap_t=life.capacity_t * (1.0 - rows["end_of_life_share"]),
        extrapolation_share=shocks.extrapolation_share[:n],
        life=life,
        scenario=scenario,
    )


def _collected_share(data: Data, rows: dict[str, np.ndarray], products: Products) -> np.ndarray:
    """Part of the scrap of products thrown away at the start that collectors take, ``[producer]``.

    Raises
    ------
    rare_market.inputs.InputError
        for a collector of more than there is.
    """
    c = data.catalogue
    place, good = codes(c.places, rows["place"]), codes(c.goods, rows["process_or_good"])
    returned_t = products.scrap_t(len(c.goods), len(c.places))[good, place] * MONTHS_PER_YEAR
    collected_t = rows["capacity_t_per_year"] * rows["end_of_life_share"]
    for i in np.nonzero(collected_t > returned_t)[0]:
        raise InputError(
            f"scrap_collection.csv, row {rows['place'][i]}, {rows['process_or_good'][i]}: "
            f"collection_t_per_year x end_of_life_share = {collected_t[i]:.4g} t is more than the "
            f"{returned_t[i]:.4g} t in products thrown away there in a year."
        )
    return np.asarray(collected_t / np.maximum(returned_t, 1e-9))


def made_by_stage_t(processors: Processors, places: int) -> np.ndarray:
    """Activity of the plants of each stage at each place this month, ``[stage, place]``."""
    made_t = np.zeros((len(FACILITY_STAGES), places))
    _add(made_t, processors.stage, processors.place, processors.activity_t)
    return made_t


def _processors(
    data: Data,
    scenario: Scenario,
    shocks: Shocks,
    rows: dict[str, np.ndarray],
    first: int,
) -> Processors:
    c, recipes = data.catalogue, data.recipes
    process, place = codes(recipes.names, rows["process_or_good"]), codes(c.places, rows["place"])
    stage = recipes.stage[process]
    n, goods = len(place), len(c.goods)

    def months(kind: str) -> np.ndarray:
        """Cover of every plant and good, ``[plant, good]``."""
        cover = np.zeros((n, goods))
        for code in np.unique(stage):
            rows = stage == code
            where = np.repeat(place[rows], goods)
            what = np.tile(np.arange(goods), int(rows.sum()))
            held = _cover_months(data, FACILITY_STAGES[code], kind, where, what)
            cover[rows] = held.reshape(-1, goods)
        return cover

    joint = stage == FACILITY_STAGES.index("separation")
    return Processors(
        names=tuple(rows["facility"].tolist()),
        place=place,
        stage=stage,
        input_t=recipes.input_t[process],
        output_t=recipes.output_t[process],
        by_product=c.of_stage("scrap"),
        cost_usd_per_kg=rows["cash_cost_usd_per_kg"] * shocks.cost_factor[first : first + n],
        finishing_share=np.where(joint, scenario.finishing_cost_share, 0.0),
        activity_t=rows["output_t_per_year"] / MONTHS_PER_YEAR,
        feed_cover_months=months("feed"),
        product_cover_months=months("product"),
        extrapolation_share=shocks.extrapolation_share[first : first + n],
        life=_life(data, scenario, shocks, rows, first),
        scenario=scenario,
    )


def _buyer_rows(data: Data) -> dict[str, np.ndarray]:
    """Buyers by sector, place, good and class: demand rows split where some refuse an origin.

    Military users who do are bound, others loyal. Where a good has a substitute, the sector also
    has a row for it there, if only of nothing.
    """
    c, rows, bound = data.catalogue, data.tables.demand, data.tables.origin_bound
    share = {
        (p, g): s
        for p, g, s in zip(bound["place"], bound["good"], bound["bound_share"], strict=True)
    }
    instead = dict(
        zip(
            data.tables.substitutes["good"].tolist(),
            data.tables.substitutes["substitute"].tolist(),
            strict=True,
        )
    )
    sectors = data.tables.sectors
    military = set(sectors["sector"][sectors["end_use"] == END_USES[MILITARY_USE]].tolist())
    tonnes: dict[tuple[str, str, str, int], float] = {}
    for sector, place, good, demand_t in zip(
        rows["sector"].tolist(),
        rows["place"].tolist(),
        rows["good"].tolist(),
        rows["demand_t_per_year"].tolist(),
        strict=True,
    ):
        part = share.get((place, good), 0.0)
        refusing = BOUND if sector in military else LOYAL
        for buyer_class, weight in ((OPEN, 1.0 - part), (refusing, part)):
            if weight > 0.0:
                tonnes[sector, place, good, buyer_class] = demand_t * weight / MONTHS_PER_YEAR
                if good in instead:
                    tonnes.setdefault((sector, place, instead[good], buyer_class), 0.0)
    keys = list(tonnes)
    row = {key: i for i, key in enumerate(keys)}
    substitute = [
        row[s, p, instead[g], k] if g in instead else NO_SUBSTITUTE for s, p, g, k in keys
    ]
    return {
        "name": np.array([f"{s}_{p}_{g}_{BUYER_CLASSES[k]}".lower() for s, p, g, k in keys]),
        "sector": np.array([s for s, _, _, _ in keys]),
        "place": np.array([c.place(p) for _, p, _, _ in keys]),
        "good": np.array([c.good(g) for _, _, g, _ in keys]),
        "class": np.array([k for _, _, _, k in keys]),
        "t": np.array(list(tonnes.values())),
        "substitute": np.array(substitute, dtype=np.int64),
    }


def _buyers(
    data: Data, scenario: Scenario, shocks: Shocks, rows: dict[str, np.ndarray], start: StartPrices
) -> Buyers:
    sectors = data.tables.sectors
    sector = codes(tuple(sectors["sector"].tolist()), rows["sector"])
    years = scenario.start_year + np.arange(scenario.periods) / MONTHS_PER_YEAR
    growth = _activity(
        data, rows["sector"], rows["place"], years, scenario.demand_growth_multiplier
    )
    return Buyers(
        names=tuple(rows["name"].tolist()),
        place=rows["place"],
        good=rows["good"],
        buyer_class=rows["class"],
        military=(sectors["end_use"][sector] == END_USES[MILITARY_USE]) & (rows["class"] == OPEN),
        demand_t=rows["t"],
        demand_index=growth * shocks.demand[:, sector],
        elasticity=sectors["short_run_elasticity"][sector],
        cover_months=sectors["target_cover_months"][sector],
        first_price_usd_per_kg=start.price_usd_per_kg[rows["good"], rows["place"], rows["class"]],
        cost_share=sectors["rare_earth_cost_share"][sector],
        substitute=rows["substitute"],
        extrapolation_share=shocks.buyer_extrapolation_share,
        scenario=scenario,
    )


def _first_imports_t(c: Catalogue, processors: Processors, buyers: Buyers) -> np.ndarray:
    """Tonnes of each element a month, ``[element]``, that China sent abroad as oxide or metal.

    What users and plants outside need in the first month less what plants there make, in t REO.
    """
    raw = c.of_stage("oxide") | c.of_stage("metal")
    reo_t_per_t = np.where(raw[:, None], c.composition_reo_t_per_t, 0.0)
    feed, made, activity_t = processors.feed, processors.product, processors.activity_t
    needed_t = np.zeros(len(c.elements))
    for good, place, quantity_t in (
        (buyers.good, buyers.place, buyers.demand_t),
        (feed.good, feed.place, feed.coefficient * activity_t[feed.row]),
        (made.good, made.place, -made.coefficient * activity_t[made.row]),
    ):
        abroad = place != c.china
        needed_t += quantity_t[abroad] @ reo_t_per_t[good[abroad]]
    return np.maximum(needed_t, 0.0)


def _merchants(
    data: Data, scenario: Scenario, processors: Processors, buyers: Buyers, start: StartPrices
) -> Merchants:
    """A speculator in China for each oxide, and the smugglers of the table."""
    c, routes = data.catalogue, data.tables.smuggling
    oxide = np.nonzero(c.of_stage("oxide"))[0]
    leg = processors.product
    at_home = leg.place == c.china
    made_t = np.bincount(
        leg.good[at_home],
        (leg.coefficient * processors.activity_t[leg.row])[at_home],
        minlength=len(c.goods),
    )
    n = len(oxide)
    names = [f"store_{c.goods[g]}" for g in oxide] + [
        f"smuggle_{g}_{through.lower()}"
        for g, through in zip(routes["good"].tolist(), routes["through"].tolist(), strict=True)
    ]
    good = np.concatenate([oxide, codes(c.goods, routes["good"])])
    place = np.concatenate([np.full(n, c.china), codes(c.places, routes["place"])])
    return Merchants(
        names=tuple(names),
        good=good,
        place=place,
        usual_premium=premium_abroad(start.price_usd_per_kg, good, place, c.allied),
        sells_at=np.concatenate([np.full(n, c.china), codes(c.places, routes["through"])]),
        room_t=np.concatenate(
            [
                scenario.speculation_months * made_t[oxide],
                routes["smuggled_t_per_year"] / MONTHS_PER_YEAR,
            ]
        ),
        most_t=scenario.smuggling_most_share
        * (c.composition_reo_t_per_t @ _first_imports_t(c, processors, buyers))[good],
        cost_usd_per_kg=np.concatenate([np.zeros(n), routes["cost_usd_per_kg"]]),
        risk_share=np.concatenate([np.zeros(n), routes["risk_share"]]),
        scenario=scenario,
    )


def _products(data: Data, scenario: Scenario, rows: dict[str, np.ndarray]) -> Products:
    """Magnets in products that scrap is collected of, from the sales of the years before."""
    c, recipes, sectors = data.catalogue, data.recipes, data.tables.sectors
    is_scrap = c.of_stage("scrap")
    made, beside = np.nonzero(recipes.output_t * is_scrap)
    scrap_of = np.full(len(c.goods), NO_SCRAP)
    for process, scrap in zip(made, beside, strict=True):
        scrap_of[(recipes.output_t[process] > 0.0) & ~is_scrap] = scrap
    sector = codes(tuple(sectors["sector"].tolist()), rows["sector"])
    lifetime_years = sectors["lifetime_years"][sector]
    kept = (scrap_of[rows["good"]] != NO_SCRAP) & (lifetime_years > 0.0)
    buyer = np.nonzero(kept)[0]
    good, place = rows["good"][buyer], rows["place"][buyer]
    months = np.arange(-PAST_YEARS * MONTHS_PER_YEAR, 0)
    content = c.composition_reo_t_per_t.sum(axis=1)
    return Products(
        buyer=buyer,
        good=good,
        place=place,
        lifetime_years=lifetime_years[buyer],
        scrap=scrap_of[good],
        scrap_t_per_t=content[good] / content[scrap_of[good]],
        past_t=rows["t"][buyer]
        * _activity(
            data,
            rows["sector"][buyer],
            place,
            scenario.start_year + months / MONTHS_PER_YEAR,
            first_year=scenario.start_year,
        ),
    )


def _activity(
    data: Data,
    sector: np.ndarray,
    place: np.ndarray,
    years: np.ndarray,
    multiplier: float = 1.0,
    first_year: float | None = None,
) -> np.ndarray:
    """Activity of each buyer's sector at its place, ``[period, buyer]``; place rows go first.

    Parameters
    ----------
    years
        ``[period]`` calendar year at the start of each month.
    multiplier
        of growth.
    first_year
        the year in whose middle it is 1; by default that of the first period.
    """
    rows = data.tables.activity
    first = years[0] if first_year is None else first_year
    paths: dict[tuple[str, str], np.ndarray] = {}
    for key in dict.fromkeys(zip(rows["sector"].tolist(), rows["place"].tolist(), strict=True)):
        of = (rows["sector"] == key[0]) & (rows["place"] == key[1])
        order = np.argsort(rows["activity_year"][of])
        path = activity_path(
            years, first, rows["activity_year"][of][order], rows["activity_index"][of][order]
        )
        paths[key] = path**multiplier
    names = np.array(data.catalogue.places)[place].tolist()
    keys = list(zip(sector.tolist(), names, strict=True))
    for s, p in keys:
        if (s, p) not in paths and (s, ANY) not in paths:
            raise InputError(
                f"activity.csv: sector {s!r} has demand in {p} but no row for {p} or {ANY}; one "
                "row with activity_index = 1 keeps it constant."
            )
    columns = [paths[s, p if (s, p) in paths else ANY] for s, p in keys]
    return np.array(columns).reshape(len(keys), len(years)).T


def rival_cost_usd_per_kg(
    data: Data, start: StartPrices, producers: Producers, processors: Processors
) -> np.ndarray:
    r"""Full cost of the median supplier outside China, by good, delivered price basis.

    A separator's full cost per kg of feed is that of its ore (its own mine's, or the mean of mines
    outside China of that class) plus conversion, finishing and both capital charges. It is shared
    over joint products by value: :math:`C_g = P_g\,\frac{\text{full cost}}{\sum_h b_h P_h}`, with
    first-year prices outside China. The capacity-weighted median over plants is returned.

    Returns
    -------
    np.ndarray
        ``[good]``, NaN for goods nobody outside China separates.
    """
    c, life = data.catalogue, processors.life
    abroad_price = start.price_usd_per_kg[:, c.allied, OPEN].mean(axis=1)
    mine_cost = producers.cost_usd_per_kg + producers.life.capital_charge_usd_per_kg
    mine_weight = producers.life.capacity_t * (producers.place != c.china)
    ore_cost = np.bincount(producers.good, mine_cost * mine_weight, minlength=len(c.goods))
    weight = np.bincount(producers.good, mine_weight, minlength=len(c.goods))
    ore_cost = np.divide(ore_cost, weight, out=np.full(len(c.goods), np.inf), where=weight > 0)

    feed, product = processors.feed, processors.product
    feed_cost = feed.total(
        feed.coefficient * np.where(np.isfinite(ore_cost[feed.good]), ore_cost[feed.good], 1e9)
    )
    for row, plant in enumerate(producers.plant):
        if plant != NO_PLANT:
            feed_cost[plant] = mine_cost[row]
    value = product.total(product.coefficient * abroad_price[product.good])
    finishing = product.total(product.coefficient * processors.finishing_usd_per_kg[product.row])
    full = feed_cost + processors.conversion_usd_per_kg + finishing + life.capital_charge_usd_per_kg
    ratio = full / value
    rival = (
        (processors.stage == FACILITY_STAGES.index("separation"))
        & (processors.place != c.china)
        & (life.status != Status.CLOSED)
        & (feed_cost < 1e8)
    )
    cost = np.full(len(c.goods), np.nan)
    for good in np.unique(product.good[rival[product.row]]):
        legs = (product.good == good) & rival[product.row]
        order = np.argsort(ratio[product.row[legs]], kind="stable")
        made = (life.capacity_t[product.row] * product.coefficient)[legs][order]
        middle = int(np.searchsorted(np.cumsum(made), 0.5 * made.sum()))
        cost[good] = abroad_price[good] * ratio[product.row[legs]][order][middle]
    return cost
