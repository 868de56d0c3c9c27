"""The life of a mine or plant: planned, built, ramped up, mothballed, restarted, closed.

One set of columns and rules for every kind of facility; the cohort that owns it supplies margins.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from rare_market.compiled import compiled
from rare_market.contracts import Offtake, PriceFloor, Threat
from rare_market.finance import charge_factor
from rare_market.goods import MONTHS_PER_YEAR
from rare_market.policies.base import kept
from rare_market.records import BLOCKS
from rare_market.regime import Regime
from rare_market.scenario import Scenario

FREE, PRICE, FINANCE, CREDIBILITY, PERMIT, DECISION = range(len(BLOCKS))
START_SHARE = 0.2  # of nameplate in the first month (facts, section 4: Molycorp, Serra Verde)
RESTART_AGE_SHARE = 0.5  # of the ramp already behind a plant that restarts
SIGNAL_MONTHS = 6  # a decision needs this many months of a clear signal in a row
PERMITTED_SIGNAL_MONTHS = 2  # and where permits and pit are there and only finance is missing
STANDING_DELAY_SHARE = 0.5  # of its delay, of a project that has its permits or is being built


class Status(IntEnum):
    """Where a facility is in its life."""

    OPERATING = 0
    MOTHBALLED = 1
    BUILDING = 2
    PLANNED = 3
    CLOSED = 4


OPERATING, MOTHBALLED, BUILDING, PLANNED, CLOSED = (int(status) for status in Status)
STATUS_OF_WORD = {
    "operating": Status.OPERATING,
    "ramping": Status.OPERATING,
    "mothballed": Status.MOTHBALLED,
    "construction": Status.BUILDING,
    "permitted": Status.PLANNED,
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


@compiled
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
        permitted = rows["status"] == "permitted"
        delay_months = np.where(permitted, STANDING_DELAY_SHARE, 1.0) * luck.delay_months
        self.signal_months = np.where(permitted, PERMITTED_SIGNAL_MONTHS, SIGNAL_MONTHS)
        self.build_months = np.maximum(rows["lead_time_years"] * MONTHS_PER_YEAR, 3.0)
        self.left_months = np.where(
            self.status == Status.BUILDING,
            np.maximum(to_start, 3.0) + STANDING_DELAY_SHARE * luck.delay_months,
            self.build_months + delay_months,
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
            / np.maximum(self.build_months + delay_months, 1.0)
        )
        # what a private project owes, and what it has left to lose; both arise with building
        self.borrows = ~self.state_owned & ~self.informal & ~rows["in_china"]
        self.debt_usd = np.zeros(len(nameplate))
        self.liquidity_usd = np.zeros(len(nameplate))
        self.bankrupt = np.zeros(len(nameplate), dtype=bool)  # since when nobody runs it
        self._cash_before_usd = np.zeros(len(nameplate))
        self._numbers = scenario.numbers()
        self._annuity = float(
            capital_charge_usd_per_kg(
                np.ones(1), np.array([scenario.hurdle_rate_per_year]), scenario.project_life_years
            )[0]
        )
        self.outage = luck.outage
        self._life_years = scenario.project_life_years
        self._hurdle_rate_per_year = scenario.hurdle_rate_per_year
        self.bad_months = np.zeros(len(nameplate))
        self.good_months = np.zeros(len(nameplate))
        self.idle_months = np.zeros(len(nameplate))
        # of the lead time, where permits are early
        self.permit_cut_share = np.zeros(len(nameplate))
        self.blocked = np.full(len(nameplate), FREE, dtype=np.int8)
        self.practised = practised

    def covered_share(self, years_left: float, years_until: float = 0.0) -> np.ndarray:
        r"""Part of a project's capital recovery that falls within a contract's years.

        .. math:: \frac{(1+r)^{-k}-(1+r)^{-m}}{1-(1+r)^{-n}}, \qquad
                  m = \operatorname{clip}(Y - L, 0, n), \quad k = \operatorname{clip}(U - L, 0, m)

        with :math:`U` years until the contract starts and :math:`Y` until it ends, :math:`L` years
        of building, :math:`n` years of life and the hurdle rate :math:`r`. A plant that stands has
        none to build.
        """
        return _covered_share(
            self.status, self.left_months, years_left, years_until, self._life_years,
            max(self._hurdle_rate_per_year, 1e-6),
        )  # fmt: skip

    def believed_share(self, terms: PriceFloor | Offtake | Threat) -> np.ndarray:
        """Part of capital recovery that investors expect a contract, or a threat, to cover."""
        scheme = terms.scheme
        return scheme.belief_share * self.covered_share(terms.years_left, scheme.years_until)

    def charge_factor(
        self, regime: Regime, name: np.ndarray, place: np.ndarray, stage: np.ndarray
    ) -> np.ndarray:
        """Capital charge under the rules relative to that of the data, ``[facility]``.

        Public finance on offer lowers it, and what rules add to capital cost raises it.
        """
        factor = self._capital_factor(regime.capital_added_share, place, stage)
        if not regime.finance:
            return factor
        terms = self._hurdle_rate_per_year, self._life_years
        return charge_factor(regime.finance, name, place, stage, *terms) * factor

    @kept
    def _capital_factor(
        self, added_share: np.ndarray, place: np.ndarray, stage: np.ndarray
    ) -> np.ndarray:
        """Capital cost with what rules add to it, ``[stage, place]``, for each facility."""
        return np.asarray(1.0 + added_share[stage, place])

    def may_start(self, period: int) -> np.ndarray:
        """Whether a project may be decided: its announced date, less what early permits save."""
        return _may_start(period, self.earliest_month, self.permit_cut_share, self.build_months)

    def why_blocked(self, may_start: np.ndarray, seen: Prospect, believed: Prospect) -> np.ndarray:
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
        may_start
            ``[facility]`` bool: see :meth:`may_start`.
        seen, believed
            as investors see it, and as they would if they believed every contract and offer.
        """
        return _why_blocked(
            self.status, may_start, seen.margin, seen.charge, seen.cheap_charge,
            believed.margin, believed.charge,
        )  # fmt: skip

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
        return _able_t(
            self.status, self.capacity_t, self.age_months, self.ramp_months, self.outage[period]
        )

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
        spent_usd = np.zeros(len(busy))
        _expand(
            self.status, busy, self.practised, self.informal, margin_usd_per_kg,
            self.capital_charge_usd_per_kg, self.capex_usd_per_kg_year, self.capacity_t,
            self._numbers, spent_usd,
        )  # fmt: skip
        return spent_usd

    def idle_cost_usd(self, cost_usd_per_kg: np.ndarray, activity_t: np.ndarray) -> np.ndarray:
        r"""Fixed cost of what an indebted plant does not use: :math:`\phi\,c\,(k - x)`.

        Crews and maintenance of a plant that ramps slowly are paid on its nameplate (Molycorp: a
        quarter of nameplate in its second year).
        """
        idle_usd = np.zeros(len(self.status))
        _add_idle_cost(
            self.status, self.debt_usd, self.capacity_t, cost_usd_per_kg, activity_t,
            self._numbers, idle_usd,
        )  # fmt: skip
        return idle_usd

    def fail(self, rows: np.ndarray) -> None:
        """Stop facilities whose owner is bankrupt; creditors write their debt off.

        Parameters
        ----------
        rows
            ``[facility]`` bool. They wait for a new owner, who paid little and owes nothing.
        """
        self.bankrupt[rows], self.status[rows] = True, MOTHBALLED
        self.idle_months[rows], self.debt_usd[rows] = 0.0, 0.0

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

        .. math:: D' = D\,(1 + \tfrac{r}{12}) + \delta I - R, \qquad
                  L' = L + \pi - \tfrac{r}{12} D - R

        A building project borrows the share :math:`\delta` of its outlay :math:`I` and its
        interest. In operation the month's cash :math:`\pi` first pays interest; what exceeds the
        liquidity that was raised with the plant repays debt. A facility whose liquidity is gone
        fails, unless the margin expected in the long run is worth its debt: then lenders carry it
        (JARE and Lynas in 2016).

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
        sure, spent_usd = believed or prospect, np.zeros(len(self.status))
        _advance(
            period, self.earliest_month, self.permit_cut_share, self.build_months,
            cash_usd, cash_margin_usd_per_kg, cash_cost_usd_per_kg,
            prospect.margin, prospect.charge, prospect.cheap_charge, sure.margin, sure.charge,
            self.state_owned, self.borrows, self.outlay_usd_per_month,
            self.capex_usd_per_kg_year, self.capacity_t, self.ramp_months,
            self.status, self.signal_months, self.bad_months, self.good_months, self.idle_months,
            self.left_months, self.age_months, self.bankrupt, self.debt_usd, self.liquidity_usd,
            self._cash_before_usd, self._annuity, self._numbers, self.blocked, spent_usd,
        )  # fmt: skip
        return spent_usd


