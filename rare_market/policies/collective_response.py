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
from rare_market.goods import MONTHS_PER_YEAR, Catalogue
from rare_market.policies.base import Policy, choose_goods, choose_places, kept, one_place
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
        if not self.is_set_off(bulletin, *self._sides(bulletin.catalogue)):
            return regime
        duty = self._duty_share(bulletin.catalogue, regime.import_duty_share)
        return regime.amended(import_duty_share=duty, shock=True)

    @kept
    def _duty_share(self, catalogue: Catalogue, share: np.ndarray) -> np.ndarray:
        """Duties in force, and the answering one on lanes into the members."""
        target, members = self._sides(catalogue)
        answered = choose_goods(catalogue, self.answered, f"{self.name}: answered")
        duty = share.copy()
        duty[np.ix_(answered, [target], members)] += self.rate_share
        return duty

    @kept
    def _sides(self, catalogue: Catalogue) -> tuple[int, np.ndarray]:
        """Place code of the target, and ``[place]`` bool of the members."""
        target = one_place(catalogue, self.target, f"{self.name}: target")
        members = choose_places(catalogue, self.members, f"{self.name}: members")
        members[target] = False
        return target, members

    @kept
    def _watched(self, catalogue: Catalogue) -> np.ndarray:
        """Goods whose supply is watched, ``[good]`` bool."""
        return choose_goods(catalogue, self.goods, f"{self.name}: goods")

    def is_set_off(self, bulletin: Bulletin, target: int, members: np.ndarray) -> bool:
        """Whether a member's supply fell by more than the trigger in one of the last months."""
        goods = self._watched(bulletin.catalogue)
        first = max(bulletin.period - self.lasts_months, LEAST_MONTHS)
        before = max(first - MONTHS_PER_YEAR, 0)
        return _has_fallen(
            bulletin.moved_t[before:], goods, target, members, first - before,
            1.0 - self.trigger_share,
        )  # fmt: skip


@compiled
def _has_fallen(
    moved_t: np.ndarray,
    goods: np.ndarray,
    target: int,
    members: np.ndarray,
    first: int,
    least_share: float,
) -> bool:
    """Whether a member's supply fell below that share of its mean of a year since a first month.

    Parameters
    ----------
    moved_t
        ``[month, good, origin, destination]``.
    goods, members
        ``[good]`` and ``[place]`` bool.
    """
    months, _, _, places = moved_t.shape
    flow_t = np.zeros((months, places))
    for month in range(months):
        for g in range(len(goods)):
            if goods[g]:
                flow_t[month] += moved_t[month, g, target]
    for month in range(first, months):
        start = max(month - MONTHS_PER_YEAR, 0)
        for member in range(places):
            if not members[member]:
                continue
            usual_t = 0.0
            for before in range(start, month):
                usual_t += flow_t[before, member]
            if flow_t[month, member] < least_share * (usual_t / (month - start)):
                return True
    return False
