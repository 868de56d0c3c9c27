"""The life of a mine or plant: planned, built, ramped up, mothballed, restarted, closed.

One set of columns and rules for every kind of facility; the cohort that owns it supplies margins.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

from rare_market.contracts import Offtake, PriceFloor, Threat
from rare_market.finance import Finance, charge_factor
from rare_market.goods import MONTHS_PER_YEAR
from rare_market.records import BLOCKS
from rare_market.scenario import Scenario

FREE, PRICE, FINANCE, CREDIBILITY, PERMIT, DECISION = range(len(BLOCKS))
START_SHARE = 0.2  # of nameplate in the first month (facts, section 4: Molycorp, Serra Verde)
RESTART_AGE_SHARE = 0.5  # of the ramp already behind a plant that restarts
SIGNAL_MONTHS = 6  # a decision needs this many months of a clear signal in a row


class Status(IntEnum):
    """Where a facility is in its life."""

    OPERATING = 0
    MOTHBALLED = 1
    BUILDING = 2
    PLANNED = 3
    CLOSED = 4


STATUS_OF_WORD = {
    "operating": Status.OPERATING,
    "ramping": Status.OPERATING,
    "mothballed": Status.MOTHBALLED,
    "construction": Status.BUILDING,
    "permitting": Status.PLANNED,
    "planned": Status.PLANNED,
    "closed": Status.CLOSED,
}


class Prospect(NamedTuple):
    """What a project looks at, ``[facility]`` USD/kg.

    Attributes
    ----------
    margin, charge
        expected margin of a new plant, and the capital charge it must cover.
    cheap_charge
        that charge if all its revenue were secured.
    """

    margin: np.ndarray
    charge: np.ndarray
    cheap_charge: np.ndarray


class Spending(NamedTuple):
    """What a cohort spent in a month, ``[row]`` USD: on operation and on capital."""

    operating: np.ndarray
    capital: np.ndarray


class Luck(NamedTuple):
    """Draws of a facility, made before the run.

    Attributes
    ----------
    overrun_share, delay_months
        ``[facility]`` of its budget and lead time.
    outage
        ``[period, facility]`` share of output lost.
    """

    overrun_share: np.ndarray
    delay_months: np.ndarray
    outage: np.ndarray


def ramp_share(age_months: np.ndarray, ramp_months: np.ndarray) -> np.ndarray:
    r"""Share of nameplate a plant reaches at an age: :math:`\min(1,\ s_0 + (1-s_0)\,t/T)`."""
    return np.minimum(1.0, START_SHARE + (1.0 - START_SHARE) * age_months / ramp_months)


def capital_charge_usd_per_kg(
    capex_usd_per_kg_year: np.ndarray, rate_per_year: np.ndarray, life_years: float
) -> np.ndarray:
    r"""Yearly margin per kg that repays capital: :math:`k\,r/(1-(1+r)^{-n})`.

    >>> capital_charge_usd_per_kg(np.array([50.0]), np.array([0.15]), 20.0).round(2).tolist()
    [7.99]
    """
    rate = np.maximum(rate_per_year, 1e-6)
    return capex_usd_per_kg_year * rate / (1.0 - (1.0 + rate) ** -life_years)


class Lifecycle:
    """Columns of a set of facilities and the monthly rule that moves them.

    Parameters
    ----------
    rows
        columns of the facilities table: ``capacity_t_per_year``, ``output_t_per_year``, ``status``,
        ``start_year``, ``lead_time_years``, ``capex_usd``, ``ownership``; and ``in_china``, bool.
    luck
        the facilities' draws.
    scenario
        rates, months and responses.
    """

    def __init__(self, rows: dict[str, np.ndarray], luck: Luck, scenario: Scenario) -> None:
        self.capacity_t = rows["capacity_t_per_year"] / MONTHS_PER_YEAR
        self.status = np.array([STATUS_OF_WORD[word] for word in rows["status"]], dtype=np.int64)
        # directed by the Chinese state: output before profit, ceilings obeyed
        self.state_owned = (rows["ownership"] == "state") & rows["in_china"]
        self.informal = rows["ownership"] == "informal"
        practised = rows["in_china"] | self.informal
        self.ramp_months = np.where(practised, scenario.fast_ramp_months, scenario.ramp_months)
        nameplate = np.maximum(rows["capacity_t_per_year"], 1e-9)
        reached = np.clip(rows["output_t_per_year"] / nameplate, START_SHARE, 1.0)
        ramping = rows["status"] == "ramping"
        self.age_months = np.where(
            ramping, (reached - START_SHARE) / (1.0 - START_SHARE) * self.ramp_months, 1e4
        )
        to_start = (rows["start_year"] - scenario.start_year) * MONTHS_PER_YEAR + 6.0
        self.build_months = np.maximum(rows["lead_time_years"] * MONTHS_PER_YEAR, 3.0)
        self.left_months = np.where(
            self.status == Status.BUILDING,
            np.maximum(to_start, 3.0) + 0.5 * luck.delay_months,
            self.build_months + luck.delay_months,
        )
        # a planned project cannot stand before its announced year
        self.earliest_month = np.maximum(to_start - self.build_months, 0.0)
        self.capex_usd_per_kg_year = (
            rows["capex_usd"] * (1.0 + luck.overrun_share) / (nameplate * 1000.0)
        )
        base = np.where(
            self.state_owned,
            scenario.state_rate_per_year,
            scenario.hurdle_rate_per_year,
        )
        self.capital_charge_usd_per_kg = capital_charge_usd_per_kg(
            self.capex_usd_per_kg_year, base, scenario.project_life_years
        )
        self.secured_charge_usd_per_kg = capital_charge_usd_per_kg(
            self.capex_usd_per_kg_year,
            np.minimum(base, scenario.secured_rate_per_year),
            scenario.project_life_years,
        )
        self.outlay_usd_per_month = (
            rows["capex_usd"]
            * (1.0 + luck.overrun_share)
            / np.maximum(self.build_months + luck.delay_months, 1.0)
        )
        # what a private project owes, and what it has left to lose; both arise with building
        self.borrows = ~self.state_owned & ~self.informal & ~rows["in_china"]
        self.debt_usd = np.zeros(len(nameplate))
        self.liquidity_usd = np.zeros(len(nameplate))
        self.bankrupt = np.zeros(len(nameplate), dtype=bool)  # since when nobody runs it
        self._cash_before_usd = np.zeros(len(nameplate))
        self._debt_share = scenario.debt_share
        self._liquidity_share = scenario.liquidity_share
        self._debt_rate_per_year = scenario.debt_rate_per_year
        self._fixed_cost_share = scenario.fixed_cost_share
        self._resale_months = scenario.resale_months
        self.outage = luck.outage
        self._life_years = scenario.project_life_years
        self._hurdle_rate_per_year = scenario.hurdle_rate_per_year
        self.bad_months = np.zeros(len(nameplate))
        self.good_months = np.zeros(len(nameplate))
        self.idle_months = np.zeros(len(nameplate))
        self.permit_cut_share = np.zeros(
            len(nameplate)
        )  # of the lead time, where permits are early
        self.blocked = np.full(len(nameplate), FREE, dtype=np.int8)
        self._mothball_margin_share = scenario.mothball_margin_share
        self._expansion_per_year = scenario.expansion_per_year
        self.practised = practised
        self._mothball_months = scenario.mothball_months
        self._closure_months = scenario.closure_months
        self._restart_margin_share = scenario.restart_margin_share

    def covered_share(self, years_left: float, years_until: float = 0.0) -> np.ndarray:
        r"""Part of a project's capital recovery that falls within a contract's years.

        .. math:: \frac{(1+r)^{-k}-(1+r)^{-m}}{1-(1+r)^{-n}}, \qquad
                  m = \operatorname{clip}(Y - L, 0, n), \quad k = \operatorname{clip}(U - L, 0, m)

        with :math:`U` years until the contract starts and :math:`Y` until it ends, :math:`L` years
        of building, :math:`n` years of life and the hurdle rate :math:`r`. A plant that stands has
        none to build.
        """
        standing = self.status <= Status.MOTHBALLED
        building = np.where(standing, 0.0, self.left_months / MONTHS_PER_YEAR)
        years = np.clip(years_left - building, 0.0, self._life_years)
        before = np.clip(years_until - building, 0.0, years)
        rate = max(self._hurdle_rate_per_year, 1e-6)
        whole = 1.0 - (1.0 + rate) ** -self._life_years
        return ((1.0 + rate) ** -before - (1.0 + rate) ** -years) / whole

    def believed_share(self, terms: PriceFloor | Offtake | Threat) -> np.ndarray:
        """Part of capital recovery that investors expect a contract, or a threat, to cover."""
        scheme = terms.scheme
        return scheme.belief_share * self.covered_share(terms.years_left, scheme.years_until)

    def finance_factor(
        self, finance: tuple[Finance, ...], name: np.ndarray, place: np.ndarray, stage: Any
    ) -> np.ndarray | float:
        """Capital charge with the public finance on offer, relative to that without."""
        if not finance:
            return 1.0
        return charge_factor(
            finance,
            name,
            place,
            np.broadcast_to(stage, place.shape),
            self._hurdle_rate_per_year,
            self._life_years,
        )

    def may_start(self, period: int) -> np.ndarray:
        """Whether a project may be decided: its announced date, less what early permits save."""
        saved = self.permit_cut_share * self.build_months
        return np.asarray(period >= self.earliest_month - saved)

    def why_blocked(self, period: int, seen: Prospect, believed: Prospect) -> np.ndarray:
        r"""What keeps each planned project from being decided, a code of ``BLOCKS``.

        .. math::

            \text{price:} \quad & \pi < \kappa_s \
            \text{finance:} \quad & \kappa_s \le \pi < \kappa \
            \text{credibility:} \quad & \pi < \kappa,\ \pi_1 \ge \kappa_1 \
            \text{permit:} \quad & \pi \ge \kappa, \text{ before the date it may start}

        with the margin :math:`\pi`, the charge :math:`\kappa`, that charge :math:`\kappa_s` if all
        revenue were secured, and :math:`\pi_1, \kappa_1` if every promise were believed. The third
        goes before the first two. Where nothing blocks, the half-year of decision runs.

        Parameters
        ----------
        period
            month of the run.
        seen, believed
            as investors see it, and as they would if they believed every contract and offer.
        """
        pays = seen.margin >= seen.charge
        blocked = np.where(seen.margin >= seen.cheap_charge, FINANCE, PRICE)
        blocked = np.where(believed.margin >= believed.charge, CREDIBILITY, blocked)
        blocked = np.where(pays, np.where(self.may_start(period), DECISION, PERMIT), blocked)
        return np.where(self.status == Status.PLANNED, blocked, FREE).astype(np.int8)

    def reschedule(self, time_share: np.ndarray, cost_share: np.ndarray) -> None:
        """Let building take that part of its time and cost that part of its capital.

        Parameters
        ----------
        time_share, cost_share
            ``[facility]`` of what they are; 1 leaves them.
        """
        if (time_share == 1.0).all() and (cost_share == 1.0).all():
            return
        self.left_months = self.left_months * time_share
        self.outlay_usd_per_month = self.outlay_usd_per_month * cost_share / time_share
        self.capex_usd_per_kg_year = self.capex_usd_per_kg_year * cost_share
        self.capital_charge_usd_per_kg = self.capital_charge_usd_per_kg * cost_share
        self.secured_charge_usd_per_kg = self.secured_charge_usd_per_kg * cost_share

    def able_t(self, period: int) -> np.ndarray:
        """Most a facility can make this month: operating, ramp, outage."""
        ramp = ramp_share(self.age_months, self.ramp_months)
        able = self.capacity_t * ramp * (1.0 - self.outage[period])
        return np.where(self.status == Status.OPERATING, able, 0.0)

    def expand(self, margin_usd_per_kg: np.ndarray, busy: np.ndarray) -> np.ndarray:
        r"""Let busy plants grow where the trade is practised, as margin exceeds capital charge.

        .. math::

            k' = k\,\bigl[1 + \tfrac{\eta}{12}\,\operatorname{clip}(\pi/\kappa - 1, 0, 1)\bigr]

        Parameters
        ----------
        margin_usd_per_kg
            ``[facility]`` expected long-run margin :math:`\pi`; :math:`\kappa` is the charge.
        busy
            ``[facility]`` bool, near capacity.

        Returns
        -------
        np.ndarray
            ``[facility]`` USD of capital spent.
        """
        excess = np.clip(
            margin_usd_per_kg / np.maximum(self.capital_charge_usd_per_kg, 1e-3) - 1.0, 0, 1
        )
        grows = busy & self.practised & ~self.informal & (self.status == Status.OPERATING)
        added_t = np.where(
            grows, self.capacity_t * excess * self._expansion_per_year / MONTHS_PER_YEAR, 0.0
        )
        self.capacity_t = self.capacity_t + added_t
        return added_t * MONTHS_PER_YEAR * 1000.0 * self.capex_usd_per_kg_year

    def idle_cost_usd(self, cost_usd_per_kg: np.ndarray, activity_t: np.ndarray) -> np.ndarray:
        r"""Fixed cost of what an indebted plant does not use: :math:`\phi\,c\,(k - x)`.

        Crews and maintenance of a plant that ramps slowly are paid on its nameplate (Molycorp: a
        quarter of nameplate in its second year).
        """
        unused_t = np.maximum(self.capacity_t - activity_t, 0.0) * (self.status == Status.OPERATING)
        return np.where(
            self.debt_usd > 0.0, self._fixed_cost_share * cost_usd_per_kg * unused_t * 1000.0, 0.0
        )

    def fail(self, rows: np.ndarray) -> None:
        """Stop facilities whose owner is bankrupt; creditors write their debt off.

        Parameters
        ----------
        rows
            ``[facility]`` bool. They wait for a new owner, who paid little and owes nothing.
        """
        self.bankrupt = self.bankrupt | rows
        self.status = np.where(rows, Status.MOTHBALLED, self.status)
        self.idle_months = np.where(rows, 0.0, self.idle_months)
        self.debt_usd = np.where(rows, 0.0, self.debt_usd)

    def serve_debt(
        self, earned_usd: np.ndarray, spent_usd: np.ndarray, worth_usd_per_kg: np.ndarray
    ) -> np.ndarray:
        r"""Borrow while building, pay interest and repay while operating; returns who fails.

        .. math:: D' = D\,(1 + \tfrac{r}{12}) + \delta I - R, \qquad
                  L' = L + \pi - \tfrac{r}{12} D - R

        A building project borrows the share :math:`\delta` of its outlay :math:`I` and its
        interest. In operation the month's cash :math:`\pi` first pays interest; what exceeds the
        liquidity that was raised with the plant repays debt. A facility whose liquidity is gone
        fails, unless the margin expected in the long run is worth its debt: then lenders carry it
        (JARE and Lynas in 2016).

        Parameters
        ----------
        earned_usd, spent_usd
            ``[facility]`` cash of operation and outlay on building this month.
        worth_usd_per_kg
            ``[facility]`` present value, per kg of yearly capacity, of the margin expected.
        """
        interest = self.debt_usd * self._debt_rate_per_year / MONTHS_PER_YEAR
        borrowed = np.where(self.borrows, self._debt_share * spent_usd, 0.0)
        building = self.status == Status.BUILDING
        reserve = self._liquidity_share * self.capex_usd_per_kg_year * self.capacity_t * 12000.0
        self.liquidity_usd = np.where(building & self.borrows, reserve, self.liquidity_usd)
        serving = (self.status == Status.OPERATING) & (self.debt_usd > 0.0)
        cash = np.where(serving, earned_usd - interest, 0.0)
        liquidity = self.liquidity_usd + cash
        repaid = np.where(serving, np.clip(liquidity - reserve, 0.0, self.debt_usd), 0.0)
        self.liquidity_usd = liquidity - repaid
        self.debt_usd = self.debt_usd + borrowed - repaid + np.where(building, interest, 0.0)
        worth_usd = worth_usd_per_kg * self.capacity_t * MONTHS_PER_YEAR * 1000.0
        return serving & (self.liquidity_usd < 0.0) & (worth_usd < self.debt_usd)

    def advance(
        self,
        period: int,
        cash_usd: np.ndarray,
        cash_margin_usd_per_kg: np.ndarray,
        cash_cost_usd_per_kg: np.ndarray,
        prospect: Prospect,
        believed: Prospect | None = None,
    ) -> np.ndarray:
        r"""Move every facility by one month.

        Operating ones with a negative cash margin for long are mothballed (a state group bears
        more), mothballed ones restart on a good margin or close after years; building goes on; a
        planned project is decided when its expected margin has covered the capital charge, at the
        hurdle rate its revenue deserves, for :data:`SIGNAL_MONTHS` in a row:
        :math:`\bar\pi \ge k\,r/(1-(1+r)^{-n})`.

        Parameters
        ----------
        period
            month of the run.
        cash_usd
            ``[facility]`` its account after the month's operation.
        cash_margin_usd_per_kg, cash_cost_usd_per_kg
            ``[facility]`` today's margin on cash cost, and that cost.
        prospect, believed
            of a new plant; and if investors believed all that is promised, where they do not.

        Returns
        -------
        np.ndarray
            ``[facility]`` USD of capital spent this month.
        """
        operating = self.status == Status.OPERATING
        idle = self.status == Status.MOTHBALLED
        patience = np.where(self.state_owned, 3.0, 1.0) * self._mothball_months
        losing = cash_margin_usd_per_kg < -self._mothball_margin_share * cash_cost_usd_per_kg
        step = np.where(losing, 1.0, -1.0)
        self.bad_months = np.where(operating, np.maximum(self.bad_months + step, 0.0), 0.0)
        earning = cash_margin_usd_per_kg > self._restart_margin_share * cash_cost_usd_per_kg
        planned = (self.status == Status.PLANNED) & self.may_start(period)
        worth_it = prospect.margin >= prospect.charge
        self.blocked = self.why_blocked(period, prospect, believed or prospect)
        sold = ~self.bankrupt | (self.idle_months >= self._resale_months)
        signal = (idle & earning & sold) | (planned & worth_it)
        self.good_months = np.where(signal, self.good_months + 1, 0.0)
        decided = signal & (self.good_months >= SIGNAL_MONTHS)

        building = self.status == Status.BUILDING
        self.left_months = np.where(building, self.left_months - 1, self.left_months)
        finished = building & (self.left_months <= 0)
        self.idle_months = np.where(idle, self.idle_months + 1, 0.0)
        spent_usd = np.where(building, self.outlay_usd_per_month, 0.0)

        stopped = operating & (self.bad_months >= patience)
        given_up = idle & (self.idle_months >= self._closure_months)
        self.age_months = np.where(operating, self.age_months + 1, self.age_months)
        self.age_months = np.where(finished, 0.0, self.age_months)
        again = decided & idle  # crews and circuits come back faster than they were first built
        self.age_months = np.where(again, RESTART_AGE_SHARE * self.ramp_months, self.age_months)
        status = self.status
        status = np.where(stopped, Status.MOTHBALLED, status)
        status = np.where(decided & idle, Status.OPERATING, status)
        status = np.where(given_up & ~decided, Status.CLOSED, status)
        status = np.where(decided & planned, Status.BUILDING, status)
        self.status = np.where(finished, Status.OPERATING, status)
        self.bankrupt = self.bankrupt & ~(again & (self.status == Status.OPERATING))
        annuity = capital_charge_usd_per_kg(
            np.ones(1), np.array([self._hurdle_rate_per_year]), self._life_years
        )
        failed = self.serve_debt(
            cash_usd - self._cash_before_usd, spent_usd, prospect.margin / annuity
        )
        self._cash_before_usd = cash_usd - spent_usd
        self.fail(failed)
        return spent_usd
