"""Buyers: a sector in a place that uses up one good.

Use grows with the sector, responds little to price within a year, and is met from stock when the
market does not deliver. A buyer bids urgently for what it uses and patiently for its stock.
"""

from __future__ import annotations

import numpy as np

from rare_market.agents.trader import (
    Trader,
    alarmed_share,
    expected_gain_share,
    expected_price_usd_per_kg,
    filled_t,
    unfilled_share,
    wanted_cover_months,
    wanted_t,
)
from rare_market.book import Book
from rare_market.compiled import compiled
from rare_market.goods import BOUND, LOYAL, MILITARY, MONTHS_PER_YEAR
from rare_market.records import Bulletin
from rare_market.regime import Regime
from rare_market.scenario import Scenario

URGENT_SHARE, NORMAL_SHARE = 0.7, 0.2
NORMAL_FACTOR, PATIENT_FACTOR = 1.08, 1.02
BID_STEPS = 3
SMALLEST_PRICE_USD_PER_KG = 1e-3  # below it neither use nor design responds
NO_SUBSTITUTE = -1


class Buyer(Trader):
    """One sector in one place buying one good: a row of :class:`Buyers`."""


@compiled
def use_t(
    normal_t: np.ndarray,
    price_usd_per_kg: np.ndarray,
    first_price_usd_per_kg: np.ndarray,
    elasticity: np.ndarray,
) -> np.ndarray:
    r"""Use in a month: :math:`u = \bar u\,(P/P_0)^{\varepsilon}`, elasticity not positive."""
    price = np.maximum(price_usd_per_kg, SMALLEST_PRICE_USD_PER_KG)
    return normal_t * (price / first_price_usd_per_kg) ** elasticity


@compiled
def redesign_aim_share(
    price_ratio: np.ndarray, cost_share: np.ndarray, trigger_share: float, elasticity: float
) -> np.ndarray:
    r"""Use per unit of product that a redesign for these prices aims at.

    .. math:: a = \min\bigl[1,\ \rho^{-\epsilon w}\bigr], \qquad
              w = \frac{\sigma\rho}{\sigma\rho + \sigma_0}

    with :math:`\rho = P/P_0` and the rare earth's share :math:`\sigma` of the product's cost at the
    first price: what costs a thousandth of the product is not designed out (mechanism: the cost
    share, not the price, triggers adoption).

    Parameters
    ----------
    price_ratio
        ``[buyer]`` :math:`\rho`, positive.
    cost_share
        ``[buyer]`` :math:`\sigma`.
    trigger_share
        :math:`\sigma_0`, the cost share at which half the response is triggered.
    elasticity
        :math:`\epsilon`, in the long run, of use that matters for cost.
    """
    burden = cost_share * price_ratio
    weight = burden / (burden + trigger_share)
    return np.minimum(price_ratio ** (-elasticity * weight), 1.0)


@compiled
def kept_aim_share(relative_ratio: np.ndarray, elasticity: float) -> np.ndarray:
    r"""Part of a sector's use that designs for these prices leave with the better grade.

    .. math:: a = \min\bigl[1,\ (\rho/\rho_s)^{-\epsilon_s}\bigr]

    with the prices of the two grades, each over its first, :math:`\rho` and :math:`\rho_s`. A maker
    chooses between grades of one part by their prices, whatever part of the product they are.
    """
    return np.minimum(relative_ratio**-elasticity, 1.0)


@compiled
def researched_share(
    designed_share: np.ndarray, aim_share: np.ndarray, months: float, recovery_share: float
) -> np.ndarray:
    r"""Designs under way next month: :math:`d' = d + (a - d)/T`, back at a share of that speed.

    What was designed out comes back slowly when the price falls (Japan after 2011: magnets per car
    -40 % in two years, little rebound).
    """
    gap = aim_share - designed_share
    moved = np.minimum(gap, 0.0) + recovery_share * np.maximum(gap, 0.0)
    return designed_share + moved / months


