"""Producers: mines, and collectors of end-of-life scrap.

A mine makes one good. Its marginal cost is spread evenly around the mean, so a higher price brings
out more of its capacity; what it makes goes to stock, and the stock is offered on a rising curve.
"""

from __future__ import annotations

import numpy as np

from rare_market.agents.lifecycle import PLANNED, Lifecycle, Prospect, Spending, Status
from rare_market.agents.trader import (
    ASK_STEPS,
    Trader,
    aim_state_asks,
    ask_curve,
    expected_price_usd_per_kg,
    filled_t,
    least_output_t,
    normal_stock_t,
    smooth,
    storage_target_t,
)
from rare_market.book import Book
from rare_market.compiled import compiled
from rare_market.contracts import KG_PER_T
from rare_market.goods import FACILITY_STAGES, MONTHS_PER_YEAR
from rare_market.records import Bulletin
from rare_market.regime import ProductionQuota, Regime
from rare_market.scenario import Scenario

NO_PLANT = -1
MOST_BORNE_SHARE = 0.9  # of a mine's or collector's own cost that a state can take over
MINE = FACILITY_STAGES.index("mine")


class Producer(Trader):
    """One mine or scrap collector: a row of :class:`Producers`."""


@compiled
def used_share(
    price_usd_per_kg: np.ndarray, cost_usd_per_kg: np.ndarray, spread_share: float
) -> np.ndarray:
    r"""Share of capacity whose marginal cost the price covers.

    .. math:: u = \operatorname{clip}\Bigl(\frac{P/c - (1-w)}{2w},\,0,\,1\Bigr)

    Marginal cost is uniform on :math:`[(1-w)c, (1+w)c]`.
    """
    ratio = price_usd_per_kg / cost_usd_per_kg
    return np.minimum(np.maximum((ratio - (1.0 - spread_share)) / (2.0 * spread_share), 0.0), 1.0)


@compiled
def informal_capacity_t(
    capacity_t: np.ndarray,
    margin_share: np.ndarray,
    normal_margin_share: float,
    response_per_year: float,
) -> np.ndarray:
    r"""Informal capacity next month: :math:`k\,(1 + \varepsilon\,(m - m_0)/12)`, bounded margins.

    Digging moves to where it pays and leaves where it does not (Myanmar clays: lead time 0.7 year).
    The normal margin :math:`m_0` covers levies of armed groups and sites that are soon worked out.
    """
    excess = np.minimum(np.maximum(margin_share - normal_margin_share, -0.5), 0.5)
    return capacity_t * (1.0 + response_per_year * excess / MONTHS_PER_YEAR)


def within_quotas_t(
    planned_t: np.ndarray,
    good: np.ndarray,
    place: np.ndarray,
    formal: np.ndarray,
    quotas: tuple[ProductionQuota, ...],
) -> np.ndarray:
    """Output within production quotas: plans above one are curtailed pro rata, ``[producer]``."""
    for quota in quotas:
        counted = quota.goods[good] & (place == quota.place) & formal
        total_t = float(planned_t[counted].sum())
        if total_t > quota.quota_t:
            planned_t = np.where(counted, planned_t * (quota.quota_t / total_t), planned_t)
    return planned_t