@compiled
def _covered_share(
    status: np.ndarray,
    left_months: np.ndarray,
    years_left: float,
    years_until: float,
    life_years: float,
    rate_per_year: float,
) -> np.ndarray:
    """See :meth:`Lifecycle.covered_share`."""
    growth, covered = 1.0 + rate_per_year, np.empty(len(status))
    whole = 1.0 - growth**-life_years
    for i in range(len(status)):
        building = 0.0 if status[i] <= MOTHBALLED else left_months[i] / MONTHS_PER_YEAR
        years = min(max(years_left - building, 0.0), life_years)
        before = min(max(years_until - building, 0.0), years)
        begun = growth**-before if before > 0.0 else 1.0
        covered[i] = (begun - growth**-years) / whole
    return covered


@compiled
def _may_start(
    period: int, earliest_month: np.ndarray, cut_share: np.ndarray, build_months: np.ndarray
) -> np.ndarray:
    """See :meth:`Lifecycle.may_start`."""
    return period >= earliest_month - cut_share * build_months


@compiled
def _why_blocked(
    status: np.ndarray,
    may_start: np.ndarray,
    margin: np.ndarray,
    charge: np.ndarray,
    cheap_charge: np.ndarray,
    believed_margin: np.ndarray,
    believed_charge: np.ndarray,
) -> np.ndarray:
    """See :meth:`Lifecycle.why_blocked`."""
    blocked = np.full(len(status), FREE, np.int8)
    for i in range(len(status)):
        if status[i] != PLANNED:
            continue
        if margin[i] >= charge[i]:
            blocked[i] = DECISION if may_start[i] else PERMIT
        elif believed_margin[i] >= believed_charge[i]:
            blocked[i] = CREDIBILITY
        else:
            blocked[i] = FINANCE if margin[i] >= cheap_charge[i] else PRICE
    return blocked


