"""Producers: mines, and collectors of end-of-life scrap.

A mine makes one good. Its marginal cost is spread evenly around the mean, so a higher price brings
out more of its capacity; what it makes goes to stock, and the stock is offered on a rising curve.
"""

from __future__ import annotations

import numpy as np

from rare_market.agents.lifecycle import Lifecycle, Prospect, Spending, Status
from rare_market.agents.trader import (
    ASK_STEPS,
    Trader,
    ask_curve,
    expected_price_usd_per_kg,
    least_output_t,
    smooth,
    state_ask_usd_per_kg,
    storage_target_t,
)
from rare_market.book import Book
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


def used_share(
    price_usd_per_kg: np.ndarray, cost_usd_per_kg: np.ndarray, spread_share: float
) -> np.ndarray:
    r"""Share of capacity whose marginal cost the price covers.

    .. math:: u = \operatorname{clip}\Bigl(\frac{P/c - (1-w)}{2w},\,0,\,1\Bigr)

    Marginal cost is uniform on :math:`[(1-w)c, (1+w)c]`.
    """
    ratio = price_usd_per_kg / cost_usd_per_kg
    return np.minimum(np.maximum((ratio - (1.0 - spread_share)) / (2.0 * spread_share), 0.0), 1.0)


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
    excess = np.clip(margin_share - normal_margin_share, -0.5, 0.5)
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
        self._scenario = scenario
        # the book
        self.ask_row = np.repeat(np.arange(self.rows), ASK_STEPS)
        self.ask_good, self.ask_place = good[self.ask_row], place[self.ask_row]
        self.bid_row = self.bid_good = self.bid_place = self.bid_class = np.zeros(0, dtype=np.int64)

    def bear(self, extra_usd_per_kg: np.ndarray) -> None:
        """Let cash cost contain what rules add to it, or what a state pays of it, this month.

        Parameters
        ----------
        extra_usd_per_kg
            ``[producer]``.
        """
        own = self.cost_usd_per_kg - self.borne_usd_per_kg
        extra = np.maximum(extra_usd_per_kg, -MOST_BORNE_SHARE * own)
        self.cost_usd_per_kg = self.cost_usd_per_kg + (extra - self.borne_usd_per_kg)
        self.borne_usd_per_kg = extra

    def price_usd_per_kg(self, bulletin: Bulletin) -> np.ndarray:
        """Price each expects for its good at its place."""
        return expected_price_usd_per_kg(
            bulletin.netback_usd_per_kg[self.good, self.place],
            bulletin.trend_per_month[self.good, self.place],
            self.extrapolation_share,
        )

    def tax_share(self, regime: Regime) -> np.ndarray:
        """Resource tax each pays on what it sells; informal mines pay none, ``[producer]``."""
        share = regime.resource_tax_share[self.good, self.place]
        return np.where(self.life.informal, 0.0, share)

    def cheapest_usd_per_kg(self) -> np.ndarray:
        """Cheapest of each mine's marginal costs, ``[producer]``."""
        return self.cost_usd_per_kg * (1.0 - self._scenario.mine_cost_spread_share)

    def normal_stock_t(self) -> np.ndarray:
        """Stock each holds at an ordinary price, ``[producer]``."""
        return self.sales_t * (1.0 + self.cover_months)

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
        s = self._scenario
        at = (self.good, self.place)
        kept_share = 1.0 - self.tax_share(regime)
        least = self.cheapest_usd_per_kg() / kept_share
        quantity_t, limit = ask_curve(
            self.inventory_t,
            storage_target_t(
                self.normal_stock_t(),
                bulletin.netback_usd_per_kg[self.good, self.place],
                bulletin.long_netback_usd_per_kg[self.good, self.place],
                s.storage_response,
            ),
            self.sales_t,
            self.price_usd_per_kg(bulletin),
            least,
            s.ask_flow_slope,
            s.ask_stock_slope,
        )
        aimed = state_ask_usd_per_kg(
            limit,
            bulletin.netback_usd_per_kg[at],
            bulletin.long_netback_usd_per_kg[at],
            downstream_usd_per_kg[at],
            s,
        )
        ceiling = regime.state_ask_ceiling_usd_per_kg[at]
        aimed = np.minimum(np.maximum(aimed, least[:, None]), ceiling[:, None])
        limit = np.where(self.life.state_owned[:, None], aimed, limit)
        book.post_asks("producer", quantity_t, limit)

    def reach(self, returned_t: np.ndarray) -> None:
        r"""Let collectors reach their share of the scrap thrown away, ``[good, place]``.

        .. math:: k = \lambda\,r + k_0

        with the scrap :math:`r` in products thrown away, the share :math:`\lambda` of it collected
        at the start, and what else is collected, :math:`k_0`.
        """
        reached_t = self.collected_share * returned_t[self.good, self.place] + self.other_scrap_t
        collects = self.collected_share > 0.0
        self.life.capacity_t = np.where(collects, reached_t, self.life.capacity_t)

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
        market_t = fill_t.reshape(self.rows, ASK_STEPS).sum(axis=1)
        self.inventory_t = np.maximum(self.inventory_t - market_t, 0.0)
        self.sold_t = market_t + tied_t
        self.cash_usd += revenue_usd

    def plan(
        self,
        period: int,
        bulletin: Bulletin,
        regime: Regime,
        quota_index: np.ndarray,
        waits_for_plant: np.ndarray,
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
        waits_for_plant
            ``[producer]`` bool: tied to a plant not yet decided, and decided with it.

        Returns
        -------
        Spending
            operating and capital cost of the month.
        """
        s, life = self._scenario, self.life
        kept_share = 1.0 - self.tax_share(regime)
        spot = bulletin.netback_usd_per_kg[self.good, self.place] * kept_share
        price = np.where(self.plant == NO_PLANT, spot, np.maximum(spot, self.transfer_usd_per_kg))
        # prices from here on are what the mine keeps after resource tax
        margin = price - self.cost_usd_per_kg
        if life.informal.any():
            life.capacity_t = np.where(
                life.informal,
                informal_capacity_t(
                    life.capacity_t,
                    margin / self.cost_usd_per_kg,
                    s.informal_normal_margin_share,
                    s.informal_response_per_year,
                ),
                life.capacity_t,
            )
        able_t = life.able_t(period) * np.where(self.quota_bound, quota_index[self.place], 1.0)
        shut = np.where(life.informal, regime.informal_closed_share[self.place], 0.0)
        able_t = able_t * (1.0 - shut)

        full = self.inventory_t / np.maximum(self.normal_stock_t(), 1e-9)
        brake = np.clip(2.5 - full, 0.0, 1.0)
        willing = used_share(price, self.cost_usd_per_kg, s.mine_cost_spread_share) * brake
        # a state group looks past a bad price, the more so when its losses are covered
        aim = np.maximum(s.state_output_aim_share, regime.state_loss_cover_share[self.place])
        willing = np.where(life.state_owned, aim + (1.0 - aim) * willing, willing)
        planned_t = able_t * willing
        least_t = least_output_t(able_t, self.output_t, s.state_layoff_share_per_month)
        planned_t = np.where(life.state_owned, np.maximum(planned_t, least_t), planned_t)
        self.output_t = within_quotas_t(
            planned_t, self.good, self.place, ~life.informal, regime.production_quotas
        )
        self.inventory_t = self.inventory_t + self.output_t
        self.sales_t = np.maximum(
            smooth(self.sales_t, self.sold_t, s.sales_memory_months), 0.5 * self.output_t
        )
        spread = s.mine_cost_spread_share
        mean_cost = self.cost_usd_per_kg * (1.0 - spread + spread * willing)
        operating_cost_usd = self.output_t * mean_cost * KG_PER_T

        long_price = bulletin.prudent_netback_usd_per_kg()[self.good, self.place] * kept_share
        long_price = np.where(
            waits_for_plant, -np.inf, np.maximum(long_price, self.transfer_usd_per_kg)
        )
        project_margin = long_price - self.cost_usd_per_kg
        self.cash_usd -= operating_cost_usd
        capex_usd = life.advance(
            period,
            self.cash_usd,
            margin + s.mine_cost_spread_share * self.cost_usd_per_kg,
            self.cost_usd_per_kg,
            self._prospect(project_margin, regime),
            self._prospect(project_margin, regime.believed()) if regime.doubted else None,
        )
        self.cash_usd -= capex_usd
        return Spending(operating_cost_usd, capex_usd)

    def _prospect(self, margin_usd_per_kg: np.ndarray, regime: Regime) -> Prospect:
        """What a project looks at: no contract covers ore, so finance alone moves the charge."""
        life = self.life
        factor = life.finance_factor(regime.finance, self.name, self.place, MINE) * (
            1.0 + regime.capital_added_share[MINE, self.place]
        )
        return Prospect(
            margin_usd_per_kg,
            factor * life.capital_charge_usd_per_kg,
            factor * life.secured_charge_usd_per_kg,
        )

    def fail_with(self, failed_plants: np.ndarray) -> None:
        """Stop the mines that belong to plants gone bankrupt this month."""
        tied = (self.plant != NO_PLANT) & (self.life.status == Status.OPERATING)
        self.life.fail(tied & np.isin(self.plant, failed_plants))

    def build_with(self, started_plants: np.ndarray) -> None:
        """Start the planned mines tied to plants whose building has just been decided."""
        tied = (self.plant != NO_PLANT) & (self.life.status == Status.PLANNED)
        go = tied & np.isin(self.plant, started_plants)
        self.life.status = np.where(go, Status.BUILDING, self.life.status)