def activity_path(
    years: np.ndarray, first_year: float, knot_years: np.ndarray, index: np.ndarray
) -> np.ndarray:
    r"""Activity of a sector relative to its first year, ``[period]``.

    Log-linear between the middles of the knots' years, with constant growth beyond the first and
    the last: :math:`\ln A(t)` is piecewise linear, and :math:`A = 1` in the middle of year one.

    Parameters
    ----------
    years
        ``[period]`` calendar year at the start of each month.
    first_year
        year one.
    knot_years, index
        ``[knot]`` years, rising, and the sector's index in each.
    """
    moment = np.concatenate([[first_year + 0.5], years + 0.5 / MONTHS_PER_YEAR])
    knot, log = knot_years + 0.5, np.log(index)
    if len(knot) == 1:
        return np.ones(len(years))
    piece = np.clip(np.searchsorted(knot, moment, side="right") - 1, 0, len(knot) - 2)
    slope = np.diff(log) / np.diff(knot)
    path = log[piece] + slope[piece] * (moment - knot[piece])
    return np.asarray(np.exp(path[1:] - path[0]))


class Buyers:
    """The cohort of buyers.

    Parameters
    ----------
    names, place, good, buyer_class
        ``[buyer]``; codes.
    military
        ``[buyer]`` bool: of military end use, and open.
    demand_t
        ``[buyer]`` tonnes per month in the first year.
    demand_index
        ``[period, buyer]`` growth times shock.
    elasticity
        ``[buyer]`` of use to price within a year, not positive.
    cover_months
        ``[buyer]`` use each likes to hold in stock.
    first_price_usd_per_kg
        ``[buyer]`` price at which the first year's demand was measured.
    cost_share
        ``[buyer]`` of the rare earth in the cost of the product, at the first price.
    substitute
        ``[buyer]`` row of the same sector and place that uses the good's substitute, or
        :data:`NO_SUBSTITUTE`.
    extrapolation_share
        ``[buyer]`` part of the trend each expects to go on.
    scenario
        responses.
    """

    def __init__(
        self,
        *,
        names: tuple[str, ...],
        place: np.ndarray,
        good: np.ndarray,
        buyer_class: np.ndarray,
        military: np.ndarray,
        demand_t: np.ndarray,
        demand_index: np.ndarray,
        elasticity: np.ndarray,
        cover_months: np.ndarray,
        first_price_usd_per_kg: np.ndarray,
        cost_share: np.ndarray,
        substitute: np.ndarray,
        extrapolation_share: np.ndarray,
        scenario: Scenario,
    ) -> None:
        self.rows = len(place)
        self.name = np.array(names)
        self.place, self.good, self.buyer_class = place, good, buyer_class.copy()
        self.military, self._usual_class = military, buyer_class
        self.demand_t, self.demand_index = demand_t, demand_index
        self.elasticity = elasticity * scenario.elasticity_multiplier
        self.cover_months = cover_months
        self.first_price_usd_per_kg = first_price_usd_per_kg
        self.extrapolation_share = extrapolation_share
        self.cost_share, self.substitute = cost_share, substitute
        self.most_usd_per_kg = first_price_usd_per_kg * (
            1.0 + scenario.choke_cost_rise / np.maximum(cost_share, 1e-6)
        )
        self.designed_share = np.ones(self.rows)  # use per unit of product in designs under way
        self.intensity_share = np.ones(self.rows)  # and in what is made
        self.kept_design_share = np.ones(self.rows)  # not switched to the substitute: designs
        self.kept_share = np.ones(self.rows)  # and products
        self.alarm_share = np.zeros(self.rows)
        self.switching = np.nonzero(substitute != NO_SUBSTITUTE)[0]
        self.inventory_t = demand_t * cover_months
        self.use_t = demand_t.copy()
        self.consumed_t = demand_t.copy()
        self.shortage_t = np.zeros(self.rows)
        self.bought_t = np.zeros(self.rows)
        self.want_t = np.zeros(self.rows)
        self._numbers = scenario.numbers()
        # the book
        self.bid_row = np.repeat(np.arange(self.rows), BID_STEPS)
        self.bid_good, self.bid_place = good[self.bid_row], place[self.bid_row]
        self.bid_class = self.buyer_class[self.bid_row]
        self.ask_row = self.ask_good = self.ask_place = np.zeros(0, dtype=np.int64)

    def tell_apart(self, apart: np.ndarray, bound: np.ndarray) -> bool:
        """Let users bid in the class that rules put them in.

        Parameters
        ----------
        apart
            ``[good, place]`` bool: where a rule tells military users from others.
        bound
            ``[good, place]`` bool: where a rule binds those who were loyal of their own will.

        Returns
        -------
        bool
            whether any of them changed its class.
        """
        moved = self.military & apart[self.good, self.place]
        held = (self._usual_class == LOYAL) & bound[self.good, self.place]
        buyer_class = np.where(moved, MILITARY, np.where(held, BOUND, self._usual_class))
        if np.array_equal(buyer_class, self.buyer_class):
            return False
        self.buyer_class, self.bid_class = buyer_class, buyer_class[self.bid_row]
        return True

    def post(self, period: int, book: Book, bulletin: Bulletin, regime: Regime) -> None:
        """Bid for this month's use and for the gap in stock.

        No bid exceeds the price at which the sector goes without, nor what the grade that can
        replace the good costs by more than a premium.
        """
        _post(
            self.good, self.place, self.buyer_class, self.normal_use_t(period),
            self.first_price_usd_per_kg, self.elasticity, self.cover_months,
            self.extrapolation_share, self.most_usd_per_kg, self.substitute, self.inventory_t,
            bulletin.price_usd_per_kg, bulletin.trend_per_month, bulletin.long_price_usd_per_kg,
            regime.announced_alarm_share, self.alarm_share, self.use_t, self.want_t,
            self._numbers, *book.bid_columns["buyer"],
        )  # fmt: skip

    def normal_use_t(self, period: int) -> np.ndarray:
        """Use at the first price of products as designed now, ``[buyer]``."""
        return _normal_use_t(
            self.demand_t, self.demand_index[period], self.kept_share, self.intensity_share,
            self.switching, self.substitute,
        )  # fmt: skip

    def settle(self, bid_fill_t: np.ndarray) -> None:
        """Take delivery and use; what stock cannot cover is a shortage."""
        _settle(
            bid_fill_t, self.use_t, self.want_t, self.inventory_t, self.bought_t,
            self.consumed_t, self.shortage_t, self.alarm_share, self._numbers,
        )  # fmt: skip

    def plan(self, bulletin: Bulletin, regime: Regime) -> None:
        """Redesign products for the price of the month: research first, then what is made.

        Research goes as much faster as rules make it.
        """
        _redesign(
            self.good, self.place, self.buyer_class, self.first_price_usd_per_kg,
            self.cost_share, self.switching, self.substitute, bulletin.price_usd_per_kg,
            self.designed_share, self.intensity_share, self.kept_design_share, self.kept_share,
            regime.research_speed, self._numbers,
        )  # fmt: skip


