r"""Collective response: a shock to one member's supply sets off the measures of all.

Where the flow of the goods watched from the target to any member fell, in one of the last
:math:`H` months, by more than the trigger below its mean of the year before, every member charges
the answering duty on the target's goods, and every instrument of the run that waits for a shock
(``only_in_shock``) is in force: a floor, a loan, an offtake, the release of a reserve, whatever its
states have agreed on. It ends :math:`H` months after the last such month.

Instance: the proposals of an "economic Article 5" among the G7, under which an attack on one
nation's supply brings a unified answer; in law, the anti-coercion instrument of the European Union
(Regulation (EU) 2023/2675).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rare_market.compiled import compiled
from rare_market.declare import parameter
from rare_market.goods import MONTHS_PER_YEAR
from rare_market.policies.base import Policy, choose_goods, choose_places, one_place
from rare_market.records import Bulletin
from rare_market.regime import Regime

LEAST_MONTHS = 6  # of trade before a fall can be told


@dataclass(frozen=True, kw_only=True)
class CollectiveResponse(Policy):
    """An answering duty of all members to a shock that hits one."""

    name: ClassVar[str] = "collective_response"
    summary: ClassVar[str] = "a cut of supplies to one member sets off the measures of all"
    tells_shocks: ClassVar[bool] = True

    members: str = parameter("allied", "", None, None, "places that stand together", "choice")
    target: str = parameter("CHN", "", None, None, "the place they answer to", "choice")
    goods: str = parameter("oxide+metal", "", None, None, "goods whose supply is watched", "choice")
    trigger_share: float = parameter(
        0.5, "share", 0.0, 1.0, "fall of a member's supply that sets it off", "choice"
    )
    answered: str = parameter("magnet", "", None, None, "goods or stages that pay", "choice")
    rate_share: float = parameter(0.5, "share", 0.0, 10.0, "answering duty", "choice")
    lasts_months: int = parameter(12, "months", 1, 120, "months it goes on after a shock", "choice")

    def amend(self, regime: Regime, bulletin: Bulletin) -> Regime:
        """Add the duty while a shock is recent, and tell the instruments that wait for one."""
        c = bulletin.catalogue
        target = one_place(c, self.target, f"{self.name}: target")
        members = choose_places(c, self.members, f"{self.name}: members")
        members[target] = False
        if not self.is_set_off(bulletin, target, members):
            return regime
        answered = choose_goods(c, self.answered, f"{self.name}: answered")
        duty = regime.import_duty_share.copy()
        duty[np.ix_(answered, [target], members)] += self.rate_share
        return regime._replace(import_duty_share=duty, shock=True)

    def is_set_off(self, bulletin: Bulletin, target: int, members: np.ndarray) -> bool:
        """Whether a member's supply fell by more than the trigger in one of the last months."""
        goods = choose_goods(bulletin.catalogue, self.goods, f"{self.name}: goods")
        first = max(bulletin.period - self.lasts_months, LEAST_MONTHS)
        before = max(first - MONTHS_PER_YEAR, 0)
        flow_t = bulletin.moved_t[before:, goods, target].sum(axis=1)[:, members]
        return _has_fallen(flow_t, first - before, 1.0 - self.trigger_share)


@compiled
def _has_fallen(flow_t: np.ndarray, first: int, least_share: float) -> bool:
    """Whether a flow fell below that share of its mean of a year in a month from the first on."""
    months, members = flow_t.shape
    for month in range(first, months):
        start = max(month - MONTHS_PER_YEAR, 0)
        for member in range(members):
            usual_t = 0.0
            for before in range(start, month):
                usual_t += flow_t[before, member]
            if flow_t[month, member] < least_share * (usual_t / (month - start)):
                return True
    return False
