r"""Grant: a state pays part of what a project costs to build.

A part :math:`s` of the outlay needs no return, so a project must earn :math:`1-s` of its capital
charge.

Instances: the award of 258 million USD to heavy separation at Seadrift, Texas (2023) and other
awards under Title III of the Defense Production Act; the Narva grant of the European Union (2022).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rare_market.declare import parameter
from rare_market.policies.project_finance import ProjectFinance


@dataclass(frozen=True, kw_only=True)
class Grant(ProjectFinance):
    """Part of the outlay of projects, without return."""

    name: ClassVar[str] = "grant"
    summary: ClassVar[str] = "a state pays part of what projects cost to build"

    capital_share: float = parameter(  # type: ignore[misc]
        0.3, "share", 0.0, 1.0, "part of the outlay paid", "investorintel"
    )