@compiled
def _normal_use_t(
    demand_t: np.ndarray,
    index: np.ndarray,
    kept_share: np.ndarray,
    intensity_share: np.ndarray,
    switching: np.ndarray,
    substitute: np.ndarray,
) -> np.ndarray:
    """See :meth:`Buyers.normal_use_t`."""
    normal_t = demand_t * index * kept_share
    for i in switching:
        normal_t[substitute[i]] += demand_t[i] * index[i] * (1.0 - kept_share[i])
    return normal_t * intensity_share


@compiled
def _post(
    good: np.ndarray,
    place: np.ndarray,
    buyer_class: np.ndarray,
    normal_t: np.ndarray,
    first_price_usd_per_kg: np.ndarray,
    elasticity: np.ndarray,
    usual_cover_months: np.ndarray,
    extrapolation_share: np.ndarray,
    most_usd_per_kg: np.ndarray,
    substitute: np.ndarray,
    inventory_t: np.ndarray,
    price_usd_per_kg: np.ndarray,
    trend_per_month: np.ndarray,
    long_price_usd_per_kg: np.ndarray,
    announced_alarm_share: np.ndarray,
    alarm_share: np.ndarray,
    used_t: np.ndarray,
    want_t: np.ndarray,
    numbers: np.ndarray,
    bid_t: np.ndarray,
    bid_usd_per_kg: np.ndarray,
) -> None:
    """Write quantity and limit of the bids, ``[buyer x step]``; alarm, use and want are updated."""
    s, rows = numbers[0], len(good)
    amount_t, limit = bid_t.reshape(rows, BID_STEPS), bid_usd_per_kg.reshape(rows, BID_STEPS)
    steps = (
        (URGENT_SHARE, 1.0 + s.consumer_step_share),
        (NORMAL_SHARE, NORMAL_FACTOR),
        (1.0 - URGENT_SHARE - NORMAL_SHARE, PATIENT_FACTOR),
    )
    for i in range(rows):
        here = (good[i], place[i])
        price = price_usd_per_kg[good[i], place[i], buyer_class[i]]
        trend = trend_per_month[here]
        expected = expected_price_usd_per_kg(price, trend, extrapolation_share[i])
        alarm_share[i] = max(alarm_share[i], announced_alarm_share[place[i]])
        used_t[i] = use_t(normal_t[i], expected, first_price_usd_per_kg[i], elasticity[i])
        gain = expected_gain_share(trend, price, long_price_usd_per_kg[here], s)
        cover = wanted_cover_months(usual_cover_months[i], gain, alarm_share[i], s)
        want_t[i] = wanted_t(used_t[i], cover, inventory_t[i], s.stock_adjust_months)
        most = most_usd_per_kg[i]
        if substitute[i] != NO_SUBSTITUTE:
            other = price_usd_per_kg[good[substitute[i]], place[i], buyer_class[i]]
            most = min(most, (1.0 + s.grade_premium_share) * other)
        for k in range(BID_STEPS):
            share, factor = steps[k]
            amount_t[i, k] = share * want_t[i]
            limit[i, k] = min(expected * factor, most)