@compiled
def _able_t(
    status: np.ndarray,
    capacity_t: np.ndarray,
    age_months: np.ndarray,
    ramp_months: np.ndarray,
    outage_share: np.ndarray,
) -> np.ndarray:
    """See :meth:`Lifecycle.able_t`."""
    able_t = np.zeros(len(status))
    for i in range(len(status)):
        if status[i] == OPERATING:
            ramp = ramp_share(age_months[i], ramp_months[i])
            able_t[i] = capacity_t[i] * ramp * (1.0 - outage_share[i])
    return able_t


@compiled
def _expand(
    status: np.ndarray,
    busy: np.ndarray,
    practised: np.ndarray,
    informal: np.ndarray,
    margin_usd_per_kg: np.ndarray,
    charge_usd_per_kg: np.ndarray,
    capex_usd_per_kg_year: np.ndarray,
    capacity_t: np.ndarray,
    numbers: np.ndarray,
    spent_usd: np.ndarray,
) -> None:
    """See :meth:`Lifecycle.expand`; what is spent is written to the last, zero before."""
    s = numbers[0]
    for i in range(len(status)):
        if busy[i] and practised[i] and not informal[i] and status[i] == OPERATING:
            excess = margin_usd_per_kg[i] / max(charge_usd_per_kg[i], 1e-3) - 1.0
            excess = min(max(excess, 0.0), 1.0)
            added_t = capacity_t[i] * excess * s.expansion_per_year / MONTHS_PER_YEAR
            capacity_t[i] += added_t
            spent_usd[i] = added_t * MONTHS_PER_YEAR * 1000.0 * capex_usd_per_kg_year[i]


@compiled
def _add_idle_cost(
    status: np.ndarray,
    debt_usd: np.ndarray,
    capacity_t: np.ndarray,
    cost_usd_per_kg: np.ndarray,
    activity_t: np.ndarray,
    numbers: np.ndarray,
    cost_usd: np.ndarray,
) -> None:
    """See :meth:`Lifecycle.idle_cost_usd`; added to the last."""
    s = numbers[0]
    for i in range(len(status)):
        if debt_usd[i] > 0.0 and status[i] == OPERATING:
            unused_t = max(capacity_t[i] - activity_t[i], 0.0)
            cost_usd[i] += s.fixed_cost_share * cost_usd_per_kg[i] * unused_t * 1000.0


