r"""Loan guarantee: a state stands behind what banks lend to a project.

Banks lend the share :math:`s` of the outlay at the rate :math:`r`, which is near that of public
debt because the state pays them what a plant that closes still owes. Nothing is paid before.

Instance: the guarantees of the Japan Organization for Metals and Energy Security for loans to
mining and smelting projects.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rare_market.declare import parameter
from rare_market.policies.project_finance import ProjectFinance


@dataclass(frozen=True, kw_only=True)
class Guarantee(ProjectFinance):
    """Guarantees for bank loans to projects."""

    name: ClassVar[str] = "guarantee"
    summary: ClassVar[str] = "a state guarantees what banks lend to projects"

    capital_share: float = parameter(  # type: ignore[misc]
        0.5, "share", 0.0, 1.0, "part of the outlay that banks lend", "choice"
    )
    rate_per_year: float = parameter(  # type: ignore[misc]
        0.06, "1/year", 0.0, 0.5, "interest of the guaranteed loan", "choice"
    )
    loan_years: float = parameter(  # type: ignore[misc]
        12.0, "years", 1.0, 60.0, "time of repayment from the start of operation", "choice"
    )
