"""Public finance of projects: what states put into building, get back, and lose.

Terms are fixed when a project is decided and hold for its life. A grant pays part of the outlay. A
loan pays part of it and is repaid by equal instalments from the first month of operation; while the
plant stands idle interest is added to the debt, and a plant that closes for good defaults: what is
left is written down. A guarantee stands behind a part of the outlay that banks lend; on closure the
state pays the bank what is left. Equity pays part of the outlay and gets that part of the cash that
the plant earns.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rare_market.contracts import Scheme, within
from rare_market.goods import MONTHS_PER_YEAR


class Finance(NamedTuple):
    """Terms on which a state finances projects.

    Attributes
    ----------
    payer
        place code.
    places, stages
        bool masks ``[place]`` and ``[facility stage]`` of projects.
    facilities
        names of the projects; all where empty.
    under_way
        whether projects under construction may sign too.
    kind
        ``grant``, ``loan``, ``guarantee`` or ``equity``.
    share
        of the outlay.
    rate_per_year, loan_years
        interest and time of repayment, of a loan or of the bank loan guaranteed; the return asked
        on equity.
    scheme
        of the policy that offers it.
    """

    payer: int
    places: np.ndarray
    stages: np.ndarray
    facilities: tuple[str, ...]
    under_way: bool
    kind: str
    share: float
    rate_per_year: float
    loan_years: float
    scheme: Scheme = Scheme()

    def covers(self, name: np.ndarray, place: np.ndarray, stage: np.ndarray) -> np.ndarray:
        """Facilities it is open to, bool."""
        named = np.isin(name, self.facilities) if self.facilities else True
        return self.places[place] & self.stages[stage] & named


def recovery_factor(rate_per_year: float, years: float) -> float:
    r"""Yearly payment that repays one dollar: :math:`r/(1-(1+r)^{-n})`.

    >>> round(recovery_factor(0.15, 20.0), 4), recovery_factor(0.0, 20.0)
    (0.1598, 0.05)
    """
    if rate_per_year == 0.0:
        return 1.0 / years
    return rate_per_year / (1.0 - (1.0 + rate_per_year) ** -years)


def charge_factor(
    terms: tuple[Finance, ...],
    name: np.ndarray,
    place: np.ndarray,
    stage: np.ndarray,
    hurdle_rate_per_year: float,
    life_years: float,
) -> np.ndarray:
    r"""Capital charge of a project with public finance, relative to that without.

    .. math:: \phi = 1 - \sum_k p_k s_k \Bigl(1 - \frac{\kappa(r_k, n_k)}{\kappa(r_h, n)}\Bigr),
              \qquad \phi \ge 0

    with the share :math:`s` of the outlay, the belief :math:`p`, the yearly payment
    :math:`\kappa(r, n)` per dollar on the state's terms and on those of the market; a grant asks
    for nothing.

    Parameters
    ----------
    terms
        on offer.
    name, place, stage
        ``[facility]``.
    """
    factor = np.ones(len(place))
    market = recovery_factor(hurdle_rate_per_year, life_years)
    for offer in terms:
        asked = 0.0
        if offer.kind == "equity":
            asked = recovery_factor(offer.rate_per_year, life_years)
        elif offer.kind != "grant":
            asked = recovery_factor(offer.rate_per_year, offer.loan_years)
        relief = offer.scheme.belief_share * offer.share * (1.0 - asked / market)
        factor = factor - offer.covers(name, place, stage) * relief
    return np.maximum(factor, 0.0)


class Payment(NamedTuple):
    """Payments of a month on one kind of finance, ``[facility]`` USD.

    Attributes
    ----------
    reason
        kind of finance.
    to_plant_usd, to_bank_usd
        from the state; negative where it receives.
    """

    reason: str
    to_plant_usd: np.ndarray
    to_bank_usd: np.ndarray


class Commitment:
    """What one policy has signed, facility by facility.

    Parameters
    ----------
    terms
        of the policy when it was first offered.
    facilities
        number of them.

    Attributes
    ----------
    signed
        ``[facility]`` bool.
    owed_usd
        ``[facility]`` debt: to the state, or to the bank under a guarantee.
    written_down_usd
        ``[facility]`` lost on closure.
    left_usd
        most that may still be put in.
    """

    def __init__(self, terms: Finance, facilities: int) -> None:
        self.terms = terms
        self.signed = np.zeros(facilities, dtype=bool)
        self.owed_usd = np.zeros(facilities)
        self.months_left = np.full(facilities, terms.loan_years * MONTHS_PER_YEAR)
        self.written_down_usd = np.zeros(facilities)
        self.left_usd = terms.scheme.budget_left_usd

    def pay(
        self,
        outlay_usd: np.ndarray,
        earned_usd: np.ndarray,
        operating: np.ndarray,
        closed: np.ndarray,
    ) -> Payment:
        r"""Payments of a month.

        A loan is drawn with the outlay. In operation the instalment is
        :math:`D\,i/(1-(1+i)^{-m})` on the debt :math:`D` with :math:`m` months left at the monthly
        rate :math:`i`; idle, the debt grows by its interest.

        Parameters
        ----------
        outlay_usd, earned_usd
            ``[facility]`` spent on building, and cash earned by operating.
        operating, closed
            ``[facility]`` bool.
        """
        terms = self.terms
        put_in = np.where(self.signed, terms.share * outlay_usd, 0.0)
        total = float(put_in.sum())
        if terms.kind != "guarantee":
            put_in = put_in * within(total, self.left_usd)
            self.left_usd -= float(put_in.sum())
        back, to_bank = np.zeros_like(put_in), np.zeros_like(put_in)
        if terms.kind == "equity":
            back = np.where(self.signed & operating, terms.share * np.maximum(earned_usd, 0.0), 0.0)
        if terms.kind in ("loan", "guarantee"):
            monthly = (1.0 + terms.rate_per_year) ** (1.0 / MONTHS_PER_YEAR) - 1.0
            interest = monthly * self.owed_usd
            repays = operating & (self.owed_usd > 0.0)
            left = np.maximum(self.months_left, 1.0)
            growth = 1.0 - (1.0 + monthly) ** -left if monthly > 0.0 else left
            instalment = self.owed_usd * (monthly / growth if monthly > 0.0 else 1.0 / growth)
            instalment = np.where(repays, instalment, 0.0)
            lost = np.where(closed, self.owed_usd, 0.0)
            owed = self.owed_usd + interest - instalment + put_in
            self.owed_usd = np.where(closed | (owed < 0.005), 0.0, owed)
            self.months_left = np.where(repays, left - 1.0, self.months_left)
            self.written_down_usd += lost
            if terms.kind == "loan":
                back = instalment
            else:  # the bank lends and is repaid; the state pays it what a default leaves
                put_in, to_bank = np.zeros_like(put_in), lost
        return Payment(terms.kind, put_in - back, to_bank)