class Producers:
    """The cohort of producers.

    Parameters
    ----------
    names, place, good
        ``[producer]``; codes.
    cost_usd_per_kg
        ``[producer]`` mean cash cost in USD per kg of the good.
    output_t
        ``[producer]`` output of the month before the run.
    cover_months
        ``[producer]`` sales a producer likes to hold in stock.
    plant
        ``[producer]`` row of the processor it is tied to, or :data:`NO_PLANT`.
    quota_bound
        ``[producer]`` bool: a state mine whose capacity moves with the mining quota.
    collected_share
        ``[producer]`` part of the scrap in products thrown away at its place that a collector
        reaches; 0 for a mine.
    other_scrap_t
        ``[producer]`` tonnes per month that a collector finds besides (slag, stocks of traders).
    extrapolation_share
        ``[producer]`` part of the trend each expects to go on.
    life
        their lives as facilities.
    scenario
        responses and memories.
    """

    def __init__(
        self,
        *,
        names: tuple[str, ...],
        place: np.ndarray,
        good: np.ndarray,
        cost_usd_per_kg: np.ndarray,
        output_t: np.ndarray,
        cover_months: np.ndarray,
        plant: np.ndarray,
        quota_bound: np.ndarray,
        collected_share: np.ndarray,
        other_scrap_t: np.ndarray,
        extrapolation_share: np.ndarray,
        life: Lifecycle,
        scenario: Scenario,
    ) -> None:
        self.rows = len(place)
        self.name = np.array(names)
        self.place, self.good = place, good
        self.cost_usd_per_kg = cost_usd_per_kg
        self.output_t = output_t.copy()
        self.sales_t = output_t.copy()
        self.cover_months = cover_months
        self.inventory_t = output_t * (1.0 + cover_months)
        self.plant = plant
        self.quota_bound = quota_bound
        self.collected_share, self.other_scrap_t = collected_share, other_scrap_t
        self.extrapolation_share = extrapolation_share
        self.life = life
        self.borne_usd_per_kg = np.zeros(self.rows)
        self.cash_usd = np.zeros(self.rows)
        self.sold_t = np.zeros(self.rows)
        self.transfer_usd_per_kg = np.zeros(self.rows)  # last price of tied deliveries
        self._scenario, self._numbers = scenario, scenario.numbers()
        self._stage = np.full(self.rows, MINE)
        # the book
        self.ask_row = np.repeat(np.arange(self.rows), ASK_STEPS)
        self.ask_good, self.ask_place = good[self.ask_row], place[self.ask_row]
        self.bid_row = self.bid_good = self.bid_place = self.bid_class = np.zeros(0, dtype=np.int64)

    def bear(self, added_usd_per_kg: np.ndarray, support_usd_per_kg: np.ndarray) -> None:
        """Let cash cost contain what rules add to it, less what a state pays of it, this month.

        Parameters
        ----------
        added_usd_per_kg, support_usd_per_kg
            ``[good, place]``.
        """
        _bear(
            self.good, self.place, added_usd_per_kg, support_usd_per_kg, self.cost_usd_per_kg,
            self.borne_usd_per_kg,
        )  # fmt: skip

    def tax_share(self, regime: Regime) -> np.ndarray:
        """Resource tax each pays on what it sells; informal mines pay none, ``[producer]``."""
        return _tax_share(self.good, self.place, self.life.informal, regime.resource_tax_share)

    def cheapest_usd_per_kg(self) -> np.ndarray:
        """Cheapest of each mine's marginal costs, ``[producer]``."""
        return self.cost_usd_per_kg * (1.0 - self._scenario.mine_cost_spread_share)

    def post(
        self, book: Book, bulletin: Bulletin, regime: Regime, downstream_usd_per_kg: np.ndarray
    ) -> None:
        """Offer the stock on a rising curve, never below the cheapest of its marginal costs.

        Parameters
        ----------
        book, bulletin, regime
            of the month.
        downstream_usd_per_kg
            ``[good, place]`` what plants at home can pay.
        """
        _post(
            self.good, self.place, self.inventory_t, self.sales_t, self.cover_months,
            self.cost_usd_per_kg, self.extrapolation_share, self.life.informal,
            self.life.state_owned, regime.resource_tax_share, bulletin.netback_usd_per_kg,
            bulletin.trend_per_month, bulletin.long_netback_usd_per_kg,
            regime.state_ask_ceiling_usd_per_kg, downstream_usd_per_kg, self._numbers,
            *book.ask_columns["producer"],
        )  # fmt: skip

    def reach(self, returned_t: np.ndarray, added_share: np.ndarray) -> None:
        r"""Let collectors reach their share of the scrap thrown away, ``[good, place]``.

        .. math:: k = \min(\lambda + \delta,\, 1)\,r + k_0

        with the scrap :math:`r` in products thrown away, the share :math:`\lambda` of it collected
        at the start, what rules add to that share, :math:`\delta`, and what else is collected,
        :math:`k_0`.
        """
        _reach(
            self.good, self.place, self.collected_share, self.other_scrap_t, returned_t,
            added_share, self.life.capacity_t,
        )  # fmt: skip

    def quota_index(self, period: int, regime: Regime, quota_index: np.ndarray) -> np.ndarray:
        r"""Mining quota relative to the first year, where one that state mines fulfil is announced.

        .. math:: I = \Bigl(Q - \sum_{i \in F \setminus B} k_i\Bigr)
                  \Big/ \sum_{i \in B} k_i

        State mines :math:`B` whose capacity moves with the quota open what the tonnage :math:`Q`
        leaves them beside the other formal mines :math:`F`; elsewhere the state's rule stands.
        """
        if not regime.production_quotas:
            return quota_index
        able_t, index = self.life.able_t(period), quota_index.copy()
        for quota in regime.production_quotas:
            counted = quota.goods[self.good] & (self.place == quota.place) & ~self.life.informal
            moving_t = float(able_t[counted & self.quota_bound].sum())
            if quota.fulfilled and moving_t > 0.0:
                fixed_t = float(able_t[counted & ~self.quota_bound].sum())
                index[quota.place] = max(quota.quota_t - fixed_t, 0.0) / moving_t
        return index

    def settle(self, fill_t: np.ndarray, tied_t: np.ndarray, revenue_usd: np.ndarray) -> None:
        """Book the month's sales.

        Parameters
        ----------
        fill_t
            ``[ask]`` tonnes sold on the market, in the order the asks were declared.
        tied_t
            ``[producer]`` tonnes already delivered to the tied plant.
        revenue_usd
            ``[producer]`` received for both.
        """
        _settle(fill_t, tied_t, revenue_usd, self.inventory_t, self.sold_t, self.cash_usd)

    def plan(
        self,
        period: int,
        bulletin: Bulletin,
        regime: Regime,
        quota_index: np.ndarray,
        plant_status: np.ndarray,
    ) -> Spending:
        """Produce for next month's market; mothball, restart, build, close.

        Parameters
        ----------
        period
            month of the run.
        bulletin
            this month's outcome.
        regime
            says what is taxed and whose losses a treasury covers.
        quota_index
            ``[place]`` state mining quota relative to the first year.
        plant_status
            ``[plant]`` before its own decision: a mine tied to a planned one is decided with it.

        Returns
        -------
        Spending
            operating and capital cost of the month.
        """
        life = self.life
        price, cash_margin, project_margin, planned_t, willing_share, operating_cost_usd = np.empty(
            (6, self.rows)
        )
        _margins(
            self.good, self.place, self.plant, self.cost_usd_per_kg, self.transfer_usd_per_kg,
            regime.resource_tax_share, plant_status, life.informal,
            bulletin.netback_usd_per_kg, bulletin.prudent_netback_usd_per_kg(),
            life.capacity_t, self._numbers, price, cash_margin, project_margin,
        )  # fmt: skip
        _plans(
            self.place, self.inventory_t, self.sales_t, self.cover_months, self.cost_usd_per_kg,
            self.output_t, price, life.able_t(period), self.quota_bound, life.informal,
            life.state_owned, quota_index, regime.informal_closed_share,
            regime.state_loss_cover_share, self._numbers, planned_t, willing_share,
        )  # fmt: skip
        self.output_t = within_quotas_t(
            planned_t, self.good, self.place, ~life.informal, regime.production_quotas
        )
        _produce(
            self.output_t, willing_share, self.cost_usd_per_kg, self.sold_t, self.sales_t,
            self.inventory_t, self.cash_usd, self._numbers, operating_cost_usd,
        )  # fmt: skip
        capex_usd = life.advance(
            period,
            self.cash_usd,
            cash_margin,
            self.cost_usd_per_kg,
            self._prospect(project_margin, regime),
            self._prospect(project_margin, regime.believed()) if regime.doubted else None,
        )
        self.cash_usd -= capex_usd
        return Spending(operating_cost_usd, capex_usd)

    def _prospect(self, margin_usd_per_kg: np.ndarray, regime: Regime) -> Prospect:
        """What a project looks at: no contract covers ore, so finance alone moves the charge."""
        life = self.life
        factor = life.charge_factor(regime, self.name, self.place, self._stage)
        return Prospect(
            margin_usd_per_kg,
            factor * life.capital_charge_usd_per_kg,
            factor * life.secured_charge_usd_per_kg,
        )

    def fail_with(self, failed: np.ndarray) -> None:
        """Stop the mines that belong to plants gone bankrupt this month, ``[plant]`` bool."""
        if failed.any():
            tied = (self.plant != NO_PLANT) & (self.life.status == Status.OPERATING)
            self.life.fail(tied & failed[self.plant])

    def build_with(self, started: np.ndarray) -> None:
        """Start the planned mines tied to plants just decided on, ``[plant]`` bool."""
        if started.any():
            tied = (self.plant != NO_PLANT) & (self.life.status == Status.PLANNED)
            self.life.status[tied & started[self.plant]] = Status.BUILDING


