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
    wanted_cover_months,
)
from rare_market.book import Book
from rare_market.goods import MONTHS_PER_YEAR
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


def use_t(
    normal_t: np.ndarray,
    price_usd_per_kg: np.ndarray,
    first_price_usd_per_kg: np.ndarray,
    elasticity: np.ndarray,
) -> np.ndarray:
    r"""Use in a month: :math:`u = \bar u\,(P/P_0)^{\varepsilon}`, elasticity not positive."""
    price = np.maximum(price_usd_per_kg, SMALLEST_PRICE_USD_PER_KG)
    return normal_t * (price / first_price_usd_per_kg) ** elasticity


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


def researched_share(
    designed_share: np.ndarray, aim_share: np.ndarray, months: float, recovery_share: float
) -> np.ndarray:
    r"""Designs under way next month: :math:`d' = d + (a - d)/T`, back at a share of that speed.

    What was designed out comes back slowly when the price falls (Japan after 2011: magnets per car
    -40 % in two years, little rebound).
    """
    gap = aim_share - designed_share
    return designed_share + np.where(gap < 0.0, gap, recovery_share * gap) / months


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
        self.place, self.good, self.buyer_class = place, good, buyer_class
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
        self._switching = np.nonzero(substitute != NO_SUBSTITUTE)[0]
        self.inventory_t = demand_t * cover_months
        self.use_t = demand_t.copy()
        self.consumed_t = demand_t.copy()
        self.shortage_t = np.zeros(self.rows)
        self.bought_t = np.zeros(self.rows)
        self._scenario = scenario
        # the book
        self.bid_row = np.repeat(np.arange(self.rows), BID_STEPS)
        self.bid_good, self.bid_place = good[self.bid_row], place[self.bid_row]
        self.bid_class = buyer_class[self.bid_row]
        self.ask_row = self.ask_good = self.ask_place = np.zeros(0, dtype=np.int64)

    def post(self, period: int, book: Book, bulletin: Bulletin, regime: Regime) -> None:
        """Bid for this month's use and for the gap in stock."""
        s = self._scenario
        price = bulletin.price_usd_per_kg[self.good, self.place, self.buyer_class]
        expected = expected_price_usd_per_kg(
            price, bulletin.trend_per_month[self.good, self.place], self.extrapolation_share
        )
        self.alarm_share = np.maximum(self.alarm_share, regime.announced_alarm_share[self.place])
        self.use_t = use_t(
            self.normal_use_t(period),
            expected,
            self.first_price_usd_per_kg,
            self.elasticity,
        )
        cover_months = wanted_cover_months(
            self.cover_months,
            expected_gain_share(
                bulletin.trend_per_month[self.good, self.place],
                price,
                bulletin.long_price_usd_per_kg[self.good, self.place],
                s,
            ),
            self.alarm_share,
            s,
        )
        gap_t = self.use_t * cover_months - self.inventory_t
        self.want_t = np.maximum(self.use_t + gap_t / s.stock_adjust_months, 0.0)
        want_t = self.want_t
        amount = np.empty((self.rows, BID_STEPS))
        amount[:, 0] = URGENT_SHARE * want_t
        amount[:, 1] = NORMAL_SHARE * want_t
        amount[:, 2] = (1.0 - URGENT_SHARE - NORMAL_SHARE) * want_t
        limit = np.empty((self.rows, BID_STEPS))
        limit[:, 0] = expected * (1.0 + s.consumer_step_share)
        limit[:, 1] = expected * NORMAL_FACTOR
        limit[:, 2] = expected * PATIENT_FACTOR
        book.post_bids("buyer", amount, np.minimum(limit, self.most_usd_per_kg[:, None]))

    def normal_use_t(self, period: int) -> np.ndarray:
        """Use at the first price of products as designed now, ``[buyer]``."""
        asked_t = self.demand_t * self.demand_index[period]
        of, to = self._switching, self.substitute[self._switching]
        switched_t = asked_t[of] * (1.0 - self.kept_share[of])
        asked_t = asked_t * self.kept_share
        np.add.at(asked_t, to, switched_t)
        return asked_t * self.intensity_share

    def settle(self, bid_fill_t: np.ndarray) -> None:
        """Take delivery and use; what stock cannot cover is a shortage."""
        self.bought_t = bid_fill_t.reshape(self.rows, BID_STEPS).sum(axis=1)
        held_t = self.inventory_t + self.bought_t
        self.consumed_t = np.minimum(self.use_t, held_t)
        self.shortage_t = self.use_t - self.consumed_t
        self.inventory_t = held_t - self.consumed_t
        urgent_t = URGENT_SHARE * self.want_t
        unfilled = 1.0 - self.bought_t / np.maximum(urgent_t, 1e-9)
        self.alarm_share = alarmed_share(
            self.alarm_share,
            np.where(self.want_t > 1e-9, np.clip(unfilled, 0.0, 1.0), 0.0),
            self._scenario.alarm_months,
        )

    def plan(self, bulletin: Bulletin) -> None:
        """Redesign products for the price of the month: research first, then what is made."""
        s = self._scenario
        stage_months = 0.5 * s.thrift_months
        price = bulletin.price_usd_per_kg[self.good, self.place, self.buyer_class]
        ratio = np.maximum(price, SMALLEST_PRICE_USD_PER_KG) / self.first_price_usd_per_kg
        aim = redesign_aim_share(
            ratio, self.cost_share, s.thrift_trigger_share, s.thrift_elasticity
        )
        self.designed_share = researched_share(
            self.designed_share, aim, stage_months, s.thrift_recovery_share
        )
        self.intensity_share += (self.designed_share - self.intensity_share) / stage_months
        of = self._switching
        if len(of):
            dearer = ratio[of] / ratio[self.substitute[of]]
            aim = redesign_aim_share(
                dearer, self.cost_share[of] * ratio[of], s.thrift_trigger_share, s.switch_elasticity
            )
            self.kept_design_share[of] = researched_share(
                self.kept_design_share[of], aim, stage_months, s.thrift_recovery_share
            )
            self.kept_share += (self.kept_design_share - self.kept_share) / stage_months
