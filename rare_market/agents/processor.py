"""Processors: separators, metal makers, magnet makers, recyclers. One class; the recipe differs.

A processor bids for feed up to what its products are expected to bring (the netback), makes what it
expects to sell, corrected for stocks and for its margin, and offers what it has. Joint products
leave together: one that nobody buys is rejected before it is finished, which saves its finishing
cost, so cheap by-products settle at that cost while the dear ones carry the chain.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from rare_market.agents.lifecycle import START_SHARE, Lifecycle, Prospect, Spending
from rare_market.agents.trader import (
    ASK_FACTOR_RANGE,
    ASK_STEPS,
    SMALLEST_ORDER_T,
    Trader,
    aim_state_asks,
    alarmed_share,
    ask_curve,
    at,
    chosen,
    expected_gain_share,
    expected_price_usd_per_kg,
    filled_t,
    least_output_t,
    normal_stock_t,
    smooth,
    storage_target_t,
    unfilled_share,
    wanted_cover_months,
    wanted_t,
)
from rare_market.book import Book
from rare_market.compiled import compiled
from rare_market.contracts import (
    KG_PER_T,
    Offtake,
    PriceFloor,
    feared_usd_per_kg,
    floor_payment_usd_per_kg,
    guarantee_share,
)
from rare_market.contracts import offtake_price_usd_per_kg as offtake_price
from rare_market.goods import BOUND, OPEN
from rare_market.policies.base import kept
from rare_market.records import Bulletin
from rare_market.regime import Regime
from rare_market.scenario import Scenario

URGENT_SHARE = 0.75  # of the feed wanted; the rest only near the expected price
PATIENT_FACTOR = 1.02
BID_STEPS = 2
BUSY_SHARE = 0.85  # of what a plant is able to make, above which it may expand


class Processor(Trader):
    """One plant: a row of :class:`Processors`."""


@compiled
def netback_usd_per_kg(
    revenue_usd_per_kg: np.ndarray,
    conversion_usd_per_kg: np.ndarray,
    other_feed_usd_per_kg: np.ndarray,
    coefficient: np.ndarray,
) -> np.ndarray:
    r"""Most a plant can pay for one feed: :math:`(R - c - \sum_{j\ne i} a_j P_j)/a_i`."""
    return (revenue_usd_per_kg - conversion_usd_per_kg - other_feed_usd_per_kg) / coefficient


@compiled
def wanted_activity_t(
    sales_t: np.ndarray,
    stock_t: np.ndarray,
    target_t: np.ndarray,
    coefficient: np.ndarray,
    adjust_months: float,
) -> np.ndarray:
    r"""Activity one product asks for: :math:`[\hat s + (S^*-S)/\tau]/b`, not negative.

    The anchoring-and-adjustment stock rule (Sterman 1989).
    """
    return np.maximum(sales_t + (target_t - stock_t) / adjust_months, 0.0) / coefficient


def planned_activity_t(mine_output_t: np.ndarray | float, aim_share: np.ndarray) -> np.ndarray:
    r"""Least activity of a state group's separator: :math:`x \ge \alpha\,q`.

    The separation quota goes with the mining quota (94 to 97 % of it, 2018 to 2024), so what the
    group's own mine makes is separated, whatever the stock of oxide and its price.

    Parameters
    ----------
    mine_output_t
        ``[plant]`` ore :math:`q` of the group's mines this month.
    aim_share
        ``[plant]`` :math:`\alpha`, the weight of output in the group's aims; 0 for private plants.
    """
    return aim_share * mine_output_t


@compiled
def replaced_share(stock_t: float, target_t: float, stock_slope: float) -> float:
    r"""Part of the cost of making another tonne that the maker of one product counts.

    .. math:: \omega = \max\bigl[1 - \gamma_s\,(\min(S/S^*, 3) - 1)^+,\ 0.6\bigr]

    A seller asks at least what replacing a tonne costs while it means to replace it. With stock
    :math:`S` over its target :math:`S^*` it does not, and asks less. Otherwise a chain in which
    each stage asks the cost of its feed, and pays what its product brings, keeps any price it once
    had, whatever lies in its stores. A joint product is not asked for below its finishing cost: it
    can be rejected unfinished.
    """
    overfull = max(min(stock_t / max(target_t, 1e-9), 3.0) - 1.0, 0.0)
    return max(1.0 - stock_slope * overfull, ASK_FACTOR_RANGE[0])


class CleanDemand(NamedTuple):
    """What plants know of bound buyers who refuse what some state has touched.

    Attributes
    ----------
    wanted_t
        ``[good]`` tonnes they bid for last month under the rules in force.
    premium_usd_per_kg
        ``[good, place]`` what they pay there for untouched goods above the price of others.
    matters
        ``[good, place]`` bool: feeds of which the origin counts, and where plants may choose.
    """

    wanted_t: np.ndarray
    premium_usd_per_kg: np.ndarray
    matters: np.ndarray


class Legs:
    """The sparse entries of a recipe matrix: which plant, which good, how much per activity."""

    def __init__(self, coefficient: np.ndarray, place: np.ndarray) -> None:
        self.row, self.good = np.nonzero(coefficient)
        self.coefficient = coefficient[self.row, self.good]
        self.place = place[self.row]
        self.plants = len(place)

    def at(self, table: np.ndarray) -> np.ndarray:
        """Entry of a ``[good, place]`` table for each leg."""
        return at(table, self.good, self.place)

    def total(self, values: np.ndarray) -> np.ndarray:
        """Sum of leg values by plant."""
        return np.bincount(self.row, values, minlength=self.plants)


class Processors:
    """The cohort of processors.

    Parameters
    ----------
    names, place, stage
        ``[plant]``; codes.
    input_t, output_t
        ``[plant, good]`` recipe per tonne of activity.
    by_product
        ``[good]`` bool: goods that only arise beside others (scrap).
    cost_usd_per_kg
        ``[plant]`` cash cost per kg of activity, feed excluded.
    finishing_share
        ``[plant]`` part of that cost spent on finishing products (0 where nothing can be rejected).
    activity_t
        ``[plant]`` activity of the month before the run.
    feed_cover_months, product_cover_months
        ``[plant, good]`` months of use, or sales, held in stock.
    extrapolation_share
        ``[plant]`` part of the trend each expects to go on.
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
        stage: np.ndarray,
        input_t: np.ndarray,
        output_t: np.ndarray,
        by_product: np.ndarray,
        cost_usd_per_kg: np.ndarray,
        finishing_share: np.ndarray,
        activity_t: np.ndarray,
        feed_cover_months: np.ndarray,
        product_cover_months: np.ndarray,
        extrapolation_share: np.ndarray,
        life: Lifecycle,
        scenario: Scenario,
    ) -> None:
        self.rows = len(place)
        self.name = np.array(names)
        self.place, self.stage = place, stage
        self.feed = Legs(input_t, place)
        valuable = output_t * ~by_product[None, :]
        self.product = Legs(output_t, place)
        # a plant with one product sells it at cost or above; joint products have no cost of their
        # own
        single = np.count_nonzero(valuable, axis=1) == 1
        self.cost_plus = single[self.product.row] & ~by_product[self.product.good]
        self.finishing_usd_per_kg = (
            cost_usd_per_kg * finishing_share / self.product.total(self.product.coefficient)
        )
        self._first_conversion_usd_per_kg = cost_usd_per_kg * (1.0 - finishing_share)
        self.own_conversion_usd_per_kg = self._first_conversion_usd_per_kg
        self.conversion_usd_per_kg = self.own_conversion_usd_per_kg
        self.activity_t = activity_t.copy()
        self.wanted_activity_t = activity_t.copy()
        self.feed_cover_months = feed_cover_months[self.feed.row, self.feed.good]
        self.product_cover_months = product_cover_months[self.product.row, self.product.good]
        self.extrapolation_share = extrapolation_share
        use_t = self.feed.coefficient * activity_t[self.feed.row]
        self.feed_stock_t = use_t * self.feed_cover_months
        self.feed_want_t = use_t
        self.feed_alarm_share = np.zeros(len(use_t))
        self.netback_usd_per_kg = np.full(len(use_t), -np.inf)
        self.feed_price_usd_per_kg = np.zeros(len(use_t))
        self.ask_floor_usd_per_kg = np.zeros(len(self.product.row))
        self.sales_t = self.product.coefficient * activity_t[self.product.row]
        self.product_stock_t = self.sales_t * (1.0 + self.product_cover_months)
        self._stock_settled_t = self.product_stock_t - self.sales_t  # a month before
        self.sold_t = self.sales_t.copy()
        self.made_t = self.sales_t.copy()
        self.rejected_t = np.zeros_like(self.sales_t)
        self.shortfall_usd_per_kg = np.zeros(self.rows)  # of last month's margin below full cost
        self.life = life
        self.cash_usd = np.zeros(self.rows)
        self.sold_payment_usd_per_kg = np.zeros_like(self.sales_t)
        self.long_sold_payment_usd_per_kg = np.zeros_like(self.sales_t)
        self.stock_change_t = np.zeros_like(self.sales_t)
        self._no_payment = np.zeros_like(self.sales_t)  # where there is no contract
        self._numbers = scenario.numbers()
        self._state_owned = life.state_owned[self.product.row]
        self._output_aim_share = np.where(life.state_owned, scenario.state_output_aim_share, 0.0)
        # the book
        leg = np.repeat(np.arange(len(self.product.row)), ASK_STEPS)
        self.ask_row = self.product.row[leg]
        self.ask_good, self.ask_place = self.product.good[leg], self.product.place[leg]
        self.clean_t = np.zeros(len(use_t))  # feed bid for as untouched
        self.clean_found_share = np.zeros(len(use_t))  # and the part of that bought last month
        self._seeks_clean = False
        self._make_room()

    def _make_room(self) -> None:
        """Say which bids they may post: for feed of any origin, and for untouched feed."""
        leg = np.repeat(np.arange(len(self.feed.row)), BID_STEPS)
        classes = (OPEN, BOUND) if self._seeks_clean else (OPEN,)
        self.bid_class = np.repeat(classes, len(leg))
        leg = np.tile(leg, len(classes))
        self.bid_row = self.feed.row[leg]
        self.bid_good, self.bid_place = self.feed.good[leg], self.feed.place[leg]

    def open_clean_bids(self) -> None:
        """Make room in the book for bids for untouched feed."""
        self._seeks_clean = True
        self._make_room()

    def learn(self, factor: np.ndarray) -> None:
        """Let conversion cost what places have learned, relative to the start, ``[stage, place]``.

        Finishing does not learn.
        """
        learned = factor[self.stage, self.place]
        self.own_conversion_usd_per_kg = self._first_conversion_usd_per_kg * learned

    def bear(self, factor: np.ndarray, borne_share: np.ndarray) -> None:
        """Let conversion cost what rules make of it, less what a state pays, this month.

        Parameters
        ----------
        factor, borne_share
            ``[facility stage, place]``.
        """
        share = self._own_share(factor, borne_share)
        self.conversion_usd_per_kg = self.own_conversion_usd_per_kg * share

    @kept
    def _own_share(self, factor: np.ndarray, borne_share: np.ndarray) -> np.ndarray:
        """Cost of conversion that each plant bears, relative to its own, ``[plant]``."""
        return np.asarray((factor * (1.0 - borne_share))[self.stage, self.place])

    # -- what a plant expects ------------------------------------------------------------------

    def product_price_usd_per_kg(self, bulletin: Bulletin) -> np.ndarray:
        """Price each plant expects for each product, ``[product leg]``."""
        leg, expected = self.product, np.empty(len(self.product.row))
        _expect(
            leg.row, leg.good, leg.place, self.extrapolation_share, bulletin.netback_usd_per_kg,
            bulletin.trend_per_month, expected,
        )  # fmt: skip
        return expected

    def revenue_usd_per_kg(self, price_usd_per_kg: np.ndarray) -> np.ndarray:
        """Revenue per kg of activity less the finishing of what is worth finishing, ``[plant]``."""
        return self.product.total(self.worth_usd_per_kg(price_usd_per_kg))

    def worth_usd_per_kg(self, price_usd_per_kg: np.ndarray) -> np.ndarray:
        """What each product adds to that, ``[product leg]``."""
        leg = self.product
        return _worth_usd_per_kg(
            leg.row, leg.coefficient, price_usd_per_kg, self.finishing_usd_per_kg
        )

    def contract_payment_usd_per_kg(
        self,
        price_usd_per_kg: np.ndarray,
        regime: Regime,
        lasting_share: Callable[[PriceFloor | Offtake], np.ndarray] | None = None,
        *,
        sold_only: bool = False,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Payment each plant expects per kg of each product from the contracts on offer.

        Parameters
        ----------
        price_usd_per_kg
            ``[product leg]`` market price expected.
        regime
            holds the contracts. Offtakes take their share of output first, floors cover the rest.
        lasting_share
            part of the time looked at that each plant expects a contract to cover; this month, all.
        sold_only
            leave out floors that are paid on output whether sold or not, and offtakes.

        Returns
        -------
        payment_usd_per_kg, covered_share
            ``[product leg]``; the second is the share of the revenue that a contract secures.
        """
        leg, price = self.product, price_usd_per_kg
        if not regime.price_floors and not regime.offtakes:
            return self._no_payment, self._no_payment
        payment, covered = np.zeros((2, len(leg.row)))
        free = np.ones(len(leg.row))  # of the output, not yet under an offtake
        lasting = np.ones(self.rows)
        for offtake in () if sold_only else regime.offtakes:
            under = chosen(leg.good, leg.place, offtake.goods, offtake.places)
            output_t = float((under * self.sales_t).sum())
            if lasting_share is not None:
                lasting = lasting_share(offtake)
            _add_offtake(
                leg.row, price, offtake_price(price, offtake), lasting,
                under * offtake.volume_t / max(output_t, 1e-9), offtake.floor_usd_per_kg, free,
                payment, covered,
            )  # fmt: skip
        for floor in regime.price_floors:
            if sold_only and floor.covers_stockpiled:
                continue
            if lasting_share is not None:
                lasting = lasting_share(floor)
            _add_floor(
                leg.row, leg.good, leg.place, price, free, lasting, floor.goods, floor.places,
                floor.strike_usd_per_kg, floor.upside_share, floor.subsidy_usd_per_kg, payment,
                covered,
            )  # fmt: skip
        return payment, np.minimum(covered, 1.0)

    def expect(self, bulletin: Bulletin, regime: Regime) -> None:
        """Form this month's expectations of prices and netbacks."""
        self.expected_usd_per_kg = self.product_price_usd_per_kg(bulletin)
        self.sold_payment_usd_per_kg, _ = self.contract_payment_usd_per_kg(
            self.expected_usd_per_kg, regime, sold_only=True
        )
        self.long_sold_payment_usd_per_kg, _ = self.contract_payment_usd_per_kg(
            self.product.at(bulletin.long_netback_usd_per_kg), regime, sold_only=True
        )
        payment, _ = self.contract_payment_usd_per_kg(self.expected_usd_per_kg, regime)
        feed, leg = self.feed, self.product
        _price_feed(
            feed.row, feed.good, feed.place, feed.coefficient, leg.row, leg.coefficient,
            self.cost_plus, self.extrapolation_share, self.conversion_usd_per_kg,
            self.finishing_usd_per_kg, self.expected_usd_per_kg, payment,
            bulletin.price_usd_per_kg, bulletin.trend_per_month, self.netback_usd_per_kg,
            self.feed_price_usd_per_kg, self.ask_floor_usd_per_kg,
        )  # fmt: skip

    def stock_target_t(self, bulletin: Bulletin) -> np.ndarray:
        """Stock each plant likes to hold, more while a product is cheap, ``[product leg]``.

        A floor on tonnes sold takes away the reason to wait for a better price; one that has paid
        for the tonnes in stock already leaves it.
        """
        return _stock_target_t(
            self.product.good, self.product.place, self.sales_t, self.product_cover_months,
            self.sold_payment_usd_per_kg, self.long_sold_payment_usd_per_kg,
            bulletin.netback_usd_per_kg, bulletin.long_netback_usd_per_kg, self._numbers,
        )  # fmt: skip

    def downstream_usd_per_kg(self, goods: int, places: int) -> np.ndarray:
        """Mean netback of the plants of a place for a good they use, ``[good, place]``.

        ``inf`` where no plant uses it.
        """
        feed, mean = self.feed, np.empty((goods, places))
        _mean_netback(feed.good, feed.place, self.feed_want_t, self.netback_usd_per_kg, mean)
        return mean

    def post(
        self,
        book: Book,
        bulletin: Bulletin,
        regime: Regime,
        downstream_usd_per_kg: np.ndarray,
        clean: CleanDemand | None = None,
    ) -> None:
        """Offer the products held, and bid for feed up to the netback.

        A seller with a floor on sold tonnes can go below its own cost by the top-up; a state
        producer that undercuts asks no more than the ceiling.

        Parameters
        ----------
        book, bulletin, regime
            of the month.
        downstream_usd_per_kg
            ``[good, place]`` what plants at home can pay.
        clean
            what bound buyers ask of them, where rules on content are in force.
        """
        leg = self.product
        _post_asks(
            leg.good, leg.place, self.product_stock_t, self.sales_t, self.product_cover_months,
            self.expected_usd_per_kg, self.ask_floor_usd_per_kg, self.cost_plus,
            self.sold_payment_usd_per_kg, self.long_sold_payment_usd_per_kg, self._state_owned,
            bulletin.netback_usd_per_kg, bulletin.long_netback_usd_per_kg,
            regime.state_ask_ceiling_usd_per_kg, downstream_usd_per_kg, self._numbers,
            *book.ask_columns["processor"],
        )  # fmt: skip
        bid_t, limit = book.bid_columns["processor"]
        open_t, orders = self.feed_want_t, BID_STEPS * len(self.feed.row)
        if self._seeks_clean:
            self.clean_t = self.clean_share(clean) * self.feed_want_t
            open_t = self.feed_want_t - self.clean_found_share * self.clean_t
            self._post_clean_bids(clean, bulletin, bid_t[orders:], limit[orders:])
        _post_bids(
            open_t, self.feed_alarm_share, self.netback_usd_per_kg,
            self.feed_price_usd_per_kg, self._numbers, bid_t[:orders], limit[:orders],
        )  # fmt: skip

    def clean_share(self, clean: CleanDemand | None) -> np.ndarray:
        r"""Part of each feed that a plant asks for untouched, ``[feed leg]``.

        .. math:: \beta_i = \max_g \min\Bigl[1,\ \frac{\sum_{d \in D} b_{gd}}{\sum_j y_{gj}}\Bigr]

        over its products :math:`g`, with last month's bids :math:`b` of bound buyers under the rule
        and the output :math:`y` of the plants that may choose: together these make as much as is
        asked for. Bids of plants for their own feed count like those of users, so the wish travels
        upstream by a stage a month. What was not found untouched is bid for as any other feed.
        """
        feed, leg = self.feed, self.product
        if clean is None:
            return np.zeros(len(feed.row))
        chooses = clean.matters[feed.good, feed.place]
        maker = np.bincount(feed.row, chooses, minlength=self.rows) > 0
        goods = len(clean.wanted_t)
        made_t = np.bincount(leg.good, self.made_t * maker[leg.row], minlength=goods)
        share = np.minimum(clean.wanted_t / np.maximum(made_t, SMALLEST_ORDER_T), 1.0)
        of_plant = np.zeros(self.rows)
        np.maximum.at(of_plant, leg.row, share[leg.good])
        return np.where(chooses, of_plant[feed.row], 0.0)

    def _post_clean_bids(
        self,
        clean: CleanDemand | None,
        bulletin: Bulletin,
        bid_t: np.ndarray,
        bid_usd_per_kg: np.ndarray,
    ) -> None:
        """Bid for untouched feed, up to what the premium adds to netback, into these columns."""
        feed, leg, netback = self.feed, self.product, self.netback_usd_per_kg
        price = bulletin.price_usd_per_kg[feed.good, feed.place, BOUND]
        if clean is not None:
            premium = leg.total(leg.coefficient * leg.at(clean.premium_usd_per_kg))
            netback = netback + premium[feed.row] / feed.coefficient
        _post_bids(
            self.clean_t, self.feed_alarm_share, netback, price, self._numbers,
            bid_t, bid_usd_per_kg,
        )  # fmt: skip

    def _take_feed(self, bid_fill_t: np.ndarray) -> np.ndarray:
        """Fills of both kinds of bids together, ``[bid]``; learn how much was found untouched."""
        if not self._seeks_clean:
            return bid_fill_t
        any_t, clean_t = bid_fill_t.reshape(2, -1)
        bought_t = clean_t.reshape(-1, BID_STEPS).sum(axis=1)
        self.clean_found_share = np.minimum(
            bought_t / np.maximum(self.clean_t, SMALLEST_ORDER_T), 1.0
        )
        return any_t + clean_t

    def settle(
        self,
        ask_fill_t: np.ndarray,
        bid_fill_t: np.ndarray,
        contract_t: np.ndarray,
        revenue_usd: np.ndarray,
        feed_cost_usd: np.ndarray,
    ) -> None:
        """Book the month's sales and purchases.

        Parameters
        ----------
        ask_fill_t, bid_fill_t
            ``[ask]`` and ``[bid]`` tonnes traded on the market.
        contract_t
            ``[product leg]`` tonnes delivered under offtakes, already out of stock.
        revenue_usd, feed_cost_usd
            ``[plant]`` received and paid, contracts included.
        """
        _settle_products(
            ask_fill_t, contract_t, self.product_stock_t, self.sold_t, self.stock_change_t,
            self._stock_settled_t,
        )  # fmt: skip
        _settle_feeds(
            self._take_feed(bid_fill_t), self.feed_want_t, self.netback_usd_per_kg,
            self.feed_price_usd_per_kg, self.feed_stock_t, self.feed_alarm_share, self._numbers,
        )  # fmt: skip
        self.cash_usd += revenue_usd - feed_cost_usd

    def plan(
        self,
        period: int,
        bulletin: Bulletin,
        regime: Regime,
        tied_feed_usd_per_kg: np.ndarray,
        mine_output_t: np.ndarray | float = 0.0,
    ) -> Spending:
        r"""Turn feed into next month's products; decide how much, and whether to go on, or build.

        Activity is the value-weighted average of what each product asks for, raised or lowered by
        the margin:
        :math:`x = \sum_g w_g x_g\,[1 + \varphi\,(m - m_0)]`, within capacity and feed.

        Parameters
        ----------
        period
            month of the run.
        bulletin
            this month's outcome.
        regime
            holds the contracts on offer: they add to revenue and lower the hurdle rate.
        tied_feed_usd_per_kg
            ``[plant]`` cost of feed from a mine of one's own, ``inf`` without one.
        mine_output_t
            ``[plant]`` what those mines made this month.

        Returns
        -------
        Spending
            operating and capital cost of the month.
        """
        life, leg, feed = self.life, self.product, self.feed
        able_t = life.able_t(period)
        price = self.product_price_usd_per_kg(bulletin)
        payment, _ = self.contract_payment_usd_per_kg(price, regime)
        cost, margin, operating_cost_usd = np.empty((3, self.rows))
        _choose_activity(
            feed.row, feed.good, feed.place, feed.coefficient, leg.row, leg.good, leg.place,
            leg.coefficient, price, payment, self.sales_t, self.product_stock_t,
            self.product_cover_months, self.sold_payment_usd_per_kg,
            self.long_sold_payment_usd_per_kg, self.conversion_usd_per_kg,
            self.finishing_usd_per_kg, tied_feed_usd_per_kg, able_t, life.age_months,
            planned_activity_t(mine_output_t, self._output_aim_share), life.state_owned,
            self._output_aim_share, bulletin.price_usd_per_kg, bulletin.netback_usd_per_kg,
            bulletin.long_netback_usd_per_kg, self.activity_t, self.wanted_activity_t,
            self._numbers, cost, margin,
        )  # fmt: skip
        _produce(
            feed.row, feed.coefficient, leg.row, leg.coefficient, self.wanted_activity_t,
            self.sold_t, price, self.conversion_usd_per_kg, self.finishing_usd_per_kg,
            self.feed_stock_t, self.product_stock_t, self.sales_t, self.made_t,
            self.rejected_t, self._numbers, self.activity_t, operating_cost_usd,
        )  # fmt: skip
        _order_feed(
            feed.row, feed.good, feed.place, feed.coefficient, self.wanted_activity_t, able_t,
            self.feed_cover_months, self.feed_stock_t, bulletin.price_usd_per_kg,
            bulletin.trend_per_month, bulletin.long_price_usd_per_kg,
            regime.announced_alarm_share, self.feed_alarm_share, self.feed_want_t,
            self._numbers,
        )  # fmt: skip

        # whether to go on, or to build
        prospect = self._prospect(bulletin, regime, tied_feed_usd_per_kg)
        believed = None
        if regime.doubted:
            believed = self._prospect(bulletin, regime.believed(), tied_feed_usd_per_kg)
        self.shortfall_usd_per_kg = life.capital_charge_usd_per_kg - margin
        operating_cost_usd = operating_cost_usd + life.idle_cost_usd(cost, self.activity_t)
        self.cash_usd -= operating_cost_usd
        capex_usd = life.expand(prospect.margin, self.wanted_activity_t > BUSY_SHARE * able_t)
        capex_usd = capex_usd + life.advance(
            period, self.cash_usd, margin, cost, prospect, believed
        )
        self.cash_usd -= capex_usd
        return Spending(operating_cost_usd, capex_usd)

    def _prospect(
        self, bulletin: Bulletin, regime: Regime, tied_feed_usd_per_kg: np.ndarray
    ) -> Prospect:
        """What a new plant looks at: its margin, with contracts, and the charge on its capital."""
        life, leg, feed = self.life, self.product, self.feed
        promised = regime.promised()
        long_price = leg.at(bulletin.prudent_netback_usd_per_kg())
        for threat in promised.threats:
            aimed_at = chosen(leg.good, leg.place, threat.goods, threat.places)
            feared = aimed_at * life.believed_share(threat)[leg.row]
            threatened = np.where(aimed_at, threat.price_usd_per_kg[leg.good], np.inf)
            long_price = feared_usd_per_kg(long_price, threatened, feared)
        long_payment, covered = self.contract_payment_usd_per_kg(
            long_price, promised, life.believed_share
        )
        project_margin, charge = np.empty((2, self.rows))
        _project(
            feed.row, feed.good, feed.place, feed.coefficient, leg.row, leg.coefficient,
            long_price, long_payment, covered, self.conversion_usd_per_kg,
            self.finishing_usd_per_kg, tied_feed_usd_per_kg, life.secured_charge_usd_per_kg,
            life.capital_charge_usd_per_kg, bulletin.long_price_usd_per_kg, project_margin, charge,
        )  # fmt: skip
        factor = life.charge_factor(regime, self.name, self.place, self.stage)
        return Prospect(project_margin, factor * charge, factor * life.secured_charge_usd_per_kg)


@compiled
def _expect(
    row: np.ndarray,
    good: np.ndarray,
    place: np.ndarray,
    extrapolation_share: np.ndarray,
    netback_usd_per_kg: np.ndarray,
    trend_per_month: np.ndarray,
    expected: np.ndarray,
) -> None:
    """See :meth:`Processors.product_price_usd_per_kg`."""
    for i in range(len(row)):
        here = (good[i], place[i])
        expected[i] = expected_price_usd_per_kg(
            netback_usd_per_kg[here], trend_per_month[here], extrapolation_share[row[i]]
        )


@compiled
def _add_offtake(
    row: np.ndarray,
    price_usd_per_kg: np.ndarray,
    paid_usd_per_kg: np.ndarray,
    lasting_share: np.ndarray,
    wanted_share: np.ndarray,
    floor_usd_per_kg: float,
    free_share: np.ndarray,
    payment_usd_per_kg: np.ndarray,
    covered_share: np.ndarray,
) -> None:
    """Add what an offtake pays and secures, ``[product leg]``; what it takes is free no more."""
    for i in range(len(row)):
        price, share = price_usd_per_kg[i], min(wanted_share[i], free_share[i])
        free_share[i] -= share
        share *= lasting_share[row[i]]
        payment_usd_per_kg[i] += share * (paid_usd_per_kg[i] - price)
        covered_share[i] += share * guarantee_share(price, floor_usd_per_kg)


@compiled
def _add_floor(
    row: np.ndarray,
    good: np.ndarray,
    place: np.ndarray,
    price_usd_per_kg: np.ndarray,
    free_share: np.ndarray,
    lasting_share: np.ndarray,
    goods: np.ndarray,
    places: np.ndarray,
    strike_usd_per_kg: float,
    upside_share: float,
    subsidy_usd_per_kg: float,
    payment_usd_per_kg: np.ndarray,
    covered_share: np.ndarray,
) -> None:
    """Add what a floor pays and secures, ``[product leg]``, to what other contracts do."""
    for i in range(len(row)):
        if goods[good[i]] and places[place[i]]:
            lasting, price = free_share[i] * lasting_share[row[i]], price_usd_per_kg[i]
            difference = floor_payment_usd_per_kg(
                price + payment_usd_per_kg[i], strike_usd_per_kg, upside_share
            )
            payment_usd_per_kg[i] += lasting * (difference + subsidy_usd_per_kg)
            covered_share[i] += lasting * guarantee_share(price, strike_usd_per_kg)


@compiled
def _worth_usd_per_kg(
    row: np.ndarray,
    coefficient: np.ndarray,
    price_usd_per_kg: np.ndarray,
    finishing_usd_per_kg: np.ndarray,
) -> np.ndarray:
    """See :meth:`Processors.worth_usd_per_kg`."""
    worth = np.empty(len(row))
    for i in range(len(row)):
        left = price_usd_per_kg[i] - finishing_usd_per_kg[row[i]]
        worth[i] = coefficient[i] * max(left, 0.0)
    return worth


@compiled
def _price_feed(
    feed_row: np.ndarray,
    feed_good: np.ndarray,
    feed_place: np.ndarray,
    feed_coefficient: np.ndarray,
    row: np.ndarray,
    coefficient: np.ndarray,
    cost_plus: np.ndarray,
    extrapolation_share: np.ndarray,
    conversion_usd_per_kg: np.ndarray,
    finishing_usd_per_kg: np.ndarray,
    expected_usd_per_kg: np.ndarray,
    payment_usd_per_kg: np.ndarray,
    price_usd_per_kg: np.ndarray,
    trend_per_month: np.ndarray,
    netback: np.ndarray,
    feed_price: np.ndarray,
    floor: np.ndarray,
) -> None:
    """Write netback and expected price of each feed, and the least each product is asked at.

    A single product is not sold below what replacing it costs, a joint one not below its finishing.
    """
    feeds, products, plants = len(feed_row), len(row), len(conversion_usd_per_kg)
    feed_cost, beside, revenue = np.zeros(plants), np.zeros(plants), np.zeros(plants)
    worth = _worth_usd_per_kg(
        row, coefficient, expected_usd_per_kg + payment_usd_per_kg, finishing_usd_per_kg
    )
    for i in range(products):
        revenue[row[i]] += worth[i]
    for i in range(feeds):
        good, place, plant = feed_good[i], feed_place[i], feed_row[i]
        feed_price[i] = expected_price_usd_per_kg(
            price_usd_per_kg[good, place, OPEN],
            trend_per_month[good, place],
            extrapolation_share[plant],
        )
        feed_cost[plant] += feed_coefficient[i] * feed_price[i]
    for i in range(feeds):
        plant = feed_row[i]
        netback[i] = netback_usd_per_kg(
            revenue[plant],
            conversion_usd_per_kg[plant],
            feed_cost[plant] - feed_coefficient[i] * feed_price[i],
            feed_coefficient[i],
        )
    for i in range(products):
        if not cost_plus[i]:
            beside[row[i]] += coefficient[i] * expected_usd_per_kg[i]
    for i in range(products):
        plant = row[i]
        floor[i] = finishing_usd_per_kg[plant]
        if cost_plus[i]:
            unit_cost = conversion_usd_per_kg[plant] + feed_cost[plant] - beside[plant]
            floor[i] = unit_cost / coefficient[i]


@compiled
def _mean_netback(
    good: np.ndarray,
    place: np.ndarray,
    want_t: np.ndarray,
    netback_usd_per_kg: np.ndarray,
    mean_usd_per_kg: np.ndarray,
) -> None:
    """See :meth:`Processors.downstream_usd_per_kg`; written to the last, ``[good, place]``."""
    weight_t = np.zeros(mean_usd_per_kg.shape)
    mean_usd_per_kg[:] = 0.0
    for i in range(len(good)):
        here = (good[i], place[i])
        weight_t[here] += want_t[i]
        mean_usd_per_kg[here] += want_t[i] * max(netback_usd_per_kg[i], 0.0)
    for g in range(len(weight_t)):
        for p in range(len(weight_t[g])):
            known = weight_t[g, p] > 0.0
            mean_usd_per_kg[g, p] = mean_usd_per_kg[g, p] / weight_t[g, p] if known else np.inf


@compiled
def _stock_target_t(
    good: np.ndarray,
    place: np.ndarray,
    sales_t: np.ndarray,
    cover_months: np.ndarray,
    payment_usd_per_kg: np.ndarray,
    long_payment_usd_per_kg: np.ndarray,
    netback_usd_per_kg: np.ndarray,
    long_netback_usd_per_kg: np.ndarray,
    numbers: np.ndarray,
) -> np.ndarray:
    """See :meth:`Processors.stock_target_t`."""
    s, target_t = numbers[0], np.empty(len(good))
    for i in range(len(good)):
        here, target_t[i] = (good[i], place[i]), 0.0
        if sales_t[i] > 0.0:  # a power costs more than all the rest
            target_t[i] = storage_target_t(
                normal_stock_t(sales_t[i], cover_months[i]),
                netback_usd_per_kg[here] + payment_usd_per_kg[i],
                long_netback_usd_per_kg[here] + long_payment_usd_per_kg[i],
                s.storage_response,
            )
    return target_t


@compiled
def _post_asks(
    good: np.ndarray,
    place: np.ndarray,
    stock_t: np.ndarray,
    sales_t: np.ndarray,
    cover_months: np.ndarray,
    expected_usd_per_kg: np.ndarray,
    floor_usd_per_kg: np.ndarray,
    cost_plus: np.ndarray,
    payment_usd_per_kg: np.ndarray,
    long_payment_usd_per_kg: np.ndarray,
    state_owned: np.ndarray,
    netback_usd_per_kg: np.ndarray,
    long_netback_usd_per_kg: np.ndarray,
    ceiling_usd_per_kg: np.ndarray,
    downstream_usd_per_kg: np.ndarray,
    numbers: np.ndarray,
    ask_t: np.ndarray,
    ask_usd_per_kg: np.ndarray,
) -> None:
    """Write quantity and limit of the asks, ``[product leg x step]``.

    Who is paid something on top of every kilogram sold asks that much less for it.
    """
    s, least, aimed = numbers[0], np.empty(len(good)), np.empty(len(good))
    target_t = _stock_target_t(
        good, place, sales_t, cover_months, payment_usd_per_kg, long_payment_usd_per_kg,
        netback_usd_per_kg, long_netback_usd_per_kg, numbers,
    )  # fmt: skip
    for i in range(len(good)):
        topped_up = max(payment_usd_per_kg[i], 0.0)
        counted = (
            replaced_share(stock_t[i], target_t[i], s.ask_stock_slope) if cost_plus[i] else 1.0
        )
        least[i] = max(counted * floor_usd_per_kg[i] - topped_up, 0.0)
        aimed[i] = max(expected_usd_per_kg[i] - topped_up, 0.0)
    quantity_t, limit = ask_curve(
        stock_t, target_t, sales_t, aimed, least, s.ask_flow_slope, s.ask_stock_slope
    )
    aim_state_asks(
        limit, state_owned, good, place, least, netback_usd_per_kg,
        downstream_usd_per_kg, ceiling_usd_per_kg, s,
    )  # fmt: skip
    ask_t[:], ask_usd_per_kg[:] = quantity_t.reshape(-1), limit.reshape(-1)


@compiled
def _post_bids(
    want_t: np.ndarray,
    alarm_share: np.ndarray,
    netback_usd_per_kg: np.ndarray,
    price_usd_per_kg: np.ndarray,
    numbers: np.ndarray,
    bid_t: np.ndarray,
    bid_usd_per_kg: np.ndarray,
) -> None:
    """Write quantity and limit of the bids, ``[feed leg x step]``, urgent before patient.

    A plant left short bids as urgently as a user, as far as its products pay for it.
    """
    s, feeds = numbers[0], len(want_t)
    amount_t, limit = bid_t.reshape(feeds, BID_STEPS), bid_usd_per_kg.reshape(feeds, BID_STEPS)
    for i in range(feeds):
        most, price = netback_usd_per_kg[i], price_usd_per_kg[i]
        more = s.consumer_step_share - s.bid_step_share
        step = max(s.bid_step_share + alarm_share[i] * more, s.bid_step_share)
        amount_t[i, 0] = URGENT_SHARE * want_t[i]
        amount_t[i, 1] = (1.0 - URGENT_SHARE) * want_t[i]
        limit[i, 0] = min(most, price * (1.0 + step))
        limit[i, 1] = min(most, price * PATIENT_FACTOR)


@compiled
def _settle_products(
    fill_t: np.ndarray,
    contract_t: np.ndarray,
    stock_t: np.ndarray,
    sold_t: np.ndarray,
    stock_change_t: np.ndarray,
    settled_t: np.ndarray,
) -> None:
    """Take what was sold out of stock, ``[product leg]``; ``settled_t`` is stock a month before."""
    for i in range(len(stock_t)):
        market_t = filled_t(fill_t, i, ASK_STEPS)
        stock_t[i] = max(stock_t[i] - market_t, 0.0)
        sold_t[i] = market_t + contract_t[i]
        stock_change_t[i] = stock_t[i] - settled_t[i]
        settled_t[i] = stock_t[i]


@compiled
def _settle_feeds(
    fill_t: np.ndarray,
    want_t: np.ndarray,
    netback_usd_per_kg: np.ndarray,
    price_usd_per_kg: np.ndarray,
    stock_t: np.ndarray,
    alarm_share: np.ndarray,
    numbers: np.ndarray,
) -> None:
    """Put what was bought into stock, ``[feed leg]``; what pays and was not delivered alarms."""
    s = numbers[0]
    for i in range(len(stock_t)):
        bought_t = filled_t(fill_t, i, BID_STEPS)
        stock_t[i] += bought_t
        unfilled = 0.0
        if netback_usd_per_kg[i] > price_usd_per_kg[i]:
            unfilled = unfilled_share(bought_t, URGENT_SHARE * want_t[i])
        alarm_share[i] = alarmed_share(alarm_share[i], unfilled, s.alarm_months)


@compiled
def _choose_activity(
    feed_row: np.ndarray,
    feed_good: np.ndarray,
    feed_place: np.ndarray,
    feed_coefficient: np.ndarray,
    row: np.ndarray,
    good: np.ndarray,
    place: np.ndarray,
    coefficient: np.ndarray,
    product_price_usd_per_kg: np.ndarray,
    payment_usd_per_kg: np.ndarray,
    sales_t: np.ndarray,
    stock_t: np.ndarray,
    cover_months: np.ndarray,
    sold_payment_usd_per_kg: np.ndarray,
    long_sold_payment_usd_per_kg: np.ndarray,
    conversion_usd_per_kg: np.ndarray,
    finishing_usd_per_kg: np.ndarray,
    tied_feed_usd_per_kg: np.ndarray,
    able_t: np.ndarray,
    age_months: np.ndarray,
    planned_t: np.ndarray,
    state_owned: np.ndarray,
    output_aim_share: np.ndarray,
    price_usd_per_kg: np.ndarray,
    netback_usd_per_kg: np.ndarray,
    long_netback_usd_per_kg: np.ndarray,
    last_activity_t: np.ndarray,
    wanted_activity: np.ndarray,
    numbers: np.ndarray,
    cost: np.ndarray,
    margin: np.ndarray,
) -> None:
    """Choose how much to make; write cost and margin per kg of activity too, ``[plant]``.

    A plant without sales to go by opens if it pays: fully when new, else at the first step.
    """
    s, plants = numbers[0], len(able_t)
    revenue, weighted, feed_cost = np.zeros(plants), np.zeros(plants), np.zeros(plants)
    worth_usd_per_kg = _worth_usd_per_kg(
        row, coefficient, product_price_usd_per_kg + payment_usd_per_kg, finishing_usd_per_kg
    )
    target_t = _stock_target_t(
        good, place, sales_t, cover_months, sold_payment_usd_per_kg, long_sold_payment_usd_per_kg,
        netback_usd_per_kg, long_netback_usd_per_kg, numbers,
    )  # fmt: skip
    for i in range(len(feed_row)):
        paid = price_usd_per_kg[feed_good[i], feed_place[i], OPEN]
        feed_cost[feed_row[i]] += feed_coefficient[i] * paid
    for i in range(len(row)):
        asked_t = wanted_activity_t(
            sales_t[i], stock_t[i], target_t[i], coefficient[i], s.stock_adjust_months
        )
        revenue[row[i]] += worth_usd_per_kg[i]
        weighted[row[i]] += worth_usd_per_kg[i] * asked_t
    for i in range(plants):
        feed = min(feed_cost[i], tied_feed_usd_per_kg[i])
        cost[i] = conversion_usd_per_kg[i] + feed
        margin[i] = revenue[i] - feed - conversion_usd_per_kg[i]
        margin_share = margin[i] / max(revenue[i], 1e-6)
        push = margin_share - s.normal_margin_share
        opens = 1.0 if age_months[i] < 12 else (START_SHARE if push > 0.0 else 0.0)
        push = s.margin_response * min(max(push, -0.5), 0.5)
        if push < 0.0:
            push *= 1.0 - output_aim_share[i]
        wanted = weighted[i] / max(revenue[i], 1e-6) * (1.0 + push)
        wanted = max(wanted, able_t[i] * opens, planned_t[i]) if margin_share > -0.5 else 0.0
        if state_owned[i]:
            layoff_share = s.state_layoff_share_per_month
            wanted = max(wanted, least_output_t(able_t[i], last_activity_t[i], layoff_share))
        wanted_activity[i] = min(wanted, able_t[i])


@compiled
def _produce(
    feed_row: np.ndarray,
    feed_coefficient: np.ndarray,
    row: np.ndarray,
    coefficient: np.ndarray,
    wanted_activity: np.ndarray,
    sold_t: np.ndarray,
    price_usd_per_kg: np.ndarray,
    conversion_usd_per_kg: np.ndarray,
    finishing_usd_per_kg: np.ndarray,
    feed_stock_t: np.ndarray,
    stock_t: np.ndarray,
    sales_t: np.ndarray,
    made_t: np.ndarray,
    rejected_t: np.ndarray,
    numbers: np.ndarray,
    activity_t: np.ndarray,
    cost_usd: np.ndarray,
) -> None:
    """Make products from the feed held; write activity and its cost too, ``[plant]``.

    What fetches less than the plant's average kilogram is a by-product, and rejected when stock is
    full; what carries the plant is stored.
    """
    s = numbers[0]
    activity_t[:] = wanted_activity
    weight_t, value = np.zeros(len(activity_t)), np.zeros(len(activity_t))
    for i in range(len(row)):
        weight_t[row[i]] += coefficient[i]
        value[row[i]] += coefficient[i] * price_usd_per_kg[i]
    for i in range(len(feed_row)):
        plant = feed_row[i]
        activity_t[plant] = min(activity_t[plant], feed_stock_t[i] / feed_coefficient[i])
    for i in range(len(feed_row)):
        used_t = feed_coefficient[i] * activity_t[feed_row[i]]
        feed_stock_t[i] = max(feed_stock_t[i] - used_t, 0.0)
    finishing = np.zeros(len(activity_t))
    for i in range(len(row)):
        yield_t = coefficient[i] * activity_t[row[i]]
        smoothed_t = smooth(sales_t[i], sold_t[i], s.sales_memory_months)
        sales_t[i] = max(smoothed_t, 0.25 * yield_t)
        room_t = max(sales_t[i] * s.stock_limit_months - stock_t[i], 0.0)
        by_product = price_usd_per_kg[i] * weight_t[row[i]] < value[row[i]] * (1.0 - 1e-9)
        made_t[i] = min(yield_t, room_t) if by_product else yield_t
        rejected_t[i] = yield_t - made_t[i]
        stock_t[i] += made_t[i]
        finishing[row[i]] += finishing_usd_per_kg[row[i]] * made_t[i]
    for i in range(len(activity_t)):
        cost_usd[i] = KG_PER_T * (conversion_usd_per_kg[i] * activity_t[i] + finishing[i])


@compiled
def _order_feed(
    row: np.ndarray,
    good: np.ndarray,
    place: np.ndarray,
    coefficient: np.ndarray,
    wanted_activity: np.ndarray,
    able_t: np.ndarray,
    usual_cover_months: np.ndarray,
    stock_t: np.ndarray,
    price_usd_per_kg: np.ndarray,
    trend_per_month: np.ndarray,
    long_price_usd_per_kg: np.ndarray,
    announced_alarm_share: np.ndarray,
    alarm_share: np.ndarray,
    want_t: np.ndarray,
    numbers: np.ndarray,
) -> None:
    """Choose what to buy next, ``[feed leg]``; a plant that can make nothing buys nothing."""
    s = numbers[0]
    for i in range(len(row)):
        here = (good[i], place[i])
        use_t = coefficient[i] * wanted_activity[row[i]]
        alarm_share[i] = max(alarm_share[i], announced_alarm_share[place[i]])
        gain = expected_gain_share(
            trend_per_month[here],
            price_usd_per_kg[good[i], place[i], OPEN],
            long_price_usd_per_kg[here],
            s,
        )
        cover = wanted_cover_months(usual_cover_months[i], gain, alarm_share[i], s)
        want_t[i] = 0.0
        if able_t[row[i]] > 0.0:
            want_t[i] = wanted_t(use_t, cover, stock_t[i], s.stock_adjust_months)


@compiled
def _project(
    feed_row: np.ndarray,
    feed_good: np.ndarray,
    feed_place: np.ndarray,
    feed_coefficient: np.ndarray,
    row: np.ndarray,
    coefficient: np.ndarray,
    price_usd_per_kg: np.ndarray,
    payment_usd_per_kg: np.ndarray,
    covered_share: np.ndarray,
    conversion_usd_per_kg: np.ndarray,
    finishing_usd_per_kg: np.ndarray,
    tied_feed_usd_per_kg: np.ndarray,
    secured_charge_usd_per_kg: np.ndarray,
    charge_usd_per_kg: np.ndarray,
    long_price_usd_per_kg: np.ndarray,
    margin: np.ndarray,
    charge: np.ndarray,
) -> None:
    """Write margin of a new plant in the long run, and the capital charge it must cover.

    The part of revenue that contracts secure is financed at the lower rate.
    """
    plants = len(conversion_usd_per_kg)
    revenue, secured, feed_cost = np.zeros(plants), np.zeros(plants), np.zeros(plants)
    worth_usd_per_kg = _worth_usd_per_kg(
        row, coefficient, price_usd_per_kg + payment_usd_per_kg, finishing_usd_per_kg
    )
    for i in range(len(feed_row)):
        price = long_price_usd_per_kg[feed_good[i], feed_place[i]]
        feed_cost[feed_row[i]] += feed_coefficient[i] * price
    for i in range(len(row)):
        revenue[row[i]] += worth_usd_per_kg[i]
        secured[row[i]] += worth_usd_per_kg[i] * covered_share[i]
    for i in range(plants):
        feed = min(feed_cost[i], tied_feed_usd_per_kg[i])
        margin[i] = revenue[i] - feed - conversion_usd_per_kg[i]
        share = secured[i] / max(revenue[i], 1e-6)
        charge[i] = share * secured_charge_usd_per_kg[i] + (1.0 - share) * charge_usd_per_kg[i]