@compiled
def _bear(
    good: np.ndarray,
    place: np.ndarray,
    added_usd_per_kg: np.ndarray,
    support_usd_per_kg: np.ndarray,
    cost_usd_per_kg: np.ndarray,
    borne_usd_per_kg: np.ndarray,
) -> None:
    """See :meth:`Producers.bear`; what cost contains of rules is written to the last."""
    for i in range(len(good)):
        own = cost_usd_per_kg[i] - borne_usd_per_kg[i]
        extra = added_usd_per_kg[good[i], place[i]] - support_usd_per_kg[good[i], place[i]]
        extra = max(extra, -MOST_BORNE_SHARE * own)
        cost_usd_per_kg[i] += extra - borne_usd_per_kg[i]
        borne_usd_per_kg[i] = extra


@compiled
def _reach(
    good: np.ndarray,
    place: np.ndarray,
    collected_share: np.ndarray,
    other_scrap_t: np.ndarray,
    returned_t: np.ndarray,
    added_share: np.ndarray,
    capacity_t: np.ndarray,
) -> None:
    """See :meth:`Producers.reach`."""
    for i in range(len(good)):
        if collected_share[i] > 0.0:
            share = min(collected_share[i] + added_share[good[i], place[i]], 1.0)
            capacity_t[i] = share * returned_t[good[i], place[i]] + other_scrap_t[i]


