r"""Equity: a state buys part of a project.

It pays the share :math:`s` of the outlay, is content with the return :math:`r`, and gets the share
:math:`s` of the cash that the plant earns from operating.

Instances: the preferred stock of MP Materials bought by the United States Department of Defense
(400 million USD in July 2025, 7 %); the stake of Japan Australia Rare Earths in Lynas (200 million
AUD in 2023).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rare_market.declare import parameter
from rare_market.policies.project_finance import ProjectFinance


@dataclass(frozen=True, kw_only=True)
class Equity(ProjectFinance):
    """Public shares in projects."""

    name: ClassVar[str] = "equity"
    summary: ClassVar[str] = "a state buys part of projects"

    capital_share: float = parameter(  # type: ignore[misc]
        0.15, "share", 0.0, 1.0, "part of the outlay paid and of the plant owned", "mp_dod_2025"
    )
    rate_per_year: float = parameter(  # type: ignore[misc]
        0.07, "1/year", 0.0, 0.5, "return the state is content with", "mp_dod_2025"
    )
