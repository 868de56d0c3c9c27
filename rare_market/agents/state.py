"""States: a treasury, a stockpile, and the rule for a mining quota.

A state's own trade goes through the book like anyone's: it bids for what its policies buy, keeps
that in reserve, and offers the rest of its stock at its own place.
"""

from __future__ import annotations

import numpy as np

from rare_market.agents.trader import Trader, filled_t
from rare_market.book import Book
from rare_market.compiled import compiled
from rare_market.contracts import KG_PER_T, within
from rare_market.goods import MONTHS_PER_YEAR
from rare_market.policies.base import Desk
from rare_market.records import Bulletin
from rare_market.regime import Regime
from rare_market.scenario import Scenario

RESALE_STEPS = 2
RESALE_FACTOR = np.array([0.9, 1.0])
QUOTA_GROWTH_RANGE = (0.0, 0.3)  # per year
USE_GROWTH_RANGE = (-0.25, 0.25)  # per year, of what a half-year's use says
BATCH_MONTHS = 6  # the quota is set in two batches a year


class State(Trader):
    """One state: a row of :class:`States`."""


def quota_growth_share(
    price_usd_per_kg: float,
    band_usd_per_kg: float,
    use_growth_per_year: float,
    demand_share: float,
    response: float,
    stock_ratio: float,
    stock_response: float,
    ordered_per_year: float,
) -> float:
    r"""Growth of the mining quota for a year.

    .. math:: g = \operatorname{clip}\bigl(\theta\,g_u + \beta\,(P/P_b - 1) - \sigma\,(S/S^* - 1)^+
              + g_p,\; 0,\; 0.3\bigr)

    The quota is set around the balance of NdPr: it follows part :math:`\theta` of the growth of its
    use at home, the price against a band, and stocks of ore or oxide against target. It grew by 20
    % a year into the 2021-22 peak and by 6 % in 2024, and has not been cut when prices fell.
    :math:`g_p` is what a policy orders on top.
    """
    growth = demand_share * use_growth_per_year + response * (
        price_usd_per_kg / band_usd_per_kg - 1.0
    )
    growth -= stock_response * max(stock_ratio - 1.0, 0.0)
    return float(np.clip(growth + ordered_per_year, *QUOTA_GROWTH_RANGE))


