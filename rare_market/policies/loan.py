r"""Loan: a state lends part of what a project costs to build.

It lends the share :math:`s` of the outlay at the rate :math:`r` over :math:`n` years from the first
month of operation, without recourse to the owner: what a plant that closes still owes is lost. A
project's capital charge falls by :math:`s\,[1 - \kappa(r, n)/\kappa(r_h, n_h)]`, with the yearly
payment :math:`\kappa` per dollar.

Instances: the non-recourse loan of Australia to Iluka's Eneabba refinery (2022, 16 years, 1.65
billion AUD since 2024); the loan of JOGMEC and Sojitz to Lynas (2011), whose interest was deferred
in 2016.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rare_market.declare import parameter
from rare_market.policies.project_finance import ProjectFinance


@dataclass(frozen=True, kw_only=True)
class Loan(ProjectFinance):
    """Non-recourse loans to projects."""

    name: ClassVar[str] = "loan"
    summary: ClassVar[str] = "a state lends part of what projects cost to build"

    capital_share: float = parameter(  # type: ignore[misc]
        0.5, "share", 0.0, 1.0, "part of the outlay lent", "investornews"
    )
    rate_per_year: float = parameter(  # type: ignore[misc]
        0.05, "1/year", 0.0, 0.5, "interest", "choice"
    )
    loan_years: float = parameter(  # type: ignore[misc]
        16.0, "years", 1.0, 60.0, "time of repayment from the start of operation", "investornews"
    )
