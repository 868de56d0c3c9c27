"""Processors: separators, metal makers, magnet makers, recyclers. One class; the recipe differs.

A processor bids for feed up to what its products are expected to bring (the netback), makes what it
expects to sell, corrected for stocks and for its margin, and offers what it has. Joint products
leave together: one that nobody buys is rejected before it is finished, which saves its finishing
cost, so cheap by-products settle at that cost while the dear ones carry the chain.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rare_market.agents.lifecycle import START_SHARE, Lifecycle, Prospect, Spending
from rare_market.agents.trader import (
    ASK_STEPS,
    Trader,
    alarmed_share,
    ask_curve,
    expected_gain_share,
    expected_price_usd_per_kg,
    least_output_t,
    smooth,
    state_ask_usd_per_kg,
    storage_target_t,
    wanted_cover_months,
)
from rare_market.book import Book
from rare_market.contracts import KG_PER_T, Offtake, PriceFloor, feared_usd_per_kg, guarantee_share
from rare_market.contracts import offtake_price_usd_per_kg as offtake_price
from rare_market.goods import OPEN
from rare_market.records import Bulletin
from rare_market.regime import Regime
from rare_market.scenario import Scenario

URGENT_SHARE = 0.75  # of the feed wanted; the rest only near the expected price
PATIENT_FACTOR = 1.02
BID_STEPS = 2
BUSY_SHARE = 0.85  # of what a plant is able to make, above which it may expand


class Processor(Trader):
    """One plant: a row of :class:`Processors`."""


def netback_usd_per_kg(
    revenue_usd_per_kg: np.ndarray,
    conversion_usd_per_kg: np.ndarray,
    other_feed_usd_per_kg: np.ndarray,
    coefficient: np.ndarray,
) -> np.ndarray:
    r"""Most a plant can pay for one feed: :math:`(R - c - \sum_{j\ne i} a_j P_j)/a_i`."""
    return (revenue_usd_per_kg - conversion_usd_per_kg - other_feed_usd_per_kg) / coefficient


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


class Legs:
    """The sparse entries of a recipe matrix: which plant, which good, how much per activity."""

    def __init__(self, coefficient: np.ndarray, place: np.ndarray) -> None:
        self.row, self.good = np.nonzero(coefficient)
        self.coefficient = coefficient[self.row, self.good]
        self.place = place[self.row]
        self.plants = len(place)

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
        self.sales_t = self.product.coefficient * activity_t[self.product.row]
        self.product_stock_t = self.sales_t * (1.0 + self.product_cover_months)
        self._stock_settled_t = self.product_stock_t - self.sales_t
        self.sold_t = self.sales_t.copy()
        self.made_t = self.sales_t.copy()
        self.rejected_t = np.zeros_like(self.sales_t)
        self.shortfall_usd_per_kg = np.zeros(self.rows)  # of last month's margin below full cost
        self.life = life
        self.cash_usd = np.zeros(self.rows)
        self.sold_payment_usd_per_kg = np.zeros_like(self.sales_t)
        self.long_sold_payment_usd_per_kg = np.zeros_like(self.sales_t)
        self._scenario = scenario
        self._flexible = np.where(life.state_owned, 1.0 - scenario.state_output_aim_share, 1.0)
        # the book
        leg = np.repeat(np.arange(len(self.product.row)), ASK_STEPS)
        self.ask_row = self.product.row[leg]
        self.ask_good, self.ask_place = self.product.good[leg], self.product.place[leg]
        leg = np.repeat(np.arange(len(self.feed.row)), BID_STEPS)
        self.bid_row = self.feed.row[leg]
        self.bid_good, self.bid_place = self.feed.good[leg], self.feed.place[leg]
        self.bid_class = np.full(len(leg), OPEN)

    def learn(self, factor: np.ndarray) -> None:
        """Let conversion cost what places have learned, relative to the start, ``[stage, place]``.

        Finishing does not learn.
        """
        learned = factor[self.stage, self.place]
        self.own_conversion_usd_per_kg = self._first_conversion_usd_per_kg * learned

    def bear(self, share: np.ndarray) -> None:
        """Let the cost of conversion be that part of the plant's own, this month, ``[plant]``."""
        self.conversion_usd_per_kg = self.own_conversion_usd_per_kg * share

    # -- what a plant expects ------------------------------------------------------------------

    def product_price_usd_per_kg(self, bulletin: Bulletin) -> np.ndarray:
        """Price each plant expects for each product, ``[product leg]``."""
        leg = self.product
        return expected_price_usd_per_kg(
            bulletin.netback_usd_per_kg[leg.good, leg.place],
            bulletin.trend_per_month[leg.good, leg.place],
            self.extrapolation_share[leg.row],
        )

    def revenue_usd_per_kg(self, price_usd_per_kg: np.ndarray) -> np.ndarray:
        """Revenue per kg of activity less the finishing of what is worth finishing, ``[plant]``."""
        leg = self.product
        worth = np.maximum(price_usd_per_kg - self.finishing_usd_per_kg[leg.row], 0.0)
        return leg.total(leg.coefficient * worth)

    def contract_payment_usd_per_kg(
        self,
        price_usd_per_kg: np.ndarray,
        regime: Regime,
        lasting_share: Callable[[PriceFloor | Offtake], np.ndarray | float] = lambda terms: 1.0,
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
            part of the time looked at that a contract is expected to cover; this month, all.
        sold_only
            leave out floors that are paid on output whether sold or not, and offtakes.

        Returns
        -------
        payment_usd_per_kg, covered_share
            ``[product leg]``; the second is the share of the revenue that a contract secures.
        """
        leg, price = self.product, price_usd_per_kg
        payment, covered = np.zeros(len(leg.row)), np.zeros(len(leg.row))
        if not regime.price_floors and not regime.offtakes:
            return payment, covered
        free = np.ones(len(leg.row))  # of the output, not yet under an offtake
        for offtake in () if sold_only else regime.offtakes:
            under = offtake.goods[leg.good] & offtake.places[leg.place]
            output_t = float((under * self.sales_t).sum())
            share = np.minimum(under * offtake.volume_t / max(output_t, 1e-9), free)
            free = free - share
            lasting = share * lasting_share(offtake)
            payment += lasting * (offtake_price(price, offtake) - price)
            covered += lasting * guarantee_share(price, offtake.floor_usd_per_kg)
        for floor in regime.price_floors:
            if sold_only and floor.covers_stockpiled:
                continue
            under = floor.goods[leg.good] & floor.places[leg.place]
            lasting = under * free * lasting_share(floor)
            payment += lasting * floor.payment_usd_per_kg(price + payment)
            covered += lasting * guarantee_share(price, floor.strike_usd_per_kg)
        return payment, np.minimum(covered, 1.0)

    def expect(self, bulletin: Bulletin, regime: Regime) -> None:
        """Form this month's expectations of prices and netbacks."""
        feed, leg = self.feed, self.product
        self.expected_usd_per_kg = self.product_price_usd_per_kg(bulletin)
        self.sold_payment_usd_per_kg, _ = self.contract_payment_usd_per_kg(
            self.expected_usd_per_kg, regime, sold_only=True
        )
        self.long_sold_payment_usd_per_kg, _ = self.contract_payment_usd_per_kg(
            bulletin.long_netback_usd_per_kg[leg.good, leg.place], regime, sold_only=True
        )
        payment, _ = self.contract_payment_usd_per_kg(self.expected_usd_per_kg, regime)
        self.feed_price_usd_per_kg = expected_price_usd_per_kg(
            bulletin.price_usd_per_kg[feed.good, feed.place, OPEN],
            bulletin.trend_per_month[feed.good, feed.place],
            self.extrapolation_share[feed.row],
        )
        feed_cost = feed.coefficient * self.feed_price_usd_per_kg
        self.feed_cost_usd_per_kg = feed.total(feed_cost)
        revenue = self.revenue_usd_per_kg(self.expected_usd_per_kg + payment)
        self.netback_usd_per_kg = netback_usd_per_kg(
            revenue[feed.row],
            self.conversion_usd_per_kg[feed.row],
            self.feed_cost_usd_per_kg[feed.row] - feed_cost,
            feed.coefficient,
        )
        beside = np.where(self.cost_plus, 0.0, leg.coefficient * self.expected_usd_per_kg)
        unit_cost = self.conversion_usd_per_kg + self.feed_cost_usd_per_kg - leg.total(beside)
        # a single product is not sold below what replacing it costs, a joint one not below its
        # finishing
        self.ask_floor_usd_per_kg = np.where(
            self.cost_plus, unit_cost[leg.row] / leg.coefficient, self.finishing_usd_per_kg[leg.row]
        )

    def normal_stock_t(self) -> np.ndarray:
        """Stock each plant holds of each product at an ordinary price, ``[product leg]``."""
        return self.sales_t * (1.0 + self.product_cover_months)

    def stock_target_t(self, bulletin: Bulletin) -> np.ndarray:
        """Stock each plant likes to hold, more while a product is cheap, ``[product leg]``.

        A floor on tonnes sold takes away the reason to wait for a better price; one that has paid
        for the tonnes in stock already leaves it.
        """
        leg = self.product
        price = bulletin.netback_usd_per_kg[leg.good, leg.place]
        long_price = bulletin.long_netback_usd_per_kg[leg.good, leg.place]
        return storage_target_t(
            self.normal_stock_t(),
            price + self.sold_payment_usd_per_kg,
            long_price + self.long_sold_payment_usd_per_kg,
            self._scenario.storage_response,
        )

    def downstream_usd_per_kg(self, goods: int, places: int) -> np.ndarray:
        """Mean netback of the plants of a place for a good they use, ``[good, place]``.

        ``inf`` where no plant uses it.
        """
        feed = self.feed
        cell = feed.good * places + feed.place
        worth = np.maximum(self.netback_usd_per_kg, 0.0)
        weight = np.bincount(cell, self.feed_want_t, minlength=goods * places)
        total = np.bincount(cell, self.feed_want_t * worth, minlength=goods * places)
        mean = np.divide(total, weight, out=np.full(len(total), np.inf), where=weight > 0.0)
        return mean.reshape(goods, places)

    def post(
        self, book: Book, bulletin: Bulletin, regime: Regime, downstream_usd_per_kg: np.ndarray
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
        """
        s, leg = self._scenario, self.product
        at = (leg.good, leg.place)
        topped_up = np.maximum(self.sold_payment_usd_per_kg, 0.0)
        least = np.maximum(self.ask_floor_usd_per_kg - topped_up, 0.0)
        quantity_t, limit = ask_curve(
            self.product_stock_t,
            self.stock_target_t(bulletin),
            self.sales_t,
            self.expected_usd_per_kg,
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
        book.post_asks(
            "processor",
            quantity_t,
            np.where(self.life.state_owned[leg.row][:, None], aimed, limit),
        )

        most, price = self.netback_usd_per_kg, self.feed_price_usd_per_kg
        bid = np.empty((len(most), BID_STEPS))
        # a plant left short bids as urgently as a user, as far as its products pay for it
        step = s.bid_step_share + self.feed_alarm_share * (s.consumer_step_share - s.bid_step_share)
        bid[:, 0] = np.minimum(most, price * (1.0 + np.maximum(step, s.bid_step_share)))
        bid[:, 1] = np.minimum(most, price * PATIENT_FACTOR)
        amount = np.empty((len(most), BID_STEPS))
        amount[:, 0] = URGENT_SHARE * self.feed_want_t
        amount[:, 1] = (1.0 - URGENT_SHARE) * self.feed_want_t
        book.post_bids("processor", amount, bid)

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
        market_t = ask_fill_t.reshape(-1, ASK_STEPS).sum(axis=1)
        self.product_stock_t = np.maximum(self.product_stock_t - market_t, 0.0)
        self.sold_t = market_t + contract_t
        bought_t = bid_fill_t.reshape(-1, BID_STEPS).sum(axis=1)
        self.feed_stock_t = self.feed_stock_t + bought_t
        unfilled = 1.0 - bought_t / np.maximum(URGENT_SHARE * self.feed_want_t, 1e-9)
        pays = self.netback_usd_per_kg > self.feed_price_usd_per_kg
        self.feed_alarm_share = alarmed_share(
            self.feed_alarm_share,
            np.where(pays & (self.feed_want_t > 1e-9), np.clip(unfilled, 0.0, 1.0), 0.0),
            self._scenario.alarm_months,
        )
        self.stock_change_t = self.product_stock_t - self._stock_settled_t
        self._stock_settled_t = self.product_stock_t
        self.cash_usd += revenue_usd - feed_cost_usd

    def plan(
        self,
        period: int,
        bulletin: Bulletin,
        regime: Regime,
        tied_feed_usd_per_kg: np.ndarray,
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

        Returns
        -------
        Spending
            operating and capital cost of the month.
        """
        s, life, leg, feed = self._scenario, self.life, self.product, self.feed
        able_t = life.able_t(period)

        price = self.product_price_usd_per_kg(bulletin)
        payment, _ = self.contract_payment_usd_per_kg(price, regime)
        paid = bulletin.price_usd_per_kg[feed.good, feed.place, OPEN]
        worth = leg.coefficient * np.maximum(
            price + payment - self.finishing_usd_per_kg[leg.row], 0.0
        )
        revenue = leg.total(worth)
        feed_cost = np.minimum(feed.total(feed.coefficient * paid), tied_feed_usd_per_kg)
        margin = revenue - feed_cost - self.conversion_usd_per_kg
        margin_share = margin / np.maximum(revenue, 1e-6)

        # how much to make
        target_t = self.stock_target_t(bulletin)
        asked_t = wanted_activity_t(
            self.sales_t, self.product_stock_t, target_t, leg.coefficient, s.stock_adjust_months
        )
        weighted_t = leg.total(worth * asked_t) / np.maximum(revenue, 1e-6)
        push = s.margin_response * np.clip(margin_share - s.normal_margin_share, -0.5, 0.5)
        push = np.where(push < 0.0, push * self._flexible, push)
        # a plant without sales to go by opens if it pays: fully when new, else at the first step
        pays = margin_share > s.normal_margin_share
        opening_t = able_t * np.where(life.age_months < 12, 1.0, START_SHARE * pays)
        wanted = np.maximum(weighted_t * (1.0 + push), opening_t)
        wanted = np.where(margin_share > -0.5, wanted, 0.0)
        least_t = least_output_t(able_t, self.activity_t, s.state_layoff_share_per_month)
        wanted = np.where(life.state_owned, np.maximum(wanted, least_t), wanted)
        self.wanted_activity_t = np.minimum(wanted, able_t)

        # make it from the feed held
        feasible_t = np.full(self.rows, np.inf)
        np.minimum.at(feasible_t, feed.row, self.feed_stock_t / feed.coefficient)
        self.activity_t = np.minimum(self.wanted_activity_t, feasible_t)
        self.feed_stock_t = np.maximum(
            self.feed_stock_t - feed.coefficient * self.activity_t[feed.row], 0.0
        )
        yield_t = leg.coefficient * self.activity_t[leg.row]
        self.sales_t = np.maximum(
            smooth(self.sales_t, self.sold_t, s.sales_memory_months), 0.25 * yield_t
        )
        limit_t = self.sales_t * s.stock_limit_months
        self.made_t = np.minimum(yield_t, np.maximum(limit_t - self.product_stock_t, 0.0))
        self.rejected_t = yield_t - self.made_t
        self.product_stock_t = self.product_stock_t + self.made_t
        operating_cost_usd = KG_PER_T * (
            self.conversion_usd_per_kg * self.activity_t
            + leg.total(self.finishing_usd_per_kg[leg.row] * self.made_t)
        )

        # what to buy next
        use_t = feed.coefficient * self.wanted_activity_t[feed.row]
        self.feed_alarm_share = np.maximum(
            self.feed_alarm_share, regime.announced_alarm_share[feed.place]
        )
        cover_months = wanted_cover_months(
            self.feed_cover_months,
            expected_gain_share(
                bulletin.trend_per_month[feed.good, feed.place],
                paid,
                bulletin.long_price_usd_per_kg[feed.good, feed.place],
                s,
            ),
            self.feed_alarm_share,
            s,
        )
        gap_t = use_t * cover_months - self.feed_stock_t
        self.feed_want_t = np.maximum(use_t + gap_t / s.stock_adjust_months, 0.0)
        self.feed_want_t = np.where(able_t[feed.row] > 0.0, self.feed_want_t, 0.0)

        # whether to go on, or to build
        prospect = self._prospect(bulletin, regime, tied_feed_usd_per_kg)
        believed = None
        if regime.doubted:
            believed = self._prospect(bulletin, regime.believed(), tied_feed_usd_per_kg)
        self.shortfall_usd_per_kg = life.capital_charge_usd_per_kg - margin
        cost = self.conversion_usd_per_kg + feed_cost
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
        long_price = bulletin.prudent_netback_usd_per_kg()[leg.good, leg.place]
        for threat in promised.threats:
            aimed_at = threat.goods[leg.good] & threat.places[leg.place]
            feared = aimed_at * life.believed_share(threat)[leg.row]
            threatened = np.where(aimed_at, threat.price_usd_per_kg[leg.good], np.inf)
            long_price = feared_usd_per_kg(long_price, threatened, feared)
        long_payment, covered = self.contract_payment_usd_per_kg(
            long_price, promised, lambda terms: life.believed_share(terms)[leg.row]
        )
        long_worth = leg.coefficient * np.maximum(
            long_price + long_payment - self.finishing_usd_per_kg[leg.row], 0.0
        )
        long_revenue = leg.total(long_worth)
        secured = leg.total(long_worth * covered) / np.maximum(long_revenue, 1e-6)
        long_feed = feed.total(
            feed.coefficient * bulletin.long_price_usd_per_kg[feed.good, feed.place]
        )
        project_margin = (
            long_revenue - np.minimum(long_feed, tied_feed_usd_per_kg) - self.conversion_usd_per_kg
        )
        charge = (
            secured * life.secured_charge_usd_per_kg
            + (1.0 - secured) * life.capital_charge_usd_per_kg
        )
        factor = life.finance_factor(regime.finance, self.name, self.place, self.stage) * (
            1.0 + regime.capital_added_share[self.stage, self.place]
        )
        return Prospect(project_margin, factor * charge, factor * life.secured_charge_usd_per_kg)