@compiled
def _settle(
    bid_fill_t: np.ndarray,
    used_t: np.ndarray,
    want_t: np.ndarray,
    inventory_t: np.ndarray,
    bought_t: np.ndarray,
    consumed_t: np.ndarray,
    shortage_t: np.ndarray,
    alarm_share: np.ndarray,
    numbers: np.ndarray,
) -> None:
    """See :meth:`Buyers.settle`."""
    s = numbers[0]
    for i in range(len(used_t)):
        bought_t[i] = filled_t(bid_fill_t, i, BID_STEPS)
        held_t = inventory_t[i] + bought_t[i]
        consumed_t[i] = min(used_t[i], held_t)
        shortage_t[i] = used_t[i] - consumed_t[i]
        inventory_t[i] = held_t - consumed_t[i]
        unfilled = unfilled_share(bought_t[i], URGENT_SHARE * want_t[i])
        alarm_share[i] = alarmed_share(alarm_share[i], unfilled, s.alarm_months)


@compiled
def _redesign(
    good: np.ndarray,
    place: np.ndarray,
    buyer_class: np.ndarray,
    first_price_usd_per_kg: np.ndarray,
    cost_share: np.ndarray,
    switching: np.ndarray,
    substitute: np.ndarray,
    price_usd_per_kg: np.ndarray,
    designed_share: np.ndarray,
    intensity_share: np.ndarray,
    kept_design_share: np.ndarray,
    kept_share: np.ndarray,
    research_speed: np.ndarray,
    numbers: np.ndarray,
) -> None:
    """See :meth:`Buyers.plan`."""
    s, ratio = numbers[0], np.empty(len(good))
    stage_months = 0.5 * s.thrift_months
    for i in range(len(good)):
        price = price_usd_per_kg[good[i], place[i], buyer_class[i]]
        ratio[i] = max(price, SMALLEST_PRICE_USD_PER_KG) / first_price_usd_per_kg[i]
        aim = redesign_aim_share(
            ratio[i], cost_share[i], s.thrift_trigger_share, s.thrift_elasticity
        )
        months = max(stage_months / research_speed[place[i]], 1.0)
        designed_share[i] = researched_share(
            designed_share[i], aim, months, s.thrift_recovery_share
        )
        intensity_share[i] += (designed_share[i] - intensity_share[i]) / months
    for i in switching:
        aim = kept_aim_share(ratio[i] / ratio[substitute[i]], s.switch_elasticity)
        months = max(stage_months / research_speed[place[i]], 1.0)
        kept_design_share[i] = researched_share(
            kept_design_share[i], aim, months, s.thrift_recovery_share
        )
        kept_share[i] += (kept_design_share[i] - kept_share[i]) / months