@compiled
def _advance(
    period: int,
    earliest_month: np.ndarray,
    permit_cut_share: np.ndarray,
    build_months: np.ndarray,
    cash_usd: np.ndarray,
    cash_margin_usd_per_kg: np.ndarray,
    cash_cost_usd_per_kg: np.ndarray,
    project_margin_usd_per_kg: np.ndarray,
    charge_usd_per_kg: np.ndarray,
    cheap_charge_usd_per_kg: np.ndarray,
    sure_margin_usd_per_kg: np.ndarray,
    sure_charge_usd_per_kg: np.ndarray,
    state_owned: np.ndarray,
    borrows: np.ndarray,
    outlay_usd_per_month: np.ndarray,
    capex_usd_per_kg_year: np.ndarray,
    capacity_t: np.ndarray,
    ramp_months: np.ndarray,
    status: np.ndarray,
    signal_months: np.ndarray,
    bad_months: np.ndarray,
    good_months: np.ndarray,
    idle_months: np.ndarray,
    left_months: np.ndarray,
    age_months: np.ndarray,
    bankrupt: np.ndarray,
    debt_usd: np.ndarray,
    liquidity_usd: np.ndarray,
    cash_before_usd: np.ndarray,
    annuity: float,
    numbers: np.ndarray,
    blocked: np.ndarray,
    spent_usd: np.ndarray,
) -> None:
    """See :meth:`Lifecycle.advance`; what is spent is written to the last, zero before."""
    s, may_start = numbers[0], _may_start(period, earliest_month, permit_cut_share, build_months)
    blocked[:] = _why_blocked(
        status, may_start, project_margin_usd_per_kg, charge_usd_per_kg, cheap_charge_usd_per_kg,
        sure_margin_usd_per_kg, sure_charge_usd_per_kg,
    )  # fmt: skip
    for i in range(len(status)):
        operating, idle = status[i] == OPERATING, status[i] == MOTHBALLED
        building = status[i] == BUILDING
        planned = status[i] == PLANNED and may_start[i]
        losing = cash_margin_usd_per_kg[i] < -s.mothball_margin_share * cash_cost_usd_per_kg[i]
        earning = cash_margin_usd_per_kg[i] > s.restart_margin_share * cash_cost_usd_per_kg[i]
        worth_it = project_margin_usd_per_kg[i] >= charge_usd_per_kg[i]
        sold = not bankrupt[i] or idle_months[i] >= s.resale_months
        signal = (idle and earning and sold) or (planned and worth_it)
        bad_months[i] = max(bad_months[i] + (1.0 if losing else -1.0), 0.0) if operating else 0.0
        good_months[i] = good_months[i] + 1.0 if signal else 0.0
        idle_months[i] = idle_months[i] + 1.0 if idle else 0.0
        decided = good_months[i] >= signal_months[i]
        if operating:
            age_months[i] += 1.0
            patience = (3.0 if state_owned[i] else 1.0) * s.mothball_months
            if bad_months[i] >= patience:
                status[i] = MOTHBALLED
        elif idle and decided:  # crews and circuits come back faster than they were first built
            age_months[i] = RESTART_AGE_SHARE * ramp_months[i]
            status[i], bankrupt[i] = OPERATING, False
        elif idle and idle_months[i] >= s.closure_months:
            status[i] = CLOSED
        elif planned and decided:
            status[i] = BUILDING
        elif building:
            spent_usd[i] = outlay_usd_per_month[i]
            left_months[i] -= 1.0
            if left_months[i] <= 0.0:
                status[i], age_months[i] = OPERATING, 0.0

        owed = debt_usd[i]
        interest = owed * s.debt_rate_per_year / MONTHS_PER_YEAR
        borrowed = s.debt_share * spent_usd[i] if borrows[i] else 0.0
        reserve = s.liquidity_share * capex_usd_per_kg_year[i] * capacity_t[i] * 12000.0
        debt_usd[i] = owed + borrowed
        if status[i] == BUILDING:
            debt_usd[i] += interest
            if borrows[i]:
                liquidity_usd[i] = reserve
        elif status[i] == OPERATING and owed > 0.0:
            earned = cash_usd[i] - cash_before_usd[i]
            liquidity = liquidity_usd[i] + (earned - interest)
            repaid = min(max(liquidity - reserve, 0.0), owed)
            liquidity_usd[i] = liquidity - repaid
            debt_usd[i] -= repaid
            worth = project_margin_usd_per_kg[i] / annuity  # present value, per kg of a year
            worth_usd = worth * capacity_t[i] * MONTHS_PER_YEAR * 1000.0
            if liquidity_usd[i] < 0.0 and worth_usd < debt_usd[i]:
                status[i], bankrupt[i] = MOTHBALLED, True
                idle_months[i] = debt_usd[i] = 0.0
        cash_before_usd[i] = cash_usd[i] - spent_usd[i]