@compiled
def _tax_share(
    good: np.ndarray, place: np.ndarray, informal: np.ndarray, resource_tax_share: np.ndarray
) -> np.ndarray:
    """See :meth:`Producers.tax_share`."""
    share = np.zeros(len(good))
    for i in range(len(good)):
        if not informal[i]:
            share[i] = resource_tax_share[good[i], place[i]]
    return share


@compiled
def _post(
    good: np.ndarray,
    place: np.ndarray,
    inventory_t: np.ndarray,
    sales_t: np.ndarray,
    cover_months: np.ndarray,
    cost_usd_per_kg: np.ndarray,
    extrapolation_share: np.ndarray,
    informal: np.ndarray,
    state_owned: np.ndarray,
    resource_tax_share: np.ndarray,
    netback_usd_per_kg: np.ndarray,
    trend_per_month: np.ndarray,
    long_netback_usd_per_kg: np.ndarray,
    ceiling_usd_per_kg: np.ndarray,
    downstream_usd_per_kg: np.ndarray,
    numbers: np.ndarray,
    ask_t: np.ndarray,
    ask_usd_per_kg: np.ndarray,
) -> None:
    """Write quantity and limit of the asks, ``[producer x step]``."""
    s, rows = numbers[0], len(good)
    tax_share = _tax_share(good, place, informal, resource_tax_share)
    target_t, expected, floor = np.empty(rows), np.empty(rows), np.empty(rows)
    for i in range(rows):
        here = (good[i], place[i])
        price = netback_usd_per_kg[here]
        target_t[i] = storage_target_t(
            normal_stock_t(sales_t[i], cover_months[i]),
            price,
            long_netback_usd_per_kg[here],
            s.storage_response,
        )
        expected[i] = expected_price_usd_per_kg(
            price, trend_per_month[here], extrapolation_share[i]
        )
        floor[i] = cost_usd_per_kg[i] * (1.0 - s.mine_cost_spread_share) / (1.0 - tax_share[i])
    quantity_t, limit = ask_curve(
        inventory_t, target_t, sales_t, expected, floor, s.ask_flow_slope, s.ask_stock_slope
    )
    aim_state_asks(
        limit, state_owned, good, place, floor, netback_usd_per_kg,
        downstream_usd_per_kg, ceiling_usd_per_kg, s,
    )  # fmt: skip
    ask_t[:], ask_usd_per_kg[:] = quantity_t.reshape(-1), limit.reshape(-1)


@compiled
def _settle(
    fill_t: np.ndarray,
    tied_t: np.ndarray,
    revenue_usd: np.ndarray,
    inventory_t: np.ndarray,
    sold_t: np.ndarray,
    cash_usd: np.ndarray,
) -> None:
    """See :meth:`Producers.settle`."""
    for i in range(len(inventory_t)):
        market_t = filled_t(fill_t, i, ASK_STEPS)
        inventory_t[i] = max(inventory_t[i] - market_t, 0.0)
        sold_t[i] = market_t + tied_t[i]
        cash_usd[i] += revenue_usd[i]