class States:
    """The cohort of states, one per place.

    Parameters
    ----------
    names
        places.
    stockpile_t
        ``[place, good]`` held in reserve before the run.
    quota_good, quota_place
        the good whose price the mining quota follows, and the place that sets a quota.
    scenario
        the quota rule's numbers.
    """

    def __init__(
        self,
        *,
        names: tuple[str, ...],
        stockpile_t: np.ndarray,
        quota_good: int,
        quota_place: int,
        scenario: Scenario,
    ) -> None:
        self.rows = len(names)
        self.name = np.array(names)
        self.place = np.arange(self.rows)
        self.treasury_usd = np.zeros(self.rows)
        self.stockpile_t = stockpile_t.copy()
        self.reserve_t = stockpile_t.copy()  # the part of it that is not for sale
        goods = stockpile_t.shape[1]
        self.quota_index = np.ones(self.rows)
        self._quota_good, self._quota_place = quota_good, quota_place
        self._price_sum, self._use_sum_t, self._last_use_t = 0.0, 0.0, 0.0
        self._ordered_sum = 0.0
        self._scenario = scenario
        # the book: a state may resell any good it holds, at its own place
        cell = np.repeat(np.arange(self.rows * goods), RESALE_STEPS)
        self.ask_row, self.ask_good = cell // goods, cell % goods
        self.ask_place = self.ask_row
        self.open_desks([])

    def open_desks(self, desks: list[Desk | None]) -> None:
        """Make room in the book for the bids of policies that buy, ``[policy]``."""
        rows: list[tuple[int, int, int, int]] = []
        for policy, desk in enumerate(desks):
            if desk is not None:
                rows += [
                    (policy, int(place), int(good), desk.buyer_class)
                    for place in np.nonzero(desk.places)[0]
                    for good in np.nonzero(desk.goods)[0]
                ]
        columns = np.array(rows, dtype=np.int64).reshape(-1, 4).T
        self.bid_policy, self.bid_row, self.bid_good, self.bid_class = columns
        self.bid_place = self.bid_row

    def post(self, book: Book, bulletin: Bulletin, regime: Regime) -> None:
        """Offer the stock that is no reserve, half below the last price and half at it; bid.

        What a policy may still spend limits its bids, all in the same proportion.
        """
        _post_asks(
            self.stockpile_t, self.reserve_t, bulletin.netback_usd_per_kg,
            *book.ask_columns["state"],
        )  # fmt: skip
        bid_t, most = book.bid_columns["state"]
        bid_t[:], most[:] = 0.0, 0.0
        for purchase in regime.purchases:
            rows = self.bid_policy == purchase.scheme.policy
            at = (self.bid_place[rows], self.bid_good[rows])
            bid_t[rows], most[rows] = purchase.quantity_t[at], purchase.limit_usd_per_kg[at]
            worth_usd = float((bid_t[rows] * most[rows]).sum()) * KG_PER_T
            bid_t[rows] *= within(worth_usd, purchase.scheme.budget_left_usd)

    def settle(
        self, ask_fill_t: np.ndarray, bid_fill_t: np.ndarray, paid_usd: np.ndarray
    ) -> list[tuple[int, float]]:
        """Take sold tonnes out of stock, and put bought ones into reserve.

        Parameters
        ----------
        ask_fill_t, bid_fill_t, paid_usd
            ``[ask]``, ``[bid]`` and ``[bid]``.

        Returns
        -------
        list
            what each policy that buys has spent: its position and USD.
        """
        _sell(ask_fill_t, self.reserve_t, self.stockpile_t)
        if len(self.bid_row) == 0:
            return []
        bought_t = np.zeros_like(self.stockpile_t)
        np.add.at(bought_t, (self.bid_row, self.bid_good), bid_fill_t)
        self.stockpile_t = self.stockpile_t + bought_t
        self.reserve_t = self.reserve_t + bought_t
        policies = np.unique(self.bid_policy).tolist()
        return [(p, float(paid_usd[self.bid_policy == p].sum())) for p in policies]

    def plan(self, period: int, bulletin: Bulletin, regime: Regime, bought_t: np.ndarray) -> None:
        """Each June and December set the next batch of the mining quota by the half-year before it.

        Parameters
        ----------
        period, bulletin, regime
            the month.
        bought_t
            ``[good, place, buyer class]`` tonnes bought this month.
        """
        s, good, place = self._scenario, self._quota_good, self._quota_place
        self._price_sum += float(bulletin.netback_usd_per_kg[good, place])
        self._use_sum_t += float(bought_t[good, place].sum())
        self._ordered_sum += float(regime.output_growth_per_year[place])
        if (period + 1) % BATCH_MONTHS == 0:
            per_year = MONTHS_PER_YEAR / BATCH_MONTHS
            before = self._last_use_t or self._use_sum_t
            change = (self._use_sum_t / max(before, 1e-9)) ** per_year - 1.0
            growth = quota_growth_share(
                self._price_sum / BATCH_MONTHS,
                s.quota_price_band_usd_per_kg,
                float(np.clip(change, *USE_GROWTH_RANGE)),
                s.quota_demand_share,
                s.quota_price_response,
                float(max(bulletin.stock_ratio[good, place], bulletin.ore_stock_ratio[place])),
                s.quota_stock_response,
                self._ordered_sum / BATCH_MONTHS,
            )
            self.quota_index[place] *= (1.0 + growth) ** (1.0 / per_year)
            self._last_use_t = self._use_sum_t
            self._price_sum, self._use_sum_t, self._ordered_sum = 0.0, 0.0, 0.0


@compiled
def _post_asks(
    stockpile_t: np.ndarray,
    reserve_t: np.ndarray,
    netback_usd_per_kg: np.ndarray,
    ask_t: np.ndarray,
    ask_usd_per_kg: np.ndarray,
) -> None:
    """Write the asks, ``[place x good x step]``, for stock above the reserve."""
    places, goods = stockpile_t.shape
    for p in range(places):
        for g in range(goods):
            for k in range(RESALE_STEPS):
                order = (p * goods + g) * RESALE_STEPS + k
                ask_t[order] = (stockpile_t[p, g] - reserve_t[p, g]) / RESALE_STEPS
                ask_usd_per_kg[order] = netback_usd_per_kg[g, p] * RESALE_FACTOR[k]


@compiled
def _sell(ask_fill_t: np.ndarray, reserve_t: np.ndarray, stockpile_t: np.ndarray) -> None:
    """Take sold tonnes out of stock, ``[place, good]``, which never falls below the reserve."""
    places, goods = stockpile_t.shape
    for p in range(places):
        for g in range(goods):
            sold_t = filled_t(ask_fill_t, p * goods + g, RESALE_STEPS)
            stockpile_t[p, g] = max(stockpile_t[p, g] - sold_t, reserve_t[p, g])