@compiled
def _margins(
    good: np.ndarray,
    place: np.ndarray,
    plant: np.ndarray,
    cost_usd_per_kg: np.ndarray,
    transfer_usd_per_kg: np.ndarray,
    resource_tax_share: np.ndarray,
    plant_status: np.ndarray,
    informal: np.ndarray,
    netback_usd_per_kg: np.ndarray,
    prudent_usd_per_kg: np.ndarray,
    capacity_t: np.ndarray,
    numbers: np.ndarray,
    price: np.ndarray,
    cash_margin: np.ndarray,
    project_margin: np.ndarray,
) -> None:
    """Write price kept after tax, margin on the cheapest tonne and on a new mine, ``[producer]``.

    Informal capacity moves.
    """
    s, tax_share = numbers[0], _tax_share(good, place, informal, resource_tax_share)
    for i in range(len(good)):
        kept_share, cost = 1.0 - tax_share[i], cost_usd_per_kg[i]
        price[i] = netback_usd_per_kg[good[i], place[i]] * kept_share
        if plant[i] != NO_PLANT:
            price[i] = max(price[i], transfer_usd_per_kg[i])
        margin = price[i] - cost
        cash_margin[i] = margin + s.mine_cost_spread_share * cost
        if informal[i]:
            capacity_t[i] = informal_capacity_t(
                capacity_t[i],
                margin / cost,
                s.informal_normal_margin_share,
                s.informal_response_per_year,
            )
        long_price = prudent_usd_per_kg[good[i], place[i]] * kept_share
        project_margin[i] = max(long_price, transfer_usd_per_kg[i]) - cost
        if plant[i] != NO_PLANT and plant_status[plant[i]] == PLANNED:
            project_margin[i] = -np.inf


@compiled
def _plans(
    place: np.ndarray,
    inventory_t: np.ndarray,
    sales_t: np.ndarray,
    cover_months: np.ndarray,
    cost_usd_per_kg: np.ndarray,
    last_t: np.ndarray,
    price_usd_per_kg: np.ndarray,
    able_t: np.ndarray,
    quota_bound: np.ndarray,
    informal: np.ndarray,
    state_owned: np.ndarray,
    quota_index: np.ndarray,
    informal_closed_share: np.ndarray,
    loss_cover_share: np.ndarray,
    numbers: np.ndarray,
    planned_t: np.ndarray,
    willing: np.ndarray,
) -> None:
    """Write output planned, and the share of what each is able to that it is willing to make.

    A state group looks past a bad price, the more so when its losses are covered, and lays off
    slowly.
    """
    s = numbers[0]
    for i in range(len(place)):
        able = able_t[i] * (quota_index[place[i]] if quota_bound[i] else 1.0)
        able *= 1.0 - (informal_closed_share[place[i]] if informal[i] else 0.0)
        full = inventory_t[i] / max(normal_stock_t(sales_t[i], cover_months[i]), 1e-9)
        brake = min(max(2.5 - full, 0.0), 1.0)
        used = used_share(price_usd_per_kg[i], cost_usd_per_kg[i], s.mine_cost_spread_share)
        willing[i] = used * brake
        if state_owned[i]:
            aim = max(s.state_output_aim_share, loss_cover_share[place[i]])
            willing[i] = aim + (1.0 - aim) * willing[i]
        planned_t[i] = able * willing[i]
        if state_owned[i]:
            least_t = least_output_t(able, last_t[i], s.state_layoff_share_per_month)
            planned_t[i] = max(planned_t[i], least_t)


@compiled
def _produce(
    output_t: np.ndarray,
    willing_share: np.ndarray,
    cost_usd_per_kg: np.ndarray,
    sold_t: np.ndarray,
    sales_t: np.ndarray,
    inventory_t: np.ndarray,
    cash_usd: np.ndarray,
    numbers: np.ndarray,
    cost_usd: np.ndarray,
) -> None:
    """Put output into stock and pay for it; its cost is written to the last, ``[producer]``."""
    s = numbers[0]
    for i in range(len(output_t)):
        inventory_t[i] += output_t[i]
        smoothed_t = smooth(sales_t[i], sold_t[i], s.sales_memory_months)
        sales_t[i] = max(smoothed_t, 0.5 * output_t[i])
        spread = s.mine_cost_spread_share
        mean_cost = cost_usd_per_kg[i] * (1.0 - spread + spread * willing_share[i])
        cost_usd[i] = output_t[i] * mean_cost * KG_PER_T
        cash_usd[i] -= cost_usd[i]
